//! Which options the series list, and how markets join those of the genesis.

use crate::Model;
use crate::expiry::Samples;
use ballast_types::{
    Event, GroupId, MarketId, MarketSpec, MarketStatus, OptionKind, SeriesSpec, TimeMs, strike_step,
};

/// What a series has listed of one expiry: every strike from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Distance of strikes, in the scale of the group.
    pub step: i64,
    /// The lowest strike.
    pub low: i64,
    /// The highest strike.
    pub high: i64,
}

impl Ladder {
    fn strikes(&self) -> i64 {
        (self.high - self.low) / self.step + 1
    }
}

impl Model {
    /// Pass 0, after prices and settlements: series list what they lack.
    pub(crate) fn list(&mut self) {
        let mut quota = self.spec.limits.listings;
        for at in 0..self.spec.series.len() {
            let series = self.spec.series[at].clone();
            let index = self.group_index(series.market.group);
            if index == 0 {
                continue;
            }
            for expiry in series.expiries(self.block.time) {
                self.extend(at, &series, expiry, index, &mut quota);
            }
        }
    }

    fn extend(
        &mut self,
        at: usize,
        series: &SeriesSpec,
        expiry: TimeMs,
        index: i64,
        quota: &mut u32,
    ) {
        let known = self.state.ladders.get(&(at, expiry)).copied();
        let mut wanted = Vec::new();
        let mut ladder = known.unwrap_or_else(|| {
            let step = strike_step(index, series.step_ppm);
            let low = nearest(index, step);
            wanted.push(low);
            Ladder {
                step,
                low,
                high: low,
            }
        });
        let centre = nearest(index, ladder.step);
        let reach = i64::from(series.strikes).saturating_mul(ladder.step);
        let most = i64::from(series.max_strikes);
        while ladder.strikes() < most && ladder.high < centre.saturating_add(reach) {
            ladder.high += ladder.step;
            wanted.push(ladder.high);
        }
        while ladder.strikes() < most
            && ladder.low > centre.saturating_sub(reach)
            && ladder.low > ladder.step
        {
            ladder.low -= ladder.step;
            wanted.push(ladder.low);
        }
        let full = ladder.strikes() >= most
            && (ladder.high < centre.saturating_add(reach)
                || ladder.low > centre.saturating_sub(reach).max(ladder.step));
        self.coverage.count_if(full, "ladder full");
        for strike in wanted {
            if *quota == 0 {
                self.coverage.count("listing stopped by its quota");
                return;
            }
            *quota -= 1;
            let listed = self.state.ladders.entry((at, expiry)).or_insert(Ladder {
                step: ladder.step,
                low: strike,
                high: strike,
            });
            self.coverage.count(if strike > listed.high {
                "ladder grows above"
            } else if strike < listed.low {
                "ladder grows below"
            } else {
                "ladder begins"
            });
            listed.low = listed.low.min(strike);
            listed.high = listed.high.max(strike);
            for kind in [OptionKind::Call, OptionKind::Put] {
                self.list_option(at, series, expiry, strike, kind);
            }
        }
    }

    fn list_option(
        &mut self,
        at: usize,
        series: &SeriesSpec,
        expiry: TimeMs,
        strike: i64,
        kind: OptionKind,
    ) {
        let group = series.market.group;
        let digits = self.spec.groups[group.index()].price_digits;
        let market = self.add_market(series.market(expiry, strike, kind, digits));
        self.block.stale.insert(group);
        self.block.events.push(Event::Listed {
            market,
            series: u16::try_from(at).expect("at most 2^16 series"),
            expiry,
            strike,
            kind,
        });
    }

    /// A market with the next number.
    fn add_market(&mut self, spec: MarketSpec) -> MarketId {
        let id = u32::try_from(self.spec.markets.len()).expect("fits an id");
        self.spec.markets.push(spec);
        let state = &mut self.state;
        state.marks.push(0);
        state.indexes.push(0);
        state.lasts.push(0);
        state.statuses.push(MarketStatus::Open);
        state.samples.push(Samples::default());
        state.trades.push(0);
        MarketId(id)
    }

    /// The market whose prices are those of the group.
    fn reference_of(&self, group: GroupId) -> Option<MarketId> {
        let here: Vec<MarketId> = self.markets_of(group).collect();
        let first = |kind: fn(&ballast_types::MarketKind) -> bool| {
            let mut here = here.iter().copied();
            here.find(|market| kind(&self.spec.markets[market.index()].kind))
        };
        use ballast_types::MarketKind::{Future, Perpetual, Spot};
        first(|kind| matches!(kind, Perpetual))
            .or_else(|| first(|kind| matches!(kind, Spot { .. })))
            .or_else(|| first(|kind| matches!(kind, Future { .. })))
    }

    /// Index of a group in its scale; 0 is none.
    pub(crate) fn group_index(&self, group: GroupId) -> i64 {
        self.reference_of(group).map_or(0, |market| {
            let tick = self.spec.markets[market.index()].tick_price;
            self.index_or_mark(market) * tick
        })
    }

    /// The markets of a group, ascending.
    pub(crate) fn markets_of(&self, group: GroupId) -> impl Iterator<Item = MarketId> {
        self.markets()
            .filter(move |market| self.group_of(*market) == group)
    }
}

/// The multiple of `step` nearest to `price`, half up; at least one step.
fn nearest(price: i64, step: i64) -> i64 {
    let price = i128::from(price) + i128::from(step) / 2;
    let multiple = price / i128::from(step) * i128::from(step);
    i64::try_from(multiple).unwrap_or(i64::MAX).max(step)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_strike_is_at_least_one_step() {
        for (price, step, strike) in [
            (100, 10, 100),
            (104, 10, 100),
            (105, 10, 110),
            (7, 5, 5),
            (8, 5, 10),
            (2, 5, 5),
            (0, 1, 1),
        ] {
            assert_eq!(nearest(price, step), strike, "{price} {step}");
        }
    }
}
