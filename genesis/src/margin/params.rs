//! Parameters from JSON.

use super::field::Field;
use ballast_types::margin::{
    Basis, Charges, Confidence, DeltaShock, Discount, Floor, Numeraire, ONE, OpenInterest,
    OptionDiscount, Params, Peg, Scenario, Skew, SkewTerms, Tenor, Volatility, VolatilityShock,
};

const NAMES: [&str; 19] = [
    "numeraire",
    "price_range",
    "discounting",
    "linear_shock_base",
    "vol_shock",
    "scenarios",
    "skew",
    "option_discount",
    "basis",
    "delta_shock",
    "charges_in",
    "charges_mm",
    "charges_im",
    "floor",
    "confidence",
    "oi",
    "peg",
    "im_factor",
    "mm_factor",
];

/// Reads and checks the members of an object of parameters.
///
/// # Errors
/// Names the field and its value.
pub fn read_params(field: &Field<'_>) -> Result<Params, String> {
    field.only(&NAMES)?;
    let scenarios = field.get("scenarios");
    if scenarios.value().is_none() {
        return Err(scenarios.error(""));
    }
    let scenarios = scenarios.elements()?;
    let initial_factor = field.get("im_factor").full()?;
    let params = Params {
        numeraire: choice(
            &field.get("numeraire"),
            &[("usd", Numeraire::Quote), ("coin", Numeraire::Coin)],
        )?,
        price_range: field.get("price_range").ratio(0)?,
        discount_at_rate: choice(
            &field.get("discounting"),
            &[("none", false), ("rate", true)],
        )?,
        perpetual_from_index: choice(
            &field.get("linear_shock_base"),
            &[("mark", false), ("index", true)],
        )?,
        scenarios: scenarios.iter().map(scenario).collect::<Result<_, _>>()?,
        volatility: volatility(&field.get("vol_shock"), &scenarios)?,
        skew: optional(field, "skew", skew)?,
        option_discount: optional(field, "option_discount", option_discount)?,
        basis: optional(field, "basis", basis)?.unwrap_or(Basis::None),
        delta_shock: optional(field, "delta_shock", delta_shock)?,
        charges_in: charges(&field.get("charges_in"))?,
        charges_maintenance: charges(&field.get("charges_mm"))?,
        charges_initial: charges(&field.get("charges_im"))?,
        floor: optional(field, "floor", floor)?.unwrap_or(Floor::None),
        confidence: optional(field, "confidence", |field| {
            field.only(&["threshold", "factor"])?;
            Ok(Confidence {
                threshold: field.get("threshold").needed_ratio()?,
                factor: field.get("factor").needed_ratio()?,
            })
        })?,
        open_interest: optional(field, "oi", |field| {
            field.only(&["lower", "upper", "im_factor_max"])?;
            Ok(OpenInterest {
                lower: field.get("lower").money()?,
                upper: field.get("upper").money()?,
                most: field.get("im_factor_max").ratio(initial_factor)?,
            })
        })?,
        peg: optional(field, "peg", |field| {
            field.only(&["threshold", "factor"])?;
            Ok(Peg {
                threshold: field.get("threshold").needed_ratio()?,
                factor: field.get("factor").needed_ratio()?,
            })
        })?,
        initial_factor,
        maintenance_factor: field.get("mm_factor").full()?,
    };
    params.check().map_err(|error| format!("params.{error}"))?;
    Ok(params)
}

fn optional<'a, T>(
    field: &Field<'a>,
    name: &str,
    read: impl FnOnce(&Field<'a>) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let member = field.get(name).present();
    member.map(|member| read(&member)).transpose()
}

/// One of these names; the first when missing.
fn choice<T: Copy>(field: &Field<'_>, names: &[(&str, T)]) -> Result<T, String> {
    let found = match field.value() {
        None => names.first(),
        Some(value) => names.iter().find(|(name, _)| value.as_str() == Some(name)),
    };
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        field.error(&format!("is none of {}", names.join(", ")))
    })
}

