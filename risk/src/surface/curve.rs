//! Total variance of one expiry by log-moneyness.

use super::{ONE, saturate};

/// Log-moneyness reaches -4 to 4: strikes of a 55th of the forward to 55 times it.
pub(super) const REACH: i64 = 4 * ONE;

/// Largest total variance.
pub(super) const MOST: i64 = 144 * ONE;

/// Nodes on each side of the middle at which an SVI curve is checked, half a standard deviation
/// apart.
const SIDE: i64 = 8;

/// A point of a table; ratios in units of 1 / [`ONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Log-moneyness, ln(strike / forward).
    pub k: i64,
    /// Total variance there.
    pub variance: i64,
}

/// Raw SVI: `w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))`; ratios in units of
/// 1 / [`ONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Curve {
    /// A table by ascending log-moneyness, linear between nodes and flat beyond them.
    Nodes(Vec<Node>),
    /// Raw SVI.
    Svi(Svi),
}

/// `a * b / ONE`, rounded down.
fn times(a: i64, b: i64) -> i128 {
    i128::from(a)
        .saturating_mul(i128::from(b))
        .div_euclid(i128::from(ONE))
}

impl Svi {
    fn variance(&self, k: i64) -> i64 {
        let distance = k.saturating_sub(self.m);
        let square = |x: i64| u128::from(x.unsigned_abs()).saturating_mul(x.unsigned_abs().into());
        let root = square(distance).saturating_add(square(self.sigma)).isqrt();
        let root = i64::try_from(root).unwrap_or(i64::MAX);
        let bend = times(self.rho, distance).saturating_add(root.into());
        saturate(times(self.b, saturate(bend)).saturating_add(self.a.into()))
    }

    /// `a + b sigma sqrt(1 - rho^2)`, the least total variance; for |rho| up to 1.
    pub(super) fn least(&self) -> i64 {
        let one = u128::from(ONE.unsigned_abs());
        let rho = u128::from(self.rho.unsigned_abs());
        let rest = one
            .saturating_mul(one)
            .saturating_sub(rho.saturating_mul(rho));
        let root = i64::try_from(rest.isqrt()).unwrap_or(0);
        let bend = times(self.sigma, root);
        saturate(times(self.b, saturate(bend)).saturating_add(self.a.into()))
    }

    /// `b (1 + |rho|)`, the steeper slope of the wings.
    pub(super) fn steepest(&self) -> i64 {
        saturate(times(self.b, ONE.saturating_add(self.rho.saturating_abs())))
    }
}

impl Curve {
    /// Total variance at `k`, not below 0.
    pub fn variance(&self, k: i64) -> i64 {
        let variance = match self {
            Self::Svi(svi) => svi.variance(k.clamp(REACH.saturating_neg(), REACH)),
            Self::Nodes(nodes) => {
                let after = nodes.partition_point(|node| node.k < k);
                let right = nodes.get(after).or(nodes.last());
                let left = after.checked_sub(1).and_then(|before| nodes.get(before));
                match (left.or(right), right) {
                    (Some(left), Some(right)) => between(left, right, k),
                    _ => 0,
                }
            }
        };
        variance.clamp(0, MOST)
    }

    /// Where the curve is checked: the nodes of the table, or half standard deviations of SVI.
    pub fn nodes(&self) -> Vec<i64> {
        match self {
            Self::Nodes(nodes) => nodes.iter().map(|node| node.k).collect(),
            Self::Svi(svi) => {
                let square = u128::from(self.variance(svi.m).unsigned_abs());
                let deviation = square.saturating_mul(ONE.unsigned_abs().into()).isqrt();
                let half = i64::try_from(deviation).unwrap_or(i64::MAX) >> 1;
                let mut nodes: Vec<_> = (SIDE.saturating_neg()..=SIDE)
                    .map(|step| svi.m.saturating_add(half.saturating_mul(step)))
                    .filter(|k| k.saturating_abs() <= REACH)
                    .collect();
                nodes.dedup();
                nodes
            }
        }
    }
}

/// Linear between two nodes, and flat where they are one or `k` is outside.
fn between(left: &Node, right: &Node, k: i64) -> i64 {
    let width = i128::from(right.k).saturating_sub(left.k.into());
    let part = i128::from(k).saturating_sub(left.k.into());
    let rise = i128::from(right.variance).saturating_sub(left.variance.into());
    let share = rise
        .saturating_mul(part.clamp(0, width.max(0)))
        .checked_div(width)
        .unwrap_or(0);
    saturate(i128::from(left.variance).saturating_add(share))
}
