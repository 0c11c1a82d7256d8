//! What the price of an option hinges on, for readers.

use crate::unit::{Priced, Unit};
use crate::view::GreeksView;
use ballast_risk::black76::{self, Terms};
use ballast_risk::portfolio::ONE;

const DAYS: i128 = 365;

impl Unit {
    pub(crate) fn greeks(&self, priced: &Priced) -> Option<GreeksView> {
        let scenarios = self.scenarios.as_ref()?;
        let marks = scenarios.marks();
        let expiry = marks.expiries.get(priced.term)?;
        let array = &priced.array;
        let forward = expiry.forward.checked_add(expiry.fixed)?;
        let rate = binary(expiry.rate.max(0))?;
        let seconds = u64::try_from(expiry.secs).ok()?;
        let discount = if scenarios.params().discount_at_rate {
            black76::discount(rate, seconds)
        } else {
            black76::ONE
        };
        let terms = Terms {
            forward: u64::try_from(forward).ok()?,
            strike: u64::try_from(array.strike).ok()?,
            vol: binary(priced.volatility)?,
            seconds,
            discount,
        };
        let rate = if scenarios.params().discount_at_rate {
            rate
        } else {
            0
        };
        let greeks = black76::greeks(&terms, array.kind, rate);
        let unit = i128::from(terms.unit());
        let one = i128::from(black76::ONE);
        let whole = 10_i128.checked_pow(marks.price_digits)?;
        let gamma = greeks.gamma.saturating_mul(ONE.into()).checked_div(one)?;
        let theta = greeks.theta.saturating_mul(unit).checked_div(one)?;
        Some(GreeksView {
            volatility: priced.volatility,
            forward,
            mark: array.mark,
            delta: array.delta,
            gamma: gamma.saturating_mul(whole).checked_div(unit)?,
            vega: array.vega.checked_div(100)?,
            theta: i64::try_from(theta.checked_div(DAYS)?).ok()?,
        })
    }
}

/// A ratio as a number of [`black76`].
fn binary(ratio: i64) -> Option<i64> {
    let scaled = i128::from(ratio).checked_mul(black76::ONE.into())?;
    i64::try_from(scaled.checked_div(ONE.into())?).ok()
}
