//! Makes prices and units anew from the records.

use crate::form::status_of;
use crate::passes::Live;
use crate::prices::Prices;
use crate::state::State;
use crate::surface::Published;
use crate::unit::{Inputs, TermInputs, Unit};
use ballast_risk::LotRisk;
use ballast_types::{GroupId, MarketId, MarketKind, MarketStatus, TimeMs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl State {
    /// Prices of the genesis: no group has been refreshed.
    pub(crate) fn first_prices(&self) -> Prices {
        let mut prices = Prices::default();
        self.linear_prices(&mut prices);
        let groups = (0_u16..).map(GroupId).zip(&self.chain.spec.groups);
        prices.units = groups
            .filter_map(|(group, _)| self.unit(group, None).map(Arc::new))
            .collect();
        prices
    }

    /// What the markets of the genesis are worth at their marks.
    pub(crate) fn linear_prices(&self, prices: &mut Prices) {
        prices.live.clear();
        prices.risks.clear();
        for (slot, market) in (0_u32..).zip(&self.chain.spec.markets) {
            let live = self.marks.get(slot).map(|record| Live {
                mark: record.mark,
                index: record.index,
                status: status_of(record.status),
            });
            let live = live.unwrap_or_default();
            prices.risks.push(LotRisk::at(market, live.mark));
            prices.live.push(live);
        }
    }

    /// Refreshes groups: what their units hang on is kept as it is now, and they are made anew.
    pub(crate) fn refresh(
        &mut self,
        groups: &BTreeSet<GroupId>,
        time: TimeMs,
        prices: &mut Prices,
    ) {
        for group in groups {
            let open_interest = self.open_interest(*group);
            if let Some(record) = self.listed.units.get_mut(u32::from(group.0)) {
                record.refreshed = time;
                record.open_interest = open_interest;
            }
            let slots: Vec<_> = self.listed.expiries_of(*group).collect();
            for (_, slot) in slots {
                if let Some(record) = self.listed.expiries.get_mut(slot) {
                    record.unit_sum = record.sum;
                    record.unit_weight = record.weight;
                }
            }
            let before = prices.unit(*group).and_then(|unit| unit.surface.clone());
            if let Some(unit) = self.unit(*group, before)
                && let Some(place) = prices.units.get_mut(group.index())
            {
                *place = Arc::new(unit);
            }
        }
    }

    /// The unit of a group as it was at its last refresh. `surface` is one that may be the same as
    /// before.
    pub(crate) fn unit(&self, group: GroupId, surface: Option<Arc<Published>>) -> Option<Unit> {
        let spec = self.chain.spec.groups.get(group.index())?;
        let record = self.listed.units.get(u32::from(group.0))?;
        let mut inputs = Inputs {
            refreshed: record.refreshed,
            open_interest: record.open_interest,
            per_atom: self.chain.per_atom(group),
            markets: self.chain.markets_of(group),
            ..Inputs::default()
        };
        if record.refreshed > 0 {
            inputs.index = self.group_index(group);
            inputs.perpetual = self.perpetual(group);
            inputs.terms = self.terms(group);
            let published = self.listed.surface(group, false);
            inputs.surface = match surface {
                Some(surface) if surface.expiries == published => Some(surface),
                _ if published.is_empty() => None,
                _ => Some(Arc::new(Published::new(published))),
            };
        }
        Some(Unit::new(spec, self.chain.params(group)?, inputs))
    }

    /// Index of a group in its scale; 0 is none.
    pub(crate) fn group_index(&self, group: GroupId) -> i64 {
        let reference = self.chain.reference(group);
        let price = reference.and_then(|reference| {
            let record = self.marks.get(reference.0)?;
            let x = match record.index {
                0 => record.mark,
                index => index,
            };
            x.checked_mul(self.chain.market(reference)?.tick_price)
        });
        price.unwrap_or(0)
    }

    fn perpetual(&self, group: GroupId) -> Option<i64> {
        let mut markets = self.chain.linear(group);
        let (id, market) = markets.find(|(_, market)| market.kind == MarketKind::Perpetual)?;
        self.marks.get(id.0)?.mark.checked_mul(market.tick_price)
    }

    /// Open interest of the group in money, where its parameters scale by it.
    fn open_interest(&self, group: GroupId) -> i128 {
        let spec = self.chain.spec.groups.get(group.index());
        let Some(spec) = spec.filter(|spec| spec.margin.open_interest.is_some()) else {
            return 0;
        };
        let index = i128::from(self.group_index(group));
        let digits = u32::from(spec.price_digits).saturating_sub(3);
        let by = 10_i128.checked_pow(digits).unwrap_or(i128::MAX);
        let linear = self.chain.linear(group);
        let derivatives = linear.filter(|(_, market)| market.kind.is_derivative());
        // The positions of a market that settles in this block are paid after the refresh.
        let derivatives = derivatives.filter(|(id, _)| !self.settled(*id));
        let money = derivatives.map(|(id, market)| {
            let lots = self
                .marks
                .get(id.0)
                .map_or(0, |record| record.open_interest);
            let amount = i128::from(lots).saturating_mul(market.lot_amount.into());
            let product = amount.checked_mul(index);
            product
                .and_then(|money| money.checked_div(by))
                .unwrap_or(i128::MAX)
        });
        money.fold(0, i128::saturating_add)
    }

    /// Expiries of the group's futures and options that are not settled.
    fn terms(&self, group: GroupId) -> Vec<TermInputs> {
        let mut terms: BTreeMap<TimeMs, TermInputs> = BTreeMap::new();
        for ((_, expiry), slot) in self.listed.expiries_of(group) {
            if let Some(record) = self.listed.expiries.get(slot) {
                let term = terms.entry(expiry).or_default();
                (term.sum, term.weight) = (record.unit_sum, record.unit_weight);
            }
        }
        for (id, market) in self.chain.linear(group) {
            let MarketKind::Future { expiry } = market.kind else {
                continue;
            };
            let Some(record) = self.marks.get(id.0) else {
                continue;
            };
            if status_of(record.status) != MarketStatus::Settled {
                let term = terms.entry(expiry).or_default();
                let mark = record.mark.saturating_mul(market.tick_price);
                term.future = term.future.or(Some(mark));
            }
        }
        let each = terms.into_iter();
        each.map(|(expiry, term)| TermInputs { expiry, ..term })
            .collect()
    }

    pub(crate) fn settled(&self, market: MarketId) -> bool {
        let record = self.marks.get(market.0);
        record.is_some_and(|record| status_of(record.status) == MarketStatus::Settled)
    }
}
