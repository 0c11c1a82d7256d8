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
    /// Refused when it would trade at once.
    pub post_only: bool,
    /// Only ever shrinks the position; never flips it.
    pub reduce_only: bool,
    /// Chosen by the client, unique among the account's open orders of the group. Not zero.
    pub client_id: Option<u128>,
    /// A tag for cancelling many at once; zero is none.
    pub label: u32,
    /// How many resting orders it may meet, from 1 to the chain's `max_fills`. Zero when post-only.
    pub max_fills: u16,
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

/// A new mark price, by a price authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct PriceUpdate {
    /// A perpetual market.
    pub market: MarketId,
    /// The price in ticks.
    pub price: Ticks,
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
    /// Publish mark prices; they count from the next block on. At most 64.
    SetPrices(Vec<PriceUpdate>),
}

impl Order {
    /// True when it can meet resting orders at once.
    pub fn may_take(&self) -> bool {
        !self.post_only
    }

    /// True when what is left after matching rests in the book.
    pub fn may_rest(&self) -> bool {
        matches!(self.tif, TimeInForce::Gtc | TimeInForce::Gtt(_))
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
