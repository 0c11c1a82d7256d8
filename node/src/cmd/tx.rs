//! `ballast tx`: sign a transaction, send it, and wait for its result.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ballast_types::{Account, AccountId, Action, TxBody, chain_hash, sign_native};
use clap::Subcommand;
use serde_json::Value;

use crate::actions::{ActionSpec, millis, now_ms};
use crate::api::Api;
use crate::cmd::who::Who;
use crate::cmd::{Failure, block_on};
use crate::listing::Listing;
use crate::network::table;
use crate::units::Span;

/// Arguments of `tx`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Prices and sizes are decimals in units; the market's tick and lot convert \
    them. The result is waited for; the exit code is 1 when anything was refused.\n\nWho signs is \
    said by --account N (of the default localnet, or of the network whose --json line is in \
    --keys FILE), by --key FILE, or by --key-hex.\n\nExample, with a running `ballast localnet`:\n  \
    ballast tx order --account 1 --market BTC-PERP --side buy --size 0.5 --price 99000\n\nWith \
    `ballast dev --json > dev.json`:\n  ballast tx order --keys dev.json --account 1 --market \
    BTC-PERP --side buy --size 0.5 --price 99000"
)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Who signs, and where it goes")]
struct Common {
    #[command(flatten)]
    who: Who,
    /// Agents: address of the account to act for [default: the key's own]
    #[arg(long, global = true, value_name = "ADDRESS")]
    master: Option<AccountId>,
    /// Subaccount that acts
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    sub: u16,
    /// After this time the transaction is refused
    #[arg(long, global = true, value_name = "TIME", default_value = "1m")]
    expires_in: Span,
    /// How long to wait for the result; 0s does not wait
    #[arg(long, global = true, value_name = "TIME", default_value = "20s")]
    wait: Span,
    /// Print the node's answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Verb {
    #[command(flatten)]
    Action(Box<ActionSpec>),
    /// Sign several actions as one transaction
    #[command(
        after_help = "FILE is a JSON list; the fields are the options of the other verbs:\n  \
        [{\"action\":\"cancel\",\"market\":\"BTC-PERP\"},\n   {\"action\":\"order\",\"market\":\
        \"BTC-PERP\",\"side\":\"buy\",\"size\":\"1\",\"price\":\"99000\"},\n   \
        {\"action\":\"order\",\"market\":\"BTC-PERP\",\"side\":\"sell\",\"size\":\"1\",\
        \"price\":\"101000\",\"type\":\"post-only\"},\n   \
        {\"action\":\"order\",\"market\":\"BTC-PERP\",\"side\":\"sell\",\"size\":\"1\",\
        \"type\":\"market\",\n    \"slippage\":\"2\",\"reduce_only\":true,\"trigger\":\"mark\",\
        \"below\":\"97000\"},\n   {\"action\":\"prices\",\"prices\":[\"BTC-PERP=100500\",\
        \"index:BTC-PERP=100490\"]},\n   {\"action\":\"status\",\"market\":\"BTC-PERP\",\
        \"status\":\"post-only\"},\n   {\"action\":\"cancel-after\",\"time\":\"30s\"},\n   \
        {\"action\":\"margin-mode\",\"mode\":\"portfolio\"}]"
    )]
    Batch {
        /// The list; `-` reads stdin
        file: PathBuf,
    },
    /// Send the bytes of a signed transaction
    #[command(after_help = "Example:\n  ballast tx raw 01ab...")]
    Raw {
        /// Hexadecimal
        tx: String,
    },
}

/// Sends the transaction and prints its result. Fails when any part of it was refused.
pub fn run(args: Args) -> Result<(), Failure> {
    block_on(send(args))?
}

async fn send(args: Args) -> Result<(), Failure> {
    let common = &args.common;
    let (api, tx) = match &args.verb {
        Verb::Raw { tx } => {
            let tx = hex::decode(tx.strip_prefix("0x").unwrap_or(tx))
                .map_err(|error| format!("tx: is not hexadecimal: {error}"))?;
            (common.who.api()?, tx)
        }
        Verb::Action(action) => sign(common, std::slice::from_ref(&**action)).await?,
        Verb::Batch { file } => sign(common, &read_batch(file)?).await?,
    };
    let answer = api.submit(tx, common.wait.0).await?;
    if common.json {
        println!("{answer}");
    } else {
        print!("{}", describe(&answer, common.wait.0));
    }
    refusals(&answer)
}

