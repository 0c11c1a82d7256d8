use crate::surface::Curve;
use crate::{Account, AssetId, GroupId, KeyId, Lots, MarketId, OrderId, Ticks, TimeMs};
use borsh::{BorshDeserialize, BorshSerialize};

/// Side of the book.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Side {
    /// A bid.
    Buy,
    /// An ask.
    Sell,
}

impl Side {
    /// The other side.
    pub fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum TimeInForce {
    /// Good until cancelled.
    Gtc,
    /// Good while block time is below this many ms.
    Gtt(TimeMs),
    /// What does not trade at once is cancelled. A market order is an IOC order at its price bound.
    Ioc,
    /// Trades whole at once or not at all.
    Fok,
    /// Good while block height is below this one.
    Gtb(u64),
}

/// What an order does that must not trade at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum PostOnly {
    /// It may trade at once.
    #[default]
    No,
    /// Refused when it would trade at once.
    Reject,
    /// When it would trade at once, it rests one tick behind the best price of the other side.
    Slide,
}

/// What happens when an order meets one that it must not trade with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum SelfTrade {
    /// What is left of the order that came in is cancelled.
    #[default]
    CancelTaker,
    /// The resting order is cancelled, and the other goes on.
    CancelMaker,
    /// Both are cancelled.
    CancelBoth,
    /// Both shrink by the smaller size, without a trade.
    Decrement,
}

/// Whose resting orders an order must not trade with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum SelfTradeScope {
    /// Those of the same account.
    #[default]
    Account,
    /// Those of all accounts of the master.
    Master,
}

/// A price that triggers watch.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum PriceSource {
    /// The mark price.
    Mark,
    /// The index price.
    Index,
    /// The last trade before the block.
    Last,
}

/// How far a trailing stop stays behind the best price that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum Distance {
    /// In ticks, at least 1.
    Ticks(Ticks),
    /// As a fraction of that best price in millionths, 1 to 999,999.
    Ppm(u32),
}

/// When a waiting order enters the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum Condition {
    /// The price is at or above this many ticks: a buy stop, or a take-profit of a long position.
    AtOrAbove(Ticks),
    /// The price is at or below this many ticks: a sell stop, or a take-profit of a short position.
    AtOrBelow(Ticks),
    /// The price has turned by `distance`: for an ask below the highest, for a bid above the lowest
    /// price seen since it was active.
    Trail {
        /// How far the price must turn.
        distance: Distance,
        /// Price from which it is active: an ask when the price is at or above, a bid when it is at
        /// or below; zero is at once.
        activation: Ticks,
    },
}

/// What a waiting order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Trigger {
    /// Which price of the order's market.
    pub source: PriceSource,
    /// What must become of it.
    pub condition: Condition,
}

/// A new order. One leg is one package; packages of several legs will be another action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Order {
    /// Where.
    pub market: MarketId,
    /// Bid or ask.
    pub side: Side,
    /// Limit, or the bound of a market order, in ticks.
    pub price: Ticks,
    /// Size in lots.
    pub size: Lots,
    /// How long it may rest.
    pub tif: TimeInForce,
    /// What it does when it would trade at once.
    pub post_only: PostOnly,
    /// Only ever shrinks the position; never flips it.
    pub reduce_only: bool,
    /// Chosen by the client, unique among the account's open orders of the group. Not zero.
    pub client_id: Option<u128>,
    /// A tag for cancelling many at once; zero is none.
    pub label: u32,
    /// How many resting orders it may meet, from 1 to the chain's `max_fills`. Zero when post-only.
    pub max_fills: u16,
    /// What happens when it meets an order that it must not trade with.
    pub self_trade: SelfTrade,
    /// Whose orders those are.
    pub self_trade_scope: SelfTradeScope,
    /// An iceberg: how many lots the book shows at a time. Only of an order that may rest.
    pub display: Option<Lots>,
    /// The order waits for this, and reserves no margin until then.
    pub trigger: Option<Trigger>,
    /// Its price follows another one; `price` is then its limit, and what it reserves is that of the
    /// limit. Only of a post-only order of the kind that slides.
    pub peg: Option<Peg>,
    /// It waits and sends slices of itself, evenly over time; `price` is then the limit of each.
    pub twap: Option<Twap>,
}

/// A price that pegged orders follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum PegTo {
    /// The index price.
    Index,
    /// The best bid that is not pegged itself.
    Bid,
    /// The best ask that is not pegged itself.
    Ask,
}

/// How the price of an order follows another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Peg {
    /// Which price.
    pub to: PegTo,
    /// How many ticks above it; negative is below.
    pub offset: Ticks,
}

/// A schedule of equal slices: the first in the block after the order was taken, then one every
/// `interval_ms` of block time, the last `duration_ms` after the first for what is still missing.
/// Each is an IOC order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Twap {
    /// Length in ms, from twice the interval to a day.
    pub duration_ms: u64,
    /// Time between two slices in ms, from a second to an hour.
    pub interval_ms: u64,
    /// How far a slice may trade beyond the mark (spot: the index, without one the last price), as a
    /// fraction of it in millionths, 1 to 1,000,000.
    pub tolerance_ppm: u32,
}

