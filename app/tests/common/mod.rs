//! A small chain for scenarios: every block is first executed in another form and dropped, and the
//! indexes are compared with the records after each step.

#![allow(dead_code)]

use ballast_app::view::{MarketView, OrderView};
use ballast_app::{Block, Snapshot, State};
use ballast_types::margin::{
    Basis, Charges, Floor, Numeraire, ONE, Params, Scenario, Tenor, Volatility, VolatilityShock,
};
use ballast_types::{
    Account, Action, AssetId, AssetSpec, BlockEvents, Cadence, ChainSpec, Code, Event, GroupId,
    GroupSpec, Limits, MarginMode, MarketId, MarketKind, MarketSpec, Matching, OptionKind, Order,
    OrderId, PriceKind, PriceUpdate, Secret, SeriesSpec, Sharing, Side, TxBody, TxHash,
    ValidatorSpec, chain_hash, sign_native,
};
use bytes::Bytes;
use std::sync::Arc;

const NONE_VERIFIED: &(dyn Fn(&TxHash) -> bool + Sync) = &|_| false;
pub const GENESIS: u64 = 1_700_000_000_000;

/// The perpetual, with mark 1,000, and the spot market, without an index.
pub const PERP: MarketId = MarketId(0);
pub const SPOT: MarketId = MarketId(1);

fn perpetual() -> MarketSpec {
    MarketSpec {
        symbol: "BTC-PERP".to_owned(),
        group: GroupId(0),
        kind: MarketKind::Perpetual,
        tick: "1".to_owned(),
        lot: "1".to_owned(),
        tick_value: 1,
        tick_price: 1,
        lot_amount: 1_000_000,
        tick_bands: Vec::new(),
        min_size: 1,
        max_size: 1_000,
        max_price: 1_000_000,
        price_band_ppm: 0,
        min_notional: 0,
        max_notional: 0,
        maker_fee_ppm: 0,
        taker_fee_ppm: 0,
        initial_margin_ppm: 100_000,
        minimum_margin_ppm: 0,
        maintenance_margin_ppm: 50_000,
        mark: 1_000,
        matching: Matching::Continuous,
        sharing: Sharing::Time,
        self_trade: false,
        taker_hold: 0,
    }
}

/// Two assets, one group with a perpetual and a spot market; a tick of a lot is an atom.
pub fn spec() -> ChainSpec {
    let asset = |symbol: &str| AssetSpec {
        symbol: symbol.to_uppercase(),
        denom: symbol.to_owned(),
        decimals: 6,
    };
    let perpetual = perpetual();
    let spot = MarketSpec {
        symbol: "BTC-USDC".to_owned(),
        kind: MarketKind::Spot {
            base: AssetId(1),
            lot_atoms: 1,
        },
        initial_margin_ppm: 0,
        maintenance_margin_ppm: 0,
        mark: 0,
        ..perpetual.clone()
    };
    let mut balances = Vec::new();
    for who in 0..4 {
        for sub in 0..2 {
            let account = Account::new(secret(who).id(), sub);
            balances.push((account, AssetId(0), 1_000_000));
            balances.push((account, AssetId(1), 1_000));
        }
    }
    balances.sort_unstable();
    ChainSpec {
        chain_id: "scenario-1".to_owned(),
        genesis_time: GENESIS,
        limits: Limits::default(),
        account_shards: 4,
        margin_asset: AssetId(0),
        assets: vec![asset("usdc"), asset("btc")],
        groups: vec![GroupSpec {
            name: "BTC".to_owned(),
            price_digits: 3,
            volatility: 500_000_000_000_000,
            surface_cap: 0,
            margin: params(),
        }],
        markets: vec![perpetual, spot],
        series: Vec::new(),
        margin_mode: MarginMode::Standard,
        order_reserve_ppm: 0,
        price_authorities: vec![secret(0).id()],
        validators: vec![ValidatorSpec {
            name: "one".to_owned(),
            consensus_key: [1; 32],
            ingress_key: [2; 32],
            power: 1,
        }],
        balances,
    }
}

