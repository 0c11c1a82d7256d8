//! The account channel: who watches which account, and by what right.

use crate::auth::{Grant, grant};
use crate::client::{Client, text};
use crate::error::ApiError;
use crate::events::{EventRow, OwnEvent, own, owners};
use crate::messages::Message;
use crate::{Shared, View, json};
use axum::extract::ws::Utf8Bytes;
use axum::http::StatusCode;
use ballast_types::{Account, AccountId, BlockEvents, Event, KeyId, TimeMs};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What one account saw of a block.
#[derive(Default, Serialize)]
struct Update {
    account: String,
    events: Vec<OwnEvent>,
    balances: Vec<OwnEvent>,
    positions: Vec<OwnEvent>,
}

/// Sent when an agent's right has ended.
#[derive(Serialize)]
struct Lapsed<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    channel: &'static str,
    account: String,
    error: &'a ApiError,
}

struct Watcher {
    client: Arc<Client>,
    key: KeyId,
    grant: Grant,
}

#[derive(Default)]
struct Topic {
    seq: u64,
    watchers: BTreeMap<u64, Watcher>,
}

/// Accounts that somebody watches.
#[derive(Default)]
pub(crate) struct Accounts(BTreeMap<Account, Topic>);

impl Accounts {
    /// Adds a watcher and returns the snapshot to send to it.
    pub(crate) fn subscribe(
        &mut self,
        shared: &Shared,
        client: &Arc<Client>,
        account: Account,
        key: Option<KeyId>,
        view: &dyn View,
    ) -> Result<Utf8Bytes, ApiError> {
        let allowed = key.and_then(|key| Some((key, grant(view, account.master, key)?)));
        let (key, grant) = allowed.ok_or_else(|| not_allowed(account))?;
        let state = view
            .account(&account)
            .ok_or_else(|| ApiError::unknown_account(account))?;
        let topic = self.0.entry(account).or_default();
        topic.watchers.insert(
            client.id,
            Watcher {
                client: client.clone(),
                key,
                grant,
            },
        );
        let chain = view.chain();
        Ok(message(
            "snapshot",
            topic.seq,
            (chain.height, chain.time),
            json::account(&shared.catalog, &state),
        ))
    }

    /// Removes a watcher.
    pub(crate) fn remove(&mut self, client: u64, account: Account) {
        if let Some(topic) = self.0.get_mut(&account) {
            topic.watchers.remove(&client);
            if topic.watchers.is_empty() {
                self.0.remove(&account);
            }
        }
    }

    /// Sends what a block did to each watched account. Returns who lost the right to watch.
    pub(crate) fn block(&mut self, shared: &Shared, block: &BlockEvents) -> Vec<(u64, Account)> {
        let mut updates: BTreeMap<Account, Update> = BTreeMap::new();
        if self.0.is_empty() {
            return Vec::new();
        }
        for event in &block.events {
            if let Event::Agent {
                account,
                key,
                expiry,
            } = event
            {
                self.regrant(account.master, *key, *expiry);
            }
            for (at, account) in owners(event).into_iter().enumerate() {
                let Some(account) = account.filter(|account| self.0.contains_key(account)) else {
                    continue;
                };
                let update = updates.entry(account).or_default();
                let event = own(&shared.catalog, event, at);
                match event {
                    OwnEvent::Other(EventRow::Balance { .. }) => update.balances.push(event),
                    OwnEvent::Other(EventRow::Position { .. }) => update.positions.push(event),
                    _ => update.events.push(event),
                }
            }
        }
        let mut lapsed = Vec::new();
        for (account, mut update) in updates {
            let Some(topic) = self.0.get_mut(&account) else {
                continue;
            };
            lapsed.extend(topic.lapse(account, block.time));
            topic.seq += 1;
            update.account = account.to_string();
            let message = message("update", topic.seq, (block.height, block.time), update);
            for watcher in topic.watchers.values() {
                watcher.client.push(message.clone());
                shared.counters.messages.fetch_add(1, Ordering::Relaxed);
            }
            if topic.watchers.is_empty() {
                self.0.remove(&account);
            }
        }
        lapsed
    }

    /// An agent's expiry has changed; 0 when it was removed.
    fn regrant(&mut self, master: AccountId, key: KeyId, expiry: TimeMs) {
        let accounts = Account::new(master, 0)..=Account::new(master, u16::MAX);
        for (_, topic) in self.0.range_mut(accounts) {
            for watcher in topic.watchers.values_mut() {
                if watcher.key == key && watcher.grant != Grant::Owner {
                    watcher.grant = Grant::Agent(expiry);
                }
            }
        }
    }
}

impl Topic {
    /// Drops the watchers whose right has ended.
    fn lapse(&mut self, account: Account, time: TimeMs) -> Vec<(u64, Account)> {
        let ended = self
            .watchers
            .extract_if(.., |_, watcher| !watcher.grant.holds(time));
        ended
            .map(|(id, watcher)| {
                watcher.client.send(&Lapsed {
                    kind: "unsubscribed",
                    channel: "account",
                    account: account.to_string(),
                    error: &not_allowed(account),
                });
                (id, account)
            })
            .collect()
    }
}

fn message(
    kind: &'static str,
    seq: u64,
    (height, time): (u64, TimeMs),
    body: impl Serialize,
) -> Utf8Bytes {
    text(&Message {
        kind,
        channel: "account",
        market: None,
        seq,
        height,
        time,
        body,
    })
}

fn not_allowed(account: Account) -> ApiError {
    let message = "authenticate with the account's owner or a live agent of it";
    ApiError::new(
        StatusCode::FORBIDDEN,
        "NOT_AUTHENTICATED",
        "account",
        account,
        message,
    )
}