/// How orders are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum LinkKind {
    /// One cancels the other: the order and one leg, which has a trigger.
    Oco,
    /// One triggers the other: one leg, which begins when the order trades.
    Oto,
    /// One triggers a pair of which one cancels the other: two legs; at least one has a trigger.
    Otoco,
}

/// How a fill of one order acts on those that it is linked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum LinkRule {
    /// The first fill acts in full.
    FirstHit,
    /// Only the fill that completes the order acts.
    CompleteFill,
    /// Each fill acts on the same fraction, rounded down.
    Incremental,
}

/// An order and one or two others in the same market that live and die with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Linked {
    /// How they are linked.
    pub kind: LinkKind,
    /// How a fill acts.
    pub rule: LinkRule,
    /// The first order.
    pub order: Order,
    /// The others: of `Otoco` two, else one.
    pub legs: Vec<Order>,
}

/// Several orders at evenly spaced prices, from one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Scale {
    /// What all of them are: its price is that of the first, its size that of all together, its
    /// client id that of the first (the others count on from it).
    pub order: Order,
    /// Price of the last in ticks.
    pub last_price: Ticks,
    /// How many, from 2 to 64.
    pub orders: u16,
    /// Size of the last as a multiple of the first's in millionths; those between lie on a line.
    pub last_size_ppm: u32,
}

/// One side of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct QuoteSide {
    /// Limit in ticks.
    pub price: Ticks,
    /// Open size in lots; what traded before does not count.
    pub size: Lots,
}

/// What an account wants to have quoted in a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Quote {
    /// Market.
    pub market: MarketId,
    /// Its bid; none takes the account's quoted bid away.
    pub bid: Option<QuoteSide>,
    /// Its ask; none takes the account's quoted ask away.
    pub ask: Option<QuoteSide>,
}

/// Replaces the account's quotes in markets of one group. An account has at most one quoted bid and
/// one quoted ask in a market, beside its orders.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Quotes {
    /// Group of the markets.
    pub group: GroupId,
    /// What a side does that would trade at once; not `No`.
    pub post_only: PostOnly,
    /// By ascending market, 1 to 256.
    pub quotes: Vec<Quote>,
}

/// Market-maker protection: bounds on what the account's quotes in a group may trade within an
/// interval. When a fill would pass one, it is cut, all quotes of the group go, and new ones are
/// refused for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct SetProtection {
    /// Group.
    pub group: GroupId,
    /// Length of the interval in ms, which begins with the first fill; zero is no protection.
    pub interval_ms: u64,
    /// For how long quotes are refused, in ms; zero is until the next such action.
    pub freeze_ms: u64,
    /// Largest sum of price x size in atoms of the margin asset; zero is no bound.
    pub notional: u128,
    /// Largest change of the group's delta, bought less sold, each lot at the mark (spot: at the
    /// price of the trade; option: its delta x the forward), in atoms of the margin asset; zero is
    /// no bound.
    pub delta: u128,
    /// Largest change of the group's vega, bought less sold: what the options gain when volatility
    /// rises by one percentage point, in atoms of the margin asset; zero is no bound.
    pub vega: u128,
}

/// How the margin of an account is computed.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub enum MarginMode {
    /// Each position by itself, at a fraction of its notional.
    #[default]
    Standard,
    /// All positions and the spot of an underlying together, by scenarios.
    Portfolio,
}

/// A volatility surface of a group and the forwards that it is of, by a price authority. It counts
/// from the next block on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct SetSurface {
    /// Group.
    pub group: GroupId,
    /// By ascending expiry, 1 to 16.
    pub expiries: Vec<ExpirySurface>,
}

/// Forward, rate and volatilities of one expiry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct ExpirySurface {
    /// Block time in ms; a whole second.
    pub expiry: TimeMs,
    /// Price of the forward in the scale of the group, 1 to 2^60.
    pub forward: i64,
    /// Interest rate a year in 10^-15, -1 to 1.
    pub rate: i64,
    /// The time in seconds for which the curve gives total variance; as time passes the volatility
    /// stays.
    pub tenor: u32,
    /// Total variance by log-moneyness.
    pub curve: Curve,
}

/// How an action names a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum OrderRef {
    /// By the id that the exchange gave.
    Id(OrderId),
    /// By the id that the client chose.
    Client {
        /// Group of the order's market.
        group: GroupId,
        /// The client's id.
        client_id: u128,
    },
}

/// Changes price or total size of a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Amend {
    /// Which order.
    pub order: OrderRef,
    /// New limit in ticks.
    pub price: Ticks,
    /// New total size in lots; what is filled already counts against it.
    pub size: Lots,
    /// Keep the old order when the new one is refused.
    pub keep_on_reject: bool,
    /// As in [`Order::max_fills`], for when the order enters again.
    pub max_fills: u16,
}

