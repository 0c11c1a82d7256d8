//! Actions as people write them, on the command line and in the JSON of `ballast tx batch`.
//! [`crate::listing`] converts them to those of the chain.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Subcommand, ValueEnum};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::units::Span;

mod order;
mod surface;

pub use order::{
    LinkName, LinkedSpec, OrderSpec, OrderType, PegName, Percent, RuleName, ScopeName,
    SelfTradeName, SideName, SourceName, Tif, Trail,
};
pub use surface::{ExpirySpec, SurfaceArg, SurfaceSpec, SviSpec};

use order::{MAX_FILLS, client_id, max_fills};

/// One action. In JSON the field `action` names it, the others are the options' names with `_` for
/// `-`.
#[derive(Clone, Debug, Subcommand, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum ActionSpec {
    /// Place an order
    #[command(
        after_help = "Example: bid for half a bitcoin, for at most five minutes:\n  \
        ballast tx order --account 1 --market BTC-PERP --side buy --size 0.5 --price 99000 \
        --tif 5m\nSell at once, at most 1 % below the best bid:\n  \
        ballast tx order --account 1 --market ETH/USDC --side sell --size 2 --type market \
        --slippage 1\nStop loss: close a long position when the mark falls to 97000, at any price down \
        to 2 % below that:\n  \
        ballast tx order --account 1 --market BTC-PERP --side sell --size 0.5 --reduce-only \
        --type market --slippage 2 --trigger mark --below 97000\nTake profit with a limit order when \
        the last trade was at 105000 or above:\n  \
        ballast tx order --account 1 --market BTC-PERP --side sell --size 0.5 --price 104900 \
        --trigger last --above 105000\nTrailing stop: from an index of 102000 on, sell when it has \
        fallen by 2 % from its highest:\n  \
        ballast tx order --account 1 --market BTC-PERP --side sell --size 0.5 --reduce-only \
        --type ioc --price 90000 --trigger index --trail 2% --activation 102000\nIceberg: bid for 5, \
        show 0.5 at a time, until block 250000:\n  \
        ballast tx order --account 1 --market BTC-PERP --side buy --size 5 --price 99000 \
        --display 0.5 --tif block:250000\nPegged: bid 30 below the index, wherever it goes, but never \
        above 99000:\n  \
        ballast tx order --account 1 --market BTC-PERP --side buy --size 0.5 --price 99000 \
        --peg index --offset -30\nTWAP: buy 5 within an hour, a slice each minute, none more than \
        half a percent above the mark or above 101000:\n  \
        ballast tx order --account 1 --market BTC-PERP --side buy --size 5 --price 101000 \
        --twap 1h --every 1m --tolerance 0.5%"
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
    /// Publish mark and index prices, as a price authority
    #[command(
        after_help = "They count from the next block on. Example: account 0 of a localnet is a \
        price authority:\n  \
        ballast tx prices --account 0 BTC-PERP=100500 ETH-PERP=4010 index:BTC-PERP=100490 \
        index:BTC/USDC=100480"
    )]
    Prices(PricesSpec),
    /// Change what a market takes, as a price authority
    #[command(after_help = "It counts from the next block on. Examples:\n  \
        ballast tx status --account 0 BTC-PERP cancel-only\n  \
        ballast tx status --account 0 BTC-PERP open\nAn auction: collect orders, then trade what \
        crosses at one price:\n  \
        ballast tx status --account 0 BTC-PERP auction\n  \
        ballast tx status --account 0 BTC-PERP open")]
    Status(StatusSpec),
    /// Dead man's switch: cancel all orders of the account unless this is sent again in time
    #[command(
        after_help = "Examples: within 30 s of block time send it again, or all orders go:\n  \
        ballast tx cancel-after --account 1 30s\n  ballast tx cancel-after --account 1 off"
    )]
    CancelAfter(CancelAfterSpec),
    /// Place several orders at evenly spaced prices
    #[command(
        after_help = "Example: ten bids from 99000 down to 98100, the last twice as large as \
        the first, 5 bitcoin in all:\n  \
        ballast tx scale --account 1 --market BTC-PERP --side buy --size 5 --price 99000 \
        --last-price 98100 --orders 10 --last-size 2 --type post-only\nIn JSON the options of an \
        order are in the field `order`."
    )]
    Scale(ScaleSpec),
    /// Place two or three orders of a market that live and die together
    #[command(
        after_help = "Each order is the options of `ballast tx order`, in quotes.\nExample: close a \
        long position at a profit, or by a stop:\n  \
        ballast tx linked --account 1 --kind oco \\\n    \
        --order \"--market BTC-PERP --side sell --size 0.5 --price 105000 --type post-only\" \\\n    \
        --leg \"--market BTC-PERP --side sell --size 0.5 --type market --slippage 2 --reduce-only \
        --trigger mark --below 97000\"\nOpen the position first, and let both begin as far as it has \
        traded:\n  \
        ballast tx linked --account 1 --kind otoco --rule incremental \\\n    \
        --order \"--market BTC-PERP --side buy --size 0.5 --price 99000\" \\\n    \
        --leg \"--market BTC-PERP --side sell --size 0.5 --price 105000 --trigger last --above \
        104000\" \\\n    \
        --leg \"--market BTC-PERP --side sell --size 0.5 --type market --slippage 2 --trigger mark \
        --below 97000\"\nIn JSON `order` is an object and `legs` a list of them."
    )]
    Linked(Box<LinkedSpec>),
    /// Replace the account's quotes in markets of one group
    #[command(
        after_help = "An account has at most one quoted bid and ask in a market, beside its orders. \
        Example: quote half a bitcoin on both sides, and take the quoted bid of the spot market \
        away:\n  ballast tx quotes --account 1 BTC-PERP=98990:0.5/99010:0.5 BTC/USDC=/99005:0.1"
    )]
    Quotes(QuotesSpec),
    /// Bound what the account's quotes in a group may trade within an interval
    #[command(
        after_help = "The fill that would pass a bound is cut, all quotes of the group go, and new \
        ones are refused for the time of --freeze.\nExample: at most 100,000 of turnover and 50,000 \
        of change in delta within 5 s, else no quotes for 30 s:\n  \
        ballast tx protect --account 1 --group BTC --interval 5s --freeze 30s --notional 100000 \
        --delta 50000\nQuotes of options, at most 2,000 of vega:\n  \
        ballast tx protect --account 1 --group BTC --interval 5s --freeze 30s --vega 2000\n\
        Without --interval there is no protection:\n  \
        ballast tx protect --account 1 --group BTC"
    )]
    Protect(ProtectSpec),
    /// Change how the margin of the account is computed; only while none of its orders rests
    #[command(
        after_help = "standard: each position by itself, at a fraction of its notional. portfolio: \
        all positions and the spot of an underlying together, by scenarios. Refused with \
        OPEN_ORDERS while an order rests, and with INSUFFICIENT_MARGIN when equity would not cover \
        initial margin in the new mode.\nExample:\n  \
        ballast tx cancel --account 1 --all\n  ballast tx margin-mode --account 1 portfolio"
    )]
    MarginMode(MarginModeSpec),
    /// Publish forwards and volatilities of a group's options, as a price authority
    #[command(
        after_help = "It counts from the next block on and replaces the surface before it. FILE is \
        JSON; `-` reads stdin:\n  \
        {\"group\": \"BTC\", \"expiries\": [\n    \
        {\"expiry\": \"2026-12-25T08:00:00Z\", \"forward\": \"100500\", \"rate\": \"0.045\",\n     \
        \"tenor\": 2851200, \"nodes\": [[\"-0.2\", \"0.041\"], [\"0\", \"0.0325\"], [\"0.2\", \
        \"0.038\"]]},\n    \
        {\"expiry\": \"2027-03-26T08:00:00Z\", \"forward\": \"101600\",\n     \
        \"svi\": {\"a\": \"0.01\", \"b\": \"0.1\", \"rho\": \"-0.3\", \"m\": \"0\", \"sigma\": \
        \"0.4\"}}]}\nexpiry: a time in UTC, a whole second. forward: price of the forward. rate: \
        interest a year [default: 0]. tenor: the seconds for which the curve gives total variance \
        [default: from now to the expiry]. nodes: pairs of log-moneyness ln(strike / forward) and \
        total variance (volatility squared times years), ascending, at most 32. svi: the five raw \
        parameters instead. Expiries ascend, at most 16. Numbers are strings with \
        at most 15 decimals.\nBAD_SURFACE: a number out of range, or an \
        arbitrage. SURFACE_JUMP: a volatility moves further at once than the group \
        allows.\nExample:\n  ballast tx surface --account 0 surface.json\nIn a batch the fields of the \
        file stand beside `action`."
    )]
    Surface(SurfaceArg),
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
    /// A market and its price: of a perpetual or future the mark, with `index:` in front the index of any
    #[arg(value_name = "[index:]MARKET=PRICE", required = true)]
    pub prices: Vec<String>,
}

