//! What holds for every book.

use crate::book::{Book, PRESETS, SCALING, book, dollars, hundredths, marks, option, preset, unit};
use ballast_risk::black76::OptionKind;
use ballast_risk::portfolio::{
    AMOUNT_ONE, Collateral, Error, ExpirySums, Held, Holdings, Instrument, MONEY_DIGITS, Marks,
    Numeraire, ONE, OptionTerms, OrderSums, Params, UnitMargin, Volatility, VolatilityShock,
    YEAR_SECS, total,
};
use ballast_types::Side;
use proptest::prelude::*;

const DAY: i64 = 86_400;

/// Sums of roundings, money.
const DUST: i128 = 1_000;

fn two_expiries() -> Marks {
    marks(30 * DAY, 180 * DAY)
}

fn has_spot(preset: &str) -> bool {
    preset != "deribit-coin"
}

fn without_skew(mut params: Params) -> Params {
    use VolatilityShock::{Absolute, Linear};
    let tilted = |shock| matches!(shock, Linear | Absolute);
    params
        .scenarios
        .retain(|scenario| !tilted(scenario.volatility));
    params
}

#[test]
fn a_flat_book_needs_nothing() {
    for name in PRESETS {
        let margin = Book::default()
            .margin(&preset(name), &two_expiries())
            .unwrap();
        assert_eq!((margin.initial, margin.maintenance), (0, 0), "{name}");
        assert_eq!((margin.value, margin.worst), (0, None), "{name}");
        assert!(margin.scenario_pnl.iter().all(|pnl| *pnl == 0), "{name}");
    }
}

#[test]
fn parameters_that_could_make_maintenance_the_larger_are_refused() {
    type Breaks = fn(&mut Params);
    let cases: [(&str, Breaks); 6] = [
        ("im_factor: 0.799", |params| {
            params.initial_factor = ONE * 799 / 1000
        }),
        ("oi.im_factor_max: 0.5", |params| {
            params.open_interest.as_mut().unwrap().most = ONE / 2;
        }),
        ("peg.factor: -1", |params| {
            params.peg.as_mut().unwrap().factor = -ONE
        }),
        ("confidence.factor: -0.5", |params| {
            params.confidence.as_mut().unwrap().factor = -ONE / 2;
        }),
        ("charges.perp: -1", |params| {
            params.charges_initial.perpetual = -ONE
        }),
        ("scenarios.weight: -1", |params| {
            params.scenarios[3].weight = -ONE
        }),
    ];
    for (error, breaks) in cases {
        let mut params = preset("default");
        breaks(&mut params);
        let refused = params.check().unwrap_err().to_string();
        assert!(refused.starts_with(error), "{refused}");
    }
}

#[test]
fn an_expired_option_is_worth_its_intrinsic_value() {
    let marks = marks(0, 180 * DAY);
    for name in PRESETS.into_iter().filter(|name| has_spot(name)) {
        let params = preset(name);
        let unit = unit(&params, &marks).unwrap();
        for (kind, strike, value, delta) in [
            (OptionKind::Call, 60_000, 150, ONE),
            (OptionKind::Call, 60_200, 0, 0),
            (OptionKind::Put, 60_200, 50, -ONE),
            (OptionKind::Put, 60_000, 0, 0),
        ] {
            let terms = OptionTerms {
                kind,
                strike: dollars(strike),
                volatility: ONE / 2,
            };
            let array = unit.option(0, &terms).unwrap();
            assert_eq!(
                (array.mark, array.delta),
                (dollars(value), delta),
                "{name} {strike}"
            );
            for (value, scenario) in array.values.iter().zip(&params.scenarios) {
                let tilted = matches!(
                    scenario.volatility,
                    VolatilityShock::Linear | VolatilityShock::Absolute
                );
                let change = if tilted { 0 } else { scenario.change };
                let moved = i128::from(dollars(60_150)) * i128::from(ONE + change);
                let forward = (moved + i128::from(ONE / 2)).div_euclid(i128::from(ONE));
                let inside = match kind {
                    OptionKind::Call => forward - i128::from(dollars(strike)),
                    OptionKind::Put => i128::from(dollars(strike)) - forward,
                };
                assert_eq!(i128::from(*value), inside.max(0), "{name} {scenario:?}");
            }
        }
    }
}

