//! Cost of pricing options on forwards, in integers and with the decimals of `rust_decimal`. Each
//! figure is of one option (a pair is a call and a put), averaged over a thousand of all strikes.

use std::hint::black_box;

use ballast_risk::black76::{
    self, ONE, OptionKind, Terms, discount, greeks, implied_vol, log_moneyness, pair, price,
    total_vol,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
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

fn pricing(criterion: &mut Criterion) {
    let options = options();
    let given: Vec<_> = options
        .iter()
        .map(|terms| {
            let log = log_moneyness(terms.forward, terms.strike);
            (log, total_vol(terms.vol, terms.seconds))
        })
        .collect();
    let mut group = criterion.benchmark_group("black76");
    group.throughput(Throughput::Elements(OPTIONS));
    group.bench_function("pair, moneyness and total volatility given", |bench| {
        bench.iter(|| {
            for (log, total) in black_box(&given) {
                black_box(pair(*log, *total));
            }
        });
    });
    group.bench_function("pair", |bench| {
        bench.iter(|| {
            for terms in black_box(&options) {
                let log = log_moneyness(terms.forward, terms.strike);
                black_box(pair(log, total_vol(terms.vol, terms.seconds)));
            }
        });
    });
    group.bench_function("price", |bench| {
        bench.iter(|| {
            for terms in black_box(&options) {
                black_box(price(terms, OptionKind::Call));
            }
        });
    });
    group.bench_function("greeks", |bench| {
        bench.iter(|| {
            for terms in black_box(&options) {
                black_box(greeks(terms, OptionKind::Call, 0));
            }
        });
    });
    let prices: Vec<_> = options
        .iter()
        .map(|terms| (price(terms, OptionKind::Call), *terms))
        .collect();
    group.bench_function("implied volatility", |bench| {
        bench.iter(|| {
            for (price, terms) in black_box(&prices) {
                let (forward, strike) = (terms.forward, terms.strike);
                let factor = terms.discount;
                let kind = OptionKind::Call;
                black_box(implied_vol(
                    *price,
                    kind,
                    forward,
                    strike,
                    terms.seconds,
                    factor,
                ));
            }
        });
    });
    group.bench_function("discount", |bench| {
        bench.iter(|| {
            for terms in black_box(&options) {
                black_box(discount(ONE / 20, terms.seconds));
            }
        });
    });
    group.sample_size(10);
    group.bench_function("pair, rust_decimal", |bench| {
        bench.iter(|| {
            for terms in black_box(&options) {
                black_box(decimal_pair(terms));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, pricing);
criterion_main!(benches);