fn scenario(field: &Field<'_>) -> Result<Scenario, String> {
    field.only(&["spot", "vol", "weight", "dt_secs", "damp", "table"])?;
    let spot = field.get("spot");
    let change = spot.full()?.checked_sub(ONE);
    Ok(Scenario {
        change: change.ok_or_else(|| spot.error("is too small"))?,
        volatility: choice(
            &field.get("vol"),
            &[
                ("none", VolatilityShock::None),
                ("up", VolatilityShock::Up),
                ("down", VolatilityShock::Down),
                ("linear", VolatilityShock::Linear),
                ("abs", VolatilityShock::Absolute),
            ],
        )?,
        weight: field.get("weight").weight()?,
        theta_secs: field.get("dt_secs").secs(Some(0))?,
        damp: field.get("damp").money()?,
        extended: choice(&field.get("table"), &[("std", false), ("ext", true)])?,
    })
}

fn volatility(field: &Field<'_>, scenarios: &[Field<'_>]) -> Result<Volatility, String> {
    let moves = |scenario: &Field<'_>| matches!(scenario.get("vol").text(), Ok("up" | "down"));
    if field.value().is_none() && !scenarios.iter().any(moves) {
        let still = Tenor {
            secs: 0,
            up: 0,
            down: 0,
        };
        return Ok(Volatility::Table {
            absolute: false,
            tenors: vec![still],
        });
    }
    if choice(&field.get("kind"), &[("power", true), ("table", false)])? {
        let names = [
            "up",
            "down",
            "short_power",
            "long_power",
            "floor_secs",
            "ref_secs",
        ];
        field.only(&[&["kind", "min_vol_up"][..], &names].concat())?;
        return Ok(Volatility::Power {
            up: field.get("up").needed_ratio()?,
            down: field.get("down").needed_ratio()?,
            short_power: field.get("short_power").needed_ratio()?,
            long_power: field.get("long_power").needed_ratio()?,
            floor_secs: field.get("floor_secs").secs(Some(1))?,
            reference_secs: field.get("ref_secs").secs(Some(30 * 86_400))?,
            least_up: field.get("min_vol_up").ratio(0)?,
        });
    }
    field.only(&["kind", "mode", "tenors"])?;
    let tenor = |row: &Field<'_>| {
        let cells = row.elements()?;
        let [secs, up, down] = cells.as_slice() else {
            return Err(row.error("is not [secs, up, down]"));
        };
        Ok(Tenor {
            secs: secs.secs(None)?,
            up: up.needed_ratio()?,
            down: down.needed_ratio()?,
        })
    };
    let tenors = field.get("tenors").elements()?;
    Ok(Volatility::Table {
        absolute: choice(
            &field.get("mode"),
            &[("relative", false), ("absolute", true)],
        )?,
        tenors: tenors.iter().map(tenor).collect::<Result<_, _>>()?,
    })
}

fn skew(field: &Field<'_>) -> Result<Skew, String> {
    let caps = ["linear_cap", "linear_c", "abs_cap", "abs_c"];
    let others = ["min_kstar", "width", "vol_static", "vol_scale"];
    field.only(&[caps, others].concat())?;
    let terms = |cap: &str, slope: &str| -> Result<SkewTerms, String> {
        Ok(SkewTerms {
            cap: field.get(cap).needed_ratio()?,
            slope: field.get(slope).ratio(0)?,
        })
    };
    Ok(Skew {
        linear: terms("linear_cap", "linear_c")?,
        absolute: terms("abs_cap", "abs_c")?,
        least_reach: field.get("min_kstar").needed_ratio()?,
        width: field.get("width").needed_ratio()?,
        vol_static: field.get("vol_static").needed_ratio()?,
        vol_scale: field.get("vol_scale").ratio(0)?,
    })
}

