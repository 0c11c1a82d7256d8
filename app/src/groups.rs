//! One shard of markets: the group's orders, books and floors. How orders come and go is in
//! `orders`.

use crate::accounts::AccountRef;
use crate::form::End;
use crate::index::Index;
use crate::links::Loose;
use crate::records::{
    FloorRecord, FloorTable, LinkTable, MemberRecord, MemberTable, OrderRecord, OrderTable,
    ProtectionTable, SpecialTable, TradeRecord, TradeTable,
};
use ballast_orderbook::Books;
use ballast_types::{ChainSpec, GroupId, MarketId, OrderId, PriceSource, Ticks, TimeMs};
use bytemuck::Zeroable;

/// (nonce, index) of the action that set a floor; what is below it is refused.
pub(crate) type Pair = (u64, u16);

/// What a floor names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FloorKind {
    Label,
    Client,
    Market,
}

pub(crate) type FloorKey = (AccountRef, FloorKind, u128);

#[derive(Debug)]
pub(crate) struct GroupShard {
    pub(crate) group: GroupId,
    /// Markets of the group; the index is the number that its books know them by.
    pub(crate) markets: Vec<MarketId>,
    pub(crate) orders: OrderTable,
    /// What only waiting, pegged and iceberg orders have.
    pub(crate) specials: SpecialTable,
    pub(crate) links: LinkTable,
    pub(crate) members: MemberTable,
    pub(crate) protections: ProtectionTable,
    pub(crate) floors: FloorTable,
    pub(crate) trades: TradeTable,
    pub(crate) books: Books,
    pub(crate) member_at: Index<AccountRef, u32>,
    /// By (owner, priority).
    pub(crate) by_account: Index<(AccountRef, u64), u32>,
    pub(crate) by_client: Index<(AccountRef, u128), u32>,
    /// By (end, priority).
    pub(crate) by_expiry: Index<(End, u64), u32>,
    /// Waiting orders with a trigger price that are not due.
    pub(crate) stops: Index<StopKey, ()>,
    /// Waiting orders with a trailing trigger, due or not, by (market, priority). Here and above without
    /// legs that are dormant altogether.
    pub(crate) trailing: Index<(MarketId, u64), u32>,
    /// Waiting orders that are due, by (market, priority).
    pub(crate) due: Index<(MarketId, u64), u32>,
    /// Schedules, by (market, time from which the next slice is due, priority).
    pub(crate) slices: Index<(MarketId, TimeMs, u64), u32>,
    /// Pegged orders, by (market, priority).
    pub(crate) pegged: Index<(MarketId, u64), u32>,
    /// Orders of settled markets, by (market, priority).
    pub(crate) stranded: Index<(MarketId, u64), u32>,
    /// Resting orders by (owner, market, priority).
    pub(crate) reduce_only: Index<(AccountRef, MarketId, u64), u32>,
    /// Resting quotes.
    pub(crate) quotes: Index<QuoteKey, u32>,
    pub(crate) protection_at: Index<AccountRef, u32>,
    pub(crate) floor_at: Index<FloorKey, u32>,
    /// Client-id and label floors by owner, oldest first.
    pub(crate) floor_by_owner: Index<(AccountRef, Pair, FloorKind, u128), u32>,
    /// All floors, oldest first.
    pub(crate) floor_by_age: Index<(Pair, FloorKey), u32>,
    /// What links have done and is not in the records yet.
    pub(crate) loose: Loose,
}

/// A trigger price: market, source, whether it fires at or above the price (else at or below), price
/// and slot of the order.
pub(crate) type StopKey = (MarketId, PriceSource, bool, Ticks, u32);

/// Where a quote stands: owner, market, and whether it is an ask.
pub(crate) type QuoteKey = (AccountRef, MarketId, bool);

/// Word of the order table that counts priorities.
pub(crate) const PRIORITY: usize = 0;
/// Word of the special table that counts waiting orders.
pub(crate) const WAITING_ORDERS: usize = 0;

