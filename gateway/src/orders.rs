//! Shapes of orders, of what they wait for and of what they follow. What the book does not show, as
//! hidden lots and orders that wait, is for those who have proved a key of the account.

use crate::catalog::Catalog;
use crate::json::side;
use ballast_app::view::{LinkView, OrderView, TwapView, WaitingView};
use ballast_types::{
    Condition, Distance, LinkKind, LinkRule, Lots, MarketId, OrderId, Peg, PegTo, PostOnly,
    PriceSource, SelfTrade, SelfTradeScope, Ticks, TimeInForce, TimeMs, Trigger, Twap,
};
use serde::Serialize;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Anybody.
    Public,
    /// Somebody who has proved a key of the account.
    Own,
}

#[derive(Serialize)]
pub(crate) struct Order {
    order: String,
    account: String,
    market: String,
    side: &'static str,
    state: &'static str,
    price: Ticks,
    price_decimal: String,
    /// Where it rests.
    rests_at: Option<Ticks>,
    rests_at_decimal: Option<String>,
    remaining: Lots,
    remaining_decimal: String,
    shown: Lots,
    shown_decimal: String,
    display: Option<Lots>,
    display_decimal: Option<String>,
    filled: Lots,
    filled_decimal: String,
    time_in_force: &'static str,
    expiry: TimeMs,
    expiry_height: u64,
    post_only: &'static str,
    reduce_only: bool,
    quote: bool,
    self_trade: &'static str,
    self_trade_scope: &'static str,
    trigger: Option<TriggerRow>,
    peg: Option<PegRow>,
    twap: Option<ScheduleRow>,
    link: Option<LinkRow>,
    /// Lots that wait for the order that it is linked with.
    dormant: Lots,
    dormant_decimal: String,
    /// Of the order's trigger: for trailing orders, the best price since it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    extreme: Option<Ticks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extreme_decimal: Option<String>,
    client_id: Option<String>,
    label: u32,
}

/// An order as one of this sight sees it; `None` when it does not.
pub(crate) fn order(catalog: &Catalog, view: &OrderView, sight: Sight) -> Option<Order> {
    let own = sight == Sight::Own;
    if !own && view.waiting.is_some() {
        return None;
    }
    let remaining = if own { view.remaining } else { view.shown };
    let price = if own { view.price } else { view.level };
    let rests_at = view.waiting.is_none().then_some(view.level);
    let dormant = view.waiting.map_or(0, |waiting| waiting.dormant);
    let display = view.display.filter(|_| own);
    let (time_in_force, expiry, expiry_height) = match view.tif {
        TimeInForce::Gtc => ("GTC", 0, 0),
        TimeInForce::Gtt(time) => ("GTT", time, 0),
        TimeInForce::Gtb(height) => ("GTB", 0, height),
        TimeInForce::Ioc => ("IOC", 0, 0),
        TimeInForce::Fok => ("FOK", 0, 0),
    };
    let extreme = view.waiting.and_then(|waiting| waiting.extreme);
    Some(Order {
        order: view.id.to_string(),
        account: view.account.to_string(),
        market: catalog.symbol(view.market).to_owned(),
        side: side(view.side),
        state: state(view.waiting),
        price,
        price_decimal: catalog.price(view.market, price),
        rests_at,
        rests_at_decimal: rests_at.map(|price| catalog.price(view.market, price)),
        remaining,
        remaining_decimal: catalog.size(view.market, remaining),
        shown: view.shown,
        shown_decimal: catalog.size(view.market, view.shown),
        display,
        display_decimal: display.map(|lots| catalog.size(view.market, lots)),
        filled: view.filled,
        filled_decimal: catalog.size(view.market, view.filled),
        time_in_force,
        expiry,
        expiry_height,
        post_only: post_only(view.post_only),
        reduce_only: view.reduce_only,
        quote: view.quote,
        self_trade: self_trade(view.self_trade),
        self_trade_scope: self_trade_scope(view.self_trade_scope),
        trigger: view
            .waiting
            .and_then(|waiting| waiting.trigger)
            .map(|it| trigger(catalog, view.market, &it)),
        peg: view
            .peg
            .filter(|_| own)
            .map(|it| peg(catalog, view.market, it)),
        twap: view.waiting.and_then(|it| it.twap).map(schedule),
        link: view.link.as_ref().filter(|_| own).map(link),
        dormant,
        dormant_decimal: catalog.size(view.market, dormant),
        extreme,
        extreme_decimal: extreme.map(|price| catalog.price(view.market, price)),
        client_id: view.client_id.map(|id| id.to_string()),
        label: view.label,
    })
}

