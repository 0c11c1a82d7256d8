//! The rules that parameters keep.

use super::{
    Basis, Charges, Floor, MONEY_DIGITS, Numeraire, ONE, Params, RATIO_DIGITS, Scenario, Skew,
    Volatility,
};

/// A parameter, mark or position that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {} {rule}", decimal(*.value, *.digits))]
pub struct Refused {
    /// Its name in the JSON of parameters and cases.
    pub field: &'static str,
    /// Its value, an integer of `digits` decimals.
    pub value: i128,
    /// Decimal digits of `value`.
    pub digits: u32,
    /// What it must be.
    pub rule: &'static str,
}

/// `value` x 10^-`digits` in plain decimals, without trailing zeros.
pub fn decimal(value: i128, digits: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let one = 10_u128.saturating_pow(digits);
    let size = value.unsigned_abs();
    let whole = size.checked_div(one).unwrap_or(0);
    let rest = size.checked_rem(one).unwrap_or(0);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let width = usize::try_from(digits).unwrap_or(0);
    let fraction = format!("{rest:0width$}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// Refuses a ratio outside `least..=most`.
///
/// # Errors
/// [`Refused`] with these words.
pub fn ratio(
    field: &'static str,
    value: i64,
    least: i64,
    most: i64,
    rule: &'static str,
) -> Result<(), Refused> {
    refuse(
        value < least || value > most,
        field,
        i128::from(value),
        RATIO_DIGITS,
        rule,
    )
}

/// Refuses a value when it is `broken`.
///
/// # Errors
/// [`Refused`] with these words.
pub fn refuse(
    broken: bool,
    field: &'static str,
    value: i128,
    digits: u32,
    rule: &'static str,
) -> Result<(), Refused> {
    if broken {
        Err(Refused {
            field,
            value,
            digits,
            rule,
        })
    } else {
        Ok(())
    }
}

/// Refuses a negative ratio.
fn positive(field: &'static str, value: i64) -> Result<(), Refused> {
    ratio(field, value, 0, i64::MAX, "must not be negative")
}

fn positive_money(field: &'static str, value: i128) -> Result<(), Refused> {
    refuse(
        value < 0,
        field,
        value,
        MONEY_DIGITS,
        "must not be negative",
    )
}

impl Params {
    /// Refuses parameters that could make a requirement negative, the initial one smaller than the
    /// maintenance one, or that contradict each other.
    ///
    /// # Errors
    /// [`Refused`] with the first field that breaks a rule.
    pub fn check(&self) -> Result<(), Refused> {
        positive("mm_factor", self.maintenance_factor)?;
        ratio(
            "im_factor",
            self.initial_factor,
            self.maintenance_factor,
            i64::MAX,
            "must not be below mm_factor",
        )?;
        ratio(
            "price_range",
            self.price_range,
            0,
            ONE.saturating_sub(1),
            "must be from 0 to below 1",
        )?;
        self.volatility.check()?;
        for scenario in &self.scenarios {
            scenario.check(self.skew.is_some())?;
        }
        if let Some(skew) = &self.skew {
            skew.check()?;
        }
        self.charges_in.check()?;
        self.charges_maintenance.check()?;
        self.charges_initial.check()?;
        self.basis.check()?;
        self.floor.check()?;
        self.check_factors()?;
        if let Some(discount) = &self.option_discount {
            positive("option_discount.long_base", discount.long.base)?;
            positive("option_discount.short_base", discount.short.base)?;
        }
        if let Some(shock) = &self.delta_shock {
            positive_money("delta_shock.threshold_usd", shock.threshold)?;
            positive("delta_shock.inc_per_coin", shock.per_coin)?;
            positive("delta_shock.max", shock.most)?;
        }
        Ok(())
    }

    /// Refuses parameters under which an account can have no open orders: the kernel bounds what
    /// fills may lose only where results are money of the quote and a sum of options is worth at
    /// least its parts.
    ///
    /// # Errors
    /// [`Refused`] with the first field that breaks a rule.
    pub fn check_for_orders(&self) -> Result<(), Refused> {
        let coin = self.numeraire == Numeraire::Coin;
        refuse(
            coin,
            "numeraire",
            1,
            0,
            "coin counts; must be usd where there are open orders",
        )?;
        if let Some(discount) = &self.option_discount {
            let (long, short) = (discount.long.base, discount.short.base);
            let rule = "must not be above short_base";
            ratio("option_discount.long_base", long, 0, short, rule)?;
        }
        Ok(())
    }

    fn check_factors(&self) -> Result<(), Refused> {
        if let Some(confidence) = &self.confidence {
            ratio(
                "confidence.threshold",
                confidence.threshold,
                0,
                ONE,
                "must be from 0 to 1",
            )?;
            positive("confidence.factor", confidence.factor)?;
        }
        if let Some(peg) = &self.peg {
            positive("peg.threshold", peg.threshold)?;
            positive("peg.factor", peg.factor)?;
        }
        if let Some(open) = &self.open_interest {
            positive_money("oi.lower", open.lower)?;
            let rule = "must be above oi.lower";
            refuse(
                open.upper <= open.lower,
                "oi.upper",
                open.upper,
                MONEY_DIGITS,
                rule,
            )?;
            let rule = "must not be below im_factor";
            ratio(
                "oi.im_factor_max",
                open.most,
                self.initial_factor,
                i64::MAX,
                rule,
            )?;
        }
        Ok(())
    }
}

impl Scenario {
    fn check(&self, skew: bool) -> Result<(), Refused> {
        let rule = "must be above 0";
        refuse(
            self.change <= ONE.saturating_neg(),
            "scenarios.spot",
            i128::from(self.change).saturating_add(i128::from(ONE)),
            RATIO_DIGITS,
            rule,
        )?;
        positive("scenarios.weight", self.weight)?;
        positive_money("scenarios.damp", self.damp)?;
        let secs = i128::from(self.theta_secs);
        refuse(
            secs < 0,
            "scenarios.dt_secs",
            secs,
            0,
            "must not be negative",
        )?;
        let rule = "scenarios have it, so it must be given";
        refuse(self.is_skew() && !skew, "skew", 0, 0, rule)
    }
}

impl Volatility {
    fn check(&self) -> Result<(), Refused> {
        match self {
            Self::Power {
                up,
                down,
                floor_secs,
                reference_secs,
                least_up,
                ..
            } => {
                positive("vol_shock.up", *up)?;
                positive("vol_shock.down", *down)?;
                positive("vol_shock.min_vol_up", *least_up)?;
                let floor = i128::from(*floor_secs);
                refuse(
                    floor < 1,
                    "vol_shock.floor_secs",
                    floor,
                    0,
                    "must be at least 1",
                )?;
                let reference = i128::from(*reference_secs);
                refuse(
                    reference < 1,
                    "vol_shock.ref_secs",
                    reference,
                    0,
                    "must be at least 1",
                )
            }
            Self::Table { tenors, .. } => {
                refuse(
                    tenors.is_empty(),
                    "vol_shock.tenors",
                    0,
                    0,
                    "rows; there must be one",
                )?;
                let mut last = None;
                for tenor in tenors {
                    let secs = i128::from(tenor.secs);
                    let rule = "must be above the row before";
                    refuse(last >= Some(secs), "vol_shock.tenors", secs, 0, rule)?;
                    last = Some(secs);
                    positive("vol_shock.tenors", tenor.up)?;
                    positive("vol_shock.tenors", tenor.down)?;
                }
                Ok(())
            }
        }
    }
}

impl Skew {
    fn check(&self) -> Result<(), Refused> {
        positive("skew.linear_cap", self.linear.cap)?;
        positive("skew.abs_cap", self.absolute.cap)?;
        let rule = "must be above 0";
        ratio("skew.min_kstar", self.least_reach, 1, i64::MAX, rule)?;
        positive("skew.width", self.width)
    }
}

impl Charges {
    fn check(&self) -> Result<(), Refused> {
        positive("charges.perp", self.perpetual)?;
        positive("charges.future", self.future)?;
        positive("charges.hedge", self.spot)?;
        positive("charges.short_option", self.short_option)
    }
}

impl Basis {
    fn check(&self) -> Result<(), Refused> {
        match *self {
            Self::None => Ok(()),
            Self::Competing {
                up,
                down,
                add,
                multiple,
            } => {
                let rule = "must be above 0";
                let least = 1_i64.saturating_sub(ONE);
                ratio("basis.up", up, least, i64::MAX, rule)?;
                ratio("basis.down", down, least, i64::MAX, rule)?;
                positive("basis.add", add)?;
                positive("basis.mult", multiple)
            }
            Self::Roll { least, annual, .. } => {
                positive("basis.min", least)?;
                positive("basis.annual", annual)
            }
        }
    }
}

impl Floor {
    fn check(&self) -> Result<(), Refused> {
        match *self {
            Self::None => Ok(()),
            Self::Unwind {
                linear,
                least_slip,
                slip_per_delta,
                fee,
                fee_cap,
                ..
            } => {
                positive("floor.linear", linear)?;
                positive("floor.opt_min_slip", least_slip)?;
                positive("floor.opt_slip_per_delta", slip_per_delta)?;
                positive("floor.opt_fee", fee)?;
                positive("floor.opt_fee_cap", fee_cap)
            }
            Self::MinDelta { net, hedged } => {
                positive("floor.net", net)?;
                positive("floor.hedged", hedged)
            }
            Self::ShortOption { per_contract } => {
                positive_money("floor.per_contract", per_contract)
            }
        }
    }
}
