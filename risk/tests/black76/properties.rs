//! What every price satisfies, on random and on extreme inputs.

use ballast_risk::black76::{
    Greeks, ONE, OptionKind, Terms, YEAR, discount, greeks, greeks_wide, implied_vol,
    log_moneyness, pair, price, total_vol, value,
};
use proptest::prelude::*;

use OptionKind::{Call, Put};

/// Rounding, in units of 2^-57: of a price, and of a comparison of two.
const ROUNDING: i64 = 2;

/// Terms like those of markets, wings included.
fn markets() -> impl Strategy<Value = Terms> {
    let size = prop_oneof![1_u64..100, 1_000_u64..1_000_000, 1_u64..1 << 40];
    let vol = prop_oneof![ONE / 10_000..ONE / 10, ONE / 10..10 * ONE];
    let seconds = prop_oneof![1_u64..86_400, 86_400..10 * YEAR];
    let ratio = prop_oneof![1_u64..2_000_000, 900_000_u64..1_100_000];
    let factor = ONE / 2..ONE + ONE / 2;
    (size, ratio, vol, seconds, factor).prop_map(|(forward, ratio, vol, seconds, discount)| {
        let strike = u128::from(forward) * u128::from(ratio) / 1_000_000;
        Terms {
            forward,
            strike: u64::try_from(strike).unwrap().max(1),
            vol,
            seconds,
            discount,
        }
    })
}

/// Anything that the types hold, their ends more often.
fn anything() -> impl Strategy<Value = Terms> {
    let word = || prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>(), 0_u64..1_000];
    let signed = || prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), any::<i64>()];
    (word(), word(), signed(), word(), signed()).prop_map(
        |(forward, strike, vol, seconds, discount)| Terms {
            forward,
            strike,
            vol,
            seconds,
            discount,
        },
    )
}

/// `discount * part / unit` in units of 2^-57.
fn discounted(terms: &Terms, part: u64) -> i64 {
    let whole = i128::from(terms.unit().max(1));
    let share = (i128::from(part) << 60) / whole;
    i64::try_from((i128::from(terms.discount.max(0)) * share) >> 60).unwrap()
}

/// What the option is worth if it expires now.
fn intrinsic(terms: &Terms, kind: OptionKind) -> i64 {
    let part = match kind {
        Call => terms.forward.saturating_sub(terms.strike),
        Put => terms.strike.saturating_sub(terms.forward),
    };
    discounted(terms, part)
}