/// Removes orders of the account, and refuses what it names when that arrives later with a lower
/// (nonce, index). Always succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum Cancel {
    /// One order by its id. Leaves no floor.
    Order(OrderId),
    /// The order with this client id.
    Client {
        /// Group of the order's market.
        group: GroupId,
        /// The client's id.
        client_id: u128,
    },
    /// All orders of the group with this label.
    Label {
        /// Group of the orders' markets.
        group: GroupId,
        /// The label; zero names orders without one.
        label: u32,
    },
    /// All orders of a market.
    Market(MarketId),
    /// All orders, of one group or of every group.
    All(Option<GroupId>),
}

/// Moves cash to another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Transfer {
    /// Which asset.
    pub asset: AssetId,
    /// How many atoms. Not zero.
    pub amount: u128,
    /// Who receives.
    pub to: Account,
}

/// Lets another key trade for every subaccount of the master. It can never move money out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct SetAgent {
    /// The agent's key.
    pub key: KeyId,
    /// Block time in ms from which the key is refused.
    pub expiry: TimeMs,
    /// Markets it may place orders in; empty means all. At most 8. Cancels are never limited.
    pub markets: Vec<MarketId>,
    /// Largest price x size of one order in atoms of the quote asset; zero means no limit.
    pub max_notional: u128,
}

/// A new price, by a price authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct PriceUpdate {
    /// A market; of a mark price, a perpetual.
    pub market: MarketId,
    /// Which of its prices.
    pub kind: PriceKind,
    /// The price in ticks.
    pub price: Ticks,
}

/// A price that an authority publishes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum PriceKind {
    /// What positions are valued at.
    Mark,
    /// The underlying's price; only triggers and price bands of spot markets look at it.
    Index,
}

/// What a market takes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub enum MarketStatus {
    /// All orders.
    #[default]
    Open,
    /// Post-only orders, amends of such, and cancels.
    PostOnly,
    /// Cancels, and amends that shrink an order in place.
    CancelOnly,
    /// As `CancelOnly`, and published prices wait until the market is no longer suspended.
    Suspended,
    /// Orders that may rest come to rest and do not trade. In the block that opens the market again,
    /// what crosses trades at one price.
    Auction,
    /// Nothing: it has expired and its positions are settled. No action sets or ends it.
    Settled,
}

/// Changes what a market takes from the next block on, by a price authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct SetMarketStatus {
    /// Market.
    pub market: MarketId,
    /// What it takes.
    pub status: MarketStatus,
}

/// One thing that a transaction asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum Action {
    /// Place an order.
    Order(Order),
    /// Change an order.
    Amend(Amend),
    /// Cancel orders.
    Cancel(Cancel),
    /// Move cash.
    Transfer(Transfer),
    /// Allow an agent key, or change its scope.
    SetAgent(SetAgent),
    /// Forbid an agent key.
    RemoveAgent(KeyId),
    /// Publish prices; they count from the next block on. At most 64.
    SetPrices(Vec<PriceUpdate>),
    /// Change what a market takes.
    SetMarketStatus(SetMarketStatus),
    /// A dead man's switch: cancel all orders of the account when no other such action has come
    /// within this many ms of block time. Zero disarms.
    CancelAfter(u64),
    /// Place several orders at evenly spaced prices.
    Scale(Scale),
    /// Replace quotes.
    Quotes(Quotes),
    /// Bound what quotes may trade.
    SetProtection(SetProtection),
    /// Place orders that live and die together.
    Linked(Linked),
    /// Change how the margin of the account is computed; only while none of its orders rests.
    SetMarginMode(MarginMode),
    /// Publish a volatility surface.
    SetSurface(SetSurface),
}

impl Order {
    /// A limit order that is good until cancelled, meets at most 32 resting orders, and asks for
    /// nothing else.
    pub fn limit(market: MarketId, side: Side, price: Ticks, size: Lots) -> Self {
        Self {
            market,
            side,
            price,
            size,
            tif: TimeInForce::Gtc,
            post_only: PostOnly::No,
            reduce_only: false,
            client_id: None,
            label: 0,
            max_fills: 32,
            self_trade: SelfTrade::CancelTaker,
            self_trade_scope: SelfTradeScope::Account,
            display: None,
            trigger: None,
            peg: None,
            twap: None,
        }
    }

    /// The same order as post-only.
    pub fn post_only(self, post_only: PostOnly) -> Self {
        Self {
            post_only,
            max_fills: 0,
            ..self
        }
    }

    /// True when it can meet resting orders at once.
    pub fn may_take(&self) -> bool {
        self.post_only == PostOnly::No
    }

    /// True when it is taken to wait, for a trigger or for the times of its slices.
    pub fn waits(&self) -> bool {
        self.trigger.is_some() || self.twap.is_some()
    }

    /// True when what is left after matching rests in the book.
    pub fn may_rest(&self) -> bool {
        !matches!(self.tif, TimeInForce::Ioc | TimeInForce::Fok)
    }
}

impl Cancel {
    /// The group it acts in, `None` for every group. A market's group is looked up by the caller.
    pub fn group(&self) -> Option<GroupId> {
        match self {
            Self::Order(id) => Some(id.group()),
            Self::Client { group, .. } | Self::Label { group, .. } => Some(*group),
            Self::Market(_) => None,
            Self::All(group) => *group,
        }
    }
}
