//! Volatility surfaces: interpolation, and what is refused.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use ballast_risk::black76::{self, OptionKind, Terms};
use ballast_risk::portfolio;
use ballast_risk::surface::{Curve, Error, Node, ONE, Slice, Surface, Svi, nodes, variance};
use proptest::prelude::*;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
const NOW: i64 = 1_700_000_000;

/// Millionths.
fn micro(value: i64) -> i64 {
    value * (ONE / 1_000_000)
}

fn table(nodes: &[(i64, i64)]) -> Curve {
    let node = |&(k, variance): &(i64, i64)| Node {
        k: micro(k),
        variance: micro(variance),
    };
    Curve::Nodes(nodes.iter().map(node).collect())
}

/// A curve of what expires in some days, stated now.
fn slice(days: i64, curve: Curve) -> Slice {
    Slice {
        expiry: NOW + days * DAY,
        tenor: days * DAY,
        curve,
    }
}

/// The same volatility (in millionths) at every strike.
fn flat(days: i64, vol: i64) -> Slice {
    let variance = i128::from(vol).pow(2) * i128::from(ONE / 1_000_000) * i128::from(days);
    let variance = i64::try_from(variance / 365 / 1_000_000).expect("fits");
    let node = |k| Node {
        k: micro(k),
        variance,
    };
    slice(
        days,
        Curve::Nodes([-500_000, 0, 500_000].map(node).to_vec()),
    )
}

fn svi() -> Svi {
    Svi {
        a: micro(10_000),
        b: micro(100_000),
        rho: micro(-300_000),
        m: micro(20_000),
        sigma: micro(200_000),
    }
}