/// In the last minute volatilities are in the hundreds and thousands: only their product with the
/// root of time counts.
#[test]
fn the_last_seconds_price_like_a_year_at_a_lower_volatility() {
    let params = preset("derive-1");
    let at = |secs: i64, volatility: i64| {
        let marks = marks(secs, 180 * DAY);
        let unit = unit(&params, &marks).unwrap();
        let terms = OptionTerms {
            kind: OptionKind::Put,
            strike: dollars(90_000),
            volatility,
        };
        unit.option(0, &terms).unwrap().mark
    };
    // 100, 10,000 and 640,000 times as short.
    for (secs, factor) in [(315_360, 10), (3_154, 100), (49, 802)] {
        let (year, short) = (at(YEAR_SECS, ONE / 2), at(secs, ONE / 2 * factor));
        assert!(
            (year - short).abs() < year / 1_000,
            "{secs}: {year} and {short}"
        );
    }
    // 3,000 / sqrt(31,536,000)
    let (year, short) = (at(YEAR_SECS, ONE * 5_342 / 10_000), at(1, 3_000 * ONE));
    assert!((year - short).abs() < year / 1_000, "{year} and {short}");
}

/// Vega, delta and the mark of an option at volatilities from 1 % to above the 64 that the binary
/// numbers hold.
#[test]
fn vega_is_the_slope_of_the_value_in_the_volatility() {
    for (name, secs, volatility) in [
        ("default", 30 * DAY, ONE / 2),
        ("derive-2", 180 * DAY, ONE / 100),
        ("default", 600, 20 * ONE),
        ("default", 60, 100 * ONE),
        ("deribit-coin", 30 * DAY, ONE / 2),
    ] {
        let unit = unit(&preset(name), &marks(secs, 360 * DAY)).unwrap();
        let at = |volatility| {
            let terms = OptionTerms {
                kind: OptionKind::Put,
                strike: dollars(60_000),
                volatility,
            };
            unit.option(0, &terms).unwrap()
        };
        let step = volatility / 1_000;
        let rise = i128::from(at(volatility + step).mark - at(volatility - step).mark);
        let slope = rise * i128::from(ONE) / i128::from(2 * step);
        let vega = i128::from(at(volatility).vega);
        assert!(
            (vega - slope).abs() <= slope / 10_000,
            "{name} {secs}: {vega}, {slope}"
        );
    }
}

/// Under the coin numeraire an option is its price in quote over the price of a coin, both shocked.
#[test]
fn options_in_coin_are_those_in_quote_over_the_shocked_index() {
    let marks = two_expiries();
    let coin = preset("deribit-coin");
    let quote = Params {
        numeraire: Numeraire::Quote,
        ..coin.clone()
    };
    let (in_coin, in_quote) = (unit(&coin, &marks).unwrap(), unit(&quote, &marks).unwrap());
    for strike in [40_000, 60_000, 100_000] {
        let terms = option(1, true, strike, 0).terms;
        let (coins, dollars) = (
            in_coin.option(1, &terms).unwrap(),
            in_quote.option(1, &terms).unwrap(),
        );
        assert_eq!(coins.delta, dollars.delta);
        let values = coins
            .values
            .iter()
            .zip(&dollars.values)
            .zip(&coin.scenarios);
        for ((coins, dollars), scenario) in values {
            let index = i128::from(marks.index) * i128::from(ONE + scenario.change);
            let index = index / i128::from(ONE);
            let back = i128::from(*coins) * index / i128::from(ONE);
            assert!((back - i128::from(*dollars)).abs() < 1_000, "{scenario:?}");
        }
    }
}

#[test]
fn requirements_do_not_jump_where_the_power_changes() {
    let book = Book {
        perpetual: 130,
        options: vec![option(0, true, 60_000, -200), option(0, false, 50_000, 300)],
        ..Book::default()
    };
    for name in [
        "default",
        "derive-1",
        "derive-2",
        "deribit-linear",
        "paradex",
    ] {
        let params = preset(name);
        let at = |secs| book.margin(&params, &marks(secs, 180 * DAY)).unwrap();
        let (short, long) = (at(30 * DAY), at(30 * DAY + 1));
        for (a, b) in [
            (short.value, long.value),
            (short.scan, long.scan),
            (short.initial, long.initial),
        ] {
            assert!((a - b).abs() < a.abs() / 100_000, "{name}: {a} and {b}");
        }
    }
}

