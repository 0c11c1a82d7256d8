//! The whole state: shared figures, shards of accounts, shards of markets.

use crate::accounts::{AccountRef, AccountShard, MAX_ACCOUNTS};
use crate::chain::Chain;
use crate::groups::GroupShard;
use crate::listed::Listed;
use crate::pages::{Hash, combine};
use crate::passes::Env;
use crate::prices::Prices;
use crate::records::{MarkRecord, MarkTable};
use crate::snapshot::{AccountTables, GroupTables, Snapshot};
use ballast_types::{Account, Atoms, ChainSpec, GroupId, TimeMs, account_shard};
use bytemuck::Zeroable;
use rayon::prelude::*;
use std::sync::Arc;

/// The state of the exchange. One writer executes blocks on it; readers use a [`Snapshot`].
#[derive(Debug)]
pub struct State {
    pub(crate) chain: Arc<Chain>,
    /// Marks by market; its words hold what all shards share.
    pub(crate) marks: MarkTable,
    pub(crate) accounts: Vec<AccountShard>,
    pub(crate) groups: Vec<GroupShard>,
    /// What only options have.
    pub(crate) listed: Listed,
    /// What the records say that markets are worth.
    pub(crate) prices: Arc<Prices>,
    /// Whether the margin of every account is computed anew after every block.
    pub(crate) checks_margins: bool,
    /// The last committed state: what readers see, and where a dropped candidate goes back to.
    pub(crate) committed: Arc<Snapshot>,
}

/// Why a genesis cannot become a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// A shard would hold more accounts than references can name.
    #[error("accounts: {count} of them do not fit")]
    Accounts {
        /// Number of accounts.
        count: usize,
    },
    /// A balance does not fit.
    #[error("accounts[{account}].balances: {amount} atoms do not fit")]
    Balance {
        /// Owner.
        account: Account,
        /// Atoms.
        amount: u128,
    },
}

/// Words of the mark table.
const HEIGHT: usize = 0;
const TIME: usize = 1;
const ACCOUNTS: usize = 2;
const FEE_POOL: usize = 0;

impl State {
    /// The state before block 1.
    ///
    /// # Errors
    /// When the genesis holds more accounts than the shards can.
    pub fn genesis(spec: Arc<ChainSpec>) -> Result<Self, GenesisError> {
        let shards = usize::from(spec.account_shards.max(1));
        let groups: Vec<_> = (0_u16..)
            .zip(&spec.groups)
            .map(|(group, _)| GroupShard::new(GroupId(group), &spec))
            .collect();
        let chain = Arc::new(Chain::new(spec));
        let mut state = Self {
            marks: marks(&chain.spec),
            accounts: (0..shards)
                .map(|_| AccountShard::new(&chain.spec))
                .collect(),
            groups,
            listed: Listed::new(&chain.spec),
            prices: Arc::default(),
            checks_margins: false,
            committed: Arc::new(Snapshot::empty(Arc::clone(&chain))),
            chain,
        };
        state.set_word(TIME, state.chain.spec.genesis_time);
        state.fund()?;
        state.prices = Arc::new(state.first_prices());
        state.first_sums();
        let app_hash = state.seal();
        state.committed = Arc::new(state.snapshot(app_hash));
        state.settle_indexes();
        Ok(state)
    }

    /// Sums of accounts that are in Portfolio mode from the beginning.
    fn first_sums(&mut self) {
        let (chain, prices) = (Arc::clone(&self.chain), Arc::clone(&self.prices));
        let env = Env {
            chain: &chain,
            prices: &prices,
            height: 0,
            time: chain.spec.genesis_time,
            seed: Hash::default(),
        };
        for shard in &mut self.accounts {
            shard.refold_all(&env);
        }
    }

    fn fund(&mut self) -> Result<(), GenesisError> {
        let chain = Arc::clone(&self.chain);
        for (account, asset, amount) in &chain.spec.balances {
            let too_many = GenesisError::Accounts {
                count: chain.spec.balances.len(),
            };
            let reference = match self.find(account) {
                Some(reference) => reference,
                None => self
                    .create(*account, chain.spec.genesis_time)
                    .ok_or(too_many)?,
            };
            Atoms::try_from(*amount)
                .ok()
                .and_then(|amount| {
                    self.shard_mut(reference)?
                        .credit(reference.slot(), *asset, amount)
                })
                .ok_or(GenesisError::Balance {
                    account: *account,
                    amount: *amount,
                })?;
        }
        Ok(())
    }

