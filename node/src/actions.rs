//! Actions as people write them, on the command line and in the JSON of `ballast tx batch`.
//! [`crate::listing`] converts them to those of the chain.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Subcommand, ValueEnum};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::units::Span;

/// One action. In JSON the field `action` names it, the others are the options' names with `_` for
/// `-`.
#[derive(Clone, Debug, Subcommand, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum ActionSpec {
    /// Place an order
    #[command(
        after_help = "Example: bid for half a bitcoin, for at most five minutes:\n  \
        ballast tx order --account 1 --market BTC-PERP --side buy --size 0.5 --price 99000 \
        --tif 5m\nSell at once, at most 1 % below the best bid:\n  \
        ballast tx order --account 1 --market ETH/USDC --side sell --size 2 --type market \
        --slippage 1"
    )]
    Order(OrderSpec),
    /// Cancel one order or many
    #[command(
        after_help = "Examples:\n  ballast tx cancel --account 1 --order 16777216\n  \
        ballast tx cancel --account 1 --client-id 7 --market BTC-PERP\n  \
        ballast tx cancel --account 1 --market BTC-PERP\n  ballast tx cancel --account 1 --all"
    )]
    Cancel(CancelSpec),
    /// Change the price or the total size of a resting order
    #[command(after_help = "Example:\n  \
        ballast tx amend --account 1 --order 16777216 --price 99500")]
    Amend(AmendSpec),
    /// Move money to another account
    #[command(
        after_help = "Example: fund subaccount 1 of the same key, then send money away:\n  \
        ballast tx transfer --account 1 --asset USDC --amount 1000 --to-sub 1\n  \
        ballast tx transfer --account 1 --asset BTC --amount 0.5 --to ballast1..."
    )]
    Transfer(TransferSpec),
    /// Let another key trade for the account (it can never move money out), or forbid it
    #[command(after_help = "Examples:\n  \
        ballast tx agent --account 1 --address ballast1... --valid-for 30d --markets BTC-PERP\n  \
        ballast tx agent --account 1 --address ballast1... --remove")]
    Agent(AgentSpec),
    /// Publish mark prices, as a price authority
    #[command(
        after_help = "Example: account 0 of a localnet is a price authority:\n  \
        ballast tx prices --account 0 BTC-PERP=100500 ETH-PERP=4010"
    )]
    Prices(PricesSpec),
}

/// See [`ActionSpec::Order`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderSpec {
    /// Symbol or number of the market
    #[arg(long)]
    pub market: String,
    /// Which side
    #[arg(long, value_enum)]
    pub side: SideName,
    /// Size in units of the base
    #[arg(long)]
    pub size: Decimal,
    /// Limit, or the worst price of a market order
    #[arg(long)]
    pub price: Option<Decimal>,
    /// What the order does on arrival
    #[arg(long = "type", value_enum, default_value = "limit")]
    #[serde(default, rename = "type")]
    pub order_type: OrderType,
    /// Market orders without a price: how far from the best price they go, in percent
    #[arg(long, value_name = "PERCENT")]
    pub slippage: Option<Decimal>,
    /// How long it may rest: `gtc`, or a time such as 30s or 5m
    #[arg(long, value_name = "TIME")]
    pub tif: Option<Tif>,
    /// Only ever shrink the position
    #[arg(long)]
    #[serde(default)]
    pub reduce_only: bool,
    /// A number of your choice, not zero, unique among the account's open orders of the group
    #[arg(long)]
    #[serde(default, deserialize_with = "client_id")]
    pub client_id: Option<u128>,
    /// A number for cancelling many at once
    #[arg(long, default_value_t = 0)]
    #[serde(default)]
    pub label: u32,
    /// Resting orders that it may meet at most
    #[arg(long, default_value_t = MAX_FILLS)]
    #[serde(default = "max_fills")]
    pub max_fills: u16,
}