/// A seller of 500 far calls needs $620,768 in one account and $196,066 in ten: what forgives small
/// accounts is split away. So the default has no dampener and no delta shock.
#[test]
fn a_dampener_is_split_away() {
    let calls = |amount: i64| Book {
        options: vec![option(0, true, 150_000, amount * 100)],
        ..Book::default()
    };
    let params = preset("deribit-linear");
    let of = |amount| {
        calls(amount)
            .margin(&params, &two_expiries())
            .unwrap()
            .maintenance
    };
    assert!(of(-500) > 2 * 10 * of(-50), "{} and {}", of(-500), of(-50));
    let params = preset("default");
    let of = |amount| {
        calls(amount)
            .margin(&params, &two_expiries())
            .unwrap()
            .maintenance
    };
    assert!((of(-500) - 10 * of(-50)).abs() < DUST);
}

/// The initial factor grows with the market's open interest, so a book of twice the size in twice
/// the open interest needs more than twice the margin; accounts change nothing, for all of them see
/// the same open interest.
#[test]
fn open_interest_raises_the_initial_requirement_of_all() {
    let params = preset("default");
    let book = |amount: i64| Book {
        perpetual: amount,
        ..Book::default()
    };
    let at = |amount: i64, millions: i128| {
        let mut marks = two_expiries();
        marks.open_interest = millions * 10_i128.pow(6 + MONEY_DIGITS);
        let margin = book(amount).margin(&params, &marks).unwrap();
        (margin.initial, margin.maintenance)
    };
    let (initial, maintenance) = at(100, 200);
    assert_eq!(at(100, 0), (initial, maintenance));
    let (more, same) = at(100, 600);
    assert!(more > initial * 14 / 10 && same == maintenance);
    assert_eq!(at(100, 1_000), at(100, 5_000));
    assert!((at(200, 600).0 - 2 * more).abs() < DUST);
}

#[test]
fn doubtful_feeds_and_a_depeg_raise_the_initial_requirement_only() {
    let params = preset("default");
    let sure = two_expiries();
    let mut doubtful = sure.clone();
    doubtful.index_confidence = ONE / 2;
    let book = Book {
        perpetual: 100,
        ..Book::default()
    };
    let (a, b) = (
        book.margin(&params, &sure).unwrap(),
        book.margin(&params, &doubtful).unwrap(),
    );
    assert_eq!(a.maintenance, b.maintenance);
    // (1 - 0.5) x 0.5 of 60,000
    assert_eq!(b.initial - a.initial, 15_000 * 10_i128.pow(MONEY_DIGITS));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn initial_is_never_below_maintenance(book in book(false)) {
        for name in PRESETS {
            let margin = book.margin(&preset(name), &two_expiries()).unwrap();
            prop_assert!(margin.initial >= margin.maintenance, "{name}");
            prop_assert!(margin.maintenance >= 0, "{name}");
        }
    }

    #[test]
    fn the_order_of_positions_changes_no_bit(book in book(true), turn in 0_usize..8) {
        let mut turned = book.clone();
        let by = turn.min(turned.options.len());
        turned.options.rotate_left(by);
        turned.options.reverse();
        for name in SCALING {
            let params = preset(name);
            prop_assert_eq!(
                book.margin(&params, &two_expiries()).unwrap(),
                turned.margin(&params, &two_expiries()).unwrap(),
                "{}", name
            );
        }
    }

    #[test]
    fn trades_undone_leave_the_same_sums(book in book(true), other in book(true)) {
        // Both kinds of change: amounts that cross 0, and strikes that empty.
        let there_and_back = book.plus(&other).plus(&other.times(-1));
        for name in SCALING {
            let params = preset(name);
            prop_assert_eq!(
                book.margin(&params, &two_expiries()).unwrap(),
                there_and_back.margin(&params, &two_expiries()).unwrap(),
                "{}", name
            );
        }
    }

    #[test]
    fn requirements_scale_with_the_book(book in book(true), factor in 2_i64..20) {
        for name in SCALING {
            let params = preset(name);
            let one = book.margin(&params, &two_expiries()).unwrap();
            let many = book.times(factor).margin(&params, &two_expiries()).unwrap();
            let dust = DUST * i128::from(factor);
            for (one, many) in [
                (one.scan, many.scan),
                (one.maintenance, many.maintenance),
                (one.initial, many.initial),
            ] {
                let apart = (one * i128::from(factor) - many).abs();
                prop_assert!(apart < dust, "{name}: {one} x {factor}, {many}");
            }
        }
    }

    #[test]
    fn splitting_a_portfolio_never_lowers_the_total(a in book(true), b in book(true)) {
        for name in SCALING {
            let params = preset(name);
            let of = |book: &Book| book.margin(&params, &two_expiries()).unwrap();
            let (one, parts) = (of(&a.plus(&b)), [of(&a), of(&b)]);
            let sum = |of: fn(&UnitMargin) -> i128| of(&parts[0]) + of(&parts[1]);
            prop_assert!(one.maintenance <= sum(|part| part.maintenance) + DUST, "{name}");
            prop_assert!(one.initial <= sum(|part| part.initial) + DUST, "{name}");
        }
    }

    #[test]
    fn a_long_option_raises_the_scan_by_no_more_than_its_value(
        a in book(true),
        expiry in 0_usize..2,
        call in any::<bool>(),
        strike in 5_i64..40,
        amount in 1_i64..2_000,
    ) {
        let long = Book {
            options: vec![option(expiry, call, strike * 4_000, amount)],
            ..Book::default()
        };
        for name in PRESETS.into_iter().filter(|name| has_spot(name)) {
            let params = without_skew(preset(name));
            let of = |book: &Book| book.margin(&params, &two_expiries()).unwrap();
            let (with, without) = (of(&a.plus(&long)).scan, of(&a).scan);
            prop_assert!(with <= without + of(&long).value + DUST, "{name}: {with}, {without}");
        }
    }
}

