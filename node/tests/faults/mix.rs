//! One client's transactions: every action, good and bad, in the markets of the demo genesis.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ballast::actions::now_ms;
use ballast_model::workload::{Rng, cosmos_actions, cosmos_sends};
use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, Cancel, ChainSpec, Condition, Distance, GroupId,
    Hash, MarketId, MarketStatus, MsgActionsBody, Order, OrderId, OrderRef, PostOnly, PriceKind,
    PriceSource, PriceUpdate, Quote, QuoteSide, Quotes, Scale, Secret, SelfTrade, SelfTradeScope,
    SetAgent, SetMarketStatus, SetProtection, Side, TimeInForce, Transfer, Trigger, TxBody,
    chain_hash, encode_bundle, sign_native,
};

/// Market, group and a price in ticks of each market of the demo genesis.
const MARKETS: [(u32, u16, i64); 5] = [
    (0, 0, 10_000_000),
    (1, 0, 1_000_000),
    (2, 1, 400_000),
    (3, 1, 400_000),
    (4, 2, 58_500),
];
const PERPETUALS: [usize; 2] = [1, 3];
const SELF_TRADE: [SelfTrade; 4] = [
    SelfTrade::CancelTaker,
    SelfTrade::CancelMaker,
    SelfTrade::CancelBoth,
    SelfTrade::Decrement,
];
/// Values at the edges of their types, none of which is a price or size of these markets.
const EDGES: [i64; 6] = [i64::MIN, -1, 0, 1 << 44, i64::MAX - 1, i64::MAX];
/// How long a transaction is valid, ms. Longer than any restart takes.
const VALID: u64 = 110_000;
/// Resting orders that a client remembers for each account.
const KNOWN: usize = 24;

/// An order that may rest.
#[derive(Clone, Copy)]
struct Known {
    id: OrderId,
    market: usize,
    price: i64,
    size: i64,
    client_id: Option<u128>,
}

/// Somebody with a key who trades for three accounts: the key's own, its subaccount 1, and one whose
/// agent the key is.
pub(crate) struct Trader {
    pub(crate) rng: Rng,
    pub(crate) secret: Secret,
    spec: Arc<ChainSpec>,
    chain: Hash,
    accounts: [Account; 3],
    known: [VecDeque<Known>; 3],
    /// Whose agent nobody made this key.
    stranger: AccountId,
    authority: bool,
    /// Of the next Cosmos transaction.
    pub(crate) sequence: u64,
    /// What the chain has, to be sent again.
    pub(crate) old: VecDeque<Vec<u8>>,
}

/// A signed transaction and what it should do.
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    /// Index into the trader's accounts.
    pub(crate) account: usize,
    pub(crate) actions: Vec<Action>,
}

impl Trader {
    /// Trader `at` of `secrets`; trader 0's key publishes marks.
    pub(crate) fn new(seed: u64, at: usize, secrets: &[Secret], spec: &Arc<ChainSpec>) -> Self {
        let master = |offset: usize| secrets[(at + offset) % secrets.len()].id();
        let own = secrets[at].id();
        Self {
            rng: Rng::new(seed),
            secret: secrets[at].clone(),
            spec: Arc::clone(spec),
            chain: chain_hash(&spec.chain_id),
            accounts: [
                Account::new(own, 0),
                Account::new(own, 1),
                Account::new(master(1), 0),
            ],
            known: Default::default(),
            stranger: master(2),
            authority: spec.price_authorities.contains(&own),
            sequence: 0,
            old: VecDeque::new(),
        }
    }

    /// Funds the subaccount, and makes the key of the trader before this one its agent.
    pub(crate) fn set_up(&mut self, before: AccountId) -> Sent {
        let to = self.accounts[1];
        let fund = |asset, amount| {
            Action::Transfer(Transfer {
                asset: AssetId(asset),
                amount,
                to,
            })
        };
        let agent = SetAgent {
            key: before,
            expiry: u64::MAX,
            markets: Vec::new(),
            max_notional: 0,
        };
        let actions = vec![
            fund(0, 10_000_000_000_000),
            fund(1, 100_000_000_000),
            fund(2, 100_000_000_000),
            fund(3, 100_000),
            Action::SetAgent(agent),
        ];
        self.native(0, actions)
    }

