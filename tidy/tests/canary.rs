//! Every lint that protects the core crates fires on the canary, which breaks each ban once.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A line of the canary and the lint that fires there.
type Fired = (u64, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs clippy on the canary; returns what fired and all messages.
fn clippy() -> (BTreeSet<Fired>, String) {
    let target = root().join("target/canary");
    let output = Command::new(env!("CARGO"))
        .args([
            "clippy",
            "--quiet",
            "--offline",
            "--message-format",
            "json",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(root().join("lints/canary"))
        .env_remove("RUSTFLAGS")
        .env_remove("CLIPPY_CONF_DIR")
        .output()
        .unwrap();
    assert!(!output.status.success(), "the canary passed");
    let (mut fired, mut messages) = (BTreeSet::new(), String::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let message = &message["message"];
        messages.push_str(message["rendered"].as_str().unwrap_or_default());
        let Some(lint) = message["code"]["code"].as_str() else {
            continue;
        };
        let lint = lint.trim_start_matches("clippy::").to_owned();
        let spans = message["spans"].as_array().unwrap().iter();
        let line = spans
            .filter(|span| span["is_primary"] == true)
            .map(|span| span["line_start"].as_u64().unwrap());
        fired.extend(line.map(|line| (line, lint.clone())));
    }
    (fired, messages)
}

#[test]
fn every_ban_fires() {
    let (fired, messages) = clippy();
    let source = read("lints/canary/src/lib.rs");
    let mut expected = BTreeSet::new();
    for (line, text) in (1..).zip(source.lines()) {
        let (_, lints) = text.split_once("//~").unwrap_or_default();
        let (line, lints) = match lints.strip_prefix('^') {
            Some(lints) => (line - 1, lints),
            None => (line, lints),
        };
        expected.extend(lints.split_whitespace().map(|lint| (line, lint.to_owned())));
    }
    let silent: Vec<_> = expected.difference(&fired).collect();
    assert!(silent.is_empty(), "did not fire: {silent:?}\n{messages}");

    let manifest = read("lints/canary/Cargo.toml");
    let (_, lints) = manifest.split_once("[lints.rust]").unwrap();
    for lint in lints
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(lint, _)| lint)
    {
        assert!(
            expected.iter().any(|(_, fires)| fires == lint),
            "the canary does not break {lint}"
        );
    }
    for ban in read("lints/canary/clippy.toml")
        .lines()
        .filter(|line| line.contains("path = "))
    {
        let path = ban.split('"').nth(1).unwrap();
        let absent = ban.contains("allow-invalid");
        let seen = messages.contains(&format!("`{path}`"));
        assert!(seen || absent, "the canary does not use {path}");
    }
}

/// The part of a crate's manifest from `[lints.rust]` to the end.
fn lint_table(name: &str) -> String {
    let manifest = read(&format!("{name}/Cargo.toml"));
    let at = manifest
        .find("[lints.rust]")
        .unwrap_or_else(|| panic!("{name} has no lints"));
    manifest[at..].trim_end().to_owned()
}

#[test]
fn core_crates_and_canary_have_the_same_lints() {
    for name in ["orderbook", "risk", "app", "lints/canary"] {
        assert_eq!(lint_table(name), lint_table("types"), "[lints] of {name}");
        let (ours, theirs) = (format!("{name}/clippy.toml"), "types/clippy.toml");
        assert_eq!(read(&ours), read(theirs), "{ours} differs from {theirs}");
    }
}

#[test]
fn outer_crates_inherit_the_lints_of_the_workspace() {
    for name in [
        "genesis", "abci", "gateway", "node", "model", "benches", "tidy",
    ] {
        let manifest = read(&format!("{name}/Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}");
    }
}