/// See [`ActionSpec::Status`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusSpec {
    /// Symbol or number of the market
    pub market: String,
    /// What it takes
    #[arg(value_enum)]
    pub status: StatusName,
}

/// See [`ActionSpec::CancelAfter`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelAfterSpec {
    /// A time from 1s to 24h, or `off`
    #[arg(value_name = "TIME")]
    pub time: Switch,
}

/// See [`ActionSpec::Scale`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleSpec {
    /// What all of them are; size is that of all together, price that of the first.
    #[command(flatten)]
    pub order: OrderSpec,
    /// Price of the last order
    #[arg(long, value_name = "P")]
    pub last_price: Decimal,
    /// How many orders, 2 to 64
    #[arg(long, value_name = "N")]
    pub orders: u16,
    /// Size of the last order as a multiple of the first's; those between lie on a line
    #[arg(long, value_name = "RATIO", default_value = "1")]
    #[serde(default = "one")]
    pub last_size: Decimal,
}

/// See [`ActionSpec::Quotes`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotesSpec {
    /// A market with price and size of its bid, a slash, and price and size of its ask; a side that
    /// is left out is taken away
    #[arg(value_name = "MARKET=[P:SIZE]/[P:SIZE]", required = true)]
    pub quotes: Vec<String>,
    /// Rest one tick behind the best price of the other side instead of being refused
    #[arg(long)]
    #[serde(default)]
    pub slide: bool,
}

