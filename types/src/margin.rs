//! Parameters of portfolio margin: what a venue chooses, and the rules that parameters keep.
//!
//! Data only: the scenarios are computed by the crate that margins accounts.

mod check;

pub use check::{Refused, decimal, ratio, refuse};

use borsh::{BorshDeserialize, BorshSerialize};

/// Decimal digits of a ratio.
pub const RATIO_DIGITS: u32 = 15;
/// A ratio of 1.
pub const ONE: i64 = 1_000_000_000_000_000;
/// Decimal digits of an amount.
pub const AMOUNT_DIGITS: u32 = 9;
/// An amount of 1.
pub const AMOUNT_ONE: i64 = 1_000_000_000;
/// Decimal digits of money.
pub const MONEY_DIGITS: u32 = 12;

/// Right of the holder of an option.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum OptionKind {
    /// To buy at the strike.
    Call,
    /// To sell at the strike.
    Put,
}

/// One margin method. Ratios are in 10^-15, money in 10^-12.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum Numeraire {
    /// The quote asset.
    Quote,
    /// The underlying: inverse perpetuals and futures, options paid in coin.
    Coin,
}

/// One scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Tenor {
    /// Time to expiry.
    pub secs: i64,
    /// Rise.
    pub up: i64,
    /// Fall.
    pub down: i64,
}

/// Terms of the skew scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct SkewTerms {
    /// At expiry.
    pub cap: i64,
    /// By root of a year.
    pub slope: i64,
}

/// Discounts on the shocked value of an expiry's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct OptionDiscount {
    /// When the value is positive: `base x exp(-T (rate x multiple + add))`.
    pub long: Discount,
    /// When it is negative: `base x exp(+T (..))`, at most 1 / D.
    pub short: Discount,
}

/// One side of [`OptionDiscount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Discount {
    /// Factor at expiry.
    pub base: i64,
    /// Multiple of the expiry's rate.
    pub multiple: i64,
    /// Rate on top.
    pub add: i64,
}

/// Risk between expiries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct DeltaShock {
    /// Free delta, money in quote.
    pub threshold: i128,
    /// Rate by coin beyond it.
    pub per_coin: i64,
    /// Largest rate.
    pub most: i64,
}

/// Charges by notional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Confidence {
    /// Confidence that is good enough.
    pub threshold: i64,
    /// Share of notional at no confidence.
    pub factor: i64,
}

/// The initial factor rises from `lower` to `upper` open interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct OpenInterest {
    /// Where it begins, money.
    pub lower: i128,
    /// Where it ends, money.
    pub upper: i128,
    /// The factor there.
    pub most: i64,
}

/// The initial factor rises by `factor` for each 1 that the quote falls under `threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Peg {
    /// Value of the quote that is good enough.
    pub threshold: i64,
    /// Slope.
    pub factor: i64,
}

impl Scenario {
    /// Move of the underlying; skew scenarios have none.
    pub fn moves(&self) -> i64 {
        if self.is_skew() { 0 } else { self.change }
    }

    /// Whether volatilities are tilted, where any change counts as a loss.
    pub fn is_skew(&self) -> bool {
        matches!(
            self.volatility,
            VolatilityShock::Linear | VolatilityShock::Absolute
        )
    }
}
