//! Recorded order flow, as a plan and on running exchanges. The real sample is no part of the
//! project; tests that use it say so and pass where it is absent.

mod common;

use std::path::{Path, PathBuf};

use ballast::feed::lobster::Sample;
use ballast::feed::plan::{plan, runs};
use common::{Process, free_base, run};
use rustix::process::Signal;
use serde_json::Value;

/// Two levels a side. Order 7 enters, shrinks, trades and goes; then a level comes into view, an
/// unknown order goes, and a level behind it is adopted while order 8 rests there.
const MESSAGES: &str = "\
1.0,1,1,5,10100,1
1.1,1,7,3,10100,1
1.2,2,7,1,10100,1
1.3,4,9,6,10100,1
1.4,3,7,1,10100,1
1.5,5,0,1,10150,1
1.6,1,8,2,9900,1
1.7,1,10,4,10100,1
1.8,3,10,4,10100,1
1.9,2,99,2,10200,-1
";
const BOOK: &str = "\
10200,5,10100,5,10300,5,10000,5
10200,5,10100,8,10300,5,10000,5
10200,5,10100,7,10300,5,10000,5
10200,5,10100,1,10300,5,10000,5
10200,5,10000,5,10300,5,9900,4
10200,5,10000,5,10300,5,9900,4
10200,5,10000,5,10300,5,9900,6
10200,5,10100,4,10300,5,10000,5
10200,5,10000,5,10300,5,9900,9
10200,3,10000,5,10300,5,9900,9
";

/// The files of the real sample; `BALLAST_TEST_DATA` names the directory that holds it.
fn real_sample() -> Option<[PathBuf; 2]> {
    let root = std::env::var_os("BALLAST_TEST_DATA").map(PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let directory = root.unwrap_or_else(|| beside.into()).join("lobster_aapl");
    let file =
        |name: &str| directory.join(format!("AAPL_2012-06-21_34200000_57600000_{name}_10.csv"));
    let files = [file("message"), file("orderbook")];
    let there = files.iter().all(|file| file.is_file());
    if !there {
        eprintln!("skipped: no sample in {}", directory.display());
    }
    there.then_some(files)
}

/// Runs `feed lobster` on a network; whether it succeeded, and its report.
fn feed(network: &[&str], [messages, book]: &[PathBuf; 2]) -> (bool, Value) {
    let (process, network) = Process::network(network);
    let directory = tempfile::tempdir().expect("a directory");
    let keys = directory.path().join("network.json");
    std::fs::write(&keys, network.to_line()).expect("writes");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (messages, book, keys) = (path(messages), path(book), path(&keys));
    let output = run(&[
        "feed",
        "lobster",
        "--messages",
        &messages,
        "--book",
        &book,
        "--keys",
        &keys,
        "--json",
    ]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    assert!(process.stop(Signal::TERM).success());
    (
        output.status.success(),
        report.unwrap_or_else(|_| panic!("no report: {stderr}")),
    )
}

fn written(messages: &str, book: &str) -> (tempfile::TempDir, [PathBuf; 2]) {
    let directory = tempfile::tempdir().expect("a directory");
    let files = ["messages.csv", "book.csv"].map(|name| directory.path().join(name));
    std::fs::write(&files[0], messages).expect("writes");
    std::fs::write(&files[1], book).expect("writes");
    (directory, files)
}

#[test]
fn a_small_sample_agrees_in_every_step() {
    let (_directory, files) = written(MESSAGES, BOOK);
    let base = free_base(1).to_string();
    let (success, report) = feed(&["dev", "--base-port", &base], &files);
    assert!(success, "{report}");
    assert_eq!(
        (&report["steps"], &report["agreed"]),
        (&9.into(), &9.into())
    );
    assert_eq!(report["reasons"], Value::Array(Vec::new()));
    assert_eq!(
        (&report["adopted"], &report["reentered"]),
        (&2.into(), &2.into())
    );
    assert_eq!(report["live_books_equal"], report["runs"]);
}

#[test]
fn a_record_that_the_messages_do_not_bring_about_is_named() {
    let book = BOOK.replace("10200,5,10100,1,", "10200,5,10100,2,");
    let (_directory, files) = written(MESSAGES, &book);
    let base = free_base(1).to_string();
    let (success, report) = feed(&["dev", "--base-port", &base], &files);
    assert!(!success, "{report}");
    assert_eq!(report["agreed"], 8);
    assert_eq!(report["reasons"][0], "step 3: Buy 101: recorded 2, found 1");
}

#[test]
fn the_plan_follows_the_recorded_book_in_every_step() {
    let Some(files) = real_sample() else { return };
    let [messages, book] = files.map(|file| std::fs::read_to_string(file).expect("reads"));
    let plan = plan(&Sample::parse(&messages, &book).expect("reads"));
    assert_eq!(plan.tally.differences, []);
    assert_eq!((plan.tally.steps, plan.tally.agreed), (998, 998));
    assert_eq!(plan.tally.levels, 19_642);
    assert_eq!(
        (plan.adopted, plan.reentered, plan.unattributed),
        (14, 1, 6)
    );
    assert_eq!(runs(&plan.items).len(), 184);
}

#[test]
fn dev_follows_the_recorded_book_in_every_step() {
    let Some(files) = real_sample() else { return };
    let base = free_base(1).to_string();
    agrees(feed(&["dev", "--base-port", &base], &files));
}

#[test]
fn validators_follow_the_recorded_book_in_every_step() {
    let Some(files) = real_sample() else { return };
    let home = tempfile::tempdir().expect("a directory");
    let home = home.path().join("net");
    let home = home.to_str().expect("UTF-8");
    let base = free_base(4).to_string();
    agrees(feed(
        &["localnet", "--home", home, "--base-port", &base],
        &files,
    ));
}

fn agrees((success, report): (bool, Value)) {
    eprintln!("{report}");
    assert!(success, "{report}");
    assert_eq!(report["agreed"], 998);
    assert_eq!(report["levels"], 19_642);
}