    /// A good transaction in the native envelope; now and then one whose actions are at an edge.
    pub(crate) fn good(&mut self) -> Sent {
        let account = match self.rng.below(10) {
            0..=6 => 0,
            7 | 8 => 1,
            _ => 2,
        };
        let count = self.rng.range(1, 6);
        let actions = (0..count).map(|_| self.action(account)).collect();
        self.native(account, actions)
    }

    /// A good transaction as wallets sign it. `None` for keys that wallets do not have.
    pub(crate) fn wallet(&mut self) -> Option<Sent> {
        if !matches!(self.secret, Secret::Secp256k1(_)) {
            return None;
        }
        if self.rng.one_in(4) {
            let to = self.stranger;
            let bytes = self.send(&self.secret, self.sequence, to);
            return Some(Sent {
                bytes,
                account: 0,
                actions: Vec::new(),
            });
        }
        let count = self.rng.range(1, 4);
        let actions: Vec<_> = (0..count).map(|_| self.action(0)).collect();
        let body = MsgActionsBody {
            account: self.accounts[0],
            nonce: next_nonce(),
            actions: actions.clone(),
        };
        let bytes = cosmos_actions(&self.spec, &self.secret, self.sequence, 0, &body);
        Some(Sent {
            bytes,
            account: 0,
            actions,
        })
    }

    fn send(&self, wallet: &Secret, sequence: u64, to: AccountId) -> Vec<u8> {
        let denom = self.spec.assets[0].denom.as_str();
        cosmos_sends(&self.spec, wallet, sequence, 0, &[(to, denom, 7)])
    }

    /// A transaction whose actions all name values at an edge: the block holds it, with codes.
    pub(crate) fn edge(&mut self) -> Sent {
        let count = self.rng.range(1, 4);
        let actions = (0..count).map(|_| self.edge_action()).collect();
        self.native(0, actions)
    }

    /// Takes the ids of orders that a block made; `orders` is (id, lots filled) of each action.
    pub(crate) fn learn(&mut self, sent: &Sent, orders: &[(Option<u64>, i64)]) {
        let known = &mut self.known[sent.account];
        for (action, (id, filled)) in sent.actions.iter().zip(orders) {
            let (Action::Order(order), Some(id)) = (action, id) else {
                continue;
            };
            let market = order.market.index();
            if order.may_rest() && *filled < order.size && market < MARKETS.len() {
                known.push_back(Known {
                    id: OrderId(*id),
                    market,
                    price: order.price,
                    size: order.size,
                    client_id: order.client_id,
                });
            }
        }
        let surplus = known.len().saturating_sub(KNOWN);
        known.drain(..surplus);
    }

    fn native(&mut self, account: usize, actions: Vec<Action>) -> Sent {
        let bytes = self.sign(self.body(account, actions.clone()));
        Sent {
            bytes,
            account,
            actions,
        }
    }

    fn body(&self, account: usize, actions: Vec<Action>) -> TxBody {
        TxBody {
            chain: self.chain,
            account: self.accounts[account],
            key: self.secret.public(),
            nonce: next_nonce(),
            expiry: now_ms() + VALID,
            actions,
        }
    }

    fn sign(&self, body: TxBody) -> Vec<u8> {
        sign_native(&body, &self.secret)
    }

    fn action(&mut self, account: usize) -> Action {
        let agent = account == 2;
        match self.rng.below(100) {
            0..=27 => Action::Cancel(self.cancel(account)),
            28..=39 => self.amend(account),
            40..=45 if !agent => Action::Transfer(self.transfer()),
            46..=48 if !agent => Action::SetAgent(self.agent()),
            49 if !agent => Action::RemoveAgent(spare_key(self.rng.below(4))),
            50..=56 if self.authority && !agent => Action::SetPrices(self.prices()),
            57..=59 if self.authority && !agent => Action::SetMarketStatus(self.status()),
            60 | 61 => Action::CancelAfter(self.rng.pick(&[0, 1_000, 20_000])),
            62 | 63 => Action::Scale(self.scale()),
            64..=68 => Action::Quotes(self.quotes()),
            69 => Action::SetProtection(self.protection()),
            70..=73 => Action::Linked(self.linked()),
            74..=76 => Action::Order(self.pegged()),
            77 | 78 => Action::Order(self.sliced()),
            _ => Action::Order(self.order()),
        }
    }

