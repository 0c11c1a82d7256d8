//! Cost of portfolio margin: the risk array of one option, and the margin of an account by how much
//! of it is kept. Default parameters, 38 scenarios, four expiries.

use std::hint::black_box;
use std::sync::Arc;

use ballast_risk::black76::OptionKind;
use ballast_risk::portfolio::{
    AMOUNT_ONE, ExpiryMarks, ExpirySums, Held, Holdings, Instrument, LotTerms, Marks, ONE,
    OptionTerms, OrderSums, OrderTerms, Params, RiskArray, Scenarios, UnitMargin,
};
use ballast_types::Side;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const POSITIONS: [usize; 3] = [10, 100, 1_000];
const EXPIRIES: usize = 4;
const DOLLAR: i64 = 1_000_000_000_000;

fn params() -> Arc<Params> {
    Arc::new(ballast_genesis::margin::preset("default").expect("a preset"))
}

fn marks() -> Marks {
    let expiry = |index: usize| ExpiryMarks {
        secs: 86_400 * [3, 24, 80, 200][index],
        forward: DOLLAR * (60_000 + 300 * index as i64),
        fixed: 0,
        rate: 0,
        forward_confidence: ONE,
        rate_confidence: ONE,
        volatility_confidence: ONE,
    };
    Marks {
        price_digits: 12,
        stable: ONE,
        index: DOLLAR * 60_000,
        index_confidence: ONE,
        perpetual: DOLLAR * 60_030,
        perpetual_confidence: ONE,
        open_interest: 0,
        expiries: (0..EXPIRIES).map(expiry).collect(),
    }
}

/// The n-th listed option: both kinds of strikes from 20,000 up, in every expiry.
fn option(n: usize) -> (usize, OptionTerms) {
    let kind = if n.is_multiple_of(2) {
        OptionKind::Call
    } else {
        OptionKind::Put
    };
    let strike = (n / 2 / EXPIRIES) as i64;
    let terms = OptionTerms {
        kind,
        strike: DOLLAR * (20_000 + 700 * strike),
        volatility: ONE / 2 + ONE / 1_000 * strike,
    };
    (n / 2 % EXPIRIES, terms)
}

fn amount(n: usize) -> i64 {
    (n as i64 * 7 % 13 - 6) * AMOUNT_ONE / 10
}

fn arrays(unit: &Scenarios, count: usize) -> Vec<(usize, RiskArray)> {
    let array = |n| {
        let (expiry, terms) = option(n);
        (expiry, unit.option(expiry, &terms).expect("fits"))
    };
    (0..count).map(array).collect()
}

fn sums(unit: &Scenarios, arrays: &[(usize, RiskArray)]) -> Vec<ExpirySums> {
    let mut sums = vec![ExpirySums::new(unit); EXPIRIES];
    for (n, (expiry, array)) in arrays.iter().enumerate() {
        let held = Held::of(amount(n));
        sums[*expiry]
            .change(array, Held::default(), held)
            .expect("fits");
    }
    sums
}

fn holdings(sums: &[ExpirySums]) -> Holdings<'_> {
    Holdings {
        perpetual: Held::of(AMOUNT_ONE),
        perpetual_pnl: 0,
        spot: Held::default(),
        expiries: sums,
        collateral: &[],
    }
}

fn margin(unit: &Scenarios, sums: &[ExpirySums]) -> UnitMargin {
    unit.margin(&holdings(sums)).expect("fits")
}

fn array(c: &mut Criterion) {
    let (params, marks) = (params(), marks());
    let unit = Scenarios::new(Arc::clone(&params), marks.clone()).expect("fits");
    c.bench_function("margin/marks of a unit, 4 expiries", |b| {
        b.iter(|| Scenarios::new(Arc::clone(&params), black_box(&marks).clone()));
    });
    let mut n = 0;
    c.bench_function("margin/array of an option, 38 scenarios", |b| {
        b.iter(|| {
            n = (n + 1) % 400;
            let (expiry, terms) = option(n);
            unit.option(expiry, black_box(&terms))
        });
    });
}

