//! Protection of quotes: what they may trade in an interval, and what happens when that is all.

use crate::Model;
use crate::authorise::Request;
use crate::state::{PlacedOrder, sign};
use ballast_types::{
    Account, Atoms, Code, Event, GroupId, Lots, MarketKind, Removal, SetProtection, TimeMs, ticket,
};

/// Longest interval and freeze, a day.
const LONGEST_MS: TimeMs = 86_400_000;

/// Protection of the quotes of an account in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// As it was set.
    pub settings: SetProtection,
    /// When the interval began, in ms.
    pub start: TimeMs,
    /// Notional that traded in the interval, in atoms of the margin asset.
    pub notional: Atoms,
    /// Value bought less value sold in the interval, in atoms of the margin asset.
    pub delta: Atoms,
    /// Vega bought less vega sold in the interval, in atoms of the margin asset.
    pub vega: Atoms,
    /// Block time in ms until which quotes are refused; zero is not at all.
    pub frozen_until: TimeMs,
}

/// What a lot of a quote counts as notional, delta and vega.
struct QuoteLot {
    paid: Atoms,
    /// At the mark, or at its price; of an option its delta.
    delta: Atoms,
    vega: Atoms,
}

impl Model {
    /// Pass 1.
    pub(crate) fn check_protection(&self, protection: &SetProtection) -> Result<(), Code> {
        self.check_group(protection.group)?;
        if protection.interval_ms > LONGEST_MS || protection.freeze_ms > LONGEST_MS {
            return Err(Code::BadProtection);
        }
        Ok(())
    }

    /// Pass 2: new settings, and nothing that the old ones left.
    pub(crate) fn set_protections(&mut self, requests: Vec<Request<SetProtection>>) {
        for group in self.groups() {
            let mut here: Vec<_> = requests
                .iter()
                .filter(|request| request.action.group == group)
                .collect();
            here.sort_by_key(|request| {
                (
                    ticket(&self.block.seed, group, request.account.master),
                    request.key,
                )
            });
            for request in here {
                let thawed = self.is_frozen(request.account, group);
                self.coverage
                    .count_if(thawed, "frozen quotes allowed again");
                let protection = Protection {
                    settings: request.action,
                    start: 0,
                    notional: 0,
                    delta: 0,
                    vega: 0,
                    frozen_until: 0,
                };
                let protections = &mut self.state.protections;
                protections.insert((request.account, group), protection);
            }
        }
    }

    /// The protection of an account's quotes in a group; `None` when it was never set.
    pub fn protection(&self, account: Account, group: GroupId) -> Option<Protection> {
        self.state.protections.get(&(account, group)).copied()
    }

    /// True while quotes of the account in the group are refused.
    pub(crate) fn is_frozen(&self, account: Account, group: GroupId) -> bool {
        self.protection(account, group)
            .is_some_and(|protection| self.block.time < protection.frozen_until)
    }

    /// Pass 4, a taker meets this maker: how many lots its protection lets it trade, when it has
    /// one. A new interval begins if it is time.
    pub(crate) fn protected_lots(&mut self, maker: &PlacedOrder) -> Option<Lots> {
        let time = self.block.time;
        let QuoteLot { paid, delta, vega } = self.quote_lot(maker);
        let protection = self.protection_of(maker)?;
        let new = time >= protection.start + protection.settings.interval_ms;
        if new {
            protection.start = time;
            protection.notional = 0;
            protection.delta = 0;
            protection.vega = 0;
        }
        let by_notional =
            bound(protection.settings.notional).map(|bound| (bound - protection.notional) / paid);
        // What bought too much may still sell, back through zero and down to the bound.
        let within = |most: u128, sum: Atoms, lot: Atoms| {
            let most = bound(most).filter(|_| lot != 0);
            most.map(|bound| (bound - sum * lot.signum()) / lot.abs())
        };
        let by_delta = within(protection.settings.delta, protection.delta, delta);
        let by_vega = within(protection.settings.vega, protection.vega, vega);
        let lots = [by_notional, by_delta, by_vega].into_iter().flatten().min();
        self.coverage.count(if new {
            "interval begins anew"
        } else {
            "interval goes on"
        });
        Some(lots.map_or(Lots::MAX, |lots| Lots::try_from(lots).unwrap_or(Lots::MAX)))
    }

