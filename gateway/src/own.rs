//! Events as the accounts that they concern see them.

use crate::catalog::Catalog;
use crate::events::{self, EventRow};
use crate::json;
use ballast_types::{Account, Event, Lots, Ticks};
use serde::Serialize;

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
        | Event::Waiting { account, .. }
        | Event::Triggered { account, .. }
        | Event::Sliced { account, .. }
        | Event::Moved { account, .. }
        | Event::Protected { account, .. }
        | Event::Refreshed { account, .. }
        | Event::Reduced { account, .. }
        | Event::Removed { account, .. }
        | Event::Agent { account, .. }
        | Event::Balance { account, .. }
        | Event::Position { account, .. } => [Some(*account), None],
        Event::Mark { .. }
        | Event::Index { .. }
        | Event::Status { .. }
        | Event::Surface { .. }
        | Event::Listed { .. }
        | Event::Settled { .. }
        | Event::Auction { .. }
        | Event::Book { .. } => [None, None],
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
        return OwnEvent::Other(events::event(catalog, event));
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