fn account(c: &mut Criterion) {
    let (params, marks) = (params(), marks());
    let unit = Scenarios::new(Arc::clone(&params), marks.clone()).expect("fits");
    let mut group = c.benchmark_group("margin/account");
    for count in POSITIONS {
        let arrays = arrays(&unit, count);
        let mut kept = sums(&unit, &arrays);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("one fill on kept sums", count), |b| {
            let (expiry, array) = &arrays[count / 2];
            let from = Held::of(amount(count / 2));
            let (mut from, mut to) = (from, Held::of(3 * AMOUNT_ONE));
            b.iter(|| {
                kept[*expiry].change(array, from, to).expect("fits");
                (from, to) = (to, from);
                margin(&unit, &kept)
            });
        });
        group.bench_function(BenchmarkId::new("sums from kept arrays", count), |b| {
            b.iter(|| margin(&unit, &sums(&unit, black_box(&arrays))));
        });
        group.bench_function(BenchmarkId::new("full revaluation", count), |b| {
            b.iter(|| {
                let arrays = self::arrays(&unit, black_box(count));
                margin(&unit, &sums(&unit, &arrays))
            });
        });
    }
    group.finish();
}

/// A lot of a hundredth, a millionth of the quote an atom.
const LOT: i64 = AMOUNT_ONE / 100;
const ATOM: i128 = 1_000_000;

/// The n-th order loses ten cents and more a lot.
fn order_terms(unit: &Scenarios, (expiry, array): &(usize, RiskArray), n: usize) -> OrderTerms {
    let (side, gain) = (side(n), -(100_000 + n as i128) * ATOM);
    let instrument = Instrument::Option(*expiry, array);
    unit.order(instrument, LOT, side, gain, ATOM).expect("fits")
}

fn side(n: usize) -> Side {
    if n.is_multiple_of(3) {
        Side::Sell
    } else {
        Side::Buy
    }
}

fn open_orders(c: &mut Criterion) {
    const OPEN: usize = 200;
    let unit = Scenarios::new(params(), marks()).expect("fits");
    let mut group = c.benchmark_group("margin/account with 200 open orders");
    for count in [10, 100] {
        let arrays = arrays(&unit, count);
        let mut held: Vec<Held> = (0..count).map(|n| Held::of(amount(n))).collect();
        let mut kept = vec![ExpirySums::new(&unit); EXPIRIES];
        let mut orders = OrderSums::default();
        for n in 0..OPEN {
            let order = &arrays[n % count];
            orders.add(&order_terms(&unit, order, n), 10).expect("fits");
            match side(n) {
                Side::Buy => held[n % count].bids += 10 * LOT,
                Side::Sell => held[n % count].asks += 10 * LOT,
            }
        }
        for (held, (expiry, array)) in held.iter().zip(&arrays) {
            let none = Held::default();
            kept[*expiry].change(array, none, *held).expect("fits");
        }
        let mut n = 0;
        let mut admit = |terms: &dyn Fn(usize) -> OrderTerms| {
            n = (n + 1) % count;
            let (expiry, array) = &arrays[n];
            let more = if n.is_multiple_of(2) { LOT } else { -LOT };
            let to = Held {
                bids: (held[n].bids + more).max(0),
                ..held[n]
            };
            kept[*expiry].change(array, held[n], to).expect("fits");
            held[n] = to;
            orders.add(&terms(n), 1).expect("fits");
            unit.requirement(&holdings(&kept), &orders).expect("fits")
        };
        group.bench_function(BenchmarkId::new("one admitted order", count), |b| {
            b.iter(|| admit(&|n| order_terms(&unit, &arrays[n], n)));
        });
        let lot = |n: usize| {
            let (expiry, array) = &arrays[n];
            let instrument = Instrument::Option(*expiry, array);
            unit.lot(instrument, LOT, Side::Buy, ATOM).expect("fits")
        };
        let lots: Vec<LotTerms> = (0..count).map(lot).collect();
        group.bench_function(BenchmarkId::new("one of a kept lot", count), |b| {
            b.iter(|| admit(&|n| lots[n].order(-100_000 * ATOM).expect("fits")));
        });
    }
    group.finish();
}

criterion_group!(benches, array, account, open_orders);
criterion_main!(benches);