/// See [`ActionSpec::Cancel`].
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CancelSpec {
    /// The order with this id
    #[arg(long, value_name = "ID")]
    pub order: Option<u64>,
    /// The order with this client id, in the group of --market or --group
    #[arg(long)]
    #[serde(deserialize_with = "client_id")]
    pub client_id: Option<u128>,
    /// All orders with this label, in the group of --market or --group
    #[arg(long)]
    pub label: Option<u32>,
    /// All orders of this market (symbol or number)
    #[arg(long)]
    pub market: Option<String>,
    /// All orders; with --group those of a group
    #[arg(long)]
    pub all: bool,
    /// Name of a group of markets, such as BTC
    #[arg(long)]
    pub group: Option<String>,
}

/// See [`ActionSpec::Amend`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmendSpec {
    /// Id of the order
    #[arg(long, value_name = "ID")]
    pub order: u64,
    /// New limit [default: as it is]
    #[arg(long)]
    pub price: Option<Decimal>,
    /// New total size; what is filled already counts against it [default: as it is]
    #[arg(long)]
    pub size: Option<Decimal>,
    /// Keep the old order when the new one is refused
    #[arg(long)]
    #[serde(default)]
    pub keep_on_reject: bool,
    /// Resting orders that it may meet at most when it enters again
    #[arg(long, default_value_t = MAX_FILLS)]
    #[serde(default = "max_fills")]
    pub max_fills: u16,
}

/// See [`ActionSpec::Transfer`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferSpec {
    /// Symbol of the asset
    #[arg(long)]
    pub asset: String,
    /// How much, in units of the asset
    #[arg(long)]
    pub amount: Decimal,
    /// Who receives: ballast1..., with /N for a subaccount
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// Instead of --to: a subaccount of the same master
    #[arg(long, value_name = "N")]
    pub to_sub: Option<u16>,
}

/// See [`ActionSpec::Agent`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Address of the agent's key
    #[arg(long)]
    pub address: String,
    /// How long it may trade, from now
    #[arg(long, value_name = "TIME", default_value = "30d")]
    #[serde(default = "agent_span")]
    pub valid_for: Span,
    /// Markets in which it may place orders [default: all]
    #[arg(long, value_delimiter = ',')]
    #[serde(default)]
    pub markets: Vec<String>,
    /// Largest price times size of one of its orders, in units of the margin asset [default: any]
    #[arg(long)]
    pub max_notional: Option<Decimal>,
    /// Forbid the key instead
    #[arg(long)]
    #[serde(default)]
    pub remove: bool,
}

/// See [`ActionSpec::Prices`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricesSpec {
    /// A perpetual and its mark price
    #[arg(value_name = "MARKET=PRICE", required = true)]
    pub prices: Vec<String>,
}

/// Side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SideName {
    /// A bid.
    Buy,
    /// An ask.
    Sell,
}

/// What an order does on arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderType {
    /// Trades up to its price; the rest stays in the book.
    #[default]
    Limit,
    /// Trades at once up to its worst price; the rest is cancelled.
    Market,
    /// As market, at a price that you name.
    Ioc,
    /// Trades whole at once or not at all.
    Fok,
    /// Is refused when it would trade at once.
    PostOnly,
}

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tif {
    /// Until it is cancelled.
    Gtc,
    /// For this long.
    For(Duration),
}

const MAX_FILLS: u16 = 32;

fn max_fills() -> u16 {
    MAX_FILLS
}

/// A client id may be larger than what JSON's numbers hold, so it may be a string too.
fn client_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u128>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(u64),
        Text(String),
    }
    match Option::deserialize(deserializer)? {
        None => Ok(None),
        Some(Form::Number(number)) => Ok(Some(number.into())),
        Some(Form::Text(text)) => text.parse().map(Some).map_err(|_| {
            serde::de::Error::custom(format_args!("client_id: {text:?} is no number"))
        }),
    }
}

fn agent_span() -> Span {
    Span(Duration::from_hours(30 * 24))
}

impl std::str::FromStr for Tif {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "gtc" => Ok(Self::Gtc),
            text => text
                .parse()
                .map(|Span(time)| Self::For(time))
                .map_err(|e: String| e + " or gtc"),
        }
    }
}

impl<'de> Deserialize<'de> for Tif {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// This machine's clock in ms since 1970.
pub fn now_ms() -> u64 {
    millis(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

/// A time in whole ms.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