/// See [`ActionSpec::Protect`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectSpec {
    /// Name of a group of markets, such as BTC
    #[arg(long)]
    pub group: String,
    /// Length of the interval, which begins with the first fill [default: no protection]
    #[arg(long, value_name = "TIME")]
    pub interval: Option<Span>,
    /// How long quotes are then refused [default: until the next `protect`]
    #[arg(long, value_name = "TIME")]
    pub freeze: Option<Span>,
    /// Largest sum of price times size, in units of the margin asset [default: any]
    #[arg(long)]
    pub notional: Option<Decimal>,
    /// Largest change of the group's delta, in units of the margin asset [default: any]
    #[arg(long)]
    pub delta: Option<Decimal>,
    /// Largest change of the group's vega: what its options gain when volatility rises by one
    /// percentage point, in units of the margin asset [default: any]
    #[arg(long)]
    pub vega: Option<Decimal>,
}

/// See [`ActionSpec::MarginMode`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginModeSpec {
    /// The mode
    #[arg(value_enum)]
    pub mode: MarginModeName,
}

/// How margin is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarginModeName {
    /// Each position by itself.
    Standard,
    /// All positions and the spot of an underlying together.
    Portfolio,
}

/// What a market takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusName {
    /// All orders.
    Open,
    /// Post-only orders and cancels.
    PostOnly,
    /// Cancels.
    CancelOnly,
    /// Cancels; published prices wait.
    Suspended,
    /// Orders that rest, for an auction when it opens again.
    Auction,
    /// Nothing any more. It is read only to say that no action sets it.
    #[value(hide = true)]
    Settled,
}

/// A dead man's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Goes off after this long.
    After(Duration),
    /// Disarmed.
    Off,
}

fn one() -> Decimal {
    Decimal::ONE
}

fn agent_span() -> Span {
    Span(Duration::from_hours(30 * 24))
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            text => text
                .parse()
                .map(|Span(time)| Self::After(time))
                .map_err(|e: String| e + ", or off"),
        }
    }
}

macro_rules! deserialize_from_str {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    )*};
}

deserialize_from_str!(Tif, Trail, Percent, Switch);

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
