//! `ballast query`: ask a node about the exchange.

use ballast_genesis::time;
use ballast_types::TimeMs;
use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::api::Api;
use crate::cmd::who::Who;
use crate::cmd::{Failure, block_on};
use crate::network::table;

mod margin;
mod options;

/// Arguments of `query`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  ballast query book BTC-PERP --depth 5\n  \
    ballast query markets --group BTC --kind option\n  ballast query account ballast1... --json\n  ballast query account --account 1\n  ballast query \
    block latest")]
pub struct Args {
    #[command(flatten)]
    who: Who,
    /// State after this height, one of the last 16 [default: the newest]
    #[arg(long, global = true, value_name = "H")]
    height: Option<u64>,
    /// Print the node's answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Height, app hash and sums over the chain. Example: ballast query chain
    Chain,
    /// Balances, positions and orders of an account. Orders that wait, hidden lots of icebergs, pegs
    /// and links only with its key. Example: ballast query account --account 1
    Account {
        /// `ballast1...`, with `/N` for a subaccount [default: that of the key]
        address: Option<String>,
    },
    /// Rate limits, subaccounts and agents of a master. Example: ballast query master ballast1...
    Master {
        /// `ballast1...`
        address: String,
    },
    /// Price levels of a market. Example: ballast query book BTC/USDC --depth 5
    Book {
        /// Symbol or number
        market: String,
        /// Levels of each side
        #[arg(long, default_value_t = 10)]
        depth: u64,
    },
    /// All about one market. Example: ballast query market BTC-PERP
    Market {
        /// Symbol or number
        market: String,
    },
    /// Markets that are not settled, with volatility and greeks of options. Example: ballast query
    /// markets --group BTC --kind option --expiry 2026-12-25T08:00:00Z
    Markets(MarketsArgs),
    /// Forwards, rates and volatility curves that a group's options are priced from. Example: ballast
    /// query surface BTC
    Surface {
        /// Name or number
        group: String,
    },
    /// An open order; one that waits only with a key of its account. Example: ballast query order
    /// 16777216 --account 1
    Order {
        /// The id that the exchange gave
        id: String,
    },
    /// What a block did. Example: ballast query block latest
    Block {
        /// A height, or `latest`
        #[arg(default_value = "latest")]
        block: String,
    },
    /// The result of a transaction. Example: ballast query tx 9f86d0...
    Tx {
        /// Its hash, 64 hex characters
        hash: String,
    },
    /// The last trades of a market. Example: ballast query trades BTC-PERP --limit 20
    Trades {
        /// Symbol or number
        market: String,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u64,
    },
    #[command(flatten)]
    Margin(margin::Verb),
}

#[derive(clap::Args, Debug)]
struct MarketsArgs {
    /// Only of this group (name or number)
    #[arg(long)]
    group: Option<String>,
    /// Only of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only those that expire at this time: RFC 3339 in UTC, or ms since 1970
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    expiry: Option<TimeMs>,
    /// Settled ones too
    #[arg(long)]
    settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Spot,
    Perpetual,
    Future,
    Option,
}

fn time_ms(text: &str) -> Result<TimeMs, String> {
    let ms = text.parse().ok().or_else(|| time::parse(text));
    ms.ok_or_else(|| format!("{text:?} is not a time such as 2026-12-25T08:00:00Z"))
}

impl MarketsArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        let kind = self.kind.map(|kind| match kind {
            Kind::Spot => "spot",
            Kind::Perpetual => "perpetual",
            Kind::Future => "future",
            Kind::Option => "option",
        });
        let named = [
            ("group", self.group.clone()),
            ("kind", kind.map(str::to_owned)),
            ("expiry", self.expiry.map(|ms| ms.to_string())),
            ("settled", self.settled.then(|| "true".to_owned())),
        ];
        let given = named.into_iter();
        given
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

/// Asks, and prints the answer.
pub fn run(args: Args) -> Result<(), Failure> {
    block_on(ask(args))?
}

async fn ask(args: Args) -> Result<(), Failure> {
    let (api, secret) = args.who.proving_api().await?;
    let own = secret.map(|secret| secret.id().to_string());
    let mut query = Vec::new();
    if let Some(height) = args.height {
        query.push(("height", height.to_string()));
    }
    let answer = match &args.verb {
        Verb::Margin(verb) => margin::ask(verb, &api, own.as_ref(), &query).await?,
        verb => read(verb, &api, own.as_ref(), query).await?,
    };
    if args.json {
        println!("{answer}");
    } else {
        print!("{}", text(&args.verb, &answer));
    }
    Ok(())
}

