//! A committed height for readers: queries never wait for the block that executes.

use crate::accounts::{AccountRef, AccountShard, Slots, Units};
use crate::chain::Chain;
use crate::form::mode_of;
use crate::groups::GroupShard;
use crate::groups::WAITING_ORDERS;
use crate::listed::{Listed, ListedTables};
use crate::pages::{Hash, Header};
use crate::passes::Live;
use crate::prices::Prices;
use crate::records::{
    AccountRecord, AccountTable, AccountTableView, AgentTable, AgentTableView, BalanceTable,
    BalanceTableView, FloorTableView, LinkTable, LinkTableView, MarkTable, MarkTableView,
    MasterTable, MasterTableView, MemberTableView, NonceTable, NonceTableView, OrderRecord,
    OrderTable, OrderTableView, PositionTable, PositionTableView, ProtectionTableView,
    SpecialRecord, SpecialTable, SpecialTableView, TradeTableView,
};
use crate::view::{
    AccountView, BookView, ChainView, ForwardView, GreeksView, LevelView, LinkView, MarketView,
    MasterView, OrderView, PositionView, ProtectionView, SurfaceView, TwapView, WaitingView,
};
use ballast_types::{
    Account, AccountId, AssetId, Atoms, ChainSpec, GroupId, Lots, MarketId, MarketSpec, OrderId,
    Side, Ticks, TimeMs, account_shard,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// State at one committed height. Cheap to hold; shares its pages with the state.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) chain: Arc<Chain>,
    pub(crate) app_hash: Hash,
    pub(crate) marks: MarkTableView,
    pub(crate) listed: ListedTables,
    pub(crate) prices: Arc<Prices>,
    pub(crate) accounts: Vec<AccountTables>,
    pub(crate) groups: Vec<GroupTables>,
}

#[derive(Clone, Debug)]
pub(crate) struct AccountTables {
    pub(crate) accounts: AccountTableView,
    pub(crate) balances: BalanceTableView,
    pub(crate) positions: PositionTableView,
    pub(crate) masters: MasterTableView,
    pub(crate) agents: AgentTableView,
    pub(crate) nonces: NonceTableView,
    pub(crate) by_account: Slots<Account>,
    pub(crate) by_master: Slots<AccountId>,
    pub(crate) units: Units,
}

#[derive(Clone, Debug)]
pub(crate) struct GroupTables {
    pub(crate) orders: OrderTableView,
    pub(crate) specials: SpecialTableView,
    pub(crate) links: LinkTableView,
    pub(crate) members: MemberTableView,
    pub(crate) protections: ProtectionTableView,
    pub(crate) floors: FloorTableView,
    pub(crate) trades: TradeTableView,
}

impl AccountTables {
    pub(crate) fn of(shard: &AccountShard) -> Self {
        Self {
            accounts: shard.accounts.snapshot(),
            balances: shard.balances.snapshot(),
            positions: shard.positions.snapshot(),
            masters: shard.masters.snapshot(),
            agents: shard.agents.snapshot(),
            nonces: shard.nonces.snapshot(),
            by_account: shard.by_account.clone(),
            by_master: shard.by_master.clone(),
            units: shard.units.clone(),
        }
    }
}

impl GroupTables {
    pub(crate) fn of(shard: &GroupShard) -> Self {
        Self {
            orders: shard.orders.snapshot(),
            specials: shard.specials.snapshot(),
            links: shard.links.snapshot(),
            members: shard.members.snapshot(),
            protections: shard.protections.snapshot(),
            floors: shard.floors.snapshot(),
            trades: shard.trades.snapshot(),
        }
    }
}

