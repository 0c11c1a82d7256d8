//! A CometBFT home directory, written by our own code.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_zebra::SigningKey;
use serde_json::{Value, json};

use super::config::Config;
use super::keys::{self, NodeKeys};

const CONFIG: &str = "config/config.toml";
const GENESIS: &str = "config/genesis.json";
const NODE_KEY: &str = "config/node_key.json";
const VALIDATOR_KEY: &str = "config/priv_validator_key.json";
const VALIDATOR_STATE: &str = "data/priv_validator_state.json";

/// What went wrong with a file of the home.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no key file of CometBFT.
    #[error("{path}: holds no Ed25519 key in CometBFT's format", path = .path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
}

/// Writes a new home: that of [`create_without_genesis`] and `genesis`, the content of its genesis
/// file (see [`super::genesis::to_json`]). That is written last, so that a home that has one is
/// whole.
pub fn create(home: &Path, keys: &NodeKeys, config: &Config, genesis: &str) -> Result<(), Error> {
    create_without_genesis(home, keys, config)?;
    write_new(home, GENESIS, 0o644, genesis)
}

/// Writes a new home: keys, the state that says that nothing was signed yet, and configuration.
///
/// # Errors
/// Fails when one of the files is there already: a second key would change who the node is, and a
/// fresh signing state would let it sign twice.
pub fn create_without_genesis(home: &Path, keys: &NodeKeys, config: &Config) -> Result<(), Error> {
    for directory in ["config", "data"] {
        let path = home.join(directory);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|source| Error::Io { path, source })?;
    }
    let state = json!({ "height": "0", "round": 0, "step": 0 });
    write_new(
        home,
        NODE_KEY,
        0o600,
        &pretty(&keys::node_key_json(&keys.node)),
    )?;
    write_new(
        home,
        VALIDATOR_KEY,
        0o600,
        &pretty(&keys::validator_key_json(&keys.validator)),
    )?;
    write_new(home, VALIDATOR_STATE, 0o600, &pretty(&state))?;
    write_new(home, CONFIG, 0o644, &config.to_toml())
}

/// Replaces the configuration of an existing home.
pub fn write_config(home: &Path, config: &Config) -> Result<(), Error> {
    let path = home.join(CONFIG);
    let new = path.with_extension("toml.new");
    std::fs::write(&new, config.to_toml())
        .and_then(|()| std::fs::rename(&new, &path))
        .map_err(|source| Error::Io { path, source })
}

/// The keys of an existing home.
pub fn read_keys(home: &Path) -> Result<NodeKeys, Error> {
    Ok(NodeKeys {
        node: read_key(home, NODE_KEY)?,
        validator: read_key(home, VALIDATOR_KEY)?,
    })
}

/// Where the home's genesis file is.
pub fn genesis_path(home: &Path) -> PathBuf {
    home.join(GENESIS)
}

/// Whether [`create`] has finished on this home.
pub fn exists(home: &Path) -> bool {
    genesis_path(home).is_file()
}

fn read_key(home: &Path, file: &str) -> Result<SigningKey, Error> {
    let path = home.join(file);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(Error::Io { path, source }),
    };
    serde_json::from_str(&text)
        .ok()
        .and_then(|value| keys::parse_secret_key(&value))
        .ok_or(Error::Key { path })
}

fn write_new(home: &Path, file: &str, mode: u32, content: &str) -> Result<(), Error> {
    let path = home.join(file);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|source| Error::Io { path, source })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config() -> Config {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Config::new("n0", "kvstore", address(1), address(2))
    }

    #[test]
    fn what_is_written_reads_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let home = directory.path().join("a/b");
        let keys = NodeKeys::generate().expect("randomness");
        assert!(!exists(&home));
        create(&home, &keys, &config(), "{}").expect("writes");
        assert!(exists(&home));
        let read = read_keys(&home).expect("reads");
        assert_eq!(read.node_id(), keys.node_id());
        assert_eq!(read.validator_public_key(), keys.validator_public_key());
        for file in [NODE_KEY, VALIDATOR_KEY] {
            let mode = std::fs::metadata(home.join(file))
                .expect("exists")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn an_existing_home_is_never_overwritten() {
        let directory = tempfile::tempdir().expect("a directory");
        let home = directory.path();
        let keys = NodeKeys::generate().expect("randomness");
        create(home, &keys, &config(), "{}").expect("writes");
        let others = NodeKeys::generate().expect("randomness");
        let error = create(home, &others, &config(), "{}")
            .expect_err("refused")
            .to_string();
        assert!(error.contains("node_key.json"), "{error}");
        assert_eq!(read_keys(home).expect("reads").node_id(), keys.node_id());
    }

    #[test]
    fn a_configuration_can_be_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let home = directory.path();
        create(
            home,
            &NodeKeys::generate().expect("randomness"),
            &config(),
            "{}",
        )
        .expect("writes");
        let other = Config {
            moniker: "other".to_owned(),
            ..config()
        };
        write_config(home, &other).expect("writes");
        let text = std::fs::read_to_string(home.join(CONFIG)).expect("reads");
        assert_eq!(text, other.to_toml());
    }

    #[test]
    fn errors_name_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = read_keys(directory.path())
            .expect_err("no keys")
            .to_string();
        assert!(error.contains("config/node_key.json"), "{error}");
        std::fs::create_dir(directory.path().join("config")).expect("creates");
        std::fs::write(directory.path().join(NODE_KEY), "{}").expect("writes");
        let error = read_keys(directory.path()).expect_err("no key").to_string();
        assert!(
            error.contains("node_key.json: holds no Ed25519 key"),
            "{error}"
        );
    }
}