fn state(waiting: Option<WaitingView>) -> &'static str {
    match waiting {
        None => "resting",
        Some(waiting) if waiting.due => "due",
        Some(_) => "waiting",
    }
}

fn post_only(post_only: PostOnly) -> &'static str {
    match post_only {
        PostOnly::No => "no",
        PostOnly::Reject => "reject",
        PostOnly::Slide => "slide",
    }
}

fn self_trade(mode: SelfTrade) -> &'static str {
    match mode {
        SelfTrade::CancelTaker => "cancel-taker",
        SelfTrade::CancelMaker => "cancel-maker",
        SelfTrade::CancelBoth => "cancel-both",
        SelfTrade::Decrement => "decrement",
    }
}

fn self_trade_scope(scope: SelfTradeScope) -> &'static str {
    match scope {
        SelfTradeScope::Account => "account",
        SelfTradeScope::Master => "master",
    }
}

/// What an order waits for.
#[derive(Serialize)]
pub(crate) struct TriggerRow {
    source: &'static str,
    #[serde(flatten)]
    condition: ConditionRow,
}

#[derive(Serialize)]
#[serde(tag = "condition", rename_all = "lowercase")]
enum ConditionRow {
    Above {
        price: Ticks,
        price_decimal: String,
    },
    Below {
        price: Ticks,
        price_decimal: String,
    },
    Trail {
        #[serde(flatten)]
        distance: DistanceRow,
        activation: Ticks,
        activation_decimal: String,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum DistanceRow {
    Ticks {
        distance: Ticks,
        distance_decimal: String,
    },
    Ppm {
        distance_ppm: u32,
    },
}

pub(crate) fn trigger(catalog: &Catalog, market: MarketId, trigger: &Trigger) -> TriggerRow {
    let source = match trigger.source {
        PriceSource::Mark => "mark",
        PriceSource::Index => "index",
        PriceSource::Last => "last",
    };
    let decimal = |price| catalog.price(market, price);
    let condition = match trigger.condition {
        Condition::AtOrAbove(price) => ConditionRow::Above {
            price,
            price_decimal: decimal(price),
        },
        Condition::AtOrBelow(price) => ConditionRow::Below {
            price,
            price_decimal: decimal(price),
        },
        Condition::Trail {
            distance,
            activation,
        } => ConditionRow::Trail {
            distance: match distance {
                Distance::Ticks(distance) => DistanceRow::Ticks {
                    distance,
                    distance_decimal: decimal(distance),
                },
                Distance::Ppm(distance_ppm) => DistanceRow::Ppm { distance_ppm },
            },
            activation,
            activation_decimal: decimal(activation),
        },
    };
    TriggerRow { source, condition }
}

#[derive(Serialize)]
struct PegRow {
    to: &'static str,
    offset: Ticks,
    offset_decimal: String,
}

fn peg(catalog: &Catalog, market: MarketId, peg: Peg) -> PegRow {
    let Peg { to, offset } = peg;
    PegRow {
        to: match to {
            PegTo::Index => "index",
            PegTo::Bid => "bid",
            PegTo::Ask => "ask",
        },
        offset,
        offset_decimal: catalog.price(market, offset),
    }
}

/// When an order sends slices of itself.
#[derive(Serialize)]
pub(crate) struct TwapRow {
    duration_ms: TimeMs,
    interval_ms: TimeMs,
    tolerance_ppm: u32,
}

pub(crate) fn twap(twap: &Twap) -> TwapRow {
    TwapRow {
        duration_ms: twap.duration_ms,
        interval_ms: twap.interval_ms,
        tolerance_ppm: twap.tolerance_ppm,
    }
}

/// The same, and how far it is.
#[derive(Serialize)]
struct ScheduleRow {
    #[serde(flatten)]
    twap: TwapRow,
    start: TimeMs,
    next: u64,
}

fn schedule(view: TwapView) -> ScheduleRow {
    ScheduleRow {
        twap: twap(&view.twap),
        start: view.start,
        next: view.next,
    }
}

#[derive(Serialize)]
struct LinkRow {
    kind: &'static str,
    rule: &'static str,
    order: Option<String>,
    legs: Vec<String>,
}

fn link(view: &LinkView) -> LinkRow {
    LinkRow {
        kind: match view.kind {
            LinkKind::Oco => "oco",
            LinkKind::Oto => "oto",
            LinkKind::Otoco => "otoco",
        },
        rule: match view.rule {
            LinkRule::FirstHit => "first-hit",
            LinkRule::CompleteFill => "complete-fill",
            LinkRule::Incremental => "incremental",
        },
        order: view.order.map(|order| order.to_string()),
        legs: view.legs.iter().map(OrderId::to_string).collect(),
    }
}
