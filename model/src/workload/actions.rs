//! Random actions.

use super::{Known, Workload};
use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, Atoms, Cancel, GroupId, Lots, MarketId, Order,
    OrderId, OrderRef, PostOnly, SelfTrade, SelfTradeScope, SetAgent, Side, Ticks, TimeInForce,
    TimeMs, Transfer,
};

/// Markets of the genesis come before it.
pub(super) const FIRST_OPTION: u64 = 10;

/// Values at the edges of their types.
pub(super) const EDGES: [i64; 7] = [i64::MIN, -1, 0, 1, 1 << 44, i64::MAX - 1, i64::MAX];

impl Workload {
    pub(super) fn action(&mut self, account: Account) -> Action {
        match self.rng.below(100) {
            0..=39 => Action::Order(self.order(account)),
            40..=42 => Action::Linked(self.linked(account)),
            43..=45 => Action::Scale(self.scale(account)),
            46..=48 => {
                let group = self.group();
                Action::Quotes(self.quotes(account, group))
            }
            49 => {
                let group = self.group();
                Action::SetProtection(self.protection(group))
            }
            50..=67 => Action::Cancel(self.cancel(account)),
            68 => Action::SetMarginMode(self.margin_mode(account)),
            69 => Action::SetSurface(self.surface_of_anyone()),
            70..=82 => self.amend(account),
            83..=89 => Action::Transfer(self.transfer(account)),
            90..=92 => Action::SetAgent(self.agent(account.master)),
            93 => Action::RemoveAgent(self.agent(account.master).key),
            94..=96 => Action::SetPrices(self.prices()),
            97..=98 => Action::CancelAfter(self.timeout()),
            _ => Action::SetMarketStatus(self.status()),
        }
    }

    pub(super) fn market(&mut self) -> MarketId {
        let count = u64::try_from(self.spec.markets.len()).unwrap_or(1);
        let beyond = u64::from(self.rng.one_in(60));
        // Batch markets, futures and options are seldom, and settled ones more so.
        let known = match self.rng.below(24) {
            0..=2 => self.rng.range(5, 6),
            3..=6 => self.rng.range(7, FIRST_OPTION - 1),
            7..=8 => self.option().map_or(0, |option| u64::from(option.0)),
            _ => self.rng.below(5),
        };
        let settled = u32::try_from(known).is_ok_and(|known| self.is_settled(MarketId(known)));
        let known = if settled && !self.rng.one_in(8) {
            self.rng.below(5)
        } else {
            known
        };
        MarketId(u32::try_from(known + beyond * count).unwrap_or(u32::MAX))
    }

    pub(super) fn group(&mut self) -> GroupId {
        let count = u64::try_from(self.spec.groups.len()).unwrap_or(1);
        let beyond = u64::from(self.rng.one_in(40));
        GroupId(u16::try_from(self.rng.below(count) + beyond * count).unwrap_or(u16::MAX))
    }

    pub(super) fn asset(&mut self) -> AssetId {
        let edge = u64::from(self.rng.one_in(30));
        AssetId(u16::try_from(self.rng.pick(&[0, 0, 0, 1, 2]) + edge * 9).unwrap_or(0))
    }

    pub(super) fn mark(&self, market: MarketId) -> Ticks {
        if let Some(value) = self.option_value(market) {
            return value;
        }
        self.marks.get(market.index()).copied().unwrap_or(1_000)
    }

    pub(super) fn price(&mut self, market: MarketId, side: Side) -> Ticks {
        if self.rng.one_in(80) {
            return self.rng.pick(&EDGES);
        }
        let mark = self.mark(market);
        let away = mark / 40;
        let offset = match self.rng.below(12) {
            0 => self.rng.signed(-mark / 2, mark / 2),
            1..=3 => self.rng.signed(-3, 3),
            _ if side == Side::Buy => self.rng.signed(-away, away / 4),
            _ => self.rng.signed(-away / 4, away),
        };
        mark + offset
    }

    fn size(&mut self) -> Lots {
        match self.rng.below(60) {
            0 => self.rng.pick(&EDGES),
            1 => 1 << 44,
            2..=6 => self.rng.signed(100, 1_000),
            7..=20 => self.rng.signed(30, 120),
            _ => self.rng.signed(2, 30),
        }
    }

    fn client_id(&mut self) -> Option<u128> {
        match self.rng.below(40) {
            0 => Some(0),
            1..=14 => Some(u128::from(self.rng.range(1, 5))),
            _ => None,
        }
    }

    fn label(&mut self) -> u32 {
        self.rng.pick(&[0, 0, 1, 2, 3])
    }

