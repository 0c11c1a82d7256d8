//! The reference's 250 options and its limits.

use crate::decimal::{Decimal, atto};
use ballast_risk::black76::{
    Greeks, OptionKind, Scaled, Terms, discount, discount_wide, greeks, greeks_wide,
    implied_vol_wide, price,
};
use serde_json::Value;

const VECTORS: &str = include_str!("../vectors/black76.json");

/// 1e-9 in units of 1e-18.
const NANO: i128 = 1_000_000_000;

struct Row {
    name: String,
    terms: Terms,
    kind: OptionKind,
    rate: Decimal,
    /// The larger of forward and strike.
    unit: Decimal,
    outputs: Value,
}

fn decimal(value: &Value, field: &str) -> Option<Decimal> {
    value[field].as_str().map(Decimal::parse)
}

fn rows(list: &str) -> Vec<Row> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let row = |value: &Value| {
        let inputs = &value["inputs"];
        let input = |field| decimal(inputs, field).unwrap();
        let (forward, strike) = (input("F"), input("K"));
        let power = -forward.exponent.min(strike.exponent);
        let integer = |x: Decimal| u64::try_from(x.times_ten_to(power)).unwrap();
        let seconds = u64::try_from(input("T_secs").times_ten_to(0)).unwrap();
        let rate = input("r");
        let kind = match inputs["type"].as_str().unwrap() {
            "call" => OptionKind::Call,
            _ => OptionKind::Put,
        };
        Row {
            name: format!("{} {inputs}", value["id"]),
            terms: Terms {
                forward: integer(forward),
                strike: integer(strike),
                vol: input("sigma").fixed(),
                seconds,
                discount: discount(rate.fixed(), seconds),
            },
            kind,
            rate,
            unit: forward.max(strike),
            outputs: value["outputs"].clone(),
        }
    };
    file[list].as_array().unwrap().iter().map(row).collect()
}

impl Row {
    /// An output in units of 1e-18 of the larger of forward and strike.
    fn per_unit(&self, field: &str) -> i128 {
        decimal(&self.outputs, field)
            .unwrap()
            .over(self.unit)
            .times_ten_to(18)
    }

    fn greeks(&self) -> Greeks {
        greeks(&self.terms, self.kind, self.rate.fixed())
    }
}

/// Largest error seen of one output.
struct Worst {
    field: &'static str,
    absolute: i128,
    /// 1e-9 relative.
    relative: i128,
    error: i128,
}

impl Worst {
    fn new(field: &'static str, absolute: i128, relative: i128) -> Self {
        Self {
            field,
            absolute,
            relative,
            error: 0,
        }
    }

    fn check(&mut self, row: &str, ours: i128, expected: i128) {
        let error = (ours - expected).abs();
        let allowed = self.absolute.max(expected.abs() / NANO * self.relative);
        assert!(
            error <= allowed,
            "{row}: {} {ours}, expected {expected} e-18",
            self.field
        );
        let size = (expected.abs() / NANO).max(NANO);
        self.error = self.error.max(error / (size / NANO));
    }
}

#[test]
fn prices_and_greeks_agree_with_the_reference() {
    let rows = rows("vectors");
    assert_eq!(rows.len(), 250);
    let mut prices = Worst::new("price", 5_000, 0);
    let mut deltas = Worst::new("delta", 20_000, 0);
    let mut gammas = Worst::new("gamma", NANO, 100);
    let mut vegas = Worst::new("vega", NANO, 100);
    let mut thetas = Worst::new("theta", NANO, 100);
    for row in &rows {
        let ours = row.greeks();
        assert_eq!(ours.price, price(&row.terms, row.kind), "{}", row.name);
        prices.check(&row.name, atto(ours.price), row.per_unit("price"));
        let delta = decimal(&row.outputs, "delta_fwd").unwrap().times_ten_to(18);
        deltas.check(&row.name, atto(ours.delta), delta);
        let gamma = decimal(&row.outputs, "gamma_fwd").unwrap();
        let gamma = gamma.times(row.unit).times_ten_to(18);
        gammas.check(&row.name, atto(ours.gamma), gamma);
        vegas.check(&row.name, atto(ours.vega), row.per_unit("vega"));
        thetas.check(&row.name, atto(ours.theta), row.per_unit("theta"));
    }
    for worst in [prices, deltas, gammas, vegas, thetas] {
        // Most of it is the reference's, which has 15 digits.
        println!(
            "{}: error {}e-18 of what is above 1",
            worst.field, worst.error
        );
    }
}

