//! `ballast genesis` and `ballast keys`, as a user runs them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const CONSENSUS: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const INGRESS: &str = "0202020202020202020202020202020202020202020202020202020202020202";
/// [`INGRESS`] as CometBFT writes keys.
const INGRESS_BASE64: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn ballast(directory: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .env("HOME", directory)
        .env_remove("RUST_LOG")
        .output()
        .expect("ballast runs")
}

/// Stdout of a command that must succeed.
fn succeeds(directory: &Path, arguments: &str) -> String {
    let output = ballast(directory, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Stderr of a command that must fail.
fn fails(directory: &Path, arguments: &str) -> String {
    let output = ballast(directory, arguments);
    assert!(!output.status.success(), "{arguments} succeeded");
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_genesis_is_written_edited_and_validated() {
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    let key = json(&succeeds(home, "keys new alice --json"));
    let alice = key["address"].as_str().expect("an address");

    let new = format!(
        "genesis new --demo --chain-id demo-1 --account {alice} --price-authority {alice} \
         --output g.json"
    );
    assert!(succeeds(home, &new).contains("demo-1"));
    assert!(fails(home, &new).contains("g.json exists"));
    let error = fails(home, "genesis validate g.json");
    assert!(
        error.contains("g.json: validators: [] holds no validator"),
        "{error}"
    );

    let add = format!(
        "genesis add-validator g.json --name v0 --consensus-key {CONSENSUS} \
         --ingress-key {INGRESS_BASE64} --power 7"
    );
    assert!(succeeds(home, &add).contains("1 in all"));
    let before = std::fs::read_to_string(home.join("g.json")).expect("reads");
    let error = fails(home, &add);
    assert!(
        error.contains("validators[1].name: \"v0\" occurs twice"),
        "{error}"
    );
    let error = fails(
        home,
        &format!("genesis add-account g.json --address {alice} --balance USDC=1"),
    );
    assert!(
        error.contains("accounts[1].address") && error.contains("occurs twice"),
        "{error}"
    );
    let error = fails(
        home,
        &format!("genesis add-account g.json --address {alice}/1 --balance EUR=1"),
    );
    assert!(error.contains("accounts[1].balances.EUR: \"1\""), "{error}");
    let after = std::fs::read_to_string(home.join("g.json")).expect("reads");
    assert_eq!(before, after, "a refused change leaves the file alone");

    let add = format!(
        "genesis add-account g.json --address {alice}/1 --balance USDC=1000.50 --balance BTC=2 \
         --json"
    );
    assert_eq!(json(&succeeds(home, &add))["accounts"], 2);
    let valid = json(&succeeds(home, "genesis validate g.json --json"));
    assert_eq!(valid["valid"], true);
    assert_eq!(valid["chain_id"], "demo-1");
    assert_eq!(
        (&valid["markets"], &valid["accounts"]),
        (&5.into(), &2.into())
    );

    let doc = json(&std::fs::read_to_string(home.join("g.json")).expect("reads"));
    assert_eq!(doc["validators"][0]["power"], "7");
    assert_eq!(doc["app_state"]["validators"][0]["ingress_key"], INGRESS);
    assert_eq!(
        doc["app_state"]["accounts"][1]["balances"]["USDC"],
        "1000.50"
    );
    assert_eq!(doc["consensus_params"]["block"]["max_gas"], "4000000");
    assert_eq!(doc["app_state"]["price_authorities"][0], alice);
    std::fs::write(home.join("part.json"), doc["app_state"].to_string()).expect("writes");
    succeeds(home, "genesis validate part.json");
}

#[test]
fn a_wrong_value_in_either_part_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    succeeds(home, "genesis new --demo --output g.json");
    succeeds(
        home,
        &format!(
            "genesis add-validator g.json --name v0 --consensus-key {CONSENSUS} \
             --ingress-key {INGRESS}"
        ),
    );
    let good = json(&std::fs::read_to_string(home.join("g.json")).expect("reads"));
    for (pointer, value, message) in [
        (
            "/genesis_time",
            "yesterday",
            "genesis_time: \"yesterday\" is not a time",
        ),
        ("/chain_id", "", "chain_id: \"\" does not have 1 to 50"),
        (
            "/consensus_params/block/max_bytes",
            "1000",
            "consensus_params.block.max_bytes: 1000 is not app_state.limits.block_bytes, 2097152",
        ),
        (
            "/consensus_params/block/max_gas",
            "5",
            "consensus_params.block.max_gas: 5 is neither",
        ),
        (
            "/consensus_params/block/max_gas",
            "x",
            "consensus_params.block.max_gas: \"x\" is not",
        ),
        (
            "/validators/0/power",
            "11",
            "validators[0].power: 11 is not app_state.validators[0]",
        ),
        (
            "/validators/0/pub_key/value",
            INGRESS_BASE64,
            "validators[0].pub_key: 0202",
        ),
        (
            "/validators/0/pub_key/type",
            "rsa",
            "validators[0].pub_key: type \"rsa\"",
        ),
        (
            "/app_state/markets/0/tick",
            "x",
            "app_state.markets[0].tick: \"x\" is not a decimal",
        ),
        (
            "/app_state/markets/0/tick",
            "0.3",
            "markets[0].max_price: \"10000000\" is not a multiple",
        ),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("the field exists") = value.into();
        std::fs::write(home.join("bad.json"), format!("{bad:#}")).expect("writes");
        let error = fails(home, "genesis validate bad.json");
        assert!(
            error.contains(&format!("bad.json: {message}")),
            "{pointer}: {error}"
        );
    }
}

#[test]
fn a_syntax_error_is_shown_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    std::fs::write(home.join("bad.json"), "{\n  \"app_state\": {,}\n}").expect("writes");
    let output = ballast(home, "genesis validate bad.json --json");
    let answer = json(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(answer["valid"], false);
    assert!(answer["error"].to_string().contains("line 2"), "{answer}");
}

#[test]
fn without_an_output_the_genesis_is_printed() {
    let directory = tempfile::tempdir().expect("a directory");
    let doc = json(&succeeds(directory.path(), "genesis new --chain-id c"));
    assert_eq!(doc["chain_id"], "c");
    assert_eq!(doc["app_state"]["assets"][0]["symbol"], "USDC");
    let error = fails(
        directory.path(),
        &format!("genesis new --chain-id {}", "c".repeat(51)),
    );
    assert!(error.contains("chain_id"), "{error}");
}

#[test]
fn keys_are_made_shown_and_listed() {
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path();
    assert_eq!(
        json(&succeeds(home, "keys list --json")),
        Value::Array(Vec::new())
    );
    let bob = json(&succeeds(home, "keys new bob --type secp256k1 --json"));
    succeeds(home, "keys new alice");
    assert!(fails(home, "keys new alice").contains("alice.json exists"));
    assert_eq!(json(&succeeds(home, "keys show bob --json")), bob);
    assert!(
        bob.get("key").is_none(),
        "the secret is printed on demand only"
    );
    let with_secret = json(&succeeds(home, "keys show bob --secret --json"));
    assert_eq!(with_secret["key"].as_str().expect("hex").len(), 64);
    assert_eq!(with_secret["key_type"], "secp256k1");

    std::fs::write(home.join(".ballast/keys/broken.json"), "{}").expect("writes");
    let output = ballast(home, "keys list");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split("  ").last())
        .collect();
    assert_eq!(names, ["alice", "bob"], "{text}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken.json"));
    let error = fails(home, "keys show broken");
    assert!(error.contains("broken.json: missing field"), "{error}");

    succeeds(home, "keys new ./here.json");
    assert!(home.join("here.json").is_file());
    succeeds(home, "keys new carol --keys other");
    assert!(home.join("other/carol.json").is_file());
}
