//! What a surface must satisfy.

use super::curve::{MOST, REACH, least, nodes, steepest, variance};
use super::{Curve, Error, MAX_NODES, ONE, Slice, Svi, saturate};
use crate::black76::{self, pair};

/// Rounding of prices that are compared, in units of 2^-57.
const ROUNDING: i128 = 64;

/// Whether the curve's numbers are in their ranges.
pub(super) fn numbers(slice: &Slice) -> Result<(), Error> {
    let expiry = slice.expiry;
    let refuse = |wrong: bool, field, value, rule| {
        if wrong {
            return Err(Error::Parameter {
                expiry,
                field,
                value,
                rule,
            });
        }
        Ok(())
    };
    let tenor = slice.tenor;
    if tenor <= 0 {
        return Err(Error::Tenor { expiry, tenor });
    }
    match &slice.curve {
        Curve::Svi(svi) => {
            let Svi {
                a,
                b,
                rho,
                m,
                sigma,
            } = *svi;
            refuse(a.saturating_abs() > MOST, "a", a, "must be -144 to 144")?;
            refuse(!(0..=MOST).contains(&b), "b", b, "must be 0 to 144")?;
            refuse(
                rho.saturating_abs() >= ONE,
                "rho",
                rho,
                "must be between -1 and 1",
            )?;
            refuse(m.saturating_abs() > REACH, "m", m, "must be -4 to 4")?;
            let sizes = 1..=MOST;
            refuse(
                !sizes.contains(&sigma),
                "sigma",
                sigma,
                "must be above 0, to 144",
            )?;
            let least = least(svi);
            let rule = "the least total variance, must not be below 0";
            refuse(least < 0, "a + b sigma sqrt(1 - rho^2)", least, rule)?;
            // R. Lee, "The moment formula for implied volatility at extreme strikes" (2004).
            let steepest = steepest(svi);
            let rule = "a slope of total variance, must not be above 2";
            let two = ONE.saturating_mul(2);
            refuse(steepest > two, "b (1 + |rho|)", steepest, rule)
        }
        Curve::Nodes(nodes) => {
            let count = i64::try_from(nodes.len()).unwrap_or(i64::MAX);
            let wrong = nodes.is_empty() || nodes.len() > MAX_NODES;
            let shown = count.saturating_mul(ONE);
            refuse(wrong, "number of nodes", shown, "must be 1 to 32")?;
            let mut before = None;
            for node in nodes {
                let (k, variance) = (node.k, node.variance);
                refuse(k.saturating_abs() > REACH, "k", k, "must be -4 to 4")?;
                let wrong = before.is_some_and(|before| k <= before);
                refuse(wrong, "k", k, "must be above that of the node before")?;
                let range = 1..=MOST;
                let rule = "must be above 0, to 144";
                refuse(!range.contains(&variance), "variance", variance, rule)?;
                before = Some(k);
            }
            Ok(())
        }
    }
}

/// A strike and its call, in units of the forward and of 2^-57.
struct Call {
    k: i64,
    strike: i128,
    price: i128,
}

/// A ratio as a number of [`black76`].
fn binary(ratio: i64) -> i64 {
    let scaled = i128::from(ratio).saturating_mul(black76::ONE.into());
    saturate(scaled.div_euclid(i128::from(ONE)))
}

fn call(curve: &Curve, k: i64) -> Call {
    let square = u128::from(variance(curve, k).unsigned_abs());
    let deviation = square.saturating_mul(ONE.unsigned_abs().into()).isqrt();
    let total = binary(i64::try_from(deviation).unwrap_or(i64::MAX));
    let log = binary(k);
    let strike = i128::from(black76::exp(log));
    // Prices come in units of the larger of forward and strike.
    let price = i128::from(pair(log.saturating_neg(), total).call);
    let unit = strike.max(black76::ONE.into());
    Call {
        k,
        strike,
        price: price.saturating_mul(unit) >> 57,
    }
}

/// Whether calls are convex in the strike at the nodes, and never rise with it.
pub(super) fn butterfly(slice: &Slice) -> Result<(), Error> {
    let expiry = slice.expiry;
    // A strike of 0 is the forward itself.
    let mut left = Call {
        k: 0,
        strike: 0,
        price: black76::ONE.into(),
    };
    let mut calls = nodes(&slice.curve)
        .into_iter()
        .map(|k| call(&slice.curve, k));
    let Some(mut middle) = calls.next() else {
        return Ok(());
    };
    for right in calls {
        let slope = |from: &Call, to: &Call, width: i128| {
            to.price.saturating_sub(from.price).saturating_mul(width)
        };
        let before = middle.strike.saturating_sub(left.strike);
        let after = right.strike.saturating_sub(middle.strike);
        let tolerance = before.saturating_add(after).saturating_mul(ROUNDING);
        let (falls, then) = (slope(&left, &middle, after), slope(&middle, &right, before));
        if falls > then.saturating_add(tolerance) {
            let k = middle.k;
            return Err(Error::Butterfly { expiry, k });
        }
        (left, middle) = (middle, right);
    }
    // Convex and rising at the end: the last call costs more than the one before.
    if middle.price > left.price.saturating_add(ROUNDING) {
        let k = middle.k;
        return Err(Error::Butterfly { expiry, k });
    }
    Ok(())
}

/// Whether total variance does not fall from one expiry to the next, at the nodes of both.
pub(super) fn calendar(before: &Slice, slice: &Slice, now: i64) -> Result<(), Error> {
    let left = |slice: &Slice| slice.expiry.saturating_sub(now);
    for k in nodes(&before.curve).into_iter().chain(nodes(&slice.curve)) {
        let earlier = before.variance(k, left(before));
        let later = slice.variance(k, left(slice));
        // One unit of rounding.
        if later < earlier.saturating_sub(1) {
            return Err(Error::Calendar {
                expiry: slice.expiry,
                k,
                before: earlier,
                variance: later,
            });
        }
    }
    Ok(())
}