    /// From now on computes the margin of every account anew after every block, and compares it with
    /// what was kept: [`crate::Violations::margins`]. That costs time in proportion to the state.
    pub fn check_margins_of_blocks(&mut self) {
        self.checks_margins = true;
    }

    /// Hash of the last committed state.
    pub fn app_hash(&self) -> Hash {
        self.committed.app_hash
    }

    /// Height of the last executed block.
    pub fn height(&self) -> u64 {
        self.word(HEIGHT)
    }

    /// Time of the last executed block in ms.
    pub fn time(&self) -> TimeMs {
        self.word(TIME)
    }

    /// The committed state, for readers.
    pub fn committed(&self) -> Arc<Snapshot> {
        Arc::clone(&self.committed)
    }

    pub(crate) fn advance(&mut self, height: u64, time: TimeMs) {
        self.set_word(HEIGHT, height);
        self.set_word(TIME, time);
    }

    pub(crate) fn account_count(&self) -> u64 {
        self.word(ACCOUNTS)
    }

    pub(crate) fn fee_pool_mut(&mut self) -> Option<&mut Atoms> {
        self.marks.words_mut().sums.get_mut(FEE_POOL)
    }

    fn word(&self, word: usize) -> u64 {
        self.marks.words().counters.get(word).copied().unwrap_or(0)
    }

    fn set_word(&mut self, word: usize, value: u64) {
        if let Some(slot) = self.marks.words_mut().counters.get_mut(word) {
            *slot = value;
        }
    }

    pub(crate) fn find(&self, account: &Account) -> Option<AccountRef> {
        let shard = self.shard_of(account);
        let slot = self.accounts.get(shard)?.slot(account)?;
        Some(AccountRef::new(shard, slot))
    }

    pub(crate) fn shard_of(&self, account: &Account) -> usize {
        account_shard(account.master, self.chain.spec.account_shards)
    }

    pub(crate) fn shard_mut(&mut self, account: AccountRef) -> Option<&mut AccountShard> {
        self.accounts.get_mut(account.shard())
    }

    /// Adds an account while the chain may hold more.
    pub(crate) fn create(&mut self, account: Account, time: TimeMs) -> Option<AccountRef> {
        let count = self.account_count();
        if count >= u64::from(self.chain.spec.limits.accounts) {
            return None;
        }
        let chain = Arc::clone(&self.chain);
        let shard = self.shard_of(&account);
        let slot = self
            .accounts
            .get_mut(shard)?
            .create(account, &chain.spec, time)?;
        self.set_word(ACCOUNTS, count.saturating_add(1));
        (slot < MAX_ACCOUNTS).then(|| AccountRef::new(shard, slot))
    }

    /// Hashes what changed and returns the root over everything.
    pub(crate) fn seal(&mut self) -> Hash {
        let mut roots = vec![self.chain.root, self.marks.seal()];
        roots.extend(self.listed.seal());
        roots.par_extend(self.accounts.par_iter_mut().flat_map_iter(|shard| {
            [
                shard.accounts.seal(),
                shard.balances.seal(),
                shard.positions.seal(),
                shard.masters.seal(),
                shard.agents.seal(),
                shard.nonces.seal(),
            ]
        }));
        roots.par_extend(self.groups.par_iter_mut().flat_map_iter(|shard| {
            [
                shard.orders.seal(),
                shard.specials.seal(),
                shard.links.seal(),
                shard.members.seal(),
                shard.protections.seal(),
                shard.floors.seal(),
                shard.trades.seal(),
            ]
        }));
        combine(&roots)
    }

    /// Pages that were written since the last seal.
    pub(crate) fn owned_pages(&self) -> u64 {
        let accounts = self.accounts.iter().map(|shard| {
            [
                shard.accounts.owned_page_count(),
                shard.balances.owned_page_count(),
                shard.positions.owned_page_count(),
                shard.masters.owned_page_count(),
                shard.agents.owned_page_count(),
                shard.nonces.owned_page_count(),
            ]
        });
        let groups = self.groups.iter().map(|shard| {
            [
                shard.orders.owned_page_count(),
                shard.specials.owned_page_count(),
                shard.links.owned_page_count(),
                shard.members.owned_page_count(),
                shard.protections.owned_page_count(),
                shard.floors.owned_page_count(),
                shard.trades.owned_page_count(),
            ]
        });
        let pages = accounts
            .flatten()
            .chain(groups.flatten())
            .chain(self.listed.owned_pages())
            .fold(0, usize::saturating_add);
        u64::try_from(pages).unwrap_or(u64::MAX)
    }