#[test]
fn wide_prices_keep_their_digits_in_the_wings() {
    let mut tiny = 0;
    for row in rows("vectors") {
        let terms = &row.terms;
        let factor = discount_wide(wide(row.rate, Decimal::parse("1")), terms.seconds);
        let ours = greeks_wide(terms, row.kind, 0, factor).price.to_bits(120);
        let expected = wide(decimal(&row.outputs, "price").unwrap(), row.unit);
        // The larger of 1e-11 of the price and 1e-35 of the unit.
        let allowed = (expected / 10_i128.pow(11)).max(20);
        let error = (ours - expected).abs();
        assert!(error <= allowed, "{}: {ours}, {expected}", row.name);
        tiny += i32::from(expected > 20 && expected >> 57 == 0);
    }
    assert!(tiny > 5, "{tiny} are out of a price's reach");
}

#[test]
fn limits_agree_with_the_reference() {
    let rows = rows("degenerate");
    assert_eq!(rows.len(), 9);
    for row in rows {
        if row.terms.unit() == 0 {
            assert_eq!(row.greeks().price, 0, "{}", row.name);
            continue;
        }
        let error = atto(row.greeks().price) - row.per_unit("price");
        assert!(error.abs() <= 1_000, "{}: error {error}e-18", row.name);
    }
}

#[test]
fn implied_volatility_agrees_with_the_reference() {
    let (mut worst, mut compared, mut nulls) = (0, 0, 0);
    for row in rows("vectors") {
        let terms = &row.terms;
        // The price string in units of 2^-120 of the unit, by long division.
        let quotient = decimal(&row.outputs, "price").unwrap();
        let price = Scaled {
            digits: wide(quotient, row.unit),
            bits: 120,
        };
        let factor = discount_wide(wide(row.rate, Decimal::parse("1")), terms.seconds);
        let ours = implied_vol_wide(
            price,
            row.kind,
            terms.forward,
            terms.strike,
            terms.seconds,
            factor,
        );
        let Some(expected) = decimal(&row.outputs, "implied_vol_from_price15") else {
            assert_eq!(ours, None, "{}", row.name);
            nulls += 1;
            continue;
        };
        let shift = decimal(&row.outputs, "implied_vol_rel_shift").unwrap();
        let vega = atto(row.greeks().vega) / 1_000_000 * (atto(terms.vol) / 1_000_000) / 1_000_000;
        let expected = expected.times_ten_to(18);
        let ours = atto(ours.expect(&row.name));
        let error = (ours - expected).abs();
        // Where the string holds the volatility, and elsewhere as far as it does.
        let allowed = if shift.times_ten_to(18) < NANO && vega >= 10_000 * NANO {
            worst = worst.max(error);
            compared += 1;
            1_000_000
        } else {
            2_000 * NANO
        };
        assert!(
            error <= allowed,
            "{}: {ours}, expected {expected}",
            row.name
        );
    }
    println!("implied volatility: error {worst}e-18 in {compared}, {nulls} null");
}

/// `x / unit` in units of 2^-120, rounded down, or nearly so where it is tiny.
fn wide(x: Decimal, unit: Decimal) -> i128 {
    let negative = x.digits < 0;
    let (mut a, mut b) = (x.digits.unsigned_abs(), unit.digits.unsigned_abs());
    let mut bits = 120;
    for _ in 0..(x.exponent - unit.exponent).max(0) {
        a *= 10;
    }
    for _ in 0..(unit.exponent - x.exponent).max(0) {
        if let Some(product) = b.checked_mul(10).filter(|b| *b < 1 << 127) {
            b = product;
        } else {
            let shift = a.leading_zeros().min(bits);
            (a, bits) = ((a << shift) / 10, bits - shift);
        }
    }
    let (mut quotient, mut rest) = (a / b, a % b);
    for _ in 0..bits {
        let twice = rest << 1;
        let one = u128::from(twice >= b);
        (quotient, rest) = (quotient << 1 | one, twice - one * b);
    }
    let quotient = i128::try_from(quotient).unwrap();
    if negative { -quotient } else { quotient }
}
