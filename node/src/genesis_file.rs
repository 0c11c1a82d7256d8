//! Genesis files: CometBFT's `genesis.json` with the exchange's genesis in it, or that alone.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ballast_genesis::{Genesis, Validated, time};
use ballast_types::TimeMs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny};
use serde_json::value::RawValue;

use crate::cometbft::genesis::{ConsensusParams, GenesisDoc, Validator, to_json};
use crate::cometbft::keys::PUBLIC_KEY_TYPE;

/// A parsed genesis file.
#[derive(Clone, Debug)]
pub struct GenesisFile {
    /// CometBFT's part; `None` when the file is an `app_state` alone.
    pub chain: Option<Chain>,
    /// The exchange's part, not yet validated.
    pub genesis: Genesis,
}

/// What CometBFT's part of the file says, but for the validators.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The chain id.
    pub chain_id: String,
    /// The time before the first block.
    pub genesis_time: TimeMs,
    /// Consensus parameters.
    pub params: ConsensusParams,
    /// Public key and power of each validator, as CometBFT's part lists them.
    validators: Vec<([u8; 32], u64)>,
}

/// Why a genesis file cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value in it is wrong.
    #[error("{path}: {source}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Which value and why.
        source: ballast_genesis::Error,
    },
    /// A file that should be new exists.
    #[error("{path} exists and is not overwritten", path = .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl GenesisFile {
    /// A file for CometBFT whose consensus parameters follow from the limits of `genesis`.
    pub fn new(chain_id: String, genesis_time: TimeMs, genesis: Genesis) -> Self {
        let params = ConsensusParams {
            block_max_bytes: genesis.limits.block_bytes,
            block_max_gas: Some(genesis.limits.block_weight),
            ..ConsensusParams::default()
        };
        let chain = Chain {
            chain_id,
            genesis_time,
            params,
            validators: Vec::new(),
        };
        Self {
            chain: Some(chain),
            genesis,
        }
    }

    /// Reads either form: the whole file is recognised by its `app_state`.
    pub fn parse(text: &str) -> Result<Self, ballast_genesis::Error> {
        #[derive(Deserialize)]
        struct Probe {
            app_state: Option<IgnoredAny>,
        }
        let probe: Probe = ballast_genesis::parse_json(text)?;
        if probe.app_state.is_none() {
            let genesis = ballast_genesis::from_json(text)?;
            return Ok(Self {
                chain: None,
                genesis,
            });
        }
        let doc: Doc = ballast_genesis::parse_json(text)?;
        let params = doc.consensus_params;
        let max_gas = u64::try_from(params.block.max_gas.0).ok();
        let chain = Chain {
            chain_id: doc.chain_id,
            genesis_time: doc.genesis_time,
            params: ConsensusParams {
                block_max_bytes: params.block.max_bytes.0,
                block_max_gas: max_gas,
                evidence_max_age_blocks: params.evidence.max_age_num_blocks.0,
                evidence_max_age: Duration::from_nanos(params.evidence.max_age_duration.0),
                evidence_max_bytes: params.evidence.max_bytes.0,
            },
            validators: doc
                .validators
                .iter()
                .map(|validator| (validator.pub_key.0, validator.power.0))
                .collect(),
        };
        Ok(Self {
            chain: Some(chain),
            genesis: doc.app_state,
        })
    }

    /// Checks all of it, as a chain's first block would.
    pub fn validate(&self) -> Result<Validated, ballast_genesis::Error> {
        let (chain_id, time) = self.chain_id_and_time();
        let validated = ballast_genesis::validate(&self.genesis, chain_id, time)?;
        if let Some(chain) = &self.chain {
            check_params(&chain.params, validated.spec())?;
            check_validators(&chain.validators, validated.spec())?;
        }
        Ok(validated)
    }

    /// Checks what an unfinished file may hold: validators may be missing.
    pub fn validate_draft(&self) -> Result<(), ballast_genesis::Error> {
        let (chain_id, time) = self.chain_id_and_time();
        ballast_genesis::validate_draft(&self.genesis, chain_id, time)
    }

    /// The file's text. CometBFT's validators are those of the exchange's genesis.
    pub fn to_text(&self) -> serde_json::Result<String> {
        let app_state = ballast_genesis::to_json(&self.genesis);
        let Some(chain) = &self.chain else {
            return Ok(app_state);
        };
        let validators: Vec<Validator> = self
            .genesis
            .validators
            .iter()
            .map(|validator| Validator {
                name: validator.name.clone(),
                public_key: key_bytes(&validator.consensus_key).unwrap_or_default(),
                power: validator.power,
            })
            .collect();
        // Line breaks in JSON stand between values only, so the part can be indented as text.
        let app_state = app_state.trim_end().replace('\n', "\n  ");
        let mut text = to_json(&GenesisDoc {
            chain_id: &chain.chain_id,
            genesis_time: chain.genesis_time,
            params: chain.params,
            validators: &validators,
            app_state: &RawValue::from_string(app_state)?,
        })?;
        text.push('\n');
        Ok(text)
    }

    /// CometBFT's chain id and time, or stand-ins for an `app_state` alone.
    fn chain_id_and_time(&self) -> (&str, u64) {
        let chain_id = self
            .chain
            .as_ref()
            .map_or("app-state", |chain| &chain.chain_id);
        (chain_id, self.genesis_time())
    }

    /// The time before the first block in ms since 1970; 0 when the file does not say.
    pub fn genesis_time(&self) -> TimeMs {
        self.chain.as_ref().map_or(0, |chain| chain.genesis_time)
    }
}

