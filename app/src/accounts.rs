//! One shard of accounts: balances, positions, keys and nonces of its masters.

use crate::form::mode_number;
use crate::index::Index;
use crate::records::{
    AccountRecord, AccountTable, AgentTable, BalanceRecord, BalanceTable, MasterRecord,
    MasterTable, NonceRecord, NonceTable, PositionRecord, PositionTable,
};
use ballast_risk::{LotRisk, Position, requirement};
use ballast_types::{
    Account, AccountId, AssetId, Atoms, ChainSpec, Code, KeyId, Lots, MarketId, TimeMs,
};
use bytemuck::Zeroable;
use rpds::RedBlackTreeMapSync;
use std::collections::BTreeMap;

/// An account anywhere: shard in the top 8 bits, slot in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AccountRef(pub(crate) u32);

/// Accounts of one shard that a reference can name.
pub(crate) const MAX_ACCOUNTS: u32 = 1 << 24;

impl AccountRef {
    pub(crate) fn new(shard: usize, slot: u32) -> Self {
        let shard = u32::try_from(shard).unwrap_or(0) & 0xff;
        Self(shard << 24 | slot & (MAX_ACCOUNTS - 1))
    }

    pub(crate) fn shard(self) -> usize {
        usize::try_from(self.0 >> 24).unwrap_or(0)
    }

    pub(crate) fn slot(self) -> u32 {
        self.0 & (MAX_ACCOUNTS - 1)
    }
}

/// Persistent map, so that a snapshot can look accounts up while a block executes.
pub(crate) type Slots<K> = RedBlackTreeMapSync<K, u32>;

/// Nonce index: by nonce first, so that the oldest are found.
pub(crate) type NonceKey = (u64, u32, KeyId);

#[derive(Debug)]
pub(crate) struct AccountShard {
    pub(crate) margin_asset: AssetId,
    pub(crate) accounts: AccountTable,
    pub(crate) balances: BalanceTable,
    pub(crate) positions: PositionTable,
    pub(crate) masters: MasterTable,
    pub(crate) agents: AgentTable,
    pub(crate) nonces: NonceTable,
    pub(crate) by_account: Slots<Account>,
    pub(crate) by_master: Slots<AccountId>,
    pub(crate) balance_at: Index<(u32, AssetId), u32>,
    pub(crate) position_at: Index<(u32, MarketId), u32>,
    pub(crate) agent_at: Index<(u32, KeyId), u32>,
    pub(crate) nonce_at: Index<NonceKey, u32>,
    /// Armed dead man's switches: deadline and account.
    pub(crate) by_deadline: Index<(TimeMs, Account), u32>,
    /// What balances and positions were before this block, for events and invariants.
    pub(crate) balances_before: BTreeMap<(u32, AssetId), Atoms>,
    pub(crate) positions_before: BTreeMap<(u32, MarketId), Position>,
}

/// What a position adds to the sums of its account.
struct Share {
    unrealised: Atoms,
    initial: Atoms,
    maintenance: Atoms,
    held: Atoms,
}

impl Share {
    fn of(record: &PositionRecord, risk: &LotRisk) -> Self {
        let terms = record.terms();
        Self {
            unrealised: record.position().unrealised(risk.value),
            initial: requirement(risk.initial, record.size, terms.initial),
            maintenance: requirement(risk.maintenance, record.size, terms.maintenance),
            held: risk.maintenance.held(record.size),
        }
    }
}

impl AccountShard {
    pub(crate) fn new(spec: &ChainSpec) -> Self {
        Self {
            margin_asset: spec.margin_asset,
            accounts: AccountTable::new(MAX_ACCOUNTS),
            balances: BalanceTable::new(u32::MAX),
            positions: PositionTable::new(u32::MAX),
            masters: MasterTable::new(MAX_ACCOUNTS),
            agents: AgentTable::new(u32::MAX),
            nonces: NonceTable::new(u32::MAX),
            by_account: Slots::default(),
            by_master: Slots::default(),
            balance_at: Index::default(),
            position_at: Index::default(),
            agent_at: Index::default(),
            nonce_at: Index::default(),
            by_deadline: Index::default(),
            balances_before: BTreeMap::new(),
            positions_before: BTreeMap::new(),
        }
    }