    pub(crate) fn order(&mut self) -> Order {
        let market = self.rng.index(MARKETS.len());
        let (id, _, price) = MARKETS[market];
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let away = self.rng.signed(-price / 2_000, price / 1_000);
        let tif = match self.rng.below(20) {
            0..=11 => TimeInForce::Gtc,
            12 | 13 => TimeInForce::Gtt(now_ms() + self.rng.range(500, 20_000)),
            // Of blocks of this test, some of which are over.
            14 => TimeInForce::Gtb(self.rng.range(1, 1_500)),
            15..=17 => TimeInForce::Ioc,
            _ => TimeInForce::Fok,
        };
        let rests = !matches!(tif, TimeInForce::Ioc | TimeInForce::Fok);
        let limit = match side {
            Side::Buy => price - away,
            Side::Sell => price + away,
        };
        let order = Order::limit(MarketId(id), side, limit, self.rng.signed(1, 40));
        let order = match self.rng.below(5) {
            0 | 1 if rests => order.post_only(PostOnly::Reject),
            2 if rests => order.post_only(PostOnly::Slide),
            _ => order,
        };
        Order {
            tif,
            reduce_only: PERPETUALS.contains(&market) && self.rng.one_in(8),
            // Used once, so that an order that counts twice shows.
            client_id: self.rng.one_in(2).then(|| u128::from(next_nonce())),
            label: u32::from(self.rng.byte() % 4),
            self_trade: self.rng.pick(&SELF_TRADE),
            self_trade_scope: self
                .rng
                .pick(&[SelfTradeScope::Account, SelfTradeScope::Master]),
            display: (rests && self.rng.one_in(4)).then(|| self.rng.signed(1, 5)),
            trigger: self.rng.one_in(5).then(|| self.trigger(price)),
            ..order
        }
    }

    fn scale(&mut self) -> Scale {
        let order = Order {
            trigger: None,
            client_id: None,
            ..self.order()
        };
        Scale {
            last_price: order.price + self.rng.signed(-30, 30),
            orders: u16::from(self.rng.byte() % 4) + 1,
            last_size_ppm: self.rng.pick(&[500_000, 1_000_000, 3_000_000]),
            order,
        }
    }

    /// Of both markets of a group, or of one.
    fn quotes(&mut self) -> Quotes {
        let group = self.group();
        let mut quotes = Vec::new();
        for (id, _, price) in MARKETS.into_iter().filter(|(_, of, _)| *of == group.0) {
            let away = self.rng.signed(1, price / 2_000 + 1);
            let size = self.rng.signed(1, 40);
            let side = |price| Some(QuoteSide { price, size });
            quotes.push(Quote {
                market: MarketId(id),
                bid: side(price - away).filter(|_| !self.rng.one_in(5)),
                ask: side(price + away).filter(|_| !self.rng.one_in(5)),
            });
        }
        Quotes {
            group,
            post_only: self.rng.pick(&[PostOnly::Reject, PostOnly::Slide]),
            quotes,
        }
    }

    fn protection(&mut self) -> SetProtection {
        SetProtection {
            group: self.group(),
            interval_ms: self.rng.pick(&[0, 2_000, 20_000]),
            freeze_ms: self.rng.pick(&[500, 3_000]),
            notional: self.rng.pick(&[0, 50_000_000, 1_000_000_000]),
            delta: self.rng.pick(&[0, 30_000_000, 500_000_000]),
            vega: self.rng.pick(&[0, 1_000_000]),
        }
    }

