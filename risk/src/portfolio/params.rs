//! What a venue chooses, and the rules that parameters keep.

use super::{Error, MONEY_DIGITS, ONE, RATIO_DIGITS};

/// One margin method. Ratios are in 10^-15, money in 10^-12 (see the module).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// What money counts.
    pub numeraire: Numeraire,
    /// Width of the main table; used by extended scenarios under the coin numeraire only.
    pub price_range: i64,
    /// Whether expiries discount at their rate, exp(-max(rate, 0) T), or not at all.
    pub discount_at_rate: bool,
    /// Whether perpetuals are shocked from the index instead of their mark.
    pub perpetual_from_index: bool,
    /// Volatility of the scenarios "up" and "down".
    pub volatility: Volatility,
    /// The scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// Terms of the skew scenarios; needed when there are any.
    pub skew: Option<Skew>,
    /// Discounts on the shocked option value of an expiry.
    pub option_discount: Option<OptionDiscount>,
    /// Risk between expiries.
    pub basis: Basis,
    /// Extra charge for large deltas.
    pub delta_shock: Option<DeltaShock>,
    /// Charges inside the factors.
    pub charges_in: Charges,
    /// Charges added to both requirements, outside the factors.
    pub charges_maintenance: Charges,
    /// Charges added to the initial requirement only.
    pub charges_initial: Charges,
    /// Lower bound of scan and inner charges.
    pub floor: Floor,
    /// Add-on for doubtful feeds.
    pub confidence: Option<Confidence>,
    /// Initial factor by open interest.
    pub open_interest: Option<OpenInterest>,
    /// Initial factor by depeg.
    pub peg: Option<Peg>,
    /// Factor of the initial requirement.
    pub initial_factor: i64,
    /// Factor of the maintenance requirement.
    pub maintenance_factor: i64,
}

/// What money counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numeraire {
    /// The quote asset.
    Quote,
    /// The underlying: inverse perpetuals and futures, options paid in coin.
    Coin,
}

/// One scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Move of the underlying, above -1 (0.16 is up 16 %).
    pub change: i64,
    /// What happens to volatilities.
    pub volatility: VolatilityShock,
    /// Weight of the result.
    pub weight: i64,
    /// Seconds that pass.
    pub theta_secs: i64,
    /// Loss that is forgiven, money (in quote also under the coin numeraire).
    pub damp: i128,
    /// Whether it is a row of the extended table.
    pub extended: bool,
}

/// What a scenario does to volatilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolatilityShock {
    /// Nothing.
    None,
    /// Up by [`Volatility`].
    Up,
    /// Down by [`Volatility`].
    Down,
    /// Tilted by log-moneyness; no price move; any change counts as a loss.
    Linear,
    /// Tilted by the size of log-moneyness.
    Absolute,
}

/// How far "up" and "down" move a volatility.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Volatility {
    /// Relative, by a power of the time to expiry.
    Power {
        /// Rise at the reference tenor.
        up: i64,
        /// Fall at the reference tenor.
        down: i64,
        /// Power up to the reference tenor.
        short_power: i64,
        /// Power beyond it.
        long_power: i64,
        /// Shorter expiries count as this long.
        floor_secs: i64,
        /// The reference tenor.
        reference_secs: i64,
        /// Lowest volatility after "up".
        least_up: i64,
    },
    /// By tenor, linear between rows and flat outside.
    Table {
        /// Whether points are added instead of multiplied.
        absolute: bool,
        /// Rows by rising tenor, at least one.
        tenors: Vec<Tenor>,
    },
}

/// A row of [`Volatility::Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenor {
    /// Time to expiry.
    pub secs: i64,
    /// Rise.
    pub up: i64,
    /// Fall.
    pub down: i64,
}

/// Terms of the skew scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// Of the linear one.
    pub linear: SkewTerms,
    /// Of the absolute one.
    pub absolute: SkewTerms,
    /// Least log-moneyness of the full tilt.
    pub least_reach: i64,
    /// Standard deviations of the full tilt.
    pub width: i64,
    /// Volatility of these deviations.
    pub vol_static: i64,
    /// Its growth by the root of time.
    pub vol_scale: i64,
}

/// Largest relative tilt: `cap + slope x sqrt(T)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkewTerms {
    /// At expiry.
    pub cap: i64,
    /// By root of a year.
    pub slope: i64,
}

/// Discounts on the shocked value of an expiry's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionDiscount {
    /// When the value is positive: `base x exp(-T (rate x multiple + add))`.
    pub long: Discount,
    /// When it is negative: `base x exp(+T (..))`, at most 1 / D.
    pub short: Discount,
}

/// One side of [`OptionDiscount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discount {
    /// Factor at expiry.
    pub base: i64,
    /// Multiple of the expiry's rate.
    pub multiple: i64,
    /// Rate on top.
    pub add: i64,
}