/// Portfolio margin by two moves of the underlying, with nothing else.
fn params() -> Params {
    let moves = [-ONE / 10, ONE / 10];
    let scenario = |change| Scenario {
        change,
        volatility: VolatilityShock::None,
        weight: ONE,
        theta_secs: 0,
        damp: 0,
        extended: false,
    };
    Params {
        numeraire: Numeraire::Quote,
        price_range: ONE / 10,
        discount_at_rate: false,
        perpetual_from_index: false,
        volatility: Volatility::Table {
            absolute: false,
            tenors: vec![Tenor {
                secs: 86_400,
                up: 0,
                down: 0,
            }],
        },
        scenarios: moves.map(scenario).to_vec(),
        skew: None,
        option_discount: None,
        basis: Basis::None,
        delta_shock: None,
        charges_in: Charges::default(),
        charges_maintenance: Charges::default(),
        charges_initial: Charges::default(),
        floor: Floor::None,
        confidence: None,
        open_interest: None,
        peg: None,
        initial_factor: ONE + ONE / 2,
        maintenance_factor: ONE,
    }
}

/// Options of two hours like the first market, at a strike of the index and one on each side.
pub fn list_options(spec: &mut ChainSpec, change: impl FnOnce(&mut MarketSpec)) {
    let mut market = spec.markets[0].clone();
    market.symbol = "BTC".to_owned();
    market.mark = 0;
    market.kind = MarketKind::Option {
        expiry: 0,
        strike: 0,
        kind: OptionKind::Call,
    };
    market.initial_margin_ppm = 150_000;
    market.minimum_margin_ppm = 120_000;
    market.maintenance_margin_ppm = 75_000;
    market.taker_fee_ppm = 3_000;
    change(&mut market);
    spec.series.push(SeriesSpec {
        cadences: vec![Cadence::Every {
            period_ms: 3_600_000,
            offset_ms: 0,
            count: 2,
        }],
        step_ppm: 50_000,
        strikes: 1,
        max_strikes: 5,
        market,
    });
}

fn secret(who: u8) -> Secret {
    Secret::ed25519([who + 1; 32])
}

/// Subaccount `sub` of trader `who`; trader 0 is the price authority.
pub fn account(who: u8, sub: u16) -> Account {
    Account::new(secret(who).id(), sub)
}

/// A chain that grows block by block, 1,000 ms apart.
pub struct Chain {
    state: State,
    spec: ChainSpec,
    pub height: u64,
    nonce: u64,
    /// Ms that were skipped.
    skipped: u64,
}

/// (price, shown size).
pub type Levels = Vec<(i64, i64)>;

/// What a block answered.
pub struct Done(pub BlockEvents);

impl Done {
    /// Codes of the actions of each transaction, in order.
    pub fn codes(&self) -> Vec<Code> {
        let results = self.0.txs.iter().flatten();
        results
            .flat_map(|tx| tx.actions.iter().map(|a| a.code))
            .collect()
    }

    /// The ids of the actions' orders, in order.
    pub fn ids(&self) -> Vec<OrderId> {
        let results = self.0.txs.iter().flatten();
        results
            .flat_map(|tx| tx.actions.iter().filter_map(|a| a.order))
            .collect()
    }

    /// Traded size and price, in order.
    pub fn fills(&self) -> Vec<(i64, i64)> {
        let fills = self.0.events.iter().filter_map(|event| match event {
            Event::Fill { size, price, .. } => Some((*size, *price)),
            _ => None,
        });
        fills.collect()
    }
}

impl Chain {
    pub fn new(spec: ChainSpec) -> Self {
        let mut state = State::genesis(Arc::new(spec.clone())).unwrap();
        state.check_margins_of_blocks();
        Self {
            state,
            spec,
            height: 0,
            nonce: 0,
            skipped: 0,
        }
    }

