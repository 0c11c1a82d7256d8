//! `ballast genesis`: write, check and edit genesis files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ballast_genesis::{Genesis, GenesisAccount, GenesisAsset, GenesisValidator, Number, time};
use ballast_types::{Account, ChainSpec, KeyId};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::actions::now_ms;
use crate::genesis_file::{self, Error, GenesisFile};

/// Arguments of `genesis`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "A genesis file is CometBFT's genesis.json with the exchange's genesis in \
    its app_state, or that part alone. Groups, markets, series and limits are edited by hand and checked \
    with `validate`. A typical sequence:\n\n  \
    ballast genesis new --demo --chain-id demo-1 --output genesis.json\n  \
    ballast genesis add-validator genesis.json --name v0 --consensus-key HEX --ingress-key HEX\n  \
    ballast genesis add-account genesis.json --address ballast1... --balance USDC=1000\n  \
    ballast genesis validate genesis.json"
)]
pub struct Args {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Write a new genesis file, without validators and with the present time
    New(New),
    /// Check a genesis file; the error names the field and its value
    Validate {
        /// The genesis file
        file: PathBuf,
    },
    /// Add a validator to a genesis file
    AddValidator(AddValidator),
    /// Add an account and its balances to a genesis file
    AddAccount(AddAccount),
}

#[derive(clap::Args, Debug)]
struct New {
    /// Chain id, 1 to 50 characters
    #[arg(long, value_name = "ID", default_value = "ballast-1")]
    chain_id: String,
    /// File to write, which must not exist [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// List the demo markets: BTC and ETH spot, perpetuals and options, AAPL spot. Otherwise there
    /// is only the margin asset USDC
    #[arg(long)]
    demo: bool,
    /// Account that gets plenty of every demo asset; may be repeated
    #[arg(long = "account", value_name = "ADDRESS", requires = "demo")]
    accounts: Vec<Account>,
    /// Address of a key that may publish mark prices; may be repeated
    #[arg(long = "price-authority", value_name = "ADDRESS")]
    price_authorities: Vec<KeyId>,
}

#[derive(clap::Args, Debug)]
struct AddValidator {
    /// The genesis file; it is replaced in one step, after the change was validated
    file: PathBuf,
    /// Its name, for people
    #[arg(long)]
    name: String,
    /// Its CometBFT consensus key (Ed25519, public): 64 hex characters, or the base64 of
    /// priv_validator_key.json
    #[arg(long, value_name = "KEY", value_parser = key)]
    consensus_key: String,
    /// Public Ed25519 key that signs the bundles of its node: 64 hex characters or base64
    #[arg(long, value_name = "KEY", value_parser = key)]
    ingress_key: String,
    /// Its voting power
    #[arg(long, default_value_t = 10)]
    power: u64,
}

#[derive(clap::Args, Debug)]
struct AddAccount {
    /// The genesis file; it is replaced in one step, after the change was validated
    file: PathBuf,
    /// `ballast1...`, with `/N` for a subaccount
    #[arg(long)]
    address: Account,
    /// A balance in units of the asset, as `USDC=1000.50`; may be repeated
    #[arg(long = "balance", value_name = "ASSET=AMOUNT", required = true, value_parser = balance)]
    balances: Vec<(String, Number)>,
}

/// Runs the verb and prints its result.
pub fn run(args: Args) -> Result<(), Error> {
    let (text, value) = match args.verb {
        Verb::New(new) => match write_new(new)? {
            Some(done) => done,
            None => return Ok(()),
        },
        Verb::Validate { file } => match validate(&file) {
            Ok(done) => done,
            Err(error) => {
                if args.json {
                    println!("{}", json!({ "valid": false, "error": error.to_string() }));
                }
                return Err(error);
            }
        },
        Verb::AddValidator(add) => add_validator(add)?,
        Verb::AddAccount(add) => add_account(add)?,
    };
    if args.json {
        println!("{value}");
    } else {
        println!("{text}");
    }
    Ok(())
}

/// What is printed: the line for people, and the JSON.
type Done = (String, Value);

