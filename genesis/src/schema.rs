//! The JSON form of a genesis.

use crate::{Error, GenesisLimits, Number, Span, Time};
use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// A genesis as it is written, before it is validated. Unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Bounds; those left out have their defaults.
    #[serde(default)]
    pub limits: GenesisLimits,
    /// Shards that accounts are cut into.
    #[serde(default = "default_account_shards")]
    pub account_shards: u16,
    /// Symbol of the asset that margin, fees and every market's quotes are in.
    pub margin_asset: String,
    /// Assets, in the order of their ids.
    pub assets: Vec<GenesisAsset>,
    /// Groups, in the order of their ids.
    #[serde(default)]
    pub groups: Vec<GenesisGroup>,
    /// Markets, in the order of their ids.
    #[serde(default)]
    pub markets: Vec<GenesisMarket>,
    /// What options are listed.
    #[serde(default)]
    pub series: Vec<GenesisSeries>,
    /// Margin mode of new accounts.
    #[serde(default)]
    pub margin_mode: MarginMode,
    /// What an open order adds to initial margin in portfolio mode, as a fraction of the notional.
    #[serde(default = "default_order_reserve")]
    pub order_reserve: Number,
    /// Addresses of the keys that may publish prices and set the status of markets.
    #[serde(default)]
    pub price_authorities: Vec<String>,
    /// The first validators.
    #[serde(default)]
    pub validators: Vec<GenesisValidator>,
    /// The first balances.
    #[serde(default)]
    pub accounts: Vec<GenesisAccount>,
}

impl Genesis {
    /// An exchange in this asset without markets and validators, with all defaults.
    pub fn new(margin_asset: GenesisAsset) -> Self {
        Self {
            limits: GenesisLimits::default(),
            account_shards: default_account_shards(),
            margin_asset: margin_asset.symbol.clone(),
            assets: vec![margin_asset],
            groups: Vec::new(),
            markets: Vec::new(),
            series: Vec::new(),
            margin_mode: MarginMode::default(),
            order_reserve: default_order_reserve(),
            price_authorities: Vec::new(),
            validators: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAsset {
    /// Symbol, as `USDC`.
    pub symbol: String,
    /// Name in Cosmos messages; the symbol in lower case when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denom: Option<String>,
    /// Decimal places: one unit is `10^decimals` atoms.
    pub decimals: u8,
}

/// A group of markets with one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisGroup {
    /// The underlying, as `BTC`.
    pub name: String,
    /// Digits behind the point that all prices of the group are kept with, 3 to 16. When left out,
    /// as many as its ticks need, and so many that a lot is valued to the atom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_digits: Option<u8>,
    /// Volatility a year of its options while no surface says it.
    #[serde(default = "default_volatility")]
    pub volatility: Number,
    /// Largest change of a volatility by one surface, as a part of itself; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface_cap: Option<Number>,
    /// How portfolio margin is computed: the name of a preset, or parameters as in
    /// `docs/margin.md`.
    #[serde(default = "default_margin")]
    pub margin: Value,
}

impl GenesisGroup {
    /// A group with the defaults.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            price_digits: None,
            volatility: default_volatility(),
            surface_cap: None,
            margin: default_margin(),
        }
    }
}

/// How the margin of an account is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarginMode {
    /// Each position by itself, at a fraction of its notional.
    #[default]
    Standard,
    /// All positions and the spot of an underlying together, by scenarios.
    Portfolio,
}

/// What is traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The base asset against the margin asset.
    Spot,
    /// A linear perpetual settled in the margin asset.
    Perpetual,
    /// A linear future, settled in the margin asset when it expires.
    Future,
}

/// When the orders of a market trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// One after the other as they come.
    #[default]
    Continuous,
    /// All together at one price, at the end of each block.
    Batch,
}

/// Who trades at the worst level that trades in an auction, on the side that has more than trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Older orders first.
    #[default]
    Time,
    /// All, by their size.
    ProRata,
}