/// Small, large and extreme numbers.
fn word() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        Just(0),
        Just(i64::MAX),
        Just(i64::MIN),
        -2 * ONE..2 * ONE,
        0..=ONE,
        0..YEAR_SECS,
    ]
}

/// Which number of an account is replaced, and by what.
type Change = (usize, i64);

/// How many numbers [`margin_of`] has.
const NUMBERS: usize = 50;

fn at(changes: &[Change], slot: usize, usual: i64) -> i64 {
    let change = changes.iter().find(|(changed, _)| *changed == slot);
    change.map_or(usual, |(_, value)| *value)
}

/// Usual parameters, but for the changes.
fn change_params(changes: &[Change], params: &mut Params) {
    let at = |slot, usual| at(changes, slot, usual);
    if let Some(scenario) = params.scenarios.last_mut() {
        scenario.change = at(13, scenario.change);
        scenario.weight = at(14, scenario.weight);
        scenario.theta_secs = at(15, 0);
        scenario.damp = i128::from(at(16, 0)) << 40;
    }
    params.initial_factor = at(17, params.initial_factor);
    params.charges_in.perpetual = at(18, ONE / 100);
    if let Volatility::Power {
        up,
        short_power,
        floor_secs,
        ..
    } = &mut params.volatility
    {
        *up = at(19, *up);
        *short_power = at(20, *short_power);
        *floor_secs = at(21, *floor_secs);
    }
    if let Some(discount) = &mut params.option_discount {
        discount.long.add = at(22, discount.long.add);
        discount.short.multiple = at(23, discount.short.multiple);
    }
    if let Some(skew) = &mut params.skew {
        skew.linear.slope = at(24, skew.linear.slope);
        skew.width = at(25, skew.width);
    }
}

