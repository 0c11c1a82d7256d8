//! What an account that is flagged uncovered may trade: as much as does not lower its equity less the
//! maintenance margin of what it holds.

use crate::accounts::{AccountRef, AccountShard};
use crate::passes::meeting::Traded;
use crate::passes::{Env, reducible};
use crate::portfolio::{UnitSums, risk};
use crate::records::AccountRecord;
use ballast_risk::{allowed_while_uncovered, gain};
use ballast_types::{AssetId, Atoms, Lots, MarketId, MarketKind, Side, Ticks};

pub(crate) struct Uncovered<'a> {
    pub(crate) shard: &'a AccountShard,
    pub(crate) owner: AccountRef,
    /// What this block's meetings have changed so far.
    pub(crate) traded: Option<&'a Traded>,
}

impl Uncovered<'_> {
    /// Of `lots` at a price with a fee rate, how many it may have.
    pub(crate) fn allowed(
        &self,
        id: MarketId,
        side: Side,
        (price, fee_ppm): (Ticks, i32),
        lots: Lots,
        env: &Env<'_>,
    ) -> Lots {
        let slot = self.owner.slot();
        let record = self.shard.accounts.get(slot);
        let portfolio = record.is_some_and(AccountRecord::portfolio);
        let Some((market, standard)) = env.market(id) else {
            return 0;
        };
        let size = self.size(id);
        if !portfolio {
            let gain = gain(side, price, market, standard, fee_ppm);
            return allowed_while_uncovered(side, gain, standard.maintenance, size, lots);
        }
        let Some(risk) = risk(id, env) else {
            return 0;
        };
        let gain = gain(side, price, market, &risk, fee_ppm);
        let before = self.held(id, 0, env);
        let lowers = |lots: Lots| {
            let bought = match side {
                Side::Buy => lots,
                Side::Sell => 0_i64.saturating_sub(lots),
            };
            let growth = self.held(id, bought, env).saturating_sub(before);
            growth > gain.saturating_mul(lots.into())
        };
        let less = match market.kind {
            MarketKind::Spot { .. } => 0,
            _ => lots.min(reducible(side, size)),
        };
        if !lowers(lots) {
            lots
        } else if less > 0 && !lowers(less) {
            less
        } else {
            0
        }
    }

    /// The position as followed; of spot what was traded.
    fn size(&self, id: MarketId) -> Lots {
        let before = self.shard.position_size(self.owner.slot(), id);
        before.saturating_add(self.traded_lots(id))
    }

    fn traded_lots(&self, id: MarketId) -> Lots {
        let lots = self.traded.and_then(|t| t.positions.get(&(self.owner, id)));
        lots.copied().unwrap_or(0)
    }

    /// Maintenance margin of what is held in the group of a market, of which it has so many lots more.
    fn held(&self, id: MarketId, more: Lots, env: &Env<'_>) -> Atoms {
        let Some(group) = env.chain.market(id).map(|market| market.group) else {
            return 0;
        };
        let slot = self.owner.slot();
        let mut grown = vec![(id, more)];
        if let Some(traded) = self.traded {
            let own = (self.owner, MarketId(0))..=(self.owner, MarketId(u32::MAX));
            let own = traded.positions.range(own);
            grown.extend(own.map(|((_, market), lots)| (*market, *lots)));
        }
        let sums = self.shard.units.get(&(slot, group));
        let mut sums = sums.map_or_else(UnitSums::default, UnitSums::clone);
        let mut delivered: Vec<(AssetId, Atoms)> = Vec::new();
        for (market, lots) in grown {
            match env.chain.market(market).map(|market| market.kind) {
                Some(MarketKind::Spot { base, lot_atoms }) => {
                    delivered.push((base, lot_atoms.saturating_mul(lots.into())));
                }
                Some(_) => sums.hold(market, lots, env),
                None => {}
            }
        }
        let spot = self.shard.spot(slot, group, env, |asset| {
            let atoms = delivered.iter().filter(|(base, _)| *base == asset);
            atoms.fold(0, |sum, (_, atoms)| sum.saturating_add(*atoms))
        });
        sums.find(group, spot, env).held
    }
}
