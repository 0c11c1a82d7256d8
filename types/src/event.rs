use crate::{
    Account, AssetId, Atoms, Code, ExpirySurface, GroupId, KeyId, Lots, MarketId, MarketStatus,
    OptionKind, OrderId, Side, Ticks, TimeMs, Trigger, Twap, TxHash,
};
use borsh::{BorshDeserialize, BorshSerialize};

/// Why an order, or a part of it, left the book or never rested.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Removal {
    /// A cancel named it.
    Cancelled,
    /// An amend replaced it, or left nothing of it.
    Amended,
    /// Its time was over.
    Expired,
    /// What an IOC order could not trade at once.
    Ioc,
    /// It met as many resting orders as it may.
    FillLimit,
    /// It met an order of its own account.
    SelfTrade,
    /// The position that it may reduce is gone.
    ReduceOnly,
    /// Its fill could take the account below maintenance margin.
    Uncovered,
    /// The account's dead man's switch went off.
    DeadMan,
    /// It was triggered, and then refused.
    Refused,
    /// The account's market-maker protection took it.
    Protection,
    /// An order that it is linked with has traded, entered or left.
    Linked,
    /// The schedule of its slices is over.
    Schedule,
}

/// What happened in a block, in the order in which it took effect. Not part of the app hash.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Event {
    /// A mark price took effect.
    Mark {
        /// Perpetual market.
        market: MarketId,
        /// Mark price.
        price: Ticks,
    },
    /// An index price took effect.
    Index {
        /// Market.
        market: MarketId,
        /// Index price.
        price: Ticks,
    },
    /// A volatility surface took effect.
    Surface {
        /// Group.
        group: GroupId,
        /// Forward, rate and curve of each expiry.
        expiries: Vec<ExpirySurface>,
    },
    /// An option was listed; it is open.
    Listed {
        /// Its market.
        market: MarketId,
        /// The series that lists it.
        series: u16,
        /// Block time in ms at which it expires.
        expiry: TimeMs,
        /// Strike in the scale of the group.
        strike: i64,
        /// Call or put.
        kind: OptionKind,
    },
    /// What a market takes has changed.
    Status {
        /// Market.
        market: MarketId,
        /// What it takes now.
        status: MarketStatus,
    },
    /// A market has expired: its positions are settled at this price, which is also its last mark, and
    /// its orders go.
    Settled {
        /// Market.
        market: MarketId,
        /// Settlement price.
        price: Ticks,
    },
    /// An order waits for its trigger, for the order that it is linked with, or for the times of its
    /// slices. Comes again when size or dormant lots change.
    Waiting {
        /// Market.
        market: MarketId,
        /// Order.
        order: OrderId,
        /// Owner.
        account: Account,
        /// Side.
        side: Side,
        /// Limit.
        price: Ticks,
        /// Size.
        size: Lots,
        /// Lots that wait for fills of the order that it is linked with. When that is all of them, it
        /// does not watch its trigger yet.
        dormant: Lots,
        /// What it waits for.
        trigger: Option<Trigger>,
        /// Its slices.
        twap: Option<Twap>,
        /// The client's id.
        client_id: Option<u128>,
    },
    /// A slice of a TWAP order has been sent.
    Sliced {
        /// Market.
        market: MarketId,
        /// Order; fills of its slices name it as the taker.
        order: OrderId,
        /// Owner.
        account: Account,
        /// Lots that the schedule asked for.
        size: Lots,
        /// Lots that traded.
        filled: Lots,
        /// What became of the slice.
        code: Code,
    },
    /// A pegged order has moved, to the back of its new level.
    Moved {
        /// Market.
        market: MarketId,
        /// Order.
        order: OrderId,
        /// Owner.
        account: Account,
        /// Where it rests now.
        price: Ticks,
    },
    /// A market that collects orders for an auction has crossed bids and asks.
    Auction {
        /// Market.
        market: MarketId,
        /// The one price, in ticks.
        price: Ticks,
        /// Lots that can trade at it.
        volume: Lots,
        /// Lots that want to buy at it less those that want to sell.
        imbalance: Lots,
        /// Lots that have traded; zero while the market still collects.
        traded: Lots,
    },
    /// The trigger of a waiting order fired; it enters in this block.
    Triggered {
        /// Market.
        market: MarketId,
        /// Order; it keeps its id.
        order: OrderId,
        /// Owner.
        account: Account,
    },
    /// The protection of an account's quotes in a group took effect.
    Protected {
        /// Account.
        account: Account,
        /// Group.
        group: GroupId,
        /// Block time in ms until which quotes are refused; 2^64 - 1 is until it is set again.
        until: TimeMs,
    },
    /// The next slice of an iceberg order shows, at the back of its level.
    Refreshed {
        /// Market.
        market: MarketId,
        /// Order.
        order: OrderId,
        /// Owner.
        account: Account,
        /// Lots that show now.
        shown: Lots,
    },
    /// An order rests in the book.
    Rested {
        /// Market.
        market: MarketId,
        /// Order.
        order: OrderId,
        /// Owner.
        account: Account,
        /// Side.
        side: Side,
        /// Where it rests; of a pegged order not always its limit.
        price: Ticks,
        /// Size that rests, hidden lots included.
        size: Lots,
        /// Lots that the book shows.
        shown: Lots,
        /// The client's id.
        client_id: Option<u128>,
    },
    /// A trade.
    Fill {
        /// Market.
        market: MarketId,
        /// Number of the trade in its market, from 1, without gaps.
        trade: u64,
        /// Resting order.
        maker: OrderId,
        /// Its owner.
        maker_account: Account,
        /// Order that came in.
        taker: OrderId,
        /// Its owner.
        taker_account: Account,
        /// Side of the taker.
        taker_side: Side,
        /// Price.
        price: Ticks,
        /// Size.
        size: Lots,
        /// Paid by the maker; negative is a rebate.
        maker_fee: Atoms,
        /// Paid by the taker.
        taker_fee: Atoms,
    },
    /// A resting order became smaller without a trade and kept its place.
    Reduced {
        /// Market.
        market: MarketId,
        /// Order.
        order: OrderId,
        /// Owner.
        account: Account,
        /// Size that still rests.
        size: Lots,
        /// Why.
        reason: Removal,
    },
    /// An order, or what was left of it, is gone.
    Removed {
        /// Market.
        market: MarketId,
        /// Order.
        order: OrderId,
        /// Owner.
        account: Account,
        /// Size that did not trade.
        size: Lots,
        /// Why.
        reason: Removal,
        /// The client's id.
        client_id: Option<u128>,
    },
    /// Cash moved between accounts.
    Transferred {
        /// Asset.
        asset: AssetId,
        /// Atoms.
        amount: u128,
        /// Payer.
        from: Account,
        /// Receiver.
        to: Account,
    },
    /// An agent key was set or removed (`expiry` 0).
    Agent {
        /// Master account (subaccount 0).
        account: Account,
        /// Agent key.
        key: KeyId,
        /// Expiry in ms, 0 when removed.
        expiry: TimeMs,
    },
    /// The balance of an account at the end of the block, when it changed.
    Balance {
        /// Account.
        account: Account,
        /// Asset.
        asset: AssetId,
        /// Atoms; the margin asset's may be negative.
        balance: Atoms,
    },
    /// The position of an account at the end of the block, when it changed.
    Position {
        /// Account.
        account: Account,
        /// Market.
        market: MarketId,
        /// Lots; short is negative.
        size: Lots,
        /// What the open lots cost, in atoms; negative for a short position.
        cost: Atoms,
    },
    /// Levels of a market's book that changed in the block. One for each changed market.
    Book {
        /// Market.
        market: MarketId,
        /// (side, price, size at the end of the block); size 0 is a level that is gone.
        levels: Vec<(Side, Ticks, Lots)>,
        /// CRC-32 of the best 25 bids, then asks, at the end of the block.
        checksum: u32,
    },
}

