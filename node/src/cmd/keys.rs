//! `ballast keys`: make and show key files.

use std::path::{Path, PathBuf};

use ballast_types::Secret;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::key_file::{self, KeyRecord, KeyType};

/// Arguments of `keys`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "A key file is JSON: {\"key_type\": \"ed25519\" or \"secp256k1\", \
    \"key\": 64 hex characters, \"address\": \"ballast1...\"}. Whoever reads it owns the account: \
    it has mode 0600 and is never overwritten."
)]
pub struct Args {
    /// Directory of the key files [default: ~/.ballast/keys]
    #[arg(long, global = true, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Make a new key from the system's randomness and print its address
    New {
        /// Name of the key; a name with a slash or ending with .json is the file itself
        name: String,
        /// Signature scheme
        #[arg(long = "type", value_enum, default_value = "ed25519")]
        key_type: KeyType,
    },
    /// Print a key's address and public half
    Show {
        /// Name of the key; a name with a slash or ending with .json is the file itself
        name: String,
        /// Print the secret key too
        #[arg(long)]
        secret: bool,
    },
    /// Print all keys of the directory
    List,
}

/// Runs the verb and prints its result.
pub fn run(args: Args) -> Result<(), key_file::Error> {
    let directory = args.keys.as_deref();
    match args.verb {
        Verb::New { name, key_type } => {
            let path = key_file::locate(&name, directory)?;
            let secret = key_file::generate(key_type)?;
            key_file::create(&path, &secret)?;
            show(&path, &secret, false, args.json);
        }
        Verb::Show { name, secret } => {
            let path = key_file::locate(&name, directory)?;
            show(&path, &key_file::read(&path)?, secret, args.json);
        }
        Verb::List => {
            let directory = match directory {
                Some(directory) => directory.to_owned(),
                None => key_file::default_directory()?,
            };
            list(&directory, args.json)?;
        }
    }
    Ok(())
}

fn show(path: &Path, secret: &Secret, with_secret: bool, as_json: bool) {
    let description = describe(path, secret, with_secret);
    if as_json {
        println!("{description}");
        return;
    }
    for field in ["address", "key_type", "public_key", "key", "file"] {
        if let Some(text) = description[field].as_str() {
            println!("{field:<10}  {text}");
        }
    }
}

/// Files that hold no key are logged and left out, so that one of them does not hide the others.
fn list(directory: &Path, as_json: bool) -> Result<(), key_file::Error> {
    let mut keys = Vec::new();
    for path in key_files(directory)? {
        match key_file::read(&path) {
            Ok(secret) => keys.push(describe(&path, &secret, false)),
            Err(error) => tracing::warn!("left out: {error}"),
        }
    }
    if as_json {
        println!("{}", Value::Array(keys));
        return Ok(());
    }
    for key in keys {
        let text = |field: &str| key[field].as_str().unwrap_or_default().to_owned();
        println!(
            "{}  {:<9}  {}",
            text("address"),
            text("key_type"),
            text("name")
        );
    }
    Ok(())
}

/// The `.json` files of a directory, sorted; none when it does not exist.
fn key_files(directory: &Path) -> Result<Vec<PathBuf>, key_file::Error> {
    let io_error = |source| key_file::Error::Io {
        path: directory.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn describe(path: &Path, secret: &Secret, with_secret: bool) -> Value {
    let record = KeyRecord::new(secret);
    let mut description = json!({
        "name": path.file_stem().map(|stem| stem.to_string_lossy()),
        "file": path.display().to_string(),
        "key_type": record.key_type,
        "address": record.address,
        "public_key": key_file::public_hex(&secret.public()),
    });
    if with_secret {
        description["key"] = record.key.into();
    }
    description
}
