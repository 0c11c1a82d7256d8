//! Whom other parameters of portfolio margin would put under margin.

use super::Figures;
use super::book::Book;
use super::world::World;
use crate::accounts::AccountRef;
use crate::snapshot::Snapshot;
use ballast_risk::portfolio::Error;
use ballast_types::margin::Params;
use ballast_types::{Account, GroupId, MarginMode};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

/// Accounts that one call looks at.
const LOOKED_AT: usize = 500;

/// Most accounts that one call names.
const ROWS: usize = 100;

/// An account that would be under margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderMargin {
    /// Which.
    pub account: Account,
    /// As it is.
    pub before: Figures,
    /// As it would be.
    pub after: Figures,
}

/// Part of an answer: accounts ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposed {
    /// Those whose equity would be below initial margin.
    pub accounts: Vec<UnderMargin>,
    /// How many were looked at.
    pub looked_at: u32,
    /// The last one looked at, when there are more: ask again with it.
    pub next: Option<Account>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposedError {
    /// There is no such group, or it has no index yet.
    NoUnit(GroupId),
    /// The parameters do not fit the group's marks.
    Refused(Error),
}

impl fmt::Display for ProposedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUnit(group) => write!(f, "group {}: has no prices to margin by", group.0),
            Self::Refused(error) => write!(f, "margin: {error}"),
        }
    }
}

impl std::error::Error for ProposedError {}

impl Snapshot {
    /// Accounts in Portfolio mode whose equity would be below initial margin with other parameters of
    /// a group, after account `after`. One call looks at 500 accounts at most and names 100 at most.
    /// Visits every open order of the chain.
    ///
    /// # Errors
    /// The group has no unit, or the parameters do not fit its marks.
    pub fn under(
        &self,
        group: GroupId,
        params: &Params,
        after: Option<Account>,
    ) -> Result<Proposed, ProposedError> {
        let world = World::proposed(self, group, params).map_err(ProposedError::Refused)?;
        let world = world.ok_or(ProposedError::NoUnit(group))?;
        let accounts = self.accounts_after(after);
        let more = accounts.len() > LOOKED_AT;
        let books = self.books(accounts.iter().take(LOOKED_AT));
        let mut answer = Proposed::default();
        for (account, _) in accounts.iter().take(LOOKED_AT) {
            if answer.accounts.len() >= ROWS {
                return Ok(answer);
            }
            answer.looked_at = answer.looked_at.saturating_add(1);
            answer.next = Some(*account);
            let Some(book) = books.get(account) else {
                continue;
            };
            if book.mode != MarginMode::Portfolio {
                continue;
            }
            let (before, after) = self.compared(book, &world);
            if after.equity < after.initial {
                answer.accounts.push(UnderMargin {
                    account: *account,
                    before,
                    after,
                });
            }
        }
        if !more {
            answer.next = None;
        }
        Ok(answer)
    }

    /// Sums of an account as it is, and in a world where one group is another.
    fn compared(&self, book: &Book, world: &World<'_>) -> (Figures, Figures) {
        let cash = Figures {
            equity: book.cash,
            ..Figures::default()
        };
        let (mut before, mut after) = (cash, cash);
        for (group, _) in (0_u16..).map(GroupId).zip(&self.chain.spec.groups) {
            let now = World::now(self, group).map(|world| world.figures(book));
            let now = now.unwrap_or_default();
            before = before.plus(now);
            after = after.plus(if group == world.group {
                world.figures(book)
            } else {
                now
            });
        }
        (before, after)
    }

    /// The first accounts after one, ascending, with their references: one more than are looked at.
    fn accounts_after(&self, after: Option<Account>) -> Vec<(Account, AccountRef)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let shards = self.accounts.iter().enumerate();
        let mut accounts: Vec<_> = shards
            .flat_map(|(shard, tables)| {
                let all = tables.by_account.range((from, Bound::Unbounded));
                all.take(LOOKED_AT.saturating_add(1))
                    .map(move |(account, slot)| (*account, AccountRef::new(shard, *slot)))
            })
            .collect();
        accounts.sort_unstable();
        accounts.truncate(LOOKED_AT.saturating_add(1));
        accounts
    }

    fn books<'a>(
        &self,
        accounts: impl Iterator<Item = &'a (Account, AccountRef)>,
    ) -> BTreeMap<Account, Book> {
        let mut books = BTreeMap::new();
        let mut owners: BTreeMap<u32, Account> = BTreeMap::new();
        for (account, reference) in accounts {
            let tables = self.accounts.get(reference.shard());
            let record = tables.and_then(|tables| tables.accounts.get(reference.slot()));
            if let (Some(tables), Some(record)) = (tables, record) {
                books.insert(*account, Book::held(tables, record));
                owners.insert(reference.0, *account);
            }
        }
        let wanted: BTreeSet<u32> = owners.keys().copied().collect();
        for (owner, open) in self.open_orders(&wanted) {
            let book = owners
                .get(&owner.0)
                .and_then(|account| books.get_mut(account));
            if let Some(book) = book {
                book.orders.push(open);
            }
        }
        books
    }

    /// Open interest of a group's perpetual and futures in money, now.
    pub(super) fn open_interest(&self, group: GroupId) -> i128 {
        let spec = self.chain.spec.groups.get(group.index());
        let index = self.prices.unit(group).map_or(0, |unit| unit.index);
        let digits = spec.map_or(0, |spec| u32::from(spec.price_digits).saturating_sub(3));
        let by = 10_i128.checked_pow(digits).unwrap_or(i128::MAX);
        let linear = self.chain.linear(group);
        let derivatives = linear.filter(|(_, market)| market.kind.is_derivative());
        let money = derivatives.map(|(id, market)| {
            let lots = self
                .marks
                .get(id.0)
                .map_or(0, |record| record.open_interest);
            let amount = i128::from(lots).saturating_mul(market.lot_amount.into());
            let product = amount.checked_mul(index.into());
            product
                .and_then(|money| money.checked_div(by))
                .unwrap_or(i128::MAX)
        });
        money.fold(0, i128::saturating_add)
    }
}
