//! A client of a gateway: signs transactions, listens on the WebSocket, and rebuilds books.
//! HTTP is in [`crate::api`].

use std::collections::BTreeMap;

use ballast_types::{
    Account, AccountId, Action, Hash, Lots, Secret, Ticks, TxBody, TxHash, chain_hash, sign_native,
    tx_hash,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::actions::now_ms;

/// How long a transaction stays valid, ms.
const VALID: u64 = 60_000;
/// Levels of a side that a book's checksum covers.
const CHECKSUM_LEVELS: usize = 25;

/// Why there is no next message, or why it does not fit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, or it broke.
    #[error("{url}: {source}")]
    Socket {
        /// Of the gateway.
        url: String,
        /// What went wrong.
        source: Box<tungstenite::Error>,
    },
    /// The gateway closed the connection.
    #[error("{url}: closed: {reason}")]
    Closed {
        /// Of the gateway.
        url: String,
        /// As it says.
        reason: String,
    },
    /// The gateway refuses a request, or a message has another form than this version's.
    #[error("{url}: unexpected message: {message}")]
    Message {
        /// Of the gateway.
        url: String,
        /// What came.
        message: String,
    },
}

/// Signs with one key. Nonces are milliseconds of the clock, and grow.
pub struct Signer {
    secret: Secret,
    chain: Hash,
    last: u64,
}

/// A signed transaction.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Names it in results.
    pub hash: TxHash,
    /// As it is sent.
    pub bytes: Vec<u8>,
}

impl Signer {
    /// A signer for the chain.
    pub fn new(secret: Secret, chain_id: &str) -> Self {
        Self {
            secret,
            chain: chain_hash(chain_id),
            last: 0,
        }
    }

    /// The account that the key owns.
    pub fn master(&self) -> AccountId {
        self.secret.id()
    }

    /// The chain's digest.
    pub fn chain(&self) -> &Hash {
        &self.chain
    }

    /// Signs now.
    pub fn sign(&mut self, account: Account, actions: Vec<Action>) -> Signed {
        self.last = now_ms().max(self.last.saturating_add(1));
        self.sign_at(self.last, account, actions)
    }

    /// Signs with a nonce of the caller's choice.
    pub fn sign_at(&self, nonce: u64, account: Account, actions: Vec<Action>) -> Signed {
        let body = TxBody {
            chain: self.chain,
            account,
            key: self.secret.public(),
            nonce,
            expiry: now_ms().saturating_add(VALID),
            actions,
        };
        let bytes = sign_native(&body, &self.secret);
        Signed {
            hash: tx_hash(&bytes),
            bytes,
        }
    }
}

/// A WebSocket connection to a gateway.
pub struct Socket {
    url: String,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Connects to `url`, such as `ws://127.0.0.1:26603/v1/ws`.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let connected = connect_async(url).await;
        let (stream, _) = connected.map_err(|source| Error::Socket {
            url: url.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self {
            url: url.to_owned(),
            stream,
        })
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &Value) -> Result<(), Error> {
        let sent = self.stream.send(Message::text(request.to_string())).await;
        sent.map_err(|source| self.broken(source))
    }

    /// Subscribes to a channel, with the request's other fields in `fields`, and waits for the
    /// answer. Messages of other subscriptions that come before it are lost, so subscribe first.
    pub async fn subscribe(&mut self, channel: &str, mut fields: Value) -> Result<(), Error> {
        fields["op"] = json!("subscribe");
        fields["channel"] = json!(channel);
        fields["id"] = json!(channel);
        self.send(&fields).await?;
        loop {
            let answer = self.next().await?;
            if answer["id"] == channel {
                return match answer["type"] == "subscribed" {
                    true => Ok(()),
                    false => Err(self.unexpected(&answer.to_string())),
                };
            }
        }
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<Value, Error> {
        let text = self.next_text().await?;
        serde_json::from_str(&text).map_err(|_| self.unexpected(&text))
    }

    /// The next message, unread.
    pub async fn next_text(&mut self) -> Result<Utf8Bytes, Error> {
        loop {
            let closed = |reason: String| Error::Closed {
                url: self.url.clone(),
                reason,
            };
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => {
                    return Err(closed(
                        frame.map_or(String::new(), |f| f.reason.to_string()),
                    ));
                }
                Some(Ok(_)) => {}
                Some(Err(source)) => return Err(self.broken(source)),
                None => return Err(closed(String::new())),
            }
        }
    }

    fn broken(&self, source: tungstenite::Error) -> Error {
        Error::Socket {
            url: self.url.clone(),
            source: Box::new(source),
        }
    }

    fn unexpected(&self, message: &str) -> Error {
        let message = message.chars().take(500).collect();
        Error::Message {
            url: self.url.clone(),
            message,
        }
    }
}