/// What one `GET` tells.
async fn read(
    verb: &Verb,
    api: &Api,
    own: Option<&String>,
    mut query: Vec<(&str, String)>,
) -> Result<Value, Failure> {
    let parts: Vec<&str> = match verb {
        Verb::Margin(_) => Vec::new(),
        Verb::Chain => vec!["chain"],
        Verb::Account { address } => {
            let address = address.as_ref().or(own);
            let address = address.ok_or("address: is missing; or name a key, as --account N")?;
            match address.split_once('/') {
                Some((master, sub)) => vec!["accounts", master, sub],
                None => vec!["accounts", address],
            }
        }
        Verb::Master { address } => vec!["masters", address],
        Verb::Book { market, depth } => {
            query.push(("depth", depth.to_string()));
            vec!["book", market]
        }
        Verb::Market { market } => vec!["markets", market],
        Verb::Markets(args) => {
            query.extend(args.query());
            vec!["markets"]
        }
        Verb::Surface { group } => vec!["surface", group],
        Verb::Order { id } => vec!["orders", id],
        Verb::Block { block } => vec!["blocks", block],
        Verb::Tx { hash } => vec!["txs", hash],
        Verb::Trades { market, limit } => {
            query.push(("limit", limit.to_string()));
            vec!["trades", market]
        }
    };
    let path: Vec<&str> = std::iter::once("v1").chain(parts).collect();
    Ok(api.get(&path, &query).await?)
}

fn text(verb: &Verb, answer: &Value) -> String {
    match verb {
        Verb::Chain | Verb::Order { .. } => fields(answer),
        Verb::Market { .. } => fields(answer) + &fields(&answer["greeks"]),
        Verb::Markets(MarketsArgs {
            kind: Some(Kind::Option),
            ..
        }) => options::list(answer),
        Verb::Surface { .. } => options::surface(answer),
        Verb::Markets(_) => list(
            &answer["markets"],
            &[
                "market",
                "id",
                "kind",
                "expiry",
                "tick",
                "lot",
                "matching",
                "status",
                "mark_decimal",
                "index_decimal",
                "last_decimal",
                "open_interest_decimal",
            ],
        ),
        Verb::Book { .. } => book(answer),
        Verb::Trades { .. } => list(
            &answer["trades"],
            &[
                "trade",
                "height",
                "side",
                "price_decimal",
                "size_decimal",
                "maker",
                "taker",
            ],
        ),
        Verb::Account { .. } => account(answer),
        Verb::Master { .. } => {
            fields(answer) + &section("agents", list(&answer["agents"], &["key", "expiry"]))
        }
        Verb::Tx { .. } => {
            let actions = ["name", "order", "filled", "message", "parts"];
            fields(answer) + &section("actions", list(&answer["actions"], &actions))
        }
        Verb::Block { .. } => block(answer),
        Verb::Margin(verb) => margin::text(verb, answer),
    }
}

/// Margin, then balances, positions and orders.
fn account(answer: &Value) -> String {
    let balances = ["asset", "balance_decimal", "reserved_decimal"];
    let positions = [
        "market",
        "size_decimal",
        "cost_decimal",
        "unrealised_decimal",
    ];
    let orders = [
        "order",
        "market",
        "side",
        "price_decimal",
        "rests_at_decimal",
        "remaining_decimal",
        "shown_decimal",
        "state",
        "trigger",
        "peg",
        "twap",
        "link",
        "client_id",
    ];
    fields(answer)
        + &section("balances", list(&answer["balances"], &balances))
        + &section("positions", list(&answer["positions"], &positions))
        + &section("orders", list(&answer["orders"], &orders))
}

/// A name and a value a line, for what is neither a list nor an object.
fn fields(answer: &Value) -> String {
    let members = answer.as_object().into_iter().flatten();
    let plain = members.filter(|(_, value)| {
        let words = value
            .as_array()
            .is_some_and(|list| list.iter().all(|v| !v.is_object()));
        let shown = !value.is_object() || described(value).is_some();
        !value.is_null() && shown && (!value.is_array() || words)
    });
    let rows: Vec<(&String, String)> = plain
        .filter(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty()))
        .map(|(name, value)| (name, cell(value)))
        .collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter()
        .map(|(name, value)| format!("{name:<width$}  {value}\n"))
        .collect()
}

/// A table of the named fields of each element.
fn list(elements: &Value, columns: &[&str]) -> String {
    let elements = elements.as_array().map(Vec::as_slice).unwrap_or_default();
    if elements.is_empty() {
        return "none\n".to_owned();
    }
    let header: Vec<&str> = columns
        .iter()
        .map(|name| name.strip_suffix("_decimal").unwrap_or(name))
        .collect();
    let row = |element: &Value| columns.iter().map(|name| cell(&element[name])).collect();
    table(&header, elements.iter().map(row).collect())
}

fn section(title: &str, body: String) -> String {
    format!("\n{title}\n{body}")
}