    /// Near the prices that the authority publishes, so that many fire.
    pub(crate) fn trigger(&mut self, price: i64) -> Trigger {
        let source = [PriceSource::Mark, PriceSource::Index, PriceSource::Last];
        let source = self.rng.pick(&source);
        let at = price + self.rng.signed(-price / 100, price / 100);
        let condition = match self.rng.below(4) {
            0 => Condition::AtOrAbove(at),
            1 => Condition::AtOrBelow(at),
            2 => Condition::Trail {
                distance: Distance::Ppm(5_000),
                activation: 0,
            },
            _ => Condition::Trail {
                distance: Distance::Ticks(price / 200),
                activation: at,
            },
        };
        Trigger { source, condition }
    }

    fn own(&mut self, account: usize) -> Option<Known> {
        let known = &self.known[account];
        (!known.is_empty()).then(|| known[self.rng.index(known.len())])
    }

    fn group(&mut self) -> GroupId {
        GroupId(u16::from(self.rng.byte() % 3))
    }

    fn cancel(&mut self, account: usize) -> Cancel {
        let group = self.group();
        match (self.rng.below(30), self.own(account)) {
            (0..=20, Some(known)) => match known.client_id {
                Some(client_id) if self.rng.one_in(3) => Cancel::Client {
                    group: group_of(known.market),
                    client_id,
                },
                _ => Cancel::Order(known.id),
            },
            (21, _) => Cancel::All(None),
            (22, _) => Cancel::All(Some(group)),
            (23 | 24, _) => Cancel::Market(MarketId(MARKETS[self.rng.index(5)].0)),
            (25..=27, _) => Cancel::Client {
                group,
                client_id: u128::from(self.rng.next_u64()),
            },
            _ => Cancel::Label {
                group,
                label: u32::from(self.rng.byte() % 4),
            },
        }
    }

    fn amend(&mut self, account: usize) -> Action {
        let Some(known) = self.own(account) else {
            return Action::Order(self.order());
        };
        let group = group_of(known.market);
        Action::Amend(Amend {
            order: match known.client_id {
                Some(client_id) if self.rng.one_in(2) => OrderRef::Client { group, client_id },
                _ => OrderRef::Id(known.id),
            },
            price: known.price + self.rng.signed(-20, 20) * i64::from(self.rng.byte() % 2),
            size: self.rng.signed(1, known.size + 3),
            keep_on_reject: self.rng.one_in(2),
            max_fills: 32,
        })
    }

    fn transfer(&mut self) -> Transfer {
        let to = self.rng.pick(&[self.accounts[1], self.accounts[2]]);
        let to = Account::new(to.master, to.sub + u16::from(self.rng.one_in(4)));
        let asset = AssetId(u16::from(self.rng.byte() % 4));
        Transfer {
            asset,
            amount: u128::from(self.rng.range(1, 100)),
            to,
        }
    }

    fn agent(&mut self) -> SetAgent {
        let market = MarketId(MARKETS[self.rng.index(5)].0);
        SetAgent {
            key: spare_key(self.rng.below(4)),
            expiry: now_ms() + 60_000,
            markets: vec![market],
            max_notional: 1_000_000_000,
        }
    }

    /// Within one percent, which no account here feels.
    fn prices(&mut self) -> Vec<PriceUpdate> {
        let update = |at: usize| {
            let (id, _, price) = MARKETS[at];
            let price = price + self.rng.signed(-price / 100, price / 100);
            PriceUpdate {
                market: MarketId(id),
                kind: PriceKind::Mark,
                price,
            }
        };
        let marks = PERPETUALS.map(update);
        let (id, _, price) = MARKETS[self.rng.index(MARKETS.len())];
        let index = PriceUpdate {
            market: MarketId(id),
            kind: PriceKind::Index,
            price: price + self.rng.signed(-price / 100, price / 100),
        };
        marks.into_iter().chain([index]).collect()
    }

