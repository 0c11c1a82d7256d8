//! Margin explained, orders tried out, distances to liquidation, proposed parameters.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{cell, fields, list, options, section};
use crate::api::Api;
use crate::cmd::Failure;
use crate::network::table;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// What an account's margin is made of. Example: ballast query margin --account 1 --explain
    Margin {
        /// `ballast1...`, with `/N` for a subaccount [default: that of the key]
        address: Option<String>,
        /// Also marks, scenarios and charges, and what each market needs
        #[arg(long)]
        explain: bool,
    },
    /// The margin of an account after orders that are not sent. Example: ballast query what-if
    /// --account 1 --order "BTC-PERP buy 2 @ 99000" --order "BTC-PERP sell 1 @ 101000 filled"
    WhatIf {
        /// `ballast1...`, with `/N` for a subaccount [default: that of the key]
        address: Option<String>,
        /// `SYMBOL buy|sell SIZE @ PRICE`, open; with `filled` at its end it has traded there
        #[arg(long = "order", value_name = "ORDER", value_parser = order)]
        orders: Vec<Value>,
        /// In this margin mode, `standard` or `portfolio` [default: the account's]
        #[arg(long, value_name = "MODE")]
        mode: Option<String>,
        /// As in `query margin`
        #[arg(long)]
        explain: bool,
    },
    /// How far the prices of each group may move until an account is under maintenance margin.
    /// Example: ballast query liquidation --account 1
    Liquidation {
        /// `ballast1...`, with `/N` for a subaccount [default: that of the key]
        address: Option<String>,
    },
    /// Accounts that other parameters of portfolio margin would put under initial margin. Example:
    /// ballast query proposed-margin proposal.json
    ProposedMargin {
        /// `{"group": "BTC", "margin": ..}`, the margin as in a genesis: a preset's name or an object
        file: PathBuf,
    },
}

/// Reads an order as people write it.
fn order(text: &str) -> Result<Value, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (words, filled) = match words.as_slice() {
        [words @ .., "filled"] => (words, true),
        words => (words, false),
    };
    let [market, side @ ("buy" | "sell"), size, "@", price] = words else {
        return Err(format!(
            "{text:?} is not SYMBOL buy|sell SIZE @ PRICE [filled]"
        ));
    };
    Ok(json!({
        "market": market, "side": side, "size": size, "price": price, "filled": filled,
    }))
}

/// Asks; `own` is the address of the key.
pub(super) async fn ask(
    verb: &Verb,
    api: &Api,
    own: Option<&String>,
    query: &[(&str, String)],
) -> Result<Value, Failure> {
    let answer = match verb {
        Verb::Margin { address, .. } => api.get(&path(address, own, "margin")?, query).await?,
        Verb::Liquidation { address } => {
            api.get(&path(address, own, "liquidation")?, query).await?
        }
        Verb::WhatIf {
            address,
            orders,
            mode,
            ..
        } => {
            let body = json!({"orders": orders, "margin_mode": mode});
            let path = path(address, own, "what_if")?;
            api.post(&path, query, &body).await?
        }
        Verb::ProposedMargin { file } => proposed(file, api, query).await?,
    };
    Ok(answer)
}

fn path<'a>(
    address: &'a Option<String>,
    own: Option<&'a String>,
    what: &'a str,
) -> Result<Vec<&'a str>, Failure> {
    let address = address.as_ref().or(own);
    let address = address.ok_or("address: is missing; or name a key, as --account N")?;
    let (master, sub) = address.split_once('/').unwrap_or((address, "0"));
    Ok(vec!["v1", "accounts", master, sub, what])
}

/// All parts of the answer as one.
async fn proposed(file: &Path, api: &Api, query: &[(&str, String)]) -> Result<Value, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let mut body: Value =
        serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    if !body.is_object() {
        return Err(format!("{name}: is not an object").into());
    }
    let (mut accounts, mut looked_at) = (Vec::new(), 0);
    loop {
        let mut answer = api
            .post(&["v1", "margin", "proposed"], query, &body)
            .await?;
        looked_at += answer["looked_at"].as_u64().unwrap_or(0);
        if let Value::Array(more) = answer["accounts"].take() {
            accounts.extend(more);
        }
        if answer["next"].is_null() {
            answer["accounts"] = Value::Array(accounts);
            answer["looked_at"] = looked_at.into();
            return Ok(answer);
        }
        body["after"] = answer["next"].take();
    }
}

pub(super) fn text(verb: &Verb, answer: &Value) -> String {
    match verb {
        Verb::Margin { explain, .. } | Verb::WhatIf { explain, .. } => margin(answer, *explain),
        Verb::Liquidation { .. } => list(
            &answer["groups"],
            &["group", "index", "down", "down_index", "up", "up_index"],
        ),
        Verb::ProposedMargin { .. } => {
            let rows = elements(&answer["accounts"]).iter();
            let row = |of: &Value| {
                let mut row = vec![cell(&of["account"])];
                for when in ["before", "after"] {
                    row.extend(SUMS.iter().map(|name| cell(&of[when][name])));
                }
                row.push(cell(&of["under_maintenance"]));
                row
            };
            let header = [
                "account",
                "equity",
                "initial",
                "maintenance",
                "held",
                "equity then",
                "initial then",
                "maintenance then",
                "held then",
                "under maintenance",
            ];
            fields(answer) + "\n" + &some(&header, rows.map(row).collect())
        }
    }
}