async fn sign(common: &Common, specs: &[ActionSpec]) -> Result<(Api, Vec<u8>), Failure> {
    let (api, secret) = common.who.proving_api().await?;
    let secret = secret.ok_or("key: name one of --account, --key and --key-hex")?;
    let account = Account::new(common.master.unwrap_or_else(|| secret.id()), common.sub);
    let listing = Listing::fetch(&api).await?;
    let mut actions: Vec<Action> = Vec::with_capacity(specs.len());
    for (at, spec) in specs.iter().enumerate() {
        let action = listing.action(&api, &account, spec).await;
        actions.push(match specs {
            [_] => action?,
            _ => action.map_err(|error| format!("actions[{at}].{error}"))?,
        });
    }
    let now = now_ms();
    let body = TxBody {
        chain: chain_hash(&listing.chain_id),
        account,
        key: secret.public(),
        nonce: now,
        expiry: now.saturating_add(millis(common.expires_in.0)),
        actions,
    };
    Ok((api, sign_native(&body, &secret)))
}

fn read_batch(file: &Path) -> Result<Vec<ActionSpec>, Failure> {
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let specs = serde_json::from_str(&text);
    Ok(specs.map_err(|error| format!("{}: {error}", file.display()))?)
}

/// The answer for people.
fn describe(answer: &Value, wait: Duration) -> String {
    let hash = answer["hash"].as_str().unwrap_or_default();
    let result = &answer["result"];
    if result.is_null() {
        let state = match wait.is_zero() {
            true => "sent".to_owned(),
            false => format!("no block held it within {} s", wait.as_secs_f64()),
        };
        return format!("transaction {hash}\n{state}; ask later: ballast query tx {hash}\n");
    }
    let mut text = format!(
        "transaction {hash}\n{} in block {}\n",
        result["name"].as_str().unwrap_or_default(),
        result["height"],
    );
    let actions = result["actions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut rows = Vec::new();
    for (at, action) in actions.iter().enumerate() {
        rows.push(row(at.to_string(), action));
        for (part, result) in parts(action).iter().enumerate() {
            rows.push(row(format!("{at}.{part}"), result));
        }
    }
    if !rows.is_empty() {
        text += &table(&["action", "result", "order", "lots filled", "why"], rows);
    }
    text
}

fn row(at: String, result: &Value) -> Vec<String> {
    let word = |name: &str| result[name].as_str().unwrap_or("-").to_owned();
    vec![
        at,
        word("name"),
        word("order"),
        result["filled"].to_string(),
        word("message"),
    ]
}

/// Results of the parts of a scale or of quotes.
fn parts(action: &Value) -> &[Value] {
    action["parts"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// An error when the transaction, or an action of it, was refused.
fn refusals(answer: &Value) -> Result<(), Failure> {
    let result = &answer["result"];
    let refused = |value: &Value| value["code"].as_u64().is_some_and(|code| code != 0);
    let name = |value: &Value| {
        let name = value["name"].as_str().unwrap_or_default();
        match value["message"].as_str() {
            Some(message) => format!("{name}: {message}"),
            None => name.to_owned(),
        }
    };
    if refused(result) {
        return Err(format!("the transaction was refused: {}", name(result)).into());
    }
    let actions = result["actions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    // An action of parts counts as its parts.
    let all: Vec<&Value> = actions
        .iter()
        .flat_map(|action| match parts(action) {
            [] => std::slice::from_ref(action),
            parts => parts,
        })
        .collect();
    let mut bad = all.iter().copied().filter(|result| refused(result));
    match bad.next() {
        None => Ok(()),
        Some(first) => {
            let count = bad.count() + 1;
            let total = all.len();
            let what = match total == actions.len() {
                true => "actions",
                false => "actions and parts",
            };
            Err(format!(
                "{count} of {total} {what} refused, the first: {}",
                name(first)
            )
            .into())
        }
    }
}