/// A market. Prices are in units of the margin asset per unit of the base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisMarket {
    /// Symbol, as `BTC-PERP`.
    pub symbol: String,
    /// Name of its group; for spot the symbol of the base asset.
    pub group: String,
    /// What is traded.
    pub kind: Kind,
    /// Spot only: symbol of the asset that is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Futures only: block time from which it is expired; after genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Time>,
    /// Step of prices.
    pub tick: Number,
    /// Step of sizes, in units of the base.
    pub lot: Number,
    /// Smallest order in units of the base.
    pub min_size: Number,
    /// Largest order in units of the base.
    pub max_size: Number,
    /// Largest price.
    pub max_price: Number,
    /// How far the price of an order may lie beyond the mark (spot: the index), as a fraction of it;
    /// any distance when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_band: Option<Number>,
    /// Smallest price times size of an order in units of the margin asset; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notional: Option<Number>,
    /// Largest price times size of an order in units of the margin asset; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_notional: Option<Number>,
    /// Fee of the maker as a fraction of the notional; negative is a rebate.
    pub maker_fee: Number,
    /// Fee of the taker as a fraction of the notional.
    pub taker_fee: Number,
    /// Perpetuals and futures only: initial margin as a fraction of the notional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_margin: Option<Number>,
    /// Perpetuals and futures only: maintenance margin as a fraction of the notional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_margin: Option<Number>,
    /// Perpetuals and futures only: first mark price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Number>,
    /// When its orders trade.
    #[serde(default)]
    pub matching: Matching,
    /// How its auctions share: those of each block when `matching` is batch, and those that open it.
    #[serde(default)]
    pub sharing: Sharing,
    /// Whether an account may trade with itself.
    #[serde(default)]
    pub self_trade: bool,
    /// Blocks for which a taking order waits. Reserved: zero.
    #[serde(default)]
    pub taker_hold: u8,
}

/// A rule by which the options of a group are listed. Prices are in units of the margin asset per
/// unit of the underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisSeries {
    /// Name of the group.
    pub group: String,
    /// What the symbols of its options begin with, as `BTC`.
    pub name: String,
    /// When its options expire.
    pub cadences: Vec<GenesisCadence>,
    /// Distance of strikes as a fraction of the index, rounded down to 1, 2 or 5 times a power of
    /// ten.
    #[serde(default = "default_strike_step")]
    pub strike_step: Number,
    /// Strikes on each side of the one nearest to the index.
    pub strikes: u16,
    /// Most strikes of one expiry, also when the index moves.
    pub max_strikes: u16,
    /// Step of prices.
    pub tick: Number,
    /// Larger steps of higher prices.
    #[serde(default)]
    pub tick_bands: Vec<GenesisBand>,
    /// Step of sizes, in units of the underlying.
    pub lot: Number,
    /// Smallest order in units of the underlying.
    pub min_size: Number,
    /// Largest order in units of the underlying.
    pub max_size: Number,
    /// Largest price.
    pub max_price: Number,
    /// How far the price of an order may lie beyond the mark, as a fraction of the index; any
    /// distance when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_band: Option<Number>,
    /// Smallest price times size of an order in units of the margin asset; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notional: Option<Number>,
    /// Largest price times size of an order in units of the margin asset; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_notional: Option<Number>,
    /// Fee of the maker as a fraction of the index, not negative; at most an eighth of the price.
    pub maker_fee: Number,
    /// Fee of the taker as a fraction of the index; at most an eighth of the price.
    pub taker_fee: Number,
    /// Initial margin of a short option as a fraction of the index, less how far it is out of the
    /// money.
    #[serde(default = "default_initial_margin")]
    pub initial_margin: Number,
    /// Maintenance margin of a short option as a fraction of the index, at most the initial.
    #[serde(default = "default_maintenance_margin")]
    pub maintenance_margin: Number,
    /// Least initial margin of a short option as a fraction of the index.
    #[serde(default = "default_minimum_margin")]
    pub minimum_margin: Number,
    /// When its orders trade.
    #[serde(default)]
    pub matching: Matching,
    /// How its auctions share.
    #[serde(default)]
    pub sharing: Sharing,
    /// Whether an account may trade with itself.
    #[serde(default)]
    pub self_trade: bool,
}

