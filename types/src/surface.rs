//! The volatility curve of one expiry. Data only: what a curve must satisfy is checked by the crate
//! that prices options.

use borsh::{BorshDeserialize, BorshSerialize};

/// Most nodes of a table.
pub const MAX_NODES: usize = 32;

/// A point of a table; ratios in units of 10^-15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Node {
    /// Log-moneyness, ln(strike / forward).
    pub k: i64,
    /// Total variance there.
    pub variance: i64,
}

/// Raw SVI: `w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))`; ratios in units of
/// 10^-15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Svi {
    /// Level.
    pub a: i64,
    /// Slope of the wings.
    pub b: i64,
    /// Tilt.
    pub rho: i64,
    /// Log-moneyness of the middle.
    pub m: i64,
    /// Roundness.
    pub sigma: i64,
}

/// Total variance by log-moneyness.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum Curve {
    /// A table by ascending log-moneyness, linear between nodes and flat beyond them.
    Nodes(Vec<Node>),
    /// Raw SVI.
    Svi(Svi),
}
