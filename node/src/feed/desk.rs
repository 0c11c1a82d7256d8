//! The accounts that a recorded flow trades with, and their funds and transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use ballast_types::{
    Account, Action, Amend, AssetId, Cancel, GroupId, MarketId, Order, OrderRef, PostOnly, Secret,
    TimeInForce, Transfer,
};
use serde::Deserialize;

use super::plan::Act;
use crate::api::{self, Api};
use crate::client::{Signed, Signer};

/// Where the flow goes.
pub const MARKET: &str = "AAPL/USDC";
/// Subaccounts 1 to 4 hold the resting orders.
const MAKERS: u16 = 4;
/// Subaccount 5 takes.
const TAKER: u16 = MAKERS + 1;
/// Whole units that each subaccount starts with.
const FUNDS: [(&str, u128); 2] = [("USDC", 100_000_000), ("AAPL", 1_000_000)];
/// Actions of one transaction.
const MAX_ACTIONS: usize = 64;
/// Resting orders that a taker may meet.
const MAX_FILLS: u16 = 256;
/// How long the set-up waits for a block.
const WAIT: Duration = Duration::from_secs(20);

/// Why the flow cannot start or go on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Signs for the subaccounts of one master in one market.
pub struct Desk {
    /// The gateway.
    pub api: Api,
    signer: Signer,
    market: MarketId,
    group: GroupId,
}

/// Transactions that carry a run of actions: each with the actions that it holds.
pub type Batch = Vec<(Signed, Vec<Act>)>;

#[derive(Deserialize)]
struct Chain {
    chain_id: String,
}

#[derive(Deserialize)]
struct Market {
    id: u32,
    group_id: u16,
    tick: String,
    lot: String,
}

#[derive(Deserialize)]
struct Assets {
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    asset: String,
    id: u16,
    decimals: u32,
}

#[derive(Deserialize)]
struct Holdings {
    balances: Vec<Balance>,
    orders: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Balance {
    asset: String,
    balance: String,
}

impl Desk {
    /// A desk of the key's master, with funded subaccounts that have no orders.
    ///
    /// # Errors
    /// When the market is not there, or the master cannot pay.
    pub async fn open(api: Api, secret: Secret) -> Result<Self, Failure> {
        let chain: Chain = api.read(&["v1", "chain"]).await?;
        let market: Market = api.read(&["v1", "markets", MARKET]).await?;
        if (market.tick.as_str(), market.lot.as_str()) != ("0.01", "1") {
            let Market { tick, lot, .. } = market;
            return Err(format!("{MARKET}: tick {tick} and lot {lot}, not 0.01 and 1").into());
        }
        let mut desk = Self {
            signer: Signer::new(secret, &chain.chain_id),
            api,
            market: MarketId(market.id),
            group: GroupId(market.group_id),
        };
        desk.fund().await?;
        desk.clear().await?;
        Ok(desk)
    }

    /// The chain's digest.
    pub fn chain(&self) -> &ballast_types::Hash {
        self.signer.chain()
    }

    fn account(&self, sub: u16) -> Account {
        Account::new(self.signer.master(), sub)
    }

    /// Who does it: a resting order stays with the subaccount that its client id gives.
    fn owner(&self, act: &Act) -> Account {
        let maker = |id: u128| u16::try_from(id % u128::from(MAKERS)).unwrap_or(0) + 1;
        match act {
            Act::Cancel { id } | Act::Reduce { id, .. } | Act::Post { id, .. } => {
                self.account(maker(*id))
            }
            Act::Take { .. } => self.account(TAKER),
        }
    }