/// Risk between expiries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// None.
    None,
    /// Forwards of each expiry move alone; competes with the scenarios.
    Competing {
        /// Move up.
        up: i64,
        /// Move down, negative.
        down: i64,
        /// Share of the loss.
        add: i64,
        /// More of it by year.
        multiple: i64,
    },
    /// Each expiry's delta pays for being rolled.
    Roll {
        /// Least rate; the rate of perpetuals.
        least: i64,
        /// Rate by year.
        annual: i64,
        /// Whether the rate of an expiry is exp(annual T) - 1 instead of annual T.
        exponential: bool,
        /// Whether the price is the perpetual's mark instead of the index.
        at_mark: bool,
    },
}

/// Extra charge for large deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaShock {
    /// Free delta, money in quote.
    pub threshold: i128,
    /// Rate by coin beyond it.
    pub per_coin: i64,
    /// Largest rate.
    pub most: i64,
}

/// Charges by notional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// Of perpetuals.
    pub perpetual: i64,
    /// Of dated futures.
    pub future: i64,
    /// Of the underlying held as spot.
    pub spot: i64,
    /// Of naked short options.
    pub short_option: i64,
}

/// Lower bound of scan and inner charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// None.
    None,
    /// Cost of closing everything.
    Unwind {
        /// Rate of perpetuals and futures.
        linear: i64,
        /// Whether perpetuals are priced at their mark instead of the index.
        at_mark: bool,
        /// Least slippage of an option, of the index.
        least_slip: i64,
        /// Slippage by delta.
        slip_per_delta: i64,
        /// Fee of the index.
        fee: i64,
        /// Most of the option's price that a fee takes.
        fee_cap: i64,
    },
    /// By deltas.
    MinDelta {
        /// Rate of the net delta.
        net: i64,
        /// Rate of what offsets.
        hedged: i64,
    },
    /// By naked short option.
    ShortOption {
        /// Money for one.
        per_contract: i128,
    },
}

/// Add-on for doubtful feeds: `(1 - confidence) x factor` of the notional below the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confidence {
    /// Confidence that is good enough.
    pub threshold: i64,
    /// Share of notional at no confidence.
    pub factor: i64,
}

/// The initial factor rises from `lower` to `upper` open interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInterest {
    /// Where it begins, money.
    pub lower: i128,
    /// Where it ends, money.
    pub upper: i128,
    /// The factor there.
    pub most: i64,
}

/// The initial factor rises by `factor` for each 1 that the quote falls under `threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peg {
    /// Value of the quote that is good enough.
    pub threshold: i64,
    /// Slope.
    pub factor: i64,
}

/// Refuses a ratio outside `least..=most`.
pub(super) fn ratio(
    field: &'static str,
    value: i64,
    least: i64,
    most: i64,
    rule: &'static str,
) -> Result<(), Error> {
    refuse(
        value < least || value > most,
        field,
        i128::from(value),
        RATIO_DIGITS,
        rule,
    )
}

pub(super) fn refuse(
    broken: bool,
    field: &'static str,
    value: i128,
    digits: u32,
    rule: &'static str,
) -> Result<(), Error> {
    if broken {
        Err(Error::Refused {
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
fn positive(field: &'static str, value: i64) -> Result<(), Error> {
    ratio(field, value, 0, i64::MAX, "must not be negative")
}

fn positive_money(field: &'static str, value: i128) -> Result<(), Error> {
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
    /// [`Error::Refused`] with the first field that breaks a rule.
    pub fn check(&self) -> Result<(), Error> {
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

    fn check_factors(&self) -> Result<(), Error> {
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
    fn check(&self, skew: bool) -> Result<(), Error> {
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
        let tilted = matches!(
            self.volatility,
            VolatilityShock::Linear | VolatilityShock::Absolute
        );
        let rule = "scenarios have it, so it must be given";
        refuse(tilted && !skew, "skew", 0, 0, rule)
    }
}

impl Volatility {
    fn check(&self) -> Result<(), Error> {
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
    fn check(&self) -> Result<(), Error> {
        positive("skew.linear_cap", self.linear.cap)?;
        positive("skew.abs_cap", self.absolute.cap)?;
        let rule = "must be above 0";
        ratio("skew.min_kstar", self.least_reach, 1, i64::MAX, rule)?;
        positive("skew.width", self.width)
    }
}

impl Charges {
    fn check(&self) -> Result<(), Error> {
        positive("charges.perp", self.perpetual)?;
        positive("charges.future", self.future)?;
        positive("charges.hedge", self.spot)?;
        positive("charges.short_option", self.short_option)
    }
}

impl Basis {
    fn check(&self) -> Result<(), Error> {
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
    fn check(&self) -> Result<(), Error> {
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
