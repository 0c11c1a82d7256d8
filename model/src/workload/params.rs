//! Small parameters of portfolio margin, in the style of those that venues use.

use ballast_types::margin::{
    Basis, Charges, Discount, Floor, MONEY_DIGITS, Numeraire, ONE, OpenInterest, OptionDiscount,
    Params, Scenario, Skew, SkewTerms, Volatility, VolatilityShock,
};

const DAY_SECS: i64 = 86_400;
const NO_CHARGES: Charges = Charges {
    perpetual: 0,
    future: 0,
    spot: 0,
    short_option: 0,
};

/// A ratio in thousandths.
fn mille(x: i64) -> i64 {
    x * (ONE / 1_000)
}

fn money(units: i128) -> i128 {
    units * 10_i128.pow(MONEY_DIGITS)
}

fn scenario(change: i64, volatility: VolatilityShock) -> Scenario {
    Scenario {
        change: mille(change),
        volatility,
        weight: ONE,
        theta_secs: 0,
        damp: 0,
        extended: false,
    }
}

/// Two moves of the underlying, by so many thousandths, with nothing else.
pub(crate) fn plain(move_mille: i64) -> Params {
    let moves = [-move_mille, move_mille];
    Params {
        numeraire: Numeraire::Quote,
        price_range: mille(move_mille),
        discount_at_rate: false,
        perpetual_from_index: false,
        volatility: Volatility::Table {
            absolute: true,
            tenors: vec![ballast_types::margin::Tenor {
                secs: DAY_SECS,
                up: mille(200),
                down: mille(100),
            }],
        },
        scenarios: moves
            .map(|change| scenario(change, VolatilityShock::None))
            .to_vec(),
        skew: None,
        option_discount: None,
        basis: Basis::None,
        delta_shock: None,
        charges_in: NO_CHARGES,
        charges_maintenance: NO_CHARGES,
        charges_initial: NO_CHARGES,
        floor: Floor::None,
        confidence: None,
        open_interest: None,
        peg: None,
        initial_factor: ONE + ONE / 4,
        maintenance_factor: ONE,
    }
}

fn power(least_up: i64) -> Volatility {
    Volatility::Power {
        up: mille(500),
        down: mille(250),
        short_power: mille(300),
        long_power: mille(130),
        floor_secs: DAY_SECS,
        reference_secs: 30 * DAY_SECS,
        least_up,
    }
}

fn option_discount() -> OptionDiscount {
    OptionDiscount {
        long: Discount {
            base: mille(970),
            multiple: ONE,
            add: mille(50),
        },
        short: Discount {
            base: ONE,
            multiple: 0,
            add: 0,
        },
    }
}

/// Nine scenarios with shocks of volatility and skew, discounts of options, expiries whose forwards
/// move alone, a charge for short options, and what it costs to close everything as the least.
pub(super) fn venue() -> Params {
    use VolatilityShock::{Absolute, Down, Linear, None as Same, Up};
    let half = Scenario {
        weight: mille(500),
        ..scenario(500, Up)
    };
    let terms = SkewTerms {
        cap: mille(250),
        slope: -mille(100),
    };
    Params {
        volatility: power(mille(500)),
        scenarios: vec![
            scenario(-200, Up),
            scenario(-200, Down),
            scenario(-100, Same),
            scenario(0, Up),
            scenario(0, Down),
            scenario(200, Up),
            half,
            scenario(0, Linear),
            scenario(0, Absolute),
        ],
        skew: Some(Skew {
            linear: terms,
            absolute: terms,
            least_reach: mille(10),
            width: 4 * ONE,
            vol_static: mille(600),
            vol_scale: 0,
        }),
        option_discount: Some(option_discount()),
        basis: Basis::Competing {
            up: mille(50),
            down: -mille(50),
            add: mille(500),
            multiple: 2 * ONE,
        },
        charges_in: Charges {
            short_option: mille(3),
            ..NO_CHARGES
        },
        charges_maintenance: Charges {
            perpetual: mille(2),
            future: mille(2),
            ..NO_CHARGES
        },
        floor: Floor::Unwind {
            linear: mille(4) + mille(1) / 2,
            at_mark: true,
            least_slip: mille(1),
            slip_per_delta: mille(5),
            fee: mille(3) / 10,
            fee_cap: mille(125),
        },
        open_interest: Some(OpenInterest {
            lower: money(40),
            upper: money(400),
            most: 2 * ONE,
        }),
        initial_factor: ONE + ONE / 5,
        ..plain(200)
    }
}

/// Moves by thirds of a range up and down with volatility up and down, as SPAN has them, two far
/// moves that count in part, rolled expiries and a least by deltas.
pub(super) fn span() -> Params {
    use VolatilityShock::{Down, Up};
    let mut scenarios = Vec::new();
    for change in [0, 60, -60, 120, -120, 180, -180] {
        scenarios.push(scenario(change, Up));
        scenarios.push(scenario(change, Down));
    }
    for change in [540, -540] {
        scenarios.push(Scenario {
            weight: mille(330),
            ..scenario(change, Up)
        });
    }
    scenarios.push(Scenario {
        theta_secs: DAY_SECS,
        damp: money(1) / 10,
        ..scenario(0, Down)
    });
    Params {
        discount_at_rate: true,
        perpetual_from_index: true,
        scenarios,
        basis: Basis::Roll {
            least: mille(5),
            annual: mille(50),
            exponential: false,
            at_mark: false,
        },
        charges_initial: Charges {
            short_option: mille(10),
            spot: mille(5),
            ..NO_CHARGES
        },
        floor: Floor::MinDelta {
            net: mille(20),
            hedged: mille(5),
        },
        ..plain(180)
    }
}