    fn action(&self, act: &Act) -> Action {
        let order = |side, price, size, client_id: Option<u128>| {
            let order = Order::limit(self.market, side, price, size);
            Action::Order(match client_id {
                Some(_) => Order {
                    client_id,
                    ..order.post_only(PostOnly::Reject)
                },
                None => Order {
                    tif: TimeInForce::Ioc,
                    max_fills: MAX_FILLS,
                    ..order
                },
            })
        };
        let group = self.group;
        match *act {
            Act::Cancel { id } => Action::Cancel(Cancel::Client {
                group,
                client_id: id,
            }),
            Act::Reduce {
                id, price, total, ..
            } => Action::Amend(Amend {
                order: OrderRef::Client {
                    group,
                    client_id: id,
                },
                price,
                size: total,
                keep_on_reject: false,
                max_fills: 0,
            }),
            Act::Post {
                id,
                side,
                price,
                size,
            } => order(side, price, size, Some(id)),
            Act::Take { side, price, size } => order(side.opposite(), price, size, None),
        }
    }

    /// Signs actions, with growing nonces in their order; those that follow each other and are of
    /// one account share a transaction.
    pub fn sign(&mut self, acts: impl Iterator<Item = Act>) -> Batch {
        let mut parts: Vec<(Account, Vec<Act>)> = Vec::new();
        for act in acts {
            let owner = self.owner(&act);
            match parts.last_mut() {
                Some((account, part)) if *account == owner && part.len() < MAX_ACTIONS => {
                    part.push(act);
                }
                _ => parts.push((owner, vec![act])),
            }
        }
        let mut batch = Batch::new();
        for (account, part) in parts {
            let actions = part.iter().map(|act| self.action(act)).collect();
            batch.push((self.signer.sign(account, actions), part));
        }
        batch
    }

    async fn holdings(&self, sub: u16) -> Result<Holdings, Failure> {
        let (master, sub) = (self.signer.master().to_string(), sub.to_string());
        match self.api.read(&["v1", "accounts", &master, &sub]).await {
            Ok(holdings) => Ok(holdings),
            Err(api::Error::Refused { code, .. }) if code == "UNKNOWN_ACCOUNT" => Ok(Holdings {
                balances: Vec::new(),
                orders: Vec::new(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings each subaccount's funds up to what it starts with.
    async fn fund(&mut self) -> Result<(), Failure> {
        let Assets { assets } = self.api.read(&["v1", "assets"]).await?;
        let mut actions = Vec::new();
        for sub in 1..=TAKER {
            let held = self.holdings(sub).await?.balances.into_iter();
            let held: BTreeMap<_, _> = held.map(|held| (held.asset, held.balance)).collect();
            for (symbol, units) in FUNDS {
                let asset = assets.iter().find(|asset| asset.asset == symbol);
                let asset = asset.ok_or_else(|| format!("the chain has no asset {symbol}"))?;
                let wanted = units.saturating_mul(10_u128.saturating_pow(asset.decimals));
                let held = held
                    .get(symbol)
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0);
                let amount = wanted.saturating_sub(held);
                let to = self.account(sub);
                if amount > 0 {
                    let transfer = Transfer {
                        asset: AssetId(asset.id),
                        amount,
                        to,
                    };
                    actions.push(Action::Transfer(transfer));
                }
            }
        }
        let master = self.account(0);
        self.settle(master, actions).await
    }

    /// Cancels what an earlier flow left.
    async fn clear(&mut self) -> Result<(), Failure> {
        for sub in 1..=TAKER {
            if !self.holdings(sub).await?.orders.is_empty() {
                let all = Action::Cancel(Cancel::All(Some(self.group)));
                self.settle(self.account(sub), vec![all]).await?;
            }
        }
        Ok(())
    }

    /// Sends a transaction and waits until a block holds it.
    async fn settle(&mut self, account: Account, actions: Vec<Action>) -> Result<(), Failure> {
        if actions.is_empty() {
            return Ok(());
        }
        let signed = self.signer.sign(account, actions);
        let answer = self.api.submit(signed.bytes, WAIT).await?;
        let result = &answer["result"];
        let actions = result["actions"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut all = std::iter::once(result).chain(actions);
        match all.find(|result| result["code"] != 0) {
            None => Ok(()),
            Some(bad) if bad.is_null() => Err("the set-up is in no block after 20 s".into()),
            Some(bad) => Err(format!("the set-up is refused: {}", bad["name"]).into()),
        }
    }
}
