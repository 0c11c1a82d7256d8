mod auction_rules;
mod book_rules;
mod cancel_rules;
mod cover_rules;
mod expiry_rules;
mod iceberg_rules;
mod link_rules;
mod listing_rules;
mod margin_rules;
mod market_rules;
mod option_rules;
mod peg_rules;
mod portfolio_rules;
mod protection_rules;
mod quote_rules;
mod random;
mod scale_rules;
mod self_trade_rules;
mod surface_rules;
mod switch_rules;
mod trigger_rules;
mod twap_rules;

use crate::Model;
use crate::workload::{test_secrets, test_spec};
use ballast_types::{
    Account, Action, ActionResult, AssetId, Atoms, BlockEvents, Cadence, ChainSpec, Code, Event,
    Lots, MarginMode, MarketId, MarketKind, MarketStatus, OptionKind, Order, OrderId, PriceKind,
    PriceUpdate, Secret, SetMarketStatus, Side, Ticks, TimeMs, TxBody, TxResult, chain_hash,
    sign_native, tx_hash,
};

const BTC_SPOT: MarketId = MarketId(0);
const BTC_PERP: MarketId = MarketId(1);
const ETH_PERP: MarketId = MarketId(3);
const SOL_PERP: MarketId = MarketId(4);

const DAY: TimeMs = 86_400_000;
/// The midnight after the genesis of the test chain, 6,400 seconds later.
const MIDNIGHT: TimeMs = 1_700_006_400_000;
/// A call or a put by its strike in the scale of its group, 1,000 for 1 USDC.
type Listed = (TimeMs, i64, OptionKind);

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// It rests with these lots.
    Resting(Lots),
    /// It waits with these lots, of which the second number are dormant.
    Waiting(Lots, Lots),
    Gone,
}

