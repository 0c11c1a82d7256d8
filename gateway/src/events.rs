//! Shapes of what happened in a block.

use crate::Committed;
use crate::catalog::Catalog;
use crate::json::{self, TxRow};
use crate::markets::{self, OptionRow};
use crate::orders::{self, TriggerRow, TwapRow};
use crate::prices::{self, Auction, AuctionRow};
use ballast_app::view::OrderView;
use ballast_types::{Event, GroupId, Lots, OrderId, Side, Ticks, TimeMs};
use serde::Serialize;

/// (side, price in ticks, size in lots).
pub(crate) type LevelRow = (&'static str, Ticks, Lots);

/// One event, with names for ids.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum EventRow {
    Mark {
        market: String,
        price: Ticks,
        price_decimal: String,
    },
    Index {
        market: String,
        price: Ticks,
        price_decimal: String,
    },
    Status {
        market: String,
        status: &'static str,
    },
    Settled {
        market: String,
        price: Ticks,
        price_decimal: String,
    },
    Surface {
        group: String,
        expiries: Vec<markets::Expiry>,
    },
    Listed {
        market: String,
        id: u32,
        group: String,
        series: u16,
        expiry: TimeMs,
        #[serde(flatten)]
        option: OptionRow,
    },
    Waiting {
        market: String,
        order: String,
        account: String,
        side: &'static str,
        price: Ticks,
        price_decimal: String,
        size: Lots,
        size_decimal: String,
        dormant: Lots,
        dormant_decimal: String,
        trigger: Option<TriggerRow>,
        twap: Option<TwapRow>,
        client_id: Option<String>,
    },
    Sliced {
        market: String,
        order: String,
        account: String,
        size: Lots,
        size_decimal: String,
        filled: Lots,
        filled_decimal: String,
        code: u16,
        name: &'static str,
    },
    Moved {
        market: String,
        order: String,
        account: String,
        price: Ticks,
        price_decimal: String,
    },
    Auction {
        market: String,
        #[serde(flatten)]
        auction: AuctionRow,
    },
    Triggered {
        market: String,
        order: String,
        account: String,
    },
    Protected {
        account: String,
        group: String,
        until: TimeMs,
    },
    Refreshed {
        market: String,
        order: String,
        account: String,
        shown: Lots,
        shown_decimal: String,
    },
    Rested {
        market: String,
        order: String,
        account: String,
        side: &'static str,
        price: Ticks,
        price_decimal: String,
        size: Lots,
        size_decimal: String,
        shown: Lots,
        shown_decimal: String,
        client_id: Option<String>,
    },
    Fill {
        market: String,
        trade: u64,
        maker: String,
        maker_account: String,
        taker: String,
        taker_account: String,
        side: &'static str,
        price: Ticks,
        price_decimal: String,
        size: Lots,
        size_decimal: String,
        maker_fee: String,
        maker_fee_decimal: String,
        taker_fee: String,
        taker_fee_decimal: String,
    },
    Reduced {
        market: String,
        order: String,
        account: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<Lots>,
        #[serde(skip_serializing_if = "Option::is_none")]
        size_decimal: Option<String>,
        reason: &'static str,
    },
    Removed {
        market: String,
        order: String,
        account: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<Lots>,
        #[serde(skip_serializing_if = "Option::is_none")]
        size_decimal: Option<String>,
        reason: &'static str,
        client_id: Option<String>,
    },
    Transferred {
        asset: String,
        amount: String,
        amount_decimal: String,
        from: String,
        to: String,
    },
    Agent {
        account: String,
        key: String,
        expiry: TimeMs,
    },
    Balance {
        account: String,
        asset: String,
        balance: String,
        balance_decimal: String,
    },
    Position {
        account: String,
        market: String,
        size: Lots,
        size_decimal: String,
        cost: String,
        cost_decimal: String,
    },
    Book {
        market: String,
        levels: Vec<LevelRow>,
        checksum: u32,
    },
}

pub(crate) fn levels(levels: &[(Side, Ticks, Lots)]) -> Vec<LevelRow> {
    levels
        .iter()
        .map(|(at, price, size)| (json::side(*at), *price, *size))
        .collect()
}