impl GroupShard {
    pub(crate) fn new(group: GroupId, spec: &ChainSpec) -> Self {
        let markets: Vec<_> = (0_u32..)
            .zip(&spec.markets)
            .filter(|(_, market)| market.group == group)
            .map(|(id, _)| MarketId(id))
            .collect();
        let mut trades = TradeTable::new(u32::MAX);
        for market in &markets {
            let record = TradeRecord {
                market: market.0,
                ..TradeRecord::zeroed()
            };
            // A table without practical limit takes every market.
            let _ = trades.push(record);
        }
        Self {
            group,
            orders: OrderTable::new(OrderId::MAX_SLOT),
            specials: SpecialTable::new(u32::MAX),
            links: LinkTable::new(u32::MAX),
            members: MemberTable::new(u32::MAX),
            protections: ProtectionTable::new(u32::MAX),
            floors: FloorTable::new(u32::MAX),
            trades,
            books: Books::new(markets.len()),
            markets,
            member_at: Index::default(),
            by_account: Index::default(),
            by_client: Index::default(),
            by_expiry: Index::default(),
            stops: Index::default(),
            trailing: Index::default(),
            due: Index::default(),
            slices: Index::default(),
            pegged: Index::default(),
            stranded: Index::default(),
            reduce_only: Index::default(),
            quotes: Index::default(),
            protection_at: Index::default(),
            floor_at: Index::default(),
            floor_by_owner: Index::default(),
            floor_by_age: Index::default(),
            loose: Loose::default(),
        }
    }

    /// Adds a market behind the others of the group.
    pub(crate) fn list(&mut self, market: MarketId) -> Option<()> {
        let record = TradeRecord {
            market: market.0,
            ..TradeRecord::zeroed()
        };
        self.trades.push(record).ok()?;
        self.markets.push(market);
        self.books.grow(self.markets.len());
        Some(())
    }

    /// Forgets the markets that have no record any more, of a candidate that was dropped. Their books
    /// stay, empty.
    pub(crate) fn forget_markets(&mut self) {
        let known = usize::try_from(self.trades.len()).unwrap_or(usize::MAX);
        self.markets.truncate(known);
    }

    /// Id of the order in a slot.
    pub(crate) fn id(&self, slot: u32, record: &OrderRecord) -> Option<OrderId> {
        OrderId::new(self.group, record.generation, slot)
    }

    /// The slot of an open order, when the id names one.
    pub(crate) fn find(&self, id: OrderId) -> Option<u32> {
        let record = self.orders.get(id.slot())?;
        let open = record.remaining > 0 && id.group() == self.group;
        (open && record.generation == id.generation()).then(|| id.slot())
    }

    /// Slots of an owner's orders, oldest first.
    pub(crate) fn orders_of(&self, owner: AccountRef) -> impl DoubleEndedIterator<Item = u32> {
        self.by_account
            .range((owner, 0)..=(owner, u64::MAX))
            .map(|(_, slot)| slot)
    }

    pub(crate) fn member(&self, owner: AccountRef) -> Option<&MemberRecord> {
        self.members.get(self.member_at.get(&owner)?)
    }

    pub(crate) fn member_mut(&mut self, owner: AccountRef) -> Option<&mut MemberRecord> {
        if let Some(slot) = self.member_at.get(&owner) {
            return self.members.get_mut(slot);
        }
        let slot = self
            .members
            .push(MemberRecord {
                account: owner.0,
                ..MemberRecord::zeroed()
            })
            .ok()?;
        self.member_at.insert(owner, slot);
        self.members.get_mut(slot)
    }

    /// Whether a floor of the owner refuses an order.
    pub(crate) fn refuses(
        &self,
        owner: AccountRef,
        market: MarketId,
        label: u32,
        client: Option<u128>,
        pair: Pair,
    ) -> bool {
        let all = self
            .member(owner)
            .map(|member| (member.floor_nonce, member.floor_index));
        let named = [
            Some((FloorKind::Market, u128::from(market.0))),
            Some((FloorKind::Label, u128::from(label))),
            client.map(|client| (FloorKind::Client, client)),
        ];
        all.is_some_and(|floor| pair < floor)
            || named.into_iter().flatten().any(|(kind, value)| {
                let slot = self.floor_at.get(&(owner, kind, value));
                slot.and_then(|slot| self.floors.get(slot))
                    .is_some_and(|floor| pair < (floor.nonce, floor.index))
            })
    }

