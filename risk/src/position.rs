use ballast_types::{Atoms, Lots, Side, Ticks};

/// A position in a perpetual: lots and what the open ones cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Lots; short is negative.
    pub size: Lots,
    /// Atoms paid for the open lots; negative for a short position.
    pub cost: Atoms,
}

impl Position {
    /// Applies a fill of `lots` at `price` and returns the gain that it realises, which belongs to
    /// the balance. Closing takes a proportional part of the cost, truncated toward zero, so that
    /// balance minus cost changes by exactly minus the trade's value.
    pub fn fill(&mut self, side: Side, lots: Lots, price: Ticks, tick_value: Atoms) -> Atoms {
        let signed = signed(side, lots);
        let value = notional(price, signed, tick_value);
        let closes = self.size != 0 && (self.size > 0) != (signed > 0);
        let realised = if closes {
            let closed = lots.min(self.size.saturating_abs());
            let part = self.cost_of(closed);
            let closing_value = notional(price, signed.signum().saturating_mul(closed), tick_value);
            self.cost = self.cost.saturating_sub(part);
            self.cost = self
                .cost
                .saturating_add(value.saturating_sub(closing_value));
            0_i128.saturating_sub(closing_value).saturating_sub(part)
        } else {
            self.cost = self.cost.saturating_add(value);
            0
        };
        self.size = self.size.saturating_add(signed);
        realised
    }

    /// The gain that is not realised yet, with a lot worth `lot_value`.
    pub fn unrealised(&self, lot_value: Atoms) -> Atoms {
        Atoms::from(self.size)
            .saturating_mul(lot_value)
            .saturating_sub(self.cost)
    }

    /// `cost * lots / |size|` without an overflow in the product.
    fn cost_of(&self, lots: Lots) -> Atoms {
        let size = Atoms::from(self.size).saturating_abs();
        let lots = Atoms::from(lots);
        let whole = self.cost.checked_div(size).unwrap_or(0);
        let rest = self.cost.checked_rem(size).unwrap_or(0);
        let of_rest = rest.saturating_mul(lots).checked_div(size).unwrap_or(0);
        whole.saturating_mul(lots).saturating_add(of_rest)
    }
}

/// Lots with the sign of the side.
fn signed(side: Side, lots: Lots) -> Lots {
    match side {
        Side::Buy => lots,
        Side::Sell => 0_i64.saturating_sub(lots),
    }
}

/// Value of `lots` at `price`.
pub fn notional(price: Ticks, lots: Lots, tick_value: Atoms) -> Atoms {
    Atoms::from(price)
        .saturating_mul(tick_value)
        .saturating_mul(Atoms::from(lots))
}

/// `amount * ppm / 1,000,000`, rounded toward positive infinity.
pub fn round_up_ppm(amount: Atoms, ppm: i64) -> Atoms {
    const MILLION: Atoms = 1_000_000;
    let product = amount.saturating_mul(Atoms::from(ppm));
    let floor = product.div_euclid(MILLION);
    if product.rem_euclid(MILLION) == 0 {
        floor
    } else {
        floor.saturating_add(1)
    }
}

/// Fee of one lot traded at `price`; negative is a rebate. A fill of `q` lots pays `q` times this,
/// so that fees are linear in size and a reserve made per lot is exact.
pub fn fee_per_lot(price: Ticks, tick_value: Atoms, ppm: i32) -> Atoms {
    round_up_ppm(
        Atoms::from(price).saturating_mul(tick_value),
        i64::from(ppm),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_follow_the_table() {
        // (size, cost) before; side, lots, price; (size, cost) after; realised. Tick value 1.
        let rows = [
            ((0, 0), Side::Buy, 10, 100, (10, 1000), 0),
            ((10, 1000), Side::Buy, 5, 120, (15, 1600), 0),
            ((10, 1000), Side::Sell, 4, 110, (6, 600), 40),
            ((10, 1000), Side::Sell, 10, 90, (0, 0), -100),
            ((10, 1000), Side::Sell, 15, 110, (-5, -550), 100),
            ((-10, -1000), Side::Buy, 4, 90, (-6, -600), 40),
            ((-10, -1000), Side::Buy, 12, 110, (2, 220), -100),
            ((3, 100), Side::Sell, 1, 40, (2, 67), 7),
            ((-3, -100), Side::Buy, 1, 40, (-2, -67), -7),
        ];
        for ((size, cost), side, lots, price, after, realised) in rows {
            let mut position = Position { size, cost };
            let got = position.fill(side, lots, price, 1);
            assert_eq!(
                (position.size, position.cost),
                after,
                "{size} {cost} {side:?} {lots}"
            );
            assert_eq!(got, realised, "{size} {cost} {side:?} {lots}");
        }
    }

    #[test]
    fn rounding_is_toward_positive_infinity() {
        for (amount, ppm, expected) in [
            (1_000_000, 1, 1),
            (1, 1, 1),
            (0, 5, 0),
            (1_000_001, -1, -1),
            (1, -1, 0),
            (-1, 1, 0),
        ] {
            assert_eq!(round_up_ppm(amount, ppm), expected, "{amount} {ppm}");
        }
    }
}
