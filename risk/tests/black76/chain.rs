//! Marks and deltas of a real chain of options on bitcoin.

use crate::decimal::{Decimal, atto};
use ballast_risk::black76::{ONE, OptionKind, Terms, greeks};

/// Columns of a line of comma-separated values; quoted ones may hold commas.
fn columns(line: &str) -> Vec<&str> {
    let mut quoted = false;
    line.split(|letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
    .collect()
}

/// Errors in 1e-18 of mark price (in units of the forward) and of delta.
fn errors(header: &[&str], line: &str) -> [i128; 2] {
    let row = columns(line);
    let at = |name: &str| row[header.iter().position(|column| *column == name).unwrap()];
    let cents = |name| u64::try_from(Decimal::parse(at(name)).times_ten_to(2)).unwrap();
    let time = |name| Decimal::parse(at(name)).times_ten_to(0);
    let milliseconds = time("expiration_timestamp") - time("timestamp");
    let (forward, strike) = (cents("underlying_price"), cents("strike"));
    let percent = Decimal::parse(at("mark_iv"));
    let terms = Terms {
        forward,
        strike,
        vol: Decimal {
            exponent: percent.exponent - 2,
            ..percent
        }
        .fixed(),
        seconds: u64::try_from((milliseconds + 500) / 1_000).unwrap(),
        discount: ONE,
    };
    let kind = match at("option_type") {
        "call" => OptionKind::Call,
        _ => OptionKind::Put,
    };
    let ours = greeks(&terms, kind, 0);
    // Marks are in bitcoin.
    let price = atto(ours.price) * i128::from(terms.unit()) / i128::from(forward);
    let (_, delta) = at("greeks").split_once("'delta': ").unwrap();
    let delta = delta.split('}').next().unwrap();
    let expected = |text: &str| Decimal::parse(text).times_ten_to(18);
    [
        (price - expected(at("mark_price"))).abs(),
        (atto(ours.delta) - expected(delta)).abs(),
    ]
}

/// The recorded chain; `BALLAST_TEST_DATA` names the directory that holds it.
#[expect(clippy::disallowed_methods, reason = "a test reads a file")]
fn recorded() -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let root = std::env::var("BALLAST_TEST_DATA").unwrap_or_else(|_| beside.to_owned());
    let path = format!("{root}/deribit_chain/btc_2020-05-21.csv");
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: no {path}");
    }
    text
}

#[test]
fn real_marks_and_deltas_are_met() {
    let Some(text) = recorded() else { return };
    let mut lines = text.lines();
    let header = columns(lines.next().unwrap());
    let rows: Vec<_> = lines.map(|line| errors(&header, line)).collect();
    assert_eq!(rows.len(), 326);
    // What inverse Black-76 leaves: forwards and volatilities are recorded to two decimals.
    let micro = 10_i128.pow(12);
    for (column, (what, median, most)) in [("mark", 4, 240), ("delta", 4, 110)]
        .into_iter()
        .enumerate()
    {
        let mut errors: Vec<_> = rows.iter().map(|row| row[column]).collect();
        errors.sort_unstable();
        let (middle, last) = (errors[errors.len() / 2], errors[errors.len() - 1]);
        println!("{what}: error {middle}e-18 median, {last}e-18 most");
        assert!(middle <= median * micro, "{what}: median {middle}e-18");
        assert!(last <= most * micro, "{what}: most {last}e-18");
    }
}