/// Reads the file at `path`.
pub fn read(path: &Path) -> Result<GenesisFile, Error> {
    let text = std::fs::read_to_string(path).map_err(io_error(path))?;
    GenesisFile::parse(&text).map_err(|source| Error::Invalid {
        path: path.to_owned(),
        source,
    })
}

/// Writes a new file, whole or not at all; fails when there is one of that name.
pub fn create(path: &Path, file: &GenesisFile) -> Result<(), Error> {
    match written(path, file)?.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Exists {
            path: path.to_owned(),
        }),
        Err(error) => Err(io_error(path)(error.error)),
    }
}

/// Reads the file, changes it, validates it as a draft, and replaces it in one step. A file that
/// would not be valid stays as it was.
pub fn edit(path: &Path, change: impl FnOnce(&mut Genesis)) -> Result<GenesisFile, Error> {
    let mut file = read(path)?;
    change(&mut file.genesis);
    file.validate_draft().map_err(|source| Error::Invalid {
        path: path.to_owned(),
        source,
    })?;
    written(path, &file)?
        .persist(path)
        .map_err(|error| io_error(path)(error.error))?;
    Ok(file)
}

/// A temporary file beside `path` with the content of `file`, on disk, readable by all.
fn written(path: &Path, file: &GenesisFile) -> Result<tempfile::NamedTempFile, Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    let text = file
        .to_text()
        .map_err(|error| io_error(path)(error.into()))?;
    let mut new = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(directory)
        .map_err(io_error(directory))?;
    new.write_all(text.as_bytes())
        .and_then(|()| new.as_file().sync_all())
        .map_err(io_error(path))?;
    Ok(new)
}

/// The 32 bytes of a key in hex, or in the base64 that CometBFT's files have.
pub fn key_bytes(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex::decode_to_slice(text, &mut bytes).is_ok() {
        return Some(bytes);
    }
    BASE64.decode(text).ok()?.try_into().ok()
}