    /// Counts a fill of a quote. `cut` tells that the protection made it smaller.
    pub(crate) fn count_quote_fill(&mut self, maker: &PlacedOrder, lots: Lots, cut: bool) {
        let QuoteLot { paid, delta, vega } = self.quote_lot(maker);
        let Some(protection) = self.protection_of(maker) else {
            return;
        };
        protection.notional += Atoms::from(lots) * paid;
        protection.delta += Atoms::from(lots) * delta;
        protection.vega += Atoms::from(lots) * vega;
        let Protection { settings, .. } = *protection;
        let reached = |most, sum: Atoms| bound(most).is_some_and(|bound| sum.abs() >= bound);
        let by_notional = reached(settings.notional, protection.notional);
        let by_delta = reached(settings.delta, protection.delta);
        let by_vega = reached(settings.vega, protection.vega);
        // Whole lots seldom make up the bound exactly.
        let stopped =
            cut && bound(settings.vega).is_some_and(|b| (protection.vega + vega).abs() > b);
        self.coverage
            .count_if(by_notional, "bound on notional reached");
        self.coverage.count_if(by_delta, "bound on delta reached");
        self.coverage
            .count_if(by_vega || stopped, "bound on vega reached");
        self.coverage.count_if(cut, "fill cut by a protection");
        if cut || by_notional || by_delta || by_vega {
            self.protect(maker);
        }
    }

    /// The protection takes effect. The quotes go when the taker has ended.
    pub(crate) fn protect(&mut self, maker: &PlacedOrder) {
        let time = self.block.time;
        let Some(protection) = self.protection_of(maker) else {
            return;
        };
        protection.frozen_until = match protection.settings.freeze_ms {
            0 => TimeMs::MAX,
            freeze => time + freeze,
        };
        let until = protection.frozen_until;
        let (account, group) = (maker.account, self.group_of(maker.market));
        self.coverage.count(if until == TimeMs::MAX {
            "frozen until set again"
        } else {
            "frozen for a while"
        });
        self.block.protected.push((account, group));
        self.group_event(
            group,
            Event::Protected {
                account,
                group,
                until,
            },
        );
    }

    /// Pass 4, a taker has ended: the quotes whose protections took effect meanwhile go.
    pub(crate) fn remove_protected(&mut self) {
        let protected = std::mem::take(&mut self.block.protected);
        self.coverage
            .count_if(protected.len() > 1, "protections of two accounts");
        for (account, group) in protected {
            let mut quotes = self.placed_by(account, group);
            quotes.retain(|order| order.quote);
            for quote in quotes {
                self.coverage.count("quote goes after the taker");
                let event = self.remove(quote.id, Removal::Protection);
                self.group_event(group, event);
            }
        }
    }

    /// The protection that watches a maker, if it is a quote and there is one.
    fn protection_of(&mut self, maker: &PlacedOrder) -> Option<&mut Protection> {
        let group = self.group_of(maker.market);
        let protection = self.state.protections.get_mut(&(maker.account, group));
        protection.filter(|protection| maker.quote && protection.settings.interval_ms > 0)
    }

    fn quote_lot(&self, maker: &PlacedOrder) -> QuoteLot {
        let spec = &self.spec.markets[maker.market.index()];
        let paid = Atoms::from(maker.level) * spec.tick_value;
        let lot = self.option_lot(maker.market);
        let delta = match spec.kind {
            MarketKind::Spot { .. } => paid,
            MarketKind::Perpetual | MarketKind::Future { .. } => self.value(maker.market),
            MarketKind::Option { .. } => lot.delta,
        };
        let sign = Atoms::from(sign(maker.side));
        QuoteLot {
            paid,
            delta: delta * sign,
            vega: lot.vega * sign,
        }
    }
}

/// A bound in atoms; `None` is no bound.
fn bound(atoms: u128) -> Option<Atoms> {
    // What trades is far below, so that a larger one bounds nothing.
    let most = Atoms::MAX / 4;
    (atoms > 0).then(|| Atoms::try_from(atoms).map_or(most, |atoms| atoms.min(most)))
}