const SUMS: [&str; 4] = [
    "equity",
    "initial_margin",
    "maintenance_margin",
    "held_margin",
];

fn elements(of: &Value) -> &[Value] {
    of.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn some(header: &[&str], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    table(header, rows)
}

/// Sums of the account and its groups, all in the margin asset.
fn margin(answer: &Value, explain: bool) -> String {
    let mut sums = vec![("account".to_owned(), &answer["total"])];
    for group in elements(&answer["groups"]) {
        sums.push((cell(&group["group"]), &group["total"]));
    }
    let row = |(name, of): (String, &Value)| {
        let figures = SUMS.iter().map(|figure| cell(&of[figure]));
        std::iter::once(name).chain(figures).collect()
    };
    let header = ["of", "equity", "initial", "maintenance", "held"];
    let unit = format!("sums, {}", cell(&answer["margin_asset"]));
    let mut text = fields(answer);
    text += &section(&unit, table(&header, sums.into_iter().map(row).collect()));
    if explain {
        for group in elements(&answer["groups"]) {
            text += &explained(group);
        }
    }
    text
}

fn explained(group: &Value) -> String {
    let name = cell(&group["group"]);
    let title = |what: &str| format!("{name}: {what}");
    let markets = [
        "market",
        "position",
        "mark",
        "value_per_lot",
        "cost",
        "unrealised",
        "bids",
        "asks",
        "held_margin",
    ];
    let mut text = section(&title("markets"), list(&group["markets"], &markets));
    let portfolio = &group["portfolio"];
    if portfolio.is_null() {
        return text + &section(&title("what markets need"), needs(group));
    }
    let marks = &portfolio["marks"];
    text += &section(&title("marks"), fields(marks));
    let expiry = |of: &Value| {
        let rest = ["secs", "forward", "fixed", "rate"].map(|name| cell(&of[name]));
        std::iter::once(options::date(&of["expiry"]))
            .chain(rest)
            .collect()
    };
    let expiries = elements(&marks["expiries"]).iter().map(expiry).collect();
    let header = ["expiry", "secs", "forward", "fixed", "rate"];
    text += &section(&title("expiries"), some(&header, expiries));
    let columns = ["move", "volatility", "weight", "secs", "result"];
    text += &section(&title("scenarios"), list(&portfolio["scenarios"], &columns));
    text += &section(
        &title("charges of what is held"),
        fields(&portfolio["held"]),
    );
    text += &section(&title("spot and open orders"), fields(portfolio));
    text + &fields(&portfolio["open_orders"])
}

/// The two scenarios of each market in Standard mode.
fn needs(group: &Value) -> String {
    let columns = [
        "long_rate",
        "short_rate",
        "long_loses",
        "short_loses",
        "open_orders",
    ];
    let mut rows = Vec::new();
    for market in elements(&group["markets"]) {
        for margin in ["initial", "maintenance"] {
            let of = &market[margin];
            if of.is_object() {
                let mut row = vec![cell(&market["market"]), margin.to_owned()];
                row.extend(columns.iter().map(|name| cell(&of[name])));
                rows.push(row);
            }
        }
    }
    let header: Vec<&str> = ["market", "margin"].into_iter().chain(columns).collect();
    some(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_people_write_them() {
        let read = |text| order(text);
        assert_eq!(
            read("BTC-PERP buy 2 @ 99000.5"),
            Ok(json!({
                "market": "BTC-PERP", "side": "buy", "size": "2", "price": "99000.5",
                "filled": false,
            }))
        );
        assert_eq!(
            read("X sell 1 @ 2 filled").map(|of| of["filled"].clone()),
            Ok(json!(true))
        );
        for text in [
            "",
            "X buy 1",
            "X hold 1 @ 2",
            "X buy 1 @ 2 now",
            "X buy 1 2 @",
        ] {
            assert_eq!(
                read(text),
                Err(format!(
                    "{text:?} is not SYMBOL buy|sell SIZE @ PRICE [filled]"
                ))
            );
        }
    }

    #[test]
    fn margin_is_shown_by_group() {
        let total = |equity: &str| {
            json!({"equity": equity, "initial_margin": "2", "maintenance_margin": "1",
                "held_margin": "1"})
        };
        let answer = json!({
            "account": "a", "margin_asset": "USDC", "total": total("10"),
            "groups": [{"group": "BTC", "total": total("3"), "markets": [], "portfolio": null}],
        });
        let shown = margin(&answer, false);
        let words: Vec<Vec<&str>> = shown
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert!(words.contains(&vec!["sums,", "USDC"]), "{shown}");
        assert!(
            words.contains(&vec!["account", "10", "2", "1", "1"]),
            "{shown}"
        );
        assert!(words.contains(&vec!["BTC", "3", "2", "1", "1"]), "{shown}");
        assert!(margin(&answer, true).contains("BTC: what markets need\nnone\n"));
    }
}
