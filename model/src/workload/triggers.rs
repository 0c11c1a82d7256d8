//! Orders that wait for a price, and what happens to them while they do.

use super::actions::EDGES;
use super::{Known, Workload};
use ballast_types::{
    Action, Cancel, Condition, Distance, MarketId, Order, PriceSource, Side, Ticks, Trigger,
};

impl Workload {
    /// The order as one that waits: for a price that comes soon, mostly.
    pub(super) fn with_trigger(&mut self, order: Order) -> Order {
        let source = self
            .rng
            .pick(&[PriceSource::Mark, PriceSource::Index, PriceSource::Last]);
        let now = self.source_price(order.market, source);
        let near = now + self.rng.signed(-now / 40, now / 40);
        let condition = match self.rng.below(5) {
            0 => Condition::AtOrAbove(near),
            1 => Condition::AtOrBelow(near),
            _ => Condition::Trail {
                distance: if self.rng.one_in(2) {
                    Distance::Ticks(self.rng.signed(1, now / 150 + 1))
                } else {
                    Distance::Ppm(u32::try_from(self.rng.range(1, 6_000)).unwrap_or(1))
                },
                activation: self.rng.pick(&[0, 0, near]),
            },
        };
        let condition = if self.rng.one_in(30) {
            self.bad_condition()
        } else {
            condition
        };
        let trigger = Some(Trigger { source, condition });
        Order { trigger, ..order }
    }

    fn bad_condition(&mut self) -> Condition {
        let edge = self.rng.pick(&EDGES);
        let (distance, activation) = match self.rng.below(3) {
            0 => (Distance::Ticks(edge), 0),
            1 => (Distance::Ppm(self.rng.pick(&[0, 1_000_000, u32::MAX])), 0),
            _ => (Distance::Ticks(5), edge),
        };
        let trail = Condition::Trail {
            distance,
            activation,
        };
        self.rng.pick(&[
            Condition::AtOrAbove(edge),
            Condition::AtOrBelow(edge),
            trail,
        ])
    }

    pub(super) fn source_price(&self, market: MarketId, source: PriceSource) -> Ticks {
        let last = self.lasts.get(market.index()).copied();
        match source {
            PriceSource::Mark => self.mark(market),
            PriceSource::Index => self.index(market),
            PriceSource::Last => last
                .filter(|price| *price > 0)
                .unwrap_or_else(|| self.mark(market)),
        }
    }

    /// Cancels and amends of some orders that wait, which may be triggered in this block.
    pub(super) fn touch_waiting(&mut self) -> Vec<Vec<u8>> {
        let waiting: Vec<Known> = self
            .orders
            .iter()
            .filter(|known| known.waits && self.is_owned(known.account))
            .copied()
            .collect();
        if waiting.is_empty() {
            return Vec::new();
        }
        let known = self.rng.pick(&waiting);
        let action = match self.rng.below(6) {
            0 => Action::Cancel(Cancel::Order(known.id)),
            1..=3 => Action::Amend(self.amend_of(Some(known))),
            _ => return Vec::new(),
        };
        vec![self.native_of(known.account, vec![action])]
    }

    /// The side that a stop order of a position in this direction has.
    pub(super) fn closing(position: i64) -> Side {
        if position > 0 { Side::Sell } else { Side::Buy }
    }
}
