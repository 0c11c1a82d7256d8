//! What queries answer: plain values, read from a snapshot of one height.

use ballast_types::{
    Account, AccountId, AssetId, Atoms, ExpirySurface, GroupId, KeyId, LinkKind, LinkRule, Lots,
    MarginMode, MarketId, MarketStatus, OrderId, Peg, PostOnly, SelfTrade, SelfTradeScope,
    SetProtection, Side, Ticks, TimeInForce, TimeMs, Trigger, Twap,
};

/// An account at one height. Amounts are atoms of the asset named, margin figures atoms of the
/// margin asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Which.
    pub account: Account,
    /// (asset, balance, part of it that open spot asks reserve), ascending.
    pub balances: Vec<(AssetId, Atoms, Atoms)>,
    /// Open positions, ascending by market.
    pub positions: Vec<PositionView>,
    /// Open orders, resting and waiting, ascending by (market, id).
    pub orders: Vec<OrderView>,
    /// Balance of the margin asset and the gain of open positions at mark.
    pub equity: Atoms,
    /// Initial margin of the worst subset of fills.
    pub initial_margin: Atoms,
    /// Maintenance margin of the worst subset of fills.
    pub maintenance_margin: Atoms,
    /// Maintenance margin of what is held now.
    pub held_margin: Atoms,
    /// Flagged: its risk-adding orders are removed instead of filled.
    pub uncovered: bool,
    /// Block time in ms at which the dead man's switch cancels all orders; 0 is none.
    pub cancel_at: TimeMs,
    /// What bounds its quotes, by group.
    pub protections: Vec<ProtectionView>,
    /// How its margin is computed.
    pub margin_mode: MarginMode,
}

/// The protection of an account's quotes in a group. Amounts are atoms of the margin asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectionView {
    /// Its settings; the interval is not zero.
    pub settings: SetProtection,
    /// Block time in ms at which the interval began; 0 before the first.
    pub start: TimeMs,
    /// What the quotes have traded in the interval.
    pub notional: Atoms,
    /// Delta that they have gained in the interval.
    pub delta: Atoms,
    /// Vega that they have gained in the interval.
    pub vega: Atoms,
    /// Block time in ms until which quotes are refused; 0 is not, 2^64 - 1 until it is set again.
    pub frozen_until: TimeMs,
}

/// A position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionView {
    /// Market.
    pub market: MarketId,
    /// Lots; short is negative.
    pub size: Lots,
    /// What the open lots cost; negative for a short position.
    pub cost: Atoms,
    /// Gain at mark that is not in the balance yet.
    pub unrealised: Atoms,
}

/// An open order: it rests in the book, or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Its id.
    pub id: OrderId,
    /// Owner.
    pub account: Account,
    /// Market.
    pub market: MarketId,
    /// Side.
    pub side: Side,
    /// Limit in ticks.
    pub price: Ticks,
    /// Where it rests, in ticks; the limit unless it is pegged.
    pub level: Ticks,
    /// What its level follows.
    pub peg: Option<Peg>,
    /// The link that it is in.
    pub link: Option<LinkView>,
    /// Lots that rest or wait, hidden ones included.
    pub remaining: Lots,
    /// Of an iceberg: how many lots the book shows at a time.
    pub display: Option<Lots>,
    /// Lots that the book shows; all that remain unless it is an iceberg, 0 while it waits.
    pub shown: Lots,
    /// Lots that traded.
    pub filled: Lots,
    /// How long it may rest.
    pub tif: TimeInForce,
    /// What it did, or will do, when it would trade at once.
    pub post_only: PostOnly,
    /// Reduce-only.
    pub reduce_only: bool,
    /// It came from an action of quotes, and the next one may replace it.
    pub quote: bool,
    /// What happens when it meets an order that it must not trade with.
    pub self_trade: SelfTrade,
    /// Whose orders those are.
    pub self_trade_scope: SelfTradeScope,
    /// What it waits for; `None` when it rests.
    pub waiting: Option<WaitingView>,
    /// The client's id.
    pub client_id: Option<u128>,
    /// The client's label.
    pub label: u32,
}

/// Orders that live and die together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// How they are linked.
    pub kind: LinkKind,
    /// How a fill acts.
    pub rule: LinkRule,
    /// The first order, while it is open.
    pub order: Option<OrderId>,
    /// The legs that are open.
    pub legs: Vec<OrderId>,
}

/// A schedule of slices, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwapView {
    /// The schedule.
    pub twap: Twap,
    /// Block time in ms from which its first slice is due.
    pub start: TimeMs,
    /// Number of the next slice, from 0.
    pub next: u64,
}