    pub(crate) fn slot(&self, account: &Account) -> Option<u32> {
        self.by_account.get(account).copied()
    }

    pub(crate) fn master_slot(&self, master: AccountId) -> Option<u32> {
        self.by_master.get(&master).copied()
    }

    /// Adds an account, and its master when that is new.
    pub(crate) fn create(
        &mut self,
        account: Account,
        spec: &ChainSpec,
        time: TimeMs,
    ) -> Option<u32> {
        let record = AccountRecord {
            master: account.master.0,
            sub: account.sub,
            mode: mode_number(spec.margin_mode),
            ..AccountRecord::zeroed()
        };
        if self.master_slot(account.master).is_none() {
            let master = MasterRecord {
                master: account.master.0,
                tokens: spec.limits.bucket_tokens.saturating_mul(1_000),
                cancel_tokens: spec.limits.cancel_tokens.saturating_mul(1_000),
                refilled: time,
                ..MasterRecord::zeroed()
            };
            let slot = self.masters.push(master).ok()?;
            self.by_master.insert_mut(account.master, slot);
        }
        let slot = self.accounts.push(record).ok()?;
        self.by_account.insert_mut(account, slot);
        Some(slot)
    }

    /// Balance of an asset in atoms.
    pub(crate) fn balance(&self, account: u32, asset: AssetId) -> Atoms {
        if asset == self.margin_asset {
            return self.accounts.get(account).map_or(0, |record| record.cash);
        }
        self.balance_record(account, asset)
            .map_or(0, |record| record.amount)
    }

    /// Balance without what open orders reserve of it.
    pub(crate) fn free(&self, account: u32, asset: AssetId) -> Atoms {
        if asset == self.margin_asset {
            return self.balance(account, asset);
        }
        self.balance_record(account, asset)
            .map_or(0, |record| record.amount.saturating_sub(record.held))
    }

    fn balance_record(&self, account: u32, asset: AssetId) -> Option<&BalanceRecord> {
        self.balances.get(self.balance_at.get(&(account, asset))?)
    }

    /// Adds to a balance; a negative amount takes away.
    pub(crate) fn credit(&mut self, account: u32, asset: AssetId, amount: Atoms) -> Option<()> {
        let before = self.balance(account, asset);
        self.balances_before
            .entry((account, asset))
            .or_insert(before);
        let after = before.checked_add(amount)?;
        if asset == self.margin_asset {
            self.accounts.get_mut(account)?.cash = after;
        } else {
            self.balance_mut(account, asset)?.amount = after;
        }
        Some(())
    }

    /// Reserves of an asset for open spot asks; a negative amount releases.
    pub(crate) fn hold(&mut self, account: u32, asset: AssetId, amount: Atoms) -> Option<()> {
        let record = self.balance_mut(account, asset)?;
        record.held = record.held.saturating_add(amount);
        Some(())
    }

    fn balance_mut(&mut self, account: u32, asset: AssetId) -> Option<&mut BalanceRecord> {
        if let Some(slot) = self.balance_at.get(&(account, asset)) {
            return self.balances.get_mut(slot);
        }
        let owner = self.accounts.get_mut(account)?;
        let record = BalanceRecord {
            account,
            asset: asset.0,
            next: owner.balances,
            ..BalanceRecord::zeroed()
        };
        let slot = self.balances.push(record).ok()?;
        owner.balances = slot.saturating_add(1);
        self.balance_at.insert((account, asset), slot);
        self.balances.get_mut(slot)
    }

    pub(crate) fn position(&self, account: u32, market: MarketId) -> Option<&PositionRecord> {
        self.positions
            .get(self.position_at.get(&(account, market))?)
    }