/// A usual account, but for the changes.
fn margin_of(changes: &[Change], params: &mut Params) -> Result<(), Error> {
    let at = |slot, usual| at(changes, slot, usual);
    let mut marks = marks(at(0, DAY), at(1, 90 * DAY));
    marks.price_digits = u32::try_from(at(2, 12).rem_euclid(20)).unwrap();
    marks.index = at(3, dollars(60_000));
    marks.perpetual = at(4, dollars(60_000));
    marks.open_interest = i128::from(at(5, 0)) * i128::from(at(6, 0));
    for (index, expiry) in marks.expiries.iter_mut().enumerate() {
        expiry.forward = at(7 + index, expiry.forward);
        expiry.fixed = at(9 + index, 0);
        expiry.rate = at(11 + index, ONE / 20);
    }
    change_params(changes, params);
    params.check()?;
    marks.stable = at(42, ONE);
    let unit = unit(params, &marks)?;
    let mut sums = vec![ExpirySums::new(&unit), ExpirySums::new(&unit)];
    let mut orders = OrderSums::default();
    for (index, sums) in sums.iter_mut().enumerate() {
        let terms = OptionTerms {
            kind: OptionKind::Put,
            strike: at(26 + index, dollars(50_000)),
            volatility: at(28 + index, ONE / 2),
        };
        let array = unit.option(index, &terms)?;
        let open = Held {
            amount: at(30, 3 * AMOUNT_ONE),
            bids: at(44, AMOUNT_ONE),
            asks: at(45, 0),
        };
        sums.change(&array, Held::default(), open)?;
        let with = |amount| Held { amount, ..open };
        sums.change(&array, open, with(at(31, -AMOUNT_ONE)))?;
        sums.set_future(with(at(32, AMOUNT_ONE)));
        if params.numeraire == Numeraire::Quote {
            let (lot, gain) = (at(46, AMOUNT_ONE / 100), i128::from(at(47, -5)) << 32);
            let (option, atom) = (Instrument::Option(index, &array), i128::from(at(48, 1_000)));
            orders.add(
                &unit.order(option, lot, Side::Sell, gain, atom)?,
                at(49, 100),
            )?;
        }
    }
    let asset = Collateral {
        value: i128::from(at(33, 1)) * i128::from(at(34, ONE)),
        confidence: at(35, ONE),
        hedge: true,
        maintenance_haircut: at(36, 0),
        initial_haircut: at(37, 0),
    };
    let coin = params.numeraire == Numeraire::Coin;
    let held = Holdings {
        perpetual: Held::of(at(38, AMOUNT_ONE)),
        perpetual_pnl: i128::from(at(39, 0)) << at(40, 0).rem_euclid(64),
        spot: Held::of(at(41, if coin { 0 } else { AMOUNT_ONE })),
        expiries: &sums,
        collateral: if coin {
            &[]
        } else {
            std::slice::from_ref(&asset)
        },
    };
    let margin = unit.margin(&held)?;
    assert!(margin.initial >= margin.maintenance && margin.maintenance >= 0);
    let with = unit.requirement(&held, &orders)?;
    assert_eq!(with.held, margin.maintenance);
    total(i128::from(at(43, 0)) << 64, [&margin, &margin])?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No panic, no wrapped number: a margin or an error that names a field.
    #[test]
    fn any_numbers_give_a_margin_or_an_error(
        changes in prop::collection::vec((0..NUMBERS, word()), 0..4),
        name in prop::sample::select(PRESETS.to_vec()),
    ) {
        let outcome = margin_of(&changes, &mut preset(name));
        prop_assert!(outcome.is_ok() || !changes.is_empty(), "{name}: {outcome:?}");
        if let Err(error) = outcome {
            let text = error.to_string();
            prop_assert!(text.contains(':'), "{text}");
        }
    }

    /// The same in the range of real books, where nothing may fail.
    #[test]
    fn real_books_always_have_a_margin(
        cents in 1_i64..10_000_000,
        amount in -1_000_000_000_i64..1_000_000_000,
        name in prop::sample::select(PRESETS.to_vec()),
    ) {
        let params = preset(name);
        let mut marks = two_expiries();
        marks.index = hundredths(cents, marks.price_digits);
        marks.perpetual = marks.index;
        for expiry in &mut marks.expiries {
            expiry.forward = marks.index;
        }
        let book = Book {
            perpetual: amount,
            futures: [amount, -amount],
            options: vec![option(0, true, 60_000, amount / 3), option(1, false, 60_000, -amount)],
            ..Book::default()
        };
        let margin = book.margin(&params, &marks);
        prop_assert!(margin.is_ok(), "{name}: {margin:?}");
    }
}
