//! What connections ask of the feed.

use super::{Command, Feed, Target, is_option, surface};
use crate::accounts::Watch;
use crate::client::Client;
use crate::error::ApiError;
use crate::messages::{Ack, GroupBody};
use axum::extract::ws::Utf8Bytes;
use axum::http::StatusCode;
use ballast_types::{Account, BlockEvents, MarketId};
use serde_json::Value;
use std::sync::Arc;

impl Feed {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe { client, id, target } => {
                if let Err(error) = self.subscribe(&client, &id, target) {
                    crate::ws::send_error(&client, &id, &error);
                }
            }
            Command::Watch {
                client,
                id,
                account,
                watch,
            } => {
                if let Err(error) = self.watch(&client, &id, account, watch) {
                    crate::ws::send_error(&client, &id, &error);
                }
            }
            Command::Unsubscribe { client, id, target } => {
                let removed = match target {
                    Target::Blocks { .. } => [false, true]
                        .into_iter()
                        .any(|hashes| self.remove(client.id, Target::Blocks { hashes })),
                    target => self.remove(client.id, target),
                };
                if removed {
                    self.acknowledge("unsubscribed", &client, id, target, None);
                } else {
                    let message = "the client is not subscribed to this";
                    let error = ApiError::new(
                        StatusCode::CONFLICT,
                        "NOT_SUBSCRIBED",
                        "channel",
                        target.channel(),
                        message,
                    );
                    crate::ws::send_error(&client, &id, &error);
                }
            }
            Command::Gone(client) => {
                for target in self.clients.remove(&client).unwrap_or_default() {
                    self.forget(client, target);
                }
            }
        }
    }

    fn subscribe(
        &mut self,
        client: &Arc<Client>,
        id: &Value,
        target: Target,
    ) -> Result<(), ApiError> {
        let committed = self.latest.clone().ok_or_else(ApiError::not_ready)?;
        if let Target::Blocks { hashes } = target {
            self.remove(client.id, Target::Blocks { hashes: !hashes });
        }
        self.check_limits(client, target)?;
        self.clients.entry(client.id).or_default().insert(target);
        let subscribers = self.subscribers.entry(target).or_default();
        subscribers.insert(client.id, client.clone());
        let market = target
            .market()
            .and_then(|market| self.markets.get(market.index()));
        let seq = match (target, market) {
            (Target::Trades(_), Some(market)) => Some(market.trades_seq),
            (Target::Blocks { .. }, _) => Some(self.blocks_seq),
            _ => None,
        };
        self.acknowledge("subscribed", client, id.clone(), target, seq);
        let block = &committed.events;
        match target {
            Target::Book(market) => client.push(self.cached_snapshot(market, block)),
            Target::Bbo(market) => client.push(self.bbo("snapshot", market, block)),
            Target::Market(market) => {
                if is_option(&self.catalog, market)
                    && let Some(view) = committed.view.market(market)
                    && let Some(feed) = self.markets.get_mut(market.index())
                {
                    feed.prices.follow(&view);
                }
                client.push(self.prices("snapshot", market, block));
            }
            Target::Group(group) => {
                let seq = self.groups_seq.get(group.index()).copied();
                let body = GroupBody {
                    surface: surface(&self.catalog, &committed, group),
                    ..GroupBody::default()
                };
                let seq = seq.unwrap_or_default();
                client.push(self.message("snapshot", target, seq, block, body));
            }
            Target::Trades(_) | Target::Blocks { .. } | Target::Account(_) => {}
        }
        Ok(())
    }

    fn watch(
        &mut self,
        client: &Arc<Client>,
        id: &Value,
        account: Account,
        watch: Box<Watch>,
    ) -> Result<(), ApiError> {
        let latest = self.latest.clone().ok_or_else(ApiError::not_ready)?;
        let target = Target::Account(account);
        self.check_limits(client, target)?;
        let (shared, accounts) = (&self.shared, &mut self.accounts);
        let messages = accounts.subscribe(shared, client, account, watch, &latest.events)?;
        self.clients.entry(client.id).or_default().insert(target);
        self.acknowledge("subscribed", client, id.clone(), target, None);
        for message in messages {
            client.push(message);
        }
        Ok(())
    }

    fn check_limits(&self, client: &Client, target: Target) -> Result<(), ApiError> {
        let Some(targets) = self.clients.get(&client.id) else {
            return Ok(());
        };
        let refuse = |code, message| {
            let channel = target.channel();
            Err(ApiError::new(
                StatusCode::CONFLICT,
                code,
                "channel",
                channel,
                message,
            ))
        };
        if targets.contains(&target) {
            return refuse(
                "ALREADY_SUBSCRIBED",
                "the client is subscribed to this".to_owned(),
            );
        }
        let max = self.shared.config.max_subscriptions;
        if targets.len() >= max {
            return refuse("SUBSCRIPTION_LIMIT", format!("a client has at most {max}"));
        }
        Ok(())
    }

    fn cached_snapshot(&mut self, market: MarketId, block: &BlockEvents) -> Utf8Bytes {
        let at = market.index();
        if let Some(snapshot) = self.markets.get(at).and_then(|feed| feed.snapshot.clone()) {
            return snapshot;
        }
        let snapshot = self.book_snapshot(market, block);
        if let Some(feed) = self.markets.get_mut(at) {
            feed.snapshot = Some(snapshot.clone());
        }
        snapshot
    }

    /// Ends a subscription; false when there was none.
    fn remove(&mut self, client: u64, target: Target) -> bool {
        let removed = self
            .clients
            .get_mut(&client)
            .is_some_and(|targets| targets.remove(&target));
        if removed {
            self.forget(client, target);
        }
        removed
    }

    fn forget(&mut self, client: u64, target: Target) {
        if let Target::Account(account) = target {
            return self.accounts.remove(client, account);
        }
        if let Some(subscribers) = self.subscribers.get_mut(&target) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                self.subscribers.remove(&target);
            }
        }
    }

    fn acknowledge(
        &self,
        kind: &'static str,
        client: &Client,
        id: Value,
        target: Target,
        seq: Option<u64>,
    ) {
        let account = match target {
            Target::Account(account) => Some(account.to_string()),
            _ => None,
        };
        let market = target.market().map(|market| self.catalog.symbol(market));
        client.send(&Ack {
            kind,
            id,
            channel: target.channel(),
            market,
            group: target.group().map(|group| self.catalog.group(group)),
            account,
            seq,
        });
    }
}
