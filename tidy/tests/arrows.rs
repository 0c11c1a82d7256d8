//! The dependency arrows point one way: types <- orderbook, risk, genesis <- app <- abci, gateway
//! <- node.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// A crate and the workspace crates that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("ballast-types", &[]),
    ("ballast-orderbook", &["types"]),
    ("ballast-risk", &["types"]),
    ("ballast-genesis", &["types"]),
    ("ballast-model", &["types", "risk"]),
    ("ballast-app", &["types", "orderbook", "risk", "genesis"]),
    ("ballast-abci", &["types", "genesis", "app"]),
    ("ballast-gateway", &["types", "genesis", "app"]),
    (
        "ballast",
        &[
            "types",
            "orderbook",
            "risk",
            "genesis",
            "app",
            "abci",
            "gateway",
        ],
    ),
    ("ballast-benches", &["types", "genesis"]),
    ("ballast-tidy", &[]),
];

/// Crates whose tests may use anything in the workspace.
const TESTS_USE_ALL: &[&str] = &["ballast", "ballast-benches"];

/// Crates, and what only their tests may use: presets of margin are read by the genesis.
const TESTS_USE: &[(&str, &str)] = &[("ballast-risk", "genesis")];

/// A dependency and the only workspace crates that may have it outside tests.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("cosmrs", &["ballast-types"]),
    ("secp256k1", &["ballast-types"]),
    (
        "rust_decimal",
        &["ballast-genesis", "ballast-gateway", "ballast"],
    ),
    ("axum", &["ballast-gateway", "ballast"]),
    ("tendermint-abci", &["ballast-abci"]),
    ("clap", &["ballast"]),
    ("parquet", &[]),
];

/// What would bring clocks, threads, randomness or hash order into the core crates.
const NOT_IN_CORE: &[&str] = &[
    "ahash",
    "chrono",
    "dashmap",
    "getrandom",
    "hashbrown",
    "parking_lot",
    "rand",
    "reqwest",
    "rustix",
    "serde_json",
    "time",
    "tokio",
    "tracing",
];

const CORE: &[&str] = &[
    "ballast-types",
    "ballast-orderbook",
    "ballast-risk",
    "ballast-app",
];

/// Per package its dependencies by name and kind ("normal", "dev" or "build").
type Packages = BTreeMap<String, Vec<(String, String)>>;

fn packages() -> Packages {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("normal").to_owned();
    let package = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap();
        let dependencies = dependencies
            .iter()
            .map(|d| (text(&d["name"]), text(&d["kind"])));
        (text(&package["name"]), dependencies.collect())
    };
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(package)
        .collect()
}

#[test]
fn every_crate_of_the_workspace_has_its_arrows_written_down() {
    let written: Vec<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    for name in packages().keys() {
        assert!(
            written.contains(&name.as_str()),
            "{name} is missing in ARROWS"
        );
    }
}

#[test]
fn arrows_point_one_way() {
    let packages = packages();
    for (name, allowed) in ARROWS {
        for (dependency, kind) in &packages[*name] {
            let Some(short) = dependency.strip_prefix("ballast-") else {
                continue;
            };
            // The model decides by itself, so any crate's tests may compare with it.
            let in_tests = kind == "dev"
                && (short == "model"
                    || TESTS_USE_ALL.contains(name)
                    || TESTS_USE.contains(&(*name, short)));
            assert!(
                allowed.contains(&short) || in_tests,
                "{name} must not use {dependency}"
            );
        }
    }
}

#[test]
fn special_dependencies_stay_where_they_are_needed() {
    for (name, dependencies) in &packages() {
        for (dependency, _) in dependencies.iter().filter(|(_, kind)| kind != "dev") {
            let kept_to = KEPT_TO.iter().find(|(special, _)| special == dependency);
            let allowed = kept_to.is_none_or(|(_, crates)| crates.contains(&name.as_str()));
            assert!(allowed, "{name} must not use {dependency}");
            let core = CORE.contains(&name.as_str());
            let banned = core && NOT_IN_CORE.contains(&dependency.as_str());
            assert!(
                !banned,
                "{name} is a core crate and must not use {dependency}"
            );
        }
    }
}
