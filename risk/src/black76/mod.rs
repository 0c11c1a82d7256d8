//! European options on a forward (F. Black, "The pricing of commodity contracts", 1976), in integers.
//!
//! A price is worked out in **units of the larger of forward and strike**, so that forwards of 1e-5
//! and of 1e6 lose nothing. With `a = |ln(F/K)|`, `v = vol sqrt(T)` and `y = a/v -+ v/2`, the option
//! that is out of the money, undiscounted and in that unit, is the same function of both kinds:
//!
//! ```text
//! n(y2) (M(y1) - M(y2))                 where y1 >= 0, M the Mills ratio, n the normal density
//! e^-a - n(y2) (M(-y1) + M(y2))         where y1 < 0
//! ```
//!
//! The other option follows by put-call parity, which so holds to the last bit but one. At a
//! discount of 1 a price is off by at most 1.5e-17 of the unit and a delta by 2e-16, or by 1e-19
//! over the total volatility where that is more; tests assert both.
//!
//! Every input has a defined answer: at no time or no volatility the discounted intrinsic value, and
//! so where forward or strike is 0; volatilities and discounts below 0 count as 0; what leaves the
//! range of its type saturates.

mod fixed;
mod implied;
mod normal;
mod wide;

pub use ballast_types::OptionKind;
pub use fixed::{
    ONE, WIDE, YEAR, discount, discount_wide, exp, ln, log_moneyness, sqrt, total_vol,
};
pub use implied::{implied_vol, implied_vol_wide};
pub use normal::{normal_cdf, normal_pdf};
pub use wide::{Scaled, WideGreeks, greeks_wide};

use fixed::{MAX_TOTAL_VOL, divide, exp_parts, full, low, mul_high, mul_wide, round, scale};
use normal::{FAR, PEAK, mills, tail};

/// What an option's price depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Forward price of the expiry, in any integer unit (ticks, atoms).
    pub forward: u64,
    /// Strike, in the unit of the forward.
    pub strike: u64,
    /// Volatility a year: [`ONE`] is 100 %; at most 64.
    pub vol: i64,
    /// Time to expiry in seconds; a year has [`YEAR`].
    pub seconds: u64,
    /// What 1 paid at expiry is worth now: [`ONE`] is 1, where nothing is discounted. See
    /// [`discount`](fn@discount).
    pub discount: i64,
}

/// Undiscounted prices of a call and a put of the same strike, in units of the larger of forward
/// and strike; [`ONE`] is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The call.
    pub call: i64,
    /// The put.
    pub put: i64,
}

/// A price and its derivatives, all scaled by [`ONE`], in units of `U`, the larger of forward and
/// strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeks {
    /// Price / U.
    pub price: i64,
    /// Change of the price with the forward, discount included; has no unit.
    pub delta: i64,
    /// Change of delta with the forward, times U.
    pub gamma: i128,
    /// Change of the price with the volatility, per 1.00, / U.
    pub vega: i128,
    /// Change of the price with calendar time at a fixed forward, per year, / U.
    pub theta: i128,
}

/// Where an option lies: the arguments of its tails.
struct Place {
    /// a/v - v/2, up to [`FAR`].
    near: i64,
    /// a/v + v/2, up to [`FAR`].
    far: i64,
}

impl Place {
    /// Of an option whose time value is 0.
    const NOWHERE: Self = Self {
        near: FAR,
        far: FAR,
    };

    /// `distance` and `total_vol` in units of 2^-(57 + `finer`), `finer` at most 6.
    #[inline]
    fn new(distance: i128, total_vol: i128, finer: u32) -> Self {
        let vol = total_vol.min(i128::from(MAX_TOTAL_VOL) << finer);
        if vol <= 0 && distance == 0 {
            return Self { near: 0, far: 0 };
        }
        // Beyond 32 standard deviations the quotient might not fit.
        if vol <= 0 || distance >= vol << 5 {
            return Self::NOWHERE;
        }
        let quotient = low(divide(distance << 57, vol));
        let half = low(vol >> finer.wrapping_add(1));
        Self {
            near: quotient.wrapping_sub(half).min(FAR),
            far: quotient.wrapping_add(half).min(FAR),
        }
    }

    /// Exponent of the density of `far`, in units of 2^-64.
    #[inline]
    fn exponent(&self) -> i128 {
        (full(self.far, self.far) >> 51).wrapping_neg()
    }

    /// Price out of the money; `ratio` is the smaller of forward and strike over the larger. Both
    /// in units of 2^-62.
    #[inline]
    fn out_of_the_money(&self, ratio: i64) -> i64 {
        low(self.out_of_the_money_in(62, ratio.into()))
    }

    /// As [`Self::out_of_the_money`], in units of 2^-`bits`, 62 to 120.
    #[inline]
    fn out_of_the_money_in(&self, bits: i64, ratio: i128) -> i128 {
        if self.far >= FAR {
            return if self.near < 0 { ratio } else { 0 };
        }
        let (m, k) = exp_parts(self.exponent());
        let m = mul_high(m, PEAK);
        let (near, far) = (mills(self.near.wrapping_abs()), mills(self.far));
        let tails = if self.near < 0 {
            near.wrapping_add(far)
        } else {
            near.wrapping_sub(far).max(0)
        };
        // 2^-62 * 2^-61 * 2^k.
        let product = scale(full(m, tails), k.wrapping_add(bits).wrapping_sub(123));
        if self.near < 0 {
            ratio.wrapping_sub(product).clamp(0, ratio)
        } else {
            product.min(ratio)
        }
    }
}

/// 1 in units of 2^-62.
const UNIT: i64 = 1 << 62;