fn check_params(
    params: &ConsensusParams,
    spec: &ballast_types::ChainSpec,
) -> Result<(), ballast_genesis::Error> {
    let block_bytes = spec.limits.block_bytes;
    if params.block_max_bytes != block_bytes {
        return Err(refused(
            "consensus_params.block.max_bytes",
            params.block_max_bytes,
            format!("is not app_state.limits.block_bytes, {block_bytes}"),
        ));
    }
    let weight = spec.limits.block_weight;
    match params.block_max_gas {
        Some(gas) if gas != weight => Err(refused(
            "consensus_params.block.max_gas",
            gas,
            format!("is neither -1 nor app_state.limits.block_weight, {weight}"),
        )),
        _ => Ok(()),
    }
}

/// CometBFT's validators must be those of the exchange's genesis, in the same order.
fn check_validators(
    listed: &[([u8; 32], u64)],
    spec: &ballast_types::ChainSpec,
) -> Result<(), ballast_genesis::Error> {
    if listed.len() != spec.validators.len() {
        return Err(refused(
            "validators",
            format!("{} entries", listed.len()),
            format!(
                "do not match {} of app_state.validators",
                spec.validators.len()
            ),
        ));
    }
    for (i, ((key, power), validator)) in listed.iter().zip(&spec.validators).enumerate() {
        if *key != validator.consensus_key {
            return Err(refused(
                &format!("validators[{i}].pub_key"),
                hex::encode(key),
                format!("is not app_state.validators[{i}].consensus_key"),
            ));
        }
        if *power != validator.power {
            return Err(refused(
                &format!("validators[{i}].power"),
                power,
                format!(
                    "is not app_state.validators[{i}].power, {}",
                    validator.power
                ),
            ));
        }
    }
    Ok(())
}

fn refused(field: &str, value: impl ToString, reason: String) -> ballast_genesis::Error {
    ballast_genesis::Error::Value {
        field: field.to_owned(),
        value: value.to_string(),
        reason,
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::Io { path, source }
}

/// CometBFT's file, as far as it is read.
#[derive(Deserialize)]
struct Doc {
    #[serde(deserialize_with = "time_ms")]
    genesis_time: TimeMs,
    chain_id: String,
    consensus_params: DocParams,
    #[serde(default)]
    validators: Vec<DocValidator>,
    app_state: Genesis,
}

#[derive(Deserialize)]
struct DocParams {
    block: DocBlock,
    evidence: DocEvidence,
}

#[derive(Deserialize)]
struct DocBlock {
    max_bytes: Text<u64>,
    max_gas: Text<i64>,
}

#[derive(Deserialize)]
struct DocEvidence {
    max_age_num_blocks: Text<u64>,
    max_age_duration: Text<u64>,
    max_bytes: Text<u64>,
}

#[derive(Deserialize)]
struct DocValidator {
    pub_key: DocKey,
    power: Text<u64>,
}

/// A number that is written as a string.
struct Text<T>(T);

impl<'de, T: FromStr> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = text.parse();
        number.map(Self).map_err(|_| {
            D::Error::custom(format_args!("{text:?} is not a whole number in its range"))
        })
    }
}

/// An Ed25519 public key in CometBFT's form.
struct DocKey([u8; 32]);

impl<'de> Deserialize<'de> for DocKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tagged {
            r#type: String,
            value: String,
        }
        let key = Tagged::deserialize(deserializer)?;
        if key.r#type != PUBLIC_KEY_TYPE {
            let message = format_args!("type {:?} is not {PUBLIC_KEY_TYPE:?}", key.r#type);
            return Err(D::Error::custom(message));
        }
        key_bytes(&key.value).map(Self).ok_or_else(|| {
            D::Error::custom(format_args!("{:?} is not 32 bytes in base64", key.value))
        })
    }
}

fn time_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeMs, D::Error> {
    let text = String::deserialize(deserializer)?;
    time::parse(&text).ok_or_else(|| {
        D::Error::custom(format_args!(
            "{text:?} is not a time such as \"2026-01-31T00:00:00Z\""
        ))
    })
}
