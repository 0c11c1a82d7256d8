//! Shapes of what happened in a block.

use crate::catalog::Catalog;
use crate::json::{self, TxRow};
use ballast_types::{Account, BlockEvents, Event, Lots, Side, Ticks, TimeMs};
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
    Rested {
        market: String,
        order: String,
        account: String,
        side: &'static str,
        price: Ticks,
        price_decimal: String,
        size: Lots,
        size_decimal: String,
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
        size: Lots,
        size_decimal: String,
        reason: &'static str,
    },
    Removed {
        market: String,
        order: String,
        account: String,
        size: Lots,
        size_decimal: String,
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
        Event::Rested {
            market,
            order,
            account,
            side,
            price,
            size,
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
            size: *size,
            size_decimal: catalog.size(*market, *size),
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
            size: *size,
            size_decimal: catalog.size(*market, *size),
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

pub(crate) fn block(catalog: &Catalog, app_hash: [u8; 32], block: &BlockEvents) -> Block {
    let tx = |result| json::tx_row(block.height, block.time, result);
    Block {
        height: block.height,
        time: block.time,
        app_hash: hex::encode(app_hash),
        txs: block
            .txs
            .iter()
            .map(|txs| txs.iter().map(tx).collect())
            .collect(),
        events: block.events.iter().map(|row| event(catalog, row)).collect(),
    }
}

/// A fill as one of its two accounts sees it.
#[derive(Serialize)]
pub(crate) struct OwnFill {
    #[serde(rename = "type")]
    kind: &'static str,
    market: String,
    trade: u64,
    order: String,
    role: &'static str,
    side: &'static str,
    price: Ticks,
    price_decimal: String,
    size: Lots,
    size_decimal: String,
    fee: String,
    fee_decimal: String,
}

/// What an account sees of an event.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum OwnEvent {
    Fill(OwnFill),
    Other(EventRow),
}

/// The accounts that an event concerns.
pub(crate) fn owners(event: &Event) -> [Option<Account>; 2] {
    match event {
        Event::Fill {
            maker_account,
            taker_account,
            ..
        } => [Some(*maker_account), Some(*taker_account)],
        Event::Transferred { from, to, .. } => [Some(*from), Some(*to)],
        Event::Rested { account, .. }
        | Event::Reduced { account, .. }
        | Event::Removed { account, .. }
        | Event::Agent { account, .. }
        | Event::Balance { account, .. }
        | Event::Position { account, .. } => [Some(*account), None],
        Event::Mark { .. } | Event::Book { .. } => [None, None],
    }
}

/// What the `at`-th of the event's [`owners`] sees of it.
pub(crate) fn own(catalog: &Catalog, event: &Event, at: usize) -> OwnEvent {
    let Event::Fill {
        market,
        trade,
        maker,
        taker,
        taker_side,
        price,
        size,
        maker_fee,
        taker_fee,
        ..
    } = event
    else {
        return OwnEvent::Other(self::event(catalog, event));
    };
    let (role, order, at, fee) = match at {
        0 => ("maker", maker, taker_side.opposite(), maker_fee),
        _ => ("taker", taker, *taker_side, taker_fee),
    };
    OwnEvent::Fill(OwnFill {
        kind: "fill",
        market: catalog.symbol(*market).to_owned(),
        trade: *trade,
        order: order.to_string(),
        role,
        side: json::side(at),
        price: *price,
        price_decimal: catalog.price(*market, *price),
        size: *size,
        size_decimal: catalog.size(*market, *size),
        fee: fee.to_string(),
        fee_decimal: catalog.cash(*fee),
    })
}