/// When options expire: `every` with `offset`, or `last_friday` with `at`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisCadence {
    /// Each multiple of this since 1970, which began on a Thursday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// How long after it; at once when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Span>,
    /// The last Friday of each month whose number is a multiple of this: 1 is monthly, 3 quarterly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_friday: Option<u8>,
    /// How long after its midnight in UTC; at once when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Span>,
    /// How many are listed at a time.
    pub count: u8,
}

/// From a price on, prices are multiples of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisBand {
    /// The price.
    pub from: Number,
    /// The step.
    pub step: Number,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// Its name, for people.
    pub name: String,
    /// CometBFT's Ed25519 consensus key, 64 hex characters.
    pub consensus_key: String,
    /// Ed25519 key that signs the bundles of its node, 64 hex characters.
    pub ingress_key: String,
    /// Voting power.
    pub power: u64,
}

/// An account and its first balances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// `ballast1...`, with `/sub` for a subaccount.
    pub address: String,
    /// Units of each asset, by symbol. No symbol twice.
    #[serde(deserialize_with = "distinct_keys")]
    pub balances: BTreeMap<String, Number>,
}

fn default_account_shards() -> u16 {
    16
}

fn default_order_reserve() -> Number {
    Number::new(5, 4)
}

fn default_volatility() -> Number {
    Number::new(8, 1)
}

fn default_margin() -> Value {
    Value::from("default")
}

fn default_strike_step() -> Number {
    Number::new(25, 3)
}

fn default_initial_margin() -> Number {
    Number::new(15, 2)
}

fn default_maintenance_margin() -> Number {
    Number::new(75, 3)
}

fn default_minimum_margin() -> Number {
    Number::new(1, 1)
}

/// Serde keeps the last of several equal keys; here they are refused.
fn distinct_keys<'de, D>(deserializer: D) -> Result<BTreeMap<String, Number>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Balances;
    impl<'de> Visitor<'de> for Balances {
        type Value = BTreeMap<String, Number>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object from asset symbols to decimal strings")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut balances = BTreeMap::new();
            while let Some((symbol, balance)) = map.next_entry::<String, Number>()? {
                if balances.contains_key(&symbol) {
                    return Err(de::Error::custom(format_args!("{symbol:?} occurs twice")));
                }
                balances.insert(symbol, balance);
            }
            Ok(balances)
        }
    }
    deserializer.deserialize_map(Balances)
}

/// Reads a genesis from the JSON of `app_state`. Nothing is validated but the form; errors name the
/// field and the line.
pub fn from_json(text: &str) -> Result<Genesis, Error> {
    parse_json(text)
}

/// Reads any form that contains a [`Genesis`], such as CometBFT's whole file; errors are those of
/// [`from_json`].
pub fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // The parser shows the root as "." and a name that it could not read as "?".
        let field = match path.trim_end_matches(['?', '.']) {
            "" => "genesis".to_owned(),
            path => path.to_owned(),
        };
        Error::Syntax {
            field,
            message: error.into_inner().to_string(),
        }
    })?;
    deserializer.end().map_err(|error| Error::Syntax {
        field: "genesis".to_owned(),
        message: error.to_string(),
    })?;
    Ok(parsed)
}

/// The JSON of a genesis, indented, with a newline at its end.
pub fn to_json(genesis: &Genesis) -> String {
    // Strings, numbers and maps with string keys always serialise.
    let mut text = serde_json::to_string_pretty(genesis).unwrap_or_default();
    text.push('\n');
    text
}
