//! Portfolio margin: one scenario engine, every venue's style as parameters.
//!
//! Two layers. [`Scenarios`] holds what depends on the marks of one underlying (a *unit*): how far
//! each scenario moves perpetuals and futures, volatility shocks, discounts and charges per expiry;
//! and [`Scenarios::option`] makes the [`RiskArray`] of one option, its value in every scenario.
//! Both are made again only when marks move. The second layer is the account: [`ExpirySums`] holds
//! the sums of amount x array, and [`Scenarios::margin`] folds them into a [`UnitMargin`].
//! Discounts and the absolute value of the skew scenarios apply to the sums of an expiry, so sums
//! commute with everything before them.
//!
//! Open orders are a third kind of sum: [`Scenarios::lot`] says what one lot makes of each scenario,
//! [`LotTerms::order`] what it may lose at its limit, [`OrderSums`] add that up, and
//! [`Scenarios::requirement`] folds positions and orders at the worst subset of fills.
//!
//! # Numbers
//!
//! | what | type | unit |
//! |---|---|---|
//! | ratio: rates, moves, weights, volatilities, confidences, years | `i64` | 10^-15 |
//! | amount of an instrument | `i64` | 10^-9 of the underlying |
//! | price | `i64` | 10^-[`Marks::price_digits`] of the quote, 3 to 16 |
//! | money | `i128` | 10^-12 of the numeraire |
//! | coins: deltas, naked shorts | `i128` | 10^-15 of the underlying |
//!
//! The numeraire is the quote or the underlying itself ("coin"); values of options and linear moves
//! are prices in the first case and ratios in the second. A product of an amount and a value is
//! below 2^126, and sums of products are exact and checked; they become money by one division at
//! the end. A ratio times money below 1.7 x 10^11 fits 128 bits; larger ones take a 256-bit
//! product. What does not fit is [`Error::TooLarge`], never a wrapped number.
//!
//! # Rounding
//!
//! Parameters, marks and the entries of arrays are rounded to the nearest unit. In the account every
//! step rounds against the account: profit and loss and equity down, charges, floors and
//! requirements up. A sum of products rounds once. `docs/margin.md` says the same, step by step.

mod array;
mod charges;
mod fixed;
mod fold;
mod marks;
mod orders;
mod sums;
mod volatility;

pub use ballast_types::margin::{
    AMOUNT_DIGITS, AMOUNT_ONE, Basis, Charges, Confidence, DeltaShock, Discount, Floor,
    MONEY_DIGITS, Numeraire, ONE, OpenInterest, OptionDiscount, Params, Peg, RATIO_DIGITS, Refused,
    Scenario, Skew, SkewTerms, Tenor, Volatility, VolatilityShock, decimal,
};

pub use array::{OptionTerms, RiskArray};
pub use fold::{Collateral, Holdings, Margin, UnitMargin, Worst, total};
pub use marks::{ExpiryMarks, Marks, Scenarios};
pub use orders::{Instrument, Losses, LotTerms, OrderSums, OrderTerms, Requirement};
pub use sums::{ExpirySums, Held};
pub use volatility::Svi;

/// Seconds of a year of 365 days.
pub const YEAR_SECS: i64 = 31_536_000;

/// Why there is no margin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A parameter, mark or position breaks a rule.
    Refused(Refused),
    /// A figure does not fit its number type.
    TooLarge(&'static str),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::TooLarge(field) => write!(f, "{field}: the figure is too large"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}