#[expect(clippy::too_many_lines, reason = "one flat arm for each kind of event")]
pub(crate) fn event(catalog: &Catalog, event: &Event) -> EventRow {
    match event {
        Event::Mark { market, price } => EventRow::Mark {
            market: catalog.symbol(*market).to_owned(),
            price: *price,
            price_decimal: catalog.price(*market, *price),
        },
        Event::Index { market, price } => EventRow::Index {
            market: catalog.symbol(*market).to_owned(),
            price: *price,
            price_decimal: catalog.price(*market, *price),
        },
        Event::Status { market, status } => EventRow::Status {
            market: catalog.symbol(*market).to_owned(),
            status: prices::status(*status),
        },
        Event::Settled { market, price } => EventRow::Settled {
            market: catalog.symbol(*market).to_owned(),
            price: *price,
            price_decimal: catalog.price(*market, *price),
        },
        Event::Surface { group, expiries } => EventRow::Surface {
            group: catalog.group(*group).to_owned(),
            expiries: expiries
                .iter()
                .map(|of| markets::expiry(catalog, *group, of))
                .collect(),
        },
        Event::Listed {
            market,
            series,
            expiry,
            strike,
            kind,
        } => {
            let group = catalog.market(*market).map_or(GroupId(0), |it| it.group);
            EventRow::Listed {
                market: catalog.symbol(*market).to_owned(),
                id: market.0,
                group: catalog.group(group).to_owned(),
                series: *series,
                expiry: *expiry,
                option: OptionRow::new(catalog, group, *strike, *kind),
            }
        }
        Event::Waiting {
            market,
            order,
            account,
            side,
            price,
            size,
            dormant,
            trigger,
            twap,
            client_id,
        } => EventRow::Waiting {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
            side: json::side(*side),
            price: *price,
            price_decimal: catalog.price(*market, *price),
            size: *size,
            size_decimal: catalog.size(*market, *size),
            dormant: *dormant,
            dormant_decimal: catalog.size(*market, *dormant),
            trigger: trigger
                .as_ref()
                .map(|trigger| orders::trigger(catalog, *market, trigger)),
            twap: twap.as_ref().map(orders::twap),
            client_id: client_id.map(|id| id.to_string()),
        },
        Event::Sliced {
            market,
            order,
            account,
            size,
            filled,
            code,
        } => EventRow::Sliced {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
            size: *size,
            size_decimal: catalog.size(*market, *size),
            filled: *filled,
            filled_decimal: catalog.size(*market, *filled),
            code: code.number(),
            name: code.name(),
        },
        Event::Moved {
            market,
            order,
            account,
            price,
        } => EventRow::Moved {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
            price: *price,
            price_decimal: catalog.price(*market, *price),
        },
        Event::Auction {
            market,
            price,
            volume,
            imbalance,
            traded,
        } => EventRow::Auction {
            market: catalog.symbol(*market).to_owned(),
            auction: Auction {
                price: *price,
                volume: *volume,
                imbalance: *imbalance,
                traded: *traded,
            }
            .row(catalog, *market),
        },
        Event::Triggered {
            market,
            order,
            account,
        } => EventRow::Triggered {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
        },
        Event::Protected {
            account,
            group,
            until,
        } => EventRow::Protected {
            account: account.to_string(),
            group: catalog.group(*group).to_owned(),
            until: *until,
        },
        Event::Refreshed {
            market,
            order,
            account,
            shown,
        } => EventRow::Refreshed {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
            shown: *shown,
            shown_decimal: catalog.size(*market, *shown),
        },
        Event::Rested {
            market,
            order,
            account,
            side,
            price,
            size,
            shown,
            client_id,
        } => EventRow::Rested {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
            side: json::side(*side),
            price: *price,
            price_decimal: catalog.price(*market, *price),
            size: *size,
            size_decimal: catalog.size(*market, *size),
            shown: *shown,
            shown_decimal: catalog.size(*market, *shown),
            client_id: client_id.map(|id| id.to_string()),
        },
        Event::Fill {
            market,
            trade,
            maker,
            maker_account,
            taker,
            taker_account,
            taker_side,
            price,
            size,
            maker_fee,
            taker_fee,
        } => EventRow::Fill {
            market: catalog.symbol(*market).to_owned(),
            trade: *trade,
            maker: maker.to_string(),
            maker_account: maker_account.to_string(),
            taker: taker.to_string(),
            taker_account: taker_account.to_string(),
            side: json::side(*taker_side),
            price: *price,
            price_decimal: catalog.price(*market, *price),
            size: *size,
            size_decimal: catalog.size(*market, *size),
            maker_fee: maker_fee.to_string(),
            maker_fee_decimal: catalog.cash(*maker_fee),
            taker_fee: taker_fee.to_string(),
            taker_fee_decimal: catalog.cash(*taker_fee),
        },
        Event::Reduced {
            market,
            order,
            account,
            size,
            reason,
        } => EventRow::Reduced {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
            size: Some(*size),
            size_decimal: Some(catalog.size(*market, *size)),
            reason: json::reason(*reason),
        },
        Event::Removed {
            market,
            order,
            account,
            size,
            reason,
            client_id,
        } => EventRow::Removed {
            market: catalog.symbol(*market).to_owned(),
            order: order.to_string(),
            account: account.to_string(),
            size: Some(*size),
            size_decimal: Some(catalog.size(*market, *size)),
            reason: json::reason(*reason),
            client_id: client_id.map(|id| id.to_string()),
        },
        Event::Transferred {
            asset,
            amount,
            from,
            to,
        } => EventRow::Transferred {
            asset: catalog.asset(*asset).to_owned(),
            amount: amount.to_string(),
            amount_decimal: catalog.amount(*asset, i128::try_from(*amount).unwrap_or(i128::MAX)),
            from: from.to_string(),
            to: to.to_string(),
        },
        Event::Agent {
            account,
            key,
            expiry,
        } => EventRow::Agent {
            account: account.to_string(),
            key: key.to_string(),
            expiry: *expiry,
        },
        Event::Balance {
            account,
            asset,
            balance,
        } => EventRow::Balance {
            account: account.to_string(),
            asset: catalog.asset(*asset).to_owned(),
            balance: balance.to_string(),
            balance_decimal: catalog.amount(*asset, *balance),
        },
        Event::Position {
            account,
            market,
            size,
            cost,
        } => EventRow::Position {
            account: account.to_string(),
            market: catalog.symbol(*market).to_owned(),
            size: *size,
            size_decimal: catalog.size(*market, *size),
            cost: cost.to_string(),
            cost_decimal: catalog.cash(*cost),
        },
        Event::Book {
            market,
            levels,
            checksum,
        } => EventRow::Book {
            market: catalog.symbol(*market).to_owned(),
            levels: self::levels(levels),
            checksum: *checksum,
        },
    }
}