/// Result of one part of a scale, of quotes or of linked orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PartResult {
    /// What became of it.
    pub code: Code,
    /// The order that it made or left in its place.
    pub order: Option<OrderId>,
    /// Lots that traded at once.
    pub filled: Lots,
    /// As that of an action.
    pub missing: Option<Atoms>,
}

/// Result of one action.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ActionResult {
    /// What became of it.
    pub code: Code,
    /// The order that it made, when it made one.
    pub order: Option<OrderId>,
    /// Lots that traded at once.
    pub filled: Lots,
    /// When balance or margin were not enough, by how many atoms: of `INSUFFICIENT_MARGIN` initial
    /// margin less equity, counting what was asked for; of `UNDER_MAINTENANCE` maintenance margin less
    /// equity; of `INSUFFICIENT_BALANCE` what was asked for less what is free of the asset.
    pub missing: Option<Atoms>,
    /// Of a scale one for each order; of linked orders the first order, then its legs; of quotes one
    /// for each bid, then ask, market by market. None of other actions, or when `code` is not OK.
    pub parts: Vec<PartResult>,
}

impl ActionResult {
    /// A result without an order.
    pub fn code(code: Code) -> Self {
        Self {
            code,
            order: None,
            filled: 0,
            missing: None,
            parts: Vec::new(),
        }
    }
}

/// Result of one transaction. `actions` is empty when `code` is not OK.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TxResult {
    /// Which.
    pub hash: TxHash,
    /// Whether it was authorised.
    pub code: Code,
    /// One for each action.
    pub actions: Vec<ActionResult>,
}

/// Everything that a block did.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BlockEvents {
    /// Height of the block.
    pub height: u64,
    /// Block time in ms.
    pub time: TimeMs,
    /// One for each CometBFT transaction, and in it one for each transaction that it carries.
    pub txs: Vec<Vec<TxResult>>,
    /// What happened.
    pub events: Vec<Event>,
}
