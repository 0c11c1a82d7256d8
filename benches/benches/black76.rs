//! Cost of pricing options on forwards, in integers and with the decimals of `rust_decimal`. Each
//! figure is of one option (a pair is a call and a put), averaged over a thousand of all strikes.

use std::hint::black_box;

use ballast_risk::black76::{
    self, ONE, OptionKind, Terms, discount, greeks, implied_vol, log_moneyness, pair, price,
    total_vol,
};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rust_decimal::{Decimal, MathematicalOps};

const OPTIONS: u64 = 1_000;

/// Strikes of a third to three times the forward, 1 to 365 days, 20 % to 200 %.
fn options() -> Vec<Terms> {
    let option = |n: u64| Terms {
        forward: 6_000_000,
        strike: 2_000_000 + (n * 7_919) % OPTIONS * 16_000,
        vol: ONE / 5 + ONE / 1_000 * ((n * 104_729) % 1_800).cast_signed(),
        seconds: 86_400 * (1 + (n * 1_299_709) % 365),
        discount: ONE,
    };
    (0..OPTIONS).map(option).collect()
}

/// Call and put by the decimal library's own logarithm, root, exponential and distribution.
fn decimal_pair(terms: &Terms) -> Option<(Decimal, Decimal)> {
    let (forward, strike) = (Decimal::from(terms.forward), Decimal::from(terms.strike));
    let vol = Decimal::from(terms.vol >> 27) / Decimal::from(ONE >> 27);
    let years = Decimal::from(terms.seconds) / Decimal::from(black76::YEAR);
    let total = vol * years.sqrt()?;
    let d1 = (forward / strike).checked_ln()? / total + total / Decimal::TWO;
    let d2 = d1 - total;
    // Its exponential overflows farther out.
    let limit = Decimal::from(5);
    let (d1, d2) = (d1.clamp(-limit, limit), d2.clamp(-limit, limit));
    let call = forward * d1.norm_cdf() - strike * d2.norm_cdf();
    Some((call, call - forward + strike))
}

/// Times what is done with each item.
fn each<T, R>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    items: &[T],
    mut work: impl FnMut(&T) -> R,
) {
    group.bench_function(name, |bench| {
        bench.iter(|| {
            for item in black_box(items) {
                black_box(work(item));
            }
        });
    });
}

fn pricing(criterion: &mut Criterion) {
    let options = options();
    let log = |terms: &Terms| log_moneyness(terms.forward, terms.strike);
    let total = |terms: &Terms| total_vol(terms.vol, terms.seconds);
    let call = |terms: &Terms| price(terms, OptionKind::Call);
    let given: Vec<_> = options.iter().map(|o| (log(o), total(o))).collect();
    let prices: Vec<_> = options.iter().map(|o| (call(o), *o)).collect();
    let mut group = criterion.benchmark_group("black76");
    group.throughput(Throughput::Elements(OPTIONS));
    each(
        &mut group,
        "pair, moneyness and total volatility given",
        &given,
        |(log, total)| pair(*log, *total),
    );
    each(&mut group, "pair", &options, |o| pair(log(o), total(o)));
    each(&mut group, "price", &options, call);
    each(&mut group, "greeks", &options, |o| {
        greeks(o, OptionKind::Call, 0)
    });
    each(&mut group, "implied volatility", &prices, |(price, o)| {
        let (forward, strike) = (o.forward, o.strike);
        implied_vol(
            *price,
            OptionKind::Call,
            forward,
            strike,
            o.seconds,
            o.discount,
        )
    });
    each(&mut group, "discount", &options, |o| {
        discount(ONE / 20, o.seconds)
    });
    group.sample_size(10);
    each(&mut group, "pair, rust_decimal", &options, decimal_pair);
    group.finish();
}

criterion_group!(benches, pricing);
criterion_main!(benches);
