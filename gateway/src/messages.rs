//! Messages of the public channels.

use crate::events::LevelRow;
use crate::markets::{Market, Surface};
use crate::{Committed, json};
use ballast_types::{ActionResult, Event, Lots, Ticks, TimeMs};
use serde::Serialize;
use serde_json::Value;

/// A message of a channel.
#[derive(Serialize)]
pub(crate) struct Message<'a, T> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub channel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    pub seq: u64,
    pub height: u64,
    pub time: TimeMs,
    #[serde(flatten)]
    pub body: T,
}

/// Answer to a request about a subscription.
#[derive(Serialize)]
pub(crate) struct Ack<'a> {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub id: Value,
    pub channel: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

#[derive(Serialize)]
pub(crate) struct BookSnapshot<'a> {
    pub tick: &'a str,
    pub lot: &'a str,
    pub bids: Vec<(Ticks, Lots)>,
    pub asks: Vec<(Ticks, Lots)>,
    pub checksum: u32,
}

#[derive(Serialize)]
pub(crate) struct BookUpdate {
    pub levels: Vec<LevelRow>,
    pub checksum: u32,
}

#[derive(Serialize)]
pub(crate) struct BboBody {
    pub bid: Option<json::BookLevel>,
    pub ask: Option<json::BookLevel>,
}

#[derive(Serialize)]
pub(crate) struct TradesBody<'a> {
    pub trades: &'a [json::Trade],
}

/// What is new of a group.
#[derive(Default, Serialize)]
pub(crate) struct GroupBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Market>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<SettledRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surface: Option<Surface>,
}

#[derive(Serialize)]
pub(crate) struct SettledRow {
    pub market: String,
    pub price: Ticks,
    pub price_decimal: String,
}

#[derive(Serialize)]
pub(crate) struct BlockBody {
    pub app_hash: String,
    pub txs: usize,
    pub orders: usize,
    pub fills: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<(String, u16)>>,
}

impl BlockBody {
    pub(crate) fn new(committed: &Committed, hashes: bool) -> Self {
        let block = &committed.events;
        let txs = || block.txs.iter().flatten();
        let placed = |action: &ActionResult| {
            let parts = action.parts.iter().filter(|part| part.order.is_some());
            usize::from(action.order.is_some()) + parts.count()
        };
        let orders = txs().flat_map(|tx| &tx.actions).map(placed);
        let fills = block
            .events
            .iter()
            .filter(|event| matches!(event, Event::Fill { .. }));
        let results = || {
            txs()
                .map(|tx| (hex::encode(tx.hash), tx.code.number()))
                .collect()
        };
        Self {
            app_hash: hex::encode(committed.view.app_hash()),
            txs: txs().count(),
            orders: orders.sum(),
            fills: fills.count(),
            results: hashes.then(results),
        }
    }
}
