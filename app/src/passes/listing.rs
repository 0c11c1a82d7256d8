//! Pass 0: series list options, as time passes and the index moves.

use crate::prices::{OptionState, Prices};
use crate::records::{LadderRecord, MarkRecord, OptionRecord};
use crate::state::State;
use ballast_types::{Event, GroupId, MarketId, OptionKind, SeriesSpec, TimeMs, strike_step};
use bytemuck::Zeroable;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a listing is doing.
struct Listing<'a> {
    state: &'a mut State,
    prices: &'a mut Prices,
    events: &'a mut Vec<Event>,
    /// Strikes that may still be listed in the block.
    left: u32,
}

/// Lists what the series have room for, up to the quota. Returns the groups of which an option was
/// listed.
pub(crate) fn list(
    state: &mut State,
    time: TimeMs,
    prices: &mut Prices,
    events: &mut Vec<Event>,
) -> BTreeSet<GroupId> {
    let spec = Arc::clone(&state.chain.spec);
    let mut groups = BTreeSet::new();
    let mut listing = Listing {
        left: spec.limits.listings,
        state,
        prices,
        events,
    };
    for (number, series) in (0_u16..).zip(&spec.series) {
        let group = series.market.group;
        let index = listing.state.group_index(group);
        if index == 0 {
            continue;
        }
        let before = listing.left;
        for expiry in series.expiries(time) {
            // A table without practical limit takes every option.
            let _ = listing.grow(number, series, index, expiry);
        }
        if listing.left < before {
            groups.insert(group);
        }
    }
    groups
}

/// The multiple of `step` nearest to `index`, half up, and at least one step.
fn centre(index: i64, step: i64) -> Option<i64> {
    let half = step.checked_div(2)?;
    let steps = index.saturating_add(half).checked_div(step)?;
    steps.max(1).checked_mul(step)
}

impl Listing<'_> {
    /// Lists strikes of an expiry until they reach as far as they are to.
    fn grow(&mut self, number: u16, series: &SeriesSpec, index: i64, expiry: TimeMs) -> Option<()> {
        let group = series.market.group;
        let slot = match self.state.listed.ladder_at.get(&(number, expiry)) {
            Some(slot) => slot,
            None if self.left == 0 => return Some(()),
            None => {
                let step = strike_step(index, series.step_ppm);
                let middle = centre(index, step)?;
                self.state.listed.open_expiry((group, expiry))?;
                self.strike(number, series, expiry, middle)?;
                self.state.listed.open_ladder(LadderRecord {
                    series: number,
                    expiry,
                    step,
                    low: middle,
                    high: middle,
                    ..LadderRecord::zeroed()
                })?
            }
        };
        let before = *self.state.listed.ladders.get(slot)?;
        let mut ladder = before;
        let step = ladder.step;
        let middle = centre(index, step)?;
        let reach = step.saturating_mul(series.strikes.into());
        while ladder.high < middle.saturating_add(reach) && self.room(&ladder, series) {
            let Some(next) = ladder.high.checked_add(step) else {
                break;
            };
            self.strike(number, series, expiry, next)?;
            ladder.high = next;
        }
        let least = middle.saturating_sub(reach).max(step);
        while ladder.low > least && self.room(&ladder, series) {
            let next = ladder.low.saturating_sub(step);
            self.strike(number, series, expiry, next)?;
            ladder.low = next;
        }
        if (ladder.low, ladder.high) != (before.low, before.high) {
            *self.state.listed.ladders.get_mut(slot)? = ladder;
        }
        Some(())
    }

    /// Whether another strike may be listed, in the ladder and in this block.
    fn room(&self, ladder: &LadderRecord, series: &SeriesSpec) -> bool {
        let span = ladder.high.saturating_sub(ladder.low);
        let above = span.checked_div(ladder.step).unwrap_or(i64::MAX);
        self.left > 0 && above.saturating_add(1) < i64::from(series.max_strikes)
    }

    /// Lists the call and the put of a strike.
    fn strike(
        &mut self,
        number: u16,
        series: &SeriesSpec,
        expiry: TimeMs,
        strike: i64,
    ) -> Option<()> {
        self.left = self.left.saturating_sub(1);
        let group = series.market.group;
        for kind in [OptionKind::Call, OptionKind::Put] {
            let record = OptionRecord {
                expiry,
                strike,
                series: number,
                ..OptionRecord::of(kind)
            };
            let market = record.market(&self.state.chain.spec)?;
            let id = MarketId(self.state.marks.push(MarkRecord::zeroed()).ok()?);
            self.state.listed.options.push(record).ok()?;
            self.state.groups.get_mut(group.index())?.list(id)?;
            Arc::make_mut(&mut self.state.chain).list(market);
            self.state.listed.unsettled.insert((group, expiry, id), ());
            Arc::make_mut(&mut self.prices.options).push(OptionState::default());
            self.events.push(Event::Listed {
                market: id,
                series: number,
                expiry,
                strike,
                kind,
            });
        }
        Some(())
    }
}