/// `None` when the genesis itself was printed.
fn write_new(new: New) -> Result<Option<Done>, Error> {
    let path = new.output.as_deref().unwrap_or(Path::new("stdout"));
    let mut genesis = if new.demo {
        ballast_genesis::demo(&new.accounts, KeyId::default(), Vec::new())
    } else {
        empty()
    };
    genesis.price_authorities = new.price_authorities.iter().map(KeyId::to_string).collect();
    let file = GenesisFile::new(new.chain_id.clone(), now_ms(), genesis);
    file.validate_draft().map_err(|source| Error::Invalid {
        path: path.to_owned(),
        source,
    })?;
    let Some(output) = new.output else {
        let text = file.to_text().map_err(|error| Error::Io {
            path: path.to_owned(),
            source: error.into(),
        })?;
        print!("{text}");
        return Ok(None);
    };
    genesis_file::create(&output, &file)?;
    let output = output.display().to_string();
    Ok(Some((
        format!("{output}: chain {}; add its validators next", new.chain_id),
        json!({ "file": output, "chain_id": new.chain_id }),
    )))
}

/// An exchange in USDC without markets.
fn empty() -> Genesis {
    Genesis::new(GenesisAsset {
        symbol: "USDC".to_owned(),
        denom: None,
        decimals: 6,
    })
}

fn validate(path: &Path) -> Result<Done, Error> {
    let file = genesis_file::read(path)?;
    let validated = file.validate().map_err(|source| Error::Invalid {
        path: path.to_owned(),
        source,
    })?;
    let spec = validated.spec();
    let text = format!(
        "{} is valid: {} assets, {} markets, {} series, {} validators, {} accounts",
        path.display(),
        spec.assets.len(),
        spec.markets.len(),
        spec.series.len(),
        spec.validators.len(),
        accounts(spec),
    );
    let chain = file.chain.as_ref();
    let value = json!({
        "valid": true,
        "chain_id": chain.map(|chain| &chain.chain_id),
        "genesis_time": chain.map(|chain| time::format(chain.genesis_time)),
        "assets": spec.assets.len(),
        "groups": spec.groups.len(),
        "markets": spec.markets.len(),
        "series": spec.series.len(),
        "validators": spec.validators.len(),
        "accounts": accounts(spec),
    });
    Ok((text, value))
}

/// Balances are sorted by account.
fn accounts(spec: &ChainSpec) -> usize {
    spec.balances
        .chunk_by(|(left, ..), (right, ..)| left == right)
        .count()
}

fn add_validator(add: AddValidator) -> Result<Done, Error> {
    let name = add.name.clone();
    let validator = GenesisValidator {
        name: add.name,
        consensus_key: add.consensus_key,
        ingress_key: add.ingress_key,
        power: add.power,
    };
    let file = genesis_file::edit(&add.file, |genesis| genesis.validators.push(validator))?;
    let count = file.genesis.validators.len();
    let path = add.file.display().to_string();
    Ok((
        format!("{path}: added validator {name}, {count} in all"),
        json!({ "file": path, "name": name, "validators": count }),
    ))
}

fn add_account(add: AddAccount) -> Result<Done, Error> {
    let address = add.address.to_string();
    let mut balances = BTreeMap::new();
    for (symbol, amount) in add.balances {
        if balances.contains_key(&symbol) {
            return Err(Error::Invalid {
                path: add.file,
                source: ballast_genesis::Error::Value {
                    field: "--balance".to_owned(),
                    value: format!("{symbol:?}"),
                    reason: "is given twice".to_owned(),
                },
            });
        }
        balances.insert(symbol, amount);
    }
    let account = GenesisAccount {
        address: address.clone(),
        balances,
    };
    let file = genesis_file::edit(&add.file, |genesis| genesis.accounts.push(account))?;
    let count = file.genesis.accounts.len();
    let path = add.file.display().to_string();
    Ok((
        format!("{path}: added account {address}, {count} in all"),
        json!({ "file": path, "address": address, "accounts": count }),
    ))
}

/// A public key as 64 hex characters.
fn key(text: &str) -> Result<String, String> {
    genesis_file::key_bytes(text)
        .map(hex::encode)
        .ok_or_else(|| "is neither 64 hex characters nor 32 bytes in base64".to_owned())
}

fn balance(text: &str) -> Result<(String, Number), String> {
    let (symbol, amount) = text
        .split_once('=')
        .ok_or_else(|| "is not ASSET=AMOUNT, as USDC=1000".to_owned())?;
    Ok((symbol.to_owned(), amount.parse()?))
}
