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
