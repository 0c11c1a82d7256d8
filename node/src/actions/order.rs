//! An order as people write it, and orders that are linked.

use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::units::Span;

/// See [`Order`](super::ActionSpec::Order).
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
    /// What the order does on arrival, or once it is triggered
    #[arg(long = "type", value_enum, default_value = "limit")]
    #[serde(default, rename = "type")]
    pub order_type: OrderType,
    /// Market orders without a price: how far from the best price they go, or from the price of
    /// --above or --below, in percent
    #[arg(long, value_name = "PERCENT")]
    pub slippage: Option<Decimal>,
    /// How long it may rest: `gtc`, a time such as 30s or 5m, or `block:H`, until that height
    #[arg(long, value_name = "TIME")]
    pub tif: Option<Tif>,
    /// The order waits until this price of its market is as --above, --below or --trail says
    #[arg(
        long,
        value_enum,
        value_name = "PRICE",
        help_heading = "Waiting for a price"
    )]
    pub trigger: Option<SourceName>,
    /// Wait for a price at or above this
    #[arg(long, value_name = "P", help_heading = "Waiting for a price")]
    pub above: Option<Decimal>,
    /// Wait for a price at or below this
    #[arg(long, value_name = "P", help_heading = "Waiting for a price")]
    pub below: Option<Decimal>,
    /// Wait until the price has turned by this: when selling, below its highest; when buying, above
    /// its lowest. A distance such as 250, or a fraction such as 2%
    #[arg(
        long,
        value_name = "DISTANCE|PERCENT%",
        help_heading = "Waiting for a price"
    )]
    pub trail: Option<Trail>,
    /// With --trail: look only from this price on; when selling at or above, when buying at or below
    /// [default: at once]
    #[arg(long, value_name = "P", help_heading = "Waiting for a price")]
    pub activation: Option<Decimal>,
    /// Follow a price: the index, or the best bid or ask; --price is then the limit. The order is
    /// post-only and slides
    #[arg(
        long,
        value_enum,
        value_name = "PRICE",
        help_heading = "Following a price"
    )]
    pub peg: Option<PegName>,
    /// How far above that price; below it when negative
    #[arg(
        long,
        value_name = "DISTANCE",
        allow_hyphen_values = true,
        requires = "peg",
        help_heading = "Following a price"
    )]
    pub offset: Option<Decimal>,
    /// TWAP: trade in slices over this time, none beyond --price
    #[arg(long, value_name = "TIME", help_heading = "In slices over time")]
    pub twap: Option<Span>,
    /// Time between two slices, from 1s to 1h
    #[arg(
        long,
        value_name = "TIME",
        requires = "twap",
        help_heading = "In slices over time"
    )]
    pub every: Option<Span>,
    /// How far beyond the mark (spot: the index, or the last trade) a slice may trade
    /// [default: 1%]
    #[arg(
        long,
        value_name = "PERCENT%",
        requires = "twap",
        help_heading = "In slices over time"
    )]
    pub tolerance: Option<Percent>,
    /// Iceberg: show only this much of the size at a time
    #[arg(long, value_name = "SIZE")]
    pub display: Option<Decimal>,
    /// What happens when it meets an order that it must not trade with
    #[arg(long, value_enum, default_value = "cancel-taker")]
    #[serde(default)]
    pub self_trade: SelfTradeName,
    /// Whose orders those are: of the same account, or of all subaccounts of the master
    #[arg(long, value_enum, default_value = "account")]
    #[serde(default)]
    pub self_trade_scope: ScopeName,
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

/// See [`ActionSpec::Linked`](super::ActionSpec::Linked).
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedSpec {
    /// How they are linked
    #[arg(long, value_enum)]
    pub kind: LinkName,
    /// How a fill of one acts on the others
    #[arg(long, value_enum, default_value = "first-hit")]
    #[serde(default)]
    pub rule: RuleName,
    /// The first order: the options of `ballast tx order`, in quotes
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub order: OrderSpec,
    /// Another one, likewise; of an OTOCO two
    #[arg(
        long = "leg",
        value_name = "OPTIONS",
        allow_hyphen_values = true,
        required = true
    )]
    pub legs: Vec<OrderSpec>,
}

/// The options of an order as one text.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct OrderLine {
    #[command(flatten)]
    order: OrderSpec,
}

impl FromStr for OrderSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = OrderLine::try_parse_from(text.split_whitespace());
        parsed.map(|line| line.order).map_err(|error| {
            let text = error.to_string();
            let paragraph = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<_> = paragraph.split_whitespace().collect();
            words.join(" ").replacen("error: ", "", 1)
        })
    }
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
    /// Rests one tick behind the best price of the other side when it would trade at once.
    PostOnlySlide,
}

/// A price of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    /// The mark price.
    Mark,
    /// The index price.
    Index,
    /// The last trade.
    Last,
}

/// What happens when an order meets one that it must not trade with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfTradeName {
    /// What is left of the new order is cancelled.
    #[default]
    CancelTaker,
    /// The resting order is cancelled.
    CancelMaker,
    /// Both are cancelled.
    CancelBoth,
    /// Both shrink by the smaller size, without a trade.
    Decrement,
}

/// Whose orders an order must not trade with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeName {
    /// Those of the same account.
    #[default]
    Account,
    /// Those of all accounts of the master.
    Master,
}

/// A price that an order follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PegName {
    /// The index price.
    Index,
    /// The best bid that is not pegged itself.
    Bid,
    /// The best ask that is not pegged itself.
    Ask,
}

/// How orders are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkName {
    /// One cancels the other; the leg has a trigger.
    Oco,
    /// The leg begins when the order trades.
    Oto,
    /// The two legs begin when the order trades, and then one cancels the other.
    Otoco,
}

/// How a fill acts on the orders that it is linked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleName {
    /// The first fill acts in full.
    #[default]
    FirstHit,
    /// Only the fill that completes the order acts.
    CompleteFill,
    /// Each fill acts on the same fraction.
    Incremental,
}

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tif {
    /// Until it is cancelled.
    Gtc,
    /// For this long.
    For(Duration),
    /// Until this height.
    Block(u64),
}

/// How far a price must turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trail {
    /// In units of the price.
    Distance(Decimal),
    /// In percent of the best price seen.
    Percent(Decimal),
}

/// A fraction in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub Decimal);

pub(super) const MAX_FILLS: u16 = 32;

pub(super) fn max_fills() -> u16 {
    MAX_FILLS
}

/// A client id may be larger than what JSON's numbers hold, so it may be a string too.
pub(super) fn client_id<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u128>, D::Error> {
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

impl FromStr for Tif {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "gtc" {
            return Ok(Self::Gtc);
        }
        if let Some(height) = text.strip_prefix("block:") {
            let height = height.parse().map(Self::Block);
            return height.map_err(|_| format!("{text:?} is not block: and a height"));
        }
        text.parse()
            .map(|Span(time)| Self::For(time))
            .map_err(|e: String| e + ", block:H or gtc")
    }
}

impl FromStr for Trail {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a distance such as 250, or a fraction such as 2%");
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().map(Self::Percent).map_err(|_| bad()),
            None => text.parse().map(Self::Distance).map_err(|_| bad()),
        }
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text);
        let percent = number.parse().map(Self);
        percent.map_err(|_| format!("{text:?} is not a fraction such as 0.5%"))
    }
}