    pub(crate) fn snapshot(&self, app_hash: Hash) -> Snapshot {
        Snapshot {
            chain: Arc::clone(&self.chain),
            app_hash,
            marks: self.marks.snapshot(),
            listed: self.listed.snapshot(),
            prices: Arc::clone(&self.prices),
            accounts: self.accounts.iter().map(AccountTables::of).collect(),
            groups: self.groups.iter().map(GroupTables::of).collect(),
        }
    }

    /// Makes the present content of the indexes the one that a dropped candidate goes back to.
    pub(crate) fn settle_indexes(&mut self) {
        self.listed.settle();
        self.accounts.par_iter_mut().for_each(|shard| {
            shard.balance_at.seal();
            shard.position_at.seal();
            shard.agent_at.seal();
            shard.nonce_at.seal();
            shard.by_deadline.seal();
            shard.balances_before.clear();
            shard.positions_before.clear();
        });
        self.groups.par_iter_mut().for_each(|shard| {
            shard.books.seal();
            shard.member_at.seal();
            shard.by_account.seal();
            shard.by_client.seal();
            shard.by_expiry.seal();
            shard.stops.seal();
            shard.trailing.seal();
            shard.due.seal();
            shard.slices.seal();
            shard.pegged.seal();
            shard.stranded.seal();
            shard.reduce_only.seal();
            shard.quotes.seal();
            shard.protection_at.seal();
            shard.floor_at.seal();
            shard.floor_by_owner.seal();
            shard.floor_by_age.seal();
        });
    }

    /// Goes back to the last committed state, whatever a candidate did.
    pub(crate) fn go_back(&mut self) {
        let committed = Arc::clone(&self.committed);
        self.marks.restore(&committed.marks);
        self.listed.restore(&committed.listed);
        self.chain = Arc::clone(&committed.chain);
        self.prices = Arc::clone(&committed.prices);
        self.accounts
            .par_iter_mut()
            .zip(&committed.accounts)
            .for_each(|(shard, tables)| {
                shard.accounts.restore(&tables.accounts);
                shard.balances.restore(&tables.balances);
                shard.positions.restore(&tables.positions);
                shard.masters.restore(&tables.masters);
                shard.agents.restore(&tables.agents);
                shard.nonces.restore(&tables.nonces);
                shard.by_account = tables.by_account.clone();
                shard.by_master = tables.by_master.clone();
                shard.units = tables.units.clone();
                shard.dirty.clear();
                shard.balance_at.discard();
                shard.position_at.discard();
                shard.agent_at.discard();
                shard.nonce_at.discard();
                shard.by_deadline.discard();
                shard.balances_before.clear();
                shard.positions_before.clear();
            });
        self.groups
            .par_iter_mut()
            .zip(&committed.groups)
            .for_each(|(shard, tables)| {
                shard.orders.restore(&tables.orders);
                shard.specials.restore(&tables.specials);
                shard.links.restore(&tables.links);
                shard.members.restore(&tables.members);
                shard.protections.restore(&tables.protections);
                shard.floors.restore(&tables.floors);
                shard.trades.restore(&tables.trades);
                shard.forget_markets();
                shard.books.rollback();
                shard.member_at.discard();
                shard.by_account.discard();
                shard.by_client.discard();
                shard.by_expiry.discard();
                shard.stops.discard();
                shard.trailing.discard();
                shard.due.discard();
                shard.slices.discard();
                shard.pegged.discard();
                shard.loose.clear();
                shard.stranded.discard();
                shard.reduce_only.discard();
                shard.quotes.discard();
                shard.protection_at.discard();
                shard.floor_at.discard();
                shard.floor_by_owner.discard();
                shard.floor_by_age.discard();
            });
    }
}

fn marks(spec: &ChainSpec) -> MarkTable {
    let mut table = MarkTable::new(u32::MAX);
    for market in &spec.markets {
        // A table without practical limit takes every market.
        let _ = table.push(MarkRecord {
            mark: market.mark,
            index: market.mark,
            ..MarkRecord::zeroed()
        });
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballast_model::workload::test_spec;

    #[test]
    fn nodes_with_different_limits_part_at_genesis() {
        let mut other = test_spec();
        other.markets[0].max_price += 1;
        let hash = |spec| State::genesis(Arc::new(spec)).unwrap().app_hash();
        assert_ne!(hash(test_spec()), hash(other));
        assert_eq!(hash(test_spec()), hash(test_spec()));
    }
}
