//! Random books of one underlying.

use ballast_risk::black76::OptionKind;
use ballast_risk::portfolio::{
    AMOUNT_ONE, Error, ExpiryMarks, ExpirySums, Held, Holdings, Marks, ONE, OptionTerms, Params,
    Scenarios, UnitMargin,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Digits of prices here.
pub(crate) const DIGITS: u32 = 12;

pub(crate) const PRESETS: [&str; 9] = [
    "default",
    "derive-1",
    "derive-2",
    "deribit-linear",
    "deribit-coin",
    "okx",
    "paradex",
    "span-16",
    "aevo",
];

/// Presets whose requirement scales with the book.
pub(crate) const SCALING: [&str; 7] = [
    "default", "derive-1", "derive-2", "okx", "paradex", "span-16", "aevo",
];

pub(crate) fn preset(name: &str) -> Params {
    ballast_genesis::margin::preset(name).unwrap()
}

pub(crate) fn unit(params: &Params, marks: &Marks) -> Result<Scenarios, Error> {
    Scenarios::new(Arc::new(params.clone()), marks.clone())
}

/// A number of hundredths, in units of 10^-`digits`.
pub(crate) fn hundredths(number: i64, digits: u32) -> i64 {
    number * 10_i64.pow(digits - 2)
}

pub(crate) fn dollars(number: i64) -> i64 {
    hundredths(number * 100, DIGITS)
}

/// Marks of 60,000 with two expiries.
pub(crate) fn marks(near_secs: i64, far_secs: i64) -> Marks {
    let expiry = |secs, forward| ExpiryMarks {
        secs,
        forward: dollars(forward),
        fixed: 0,
        rate: ONE / 20,
        forward_confidence: ONE,
        rate_confidence: ONE,
        volatility_confidence: ONE,
    };
    Marks {
        price_digits: DIGITS,
        stable: ONE,
        index: dollars(60_000),
        index_confidence: ONE,
        perpetual: dollars(60_030),
        perpetual_confidence: ONE,
        open_interest: 0,
        expiries: vec![expiry(near_secs, 60_150), expiry(far_secs, 61_200)],
    }
}

/// An option of an expiry, and how many hundredths are held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionHeld {
    pub(crate) expiry: usize,
    pub(crate) terms: OptionTerms,
    pub(crate) amount: i64,
}

/// What an account holds, amounts in hundredths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) perpetual: i64,
    pub(crate) spot: i64,
    pub(crate) futures: [i64; 2],
    pub(crate) options: Vec<OptionHeld>,
}

impl Book {
    pub(crate) fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.perpetual += other.perpetual;
        sum.spot += other.spot;
        for (future, more) in sum.futures.iter_mut().zip(other.futures) {
            *future += more;
        }
        sum.options.extend(&other.options);
        sum
    }

    pub(crate) fn times(&self, factor: i64) -> Self {
        let mut book = self.clone();
        book.perpetual *= factor;
        book.spot *= factor;
        book.futures = book.futures.map(|amount| amount * factor);
        for held in &mut book.options {
            held.amount *= factor;
        }
        book
    }

    /// Its margin; positions in the same option are one.
    pub(crate) fn margin(&self, params: &Params, marks: &Marks) -> Result<UnitMargin, Error> {
        let unit = unit(params, marks)?;
        let amount = |hundredths: i64| hundredths * (AMOUNT_ONE / 100);
        let mut sums = vec![ExpirySums::new(&unit), ExpirySums::new(&unit)];
        let key = |held: &OptionHeld| (held.expiry, held.terms.strike, held.terms.kind);
        let mut before: std::collections::BTreeMap<_, i64> = Default::default();
        for held in &self.options {
            let from = before.entry(key(held)).or_default();
            let array = unit.option(held.expiry, &held.terms)?;
            let to = *from + amount(held.amount);
            sums[held.expiry].change(&array, Held::of(*from), Held::of(to))?;
            *from = to;
        }
        for (sums, future) in sums.iter_mut().zip(self.futures) {
            sums.set_future(Held::of(amount(future)));
        }
        let held = Holdings {
            perpetual: Held::of(amount(self.perpetual)),
            perpetual_pnl: 0,
            spot: Held::of(amount(self.spot)),
            expiries: &sums,
            collateral: &[],
        };
        unit.margin(&held)
    }
}

pub(crate) fn option(expiry: usize, call: bool, strike: i64, amount: i64) -> OptionHeld {
    OptionHeld {
        expiry,
        terms: OptionTerms {
            kind: if call {
                OptionKind::Call
            } else {
                OptionKind::Put
            },
            strike: dollars(strike),
            // A smile, so that no two strikes are alike.
            volatility: ONE / 2 + (strike - 60_000).abs() * (ONE / 200_000),
        },
        amount,
    }
}

fn held() -> impl Strategy<Value = OptionHeld> {
    let amount = prop_oneof![-300_i64..300, -5_000_i64..5_000];
    (0..2_usize, any::<bool>(), 5_i64..40, amount)
        .prop_map(|(expiry, call, strike, amount)| option(expiry, call, strike * 4_000, amount))
}

/// A book; without spot where it has to be.
pub(crate) fn book(spot: bool) -> impl Strategy<Value = Book> {
    let position = || prop_oneof![2 => Just(0_i64), 3 => -500_i64..500];
    let spot = if spot { 0..200_i64 } else { 0..1 };
    let options = prop::collection::vec(held(), 0..8);
    (position(), spot, [position(), position()], options).prop_map(
        |(perpetual, spot, futures, options)| Book {
            perpetual,
            spot,
            futures,
            options,
        },
    )
}