fn bound(terms: &Terms, kind: OptionKind) -> i64 {
    let part = match kind {
        Call => terms.forward,
        Put => terms.strike,
    };
    discounted(terms, part)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_input_has_a_price_within_its_bounds(terms in anything(), rate in any::<i64>()) {
        for kind in [Call, Put] {
            let Greeks { price, delta, gamma, vega, .. } = greeks(&terms, kind, rate);
            // A discount has six more bits than 1.
            let rounding = ROUNDING + (terms.discount.max(0) >> 56);
            prop_assert!(price >= intrinsic(&terms, kind) - rounding, "{kind:?} {price}");
            prop_assert!(price <= bound(&terms, kind).saturating_add(rounding), "{kind:?} {price}");
            prop_assert!(delta.unsigned_abs() <= terms.discount.max(0).unsigned_abs());
            prop_assert!(gamma >= 0 && vega >= 0);
            prop_assert!(value(&terms, kind, 1) >= 0);
            let _ = greeks_wide(&terms, kind, i128::from(rate) << 63, i128::MAX);
            let _ = implied_vol(
                rate, kind, terms.forward, terms.strike, terms.seconds, terms.discount,
            );
        }
        let _ = pair(rate, terms.vol);
        let _ = discount(rate, terms.seconds);
    }

    #[test]
    fn wide_numbers_are_the_others_with_more_digits(
        terms in markets(), rate in -ONE..ONE, put in any::<bool>(),
    ) {
        let kind = if put { Put } else { Call };
        let wide = |x| i128::from(x) << 63;
        let ours = greeks(&terms, kind, rate);
        let more = greeks_wide(&terms, kind, wide(rate), wide(terms.discount));
        for (ours, more) in [
            (ours.price.into(), more.price),
            (ours.delta.into(), more.delta),
            (ours.gamma, more.gamma),
            (ours.vega, more.vega),
            (ours.theta, more.theta),
        ] {
            let more = more.to_bits(57);
            let rounding = 4 + (more.abs() >> 55);
            prop_assert!((ours - more).abs() <= rounding, "{ours} {more}");
        }
    }

    #[test]
    fn put_and_call_differ_by_the_forward(terms in markets()) {
        let difference = price(&terms, Call) - price(&terms, Put);
        let expected = intrinsic(&terms, Call) - intrinsic(&terms, Put);
        prop_assert!((difference - expected).abs() <= ROUNDING);
    }

    #[test]
    fn forward_and_strike_are_symmetric(terms in markets()) {
        let mirrored = Terms { forward: terms.strike, strike: terms.forward, ..terms };
        prop_assert_eq!(price(&terms, Call), price(&mirrored, Put));
    }

    #[test]
    fn prices_are_of_no_unit(terms in markets(), factor in 2_u64..1_000_000) {
        let scaled = Terms {
            forward: terms.forward * factor,
            strike: terms.strike * factor,
            ..terms
        };
        prop_assert!((price(&terms, Call) - price(&scaled, Call)).abs() <= 2 * ROUNDING);
    }

    #[test]
    fn more_volatility_or_time_is_worth_more(
        terms in markets(), vol in 0..ONE, seconds in 0..YEAR,
    ) {
        let wilder = Terms { vol: terms.vol + vol, ..terms };
        let longer = Terms { seconds: terms.seconds + seconds, ..terms };
        for kind in [Call, Put] {
            let least = price(&terms, kind) - 2 * ROUNDING;
            prop_assert!(price(&wilder, kind) >= least);
            prop_assert!(price(&longer, kind) >= least);
        }
    }

    #[test]
    fn a_higher_strike_makes_calls_cheaper(terms in markets(), more in 1_u64..1_000_000) {
        let higher = Terms { strike: terms.strike + more, ..terms };
        // In one unit for both.
        let of = |terms: &Terms, kind| value(terms, kind, 1 << 32);
        let error = i128::from(higher.unit());
        prop_assert!(of(&higher, Call) <= of(&terms, Call) + error);
        prop_assert!(of(&higher, Put) >= of(&terms, Put) - error);
    }

    #[test]
    fn without_time_or_volatility_it_is_intrinsic(terms in markets()) {
        for flat in [Terms { seconds: 0, ..terms }, Terms { vol: 0, ..terms }] {
            for kind in [Call, Put] {
                let greeks = greeks(&flat, kind, 0);
                prop_assert!((greeks.price - intrinsic(&terms, kind)).abs() <= ROUNDING);
                prop_assert_eq!(greeks.gamma, 0);
                prop_assert_eq!(greeks.theta, 0);
            }
        }
    }

    #[test]
    fn given_moneyness_and_total_volatility_price_alike(terms in markets()) {
        let terms = Terms { discount: ONE, ..terms };
        let given = pair(
            log_moneyness(terms.forward, terms.strike),
            total_vol(terms.vol, terms.seconds),
        );
        prop_assert!((given.call - price(&terms, Call)).abs() <= 2 * ROUNDING);
        prop_assert!((given.put - price(&terms, Put)).abs() <= 2 * ROUNDING);
    }

    #[test]
    fn implied_volatility_gives_the_price_back(terms in markets(), put in any::<bool>()) {
        let kind = if put { Put } else { Call };
        let Terms { forward, strike, seconds, discount, .. } = terms;
        let paid = price(&terms, kind);
        let found = implied_vol(paid, kind, forward, strike, seconds, discount);
        let Some(vol) = found else {
            // Nothing is left to invert, or as good as everything.
            let least = intrinsic(&terms, kind) + 2 * ROUNDING;
            let most = bound(&terms, kind) - 2 * ROUNDING;
            prop_assert!(paid <= least || paid >= most);
            return Ok(());
        };
        let again = price(&Terms { vol, ..terms }, kind);
        prop_assert!((again - paid).abs() <= 8, "{vol} gives {again}, not {paid}");
    }
}

#[test]
fn no_volatility_explains_a_price_on_or_beyond_a_bound() {
    let of = |price, kind, forward, strike, seconds, discount| {
        implied_vol(price, kind, forward, strike, seconds, discount)
    };
    let half = ONE / 2;
    for (price, why) in [
        (0, "no value"),
        (-1, "below 0"),
        (half, "intrinsic"),
        (half - 1, "below intrinsic"),
        (ONE, "the forward"),
        (ONE + 1, "above the forward"),
        (i64::MAX, "far above"),
    ] {
        assert_eq!(of(price, Call, 100, 50, YEAR, ONE), None, "{why}");
    }
    assert!(of(half + half / 8, Call, 100, 50, YEAR, ONE).is_some());
    assert_eq!(of(half, Call, 100, 100, 0, ONE), None, "expired");
    assert_eq!(of(half, Call, 0, 100, YEAR, ONE), None, "no forward");
    assert_eq!(of(half, Put, 100, 0, YEAR, ONE), None, "no strike");
    assert_eq!(of(half, Call, 100, 100, YEAR, 0), None, "no discount");
    assert_eq!(of(ONE / 4, Call, 100, 100, 1, ONE), None, "above 6,400 %");
}
