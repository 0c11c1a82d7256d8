//! `ballast book` on the real binary, rule by rule.

mod jsonl;
mod lobster;
mod mbo;

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a run left.
struct Run {
    success: bool,
    stderr: String,
    summary: Value,
    fills: String,
    levels: String,
    orders: String,
}

/// Runs `ballast book` on a stream that it reads from standard input.
fn run(format: &str, stream: &[u8], more: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| directory.path().join(name);
    let path = |name: &str| file(name).to_str().expect("UTF-8").to_owned();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(["book", "--input", "-", "--json", "--format", format])
        .args(["--fills", &path("fills"), "--levels", &path("levels")])
        .args(["--orders", &path("orders")])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // A run that stops early does not read to the end.
    let _ = child.stdin.take().expect("piped").write_all(stream);
    let output = child.wait_with_output().expect("ends");
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap_or_default();
    Run {
        success: output.status.success(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        summary: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        fills: read("fills"),
        levels: read("levels"),
        orders: read("orders"),
    }
}

/// Taker, maker, price and size of each fill.
fn fills(run: &Run) -> Vec<[i64; 4]> {
    let number = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        ["taker", "maker", "price", "qty"].map(|name| number(&row, name))
    };
    run.fills.lines().map(row).collect()
}

/// Id, price and size of each resting order.
fn orders(run: &Run) -> Vec<[i64; 3]> {
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        ["id", "price", "qty"].map(|name| row[name].as_i64().expect("a number"))
    };
    run.orders.lines().map(row).collect()
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let jsonl = ["book", "--input", "-", "--format", "jsonl"];
    let with = |more: &[&'static str]| [&jsonl, more].concat();
    for (args, expected) in [
        (with(&["--explain"]), "--explain: nothing is compared"),
        (with(&["--levels-in", "x"]), "--levels-in: only"),
        (
            vec![
                "book",
                "--input",
                "-",
                "--format",
                "mbo",
                "--stp",
                "cancel-both",
            ],
            "--stp: only",
        ),
        (vec!["book", "--format", "jsonl"], "--input"),
        (vec!["book", "--input", "-"], "--format"),
        (vec!["book", "--input", "-", "--format", "fix"], "fix"),
        (
            vec!["book", "--input", "/no/such/file", "--format", "jsonl"],
            "/no/such/file",
        ),
        (
            vec![
                "book",
                "--input",
                "-",
                "--format",
                "jsonl",
                "--fills",
                "/no/such/directory/f",
            ],
            "/no/such/directory/f",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ballast"))
            .args(&args)
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(expected),
            "{args:?}: {stderr}"
        );
    }
}