/// A book rebuilt from the messages of the `book` channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveBook {
    /// Of the last message.
    pub seq: u64,
    /// Of the last message.
    pub height: u64,
    bids: BTreeMap<Ticks, Lots>,
    asks: BTreeMap<Ticks, Lots>,
}

impl LiveBook {
    /// Takes a message of the channel.
    ///
    /// # Errors
    /// At a gap in the sequence, a wrong checksum or another form; says which.
    pub fn take(&mut self, message: &Value) -> Result<(), String> {
        let bad = |what: &str| format!("book message {}: {what}", message["seq"]);
        let seq = message["seq"]
            .as_u64()
            .ok_or_else(|| bad("seq is no number"))?;
        if message["type"] == "snapshot" {
            let levels = |side: &str| -> Option<BTreeMap<Ticks, Lots>> {
                let levels = message[side].as_array()?.iter();
                levels
                    .map(|row| Some((row[0].as_i64()?, row[1].as_i64()?)))
                    .collect()
            };
            self.bids = levels("bids").ok_or_else(|| bad("bids are no levels"))?;
            self.asks = levels("asks").ok_or_else(|| bad("asks are no levels"))?;
        } else {
            if Some(seq) != self.seq.checked_add(1) {
                return Err(bad(&format!("follows {}", self.seq)));
            }
            let levels = message["levels"]
                .as_array()
                .ok_or_else(|| bad("levels are no list"))?;
            for row in levels {
                let side = match row[0].as_str() {
                    Some("buy") => &mut self.bids,
                    Some("sell") => &mut self.asks,
                    _ => return Err(bad("a side is neither buy nor sell")),
                };
                let (price, size) = (row[1].as_i64(), row[2].as_i64());
                let (price, size) = price.zip(size).ok_or_else(|| bad("a level is no level"))?;
                match size {
                    0 => side.remove(&price),
                    size => side.insert(price, size),
                };
            }
        }
        self.seq = seq;
        self.height = message["height"]
            .as_u64()
            .ok_or_else(|| bad("height is no number"))?;
        match message["checksum"].as_u64() == Some(self.checksum().into()) {
            true => Ok(()),
            false => Err(bad("has another checksum than the book")),
        }
    }

    /// Bids, best first.
    pub fn bids(&self) -> Vec<(Ticks, Lots)> {
        self.bids
            .iter()
            .rev()
            .map(|(price, size)| (*price, *size))
            .collect()
    }

    /// Asks, best first.
    pub fn asks(&self) -> Vec<(Ticks, Lots)> {
        self.asks
            .iter()
            .map(|(price, size)| (*price, *size))
            .collect()
    }

    /// CRC-32 over the best 25 bids, then 25 asks, as (i64 price, i64 size) little-endian.
    pub fn checksum(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        let bids = self.bids.iter().rev().take(CHECKSUM_LEVELS);
        for (price, size) in bids.chain(self.asks.iter().take(CHECKSUM_LEVELS)) {
            crc.update(&price.to_le_bytes());
            crc.update(&size.to_le_bytes());
        }
        crc.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_grow_and_the_signature_is_the_key_owners() {
        let mut signer = Signer::new(Secret::ed25519([1; 32]), "test");
        let account = Account::new(signer.master(), 1);
        let nonces: Vec<_> = (0..50)
            .map(|_| {
                let signed = signer.sign(account, Vec::new());
                assert_eq!(signed.hash, tx_hash(&signed.bytes));
                signer.last
            })
            .collect();
        assert!(nonces.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn books_follow_snapshot_and_updates_and_refuse_gaps() {
        let mut expected = LiveBook::default();
        expected.bids.insert(10, 5);
        let mut book = LiveBook::default();
        let snapshot = json!({"type": "snapshot", "seq": 4, "height": 7, "bids": [[10, 5]],
            "asks": [], "checksum": expected.checksum()});
        book.take(&snapshot).expect("fits");
        assert_eq!((book.bids(), book.asks()), (vec![(10, 5)], Vec::new()));

        expected.bids.clear();
        expected.asks.insert(11, 2);
        let update = |seq, checksum| {
            json!({"type": "update", "seq": seq, "height": 9, "checksum": checksum,
                "levels": [["buy", 10, 0], ["sell", 11, 2]]})
        };
        let sum = expected.checksum();
        assert_eq!(
            book.clone().take(&update(6, sum)),
            Err("book message 6: follows 4".into())
        );
        let wrong = book.clone().take(&update(5, 0));
        assert_eq!(
            wrong,
            Err("book message 5: has another checksum than the book".into())
        );
        book.take(&update(5, sum)).expect("fits");
        assert_eq!((book.asks(), book.seq, book.height), (vec![(11, 2)], 5, 9));
    }
}