fn surface(slices: &[Slice]) -> Surface {
    Surface::new(slices.to_vec(), NOW).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(slices: &[Slice]) -> String {
    let error = Surface::new(slices.to_vec(), NOW).expect_err("must be refused");
    error.to_string().replace(&NOW.to_string(), "now")
}

/// Volatility in millionths, to the nearest.
fn volatility(surface: &Surface, k: i64, days: i64, passed: i64) -> Option<i64> {
    let (expiry, now) = (NOW + days * DAY, NOW + passed * DAY);
    let vol = surface.volatility(micro(k), expiry, now)?;
    Some((vol + ONE / 2_000_000) / (ONE / 1_000_000))
}

#[test]
fn total_variance_is_linear_between_nodes_and_flat_beyond() {
    let year = surface(&[slice(
        365,
        table(&[(-200_000, 490_000), (0, 360_000), (100_000, 380_000)]),
    )]);
    for (k, vol) in [
        (-4_000_000, 700_000),
        (-200_000, 700_000),
        // sqrt((0.49 + 0.36) / 2)
        (-100_000, 651_920),
        (0, 600_000),
        // sqrt(0.36 + 0.02 / 4)
        (25_000, 604_152),
        (100_000, 616_441),
        (3_000_000, 616_441),
    ] {
        assert_eq!(volatility(&year, k, 365, 0), Some(vol), "k = {k}");
    }
}

#[test]
fn total_variance_is_linear_between_expiries() {
    let two = surface(&[flat(30, 500_000), flat(90, 400_000)]);
    for (days, vol) in [
        (1, 500_000),
        (30, 500_000),
        // sqrt((0.25 * 30 + (0.16 * 90 - 0.25 * 30) / 2) / 60)
        (60, 427_200),
        (90, 400_000),
        (900, 400_000),
    ] {
        assert_eq!(volatility(&two, 0, days, 0), Some(vol), "{days} days");
    }
    // The volatility of an expiry stays as it comes closer.
    assert_eq!(volatility(&two, 0, 30, 29), Some(500_000));
    assert_eq!(volatility(&two, 0, 90, 29), Some(400_000));
    // After ten days: sqrt((0.25 * 20 + (0.16 * 80 - 0.25 * 20) / 2) / 50)
    assert_eq!(volatility(&two, 0, 60, 10), Some(421_900));
    // What is over counts no more.
    assert_eq!(volatility(&two, 0, 60, 30), Some(400_000));
    assert_eq!(volatility(&two, 0, 60, 60), None);
    assert_eq!(volatility(&two, 0, 91, 90), None);
}

#[test]
fn raw_svi_is_that_of_portfolio_margin() {
    let ours = surface(&[slice(73, Curve::Svi(svi()))]);
    let theirs = portfolio::Svi {
        curve: svi(),
        forward: 10_000,
        tau: ONE / 5,
    };
    for strike in [9_000, 10_000, 12_000, 15_000] {
        let log = i128::from(black76::log_moneyness(strike, 10_000));
        let k = i64::try_from((log * i128::from(ONE)) >> 57).expect("fits");
        let strike = strike.cast_signed();
        let vol = ours
            .volatility(k, NOW + 73 * DAY, NOW)
            .expect("a volatility");
        let expected = theirs.volatility(strike).expect("a volatility");
        assert!(vol.abs_diff(expected) < 10, "{strike}: {vol}, {expected}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    let with = |change: &dyn Fn(&mut Svi)| {
        let mut svi = svi();
        change(&mut svi);
        refused(&[slice(365, Curve::Svi(svi))])
    };
    let in_a_year = format!("expiry {}: ", NOW + YEAR);
    let mut cases = vec![
        (
            with(&|svi| svi.b = -1),
            "b is -0.000000000000001, must be 0 to 144",
        ),
        (
            with(&|svi| svi.rho = ONE),
            "rho is 1, must be between -1 and 1",
        ),
        (
            with(&|svi| svi.sigma = 0),
            "sigma is 0, must be above 0, to 144",
        ),
        (with(&|svi| svi.m = -5 * ONE), "m is -5, must be -4 to 4"),
        (
            with(&|svi| svi.a = i64::MIN),
            "a is -9223.372036854775808, must be -144 to 144",
        ),
        (
            with(&|svi| svi.a = micro(-20_000)),
            "a + b sigma sqrt(1 - rho^2) is -0.00092121215998, the least total variance, must not \
             be below 0",
        ),
        (
            with(&|svi| svi.b = 2 * ONE),
            "b (1 + |rho|) is 2.6, a slope of total variance, must not be above 2",
        ),
    ];
    let tables = [
        (table(&[]), "number of nodes is 0, must be 1 to 32"),
        (
            table(&[(1, 1); 33]),
            "number of nodes is 33, must be 1 to 32",
        ),
        (
            table(&[(1, 1), (1, 1)]),
            "k is 0.000001, must be above that of the node before",
        ),
        (table(&[(0, 0)]), "variance is 0, must be above 0, to 144"),
        (table(&[(4_000_001, 1)]), "k is 4.000001, must be -4 to 4"),
    ];
    for (curve, expected) in tables {
        cases.push((refused(&[slice(365, curve)]), expected));
    }
    let timeless = Slice {
        tenor: 0,
        ..flat(365, 500_000)
    };
    cases.push((refused(&[timeless]), "tenor is 0 seconds, must be above 0"));
    for (error, expected) in cases {
        let error = error.strip_prefix(&in_a_year).unwrap_or(&error).to_owned();
        if expected.starts_with("a + b") {
            assert!(
                error.starts_with("a + b sigma sqrt(1 - rho^2) is -0.00092"),
                "{error}"
            );
        } else {
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn expiries_are_one_after_the_other() {
    assert_eq!(refused(&[]), "0 expiries, must be 1 to 64");
    let many: Vec<_> = (1..=65).map(|days| flat(days, 500_000)).collect();
    assert_eq!(refused(&many), "65 expiries, must be 1 to 64");
    surface(&many[..64]);
    assert_eq!(refused(&[flat(0, 500_000)]), "expiry now is not after now");
    let (month, quarter) = (flat(30, 500_000), flat(90, 500_000));
    let error = refused(&[quarter.clone(), month.clone()]);
    let (early, late) = (month.expiry, quarter.expiry);
    assert_eq!(error, format!("expiry {early} is not after {late}"));
    assert!(Surface::new(vec![month.clone(), month], NOW).is_err());
}

#[test]
fn a_negative_density_is_refused() {
    // A peak of volatility between two lower ones: the call in the middle is too dear.
    let peak = table(&[(-100_000, 90_000), (0, 160_000), (100_000, 90_000)]);
    let expiry = NOW + YEAR;
    assert_eq!(
        Surface::new(vec![slice(365, peak)], NOW),
        Err(Error::Butterfly { expiry, k: 0 })
    );
    // Volatility that rises so fast that a higher strike costs more.
    let rising = table(&[(0, 10_000), (100_000, 250_000)]);
    let k = micro(100_000);
    assert_eq!(
        Surface::new(vec![slice(365, rising)], NOW),
        Err(Error::Butterfly { expiry, k })
    );
    // A smile of the usual size is none.
    surface(&[slice(
        365,
        table(&[
            (-300_000, 450_000),
            (-100_000, 390_000),
            (0, 360_000),
            (200_000, 370_000),
        ]),
    )]);
}

#[test]
fn variance_that_falls_with_time_is_refused() {
    let falling = [flat(30, 500_000), flat(60, 300_000)];
    assert_eq!(
        refused(&falling),
        format!(
            "expiry {}: total variance 0.014794520547945 at k = -0.5 is below 0.020547945205479 of the expiry before",
            falling[1].expiry
        )
    );
    // At the later one's nodes too.
    let smile = slice(
        30,
        table(&[(-500_000, 30_000), (0, 20_000), (500_000, 30_000)]),
    );
    let narrow = slice(
        60,
        table(&[(-400_000, 25_000), (0, 24_000), (400_000, 25_000)]),
    );
    assert!(matches!(
        Surface::new(vec![smile, narrow], NOW),
        Err(Error::Calendar { .. })
    ));
}

#[test]
fn jumps_beyond_the_cap_are_refused() {
    let old = surface(&[flat(30, 500_000), flat(90, 500_000)]);
    let cap = micro(100_000);
    for (next, ok) in [
        (vec![flat(30, 549_000), flat(90, 500_000)], true),
        (vec![flat(30, 451_000)], true),
        (vec![flat(30, 500_000), flat(90, 551_000)], false),
        // A new expiry is compared with what the surface said of it.
        (vec![flat(60, 549_000)], true),
        (vec![flat(60, 560_000)], false),
        (vec![flat(365, 560_000)], false),
    ] {
        let outcome = old.check_jump(&surface(&next), NOW, cap);
        assert_eq!(outcome.is_ok(), ok, "{next:?}: {outcome:?}");
    }
    let error = old.check_jump(&surface(&[flat(30, 600_000)]), NOW, cap);
    let error = error.expect_err("20 % is above 10 %").to_string();
    assert!(
        error.contains("volatility at k = -0.5 jumps from 0.49999"),
        "{error}"
    );
    // Once the old one is over, anything goes.
    let later = NOW + 100 * DAY;
    let next = Surface::new(vec![flat(365, 900_000)], later).expect("a surface");
    assert_eq!(old.check_jump(&next, later, cap), Ok(()));
}

proptest! {
    #[test]
    fn a_flat_surface_is_always_accepted_and_says_its_volatility(
        vol in 10_000_i64..3_000_000, days in prop::collection::btree_set(1_i64..3_000, 1..8),
        k in -4_000_000_i64..4_000_000,
    ) {
        let slices: Vec<_> = days.iter().map(|days| flat(*days, vol)).collect();
        let surface = Surface::new(slices, NOW).unwrap();
        for day in [1, 10, 500, 5_000] {
            let found = volatility(&surface, k, day, 0).unwrap();
            prop_assert_eq!(found, vol);
        }
    }

    #[test]
    fn any_numbers_have_an_answer(
        numbers in prop::collection::vec(any::<i64>(), 12), k in any::<i64>(), now in any::<i64>(),
    ) {
        let n = |index: usize| numbers[index];
        let table = Curve::Nodes(vec![
            Node { k: n(0), variance: n(1) },
            Node { k: n(2), variance: n(3) },
        ]);
        let svi = Curve::Svi(Svi { a: n(4), b: n(5), rho: n(6), m: n(7), sigma: n(8) });
        let _ = (variance(&table, k), variance(&svi, k), nodes(&svi));
        for curve in [table, svi] {
            let slice = Slice { expiry: n(9), tenor: n(10), curve };
            let accepted = Surface::new(vec![slice], now);
            if let Ok(surface) = accepted {
                let _ = surface.volatility(k, n(11), now);
            }
        }
    }

    #[test]
    fn accepted_curves_let_no_butterfly_pay(
        variances in prop::collection::vec(20_000_i64..120_000, 3..6),
    ) {
        let nodes: Vec<_> = (-2_i64..)
            .zip(&variances)
            .map(|(step, variance)| (step * 100_000, *variance))
            .collect();
        let Ok(_) = Surface::new(vec![slice(365, table(&nodes))], NOW) else {
            return Ok(());
        };
        // A forward and strikes of 12 digits, and prices in their unit.
        let forward = 100_000_000_000_u64;
        let calls: Vec<_> = nodes
            .iter()
            .map(|(k, variance)| {
                let fixed = |micro: i64| {
                    i64::try_from(i128::from(micro) * i128::from(black76::ONE) / 1_000_000).unwrap()
                };
                let growth = i128::from(black76::exp(fixed(*k)));
                let strike = u64::try_from((i128::from(forward) * growth) >> 57).unwrap();
                let terms = Terms {
                    forward,
                    strike,
                    vol: black76::sqrt(fixed(*variance)),
                    seconds: black76::YEAR,
                    discount: black76::ONE,
                };
                (i128::from(strike), black76::value(&terms, OptionKind::Call, 1_000_000))
            })
            .collect();
        for three in calls.windows(3) {
            let [low, middle, high] = [three[0], three[1], three[2]];
            // So many of the outer strikes that they cover the middle one.
            let (left, right) = (high.0 - middle.0, middle.0 - low.0);
            let pays = left * low.1 + right * high.1 - (left + right) * middle.1;
            let rounding = (left + right) * 10_000;
            prop_assert!(pays >= -rounding, "{pays}");
        }
    }
}