/// Asks above bids, best prices in the middle.
fn book(answer: &Value) -> String {
    let side = |name: &str| {
        let levels = answer[name]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let row = |level: &Value| {
            let columns = ["price_decimal", "size_decimal", "orders"];
            let mut row = vec![name.trim_end_matches('s').to_owned()];
            row.extend(columns.iter().map(|column| cell(&level[column])));
            row
        };
        levels.iter().map(row).collect::<Vec<_>>()
    };
    let mut rows = side("asks");
    rows.reverse();
    rows.extend(side("bids"));
    let at = format!(
        "{} at height {}\n",
        cell(&answer["market"]),
        answer["height"]
    );
    at + &match rows.is_empty() {
        true => "the book is empty\n".to_owned(),
        false => table(&["side", "price", "size", "orders"], rows),
    }
}

fn block(answer: &Value) -> String {
    let bundles = answer["txs"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let txs: Vec<Value> = bundles
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .cloned()
        .collect();
    let events = answer["events"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let events = events
        .iter()
        .map(|event| format!("{event}\n"))
        .collect::<String>();
    fields(answer)
        + &section("transactions", list(&Value::Array(txs), &["hash", "name"]))
        + &section(
            "events",
            if events.is_empty() {
                "none\n".to_owned()
            } else {
                events
            },
        )
}

/// Trigger, peg, schedule or link of an order, as `mark below 97000.0`.
fn described(value: &Value) -> Option<String> {
    let word = |name: &str| value[name].as_str().unwrap_or_default();
    if value.get("condition").is_some() {
        let distance = match value["distance_ppm"].as_u64() {
            Some(ppm) => format!("{ppm} ppm"),
            None => word("distance_decimal").to_owned(),
        };
        return Some(match word("condition") {
            "trail" => format!("{} trail {distance}", word("source")),
            condition => format!("{} {condition} {}", word("source"), word("price_decimal")),
        });
    }
    if value.get("offset").is_some() {
        return Some(match word("offset_decimal") {
            below if below.starts_with('-') => format!("{} {below}", word("to")),
            above => format!("{} +{above}", word("to")),
        });
    }
    if let Some(interval) = value["interval_ms"].as_u64() {
        let slices = value["duration_ms"].as_u64()? / interval.max(1) + 1;
        let sent = value["next"].as_u64().unwrap_or(0);
        return Some(format!("{sent} of {slices} slices"));
    }
    if value.get("legs").is_some() {
        let orders = [cell(&value["order"]), cell(&value["legs"])];
        return Some(format!(
            "{} {} {}",
            word("kind"),
            word("rule"),
            orders.join(" ")
        ));
    }
    if let Some(name) = value["name"].as_str() {
        return Some(format!("{name} {}", cell(&value["order"])));
    }
    None
}

/// Text without quotes, `-` for nothing, words of a list side by side.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(" "),
        Value::Object(_) => described(value).unwrap_or_default(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn books_are_shown_with_the_best_prices_in_the_middle() {
        let level = |price: &str| json!({"price_decimal": price, "size_decimal": "1", "orders": 2});
        let answer = json!({
            "market": "M", "height": 7,
            "asks": [level("11"), level("12")], "bids": [level("10")],
        });
        let prices: Vec<String> = book(&answer)
            .lines()
            .skip(2)
            .map(|line| {
                line.split_whitespace()
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(prices, ["ask 12", "ask 11", "bid 10"]);
        let empty = json!({"market": "M", "height": 7, "asks": [], "bids": []});
        assert_eq!(book(&empty), "M at height 7\nthe book is empty\n");
    }

    #[test]
    fn triggers_are_shown_in_a_line() {
        let below = json!({"source": "mark", "condition": "below", "price_decimal": "97000.0"});
        assert_eq!(cell(&below), "mark below 97000.0");
        let trail = json!({"source": "last", "condition": "trail", "distance_ppm": 20_000});
        assert_eq!(
            fields(&json!({ "trigger": trail })),
            "trigger  last trail 20000 ppm\n"
        );
    }

    #[test]
    fn pegs_schedules_and_links_are_shown_in_a_line() {
        for (value, shown) in [
            (
                json!({"to": "index", "offset": -3, "offset_decimal": "-0.3"}),
                "index -0.3",
            ),
            (
                json!({"to": "bid", "offset": 0, "offset_decimal": "0.0"}),
                "bid +0.0",
            ),
            (
                json!({"duration_ms": 60_000, "interval_ms": 1_000, "next": 3}),
                "3 of 61 slices",
            ),
            (
                json!({"kind": "otoco", "rule": "first-hit", "order": null, "legs": ["1", "2"]}),
                "otoco first-hit - 1 2",
            ),
        ] {
            assert_eq!(cell(&value), shown);
        }
        let part = |order| json!({"name": "OK", "order": order, "filled": 0});
        assert_eq!(cell(&json!([part("5"), part("6")])), "OK 5 OK 6");
        assert_eq!(cell(&json!([])), "-");
    }

    #[test]
    fn fields_leave_out_what_has_a_table_of_its_own() {
        let answer = json!({"a": 1, "long": "x", "n": null, "list": [{"b": 1}], "subs": [0, 1]});
        assert_eq!(fields(&answer), "a     1\nlong  x\nsubs  0 1\n");
    }
}
