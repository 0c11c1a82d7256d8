//! One line of a `jsonl` stream.

use ballast_orderbook::Tif;
use ballast_types::{Lots, Side, Ticks};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::scan::scan;

/// Bytes of a line that an error shows.
const SHOWN: usize = 200;
const FIELDS: &str = "op, id, market, side, price, qty, limit, tif, account";

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// An order enters. A market order is an IOC order at its limit.
    Add(Add),
    /// An order leaves.
    Cancel {
        /// Which.
        id: u64,
    },
    /// An order changes.
    Amend {
        /// Which.
        id: u64,
        /// Its price from now on, in ticks.
        price: Ticks,
        /// Its open size from now on, in lots.
        qty: Lots,
    },
}

/// An order that enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Add {
    /// Its name in the stream.
    pub id: u64,
    /// Where, as the stream numbers markets.
    pub market: u64,
    /// Bid or ask.
    pub side: Side,
    /// Limit in ticks.
    pub price: Ticks,
    /// Lots.
    pub qty: Lots,
    /// What becomes of the rest.
    pub tif: Tif,
    /// Whose it is.
    pub account: u64,
}

/// The fields of all lines.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) op: Op,
    pub(super) id: u64,
    #[serde(default)]
    pub(super) market: u64,
    pub(super) side: Option<SideName>,
    pub(super) price: Option<Ticks>,
    pub(super) qty: Option<Lots>,
    pub(super) limit: Option<Ticks>,
    pub(super) tif: Option<TifName>,
    #[serde(default)]
    pub(super) account: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    Add,
    Market,
    Cancel,
    Amend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SideName {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TifName {
    Gtc,
    Ioc,
    Fok,
    PostOnly,
}

impl Message {
    /// Reads a line.
    ///
    /// # Errors
    /// Names the field and the value that do not fit.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let line = match scan(text) {
            Some(line) => line,
            None => serde_json::from_slice(text).map_err(|error| explain(text, &error))?,
        };
        let message = match line.op {
            Op::Add => Self::Add(line.order(line.price, "price", line.tif)?),
            Op::Market => Self::Add(line.order(line.limit, "limit", Some(TifName::Ioc))?),
            Op::Cancel => Self::Cancel { id: line.id },
            Op::Amend => Self::Amend {
                id: line.id,
                price: required("price", line.price)?,
                qty: line.qty()?,
            },
        };
        Ok(message)
    }
}

impl Line {
    fn order(&self, price: Option<i64>, name: &str, tif: Option<TifName>) -> Result<Add, String> {
        Ok(Add {
            id: self.id,
            market: self.market,
            side: match required("side", self.side)? {
                SideName::Buy => Side::Buy,
                SideName::Sell => Side::Sell,
            },
            price: required(name, price)?,
            qty: self.qty()?,
            tif: match tif.unwrap_or(TifName::Gtc) {
                TifName::Gtc => Tif::Gtc,
                TifName::Ioc => Tif::Ioc,
                TifName::Fok => Tif::Fok,
                TifName::PostOnly => Tif::PostOnly,
            },
            account: self.account,
        })
    }

    fn qty(&self) -> Result<Lots, String> {
        let qty = required("qty", self.qty)?;
        match qty > 0 {
            true => Ok(qty),
            false => Err(format!("qty: {qty} is not above 0")),
        }
    }
}

fn required<T>(field: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{field}: is missing"))
}

/// Why a line cannot be read, with field and value. Slow; the first bad line ends a run.
fn explain(text: &[u8], error: &serde_json::Error) -> String {
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(text) else {
        let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
        return format!("not a JSON object: {shown:?}: {error}");
    };
    for (field, value) in &fields {
        let expected = match field.as_str() {
            "op" if !one_of(value, &["add", "market", "cancel", "amend"]) => {
                "none of add, market, cancel, amend"
            }
            "side" if !one_of(value, &["buy", "sell"]) => "neither buy nor sell",
            "tif" if !one_of(value, &["gtc", "ioc", "fok", "post_only"]) => {
                "none of gtc, ioc, fok, post_only"
            }
            "id" | "market" | "account" if !value.is_u64() => {
                "not a whole number from 0 to 18446744073709551615"
            }
            "price" | "qty" | "limit" if !value.is_i64() => "not a whole number of 64 bits",
            "op" | "side" | "tif" | "id" | "market" | "account" | "price" | "qty" | "limit" => {
                continue;
            }
            _ => return format!("{field}: {value}: there is no such field; there are {FIELDS}"),
        };
        return format!("{field}: {value} is {expected}");
    }
    for field in ["op", "id"] {
        if !fields.contains_key(field) {
            return format!("{field}: is missing");
        }
    }
    error.to_string()
}

fn one_of(value: &Value, names: &[&str]) -> bool {
    value.as_str().is_some_and(|text| names.contains(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let add = Add {
            id: 7,
            market: 0,
            side: Side::Buy,
            price: 100,
            qty: 5,
            tif: Tif::Gtc,
            account: 0,
        };
        for (text, expected) in [
            (
                r#"{"op":"add","id":7,"side":"buy","price":100,"qty":5,"tif":"gtc"}"#,
                Message::Add(add),
            ),
            (
                r#"{"op":"add","id":7,"side":"buy","price":100,"qty":5}"#,
                Message::Add(add),
            ),
            (
                r#" {"tif":"post_only","qty":5,"price":-100,"side":"sell","id":7,"op":"add",
                    "market":3,"account":18446744073709551615} "#,
                Message::Add(Add {
                    market: 3,
                    side: Side::Sell,
                    price: -100,
                    tif: Tif::PostOnly,
                    account: u64::MAX,
                    ..add
                }),
            ),
            (
                r#"{"op":"market","id":8,"market":0,"side":"sell","qty":2,"limit":90}"#,
                Message::Add(Add {
                    id: 8,
                    side: Side::Sell,
                    price: 90,
                    qty: 2,
                    tif: Tif::Ioc,
                    ..add
                }),
            ),
            (r#"{"op":"cancel","id":7}"#, Message::Cancel { id: 7 }),
            (
                r#"{"op":"amend","id":7,"price":101,"qty":4}"#,
                Message::Amend {
                    id: 7,
                    price: 101,
                    qty: 4,
                },
            ),
        ] {
            assert_eq!(Message::parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }
}
