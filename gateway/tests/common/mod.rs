//! A hand-made exchange whose blocks the gateway is fed with, and clients on real sockets.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod client;
pub mod keys;

use ballast_app::view::{
    AccountView, BookView, ChainView, LevelView, MarketView, MasterView, OrderView, PositionView,
    SurfaceView,
};
use ballast_gateway::{Committed, Config, Gateway, Submit, SubmitError, View};
use ballast_genesis::margin::preset;
use ballast_types::{
    Account, AccountId, AssetId, AssetSpec, BlockEvents, ChainSpec, Event, GroupId, GroupSpec,
    KeyId, Limits, Lots, MarginMode, MarketId, MarketKind, MarketSpec, MarketStatus, Matching,
    OrderId, PostOnly, SelfTrade, SelfTradeScope, Sharing, Side, Ticks, TimeInForce, TimeMs,
    TxResult, tx_hash,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

pub const PERP: MarketId = MarketId(0);
pub const SPOT: MarketId = MarketId(1);
pub const FUTURE: MarketId = MarketId(2);
pub const EXPIRY: TimeMs = 1_798_185_600_000;
/// Markets of the specification.
pub const GENESIS: usize = 3;
pub const USDC: AssetId = AssetId(0);

pub type Levels = Vec<(Side, Ticks, Lots)>;

pub fn market(symbol: &str, kind: MarketKind, tick: &str, lot: &str) -> MarketSpec {
    MarketSpec {
        symbol: symbol.to_owned(),
        group: GroupId(0),
        kind,
        tick: tick.to_owned(),
        lot: lot.to_owned(),
        tick_value: 100,
        tick_price: 100,
        lot_amount: 1_000_000,
        tick_bands: vec![],
        min_size: 1,
        max_size: 1_000_000,
        max_price: 10_000_000,
        price_band_ppm: 200_000,
        min_notional: 1_000_000,
        max_notional: 0,
        maker_fee_ppm: -10,
        taker_fee_ppm: 50,
        initial_margin_ppm: 50_000,
        minimum_margin_ppm: 0,
        maintenance_margin_ppm: 25_000,
        mark: 1_000,
        matching: Matching::Continuous,
        sharing: Sharing::ProRata,
        self_trade: false,
        taker_hold: 0,
    }
}

pub fn spec() -> Arc<ChainSpec> {
    let asset = |symbol: &str, decimals| AssetSpec {
        symbol: symbol.to_owned(),
        denom: symbol.to_lowercase(),
        decimals,
    };
    let spot = MarketKind::Spot {
        base: AssetId(1),
        lot_atoms: 10_000,
    };
    Arc::new(ChainSpec {
        chain_id: "gateway-test".to_owned(),
        genesis_time: 1_000,
        limits: Limits::default(),
        account_shards: 4,
        margin_asset: USDC,
        assets: vec![asset("USDC", 6), asset("BTC", 8)],
        groups: vec![GroupSpec {
            name: "BTC".to_owned(),
            price_digits: 3,
            volatility: 600_000_000_000_000,
            surface_cap: 0,
            margin: preset("default").unwrap(),
        }],
        markets: vec![
            market("BTC-PERP", MarketKind::Perpetual, "0.1", "0.001"),
            market("BTC-USDC", spot, "0.01", "0.0001"),
            market(
                "BTC-DEC26",
                MarketKind::Future { expiry: EXPIRY },
                "0.5",
                "0.001",
            ),
        ],
        series: vec![],
        margin_mode: MarginMode::Standard,
        order_reserve_ppm: 0,
        price_authorities: vec![],
        validators: vec![],
        balances: vec![],
    })
}

/// The state of the hand-made exchange: plain values.
#[derive(Clone, Default)]
pub struct State {
    pub height: u64,
    pub time: TimeMs,
    /// By market: sizes of bids and asks by price.
    pub books: BTreeMap<MarketId, [BTreeMap<Ticks, Lots>; 2]>,
    pub accounts: BTreeMap<Account, AccountView>,
    pub agents: BTreeMap<AccountId, Vec<(KeyId, TimeMs)>>,
    pub orders: BTreeMap<OrderId, OrderView>,
    /// Listed after the start, from the number after the genesis markets on, as they are now.
    pub listed: Vec<(MarketSpec, MarketView)>,
    pub surface: Option<SurfaceView>,
}

impl State {
    /// CRC-32 by the written rule, from plain bytes.
    pub fn checksum(&self, market: MarketId) -> u32 {
        let [bids, asks] = &self.books[&market];
        let mut bytes = Vec::new();
        let best = bids.iter().rev().take(25).chain(asks.iter().take(25));
        for (price, size) in best {
            bytes.extend(price.to_le_bytes());
            bytes.extend(size.to_le_bytes());
        }
        crc32fast::hash(&bytes)
    }
}

impl View for State {
    fn chain(&self) -> ChainView {
        ChainView {
            height: self.height,
            time: self.time,
            app_hash: [u8::try_from(self.height % 256).unwrap(); 32],
            accounts: u32::try_from(self.accounts.len()).unwrap(),
            open_orders: 7,
            waiting_orders: 1,
            fee_pool: 1_234_567,
            deficit: 0,
        }
    }

    fn app_hash(&self) -> [u8; 32] {
        self.chain().app_hash
    }

    fn account(&self, account: &Account) -> Option<AccountView> {
        self.accounts.get(account).cloned()
    }

    fn master(&self, master: &AccountId) -> Option<MasterView> {
        let subaccounts: Vec<_> = self
            .accounts
            .keys()
            .filter(|a| a.master == *master)
            .collect();
        (!subaccounts.is_empty()).then(|| MasterView {
            master: *master,
            tokens: 10,
            cancel_tokens: 20,
            sequence: 3,
            subaccounts: subaccounts.iter().map(|account| account.sub).collect(),
            agents: self.agents.get(master).cloned().unwrap_or_default(),
        })
    }

    fn order(&self, order: OrderId) -> Option<OrderView> {
        self.orders.get(&order).cloned()
    }

    fn book(&self, market: MarketId, depth: usize) -> Option<BookView> {
        let [bids, asks] = self.books.get(&market)?;
        let level = |(price, size): (&Ticks, &Lots)| LevelView {
            price: *price,
            size: *size,
            orders: 1,
        };
        Some(BookView {
            market,
            bids: bids.iter().rev().take(depth).map(level).collect(),
            asks: asks.iter().take(depth).map(level).collect(),
            checksum: self.checksum(market),
        })
    }

    fn market(&self, market: MarketId) -> Option<MarketView> {
        if let Some((_, view)) = self.listed.get(market.index().wrapping_sub(GENESIS)) {
            return Some(view.clone());
        }
        self.books.contains_key(&market).then_some(MarketView {
            market,
            group: GroupId(0),
            mark: 1_000,
            index: 999,
            last: 0,
            status: MarketStatus::Open,
            expiry: (market == FUTURE).then_some(EXPIRY),
            trades: 5,
            open_interest: 42,
            greeks: None,
        })
    }

    fn markets(&self) -> u32 {
        u32::try_from(GENESIS + self.listed.len()).unwrap()
    }

    fn market_spec(&self, market: MarketId) -> Option<MarketSpec> {
        let at = market.index().wrapping_sub(GENESIS);
        self.listed.get(at).map(|(spec, _)| spec.clone())
    }

    fn surface(&self, group: GroupId) -> Option<SurfaceView> {
        self.surface
            .clone()
            .filter(|surface| surface.group == group)
    }
}

/// Makes blocks.
pub struct World {
    pub state: State,
    seed: u64,
}

impl World {
    pub fn new() -> Self {
        let books = [PERP, SPOT, FUTURE]
            .into_iter()
            .map(|market| (market, Default::default()))
            .collect();
        Self {
            state: State {
                time: 1_000,
                books,
                ..State::default()
            },
            seed: 1,
        }
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.seed >> 33) % below
    }

    pub fn open_account(&mut self, account: Account) {
        let position = PositionView {
            market: PERP,
            size: -3,
            cost: -300_000,
            unrealised: 1_500_000,
        };
        let view = AccountView {
            account,
            balances: vec![(USDC, 12_000_000, 0), (AssetId(1), 5, 2)],
            positions: vec![position],
            orders: vec![],
            equity: 13_500_000,
            initial_margin: 15_000,
            maintenance_margin: 7_500,
            held_margin: 7_500,
            uncovered: false,
            cancel_at: 0,
            margin_mode: MarginMode::Portfolio,
            protections: vec![],
        };
        self.state.accounts.insert(account, view);
    }

    /// The next block: these results and events, and then these changes of books.
    pub fn block(
        &mut self,
        txs: Vec<TxResult>,
        mut events: Vec<Event>,
        books: &[(MarketId, Levels)],
    ) -> Arc<Committed> {
        self.state.height += 1;
        self.state.time += 100;
        for (market, levels) in books {
            let [bids, asks] = self.state.books.get_mut(market).unwrap();
            for (side, price, size) in levels {
                let side = if *side == Side::Buy {
                    &mut *bids
                } else {
                    &mut *asks
                };
                match size {
                    0 => side.remove(price),
                    size => side.insert(*price, *size),
                };
            }
            let checksum = self.state.checksum(*market);
            events.push(Event::Book {
                market: *market,
                levels: levels.clone(),
                checksum,
            });
        }
        let (height, time) = (self.state.height, self.state.time);
        let events = BlockEvents {
            height,
            time,
            txs: vec![txs],
            events,
        };
        Arc::new(Committed {
            events,
            view: Arc::new(self.state.clone()),
        })
    }

    /// A few random changes around price 1,000 that never cross.
    pub fn random_levels(&mut self) -> Levels {
        let mut levels = BTreeMap::new();
        for _ in 0..=self.random(6) {
            let price = 900 + self.random(200);
            let side = if price < 1_000 { Side::Buy } else { Side::Sell };
            let size = self.random(3) * self.random(50);
            levels.insert(
                i64::try_from(price).unwrap(),
                (side, i64::try_from(size).unwrap()),
            );
        }
        levels
            .into_iter()
            .map(|(price, (side, size))| (side, price, size))
            .collect()
    }
}

