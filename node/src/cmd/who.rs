//! Who signs, and which node is asked.

use std::path::{Path, PathBuf};

use ballast_types::{Secret, chain_hash};
use serde::Deserialize;

use crate::api::{Api, Proof};
use crate::cmd::Failure;
use crate::key_file::{self, KeyType};
use crate::network::Network;
use crate::{homes, localnet, ports};

/// Options of every command that asks a node and may sign.
#[derive(clap::Args, Debug)]
pub struct Who {
    /// HTTP address of a node [default: the network's first node]
    #[arg(long, global = true, value_name = "URL")]
    node: Option<String>,
    /// File with the --json line of a network, or the home of a localnet, for nodes and accounts
    /// [default: ~/.ballast/localnet]
    #[arg(long, global = true, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Number of the network's account that signs
    #[arg(long, global = true, value_name = "N")]
    account: Option<usize>,
    /// Key file that signs, as `ballast keys new` writes it
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "account")]
    key: Option<PathBuf>,
    /// Secret key that signs: 64 hex characters. Others can see it in the list of processes
    #[arg(long, global = true, value_name = "HEX", conflicts_with_all = ["account", "key"])]
    key_hex: Option<String>,
    /// Type of --key-hex
    #[arg(long, global = true, value_enum, default_value = "ed25519")]
    key_type: KeyType,
}

#[derive(Deserialize)]
struct Chain {
    chain_id: String,
}

impl Who {
    /// A client of the node: the one given, else the first of the network, else the one that a
    /// network with default ports has.
    pub fn api(&self) -> Result<Api, Failure> {
        let keys = self.keys.as_deref();
        if let Some(url) = &self.node {
            return Ok(Api::new(url)?);
        }
        let network = match network(keys) {
            Ok(network) => Some(network),
            Err(error) if keys.is_some() => return Err(error),
            Err(_) => None,
        };
        let first = network.and_then(|network| network.nodes.into_iter().next());
        Ok(match first {
            Some(first) => Api::new(&first.http)?,
            None => {
                let ports = ports::NodePorts::of(ports::DEFAULT_BASE, 0)?;
                Api::new(&format!("http://{}", ports.http))?
            }
        })
    }

    /// [`Self::api`], which proves the key to the node when one is named.
    pub async fn proving_api(&self) -> Result<(Api, Option<Secret>), Failure> {
        let api = self.api()?;
        let Some(secret) = self.secret()? else {
            return Ok((api, None));
        };
        let chain: Chain = api.read(&["v1", "chain"]).await?;
        let proof = Proof::new(secret.clone(), chain_hash(&chain.chain_id));
        Ok((api.with_proof(proof), Some(secret)))
    }

    /// The key that signs, when one is named.
    fn secret(&self) -> Result<Option<Secret>, Failure> {
        if let Some(path) = &self.key {
            return Ok(Some(key_file::read(path)?));
        }
        if let Some(text) = &self.key_hex {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes)
                .map_err(|_| "key-hex: is not 64 hex characters")?;
            let secret = match self.key_type {
                KeyType::Ed25519 => Some(Secret::ed25519(bytes)),
                KeyType::Secp256k1 => Secret::secp256k1(bytes),
            };
            return match secret {
                Some(secret) => Ok(Some(secret)),
                None => Err("key-hex: is not a secret key of secp256k1".into()),
            };
        }
        let Some(at) = self.account else {
            return Ok(None);
        };
        let network = network(self.keys.as_deref())?;
        let count = network.accounts.len();
        let record = network.accounts.get(at);
        let record = record.ok_or_else(|| format!("account: {at} is not below {count}"))?;
        Ok(Some(record.secret()?))
    }
}

/// The network whose `--json` line is in a file, or whose home is a directory; by default the
/// localnet in `~/.ballast/localnet`.
fn network(keys: Option<&Path>) -> Result<Network, Failure> {
    let home = match keys {
        Some(file) if !file.is_dir() => return Ok(Network::read(file)?),
        Some(home) => home.to_owned(),
        None => homes::default_localnet()?,
    };
    let settings = localnet::Settings::read(&home.join(homes::SETTINGS));
    let settings = settings.map_err(|error| {
        format!("there is no localnet: {error}; start one, or name a network with --keys FILE")
    })?;
    Ok(settings.network(&home)?)
}