/// A model with people 0 to 7 who act in blocks of their own.
#[derive(Clone)]
struct World {
    spec: ChainSpec,
    secrets: Vec<Secret>,
    model: Model,
    height: u64,
    time: u64,
    nonce: u64,
    /// Markets that were listed.
    listed: Vec<(MarketId, Listed)>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ChainSpec)) -> Self {
        let mut spec = test_spec();
        for (_, asset, amount) in &mut spec.balances {
            *amount = [15_000_000, 400_000, 900_000][usize::from(asset.0)];
        }
        let never = spec.genesis_time + 1_000 * DAY;
        spec.series.clear();
        spec.order_reserve_ppm = 0;
        for market in &mut spec.markets {
            market.price_band_ppm = 0;
            market.min_notional = 0;
            market.max_notional = 0;
            // No market expires unless a test says when.
            if let MarketKind::Future { expiry } = &mut market.kind {
                *expiry = never;
            }
        }
        spec.limits.bucket_tokens = 1_000;
        spec.limits.open_orders = 5;
        spec.limits.nonce_future_ms = 30_000;
        change(&mut spec);
        let (model, time) = (Model::new(&spec), spec.genesis_time);
        Self {
            model,
            secrets: test_secrets(),
            height: 0,
            time,
            nonce: time,
            listed: Vec::new(),
            spec,
        }
    }

    /// With options of BTC that expire at midnight: strikes of 9,000, 10,000 and 11,000 USDC at an
    /// index of 10,000; without volatility, so that they are worth what they would pay now. A tick is
    /// 1 USDC, a lot a ten-thousandth of a coin as of the perpetual: 100 atoms a tick.
    fn with_options(change: impl FnOnce(&mut ChainSpec)) -> Self {
        let mut world = Self::with(|spec| {
            let mut series = test_spec().series.remove(0);
            series.cadences = vec![Cadence::Every {
                period_ms: DAY,
                offset_ms: 0,
                count: 1,
            }];
            (series.step_ppm, series.strikes, series.max_strikes) = (100_000, 1, 3);
            series.market.price_band_ppm = 0;
            series.market.tick_bands.clear();
            spec.series = vec![series];
            spec.groups[0].volatility = 0;
            spec.groups[0].surface_cap = 0;
            spec.limits.listings = 64;
            change(spec);
        });
        world.block(&[]);
        world
    }

    /// The option of BTC with a strike in whole USDC that was listed last.
    fn option(&self, strike: i64, wanted: OptionKind) -> MarketId {
        let mut listed = self.listed.iter().rev();
        let found = listed.find(|(_, (_, at, kind))| (*at, *kind) == (strike * 1_000, wanted));
        found.unwrap().0
    }

    fn call(&self, strike: i64) -> MarketId {
        self.option(strike, OptionKind::Call)
    }

    fn put(&self, strike: i64) -> MarketId {
        self.option(strike, OptionKind::Put)
    }

    fn set_mode(&mut self, who: usize, mode: MarginMode) -> Code {
        self.act(who, Action::SetMarginMode(mode)).code
    }

    fn set_index(&mut self, market: MarketId, price: Ticks) {
        self.set_price(market, PriceKind::Index, price);
    }

    /// Runs one block at this time.
    fn block_at(&mut self, time: TimeMs) -> BlockEvents {
        self.time = time - 1_000;
        self.block(&[])
    }

    fn balance(&self, who: usize, asset: u16) -> Atoms {
        let key = (self.account(who), AssetId(asset));
        self.model.balances().get(&key).copied().unwrap_or(0)
    }

    fn account(&self, who: usize) -> Account {
        Account::new(self.secrets[who].id(), 0)
    }

    /// One block, a second later, with one transaction for each entry, in ascending nonces.
    fn block(&mut self, txs: &[(usize, Vec<Action>)]) -> BlockEvents {
        let signed: Vec<_> = txs
            .iter()
            .map(|(who, actions)| self.sign(*who, actions))
            .collect();
        self.block_of(&signed)
    }

    fn block_of(&mut self, txs: &[Vec<u8>]) -> BlockEvents {
        self.height += 1;
        self.time += 1_000;
        let seed = tx_hash(&self.height.to_le_bytes());
        let events = self.model.execute(self.height, self.time, &seed, txs);
        self.model.check_invariants().unwrap();
        self.listed.extend(listed(&events));
        for order in orders(&events) {
            self.model.alias(order, order);
        }
        events
    }

    fn sign(&mut self, who: usize, actions: &[Action]) -> Vec<u8> {
        self.sign_for(self.account(who), who, actions)
    }

    /// A transaction of `account` that the key of person `who` signs.
    fn sign_for(&mut self, account: Account, who: usize, actions: &[Action]) -> Vec<u8> {
        self.nonce = self.nonce.max(self.time) + 1;
        let body = TxBody {
            chain: chain_hash(&self.spec.chain_id),
            account,
            key: self.secrets[who].public(),
            nonce: self.nonce,
            expiry: u64::MAX,
            actions: actions.to_vec(),
        };
        sign_native(&body, &self.secrets[who])
    }

    /// One action in a block of its own.
    fn act(&mut self, who: usize, action: Action) -> ActionResult {
        results(&self.block(&[(who, vec![action])])).remove(0)
    }

    /// One order in a block of its own: its code, and how much of it traded.
    fn place(&mut self, who: usize, order: Order) -> (Code, Lots) {
        let result = self.act(who, Action::Order(order));
        (result.code, result.filled)
    }

    /// An order that must rest or trade: its id.
    fn placed(&mut self, who: usize, order: Order) -> OrderId {
        let result = self.act(who, Action::Order(order));
        assert_eq!(result.code, Code::Ok);
        result.order.unwrap()
    }

    /// Gives `buyer` a long and `seller` a short position at `price`.
    fn trade(&mut self, buyer: usize, seller: usize, market: MarketId, price: Ticks, lots: Lots) {
        self.placed(seller, order(market, Side::Sell, price, lots));
        self.placed(buyer, order(market, Side::Buy, price, lots));
    }

    fn set_mark(&mut self, market: MarketId, price: Ticks) {
        self.set_price(market, PriceKind::Mark, price);
    }

    /// Publishes a price. Returns the block in which it takes effect.
    fn set_price(&mut self, market: MarketId, kind: PriceKind, price: Ticks) -> BlockEvents {
        self.publish(market, kind, price);
        self.block(&[])
    }

    /// Publishes a price that takes effect in the next block.
    fn publish(&mut self, market: MarketId, kind: PriceKind, price: Ticks) {
        let update = PriceUpdate {
            market,
            kind,
            price,
        };
        assert_eq!(self.act(0, Action::SetPrices(vec![update])).code, Code::Ok);
    }

    /// Sets what a market takes, from the next block on.
    fn set_status(&mut self, market: MarketId, status: MarketStatus) {
        let change = SetMarketStatus { market, status };
        assert_eq!(self.act(0, Action::SetMarketStatus(change)).code, Code::Ok);
    }

    fn state_of(&self, id: OrderId) -> Is {
        let state = &self.model.state;
        match (state.orders.get(&id), state.waiting.get(&id)) {
            (Some(order), _) => Is::Resting(order.remaining),
            (_, Some(waiting)) => Is::Waiting(waiting.placed.remaining, waiting.dormant),
            _ => Is::Gone,
        }
    }

    fn position(&self, who: usize, market: MarketId) -> Lots {
        self.model
            .positions()
            .get(&(self.account(who), market))
            .map_or(0, |(size, _)| *size)
    }

    /// (price, remaining) of the bids, then asks.
    fn book(&self, market: MarketId) -> [Vec<(Ticks, Lots)>; 2] {
        let (bids, asks) = self.model.orders(market);
        [bids, asks].map(|side| {
            side.iter()
                .map(|order| (order.price, order.remaining))
                .collect()
        })
    }
}

/// Markets that a block listed, in order.
fn listed(events: &BlockEvents) -> Vec<(MarketId, Listed)> {
    let listed = events.events.iter().filter_map(|event| match event {
        Event::Listed {
            market,
            expiry,
            strike,
            kind,
            ..
        } => Some((*market, (*expiry, *strike, *kind))),
        _ => None,
    });
    listed.collect()
}

fn order(market: MarketId, side: Side, price: Ticks, size: Lots) -> Order {
    Order {
        max_fills: 6,
        ..Order::limit(market, side, price, size)
    }
}

fn results(events: &BlockEvents) -> Vec<ActionResult> {
    let txs = events.txs.iter().flatten();
    txs.flat_map(|TxResult { actions, .. }| actions.iter().cloned())
        .collect()
}

/// Orders that results name, those of parts too.
fn orders(events: &BlockEvents) -> Vec<OrderId> {
    let results = results(events).into_iter();
    let named = results.flat_map(|result| {
        let parts = result.parts.into_iter().map(|part| part.order);
        [result.order].into_iter().chain(parts)
    });
    named.flatten().collect()
}

fn codes(events: &BlockEvents) -> Vec<Code> {
    results(events).iter().map(|result| result.code).collect()
}

/// Reasons of the removals in a block.
fn removals(events: &BlockEvents) -> Vec<ballast_types::Removal> {
    let removed = events.events.iter().filter_map(|event| match event {
        Event::Removed { reason, .. } => Some(*reason),
        _ => None,
    });
    removed.collect()
}
