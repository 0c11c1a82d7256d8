//! Clients: HTTP, and a WebSocket that rebuilds books.

use ballast_gateway::Gateway;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Nothing that is awaited takes this long.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Ws(pub WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Ws {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self(connect_async(format!("ws://{addr}/v1/ws")).await.unwrap().0)
    }

    pub async fn send(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// The next message; `Err` holds the reason when the server has closed the connection.
    pub async fn try_recv(&mut self) -> Result<Value, String> {
        loop {
            match tokio::time::timeout(PATIENCE, self.0.next())
                .await
                .expect("no message")
            {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(String::new(), |frame| frame.reason.to_string()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err(String::new()),
            }
        }
    }

    pub async fn recv(&mut self) -> Value {
        self.try_recv().await.unwrap()
    }

    pub async fn call(&mut self, message: Value) -> Value {
        self.send(message).await;
        self.recv().await
    }

    pub async fn subscribe(&mut self, channel: &str, market: &str) -> Value {
        let ack = self
            .call(json!({"op": "subscribe", "channel": channel, "market": market, "id": channel}))
            .await;
        assert_eq!(
            (&ack["type"], &ack["id"]),
            (&json!("subscribed"), &json!(channel)),
            "{ack}"
        );
        ack
    }
}

/// A book as a client keeps it.
#[derive(Debug, Default)]
pub struct ClientBook {
    pub seq: u64,
    pub height: u64,
    pub bids: BTreeMap<i64, i64>,
    pub asks: BTreeMap<i64, i64>,
}

impl ClientBook {
    /// Takes a message of the book channel; panics at a gap or a wrong checksum.
    pub fn take(&mut self, message: &Value) {
        let seq = message["seq"].as_u64().unwrap();
        let number = |value: &Value| value.as_i64().unwrap();
        if message["type"] == "snapshot" {
            let levels = |side: &str| {
                let levels = message[side].as_array().unwrap().iter();
                levels
                    .map(|level| (number(&level[0]), number(&level[1])))
                    .collect()
            };
            (self.bids, self.asks) = (levels("bids"), levels("asks"));
        } else {
            assert_eq!(seq, self.seq + 1, "gap before {message}");
            for level in message["levels"].as_array().unwrap() {
                let bid = level[0] == "buy";
                let side = if bid { &mut self.bids } else { &mut self.asks };
                side.insert(number(&level[1]), number(&level[2]));
                side.retain(|_, size| *size > 0);
            }
        }
        self.seq = seq;
        self.height = message["height"].as_u64().unwrap();
        assert_eq!(
            u64::from(self.checksum()),
            message["checksum"].as_u64().unwrap(),
            "{message}"
        );
    }

    fn checksum(&self) -> u32 {
        let mut bytes = Vec::new();
        for (price, size) in self
            .bids
            .iter()
            .rev()
            .take(25)
            .chain(self.asks.iter().take(25))
        {
            bytes.extend(price.to_le_bytes());
            bytes.extend(size.to_le_bytes());
        }
        crc32fast::hash(&bytes)
    }

    /// Requires the book of a query's answer.
    pub fn assert_is(&self, answer: &Value) {
        let levels = |side: &str| -> Vec<(i64, i64)> {
            let levels = answer[side].as_array().unwrap().iter();
            levels
                .map(|level| {
                    (
                        level["price"].as_i64().unwrap(),
                        level["size"].as_i64().unwrap(),
                    )
                })
                .collect()
        };
        let bids: Vec<_> = self
            .bids
            .iter()
            .rev()
            .map(|(price, size)| (*price, *size))
            .collect();
        let asks: Vec<_> = self
            .asks
            .iter()
            .map(|(price, size)| (*price, *size))
            .collect();
        assert_eq!((bids, asks), (levels("bids"), levels("asks")));
    }
}

/// Status and body of `GET path`.
pub async fn get(gateway: &Gateway, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("http://{}{path}", gateway.http_addr()))
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Status and body of `POST path`.
pub async fn post(gateway: &Gateway, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("http://{}{path}", gateway.http_addr()));
    let answer = request
        .header("content-type", kind)
        .body(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Waits until queries serve this height.
pub async fn reach(gateway: &Gateway, height: u64) {
    eventually(async || get(gateway, "/health").await.1["height"] == height).await;
}

/// Waits until something holds.
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("did not come about");
}
