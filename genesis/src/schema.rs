//! The JSON form of a genesis.

use crate::{Error, GenesisLimits, Number, Time};
use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
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
