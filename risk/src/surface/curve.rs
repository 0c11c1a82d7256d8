//! Total variance of one expiry by log-moneyness.

use super::{Curve, Node, ONE, Svi, saturate};

/// Log-moneyness reaches -4 to 4: strikes of a 55th of the forward to 55 times it.
pub(super) const REACH: i64 = 4 * ONE;

/// Largest total variance.
pub(super) const MOST: i64 = 144 * ONE;

/// Nodes on each side of the middle at which an SVI curve is checked, half a standard deviation
/// apart.
const SIDE: i64 = 8;

/// `a * b / ONE`, rounded down.
fn times(a: i64, b: i64) -> i128 {
    i128::from(a)
        .saturating_mul(i128::from(b))
        .div_euclid(i128::from(ONE))
}

fn svi_variance(svi: &Svi, k: i64) -> i64 {
    let distance = k.saturating_sub(svi.m);
    let square = |x: i64| u128::from(x.unsigned_abs()).saturating_mul(x.unsigned_abs().into());
    let root = square(distance).saturating_add(square(svi.sigma)).isqrt();
    let root = i64::try_from(root).unwrap_or(i64::MAX);
    let bend = times(svi.rho, distance).saturating_add(root.into());
    saturate(times(svi.b, saturate(bend)).saturating_add(svi.a.into()))
}

/// `a + b sigma sqrt(1 - rho^2)`, the least total variance; for |rho| up to 1.
pub(super) fn least(svi: &Svi) -> i64 {
    let one = u128::from(ONE.unsigned_abs());
    let rho = u128::from(svi.rho.unsigned_abs());
    let rest = one
        .saturating_mul(one)
        .saturating_sub(rho.saturating_mul(rho));
    let root = i64::try_from(rest.isqrt()).unwrap_or(0);
    let bend = times(svi.sigma, root);
    saturate(times(svi.b, saturate(bend)).saturating_add(svi.a.into()))
}

/// `b (1 + |rho|)`, the steeper slope of the wings.
pub(super) fn steepest(svi: &Svi) -> i64 {
    saturate(times(svi.b, ONE.saturating_add(svi.rho.saturating_abs())))
}

/// Total variance of a curve at log-moneyness `k`, not below 0.
pub fn variance(curve: &Curve, k: i64) -> i64 {
    let variance = match curve {
        Curve::Svi(svi) => svi_variance(svi, k.clamp(REACH.saturating_neg(), REACH)),
        Curve::Nodes(nodes) => {
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

/// Where a curve is checked: the nodes of the table, or half standard deviations of SVI.
pub fn nodes(curve: &Curve) -> Vec<i64> {
    match curve {
        Curve::Nodes(nodes) => nodes.iter().map(|node| node.k).collect(),
        Curve::Svi(svi) => {
            let square = u128::from(variance(curve, svi.m).unsigned_abs());
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