    /// Raises the floor for everything of the owner.
    pub(crate) fn raise_all(&mut self, owner: AccountRef, pair: Pair) -> Option<()> {
        let member = self.member_mut(owner)?;
        if (member.floor_nonce, member.floor_index) < pair {
            (member.floor_nonce, member.floor_index) = pair;
        }
        Some(())
    }

    /// Raises a floor by market, label or client id. Of the latter two an owner has at most `limit`:
    /// the lowest leaves and raises the floor for everything.
    pub(crate) fn raise(&mut self, key: FloorKey, pair: Pair, limit: u32) -> Option<()> {
        let (owner, kind, value) = key;
        if let Some(slot) = self.floor_at.get(&key) {
            let record = *self.floors.get(slot)?;
            if (record.nonce, record.index) < pair {
                self.unlink_floor(key, (record.nonce, record.index));
                let record = self.floors.get_mut(slot)?;
                (record.nonce, record.index) = pair;
                self.link_floor(key, pair, slot);
            }
            return Some(());
        }
        let counted = kind != FloorKind::Market;
        if counted
            && self
                .member(owner)
                .is_some_and(|member| member.floors >= limit)
        {
            let lowest = self
                .floor_by_owner
                .range((owner, (0, 0), FloorKind::Label, 0)..(owner, pair, kind, value))
                .next();
            let Some(((_, low, low_kind, low_value), _)) = lowest else {
                return self.raise_all(owner, pair);
            };
            self.drop_floor((owner, low_kind, low_value), low)?;
            self.raise_all(owner, low)?;
        }
        let slot = self.floors.alloc().ok()?;
        *self.floors.get_mut(slot)? = FloorRecord {
            account: owner.0,
            kind: kind_number(kind),
            value,
            nonce: pair.0,
            index: pair.1,
            ..FloorRecord::zeroed()
        };
        self.link_floor(key, pair, slot);
        self.floor_at.insert(key, slot);
        if counted {
            let member = self.member_mut(owner)?;
            member.floors = member.floors.saturating_add(1);
        }
        Some(())
    }

    /// Forgets floors that can refuse nothing any more, at most `quota`.
    pub(crate) fn forget_floors(&mut self, oldest: u64, quota: u32) {
        for _ in 0..quota {
            let first = self.floor_by_age.first();
            let Some(((pair, key), _)) = first.filter(|((pair, _), _)| pair.0 < oldest) else {
                return;
            };
            if self.drop_floor(key, pair).is_none() {
                return;
            }
        }
    }

    fn drop_floor(&mut self, key: FloorKey, pair: Pair) -> Option<()> {
        self.unlink_floor(key, pair);
        let slot = self.floor_at.remove(&key)?;
        if key.1 != FloorKind::Market {
            let member = self.member_mut(key.0)?;
            member.floors = member.floors.saturating_sub(1);
        }
        self.floors.free(slot).ok()
    }

    fn link_floor(&mut self, key: FloorKey, pair: Pair, slot: u32) {
        if key.1 != FloorKind::Market {
            self.floor_by_owner
                .insert((key.0, pair, key.1, key.2), slot);
        }
        self.floor_by_age.insert((pair, key), slot);
    }

    fn unlink_floor(&mut self, key: FloorKey, pair: Pair) {
        self.floor_by_owner.remove(&(key.0, pair, key.1, key.2));
        self.floor_by_age.remove(&(pair, key));
    }
}

pub(crate) fn kind_number(kind: FloorKind) -> u8 {
    match kind {
        FloorKind::Label => 0,
        FloorKind::Client => 1,
        FloorKind::Market => 2,
    }
}

pub(crate) fn kind_of(number: u8) -> Option<FloorKind> {
    [FloorKind::Label, FloorKind::Client, FloorKind::Market]
        .get(usize::from(number))
        .copied()
}
