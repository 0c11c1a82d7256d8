//! WebSocket connections: requests in, messages out.

use crate::Shared;
use crate::accounts;
use crate::auth::{self, public_key};
use crate::client::Client;
use crate::error::ApiError;
use crate::feed::{Command, Target};
use crate::http::decode_tx;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ballast_types::{Account, AccountId, KeyId};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// Largest message from a client, in bytes.
const MAX_MESSAGE: usize = 64 << 10;
/// Buffers of a connection, in bytes.
const READ_BUFFER: usize = 8 << 10;
const WRITE_BUFFER: usize = 16 << 10;
/// Masters that one connection may prove keys for.
const MAX_GRANTS: usize = 1_000;
/// How long the close frame may take.
const CLOSE: Duration = Duration::from_secs(5);

/// Close codes of RFC 6455.
const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const POLICY: u16 = 1008;

/// Why the server ends a connection; `None` when the client did.
type Close = Option<(u16, String)>;

/// One of the `max_clients`.
struct Slot(Arc<Shared>);

impl Slot {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let max = shared.config.max_clients;
        let take = |clients| (clients < max).then_some(clients + 1);
        shared
            .clients
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
            .then(|| Self(shared.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Serialize)]
struct ErrorMessage<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Value::is_null")]
    id: &'a Value,
    error: &'a ApiError,
}

/// Tells a client why its request was refused.
pub(crate) fn send_error(client: &Client, id: &Value, error: &ApiError) {
    client.send(&ErrorMessage {
        kind: "error",
        id,
        error,
    });
}

/// `GET /v1/ws`.
pub(crate) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let Some(slot) = Slot::take(&shared) else {
        let max = shared.config.max_clients;
        let message = "too many WebSocket clients; try again later";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return ApiError::new(status, "CLIENT_LIMIT", "clients", max, message).into_response();
    };
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| async move { run(&slot.0, socket).await })
}

async fn run(shared: &Arc<Shared>, socket: WebSocket) {
    let (mut sink, stream) = socket.split();
    let id = shared.next_client.fetch_add(1, Ordering::Relaxed);
    let (client, messages) = Client::new(id, shared.config.queue_bytes);
    let client = Arc::new(client);
    let session = Session {
        shared: shared.clone(),
        client: client.clone(),
        challenge: None,
        grants: BTreeMap::new(),
    };
    let close = tokio::select! {
        biased;
        () = shared.stopped() => Some((GOING_AWAY, "the gateway stops".to_owned())),
        () = client.overflow.notified() => {
            shared.counters.slow_clients.fetch_add(1, Ordering::Relaxed);
            let limit = shared.config.queue_bytes;
            Some((POLICY, format!("SLOW_CLIENT: more than {limit} bytes behind")))
        }
        close = write(&mut sink, messages, &client, shared.config.client_timeout / 3) => close,
        close = session.read(stream) => close,
    };
    // Fails only once the feed has stopped.
    let _ = shared.commands.send(Command::Gone(id)).await;
    if let Some((code, reason)) = close {
        tracing::debug!(client = id, code, reason, "closing a connection");
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        let _ = tokio::time::timeout(CLOSE, sink.send(Message::Close(Some(frame)))).await;
    }
}

/// Sends what is queued, in as few writes as possible, and pings.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    mut messages: mpsc::UnboundedReceiver<Utf8Bytes>,
    client: &Client,
    ping_every: Duration,
) -> Close {
    let mut ping = tokio::time::interval(ping_every);
    loop {
        let mut next = tokio::select! {
            message = messages.recv() => message,
            _ = ping.tick() => {
                sink.send(Message::Ping(Bytes::new())).await.ok()?;
                continue;
            }
        };
        while let Some(message) = next {
            let len = message.len();
            sink.feed(Message::Text(message)).await.ok()?;
            client.sent(len);
            next = messages.try_recv().ok();
        }
        sink.flush().await.ok()?;
    }
}

/// What a connection has proved and asked.
struct Session {
    shared: Arc<Shared>,
    client: Arc<Client>,
    /// Handed out and not used yet.
    challenge: Option<[u8; 32]>,
    /// Keys proved, by master.
    grants: BTreeMap<AccountId, KeyId>,
}

