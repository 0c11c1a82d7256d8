//! A group's unit: what its options and its portfolio margin are computed from, made anew when a
//! price, a surface or a market of the group changes.

use crate::Model;
use crate::option::{OptionLot, part, rounded};
use ballast_risk::portfolio::{ExpiryMarks, Marks, ONE, OptionTerms, RiskArray, Scenarios};
use ballast_risk::surface::moneyness;
use ballast_types::{Atoms, GroupId, MarketId, MarketKind, SETTLEMENT_WINDOW_MS, Ticks, TimeMs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A group's part of the margin method at its last refresh.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) scenarios: Scenarios,
    /// Of the marks.
    pub(crate) expiries: Vec<TimeMs>,
    /// Of the options whose figures the kernel gives.
    pub(crate) arrays: BTreeMap<MarketId, RiskArray>,
    pub(crate) lots: BTreeMap<MarketId, OptionLot>,
}

/// What an expiry's options are priced from.
struct Forward {
    expiry: TimeMs,
    price: i64,
    rate: i64,
    source: &'static str,
}

impl Model {
    /// Pass 0: groups that something happened to get a new unit, all of them in the first block.
    pub(crate) fn refresh_groups(&mut self) {
        for group in self.groups() {
            let first = !self.state.refreshed.contains_key(&group);
            if first || self.block.stale.contains(&group) {
                self.refresh_group(group);
            }
        }
    }

    fn refresh_group(&mut self, group: GroupId) {
        self.state.refreshed.insert(group, self.block.time);
        let mut names = Vec::new();
        let unit = self.unit(group, &mut names);
        for name in names {
            self.coverage.count(name);
        }
        for market in self.markets_of(group).collect::<Vec<_>>() {
            let spec = &self.spec.markets[market.index()];
            let option = matches!(spec.kind, MarketKind::Option { .. });
            if !option || self.is_settled(market) {
                continue;
            }
            let (mark, index) = unit.as_ref().map_or((0, 0), |unit| {
                unit.lots.get(&market).map_or((0, 0), |lot| {
                    let index = unit.scenarios.marks().index;
                    (rounded(lot.value, spec.tick_value), index / spec.tick_price)
                })
            });
            self.state.marks[market.index()] = Ticks::try_from(mark).expect("a price in ticks");
            self.state.indexes[market.index()] = index;
        }
        match unit {
            Some(unit) => self.state.units.insert(group, unit),
            None => self.state.units.remove(&group),
        };
    }

    /// The unit as it is now; `None` without an index, and when the kernel refuses it. Adds names for
    /// the coverage.
    fn unit(&self, group: GroupId, names: &mut Vec<&'static str>) -> Option<Unit> {
        let index = self.group_index(group);
        if index == 0 {
            return None;
        }
        let forwards: Vec<Forward> = self
            .expiries_of(group)
            .into_iter()
            .map(|expiry| self.forward(group, expiry, index))
            .collect();
        names.extend(forwards.iter().map(|forward| forward.source));
        let params = &self.spec.groups[group.index()].margin;
        let marks = Marks {
            price_digits: u32::from(self.spec.groups[group.index()].price_digits),
            stable: ONE,
            index,
            index_confidence: ONE,
            perpetual: self.perpetual_price(group).unwrap_or(index),
            perpetual_confidence: ONE,
            open_interest: self.open_interest(group, index),
            expiries: forwards
                .iter()
                .map(|forward| self.expiry_marks(group, forward))
                .collect(),
        };
        let scenarios = Scenarios::new(Arc::new(params.clone()), marks).ok()?;
        let mut unit = Unit {
            scenarios,
            expiries: forwards.iter().map(|forward| forward.expiry).collect(),
            arrays: BTreeMap::new(),
            lots: BTreeMap::new(),
        };
        for market in self.markets_of(group) {
            let MarketKind::Option {
                expiry,
                strike,
                kind,
            } = self.spec.markets[market.index()].kind
            else {
                continue;
            };
            if self.is_settled(market) {
                continue;
            }
            let at = forwards.iter().position(|f| f.expiry == expiry)?;
            let (volatility, name) = self.volatility(group, &forwards[at], strike);
            names.push(name);
            let terms = OptionTerms {
                kind,
                strike,
                volatility,
            };
            let Ok(array) = unit.scenarios.option(at, &terms) else {
                continue;
            };
            names.extend(
                self.is_fixed_in_part(group, expiry)
                    .then_some("forward in the settlement window"),
            );
            let lot = self.lot(market, &array, &forwards[at], index);
            unit.arrays.insert(market, array);
            unit.lots.insert(market, lot);
        }
        Some(unit)
    }

