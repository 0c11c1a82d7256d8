//! Pass 5: fills become positions, cash and fees, by account.

use crate::accounts::{AccountRef, AccountShard};
use crate::passes::{Env, Release, reserved_base};
use ballast_risk::notional;
use ballast_types::{Atoms, Lots, MarketId, MarketKind, Side, Ticks};

/// One side of a trade.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    pub(crate) owner: AccountRef,
    pub(crate) market: MarketId,
    pub(crate) side: Side,
    pub(crate) lots: Lots,
    pub(crate) price: Ticks,
    /// Limit of the order, at which it is reserved for.
    pub(crate) limit: Ticks,
    /// Atoms of the margin asset; negative is a rebate.
    pub(crate) fee: Atoms,
}

/// What matching asks of the account shards.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settlement {
    Fill(Fill),
    Release(Release),
    /// The opposite.
    Reserve(Release),
}

impl Settlement {
    pub(crate) fn owner(&self) -> AccountRef {
        match self {
            Self::Fill(fill) => fill.owner,
            Self::Release(open) | Self::Reserve(open) => open.owner,
        }
    }
}

/// Settles in the order given. Returns how many settlements failed, which admission makes impossible.
pub(crate) fn settle(shard: &mut AccountShard, items: &[Settlement], env: &Env<'_>) -> u64 {
    let mut failed: u64 = 0;
    for item in items {
        let done = match item {
            Settlement::Fill(fill) => fill.apply(shard, env),
            Settlement::Release(open) => open.apply(shard, env),
            Settlement::Reserve(open) => open.reserve(shard, env),
        };
        if done.is_none() {
            failed = failed.saturating_add(1);
        }
    }
    failed
}

impl Fill {
    fn apply(&self, shard: &mut AccountShard, env: &Env<'_>) -> Option<()> {
        let slot = self.owner.slot();
        let (market, risk) = env.market(self.market)?;
        let terms = env.terms(self.market, self.side, self.limit, self.lots);
        let mut cash = 0_i128.saturating_sub(self.fee);
        shard.change(slot, self.market, risk, |record| {
            record.set_terms(record.terms().minus(terms));
            record.open = record.open.saturating_sub(self.lots);
            if let MarketKind::Option { .. } = market.kind {
                // The premium is paid at once.
                let bought = match self.side {
                    Side::Buy => self.lots,
                    Side::Sell => 0_i64.saturating_sub(self.lots),
                };
                record.size = record.size.saturating_add(bought);
                cash = cash.saturating_sub(notional(self.price, bought, market.tick_value));
            } else if market.kind.is_derivative() {
                let mut position = record.position();
                let gain = position.fill(self.side, self.lots, self.price, market.tick_value);
                (record.size, record.cost) = (position.size, position.cost);
                cash = cash.saturating_add(gain);
            }
        })?;
        shard.follow(slot, market.group, |sums| {
            let lots = 0_i64.saturating_sub(self.lots);
            sums.open(self.market, self.side, self.limit, lots, env);
            if market.kind.is_derivative() {
                let bought = match self.side {
                    Side::Buy => self.lots,
                    Side::Sell => lots,
                };
                sums.hold(self.market, bought, env);
            }
        })?;
        if let MarketKind::Spot { base, lot_atoms } = market.kind {
            let delivered = lot_atoms.saturating_mul(Atoms::from(self.lots));
            let paid = notional(self.price, self.lots, market.tick_value);
            let (base_change, cash_change) = match self.side {
                Side::Buy => (delivered, 0_i128.saturating_sub(paid)),
                Side::Sell => (0_i128.saturating_sub(delivered), paid),
            };
            if let Some((asset, atoms)) = reserved_base(market, self.side, self.lots) {
                shard.hold(slot, asset, 0_i128.saturating_sub(atoms))?;
            }
            shard.credit(slot, base, base_change)?;
            cash = cash.saturating_add(cash_change);
        }
        if cash != 0 {
            shard.credit(slot, shard.margin_asset, cash)
        } else {
            Some(())
        }
    }
}
