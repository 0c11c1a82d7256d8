//! The functions under the prices, against known values.

use crate::decimal::{Decimal, atto};
use ballast_risk::black76::{
    ONE, OptionKind, Terms, YEAR, discount, exp, greeks, ln, log_moneyness, normal_cdf, normal_pdf,
    pair, price, sqrt, total_vol, value,
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

/// Forward, strike, volatility, seconds; price of the call over the larger of forward and strike, and
/// its delta, in 1e-18.
const CALLS: [(u64, u64, &str, u64, i128, i128); 25] = [
    (
        1_234_567,
        1_246_912,
        "2.5",
        94_608_000,
        959_867_557_341_400_033,
        984_720_397_627_999_917,
    ),
    (
        999_999_937,
        1_049_999_933,
        "0.5",
        86_400,
        309_613_132_144_447,
        32_071_548_684_806_004,
    ),
    (
        999_999_937,
        1_000_099_936,
        "0.25",
        3_600,
        1_016_307_816_574_897,
        485_601_246_719_418_897,
    ),
    (
        1_234_567,
        1_222_221,
        "0.25",
        3_600,
        10_000_320_274_794_496,
        999_916_417_047_047_306,
    ),
    (999_999_937, 4_999_999_685, "0.03125", 31_536_000, 0, 0),
    (1_234_567, 1_543_208, "0.25", 60, 0, 0),
    (
        999_999_937,
        499_999_968,
        "0.03125",
        60,
        500_000_000_500_000_032,
        1_000_000_000_000_000_000,
    ),
    (
        6_543,
        6_215,
        "0.03125",
        94_608_000,
        54_956_964_768_924_162,
        835_775_868_068_048_408,
    ),
    (
        65_000,
        65_006,
        "0.5",
        604_800,
        27_570_834_384_612_929,
        513_277_614_963_974_613,
    ),
    (
        65_000,
        65_006,
        "0.03125",
        3_600,
        92_103_029_977_981,
        391_164_530_535_657_052,
    ),
    (
        1_234_567,
        1_543_208,
        "0.75",
        31_536_000,
        174_077_169_906_752_787,
        530_877_523_811_658_936,
    ),
    (
        999_999_937,
        499_999_968,
        "0.75",
        7_776_000,
        503_175_256_216_204_932,
        979_690_371_231_484_982,
    ),
    (6_543, 6_608, "0.75", 60, 0, 0),
    (
        100,
        105,
        "0.125",
        31_536_000,
        28_493_088_350_691_564,
        371_523_385_661_046_662,
    ),
    (
        100,
        99,
        "1.5",
        3_600,
        12_573_037_985_487_139,
        737_324_875_981_259_490,
    ),
    (100, 125, "0.03125", 604_800, 0, 0),
    (
        6_543,
        1_308,
        "2.5",
        31_536_000,
        916_460_986_174_340_038,
        970_884_747_973_621_790,
    ),
    (
        1_234_567,
        1_234_567,
        "0.125",
        604_800,
        6_905_851_641_362_989,
        503_452_925_820_681_495,
    ),
    (
        65_000,
        64_993,
        "0.125",
        2_592_000,
        14_349_025_571_024_730,
        508_346_646_070_588_269,
    ),
    (
        65_000,
        13_000,
        "1.5",
        3_600,
        800_000_000_000_000_000,
        1_000_000_000_000_000_000,
    ),
    (
        6_543,
        6_215,
        "0.125",
        60,
        50_129_909_827_296_347,
        1_000_000_000_000_000_000,
    ),
    (
        100,
        100,
        "2.5",
        86_400,
        52_166_761_235_368_501,
        526_083_380_617_684_250,
    ),
    (
        999_999_937,
        949_999_940,
        "2.5",
        604_800,
        160_449_167_924_472_637,
        625_993_985_920_042_155,
    ),
    (
        6_543,
        6_543,
        "1.5",
        3_600,
        6_393_587_659_592_755,
        503_196_793_829_796_377,
    ),
    (
        1,
        1_000_000,
        "5",
        YEAR,
        325_413_510_307,
        396_235_938_226_409_966,
    ),
];

#[test]
fn calls_and_deltas_to_eighteen_digits() {
    for (forward, strike, vol, seconds, expected, delta) in CALLS {
        let terms = Terms {
            forward,
            strike,
            vol: fixed(vol),
            seconds,
            discount: ONE,
        };
        let what = format!("{terms:?}");
        near(&what, price(&terms, OptionKind::Call), expected, 2);
        near(&what, greeks(&terms, OptionKind::Call, 0).delta, delta, 20);
        let given = pair(
            log_moneyness(forward, strike),
            total_vol(terms.vol, seconds),
        );
        near(&what, given.call, expected, 2);
    }
}

#[test]
fn values_are_in_the_callers_unit() {
    let terms = Terms {
        forward: 65_000,
        strike: 20_000,
        vol: fixed("2"),
        seconds: YEAR,
        discount: ONE,
    };
    // 65,000 times 0.839189425793850025, the price at 18 digits.
    assert_eq!(value(&terms, OptionKind::Call, 1), 54_547);
    assert_eq!(value(&terms, OptionKind::Call, 1_000_000), 54_547_312_676);
    let tiny = Terms {
        forward: 0,
        strike: 0,
        ..terms
    };
    assert_eq!(value(&tiny, OptionKind::Put, u64::MAX), 0);
    let huge = Terms {
        forward: u64::MAX,
        strike: 0,
        discount: i64::MAX,
        ..terms
    };
    assert_eq!(value(&huge, OptionKind::Call, u64::MAX), i128::MAX);
}