    /// One of few times, so that many orders expire at once.
    fn expiry(&mut self) -> TimeMs {
        (self.time / 4_000 + self.rng.below(3)) * 4_000
    }

    /// One of few heights, so that many orders expire at once.
    fn last_height(&mut self) -> u64 {
        (self.height / 4 + self.rng.below(3)) * 4
    }

    /// Shown lots of an iceberg: a small part of its size.
    fn display(&mut self, size: Lots, may_rest: bool) -> Option<Lots> {
        match self.rng.below(60) {
            0 => Some(self.rng.pick(&EDGES)),
            1 => Some(self.rng.signed(2, 9)),
            2..=24 if may_rest => Some(self.rng.signed(2, (size / 4).clamp(2, 12))),
            _ => None,
        }
    }

    /// Of a dead man's switch: mostly short.
    fn timeout(&mut self) -> TimeMs {
        match self.rng.below(10) {
            0 => self.rng.pick(&[1, 999, 86_400_000, 86_400_001, u64::MAX]),
            1..=2 => 0,
            _ => self.rng.range(1_000, 3_000),
        }
    }

    pub(super) fn order(&mut self, account: Account) -> Order {
        let market = self.market();
        let position = self.position(account, market);
        let closes = position != 0 && self.rng.one_in(2);
        let mut side = self.rng.pick(&[Side::Buy, Side::Sell]);
        if closes {
            side = if position > 0 { Side::Sell } else { Side::Buy };
        }
        let post_only = self.rng.one_in(3);
        let tif = match self.rng.below(12) {
            0..=1 => TimeInForce::Gtc,
            2..=5 => TimeInForce::Gtt(self.expiry()),
            6..=7 => TimeInForce::Gtb(self.last_height()),
            8..=10 if !post_only || self.rng.one_in(9) => TimeInForce::Ioc,
            11 if !post_only => TimeInForce::Fok,
            _ => TimeInForce::Gtc,
        };
        let most = u64::from(self.spec.limits.max_fills);
        let max_fills = match self.rng.below(40) {
            0 => self
                .rng
                .pick(&[0, 1, self.spec.limits.max_fills + 1, u16::MAX]),
            _ if post_only => 0,
            _ => u16::try_from(self.rng.range(1, most)).unwrap_or(1),
        };
        let size = match self.rng.below(4) {
            _ if market == MarketId(1) && self.rng.one_in(30) => 1 << 44,
            0 if closes => position.abs(),
            1 if closes => position.abs() + position.abs() / 2 + 1,
            _ => self.size(),
        };
        let kinds = [PostOnly::Reject, PostOnly::Slide, PostOnly::Slide];
        let order = Order {
            tif,
            post_only: if post_only {
                self.rng.pick(&kinds)
            } else {
                PostOnly::No
            },
            reduce_only: if closes {
                self.rng.one_in(2)
            } else {
                self.rng.one_in(25)
            },
            client_id: self.client_id(),
            label: self.label(),
            max_fills,
            self_trade: self.self_trade(),
            self_trade_scope: self
                .rng
                .pick(&[SelfTradeScope::Account, SelfTradeScope::Master]),
            ..Order::limit(market, side, self.price(market, side), size)
        };
        let display = self.display(size, order.may_rest());
        let price = self.stepped(market, order.price);
        let order = Order {
            display,
            price,
            ..order
        };
        match self.rng.below(24) {
            0..=3 => self.with_trigger(order),
            4..=7 => self.with_peg(order),
            8 => self.with_twap(order),
            _ => order,
        }
    }

    pub(super) fn self_trade(&mut self) -> SelfTrade {
        self.rng.pick(&[
            SelfTrade::CancelTaker,
            SelfTrade::CancelMaker,
            SelfTrade::CancelBoth,
            SelfTrade::Decrement,
        ])
    }

    /// An order that the account had resting lately.
    pub(super) fn own_order(&mut self, account: Account) -> Option<Known> {
        let own = self.orders.iter().filter(|known| known.account == account);
        let own: Vec<Known> = own.rev().take(10).copied().collect();
        (!own.is_empty()).then(|| self.rng.pick(&own))
    }

    /// Any id: of nobody's order, of another's, of one that is gone.
    fn stray_id(&mut self) -> OrderId {
        let all: Vec<OrderId> = self.orders.iter().map(|known| known.id).collect();
        match self.rng.below(4) {
            0 => OrderId(self.rng.next_u64()),
            1 => OrderId(self.rng.pick(&[0, u64::MAX, 1 << 50, 5 << 50])),
            2 if !all.is_empty() => self.rng.pick(&all),
            _ => OrderId(self.rng.below(9)),
        }
    }

