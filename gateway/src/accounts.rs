//! The account channel: who watches which account, and by what right.

use crate::auth::{Grant, grant};
use crate::client::{Client, text};
use crate::error::ApiError;
use crate::events::EventRow;
use crate::messages::Message;
use crate::orders::Sight;
use crate::own::{OwnEvent, own, owners};
use crate::{Committed, Shared, json};
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
    height: u64,
    time: TimeMs,
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

/// An account as it was read for somebody who may watch it.
pub(crate) struct Watch {
    key: KeyId,
    grant: Grant,
    height: u64,
    time: TimeMs,
    state: json::Account,
}

struct Watcher {
    client: Arc<Client>,
    key: KeyId,
    grant: Grant,
    seq: u64,
}

/// By account, those who watch it, by client.
#[derive(Default)]
pub(crate) struct Accounts(BTreeMap<Account, BTreeMap<u64, Watcher>>);

/// Reads an account for a client that has proved `key`. Reading can take long, so it happens
/// before the feed is asked, which makes up for the blocks between.
pub(crate) async fn read(
    shared: &Arc<Shared>,
    account: Account,
    key: Option<KeyId>,
) -> Result<Box<Watch>, ApiError> {
    let key = key.ok_or_else(|| not_allowed(account))?;
    let latest = shared.latest().ok_or_else(ApiError::not_ready)?;
    let query = move |shared: &Shared| {
        let Committed {
            events: block,
            view,
        } = &*latest;
        let grant = grant(&**view, account.master, key, block.time);
        let grant = grant.ok_or_else(|| not_allowed(account))?;
        let state = view.account(&account);
        let state = state.ok_or_else(|| ApiError::unknown_account(account))?;
        let state = json::account(&shared.catalog(), &state, Sight::Own);
        Ok(Box::new(Watch {
            key,
            grant,
            height: block.height,
            time: block.time,
            state,
        }))
    };
    shared.read(query).await
}

impl Accounts {
    /// Adds a watcher. Returns what to send to it: what was read, then what the blocks since did.
    pub(crate) fn subscribe(
        &mut self,
        shared: &Shared,
        client: &Arc<Client>,
        account: Account,
        watch: Box<Watch>,
        latest: &BlockEvents,
    ) -> Result<Vec<Utf8Bytes>, ApiError> {
        let history = shared.history.read();
        let since = |block: &&Arc<Committed>| block.events.height > watch.height;
        let missed: Vec<_> = history.iter().filter(since).cloned().collect();
        drop(history);
        let next = missed
            .first()
            .map_or(latest.height, |block| block.events.height - 1);
        if next != watch.height {
            return Err(ApiError::not_ready());
        }
        let Watch {
            key,
            grant,
            height,
            time,
            state,
        } = *watch;
        let mut watcher = Watcher {
            client: client.clone(),
            key,
            grant,
            seq: 0,
        };
        for block in &missed {
            for event in &block.events.events {
                if let Event::Agent {
                    account: of,
                    key,
                    expiry,
                } = event
                    && of.master == account.master
                {
                    watcher.regrant(*key, *expiry);
                }
            }
        }
        if !watcher.grant.holds(latest.time) {
            return Err(not_allowed(account));
        }
        let (kind, channel) = ("snapshot", "account");
        let snapshot = Message {
            kind,
            channel,
            market: None,
            group: None,
            seq: 0,
            height,
            time,
            body: state,
        };
        let mut messages = vec![text(&snapshot)];
        for block in &missed {
            for update in updates(shared, &block.events, |of| *of == account).into_values() {
                messages.push(watcher.next(&text(&update)));
            }
        }
        self.0
            .entry(account)
            .or_default()
            .insert(client.id, watcher);
        Ok(messages)
    }

    /// Removes a watcher.
    pub(crate) fn remove(&mut self, client: u64, account: Account) {
        if let Some(watchers) = self.0.get_mut(&account) {
            watchers.remove(&client);
            if watchers.is_empty() {
                self.0.remove(&account);
            }
        }
    }

    /// Sends what a block did to each watched account. Returns who lost the right to watch.
    pub(crate) fn block(&mut self, shared: &Shared, block: &BlockEvents) -> Vec<(u64, Account)> {
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
        }
        let mut lapsed = Vec::new();
        for (account, update) in updates(shared, block, |account| self.0.contains_key(account)) {
            let Some(watchers) = self.0.get_mut(&account) else {
                continue;
            };
            let ended = watchers.extract_if(.., |_, watcher| !watcher.grant.holds(block.time));
            for (id, watcher) in ended {
                let error = &not_allowed(account);
                let (kind, channel) = ("unsubscribed", "account");
                let lapse = Lapsed {
                    kind,
                    channel,
                    account: account.to_string(),
                    error,
                };
                watcher.client.send(&lapse);
                lapsed.push((id, account));
            }
            let update = text(&update);
            for watcher in watchers.values_mut() {
                let message = watcher.next(&update);
                watcher.client.push(message);
                shared.counters.messages.fetch_add(1, Ordering::Relaxed);
            }
            if watchers.is_empty() {
                self.0.remove(&account);
            }
        }
        lapsed
    }

    /// An agent's expiry has changed; 0 when it was removed.
    fn regrant(&mut self, master: AccountId, key: KeyId, expiry: TimeMs) {
        let accounts = Account::new(master, 0)..=Account::new(master, u16::MAX);
        for (_, watchers) in self.0.range_mut(accounts) {
            for watcher in watchers.values_mut() {
                watcher.regrant(key, expiry);
            }
        }
    }
}

impl Watcher {
    fn regrant(&mut self, key: KeyId, expiry: TimeMs) {
        if self.key == key && self.grant != Grant::Owner {
            self.grant = Grant::Agent(expiry);
        }
    }

    /// An update that was serialised for all watchers, under this watcher's next number.
    fn next(&mut self, update: &str) -> Utf8Bytes {
        self.seq += 1;
        let fields = update.strip_prefix('{').unwrap_or_default();
        let head = format!(
            r#"{{"type":"update","channel":"account","seq":{},"#,
            self.seq
        );
        (head + fields).into()
    }
}

/// What a block did to each of the accounts wanted.
fn updates(
    shared: &Shared,
    block: &BlockEvents,
    wanted: impl Fn(&Account) -> bool,
) -> BTreeMap<Account, Update> {
    let catalog = shared.catalog();
    let mut updates: BTreeMap<Account, Update> = BTreeMap::new();
    for event in &block.events {
        for (at, account) in owners(event).into_iter().enumerate() {
            let Some(account) = account.filter(&wanted) else {
                continue;
            };
            let update = updates.entry(account).or_insert_with(|| Update {
                height: block.height,
                time: block.time,
                account: account.to_string(),
                ..Update::default()
            });
            let event = own(&catalog, event, at);
            match event {
                OwnEvent::Other(EventRow::Balance { .. }) => update.balances.push(event),
                OwnEvent::Other(EventRow::Position { .. }) => update.positions.push(event),
                _ => update.events.push(event),
            }
        }
    }
    updates
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