    /// Mostly open again.
    fn status(&mut self) -> SetMarketStatus {
        let other = [
            MarketStatus::PostOnly,
            MarketStatus::CancelOnly,
            MarketStatus::Suspended,
            MarketStatus::Auction,
        ];
        let status = match self.rng.one_in(4) {
            true => self.rng.pick(&other),
            false => MarketStatus::Open,
        };
        // One market, so that it opens soon.
        let market = MarketId(MARKETS[3].0);
        SetMarketStatus { market, status }
    }

    fn edge_action(&mut self) -> Action {
        let order = self.order();
        let edge = self.rng.pick(&EDGES);
        let transfer = self.transfer();
        let agent = self.agent();
        let nowhere = MarketId(self.rng.pick(&[99, u32::MAX]));
        match self.rng.below(22) {
            0 | 1 => Action::Order(Order {
                price: edge,
                ..order
            }),
            2 | 3 => Action::Order(Order {
                size: edge,
                ..order
            }),
            4 => Action::Order(Order {
                market: nowhere,
                ..order
            }),
            5 => Action::Order(Order {
                max_fills: u16::MAX,
                ..order
            }),
            6 => Action::Order(Order {
                client_id: Some(0),
                ..order
            }),
            7 => Action::Order(Order {
                tif: TimeInForce::Gtt(1),
                ..order
            }),
            8 => Action::Order(Order {
                tif: TimeInForce::Ioc,
                ..order.post_only(PostOnly::Slide)
            }),
            9 => Action::Transfer(Transfer {
                amount: self.rng.pick(&[0, (1 << 100) + 1, u128::MAX]),
                ..transfer
            }),
            10 => Action::Transfer(Transfer {
                amount: 1 << 100,
                ..transfer
            }),
            11 => Action::Transfer(Transfer {
                asset: AssetId(u16::MAX),
                ..transfer
            }),
            12 => Action::SetAgent(SetAgent {
                max_notional: u128::MAX,
                ..agent
            }),
            13 => Action::RemoveAgent(AccountId([self.rng.byte(); 20])),
            14 => Action::SetPrices(vec![PriceUpdate {
                market: MarketId(1),
                kind: self.rng.pick(&[PriceKind::Mark, PriceKind::Index]),
                price: edge,
            }]),
            15 => Action::CancelAfter(self.rng.pick(&[1, 999, 86_400_001, u64::MAX])),
            16 => Action::SetMarketStatus(SetMarketStatus {
                market: nowhere,
                status: MarketStatus::Open,
            }),
            17..=20 => Action::Order(self.edge_order(edge)),
            _ => Action::Amend(Amend {
                order: OrderRef::Id(OrderId(self.rng.pick(&[0, u64::MAX, 1 << 50]))),
                price: edge,
                size: edge,
                keep_on_reject: true,
                max_fills: 0,
            }),
        }
    }

    /// An order that shows, waits or ends in a way that none may.
    fn edge_order(&mut self, edge: i64) -> Order {
        let order = self.order();
        match self.rng.below(6) {
            4 => self.edge_peg(edge),
            5 => self.edge_twap(),
            0 => Order {
                display: Some(edge.min(0)),
                ..order
            },
            1 => Order {
                tif: TimeInForce::Gtb(1),
                ..order
            },
            _ => Order {
                trigger: Some(self.edge_trigger(edge)),
                ..order
            },
        }
    }

    fn edge_trigger(&mut self, edge: i64) -> Trigger {
        let trail = |distance, activation| Condition::Trail {
            distance,
            activation,
        };
        let conditions = [
            Condition::AtOrAbove(edge),
            Condition::AtOrBelow(edge),
            trail(Distance::Ticks(edge), 0),
            trail(Distance::Ppm(0), 0),
            trail(Distance::Ppm(u32::MAX), 0),
            trail(Distance::Ppm(1), i64::MIN),
        ];
        Trigger {
            source: PriceSource::Mark,
            condition: self.rng.pick(&conditions),
        }
    }

    /// A transaction that no block may authorise, with what is wrong with it.
    pub(crate) fn bad(&mut self) -> (&'static str, Vec<u8>) {
        let kind = self.rng.index(BAD.len());
        (BAD[kind], self.bad_of(BAD[kind]))
    }