    fn order_id(&mut self, account: Account) -> OrderId {
        let own = self.own_order(account).filter(|_| !self.rng.one_in(12));
        own.map_or_else(|| self.stray_id(), |known| known.id)
    }

    pub(super) fn cancel(&mut self, account: Account) -> Cancel {
        match self.rng.below(48) {
            0..=29 => Cancel::Order(self.order_id(account)),
            30..=36 => {
                let client_id = u128::from(self.rng.below(6));
                Cancel::Client {
                    group: self.group(),
                    client_id,
                }
            }
            37..=43 => {
                let label = self.rng.pick(&[0, 1, 1, 2, 2, 3, 3]);
                Cancel::Label {
                    group: self.group(),
                    label,
                }
            }
            44..=45 => Cancel::Market(self.market()),
            46 => Cancel::All(Some(self.group())),
            _ => Cancel::All(None),
        }
    }

    /// An amend, mostly of an order that exists; an order when there is none.
    fn amend(&mut self, account: Account) -> Action {
        match self.own_order(account) {
            Some(known) if !self.rng.one_in(12) => Action::Amend(self.amend_of(Some(known))),
            None if !self.rng.one_in(6) => Action::Order(self.order(account)),
            _ => Action::Amend(self.amend_of(None)),
        }
    }

    /// Changes a known order, or one that does not exist.
    pub(super) fn amend_of(&mut self, known: Option<Known>) -> Amend {
        let most = self.spec.limits.max_fills;
        let max_fills = if self.rng.one_in(2) { 0 } else { most };
        let keep_on_reject = self.rng.one_in(2);
        let Some(known) = known else {
            let order = OrderRef::Id(self.stray_id());
            return Amend {
                order,
                price: 1_000,
                size: 5,
                keep_on_reject,
                max_fills,
            };
        };
        let group = self
            .spec
            .market(known.market)
            .map_or(GroupId(0), |market| market.group);
        let order = match known.client_id {
            Some(client_id) if self.rng.one_in(2) => OrderRef::Client { group, client_id },
            _ => OrderRef::Id(known.id),
        };
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let same_price = self.rng.one_in(2);
        Amend {
            order,
            price: if same_price {
                known.price
            } else {
                self.price(known.market, side)
            },
            size: if self.rng.one_in(3) {
                self.size()
            } else {
                self.rng.signed(2, known.size + 2)
            },
            keep_on_reject,
            max_fills,
        }
    }

    /// Anyone, or somebody new.
    pub(super) fn receiver(&mut self) -> Account {
        let accounts = self.accounts.clone();
        let known = self.rng.pick(&accounts);
        match self.rng.below(10) {
            0 => Account::new(known.master, 5),
            1 => Account::new(AccountId([self.rng.byte(); 20]), 0),
            _ => known,
        }
    }

    pub(super) fn amount(&mut self, from: Account, asset: AssetId) -> u128 {
        let balance: Atoms = self.balances.get(&(from, asset)).copied().unwrap_or(0);
        let balance = u64::try_from(balance).unwrap_or(0);
        match self.rng.below(16) {
            0 => 0,
            1 => self.rng.pick(&[1, 1 << 100, (1 << 100) + 1, u128::MAX]),
            2 => u128::from(balance) + 1,
            3 => u128::from(balance),
            4..=6 => u128::from(balance / 2 + self.rng.below(balance / 2 + 1)),
            _ => u128::from(self.rng.below(balance / 8 + 2)),
        }
    }

    fn transfer(&mut self, from: Account) -> Transfer {
        let asset = self.asset();
        Transfer {
            asset,
            amount: self.amount(from, asset),
            to: self.receiver(),
        }
    }

    fn agent(&mut self, master: AccountId) -> SetAgent {
        let at = match self.agents.get(&master) {
            Some(at) if self.rng.one_in(2) => *at,
            _ => self.rng.index(self.secrets.len()),
        };
        let markets = match self.rng.below(3) {
            0 => vec![self.market(), self.market()],
            _ => Vec::new(),
        };
        SetAgent {
            key: self.owners[at],
            expiry: self.time + self.rng.below(20_000),
            markets,
            max_notional: self.rng.pick(&[0, 0, 10_000_000, 1 << 100, (1 << 100) + 1]),
        }
    }

    pub(super) fn position(&self, account: Account, market: MarketId) -> Lots {
        self.positions
            .get(&(account, market))
            .map_or(0, |(size, _)| *size)
    }
}
