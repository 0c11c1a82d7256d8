//! One shard of accounts: balances, positions, keys and nonces of its masters.

use crate::form::mode_number;
use crate::index::Index;
use crate::passes::Env;
use crate::portfolio::{Needs, UnitSums, amount};
use crate::records::{
    AccountRecord, AccountTable, AgentTable, BalanceRecord, BalanceTable, MasterRecord,
    MasterTable, NonceRecord, NonceTable, PositionRecord, PositionTable,
};
use ballast_risk::{LotRisk, Position, requirement};
use ballast_types::{
    Account, AccountId, AssetId, Atoms, ChainSpec, Code, GroupId, KeyId, Lots, MarginMode,
    MarketId, MarketKind, TimeMs,
};
use bytemuck::Zeroable;
use rpds::RedBlackTreeMapSync;
use std::collections::{BTreeMap, BTreeSet};

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

/// Accounts in Portfolio mode, by account and group.
pub(crate) type Units = RedBlackTreeMapSync<(u32, GroupId), UnitSums>;

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
    /// Of accounts in Portfolio mode, by account and group; persistent for the same reason.
    pub(crate) units: Units,
    /// What of them has changed since the sums of its account were found.
    pub(crate) dirty: BTreeSet<(u32, GroupId)>,
    /// Assets that spot markets of a group deliver.
    bases: Vec<(AssetId, GroupId)>,
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
    fn of(record: &PositionRecord, risk: &LotRisk, portfolio: bool) -> Self {
        let unrealised = record.position().unrealised(risk.value);
        if portfolio {
            // What groups need is found for all their positions together.
            return Self {
                unrealised,
                initial: 0,
                maintenance: 0,
                held: 0,
            };
        }
        let terms = record.terms();
        Self {
            unrealised,
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
            units: Units::default(),
            dirty: BTreeSet::new(),
            bases: bases(spec),
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
            if self.accounts.get(account)?.portfolio() {
                let groups = self.bases.iter().filter(|(base, _)| *base == asset);
                self.dirty
                    .extend(groups.map(|(_, group)| (account, *group)));
            }
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
        let owner = self.accounts.get_mut(record.account)?;
        let portfolio = owner.portfolio();
        let before = Share::of(record, old, portfolio);
        let position = record.position();
        change(record);
        let after = Share::of(record, new, portfolio);
        let changed = record.position() != position;
        let key = (record.account, MarketId(record.market));
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

    /// Tells what an account in Portfolio mode holds and has open in a group, when it is one.
    pub(crate) fn follow(
        &mut self,
        account: u32,
        group: GroupId,
        change: impl FnOnce(&mut UnitSums),
    ) -> Option<()> {
        if !self.accounts.get(account)?.portfolio() {
            return Some(());
        }
        let key = (account, group);
        if !self.units.contains_key(&key) {
            self.units.insert_mut(key, UnitSums::default());
        }
        change(self.units.get_mut(&key)?);
        self.dirty.insert(key);
        Some(())
    }

    /// The units of these groups are new.
    pub(crate) fn renew(&mut self, groups: &BTreeSet<GroupId>) {
        let keys = self
            .units
            .keys()
            .filter(|(_, group)| groups.contains(group));
        let keys: Vec<_> = keys.copied().collect();
        for key in keys {
            if let Some(sums) = self.units.get_mut(&key) {
                sums.renew();
            }
            self.dirty.insert(key);
        }
    }

    /// Brings the sums of an account up to date, which is due before they are read.
    pub(crate) fn refold(&mut self, account: u32, env: &Env<'_>) {
        if self.dirty.is_empty() {
            return;
        }
        let keys = (account, GroupId(0))..=(account, GroupId(u16::MAX));
        let keys: Vec<_> = self.dirty.range(keys).copied().collect();
        for key in keys {
            self.dirty.remove(&key);
            // An account that changed has its record.
            let _ = self.fold(key, env);
        }
    }

    /// As [`Self::refold`], of all accounts.
    pub(crate) fn refold_all(&mut self, env: &Env<'_>) {
        for key in std::mem::take(&mut self.dirty) {
            let _ = self.fold(key, env);
        }
    }

    fn fold(&mut self, key: (u32, GroupId), env: &Env<'_>) -> Option<()> {
        let spot = self.spot(key.0, key.1, env, |_| 0);
        if !self.units.contains_key(&key) {
            self.units.insert_mut(key, UnitSums::default());
        }
        let sums = self.units.get_mut(&key)?;
        let before = sums.needs;
        let after = sums.find(key.1, spot, env);
        sums.needs = after;
        if spot == 0 && sums.is_empty() {
            self.units.remove_mut(&key);
        }
        self.shift(key.0, before, after)
    }

    /// Puts what a group needs in the place of what it needed before.
    fn shift(&mut self, account: u32, before: Needs, after: Needs) -> Option<()> {
        if before == after {
            return Some(());
        }
        let owner = self.accounts.get_mut(account)?;
        let shift = |sum: &mut Atoms, before: Atoms, after: Atoms| {
            *sum = sum.saturating_sub(before).saturating_add(after);
        };
        shift(&mut owner.unrealised, before.spot, after.spot);
        shift(&mut owner.initial, before.initial, after.initial);
        shift(
            &mut owner.maintenance,
            before.maintenance,
            after.maintenance,
        );
        shift(&mut owner.held, before.held, after.held);
        Some(())
    }

    /// What the open orders of an account in Portfolio mode reserve, which its initial margin counts.
    pub(crate) fn reserve(&self, account: u32) -> Atoms {
        let keys = (account, GroupId(0))..=(account, GroupId(u16::MAX));
        let units = self.units.range(keys).map(|(_, unit)| unit.reserve);
        units.fold(0, Atoms::saturating_add)
    }

    /// Amount of the spot that an account has in a group, with so many more atoms of each base.
    pub(crate) fn spot(
        &self,
        account: u32,
        group: GroupId,
        env: &Env<'_>,
        more: impl Fn(AssetId) -> Atoms,
    ) -> Atoms {
        let bases = env.chain.bases(group).iter();
        let amounts = bases.map(|(asset, unit)| {
            let atoms = self.balance(account, *asset).saturating_add(more(*asset));
            amount(atoms, *unit)
        });
        amounts.fold(0, Atoms::saturating_add)
    }

    /// Computes the margin of an account that has no open orders in a mode from now on.
    pub(crate) fn set_mode(&mut self, account: u32, mode: MarginMode, env: &Env<'_>) -> Option<()> {
        let record = self.accounts.get_mut(account)?;
        record.mode = mode_number(mode);
        let portfolio = record.portfolio();
        (record.unrealised, record.initial) = (0, 0);
        (record.maintenance, record.held) = (0, 0);
        self.forget_units(account);
        let held: Vec<_> = self.positions_of(account).copied().collect();
        for position in held.iter().filter(|position| position.size != 0) {
            let id = MarketId(position.market);
            let (market, risk) = env.market(id)?;
            let share = Share::of(position, risk, portfolio);
            let record = self.accounts.get_mut(account)?;
            let add = |sum: &mut Atoms, more: Atoms| *sum = sum.saturating_add(more);
            add(&mut record.unrealised, share.unrealised);
            add(&mut record.initial, share.initial);
            add(&mut record.maintenance, share.maintenance);
            add(&mut record.held, share.held);
            let hold = |sums: &mut UnitSums| sums.hold(id, position.size, env);
            self.follow(account, market.group, hold)?;
        }
        if portfolio {
            let groups = self.bases.iter().map(|(_, group)| (account, *group));
            self.dirty.extend(groups);
        }
        self.refold(account, env);
        Some(())
    }

    fn forget_units(&mut self, account: u32) {
        let keys = (account, GroupId(0))..=(account, GroupId(u16::MAX));
        let known = self.units.range(keys.clone()).map(|(key, _)| *key);
        let known: Vec<_> = known.collect();
        for key in known {
            self.units.remove_mut(&key);
        }
        let dirty: Vec<_> = self.dirty.range(keys).copied().collect();
        for key in dirty {
            self.dirty.remove(&key);
        }
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

/// Assets that spot markets deliver, each with its group once.
fn bases(spec: &ChainSpec) -> Vec<(AssetId, GroupId)> {
    let markets = spec.markets.iter();
    let bases = markets.filter_map(|market| match market.kind {
        MarketKind::Spot { base, .. } => Some((base, market.group)),
        _ => None,
    });
    let bases: BTreeSet<_> = bases.collect();
    bases.into_iter().collect()
}