/// A block with everything it did.
#[derive(Serialize)]
pub(crate) struct Block {
    height: u64,
    time: TimeMs,
    app_hash: String,
    txs: Vec<Vec<TxRow>>,
    events: Vec<EventRow>,
}

/// What a block did, for everybody; `before` is the state before it, when it is still known.
pub(crate) fn block(catalog: &Catalog, committed: &Committed, before: Option<&Committed>) -> Block {
    let Committed {
        events: block,
        view,
    } = committed;
    let tx = |result| json::tx_row(catalog, block.height, block.time, result);
    let hides = |order| hides(committed, before, order);
    Block {
        height: block.height,
        time: block.time,
        app_hash: hex::encode(view.app_hash()),
        txs: block
            .txs
            .iter()
            .map(|txs| txs.iter().map(tx).collect())
            .collect(),
        events: block
            .events
            .iter()
            .filter_map(|event| public(catalog, hides, event))
            .collect(),
    }
}

/// Whether an order has, or had in this block, lots that the book does not show.
fn hides(committed: &Committed, before: Option<&Committed>, order: OrderId) -> bool {
    let before = before.and_then(|before| before.view.order(order));
    let waited = |view: &OrderView| view.waiting.is_some();
    if before.as_ref().is_some_and(waited) {
        return true;
    }
    let view = committed.view.order(order).or(before);
    let entered = |event: &Event| match event {
        Event::Rested {
            order: of,
            size,
            shown,
            ..
        } if *of == order => Some(size != shown),
        _ => None,
    };
    match view {
        Some(view) => view.display.is_some() || view.waiting.is_some(),
        // It came and went within the block.
        None => committed.events.events.iter().find_map(entered) != Some(false),
    }
}

/// An event without what the book does not show: orders that wait, hidden lots, and protections.
fn public(catalog: &Catalog, hides: impl Fn(OrderId) -> bool, event: &Event) -> Option<EventRow> {
    let mut row = self::event(catalog, event);
    match (&mut row, event) {
        (
            EventRow::Waiting { .. }
            | EventRow::Triggered { .. }
            | EventRow::Sliced { .. }
            | EventRow::Protected { .. }
            | EventRow::Refreshed { .. },
            _,
        ) => {
            return None;
        }
        (
            EventRow::Rested {
                size,
                size_decimal,
                shown,
                shown_decimal,
                ..
            },
            _,
        ) => {
            *size = *shown;
            size_decimal.clone_from(shown_decimal);
        }
        (
            EventRow::Reduced {
                size, size_decimal, ..
            },
            Event::Reduced { order, .. },
        ) if hides(*order) => {
            *size = None;
            *size_decimal = None;
        }
        (
            EventRow::Removed {
                size, size_decimal, ..
            },
            _,
        ) => {
            *size = None;
            *size_decimal = None;
        }
        _ => {}
    }
    Some(row)
}
