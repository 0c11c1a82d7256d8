//! What a chain lists, and the conversion of actions as people write them to those of the chain.

use ballast_types::{
    Account, Action, Amend, AssetId, Cancel, GroupId, KeyId, MarginMode, MarketId, MarketStatus,
    OrderId, OrderRef, PriceKind, PriceUpdate, SetAgent, SetMarketStatus, Transfer,
};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::actions::{
    ActionSpec, AgentSpec, AmendSpec, CancelAfterSpec, CancelSpec, MarginModeName, MarginModeSpec,
    PricesSpec, StatusName, StatusSpec, Switch, TransferSpec, millis, now_ms,
};
use crate::api::{self, Api};
use crate::units;

mod many;
mod order;
mod surface;

/// Markets that an error names.
const SHOWN: usize = 20;

/// What conversion needs to know of the chain, as the gateway tells it.
#[derive(Debug)]
pub struct Listing {
    /// The chain id.
    pub chain_id: String,
    margin_asset: String,
    markets: Vec<Market>,
    assets: Vec<Asset>,
}

#[derive(Debug, Deserialize)]
struct Chain {
    chain_id: String,
    margin_asset: String,
}

#[derive(Debug, Deserialize)]
struct Markets {
    markets: Vec<Market>,
}

#[derive(Debug, Deserialize)]
struct Market {
    market: String,
    id: u32,
    group: String,
    group_id: u16,
    tick: Decimal,
    lot: Decimal,
}

#[derive(Debug, Deserialize)]
struct Assets {
    assets: Vec<Asset>,
}

#[derive(Debug, Deserialize)]
struct Asset {
    asset: String,
    id: u16,
    decimals: u32,
}

#[derive(Debug, Deserialize)]
struct Resting {
    market: String,
    price: i64,
    remaining: i64,
    filled: i64,
    post_only: String,
}

/// Why an action cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of it; the text names it and its value.
    #[error("{0}")]
    Field(String),
    /// The node did not say what is needed.
    #[error(transparent)]
    Api(#[from] api::Error),
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::Field(text)
    }
}

impl Listing {
    /// Asks a node.
    pub async fn fetch(api: &Api) -> Result<Self, api::Error> {
        let chain: Chain = api.read(&["v1", "chain"]).await?;
        let Markets { markets } = api.read(&["v1", "markets"]).await?;
        let Assets { assets } = api.read(&["v1", "assets"]).await?;
        Ok(Self {
            chain_id: chain.chain_id,
            margin_asset: chain.margin_asset,
            markets,
            assets,
        })
    }

    /// The chain's form of an action of `account`.
    pub async fn action(
        &self,
        api: &Api,
        account: &Account,
        spec: &ActionSpec,
    ) -> Result<Action, Error> {
        Ok(match spec {
            ActionSpec::Order(order) => Action::Order(self.order(api, order).await?),
            ActionSpec::Cancel(cancel) => Action::Cancel(self.cancel(cancel)?),
            ActionSpec::Amend(amend) => Action::Amend(self.amend(api, amend).await?),
            ActionSpec::Transfer(transfer) => Action::Transfer(self.transfer(account, transfer)?),
            ActionSpec::Agent(agent) => self.agent(agent)?,
            ActionSpec::Prices(prices) => Action::SetPrices(self.prices(prices)?),
            ActionSpec::Status(status) => Action::SetMarketStatus(self.status(status)?),
            ActionSpec::CancelAfter(CancelAfterSpec { time }) => Action::CancelAfter(match time {
                Switch::After(time) => millis(*time),
                Switch::Off => 0,
            }),
            ActionSpec::Scale(scale) => Action::Scale(self.scale(api, scale).await?),
            ActionSpec::Linked(linked) => Action::Linked(self.linked(api, linked).await?),
            ActionSpec::Quotes(quotes) => Action::Quotes(self.quotes(quotes)?),
            ActionSpec::Protect(protect) => Action::SetProtection(self.protect(protect)?),
            ActionSpec::MarginMode(MarginModeSpec { mode }) => Action::SetMarginMode(match mode {
                MarginModeName::Standard => MarginMode::Standard,
                MarginModeName::Portfolio => MarginMode::Portfolio,
            }),
            ActionSpec::Surface(surface) => {
                Action::SetSurface(surface::convert(api, &surface.spec).await?)
            }
        })
    }

    fn cancel(&self, spec: &CancelSpec) -> Result<Cancel, Error> {
        let group = match (&spec.market, &spec.group) {
            (Some(market), None) => Some(GroupId(self.market(market)?.group_id)),
            (None, Some(group)) => Some(self.group(group)?),
            (None, None) => None,
            (Some(_), Some(group)) => {
                return Err(format!("group: {group:?} beside a market says too much").into());
            }
        };
        let named = [
            spec.order.is_some(),
            spec.client_id.is_some(),
            spec.label.is_some(),
            spec.all,
        ];
        let count = named.iter().filter(|named| **named).count();
        let needs_group =
            |field: &str| Error::Field(format!("{field}: needs --market or --group to say where"));
        match (spec, count) {
            (
                CancelSpec {
                    order: Some(order),
                    market: None,
                    group: None,
                    ..
                },
                1,
            ) => Ok(Cancel::Order(OrderId(*order))),
            (
                CancelSpec {
                    client_id: Some(client_id),
                    ..
                },
                1,
            ) => Ok(Cancel::Client {
                group: group.ok_or_else(|| needs_group("client_id"))?,
                client_id: *client_id,
            }),
            (
                CancelSpec {
                    label: Some(label), ..
                },
                1,
            ) => Ok(Cancel::Label {
                group: group.ok_or_else(|| needs_group("label"))?,
                label: *label,
            }),
            (
                CancelSpec {
                    all: true,
                    market: None,
                    ..
                },
                1,
            ) => Ok(Cancel::All(group)),
            (
                CancelSpec {
                    market: Some(market),
                    ..
                },
                0,
            ) => Ok(Cancel::Market(MarketId(self.market(market)?.id))),
            _ => Err(Error::Field(
                "cancel: name one of --order, --client-id, --label, --market, --all".to_owned(),
            )),
        }
    }