    pub fn time(&self) -> u64 {
        GENESIS + 1_000 * self.height + self.skipped
    }

    /// The next block is so many ms after genesis.
    pub fn skip_to(&mut self, ms: u64) {
        self.skipped = ms - 1_000 * (self.height + 1);
    }

    /// Executes a block in which each account sends its actions.
    pub fn block(&mut self, sent: &[(Account, Vec<Action>)]) -> Done {
        self.height += 1;
        let txs: Vec<Bytes> = sent
            .iter()
            .map(|(account, actions)| self.sign(*account, actions))
            .collect();
        let (height, time) = (self.height, self.time());
        let other = &txs[..txs.len() / 2];
        for (time, txs) in [(time + 900, other), (time, &txs[..])] {
            let block = Block { height, time, txs };
            let dropped = self.state.execute(&block, NONE_VERIFIED);
            assert!(dropped.stats.violations.none());
            self.state.discard(dropped);
            self.state.check_indexes().unwrap();
            self.state.check_margins().unwrap();
        }
        let txs = &txs[..];
        let candidate = self
            .state
            .execute(&Block { height, time, txs }, NONE_VERIFIED);
        assert!(candidate.stats.violations.none());
        let events = candidate.events.clone();
        self.state.commit(candidate);
        self.state.check_indexes().unwrap();
        Done(events)
    }

    /// Executes blocks without transactions.
    pub fn wait(&mut self, blocks: u64) -> Vec<Event> {
        (0..blocks).flat_map(|_| self.block(&[]).0.events).collect()
    }

    /// Publishes prices, and executes the next block, in which they count.
    pub fn publish(&mut self, prices: &[(MarketId, PriceKind, i64)]) -> Done {
        let updates = prices.iter().map(|&(market, kind, price)| PriceUpdate {
            market,
            kind,
            price,
        });
        let action = Action::SetPrices(updates.collect());
        let done = self.block(&[(account(0, 0), vec![action])]);
        assert_eq!(done.codes(), [Code::Ok]);
        self.block(&[])
    }

    fn sign(&mut self, account: Account, actions: &[Action]) -> Bytes {
        self.nonce += 1;
        let secret = (0..4)
            .map(secret)
            .find(|secret| secret.id() == account.master)
            .unwrap();
        let body = TxBody {
            chain: chain_hash(&self.spec.chain_id),
            account,
            key: secret.public(),
            nonce: GENESIS + self.skipped + self.nonce,
            expiry: u64::MAX,
            actions: actions.to_vec(),
        };
        Bytes::from(sign_native(&body, &secret))
    }

    pub fn state(&self) -> Arc<Snapshot> {
        self.state.committed()
    }

    pub fn market(&self, market: MarketId) -> MarketView {
        self.state().market(market).unwrap()
    }

    pub fn order(&self, id: OrderId) -> Option<OrderView> {
        self.state().order(id)
    }

    /// Both sides, best first.
    pub fn book(&self, market: MarketId) -> (Levels, Levels) {
        let book = self.state().book(market, 10).unwrap();
        let side = |levels: &[ballast_app::view::LevelView]| {
            levels.iter().map(|l| (l.price, l.size)).collect()
        };
        (side(&book.bids), side(&book.asks))
    }

    pub fn initial_margin(&self, account: &Account) -> i128 {
        self.state().account(account).unwrap().initial_margin
    }
}

/// A bid in the perpetual market.
pub fn buy(price: i64, size: i64) -> Order {
    Order::limit(PERP, Side::Buy, price, size)
}

/// An ask in the perpetual market.
pub fn sell(price: i64, size: i64) -> Order {
    Order::limit(PERP, Side::Sell, price, size)
}

pub fn place(order: Order) -> Vec<Action> {
    vec![Action::Order(order)]
}
