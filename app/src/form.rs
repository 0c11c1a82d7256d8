//! What an order asks for, as records keep it and as types say it.

use crate::records::{
    BY_HEIGHT, LinkRecord, OF_MASTER, OrderRecord, PEGGED, POST_ONLY, QUOTE, REDUCE_ONLY,
    SELF_TRADE_SHIFT, SELL, SLIDE, SpecialRecord, WAITING,
};
use ballast_types::{
    Condition, Distance, LinkKind, LinkRule, Lots, MarginMode, MarketId, MarketStatus, Order, Peg,
    PegTo, PostOnly, PriceSource, SelfTrade, SelfTradeScope, Side, Ticks, TimeInForce, TimeMs,
    Trigger, Twap,
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

    pub(crate) fn pegged(&self) -> bool {
        self.has(PEGGED)
    }

    /// Whether all of a waiting leg is dormant.
    pub(crate) fn asleep(&self, special: &SpecialRecord) -> bool {
        special.dormant > 0 && special.dormant >= self.remaining
    }

    /// Where the link is that the order is in, if it is.
    pub(crate) fn link_slot(&self) -> Option<u32> {
        self.link.checked_sub(1)
    }

    /// Where it rests: its limit, unless it is pegged.
    pub(crate) fn level(&self, special: Option<&SpecialRecord>) -> Ticks {
        match special {
            Some(special) if self.pegged() => special.rests,
            _ => self.price,
        }
    }

    pub(crate) fn quote(&self) -> bool {
        self.has(QUOTE)
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

    /// The order that an open order would be if it were placed now, its trigger or schedule left out.
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
            peg: special.and_then(SpecialRecord::peg),
            ..Order::limit(
                MarketId(self.market),
                self.side(),
                self.price,
                self.remaining,
            )
        }
    }
}

/// Flags of an order that rests, or that waits when it has a trigger or a schedule.
pub(crate) fn flags_of(order: &Order) -> u16 {
    let flag = |set: bool, flag: u16| if set { flag } else { 0 };
    flag(order.side == Side::Sell, SELL)
        | flag(order.post_only != PostOnly::No, POST_ONLY)
        | flag(order.post_only == PostOnly::Slide, SLIDE)
        | flag(order.reduce_only, REDUCE_ONLY)
        | flag(order.waits(), WAITING)
        | flag(order.peg.is_some(), PEGGED)
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
    /// What an order that rests at a level needs beside its own record: nothing, unless it is an
    /// iceberg or pegged.
    pub(crate) fn resting(order: &Order, shown: Lots, level: Ticks) -> Option<Self> {
        if order.display.is_none() && order.peg.is_none() {
            return None;
        }
        let special = Self {
            display: order.display.unwrap_or(0),
            shown,
            ..Self::zeroed()
        };
        Some(match order.peg {
            None => special,
            Some(peg) => Self {
                peg: peg_number(peg.to),
                offset: peg.offset,
                rests: level,
                ..special
            },
        })
    }

    /// What an order that begins to wait needs beside its own record.
    pub(crate) fn waiting(order: &Order, dormant: Lots, time: TimeMs) -> Self {
        let special = Self {
            display: order.display.unwrap_or(0),
            dormant,
            max_fills: order.max_fills,
            tif: match order.tif {
                TimeInForce::Ioc => 1,
                TimeInForce::Fok => 2,
                TimeInForce::Gtc | TimeInForce::Gtt(_) | TimeInForce::Gtb(_) => 0,
            },
            ..Self::zeroed()
        };
        match (order.trigger, order.twap) {
            (Some(trigger), _) => special.with_trigger(&trigger),
            (None, Some(twap)) => Self {
                tolerance: twap.tolerance_ppm,
                interval: twap.interval_ms,
                duration: twap.duration_ms,
                start: time,
                ..special
            },
            (None, None) => special,
        }
    }

    fn with_trigger(self, trigger: &Trigger) -> Self {
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
        Self {
            trigger: price,
            distance,
            condition,
            source: source_number(trigger.source),
            ..self
        }
    }

    /// Whether the trigger is a trailing one.
    pub(crate) fn trails(&self) -> bool {
        matches!(self.condition, 3 | 4)
    }

    pub(crate) fn peg(&self) -> Option<Peg> {
        let to = match self.peg {
            1 => PegTo::Index,
            2 => PegTo::Bid,
            3 => PegTo::Ask,
            _ => return None,
        };
        Some(Peg {
            to,
            offset: self.offset,
        })
    }

    pub(crate) fn twap(&self) -> Option<Twap> {
        (self.interval > 0).then_some(Twap {
            duration_ms: self.duration,
            interval_ms: self.interval,
            tolerance_ppm: self.tolerance,
        })
    }

    /// Block time in ms from which the next slice is due; `None` without a schedule.
    pub(crate) fn next_slice(&self) -> Option<TimeMs> {
        let since = self.interval.checked_mul(u64::from(self.slice))?;
        (self.interval > 0).then(|| self.start.saturating_add(since))
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

    /// The trigger that the order waits for; `None` when it rests, or waits for something else.
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

fn peg_number(to: PegTo) -> u8 {
    match to {
        PegTo::Index => 1,
        PegTo::Bid => 2,
        PegTo::Ask => 3,
    }
}

impl LinkRecord {
    /// A link that no order is in yet.
    pub(crate) fn of(kind: LinkKind, rule: LinkRule) -> Self {
        Self {
            kind: match kind {
                LinkKind::Oco => 1,
                LinkKind::Oto => 2,
                LinkKind::Otoco => 3,
            },
            rule: match rule {
                LinkRule::FirstHit => 0,
                LinkRule::CompleteFill => 1,
                LinkRule::Incremental => 2,
            },
            ..Self::zeroed()
        }
    }

    pub(crate) fn kind(&self) -> LinkKind {
        match self.kind {
            1 => LinkKind::Oco,
            2 => LinkKind::Oto,
            _ => LinkKind::Otoco,
        }
    }

    pub(crate) fn rule(&self) -> LinkRule {
        match self.rule {
            1 => LinkRule::CompleteFill,
            2 => LinkRule::Incremental,
            _ => LinkRule::FirstHit,
        }
    }
}

fn source_number(source: PriceSource) -> u8 {
    match source {
        PriceSource::Mark => 0,
        PriceSource::Index => 1,
        PriceSource::Last => 2,
    }
}

const STATUSES: [MarketStatus; 6] = [
    MarketStatus::Open,
    MarketStatus::PostOnly,
    MarketStatus::CancelOnly,
    MarketStatus::Suspended,
    MarketStatus::Auction,
    MarketStatus::Settled,
];

/// The number by which records know a status.
pub(crate) fn status_number(status: MarketStatus) -> u8 {
    (0..)
        .zip(STATUSES)
        .find(|(_, of)| *of == status)
        .map_or(0, |(number, _)| number)
}

/// Number of a margin mode in an account's record.
pub(crate) fn mode_number(mode: MarginMode) -> u8 {
    match mode {
        MarginMode::Standard => 0,
        MarginMode::Portfolio => 1,
    }
}

/// The opposite of [`mode_number`].
pub(crate) fn mode_of(number: u8) -> MarginMode {
    match number {
        0 => MarginMode::Standard,
        _ => MarginMode::Portfolio,
    }
}

/// The opposite of [`status_number`].
pub(crate) fn status_of(number: u8) -> MarketStatus {
    STATUSES
        .get(usize::from(number))
        .copied()
        .unwrap_or_default()
}