    async fn amend(&self, api: &Api, spec: &AmendSpec) -> Result<Amend, Error> {
        let resting: Resting = api.read(&["v1", "orders", &spec.order.to_string()]).await?;
        let market = self.market(&resting.market)?;
        let price = match spec.price {
            Some(price) => units::multiple("price", price, market.tick, &tick_of(market))?,
            None => resting.price,
        };
        let size = match spec.size {
            Some(size) => units::multiple("size", size, market.lot, &lot_of(market))?,
            None => resting.remaining.saturating_add(resting.filled),
        };
        let order = OrderRef::Id(OrderId(spec.order));
        Ok(Amend {
            order,
            price,
            size,
            keep_on_reject: spec.keep_on_reject,
            max_fills: match resting.post_only.as_str() {
                "no" => spec.max_fills,
                _ => 0,
            },
        })
    }

    fn transfer(&self, from: &Account, spec: &TransferSpec) -> Result<Transfer, Error> {
        let asset = self.asset("asset", &spec.asset)?;
        let to = match (&spec.to, spec.to_sub) {
            (Some(to), None) => to.parse().map_err(|error| format!("to: {error}"))?,
            (None, Some(sub)) => Account::new(from.master, sub),
            _ => return Err(Error::Field("to: name one of --to and --to-sub".to_owned())),
        };
        Ok(Transfer {
            asset: AssetId(asset.id),
            amount: units::atoms("amount", spec.amount, asset.decimals)?,
            to,
        })
    }

    fn agent(&self, spec: &AgentSpec) -> Result<Action, Error> {
        let key: KeyId = spec
            .address
            .parse()
            .map_err(|error| format!("address: {error}"))?;
        if spec.remove {
            return Ok(Action::RemoveAgent(key));
        }
        let markets: Result<Vec<_>, Error> = spec
            .markets
            .iter()
            .map(|name| Ok(MarketId(self.market(name)?.id)))
            .collect();
        let margin = self.asset("margin_asset", &self.margin_asset)?;
        let max_notional = match spec.max_notional {
            Some(amount) => units::atoms("max_notional", amount, margin.decimals)?,
            None => 0,
        };
        Ok(Action::SetAgent(SetAgent {
            key,
            expiry: now_ms().saturating_add(millis(spec.valid_for.0)),
            markets: markets?,
            max_notional,
        }))
    }

    fn prices(&self, spec: &PricesSpec) -> Result<Vec<PriceUpdate>, Error> {
        let price = |text: &String| {
            let bad = || Error::Field(format!("prices: {text:?} is not [index:]MARKET=PRICE"));
            let (kind, rest) = match text.strip_prefix("index:") {
                Some(rest) => (PriceKind::Index, rest),
                None => (PriceKind::Mark, text.as_str()),
            };
            let (name, price) = rest.split_once('=').ok_or_else(bad)?;
            let price: Decimal = price.parse().map_err(|_| bad())?;
            let market = self.market(name)?;
            Ok(PriceUpdate {
                market: MarketId(market.id),
                kind,
                price: units::multiple("prices", price, market.tick, &tick_of(market))?,
            })
        };
        spec.prices.iter().map(price).collect()
    }

    fn status(&self, spec: &StatusSpec) -> Result<SetMarketStatus, Error> {
        let status = match spec.status {
            StatusName::Open => MarketStatus::Open,
            StatusName::PostOnly => MarketStatus::PostOnly,
            StatusName::CancelOnly => MarketStatus::CancelOnly,
            StatusName::Suspended => MarketStatus::Suspended,
            StatusName::Auction => MarketStatus::Auction,
            StatusName::Settled => {
                return Err(Error::Field(
                    "status: settled is what a market is once it has expired; no action sets it"
                        .to_owned(),
                ));
            }
        };
        let market = MarketId(self.market(&spec.market)?.id);
        Ok(SetMarketStatus { market, status })
    }

    fn market(&self, name: &str) -> Result<&Market, Error> {
        let id: Option<u32> = name.parse().ok();
        let mut markets = self.markets.iter();
        let found = markets.find(|market| market.market == name || Some(market.id) == id);
        found.ok_or_else(|| {
            let all: Vec<_> = self
                .markets
                .iter()
                .take(SHOWN)
                .map(|market| market.market.as_str())
                .collect();
            let more = self.markets.len().saturating_sub(SHOWN);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more (ballast query markets)"),
            };
            let all = all.join(", ");
            Error::Field(format!("market: {name:?} is none of {all}{more}"))
        })
    }

    fn group(&self, name: &str) -> Result<GroupId, Error> {
        let market = self.markets.iter().find(|market| market.group == name);
        let market = market.ok_or_else(|| format!("group: {name:?} has no markets"))?;
        Ok(GroupId(market.group_id))
    }

    fn asset(&self, field: &str, symbol: &str) -> Result<&Asset, Error> {
        let found = self.assets.iter().find(|asset| asset.asset == symbol);
        found.ok_or_else(|| {
            let all: Vec<_> = self
                .assets
                .iter()
                .map(|asset| asset.asset.as_str())
                .collect();
            Error::Field(format!("{field}: {symbol:?} is none of {}", all.join(", ")))
        })
    }
}

fn tick_of(market: &Market) -> String {
    format!("the tick of {}", market.market)
}

fn lot_of(market: &Market) -> String {
    format!("the lot of {}", market.market)
}
