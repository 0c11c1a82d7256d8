//! The functions under the prices, against known values.

use crate::decimal::{Decimal, atto};
use ballast_risk::black76::{
    ONE, OptionKind, Terms, YEAR, discount, exp, ln, log_moneyness, normal_cdf, normal_pdf, pair,
    price, sqrt, total_vol, value,
};

/// One unit of 2^-57, in 1e-18.
const UNIT: i128 = 7;

fn fixed(text: &str) -> i64 {
    Decimal::parse(text).fixed()
}

/// Requires `ours` within `units` of 2^-57 of `expected`, in 1e-18.
fn near(what: &str, ours: impl Into<i128>, expected: i128, units: i128) {
    let ours = atto(ours);
    let error = (ours - expected).abs();
    assert!(
        error <= units * UNIT,
        "{what}: {ours}, expected {expected} e-18"
    );
}

#[test]
fn exponentials() {
    for (x, expected) in [
        ("-40", 4),
        ("-3.5", 30_197_383_422_318_501),
        ("-1", 367_879_441_171_442_322),
        ("0", 1_000_000_000_000_000_000),
        ("0.5", 1_648_721_270_700_128_147),
        ("1", 2_718_281_828_459_045_235),
        ("2", 7_389_056_098_930_650_227),
    ] {
        near(x, exp(fixed(x)), expected, 1);
    }
    near("4", exp(4 * ONE), 54_598_150_033_144_239_078, 6);
    assert_eq!(exp(i64::MAX), i64::MAX);
    assert_eq!(exp(fixed("4.2")), i64::MAX, "e^4.2 is above 64");
    assert_eq!(exp(i64::MIN), 0);
}

#[test]
fn logarithms() {
    for (x, expected) in [
        ("0.5", -693_147_180_559_945_309),
        ("0.999", -1_000_500_333_583_534),
        ("1", 0),
        ("1.001", 999_500_333_083_533),
        ("2", 693_147_180_559_945_309),
        ("10", 2_302_585_092_994_045_684),
        ("60", 4_094_344_562_222_100_685),
    ] {
        near(x, ln(fixed(x)).unwrap(), expected, 2);
    }
    assert_eq!(ln(0), None);
    assert_eq!(ln(-ONE), None);
    near(
        "1000",
        log_moneyness(1_000, 1),
        6_907_755_278_982_137_052,
        1,
    );
    near(
        "65/90",
        log_moneyness(65_000, 90_000),
        -325_422_400_434_627_956,
        1,
    );
    assert_eq!(log_moneyness(0, 1), 0);
    assert_eq!(
        log_moneyness(u64::MAX, 1),
        -log_moneyness(1, u64::MAX),
        "44.4 fits"
    );
}

#[test]
fn the_normal_distribution() {
    for (x, cumulative, density) in [
        ("-9", 0, 1),
        ("-4", 31_671_241_833_120, 133_830_225_764_885),
        ("-1", 158_655_253_931_457_051, 241_970_724_519_143_350),
        ("-0.001", 499_601_057_786_088_937, 398_942_080_930_342_345),
        ("0", 500_000_000_000_000_000, 398_942_280_401_432_678),
        ("0.5", 691_462_461_274_013_104, 352_065_326_764_299_478),
        ("1", 841_344_746_068_542_949, 241_970_724_519_143_350),
        ("2.5", 993_790_334_674_223_865, 17_528_300_493_568_537),
        ("7", 999_999_999_998_720_187, 9_134_720),
    ] {
        near(x, normal_cdf(fixed(x)), cumulative, 1);
        near(x, normal_pdf(fixed(x)), density, 1);
    }
    assert_eq!((normal_cdf(i64::MIN), normal_pdf(i64::MIN)), (0, 0));
    assert_eq!((normal_cdf(i64::MAX), normal_pdf(i64::MAX)), (ONE, 0));
}

#[test]
fn roots_and_discounts() {
    for (x, expected) in [
        ("0.5", 707_106_781_186_547_524),
        ("2", 1_414_213_562_373_095_049),
        ("50", 7_071_067_811_865_475_244),
    ] {
        near(x, sqrt(fixed(x)), expected, 1);
    }
    assert_eq!(sqrt(-1), 0);
    near(
        "0.05, 30 days",
        discount(fixed("0.05"), 2_592_000),
        995_898_843_764_204_367,
        1,
    );
    near(
        "-0.02, 10 years",
        discount(fixed("-0.02"), 10 * YEAR),
        1_221_402_758_160_169_834,
        10,
    );
    assert_eq!(discount(i64::MIN, 0), ONE);
    assert_eq!(discount(i64::MAX, u64::MAX), 0);
    assert_eq!(discount(i64::MIN, u64::MAX), i64::MAX);
    near(
        "80 %, a quarter",
        total_vol(fixed("0.8"), YEAR / 4),
        400_000_000_000_000_000,
        1,
    );
    assert_eq!(total_vol(fixed("2"), 4 * YEAR), 4 * ONE);
    assert_eq!(total_vol(i64::MAX, u64::MAX), 32 * ONE);
    assert_eq!(total_vol(-ONE, YEAR), 0);
}

#[test]
fn calls_to_eighteen_digits() {
    for (forward, strike, vol, seconds, expected) in [
        (100, 100, "1", YEAR, 382_924_922_548_026_207),
        (100, 120, "0.5", 2_592_000, 6_311_337_007_612_455),
        (65_000, 20_000, "2", YEAR, 839_189_425_793_850_025),
        (1, 1_000_000, "5", YEAR, 325_413_510_307),
    ] {
        let terms = Terms {
            forward,
            strike,
            vol: fixed(vol),
            seconds,
            discount: ONE,
        };
        let what = format!("{terms:?}");
        near(&what, price(&terms, OptionKind::Call), expected, 2);
        let given = pair(
            log_moneyness(forward, strike),
            total_vol(terms.vol, seconds),
        );
        near(&what, given.call, expected, 2);
        // In hundredths of the forward's unit.
        let cents = i128::from(terms.unit()) * 100 * expected / 10_i128.pow(18);
        assert_eq!(value(&terms, OptionKind::Call, 100), cents);
    }
}
