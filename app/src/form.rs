//! What an order asks for, as records keep it and as types say it.

use crate::records::{
    BY_HEIGHT, OF_MASTER, OrderRecord, POST_ONLY, REDUCE_ONLY, SELF_TRADE_SHIFT, SELL, SLIDE,
    SpecialRecord, WAITING,
};
use ballast_types::{
    Condition, Distance, Lots, MarketId, MarketStatus, Order, PostOnly, PriceSource, SelfTrade,
    SelfTradeScope, Side, TimeInForce, Trigger,
};
use bytemuck::Zeroable;

/// When an order is dead: a height or a block time. Times come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Time(u64),
    Height(u64),
}

impl End {
    pub(crate) fn reached(self, time: u64, height: u64) -> bool {
        match self {
            Self::Time(end) => end <= time,
            Self::Height(end) => end <= height,
        }
    }
}

impl OrderRecord {
    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn side(&self) -> Side {
        if self.has(SELL) {
            Side::Sell
        } else {
            Side::Buy
        }
    }

    pub(crate) fn post_only(&self) -> PostOnly {
        match (self.has(POST_ONLY), self.has(SLIDE)) {
            (false, _) => PostOnly::No,
            (true, false) => PostOnly::Reject,
            (true, true) => PostOnly::Slide,
        }
    }

    pub(crate) fn reduce_only(&self) -> bool {
        self.has(REDUCE_ONLY)
    }

    pub(crate) fn waiting(&self) -> bool {
        self.has(WAITING)
    }

    /// Where the special record is, if there is one.
    pub(crate) fn special_slot(&self) -> Option<u32> {
        self.special.checked_sub(1)
    }

    pub(crate) fn client(&self) -> Option<u128> {
        (self.client_id != 0).then_some(self.client_id)
    }

    pub(crate) fn end(&self) -> Option<End> {
        match (self.expiry, self.has(BY_HEIGHT)) {
            (0, _) => None,
            (end, false) => Some(End::Time(end)),
            (end, true) => Some(End::Height(end)),
        }
    }

    pub(crate) fn dead(&self, time: u64, height: u64) -> bool {
        self.end().is_some_and(|end| end.reached(time, height))
    }

    pub(crate) fn self_trade(&self) -> SelfTrade {
        match self.flags >> SELF_TRADE_SHIFT & 3 {
            1 => SelfTrade::CancelMaker,
            2 => SelfTrade::CancelBoth,
            3 => SelfTrade::Decrement,
            _ => SelfTrade::CancelTaker,
        }
    }

    pub(crate) fn self_trade_scope(&self) -> SelfTradeScope {
        if self.has(OF_MASTER) {
            SelfTradeScope::Master
        } else {
            SelfTradeScope::Account
        }
    }

    /// Time in force; IOC and FOK orders can only wait.
    pub(crate) fn tif(&self, special: Option<&SpecialRecord>) -> TimeInForce {
        match (special.map_or(0, |special| special.tif), self.end()) {
            (1, _) => TimeInForce::Ioc,
            (2, _) => TimeInForce::Fok,
            (_, None) => TimeInForce::Gtc,
            (_, Some(End::Time(end))) => TimeInForce::Gtt(end),
            (_, Some(End::Height(end))) => TimeInForce::Gtb(end),
        }
    }

    /// The order that an open order would be if it were placed now, its trigger left out.
    /// `max_fills` is that of a waiting order, else 0.
    pub(crate) fn order(&self, special: Option<&SpecialRecord>) -> Order {
        Order {
            tif: self.tif(special),
            post_only: self.post_only(),
            reduce_only: self.reduce_only(),
            client_id: self.client(),
            label: self.label,
            max_fills: special.map_or(0, |special| special.max_fills),
            self_trade: self.self_trade(),
            self_trade_scope: self.self_trade_scope(),
            display: special.and_then(SpecialRecord::display),
            ..Order::limit(
                MarketId(self.market),
                self.side(),
                self.price,
                self.remaining,
            )
        }
    }
}