impl Session {
    async fn read(mut self, mut stream: SplitStream<WebSocket>) -> Close {
        let timeout = self.shared.config.client_timeout;
        loop {
            let Ok(message) = tokio::time::timeout(timeout, stream.next()).await else {
                self.shared
                    .counters
                    .dead_clients
                    .fetch_add(1, Ordering::Relaxed);
                return Some((POLICY, format!("DEAD_CLIENT: silent for {timeout:?}")));
            };
            match message {
                None | Some(Ok(Message::Close(_))) => return None,
                // The reason of a close frame has at most 123 bytes.
                Some(Err(error)) => {
                    let reason = error.to_string();
                    let reason = reason.chars().filter(char::is_ascii).take(100).collect();
                    return Some((PROTOCOL_ERROR, reason));
                }
                Some(Ok(Message::Text(text))) => self.request(&text).await,
                Some(Ok(Message::Binary(_))) => {
                    let error = ApiError::bad("message", "", "send text messages, not binary");
                    send_error(&self.client, &Value::Null, &error);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            }
        }
    }

    async fn request(&mut self, text: &str) {
        let mut fields = match serde_json::from_str(text) {
            Ok(map) => Fields(map),
            Err(error) => {
                let message = format!("a message is one JSON object: {error}");
                let error = ApiError::bad("message", text, message);
                return send_error(&self.client, &Value::Null, &error);
            }
        };
        let id = fields.0.remove("id").unwrap_or(Value::Null);
        if let Err(error) = self.dispatch(fields, &id).await {
            send_error(&self.client, &id, &error);
        }
    }

    async fn dispatch(&mut self, mut fields: Fields, id: &Value) -> Result<(), ApiError> {
        let op = fields.text("op")?;
        match op.as_str() {
            "subscribe" | "unsubscribe" => {
                let target = self.target(&mut fields)?;
                fields.done()?;
                let (client, id) = (self.client.clone(), id.clone());
                let command = match target {
                    _ if op == "unsubscribe" => Command::Unsubscribe { client, id, target },
                    Target::Account(account) => {
                        let key = self.grants.get(&account.master).copied();
                        let watch = accounts::read(&self.shared, account, key).await?;
                        Command::Watch {
                            client,
                            id,
                            account,
                            watch,
                        }
                    }
                    _ => Command::Subscribe { client, id, target },
                };
                // Fails only once the feed has stopped.
                let _ = self.shared.commands.send(command).await;
                return Ok(());
            }
            "ping" => {
                fields.done()?;
                self.reply(id, json!({"type": "pong"}));
            }
            "submit" => {
                let tx = decode_tx(&fields.text("tx")?)?;
                fields.done()?;
                let hash = self
                    .shared
                    .submit(tx.into())
                    .map_err(|error| ApiError::refused(&error));
                self.reply(id, json!({"type": "submitted", "hash": hex::encode(hash?)}));
            }
            "challenge" => {
                fields.done()?;
                let mut challenge = [0; 32];
                getrandom::fill(&mut challenge).map_err(|error| {
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    ApiError::new(status, "NO_RANDOMNESS", "op", &op, error.to_string())
                })?;
                self.challenge = Some(challenge);
                let challenge = hex::encode(challenge);
                self.reply(id, json!({"type": "challenge", "challenge": challenge}));
            }
            "auth" => self.authenticate(fields, id).await?,
            _ => {
                let ops = "subscribe, unsubscribe, ping, submit, challenge or auth";
                return Err(ApiError::bad("op", op, format!("op is {ops}")));
            }
        }
        Ok(())
    }

    /// Which channel a request names.
    fn target(&self, fields: &mut Fields) -> Result<Target, ApiError> {
        let channel = fields.text("channel")?;
        let by_market = match channel.as_str() {
            "trades" => Target::Trades,
            "book" => Target::Book,
            "bbo" => Target::Bbo,
            "market" => Target::Market,
            "blocks" => {
                return Ok(Target::Blocks {
                    hashes: fields.flag("hashes")?,
                });
            }
            "account" => return fields.account().map(Target::Account),
            "group" => {
                let group = fields.text("group")?;
                let found = self.shared.catalog().find_group(&group);
                let found = found.ok_or_else(|| ApiError::unknown_group(group));
                return found.map(Target::Group);
            }
            _ => {
                let channels = "trades, book, bbo, market, group, blocks or account";
                return Err(ApiError::bad(
                    "channel",
                    channel,
                    format!("channel is {channels}"),
                ));
            }
        };
        let market = fields.text("market")?;
        self.shared
            .catalog()
            .find(&market)
            .map(by_market)
            .ok_or_else(|| ApiError::unknown_market(market))
    }

    async fn authenticate(&mut self, mut fields: Fields, id: &Value) -> Result<(), ApiError> {
        let account = fields.account()?;
        let key = public_key(&fields.text("key_type")?, &fields.text("key")?)?;
        let signature = auth::bytes("signature", &fields.text("signature")?)?;
        fields.done()?;
        let challenge = self.challenge.take().ok_or_else(|| {
            let message = "ask for a challenge first; each serves once";
            ApiError::new(StatusCode::CONFLICT, "NO_CHALLENGE", "op", "auth", message)
        })?;
        let latest = self.shared.latest().ok_or_else(ApiError::not_ready)?;
        let master = account.master;
        let check = move |shared: &Shared| {
            auth::check(
                &latest,
                &shared.catalog().chain,
                &challenge,
                master,
                &key,
                &signature,
            )
        };
        let key = self.shared.read(check).await?;
        if self.grants.len() >= MAX_GRANTS && !self.grants.contains_key(&master) {
            let message = format!("a connection proves keys for at most {MAX_GRANTS} accounts");
            let status = StatusCode::CONFLICT;
            return Err(ApiError::new(
                status,
                "AUTH_LIMIT",
                "account",
                account,
                message,
            ));
        }
        self.grants.insert(master, key);
        self.reply(
            id,
            json!({"type": "authenticated", "account": account.to_string()}),
        );
        Ok(())
    }

    fn reply(&self, id: &Value, mut message: Value) {
        if let (Some(map), false) = (message.as_object_mut(), id.is_null()) {
            map.insert("id".to_owned(), id.clone());
        }
        self.client.send(&message);
    }
}

/// Fields of a request that nobody has read yet.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str) -> Result<String, ApiError> {
        match self.0.remove(name) {
            None => Err(ApiError::missing(name)),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(ApiError::bad(name, other, format!("{name} is a string"))),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.0.remove(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(ApiError::bad(
                name,
                other,
                format!("{name} is true or false"),
            )),
        }
    }

    fn account(&mut self) -> Result<Account, ApiError> {
        let text = self.text("account")?;
        text.parse::<Account>()
            .map_err(|error| ApiError::bad("account", &text, error.to_string()))
    }

    /// Refuses what is left.
    fn done(self) -> Result<(), ApiError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, value)) => Err(ApiError::unknown_field(&name, value)),
        }
    }
}
