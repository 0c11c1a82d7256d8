//! A WebSocket client that rebuilds a book.

use std::collections::BTreeMap;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::PATIENCE;

pub struct Ws(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Ws {
    pub async fn connect(url: &str) -> Self {
        Self(connect_async(url).await.expect("connects").0)
    }

    pub async fn send(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .expect("sends");
    }

    pub async fn receive(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("a message");
            match next {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("the connection ended: {other:?}"),
            }
        }
    }

    pub async fn subscribe(&mut self, channel: &str, market: &str) {
        self.send(json!({"op": "subscribe", "channel": channel, "market": market}))
            .await;
        let answer = self.receive().await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
    }
}

/// Bids, then asks: (price, size), best first.
pub type Levels = (Vec<(i64, i64)>, Vec<(i64, i64)>);

/// A book as a client keeps it: price to size, in ticks and lots.
#[derive(Debug, Default)]
pub struct Book {
    pub height: u64,
    seq: u64,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Book {
    /// Takes a message of the book channel; panics at a gap.
    pub fn take(&mut self, message: &Value) {
        let number = |value: &Value| value.as_i64().expect("a number");
        let seq = message["seq"].as_u64().expect("seq");
        if message["type"] == "snapshot" {
            let levels = |side: &str| {
                let levels = message[side].as_array().expect("levels").iter();
                levels
                    .map(|level| (number(&level[0]), number(&level[1])))
                    .collect()
            };
            (self.bids, self.asks) = (levels("bids"), levels("asks"));
        } else {
            assert_eq!(seq, self.seq + 1, "a gap before {message}");
            for level in message["levels"].as_array().expect("levels") {
                let side = if level[0] == "buy" {
                    &mut self.bids
                } else {
                    &mut self.asks
                };
                side.insert(number(&level[1]), number(&level[2]));
                side.retain(|_, size| *size > 0);
            }
        }
        self.seq = seq;
        self.height = message["height"].as_u64().expect("height");
    }

    /// The book, to compare with a query's.
    pub fn levels(&self) -> Levels {
        let pair = |(price, size): (&i64, &i64)| (*price, *size);
        (
            self.bids.iter().rev().map(pair).collect(),
            self.asks.iter().map(pair).collect(),
        )
    }
}

/// The levels of a book query's answer, best first.
pub fn queried(answer: &Value) -> Levels {
    let side = |name: &str| {
        let levels = answer[name].as_array().expect("levels").iter();
        let number = |level: &Value, field: &str| level[field].as_i64().expect("a number");
        levels
            .map(|level| (number(level, "price"), number(level, "size")))
            .collect()
    };
    (side("bids"), side("asks"))
}
