//! What a lot of an option is worth, and what happens when options expire.

use crate::Model;
use crate::expiry::Samples;
use ballast_types::margin::ONE;
use ballast_types::{
    Account, Atoms, Event, GroupId, Lots, MarketId, MarketKind, MarketStatus, OptionKind,
    SETTLEMENT_WINDOW_MS, Ticks, TimeMs,
};
use std::collections::BTreeSet;

/// Figures of one lot of an option, in atoms of the margin asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionLot {
    /// What it is worth.
    pub value: Atoms,
    /// What it gains when volatility rises by a percentage point.
    pub vega: Atoms,
    /// Its delta in the forward; negative for a put.
    pub delta: Atoms,
    /// A lot of the underlying at the index.
    pub underlying: Atoms,
}

/// `x / d` to the nearest, halves up.
pub(crate) fn rounded(x: Atoms, d: Atoms) -> Atoms {
    (2 * x + d).div_euclid(2 * d)
}

/// A ratio of 10^-15 of `x`, which is not negative; to the nearest, halves away from zero.
pub(crate) fn part(ratio: i64, x: Atoms) -> Atoms {
    let size = Atoms::from(ratio.unsigned_abs());
    rounded(size * x, Atoms::from(ONE)) * Atoms::from(ratio.signum())
}

impl Model {
    /// By what a price of a group times 10^-9 of the underlying is divided to be atoms.
    pub(crate) fn scale_of(&self, group: GroupId) -> Atoms {
        let decimals = self.spec.assets[self.spec.margin_asset.index()].decimals;
        let digits = self.spec.groups[group.index()].price_digits + 9 - decimals;
        10_i128.pow(u32::from(digits))
    }

    /// Figures of one lot of an option; zeros of any other market, and while its group has no unit.
    pub fn option_lot(&self, market: MarketId) -> OptionLot {
        if let Some(value) = self.state.payoffs.get(&market) {
            return OptionLot {
                value: *value,
                ..OptionLot::default()
            };
        }
        let unit = self.state.units.get(&self.group_of(market));
        let lot = unit.and_then(|unit| unit.lots.get(&market));
        lot.copied().unwrap_or_default()
    }

    /// How far one lot of an option is out of the money, in atoms, rounded down.
    pub(crate) fn out_of_the_money(&self, market: MarketId) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        let MarketKind::Option { strike, kind, .. } = spec.kind else {
            return 0;
        };
        let index = match self.state.units.get(&spec.group) {
            Some(unit) => unit.scenarios.marks().index,
            None => 0,
        };
        let away = match kind {
            OptionKind::Call => strike - index,
            OptionKind::Put => index - strike,
        };
        Atoms::from(away.max(0)) * Atoms::from(spec.lot_amount) / self.scale_of(spec.group)
    }

    /// Options that are not settled: group and expiry, each once, ascending.
    fn live_expiries(&self) -> BTreeSet<(GroupId, TimeMs)> {
        self.markets()
            .filter(|market| !self.is_settled(*market))
            .filter_map(|market| match self.spec.markets[market.index()].kind {
                MarketKind::Option { expiry, .. } => Some((self.group_of(market), expiry)),
                _ => None,
            })
            .collect()
    }

    /// Before anything of the block takes effect: the time since the block before, at the index.
    pub(crate) fn sample_options(&mut self, last: TimeMs) {
        let time = self.block.time;
        for (group, expiry) in self.live_expiries() {
            let begin = expiry.saturating_sub(SETTLEMENT_WINDOW_MS);
            let within = time.min(expiry).saturating_sub(last.max(begin));
            let index = self.group_index(group);
            let samples = self
                .state
                .option_samples
                .entry((group, expiry))
                .or_default();
            samples.sum += Atoms::from(index) * Atoms::from(within);
            samples.weight += within;
        }
    }

    /// After prices and surfaces: options that have expired are settled.
    pub(crate) fn settle_options(&mut self) {
        for (group, expiry) in self.live_expiries() {
            if self.block.time < expiry {
                continue;
            }
            let price = self.option_settlement_price(group, expiry);
            let here: Vec<MarketId> = self.markets_of(group).collect();
            for market in here {
                let MarketKind::Option {
                    expiry: of,
                    strike,
                    kind,
                } = self.spec.markets[market.index()].kind
                else {
                    continue;
                };
                if of == expiry && !self.is_settled(market) {
                    let inside = match kind {
                        OptionKind::Call => price - Atoms::from(strike),
                        OptionKind::Put => Atoms::from(strike) - price,
                    };
                    self.settle_option(market, inside.max(0));
                }
            }
            self.block.stale.insert(group);
        }
    }

    /// The average of the samples in the scale of the group.
    fn option_settlement_price(&mut self, group: GroupId, expiry: TimeMs) -> Atoms {
        let samples = self.state.option_samples.get(&(group, expiry));
        let Samples { sum, weight } = samples.copied().unwrap_or_default();
        if weight == 0 {
            return Atoms::from(self.group_index(group));
        }
        let weight = Atoms::from(weight);
        (sum + weight / 2) / weight
    }

    fn settle_option(&mut self, market: MarketId, inside: Atoms) {
        let spec = &self.spec.markets[market.index()];
        let payoff = inside * Atoms::from(spec.lot_amount) / self.scale_of(spec.group);
        let price = rounded(payoff, spec.tick_value).min(Atoms::from(spec.max_price));
        let price = Ticks::try_from(price).expect("at most the largest price");
        self.state.payoffs.insert(market, payoff);
        self.state.marks[market.index()] = price;
        self.state.statuses[market.index()] = MarketStatus::Settled;
        let side = if payoff > 0 { "in" } else { "out of" };
        let call = matches!(
            spec.kind,
            MarketKind::Option {
                kind: OptionKind::Call,
                ..
            }
        );
        let name = if call { "call" } else { "put" };
        self.coverage
            .count(&format!("{name} settled {side} the money"));
        let positions = self.state.positions.iter_mut();
        let here = positions.filter(|((_, of), _)| *of == market);
        let held: Vec<(Account, Lots)> = here
            .map(|((account, _), position)| (*account, std::mem::take(&mut position.size)))
            .collect();
        for (account, lots) in held {
            self.coverage.count_if(lots > 0, "long option settled");
            self.coverage.count_if(lots < 0, "short option settled");
            let cash = Atoms::from(lots) * payoff;
            self.state
                .add_balance(account, self.spec.margin_asset, cash);
        }
        self.block.events.push(Event::Settled { market, price });
    }
}

#[cfg(test)]
mod tests {
    use super::{part, rounded};

    #[test]
    fn halves_round_up_and_away_from_zero() {
        for (x, d, expected) in [(5, 2, 3), (4, 3, 1), (-5, 2, -2), (0, 7, 0)] {
            assert_eq!(rounded(x, d), expected);
        }
        let half = 500_000_000_000_000;
        for (ratio, x, expected) in [(half, 1, 1), (-half, 1, -1), (half, 4, 2), (-half, 21, -11)] {
            assert_eq!(part(ratio, x), expected, "{ratio} {x}");
        }
    }
}