    /// A transaction with what one of [`BAD`] says.
    pub(crate) fn bad_of(&mut self, kind: &str) -> Vec<u8> {
        let order = Action::Order(self.order());
        let mut body = self.body(0, vec![order.clone()]);
        match kind {
            "empty" => return Vec::new(),
            "garbage" => return self.garbage(),
            "reserved envelope" => return [vec![3], self.garbage()].concat(),
            "truncated" => {
                let bytes = self.sign(body);
                return bytes[..self.rng.index(bytes.len() - 1) + 1].to_vec();
            }
            "trailing bytes" => return [self.sign(body), vec![0]].concat(),
            "oversized" => return [self.sign(body), vec![0; 17 << 10]].concat(),
            "larger than any transaction" => return vec![1; 70 << 10],
            "wrong chain" => body.chain = chain_hash("another chain"),
            "bad signature" => {
                let mut bytes = self.sign(body);
                let at = bytes.len() - 1 - self.rng.index(64);
                bytes[at] ^= 1;
                return bytes;
            }
            "expired" => body.expiry = now_ms() - 20_000,
            "old nonce" => body.nonce -= 200_000,
            "future nonce" => body.nonce += 600_000,
            "no nonce" => body.nonce = 0,
            "unknown account" => body.account = Account::new(body.account.master, 60_000),
            "another's account" => body.account = Account::new(self.stranger, 0),
            "no actions" => body.actions.clear(),
            "too many actions" => body.actions = vec![order; 65],
            "too many prices" => {
                let update = PriceUpdate {
                    market: MarketId(1),
                    kind: PriceKind::Mark,
                    price: 1,
                };
                body.actions = vec![Action::SetPrices(vec![update; 65])];
            }
            "bad bundle" => {
                let inner = [self.bad_of("bad signature"), self.bad_of("wrong chain")];
                let ingress = Secret::ed25519([self.rng.byte(); 32]);
                return encode_bundle(&inner, now_ms(), &self.chain, &ingress);
            }
            "broken wallet" => {
                let wallet = Secret::secp256k1([7; 32]).expect("a key");
                let mut bytes = self.send(&wallet, 0, self.stranger);
                let at = self.rng.index(bytes.len());
                bytes[at] ^= self.rng.byte() | 1;
                return bytes;
            }
            other => panic!("{other} is not listed"),
        }
        self.sign(body)
    }

    fn garbage(&mut self) -> Vec<u8> {
        let first = self.rng.pick(&[0, 1, 2, 10, 255]);
        let rest = (0..self.rng.below(300)).map(|_| self.rng.byte());
        [first].into_iter().chain(rest).collect()
    }

    /// Two transactions with one key and nonce: only one of them may count.
    pub(crate) fn twins(&mut self) -> [Vec<u8>; 2] {
        let [one, other] = [self.order(), self.order()].map(Action::Order);
        let first = self.body(0, vec![one]);
        let second = TxBody {
            actions: vec![other],
            ..first.clone()
        };
        [self.sign(first), self.sign(second)]
    }
}

/// What can be wrong with a transaction.
pub(crate) const BAD: [&str; 20] = [
    "empty",
    "garbage",
    "reserved envelope",
    "truncated",
    "trailing bytes",
    "oversized",
    "larger than any transaction",
    "wrong chain",
    "bad signature",
    "expired",
    "old nonce",
    "future nonce",
    "no nonce",
    "unknown account",
    "another's account",
    "no actions",
    "too many actions",
    "too many prices",
    "bad bundle",
    "broken wallet",
];

fn group_of(market: usize) -> GroupId {
    GroupId(MARKETS[market].1)
}

/// Keys that come and go as agents, and that nobody signs with.
fn spare_key(at: u64) -> AccountId {
    let byte = u8::try_from(at).unwrap_or(0);
    AccountId([byte + 1; 20])
}

/// A stamp of the clock that nobody else in this process got.
pub(crate) fn next_nonce() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = now_ms();
    let next = |last: u64| now.max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        Some(next(last))
    });
    next(last.unwrap_or(0))
}
