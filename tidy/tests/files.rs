//! Rules for the files of the repository.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Lines of a Rust file.
const MAX_LINES: usize = 900;
/// The only file that may use `unsafe`.
const UNSAFE: &str = "orderbook/src/prefetch.rs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Path and text of every tracked text file.
fn tracked() -> Vec<(String, String)> {
    let list = git(&["ls-files", "-z"]);
    let paths = list.split('\0').filter(|path| !path.is_empty());
    // A file may be binary (fuzz corpora), or removed and not yet committed.
    let text = |path: &str| fs::read_to_string(root().join(path)).ok();
    paths
        .filter_map(|path| Some((path.to_owned(), text(path)?)))
        .collect()
}

fn rust_files() -> Vec<(String, String)> {
    let ours = |path: &str| path.ends_with(".rs") && !path.starts_with("lints/canary/");
    tracked()
        .into_iter()
        .filter(|(path, _)| ours(path))
        .collect()
}

/// Requires that no line of `files` holds one of `words`; each word is given in two halves, so
/// that this file does not hold it either.
fn none_holds(files: &[(String, String)], words: &[(&str, &str)]) {
    let mut found = Vec::new();
    for (path, text) in files {
        for (number, line) in (1..).zip(text.lines()) {
            for (start, end) in words {
                let word = format!("{start}{end}");
                if line.contains(&word) {
                    found.push(format!("{path}:{number}: {word}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_machine_paths_or_registry_hosts() {
    let words = [
        ("/wo", "rk/"),
        ("/ho", "me/"),
        ("/ro", "ot/"),
        ("/Use", "rs/"),
        ("artifac", "tory"),
    ];
    none_holds(&tracked(), &words);
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for source in lock.lines().filter(|line| line.starts_with("source = ")) {
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(source, public, "Cargo.lock");
    }
}

#[test]
fn no_tests_are_ignored_and_nothing_is_left_to_do() {
    let words = [
        ("#[ign", "ore"),
        ("tod", "o!("),
        ("unimpl", "emented!("),
        ("TO", "DO"),
        ("FIX", "ME"),
    ];
    none_holds(&rust_files(), &words);
}

#[test]
fn only_one_file_may_use_unsafe() {
    let mut files = rust_files();
    files.retain(|(path, _)| path != UNSAFE);
    none_holds(
        &files,
        &[
            ("unsa", "fe {"),
            ("unsa", "fe fn"),
            ("allow(unsa", "fe_code"),
        ],
    );
}

#[test]
fn files_are_short() {
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        assert!(
            lines <= MAX_LINES,
            "{path} has {lines} lines, more than {MAX_LINES}"
        );
    }
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let beginning = readme.lines().take(10).collect::<Vec<_>>().join("\n");
    for command in ["cargo run --release -- localnet", "scripts/test"] {
        assert!(
            beginning.contains(command),
            "README.md: {command} is not in the first ten lines"
        );
    }
}

#[test]
fn the_readme_links_every_document() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for (path, _) in tracked() {
        let top = path.ends_with(".md") && !path.contains('/') && path != "README.md";
        let document = top || (path.starts_with("docs/") && path.ends_with(".md"));
        assert!(
            !document || readme.contains(&format!("({path})")),
            "README.md: no link to {path}"
        );
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let documents = tracked()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".md"));
    for (path, text) in documents {
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let full = root().join(&path).parent().unwrap().join(target);
            assert!(
                full.exists(),
                "{path} links to {target}, which does not exist"
            );
        }
    }
}

#[test]
fn lock_files_are_committed() {
    let files = git(&["ls-files"]);
    for lock in ["Cargo.lock", "fuzz/Cargo.lock", "lints/canary/Cargo.lock"] {
        assert!(
            files.lines().any(|path| path == lock),
            "{lock} is not committed"
        );
    }
}