/// Flags of an order that rests, or that waits when it has a trigger.
pub(crate) fn flags_of(order: &Order) -> u16 {
    let flag = |set: bool, flag: u16| if set { flag } else { 0 };
    flag(order.side == Side::Sell, SELL)
        | flag(order.post_only != PostOnly::No, POST_ONLY)
        | flag(order.post_only == PostOnly::Slide, SLIDE)
        | flag(order.reduce_only, REDUCE_ONLY)
        | flag(order.trigger.is_some(), WAITING)
        | flag(matches!(order.tif, TimeInForce::Gtb(_)), BY_HEIGHT)
        | flag(order.self_trade_scope == SelfTradeScope::Master, OF_MASTER)
        | self_trade_bits(order.self_trade) << SELF_TRADE_SHIFT
}

fn self_trade_bits(mode: SelfTrade) -> u16 {
    match mode {
        SelfTrade::CancelTaker => 0,
        SelfTrade::CancelMaker => 1,
        SelfTrade::CancelBoth => 2,
        SelfTrade::Decrement => 3,
    }
}

/// The end of an order as its record keeps it.
pub(crate) fn expiry_of(tif: TimeInForce) -> u64 {
    match tif {
        TimeInForce::Gtt(end) | TimeInForce::Gtb(end) => end,
        TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok => 0,
    }
}

impl SpecialRecord {
    /// What an order needs beside its own record: nothing, unless it waits or is an iceberg.
    pub(crate) fn of(order: &Order, shown: Lots) -> Option<Self> {
        let display = order.display.unwrap_or(0);
        let Some(trigger) = order.trigger else {
            return order.display.map(|_| Self {
                display,
                shown,
                ..Self::zeroed()
            });
        };
        let (condition, price, distance) = match trigger.condition {
            Condition::AtOrAbove(price) => (1, price, 0),
            Condition::AtOrBelow(price) => (2, price, 0),
            Condition::Trail {
                distance: Distance::Ticks(ticks),
                activation,
            } => (3, activation, ticks),
            Condition::Trail {
                distance: Distance::Ppm(ppm),
                activation,
            } => (4, activation, i64::from(ppm)),
        };
        Some(Self {
            display,
            trigger: price,
            distance,
            condition,
            source: source_number(trigger.source),
            max_fills: order.max_fills,
            tif: match order.tif {
                TimeInForce::Ioc => 1,
                TimeInForce::Fok => 2,
                TimeInForce::Gtc | TimeInForce::Gtt(_) | TimeInForce::Gtb(_) => 0,
            },
            ..Self::zeroed()
        })
    }

    pub(crate) fn display(&self) -> Option<Lots> {
        (self.display > 0).then_some(self.display)
    }

    pub(crate) fn source(&self) -> PriceSource {
        match self.source {
            1 => PriceSource::Index,
            2 => PriceSource::Last,
            _ => PriceSource::Mark,
        }
    }

    /// What the order waits for; `None` when it rests.
    pub(crate) fn trigger(&self) -> Option<Trigger> {
        let trail = |distance| Condition::Trail {
            distance,
            activation: self.trigger,
        };
        let condition = match self.condition {
            1 => Condition::AtOrAbove(self.trigger),
            2 => Condition::AtOrBelow(self.trigger),
            3 => trail(Distance::Ticks(self.distance)),
            4 => trail(Distance::Ppm(u32::try_from(self.distance).unwrap_or(0))),
            _ => return None,
        };
        Some(Trigger {
            source: self.source(),
            condition,
        })
    }
}

fn source_number(source: PriceSource) -> u8 {
    match source {
        PriceSource::Mark => 0,
        PriceSource::Index => 1,
        PriceSource::Last => 2,
    }
}

const STATUSES: [MarketStatus; 4] = [
    MarketStatus::Open,
    MarketStatus::PostOnly,
    MarketStatus::CancelOnly,
    MarketStatus::Suspended,
];

/// The number by which records know a status.
pub(crate) fn status_number(status: MarketStatus) -> u8 {
    (0..)
        .zip(STATUSES)
        .find(|(_, of)| *of == status)
        .map_or(0, |(number, _)| number)
}

/// The opposite of [`status_number`].
pub(crate) fn status_of(number: u8) -> MarketStatus {
    STATUSES
        .get(usize::from(number))
        .copied()
        .unwrap_or_default()
}
