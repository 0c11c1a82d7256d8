//! Key files: one secret key as JSON, readable by its owner only.

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use ballast_types::{PublicKey, Secret};
use serde::{Deserialize, Serialize};

/// Signature scheme of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// Ed25519, the fastest to verify: for programs.
    Ed25519,
    /// secp256k1: for wallets.
    Secp256k1,
}

/// A secret key as JSON writes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Signature scheme.
    pub key_type: KeyType,
    /// The secret: 64 hex characters.
    pub key: String,
    /// The address of its public half.
    pub address: String,
}

/// Why a key file cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `--keys` nor HOME says where keys are.
    #[error("no directory for keys: HOME is not an absolute path; name one with --keys DIR")]
    NoHome,
    /// Files that exist are never overwritten: the key in it may be the only one to an account.
    #[error("{path} exists and is not overwritten", path = .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It holds no key.
    #[error("{path}: {reason}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, naming the field.
        reason: String,
    },
    /// It cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("no randomness for a new key: {0}")]
    Random(#[from] getrandom::Error),
}

impl KeyRecord {
    /// The record of `secret`.
    pub fn new(secret: &Secret) -> Self {
        let key_type = match secret {
            Secret::Ed25519(_) => KeyType::Ed25519,
            Secret::Secp256k1(_) => KeyType::Secp256k1,
        };
        Self {
            key_type,
            key: hex::encode(secret.to_bytes()),
            address: secret.id().to_string(),
        }
    }

    /// The key; the error names the field that is wrong, never the secret.
    pub fn secret(&self) -> Result<Secret, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&self.key, &mut bytes)
            .map_err(|_| "key: is not 64 hex characters".to_owned())?;
        let secret = match self.key_type {
            KeyType::Ed25519 => Secret::ed25519(bytes),
            KeyType::Secp256k1 => Secret::secp256k1(bytes)
                .ok_or_else(|| "key: is not a secret key of secp256k1".to_owned())?,
        };
        let address = secret.id().to_string();
        if self.address != address {
            return Err(format!(
                "address: {:?} is not that of the key, {address:?}",
                self.address
            ));
        }
        Ok(secret)
    }
}

/// A new key from the operating system's randomness.
pub fn generate(key_type: KeyType) -> Result<Secret, getrandom::Error> {
    loop {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let secret = match key_type {
            KeyType::Ed25519 => Some(Secret::ed25519(bytes)),
            KeyType::Secp256k1 => Secret::secp256k1(bytes),
        };
        if let Some(secret) = secret {
            return Ok(secret);
        }
    }
}

/// The 32 or 33 bytes of a public key as hex.
pub fn public_hex(key: &PublicKey) -> String {
    match key {
        PublicKey::Ed25519(bytes) => hex::encode(bytes),
        PublicKey::Secp256k1(bytes) => hex::encode(bytes),
    }
}

/// `~/.ballast/keys`.
pub fn default_directory() -> Result<PathBuf, Error> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    Ok(home.ok_or(Error::NoHome)?.join(".ballast").join("keys"))
}

/// The file of `name`: a path when it has a slash or ends with `.json`, else `NAME.json` in
/// `directory`, which is `~/.ballast/keys` when not given.
pub fn locate(name: &str, directory: Option<&Path>) -> Result<PathBuf, Error> {
    if name.contains('/') || name.ends_with(".json") {
        return Ok(PathBuf::from(name));
    }
    let directory = directory.map_or_else(default_directory, |path| Ok(path.to_owned()))?;
    Ok(directory.join(format!("{name}.json")))
}

/// Reads a key file and checks that key and address belong together.
pub fn read(path: &Path) -> Result<Secret, Error> {
    let text = std::fs::read_to_string(path).map_err(io_error(path))?;
    let invalid = |reason| Error::Invalid {
        path: path.to_owned(),
        reason,
    };
    let record: KeyRecord =
        serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    record.secret().map_err(invalid)
}

/// Writes a new key file with mode 0600, whole or not at all.
///
/// # Errors
/// Fails with [`Error::Exists`] when there is a file of that name.
pub fn create(path: &Path, secret: &Secret) -> Result<(), Error> {
    let directory = match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(io_error(directory))?;
    let record = serde_json::to_string(&KeyRecord::new(secret))
        .map_err(|error| io_error(path)(error.into()))?;
    // Temporary files have mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(io_error(directory))?;
    writeln!(file, "{record}")
        .and_then(|()| file.as_file().sync_all())
        .map_err(io_error(path))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Exists {
            path: path.to_owned(),
        }),
        Err(error) => Err(io_error(path)(error.error)),
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |source| Error::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_file_reads_back_and_is_private() {
        let directory = tempfile::tempdir().expect("a directory");
        for key_type in [KeyType::Ed25519, KeyType::Secp256k1] {
            let path = directory.path().join(format!("a/{key_type:?}.json"));
            let secret = generate(key_type).expect("randomness");
            create(&path, &secret).expect("writes");
            assert_eq!(
                read(&path).expect("reads").to_bytes(),
                secret.to_bytes(),
                "{key_type:?}"
            );
            let mode = std::fs::metadata(&path)
                .expect("exists")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
            let other = generate(key_type).expect("randomness");
            assert!(matches!(create(&path, &other), Err(Error::Exists { .. })));
            assert_eq!(
                read(&path).expect("reads").id(),
                secret.id(),
                "is not overwritten"
            );
        }
    }

    #[test]
    fn damaged_files_name_the_file_and_the_field() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("k.json");
        let good = KeyRecord::new(&Secret::ed25519([7; 32]));
        let zero = "0".repeat(64);
        for (what, record, reason) in [
            ("not JSON", "{".to_owned(), "EOF"),
            (
                "another type",
                r#"{"key_type":"rsa","key":"","address":""}"#.to_owned(),
                "rsa",
            ),
            (
                "short",
                json(KeyRecord {
                    key: "00".to_owned(),
                    ..good.clone()
                }),
                "key: is not 64",
            ),
            (
                "foreign address",
                json(KeyRecord {
                    address: "x".to_owned(),
                    ..good.clone()
                }),
                "address: \"x\"",
            ),
            (
                "zero scalar",
                json(KeyRecord {
                    key_type: KeyType::Secp256k1,
                    key: zero,
                    ..good
                }),
                "secp256k1",
            ),
        ] {
            std::fs::write(&path, record).expect("writes");
            let error = read(&path).expect_err(what).to_string();
            assert!(
                error.contains("k.json") && error.contains(reason),
                "{what}: {error}"
            );
        }
    }

    #[test]
    fn names_and_paths() {
        let keys = Path::new("/keys");
        for (name, path) in [
            ("alice", "/keys/alice.json"),
            ("./alice", "./alice"),
            ("a.json", "a.json"),
        ] {
            assert_eq!(locate(name, Some(keys)).expect("a path"), Path::new(path));
        }
    }

    fn json(record: KeyRecord) -> String {
        serde_json::to_string(&record).expect("serialises")
    }
}