/// A resting ask of 50 lots, of which 7 have traded.
pub fn ask(account: Account) -> OrderView {
    OrderView {
        id: OrderId(1 << 50),
        account,
        market: PERP,
        side: Side::Sell,
        price: 1_234,
        level: 1_234,
        peg: None,
        link: None,
        remaining: 50,
        display: None,
        shown: 50,
        filled: 7,
        tif: TimeInForce::Gtc,
        post_only: PostOnly::Reject,
        reduce_only: false,
        quote: false,
        self_trade: SelfTrade::CancelTaker,
        self_trade_scope: SelfTradeScope::Account,
        waiting: None,
        client_id: Some(1 << 100),
        label: 4,
    }
}

pub fn fill(trade: u64, maker: Account, taker: Account) -> Event {
    Event::Fill {
        market: PERP,
        trade,
        maker: OrderId(10),
        maker_account: maker,
        taker: OrderId(11),
        taker_account: taker,
        taker_side: Side::Buy,
        price: 1_000 + i64::try_from(trade).unwrap(),
        size: 2,
        maker_fee: -3,
        taker_fee: 9,
    }
}

/// Takes what does not begin with `full` or `bad`.
pub fn pool() -> Submit {
    Arc::new(|tx| {
        let refuse = |code, message: &str| {
            Err(SubmitError {
                code,
                message: message.to_owned(),
            })
        };
        match &tx[..] {
            b"full" => refuse(32_000, "the pool is full"),
            b"bad" => refuse(100, "no envelope"),
            _ => Ok(tx_hash(&tx)),
        }
    })
}

pub async fn start_with(change: impl FnOnce(&mut Config)) -> Gateway {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::new(any, any);
    change(&mut config);
    Gateway::start(config, spec(), pool()).await.unwrap()
}

pub async fn start() -> Gateway {
    start_with(|_| {}).await
}