/// What an order waits for, and how far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingView {
    /// Its trigger.
    pub trigger: Option<Trigger>,
    /// Its slices.
    pub twap: Option<TwapView>,
    /// Lots that wait for fills of the order that it is linked with.
    pub dormant: Lots,
    /// It waits no longer for a price; it enters as soon as the quota and its market let it.
    pub due: bool,
    /// Of a trailing trigger that is active: the best price seen since.
    pub extreme: Option<Ticks>,
    /// How many resting orders it may meet when it enters.
    pub max_fills: u16,
}

/// One price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelView {
    /// Price in ticks.
    pub price: Ticks,
    /// Total size in lots, hidden ones left out.
    pub size: Lots,
    /// Number of orders.
    pub orders: u32,
}

/// The book of a market at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookView {
    /// Market.
    pub market: MarketId,
    /// Best first.
    pub bids: Vec<LevelView>,
    /// Best first.
    pub asks: Vec<LevelView>,
    /// CRC-32 over the best 25 bids, then 25 asks, as (i64 price, i64 size) little-endian.
    pub checksum: u32,
}

/// What changes in a market beside its book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketView {
    /// Market.
    pub market: MarketId,
    /// Its group.
    pub group: GroupId,
    /// Mark price in ticks; 0 for spot.
    pub mark: Ticks,
    /// Index price in ticks; 0 is none.
    pub index: Ticks,
    /// Price of the last trade in ticks; 0 is none.
    pub last: Ticks,
    /// What it takes.
    pub status: MarketStatus,
    /// Block time in ms from which it is expired, if it ever is. When it is settled, its mark is the
    /// settlement price.
    pub expiry: Option<TimeMs>,
    /// Trades so far.
    pub trades: u64,
    /// Open interest: sum of long positions in lots; 0 for spot.
    pub open_interest: Lots,
    /// Of an option that is priced and not settled.
    pub greeks: Option<GreeksView>,
}

/// What the price of an option hinges on, at the last refresh of its group. Ratios are in 10^-15,
/// prices in the scale of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GreeksView {
    /// Volatility a year, a ratio.
    pub volatility: i64,
    /// Price of the forward, the part that the settlement window has fixed included.
    pub forward: i64,
    /// Price of the option.
    pub mark: i64,
    /// Change of the price with that of the forward, a ratio.
    pub delta: i64,
    /// Change of delta when the forward costs one unit of the margin asset more, a ratio.
    pub gamma: i128,
    /// Change of the price when the volatility rises by a percentage point.
    pub vega: i64,
    /// Change of the price in a day.
    pub theta: i64,
}

/// What the options and the portfolio margin of a group are computed from. Prices are in the scale of
/// the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurfaceView {
    /// Group.
    pub group: GroupId,
    /// Block time in ms of the last refresh; 0 before the first.
    pub time: TimeMs,
    /// Index then; 0 is none.
    pub index: i64,
    /// Of each expiry that is not settled, ascending. None without an index.
    pub forwards: Vec<ForwardView>,
    /// The surface that holds; empty is none.
    pub expiries: Vec<ExpirySurface>,
}

/// The forward of an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardView {
    /// Block time in ms.
    pub expiry: TimeMs,
    /// Its price in the scale of the group, the part that the settlement window has fixed included.
    pub forward: i64,
    /// Interest rate a year in 10^-15.
    pub rate: i64,
}

/// A master account: what its keys may do and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterView {
    /// Which.
    pub master: AccountId,
    /// Whole tokens left for actions at the view's block time.
    pub tokens: u64,
    /// Whole tokens left that only cancels use.
    pub cancel_tokens: u64,
    /// Next sequence of a Cosmos transaction.
    pub sequence: u64,
    /// Existing subaccounts, ascending.
    pub subaccounts: Vec<u16>,
    /// (key, expiry in ms), ascending.
    pub agents: Vec<(KeyId, TimeMs)>,
}

/// Sums over the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainView {
    /// Height.
    pub height: u64,
    /// Block time in ms.
    pub time: TimeMs,
    /// App hash after this height.
    pub app_hash: [u8; 32],
    /// Accounts that exist.
    pub accounts: u32,
    /// Resting orders.
    pub open_orders: u64,
    /// Orders that wait for their trigger.
    pub waiting_orders: u64,
    /// Fees taken so far and not paid out, in atoms of the margin asset.
    pub fee_pool: Atoms,
    /// Sum of what accounts with negative equity owe, in atoms of the margin asset.
    pub deficit: Atoms,
}
