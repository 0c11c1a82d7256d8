//! Margin and settlement arithmetic. Pure integers; knows no book and no state.
//!
//! All amounts are atoms of the margin asset. The bounds of genesis (a lot is worth at most 2^62
//! atoms, a position at most 2^44 lots) keep every intermediate value below 2^110, so the saturating
//! operations here never saturate on a valid chain, and never panic on any input.
#![forbid(unsafe_code)]

pub mod black76;
mod margin;
pub mod portfolio;
mod position;
pub mod surface;

pub use margin::{
    LotRisk, OptionLot, Rates, Terms, Worst, allowed_while_uncovered, gain, requirement, scenarios,
    worst_gain,
};
pub use position::{Position, fee_per_lot, notional, round_up_ppm};

/// Largest sum of a position and the open orders of its market, in lots.
pub const MAX_POSITION: i64 = 1 << 44;