    /// Positions and open orders of an account, newest record first.
    pub(crate) fn positions_of(&self, account: u32) -> impl Iterator<Item = &PositionRecord> {
        let mut next = self
            .accounts
            .get(account)
            .map_or(0, |owner| owner.positions);
        std::iter::from_fn(move || {
            let position = self.positions.get(next.checked_sub(1)?)?;
            next = position.next;
            Some(position)
        })
    }

    pub(crate) fn position_size(&self, account: u32, market: MarketId) -> Lots {
        self.position(account, market)
            .map_or(0, |record| record.size)
    }

    /// Changes position or open orders of an account in a market, and its sums with it.
    pub(crate) fn change(
        &mut self,
        account: u32,
        market: MarketId,
        risk: &LotRisk,
        change: impl FnOnce(&mut PositionRecord),
    ) -> Option<()> {
        let slot = self.position_slot(account, market)?;
        self.rework(slot, risk, risk, change)
    }

    /// As [`Self::change`], from one mark to another.
    pub(crate) fn rework(
        &mut self,
        slot: u32,
        old: &LotRisk,
        new: &LotRisk,
        change: impl FnOnce(&mut PositionRecord),
    ) -> Option<()> {
        let record = self.positions.get_mut(slot)?;
        let before = Share::of(record, old);
        let position = record.position();
        change(record);
        let after = Share::of(record, new);
        let changed = record.position() != position;
        let key = (record.account, MarketId(record.market));
        let owner = self.accounts.get_mut(record.account)?;
        let shift = |sum: &mut Atoms, before: Atoms, after: Atoms| {
            *sum = sum.saturating_sub(before).saturating_add(after);
        };
        shift(&mut owner.unrealised, before.unrealised, after.unrealised);
        shift(&mut owner.initial, before.initial, after.initial);
        shift(
            &mut owner.maintenance,
            before.maintenance,
            after.maintenance,
        );
        shift(&mut owner.held, before.held, after.held);
        if changed {
            self.positions_before.entry(key).or_insert(position);
        }
        Some(())
    }

    fn position_slot(&mut self, account: u32, market: MarketId) -> Option<u32> {
        if let Some(slot) = self.position_at.get(&(account, market)) {
            return Some(slot);
        }
        let owner = self.accounts.get_mut(account)?;
        let record = PositionRecord {
            account,
            market: market.0,
            next: owner.positions,
            ..PositionRecord::zeroed()
        };
        let slot = self.positions.push(record).ok()?;
        owner.positions = slot.saturating_add(1);
        self.position_at.insert((account, market), slot);
        Some(slot)
    }

    /// Sets the deadline of an account's dead man's switch; 0 disarms it.
    pub(crate) fn arm(&mut self, account: u32, deadline: TimeMs) -> Option<()> {
        let record = self.accounts.get(account)?;
        let (name, before) = (record.account(), record.deadline);
        if before == deadline {
            return Some(());
        }
        self.accounts.get_mut(account)?.deadline = deadline;
        if before > 0 {
            self.by_deadline.remove(&(before, name));
        }
        if deadline > 0 {
            self.by_deadline.insert((deadline, name), account);
        }
        Some(())
    }

    /// Keeps a nonce as used. Fails when it was.
    pub(crate) fn use_nonce(&mut self, key: NonceKey) -> Result<(), Code> {
        if self.nonce_at.contains(&key) {
            return Err(Code::NonceUsed);
        }
        let slot = self.nonces.alloc().map_err(|_| Code::Internal)?;
        let record = self.nonces.get_mut(slot).ok_or(Code::Internal)?;
        *record = NonceRecord {
            master: key.1,
            key: key.2.0,
            nonce: key.0,
            ..NonceRecord::zeroed()
        };
        self.nonce_at.insert(key, slot);
        Ok(())
    }

    /// Forgets nonces below `oldest`, at most `quota`.
    pub(crate) fn forget_nonces(&mut self, oldest: u64, quota: u32) {
        for _ in 0..quota {
            let Some((key, slot)) = self.nonce_at.first().filter(|(key, _)| key.0 < oldest) else {
                return;
            };
            self.nonce_at.remove(&key);
            // The slot is in use as long as the index names it.
            let _ = self.nonces.free(slot);
        }
    }
}