fn option_discount(field: &Field<'_>) -> Result<OptionDiscount, String> {
    let long = ["long_base", "long_mult", "long_add"];
    let short = ["short_base", "short_mult", "short_add"];
    field.only(&[long, short].concat())?;
    let side = |[base, multiple, add]: [&str; 3]| -> Result<Discount, String> {
        Ok(Discount {
            base: field.get(base).full()?,
            multiple: field.get(multiple).ratio(0)?,
            add: field.get(add).ratio(0)?,
        })
    };
    Ok(OptionDiscount {
        long: side(long)?,
        short: side(short)?,
    })
}

fn basis(field: &Field<'_>) -> Result<Basis, String> {
    if choice(&field.get("mode"), &[("roll", true), ("competing", false)])? {
        field.only(&["mode", "min", "annual", "form", "price"])?;
        return Ok(Basis::Roll {
            least: field.get("min").ratio(0)?,
            annual: field.get("annual").ratio(0)?,
            exponential: choice(&field.get("form"), &[("linear", false), ("exp", true)])?,
            at_mark: choice(&field.get("price"), &[("index", false), ("mark", true)])?,
        });
    }
    field.only(&["mode", "up", "down", "add", "mult"])?;
    let change = |name: &str| {
        let factor = field.get(name);
        let change = factor.needed_ratio()?.checked_sub(ONE);
        change.ok_or_else(|| factor.error("is too small"))
    };
    Ok(Basis::Competing {
        up: change("up")?,
        down: change("down")?,
        add: field.get("add").ratio(0)?,
        multiple: field.get("mult").ratio(0)?,
    })
}

fn delta_shock(field: &Field<'_>) -> Result<DeltaShock, String> {
    field.only(&["threshold_usd", "inc_per_coin", "max"])?;
    Ok(DeltaShock {
        threshold: field.get("threshold_usd").money()?,
        per_coin: field.get("inc_per_coin").needed_ratio()?,
        most: field.get("max").needed_ratio()?,
    })
}

fn charges(field: &Field<'_>) -> Result<Charges, String> {
    field.only(&["perp", "future", "hedge", "short_option"])?;
    Ok(Charges {
        perpetual: field.get("perp").ratio(0)?,
        future: field.get("future").ratio(0)?,
        spot: field.get("hedge").ratio(0)?,
        short_option: field.get("short_option").ratio(0)?,
    })
}

#[derive(Clone, Copy)]
enum FloorKind {
    Unwind,
    MinDelta,
    ShortOption,
}

fn floor(field: &Field<'_>) -> Result<Floor, String> {
    let kinds = [
        ("unwind", FloorKind::Unwind),
        ("min_delta", FloorKind::MinDelta),
        ("short_option", FloorKind::ShortOption),
    ];
    Ok(match choice(&field.get("kind"), &kinds)? {
        FloorKind::Unwind => {
            let slips = [
                "opt_min_slip",
                "opt_slip_per_delta",
                "opt_fee",
                "opt_fee_cap",
            ];
            field.only(&[&["kind", "price", "linear"][..], &slips].concat())?;
            Floor::Unwind {
                linear: field.get("linear").ratio(0)?,
                at_mark: choice(&field.get("price"), &[("index", false), ("mark", true)])?,
                least_slip: field.get("opt_min_slip").ratio(0)?,
                slip_per_delta: field.get("opt_slip_per_delta").ratio(0)?,
                fee: field.get("opt_fee").ratio(0)?,
                fee_cap: field.get("opt_fee_cap").ratio(0)?,
            }
        }
        FloorKind::MinDelta => {
            field.only(&["kind", "net", "hedged"])?;
            Floor::MinDelta {
                net: field.get("net").ratio(0)?,
                hedged: field.get("hedged").ratio(0)?,
            }
        }
        FloorKind::ShortOption => {
            field.only(&["kind", "per_contract"])?;
            Floor::ShortOption {
                per_contract: field.get("per_contract").money()?,
            }
        }
    })
}
