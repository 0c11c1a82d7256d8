//! Prices and derivatives with digits in the far wings, where those in units of 2^-57 are 0.
//!
//! For reports and comparisons; the chain needs none of it.

use super::fixed::{
    WIDE, divide, exp_parts, fine_total_vol, fraction, full, ln_ratio, mul_high, mul_wide,
    root_years, scale,
};
use super::normal::{FAR, PEAK, mills};
use super::{OptionKind, Place, Terms};

/// `digits * 2^-bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// The number, but for its scale.
    pub digits: i128,
    /// Bits after the point.
    pub bits: u32,
}

/// As [`Greeks`](super::Greeks), with up to 60 significant bits whatever the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideGreeks {
    /// Price / U.
    pub price: Scaled,
    /// Change of the price with the forward, discount included; has no unit.
    pub delta: Scaled,
    /// Change of delta with the forward, times U.
    pub gamma: Scaled,
    /// Change of the price with the volatility, per 1.00, / U.
    pub vega: Scaled,
    /// Change of the price with calendar time at a fixed forward, per year, / U.
    pub theta: Scaled,
}

impl Scaled {
    const ZERO: Self = Self {
        digits: 0,
        bits: 120,
    };

    /// `digits * 2^(power - bits)`, for digits that are not below 0.
    fn new(digits: i128, bits: i64, power: i64) -> Self {
        let bits = bits.saturating_sub(power);
        match u32::try_from(bits) {
            Ok(bits) => Self { digits, bits },
            Err(_) => Self {
                digits: scale(digits, bits.saturating_neg()),
                bits: 0,
            },
        }
    }

    /// In units of 2^-bits, rounded; saturates.
    pub fn to_bits(self, bits: u32) -> i128 {
        let shift = i64::from(bits).wrapping_sub(i64::from(self.bits));
        let size = i128::try_from(self.digits.unsigned_abs()).unwrap_or(i128::MAX);
        let size = scale(size, shift);
        if self.digits < 0 {
            size.wrapping_neg()
        } else {
            size
        }
    }

    fn minus(self, other: Self) -> Self {
        if other.digits == 0 {
            return self;
        }
        let bits = if self.digits == 0 {
            other.bits
        } else {
            self.bits.min(other.bits)
        };
        let digits = self.to_bits(bits).saturating_sub(other.to_bits(bits));
        Self { digits, bits }
    }

    /// The product with a number in units of 1 / [`WIDE`].
    fn times(self, factor: i128) -> Self {
        let digits = mul_wide(self.digits, factor, 120);
        Self { digits, ..self }
    }
}

/// The upper tail of the normal distribution at any `y`.
fn tail(y: i64) -> Scaled {
    if y < 0 {
        let rest = tail(y.saturating_neg()).to_bits(120);
        return Scaled::new(WIDE.wrapping_sub(rest), 120, 0);
    }
    if y >= FAR {
        return Scaled::ZERO;
    }
    let (m, k) = super::normal::density(y);
    Scaled::new(full(m, mills(y)), 123, k)
}

/// The undiscounted price.
fn forward_price(terms: &Terms, place: &Place, kind: OptionKind) -> Scaled {
    let (small, large) = (
        terms.forward.min(terms.strike),
        terms.forward.max(terms.strike),
    );
    if !terms.in_the_money(kind) && place.near >= 0 {
        if place.far >= FAR {
            return Scaled::ZERO;
        }
        let (m, k) = super::normal::density(place.far);
        let tails = mills(place.near).wrapping_sub(mills(place.far)).max(0);
        return Scaled::new(full(m, tails), 123, k);
    }
    let out = place.out_of_the_money_in(120, fraction(small, large));
    let intrinsic = if terms.in_the_money(kind) {
        fraction(large.wrapping_sub(small), large)
    } else {
        0
    };
    Scaled::new(out.wrapping_add(intrinsic), 120, 0)
}

/// As [`greeks`](super::greeks), with `rate` and `discount` in units of 1 / [`WIDE`]; the latter
/// takes the place of that of `terms`.
pub fn greeks_wide(terms: &Terms, kind: OptionKind, rate: i128, discount: i128) -> WideGreeks {
    let place = terms.place();
    let discount = discount.max(0);
    let price = forward_price(terms, &place, kind).times(discount);
    // d1 is far above the money and -near below it.
    let d1 = if terms.forward > terms.strike {
        place.far
    } else {
        place.near.wrapping_neg()
    };
    let delta = match kind {
        OptionKind::Call => tail(d1.wrapping_neg()),
        OptionKind::Put => Scaled::ZERO.minus(tail(d1)),
    };
    let (mut gamma, mut vega, mut decay) = (Scaled::ZERO, Scaled::ZERO, Scaled::ZERO);
    if place.far < FAR {
        let root = root_years(terms.seconds);
        let total = fine_total_vol(terms.vol, terms.seconds);
        // In units of 2^(k - 119).
        let dense = |exponent| {
            let (m, k) = exp_parts(exponent);
            (mul_wide(discount, mul_high(m, PEAK).into(), 63), k)
        };
        let (density, k) = dense(place.exponent());
        vega = Scaled::new(mul_wide(density, root, 80), 103, k);
        if root > 0 {
            let per_year = divide(i128::from(terms.vol.max(0)) << 63, root);
            decay = Scaled::new(mul_wide(density, per_year, 100), 76, k);
        }
        if total > 0 {
            let twice = ln_ratio(terms.forward, terms.strike).min(0) << 1;
            let (density, k) = dense(place.exponent().wrapping_sub(twice));
            gamma = Scaled::new(divide(density, total), 56, k);
        }
    }
    WideGreeks {
        price,
        delta: delta.times(discount),
        gamma,
        vega,
        theta: price.times(rate).minus(decay),
    }
}