/// The smaller over the larger in units of 2^-62; 1 where both are 0.
#[inline]
fn ratio(forward: u64, strike: u64) -> i64 {
    let (small, large) = (forward.min(strike), forward.max(strike));
    (u128::from(small) << 62)
        .checked_div(u128::from(large))
        .map_or(UNIT, |ratio| low(ratio.cast_signed()))
}

/// Prices of call and put from `ln(forward / strike)` and `vol * sqrt(T)`, both in units of
/// 1 / [`ONE`], for callers that have them: see [`log_moneyness`] and [`total_vol`].
///
/// In a scenario, `ln(F (1 + x) / K) = ln(F/K) + ln(1 + x)`.
#[inline]
pub fn pair(log_moneyness: i64, total_vol: i64) -> Pair {
    let distance = log_moneyness.saturating_abs();
    let (m, k) = exp_parts((i128::from(distance) << 7).wrapping_neg());
    let ratio = low(scale(i128::from(m), k)).min(UNIT);
    let out = Place::new(distance.into(), total_vol.into(), 0).out_of_the_money(ratio);
    let inside = out.wrapping_add(UNIT.wrapping_sub(ratio));
    let (call, put) = if log_moneyness > 0 {
        (inside, out)
    } else {
        (out, inside)
    };
    Pair {
        call: low(round(call.into(), 5)),
        put: low(round(put.into(), 5)),
    }
}

impl Terms {
    /// `max(forward, strike)`, the unit of prices.
    pub fn unit(&self) -> u64 {
        self.forward.max(self.strike)
    }

    fn place(&self) -> Place {
        if self.forward == 0 || self.strike == 0 {
            return Place::NOWHERE;
        }
        // Finer than the results, for short times: the quotient of the two counts.
        let distance = fixed::ln_ratio(self.forward, self.strike).wrapping_abs() >> 1;
        // Two prices may differ by less than a logarithm tells.
        let distance = distance.max(i128::from(self.forward != self.strike));
        Place::new(distance, fixed::fine_total_vol(self.vol, self.seconds), 6)
    }

    fn in_the_money(&self, kind: OptionKind) -> bool {
        match kind {
            OptionKind::Call => self.forward > self.strike,
            OptionKind::Put => self.forward < self.strike,
        }
    }

    fn price_at(&self, place: &Place, kind: OptionKind) -> i64 {
        let ratio = ratio(self.forward, self.strike);
        let out = place.out_of_the_money(ratio);
        let forward_price = if self.in_the_money(kind) {
            out.wrapping_add(UNIT.wrapping_sub(ratio))
        } else {
            out
        };
        low(round(full(self.discount.max(0), forward_price), 62))
    }
}

/// The price in units of `max(forward, strike)`, scaled by [`ONE`].
pub fn price(terms: &Terms, kind: OptionKind) -> i64 {
    terms.price_at(&terms.place(), kind)
}

/// The price in the unit of the forward times `multiple` (the caller's scale), rounded down;
/// saturates.
pub fn value(terms: &Terms, kind: OptionKind, multiple: u64) -> i128 {
    let price = i128::from(price(terms, kind)).wrapping_mul(i128::from(terms.unit()));
    let (whole, part) = (price >> 57, price & i128::from(ONE.wrapping_sub(1)));
    let multiple = i128::from(multiple);
    whole
        .saturating_mul(multiple)
        .saturating_add(part.wrapping_mul(multiple) >> 57)
}

/// The price and its derivatives; `rate` a year in units of 1 / [`ONE`], the one that made
/// `terms.discount`. At no time or no volatility gamma and theta's decay are 0.
pub fn greeks(terms: &Terms, kind: OptionKind, rate: i64) -> Greeks {
    let place = terms.place();
    let (discount, vol) = (terms.discount.max(0), terms.vol.max(0));
    let price = terms.price_at(&place, kind);

    // N(d1); d1 is far above the money and -near below it.
    let call = if terms.forward > terms.strike {
        ONE.wrapping_sub(tail(place.far))
    } else if place.near < 0 {
        ONE.wrapping_sub(tail(place.near.wrapping_neg()))
    } else {
        tail(place.near)
    };
    let delta = match kind {
        OptionKind::Call => call,
        OptionKind::Put => call.wrapping_sub(ONE),
    };

    let root = fixed::root_years(terms.seconds);
    let total = fixed::fine_total_vol(terms.vol, terms.seconds);
    let (mut gamma, mut vega, mut decay) = (0, 0, 0);
    if place.far < FAR {
        // forward / U * n(d1) = n(far), on both sides of the money.
        let dense = |exponent| {
            let (m, k) = exp_parts(exponent);
            // In units of 2^-119 and 2^k, the latter for a result in units of 2^-57.
            (full(discount, mul_high(m, PEAK)), k.wrapping_sub(5))
        };
        let (density, k) = dense(place.exponent());
        vega = scale(mul_wide(density, root, 80), k.wrapping_sub(41));
        if root > 0 {
            let per_year = divide(i128::from(vol) << 63, root);
            decay = scale(mul_wide(density, per_year, 100), k.wrapping_sub(14));
        }
        if total > 0 {
            let twice = fixed::ln_ratio(terms.forward, terms.strike).min(0) << 1;
            let (density, k) = dense(place.exponent().wrapping_sub(twice));
            gamma = scale(divide(density, total), k.wrapping_add(6));
        }
    }
    Greeks {
        price,
        delta: low(round(full(discount, delta), 57)),
        gamma,
        vega,
        theta: (full(rate, price) >> 57).saturating_sub(decay),
    }
}