    /// Expiries of futures and options that are not settled.
    fn expiries_of(&self, group: GroupId) -> BTreeSet<TimeMs> {
        self.markets_of(group)
            .filter(|market| !self.is_settled(*market))
            .filter_map(|market| self.spec.markets[market.index()].kind.expiry())
            .collect()
    }

    fn perpetual_price(&self, group: GroupId) -> Option<i64> {
        self.price_of(group, |kind| matches!(kind, MarketKind::Perpetual))
    }

    /// Mark of the first such market, in the scale of the group.
    fn price_of(&self, group: GroupId, is: impl Fn(&MarketKind) -> bool) -> Option<i64> {
        let mut here = self.markets_of(group);
        let market = here.find(|market| is(&self.spec.markets[market.index()].kind))?;
        Some(self.state.mark(market) * self.spec.markets[market.index()].tick_price)
    }

    /// In money; 0 unless the parameters scale by it.
    fn open_interest(&self, group: GroupId, index: i64) -> i128 {
        let spec = &self.spec.groups[group.index()];
        if spec.margin.open_interest.is_none() {
            return 0;
        }
        let scale = 10_i128.pow(u32::from(spec.price_digits) - 3);
        let linear = self.markets_of(group).filter(|market| {
            let kind = self.spec.markets[market.index()].kind;
            matches!(kind, MarketKind::Perpetual | MarketKind::Future { .. })
        });
        linear
            .map(|market| {
                let held = self.state.positions.iter();
                let here = held.filter(|((_, of), _)| *of == market);
                let lots: i128 = here.map(|(_, p)| i128::from(p.size.max(0))).sum();
                let lot = i128::from(self.spec.markets[market.index()].lot_amount);
                lots * lot * i128::from(index) / scale
            })
            .sum()
    }

    fn forward(&self, group: GroupId, expiry: TimeMs, index: i64) -> Forward {
        let published = self.state.surfaces.get(&group);
        let published = published.and_then(|surface| surface.of(expiry));
        let future = || {
            let same = |kind: &MarketKind| matches!(kind, MarketKind::Future { expiry: e } if *e == expiry);
            self.price_of(group, same)
        };
        let (price, source) = match (published, future()) {
            (Some(published), _) => (published.forward, "forward of a surface"),
            (None, Some(mark)) => (mark, "forward of a future"),
            (None, None) => (index, "forward of the index"),
        };
        Forward {
            expiry,
            price,
            rate: published.map_or(0, |published| published.rate),
            source,
        }
    }

    fn is_fixed_in_part(&self, group: GroupId, expiry: TimeMs) -> bool {
        let samples = self.state.option_samples.get(&(group, expiry));
        samples.is_some_and(|samples| samples.weight > 0)
    }

    fn expiry_marks(&self, group: GroupId, forward: &Forward) -> ExpiryMarks {
        let window = Atoms::from(SETTLEMENT_WINDOW_MS);
        let samples = self.state.option_samples.get(&(group, forward.expiry));
        let samples = samples.copied().unwrap_or_default();
        let open = window - Atoms::from(samples.weight);
        let fits = |price| i64::try_from(price).expect("a part of a price");
        let left = forward.expiry.saturating_sub(self.block.time) / 1_000;
        ExpiryMarks {
            secs: i64::try_from(left).expect("a time in seconds"),
            forward: fits(Atoms::from(forward.price) * open / window),
            fixed: fits(samples.sum / window),
            rate: forward.rate,
            forward_confidence: ONE,
            rate_confidence: ONE,
            volatility_confidence: ONE,
        }
    }

    /// Volatility of an option, and where it is from.
    fn volatility(&self, group: GroupId, forward: &Forward, strike: i64) -> (i64, &'static str) {
        let seconds = |ms: TimeMs| i64::try_from(ms / 1_000).expect("a time in seconds");
        let (expiry, now) = (seconds(forward.expiry), seconds(self.block.time));
        let k = moneyness(strike, forward.price);
        let surface = self.state.surfaces.get(&group);
        match surface.and_then(|of| of.surface.volatility(k, expiry, now)) {
            Some(volatility) => (volatility, "volatility of a surface"),
            None => {
                let volatility = self.spec.groups[group.index()].volatility;
                (volatility, "volatility of the group")
            }
        }
    }

    fn lot(&self, market: MarketId, array: &RiskArray, forward: &Forward, index: i64) -> OptionLot {
        let spec = &self.spec.markets[market.index()];
        let scale = self.scale_of(spec.group);
        let of = |price: i64| Atoms::from(price) * Atoms::from(spec.lot_amount);
        OptionLot {
            value: rounded(of(array.mark), scale),
            vega: rounded(of(array.vega), 100 * scale),
            delta: part(array.delta, of(forward.price) / scale),
            underlying: of(index) / scale,
        }
    }
}