impl Snapshot {
    pub(crate) fn empty(chain: Arc<Chain>) -> Self {
        Self {
            listed: Listed::new(&chain.spec).snapshot(),
            prices: Arc::default(),
            chain,
            app_hash: [0; 32],
            marks: MarkTable::new(0).snapshot(),
            accounts: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// The genesis that the chain runs on.
    pub fn spec(&self) -> &ChainSpec {
        &self.chain.spec
    }

    /// App hash after this height.
    pub fn app_hash(&self) -> Hash {
        self.app_hash
    }

    /// Height; 0 is genesis.
    pub fn height(&self) -> u64 {
        self.marks
            .header()
            .words()
            .counters
            .first()
            .copied()
            .unwrap_or(0)
    }

    /// Block time in ms.
    pub fn time(&self) -> TimeMs {
        self.marks
            .header()
            .words()
            .counters
            .get(1)
            .copied()
            .unwrap_or(0)
    }

    /// Sums over the chain. Visits every account.
    pub fn chain(&self) -> ChainView {
        let words = self.marks.header().words();
        let owed = |record: &AccountRecord| 0_i128.saturating_sub(record.equity()).max(0);
        let deficit = self
            .accounts
            .iter()
            .flat_map(|shard| shard.accounts.iter())
            .fold(0_i128, |sum, (_, record)| sum.saturating_add(owed(record)));
        let used = |header: &Header| header.len().saturating_sub(header.free_len());
        let orders = self.groups.iter().map(|group| used(group.orders.header()));
        let all = orders.map(u64::from).fold(0, u64::saturating_add);
        let waiting_orders = self
            .groups
            .iter()
            .filter_map(|group| group.specials.header().words().counters.get(WAITING_ORDERS))
            .fold(0, |sum: u64, waiting| sum.saturating_add(*waiting));
        ChainView {
            height: self.height(),
            time: self.time(),
            app_hash: self.app_hash,
            accounts: words
                .counters
                .get(2)
                .and_then(|n| u32::try_from(*n).ok())
                .unwrap_or(0),
            open_orders: all.saturating_sub(waiting_orders),
            waiting_orders,
            fee_pool: words.sums.first().copied().unwrap_or(0),
            deficit,
        }
    }

    /// Whether the account exists.
    pub fn exists(&self, account: &Account) -> bool {
        self.find(account).is_some()
    }

    pub(crate) fn find(
        &self,
        account: &Account,
    ) -> Option<(&AccountTables, AccountRef, &AccountRecord)> {
        let shard = account_shard(account.master, self.chain.spec.account_shards);
        let tables = self.accounts.get(shard)?;
        let slot = *tables.by_account.get(account)?;
        Some((
            tables,
            AccountRef::new(shard, slot),
            tables.accounts.get(slot)?,
        ))
    }

    /// Equity of an account in atoms of the margin asset.
    pub fn equity(&self, account: &Account) -> Option<Atoms> {
        self.find(account).map(|(_, _, record)| record.equity())
    }

    /// An account with its positions and open orders. Visits every open order of the chain.
    pub fn account(&self, account: &Account) -> Option<AccountView> {
        let (tables, reference, record) = self.find(account)?;
        let mut balances = vec![(self.chain.spec.margin_asset, record.cash, 0)];
        balances.extend(tables.balances_of(record));
        balances.sort_unstable();
        let mut positions = self.positions_of(tables, record);
        positions.sort_unstable_by_key(|position| position.market);
        let mut orders: Vec<_> = self
            .groups
            .iter()
            .flat_map(|group| {
                let own = group.orders.iter();
                own.filter(|(_, order)| order.account == reference.0)
                    .filter_map(move |(slot, order)| {
                        self.order_view(slot, order, group.special(order))
                    })
            })
            .collect();
        orders.sort_unstable_by_key(|order| (order.market, order.id));
        Some(AccountView {
            account: *account,
            balances,
            positions,
            orders,
            equity: record.equity(),
            initial_margin: record.initial,
            maintenance_margin: record.maintenance,
            held_margin: record.held,
            uncovered: record.uncovered != 0,
            cancel_at: record.deadline,
            margin_mode: mode_of(record.mode),
            protections: self.protections_of(reference),
        })
    }

    fn protections_of(&self, owner: AccountRef) -> Vec<ProtectionView> {
        let groups = (0_u16..).map(GroupId).zip(&self.groups);
        groups
            .flat_map(|(id, group)| {
                let all = group.protections.iter();
                all.filter(move |(_, record)| record.account == owner.0)
                    .map(move |(_, record)| record.view(id))
            })
            .collect()
    }

    fn positions_of(&self, tables: &AccountTables, record: &AccountRecord) -> Vec<PositionView> {
        let mut views = Vec::new();
        let mut next = record.positions;
        while let Some(position) = next
            .checked_sub(1)
            .and_then(|slot| tables.positions.get(slot))
        {
            next = position.next;
            let market = MarketId(position.market);
            if position.size != 0 {
                let risk = self.prices.risk(market, &self.chain);
                let value = risk.map_or(0, |risk| risk.value);
                views.push(PositionView {
                    market,
                    size: position.size,
                    cost: position.cost,
                    unrealised: position.position().unrealised(value),
                });
            }
        }
        views
    }

    /// A master account.
    pub fn master(&self, master: &AccountId) -> Option<MasterView> {
        let limits = &self.chain.spec.limits;
        let shard = account_shard(*master, self.chain.spec.account_shards);
        let tables = self.accounts.get(shard)?;
        let slot = *tables.by_master.get(master)?;
        let record = tables.masters.get(slot)?;
        let since = self.time().saturating_sub(record.refilled);
        let refilled = limits.bucket_refill.saturating_mul(since);
        let whole = |tokens: u64, size: u64| {
            tokens
                .saturating_add(refilled)
                .min(size.saturating_mul(1_000))
                .div_euclid(1_000)
        };
        let mut agents: Vec<_> = tables
            .agents
            .iter()
            .filter(|(_, agent)| agent.master == slot)
            .map(|(_, agent)| (AccountId(agent.key), agent.expiry))
            .collect();
        agents.sort_unstable();
        let all = Account::new(*master, 0)..=Account::new(*master, u16::MAX);
        Some(MasterView {
            master: *master,
            tokens: whole(record.tokens, limits.bucket_tokens),
            cancel_tokens: whole(record.cancel_tokens, limits.cancel_tokens),
            sequence: record.sequence,
            subaccounts: tables
                .by_account
                .range(all)
                .map(|(account, _)| account.sub)
                .collect(),
            agents,
        })
    }

    /// An open order, resting or waiting.
    pub fn order(&self, id: OrderId) -> Option<OrderView> {
        let group = self.groups.get(id.group().index())?;
        let record = group.orders.get(id.slot())?;
        if record.remaining == 0 || record.generation != id.generation() {
            return None;
        }
        self.order_view(id.slot(), record, group.special(record))
    }

    fn order_view(
        &self,
        slot: u32,
        record: &OrderRecord,
        special: Option<&SpecialRecord>,
    ) -> Option<OrderView> {
        let owner = AccountRef(record.account);
        let tables = self.accounts.get(owner.shard())?;
        let order = record.order(special);
        let waiting = special.filter(|_| record.waiting()).map(waiting_view);
        let group = self
            .groups
            .get(self.chain.market(order.market)?.group.index())?;
        Some(OrderView {
            id: OrderId::new(
                self.chain.market(order.market)?.group,
                record.generation,
                slot,
            )?,
            account: tables.accounts.get(owner.slot())?.account(),
            market: order.market,
            side: order.side,
            price: order.price,
            level: record.level(special),
            peg: order.peg,
            link: group.link_view(self.chain.market(order.market)?.group, record),
            remaining: record.remaining,
            display: order.display,
            shown: shown(record, special),
            filled: record.filled,
            tif: order.tif,
            post_only: order.post_only,
            reduce_only: order.reduce_only,
            quote: record.quote(),
            self_trade: order.self_trade,
            self_trade_scope: order.self_trade_scope,
            waiting,
            client_id: order.client_id,
            label: order.label,
        })
    }

    /// Resting orders of a market in priority order: bids, then asks.
    pub fn orders(&self, market: MarketId) -> Option<(Vec<OrderView>, Vec<OrderView>)> {
        let group = self.groups.get(self.chain.market(market)?.group.index())?;
        let mut sides = (Vec::new(), Vec::new());
        for (slot, record) in group.resting(market) {
            let Some(view) = self.order_view(slot, record, group.special(record)) else {
                continue;
            };
            match record.side() {
                Side::Buy => sides
                    .0
                    .push((view.level.saturating_neg(), record.priority, view)),
                Side::Sell => sides.1.push((view.level, record.priority, view)),
            }
        }
        let sorted = |mut side: Vec<(Ticks, u64, OrderView)>| {
            side.sort_unstable_by_key(|(price, priority, _)| (*price, *priority));
            side.into_iter().map(|(_, _, view)| view).collect()
        };
        Some((sorted(sides.0), sorted(sides.1)))
    }

    /// The best `depth` levels of each side. Visits every open order of the group.
    pub fn book(&self, market: MarketId, depth: usize) -> Option<BookView> {
        let group = self.groups.get(self.chain.market(market)?.group.index())?;
        let mut bids: BTreeMap<Ticks, (Lots, u32)> = BTreeMap::new();
        let mut asks = bids.clone();
        for (_, record) in group.resting(market) {
            let side = match record.side() {
                Side::Buy => &mut bids,
                Side::Sell => &mut asks,
            };
            let special = group.special(record);
            let (size, orders) = side.entry(record.level(special)).or_default();
            *size = size.saturating_add(shown(record, special));
            *orders = orders.saturating_add(1);
        }
        let level = |(price, (size, orders)): (&Ticks, &(Lots, u32))| LevelView {
            price: *price,
            size: *size,
            orders: *orders,
        };
        let mut view = BookView {
            market,
            bids: bids.iter().rev().map(level).collect(),
            asks: asks.iter().map(level).collect(),
            checksum: 0,
        };
        view.checksum = checksum(&view);
        view.bids.truncate(depth);
        view.asks.truncate(depth);
        Some(view)
    }

    /// Prices, status, trades and open interest of a market.
    pub fn market(&self, market: MarketId) -> Option<MarketView> {
        let spec = self.chain.market(market)?;
        let group = self.groups.get(spec.group.index())?;
        let open_interest = self.marks.get(market.0)?.open_interest;
        let Live {
            mark,
            index,
            status,
        } = self.prices.live(market, &self.chain);
        let trades = group.trades.get(self.chain.local(market))?;
        Some(MarketView {
            market,
            group: spec.group,
            mark,
            index,
            last: trades.last,
            status,
            expiry: spec.kind.expiry(),
            trades: trades.trades,
            open_interest,
            greeks: self.greeks(market),
        })
    }

    /// How many markets there are: those of the genesis, and options that were listed, settled ones
    /// too. Their ids are the numbers below.
    pub fn markets(&self) -> u32 {
        self.chain.markets()
    }

    /// What a market is, of the genesis or listed.
    pub fn market_spec(&self, market: MarketId) -> Option<MarketSpec> {
        self.chain.market(market).cloned()
    }

    /// What an option's price hinges on; `None` of other markets, of settled ones, and without a
    /// unit.
    fn greeks(&self, id: MarketId) -> Option<GreeksView> {
        let priced = self.prices.figures(id, &self.chain)?.array.as_ref()?;
        let market = self.chain.market(id)?;
        self.prices.unit(market.group)?.greeks(priced)
    }

    /// What the options and the portfolio margin of a group are computed from.
    pub fn surface(&self, group: GroupId) -> Option<SurfaceView> {
        let unit = self.prices.unit(group)?;
        let marks = unit.scenarios.as_ref().map(|scenarios| scenarios.marks());
        let of_kernel = marks.into_iter().flat_map(|marks| &marks.expiries);
        let forwards = unit
            .terms
            .iter()
            .zip(of_kernel)
            .map(|(term, marks)| ForwardView {
                expiry: term.expiry,
                forward: marks.forward.saturating_add(marks.fixed),
                rate: marks.rate,
            });
        let surface = unit.surface.as_ref();
        Some(SurfaceView {
            group,
            time: unit.refreshed,
            index: unit.index,
            forwards: forwards.collect(),
            expiries: surface.map_or_else(Vec::new, |surface| surface.expiries.clone()),
        })
    }

    /// Balances of every account that are not zero, the margin asset's included.
    pub fn balances(&self) -> Vec<(Account, AssetId, Atoms)> {
        let mut all = Vec::new();
        for shard in &self.accounts {
            for (_, record) in shard.accounts.iter() {
                let account = record.account();
                all.push((account, self.chain.spec.margin_asset, record.cash));
                all.extend(
                    shard
                        .balances_of(record)
                        .map(|(asset, n, _)| (account, asset, n)),
                );
            }
        }
        all.retain(|(_, _, amount)| *amount != 0);
        all.sort_unstable();
        all
    }

    /// Positions of every account whose size or cost is not zero: (account, market, size, cost).
    pub fn positions(&self) -> Vec<(Account, MarketId, Lots, Atoms)> {
        let mut all = Vec::new();
        for shard in &self.accounts {
            for (_, position) in shard.positions.iter() {
                if let Some(owner) = shard.accounts.get(position.account) {
                    let market = MarketId(position.market);
                    all.push((owner.account(), market, position.size, position.cost));
                }
            }
        }
        all.retain(|(_, _, size, cost)| *size != 0 || *cost != 0);
        all.sort_unstable();
        all
    }

    /// Bytes that the pages of this state take.
    pub fn page_bytes(&self) -> u64 {
        let tables = self.accounts.iter().map(|shard| {
            [
                bytes(shard.accounts.page_count(), AccountTable::PAGE_BYTES),
                bytes(shard.balances.page_count(), BalanceTable::PAGE_BYTES),
                bytes(shard.positions.page_count(), PositionTable::PAGE_BYTES),
                bytes(shard.masters.page_count(), MasterTable::PAGE_BYTES),
                bytes(shard.agents.page_count(), AgentTable::PAGE_BYTES),
                bytes(shard.nonces.page_count(), NonceTable::PAGE_BYTES),
            ]
        });
        let accounts = tables.flatten().fold(0, u64::saturating_add);
        let groups = self.groups.iter().map(|group| {
            [
                bytes(group.orders.page_count(), OrderTable::PAGE_BYTES),
                bytes(group.specials.page_count(), SpecialTable::PAGE_BYTES),
                bytes(group.links.page_count(), LinkTable::PAGE_BYTES),
            ]
        });
        groups.flatten().fold(accounts, u64::saturating_add)
    }
}

impl AccountTables {
    pub(crate) fn balances_of(
        &self,
        record: &AccountRecord,
    ) -> impl Iterator<Item = (AssetId, Atoms, Atoms)> {
        let mut next = record.balances;
        std::iter::from_fn(move || {
            let balance = self.balances.get(next.checked_sub(1)?)?;
            next = balance.next;
            Some((AssetId(balance.asset), balance.amount, balance.held))
        })
    }
}

impl GroupTables {
    fn special(&self, record: &OrderRecord) -> Option<&SpecialRecord> {
        self.specials.get(record.special_slot()?)
    }

    fn link_view(&self, group: GroupId, record: &OrderRecord) -> Option<LinkView> {
        let link = self.links.get(record.link_slot()?)?;
        let id = |at: u32| {
            let slot = at.checked_sub(1)?;
            OrderId::new(group, self.orders.get(slot)?.generation, slot)
        };
        let [order, legs @ ..] = link.orders;
        Some(LinkView {
            kind: link.kind(),
            rule: link.rule(),
            order: id(order),
            legs: legs.into_iter().filter_map(id).collect(),
        })
    }

    /// Orders in the book of a market, by slot.
    fn resting(&self, market: MarketId) -> impl Iterator<Item = (u32, &OrderRecord)> {
        let orders = self.orders.iter();
        let here = orders.filter(move |(_, order)| order.market == market.0);
        here.filter(|(_, order)| order.remaining > 0 && !order.waiting())
    }
}

/// What a waiting order waits for.
fn waiting_view(special: &SpecialRecord) -> WaitingView {
    WaitingView {
        trigger: special.trigger(),
        twap: special.twap().map(|twap| TwapView {
            twap,
            start: special.start,
            next: u64::from(special.slice),
        }),
        dormant: special.dormant,
        due: special.due != 0,
        extreme: (special.active != 0).then_some(special.extreme),
        max_fills: special.max_fills,
    }
}

/// Lots of an order that the book shows.
fn shown(record: &OrderRecord, special: Option<&SpecialRecord>) -> Lots {
    match special {
        _ if record.waiting() => 0,
        Some(special) if special.display > 0 => special.shown,
        _ => record.remaining,
    }
}

fn bytes(pages: u32, page_bytes: usize) -> u64 {
    u64::from(pages).saturating_mul(u64::try_from(page_bytes).unwrap_or(0))
}

/// CRC-32 over the best 25 bids, then asks, as (i64 price, i64 size) little-endian.
fn checksum(book: &BookView) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for side in [&book.bids, &book.asks] {
        for level in side.iter().take(25) {
            crc.update(&level.price.to_le_bytes());
            crc.update(&level.size.to_le_bytes());
        }
    }
    crc.finalize()
}
