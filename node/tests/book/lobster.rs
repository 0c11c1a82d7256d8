//! LOBSTER messages, with recorded books and without.

use serde_json::{Value, json};

use super::{Run, fills, orders, run};

/// Runs `lobster` with a file of recorded books.
fn lobster(messages: &str, book: &str, more: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("book.csv");
    std::fs::write(&path, book).expect("writes");
    let levels_in = ["--levels-in", path.to_str().expect("UTF-8")];
    run("lobster", messages.as_bytes(), &[&levels_in, more].concat())
}

/// Row 1: asks 101 (5) and 103 (5), bids 99 (5) and 97 (5), with units that are no multiples of
/// 100. Order 7 enters, shrinks, trades and goes; a level comes into view; an unknown order
/// shrinks; a hidden order trades; trading halts.
const MESSAGES: &str = "\
34200.0,1,1,5,99,1
34200.000000001,1,7,3,99,1
34200.1,2,7,1,99,1
34200.2,4,9,6,99,1
34200.3,3,7,1,99,1
34200.4,2,55,2,101,-1
34200.5,5,0,1,100,1
34200.6,7,0,0,-1,-1
";
const BOOK: &str = "\
101,5,99,5,103,5,97,5
101,5,99,8,103,5,97,5
101,5,99,7,103,5,97,5
101,5,99,1,103,5,97,5
101,5,97,5,103,5,95,4
101,3,97,5,103,5,95,4
101,3,97,5,103,5,95,4
101,3,97,5,103,5,95,4
";

#[test]
fn messages_bring_the_recorded_books_about() {
    let run = lobster(MESSAGES, BOOK, &["--explain"]);
    assert!(run.success, "{}", run.stderr);
    for (name, count) in [
        ("messages", 8),
        ("steps", 7),
        ("agreed", 7),
        ("levels", 27),
        ("adopted", 1),
        ("reentered", 0),
        ("unattributed", 1),
        ("fills", 2),
        ("volume", 6),
        ("resting_orders", 4),
    ] {
        assert_eq!(run.summary[name], count, "{name}: {}", run.summary);
    }
    // What the record does not name has id 0.
    assert_eq!(fills(&run), [[0, 0, 99, 5], [0, 7, 99, 1]]);
    assert_eq!(
        orders(&run),
        [[0, 97, 5], [0, 95, 4], [0, 101, 3], [0, 103, 5]]
    );
}

#[test]
fn sides_may_be_short_or_empty() {
    let messages = "1,1,1,5,99,1\n2,1,2,4,98,1\n3,3,1,5,99,1\n4,3,2,4,98,1\n5,1,3,1,200,-1\n";
    let book = "9999999999,0,99,5,9999999999,0,-9999999999,0\n\
                9999999999,0,99,5,9999999999,0,98,4\n\
                9999999999,0,98,4,9999999999,0,-9999999999,0\n\
                9999999999,0,-9999999999,0,9999999999,0,-9999999999,0\n\
                200,1,-9999999999,0,9999999999,0,-9999999999,0\n";
    let run = lobster(messages, book, &[]);
    assert!(run.success, "{}", run.stderr);
    assert_eq!(
        (&run.summary["agreed"], &run.summary["levels"]),
        (&4.into(), &4.into())
    );
    assert_eq!(orders(&run), [[3, 200, 1]]);
}

#[test]
fn differences_are_counted_and_explained() {
    let book = BOOK.replace("99,1,103", "99,2,103");
    let run = lobster(MESSAGES, &book, &["--explain"]);
    assert!(
        !run.success && run.stderr.contains("6 of 7 steps agree"),
        "{}",
        run.stderr
    );
    assert_eq!(run.summary["agreed"], 6);
    assert_eq!(
        run.summary["differences"],
        json!(["step 3: Buy 99: recorded 2, found 1"])
    );
    let run = lobster(MESSAGES, &book, &[]);
    assert_eq!(run.summary["differences"], Value::Null);
}

#[test]
fn messages_run_without_recorded_books() {
    let run = run("lobster", MESSAGES.as_bytes(), &[]);
    assert!(run.success, "{}", run.stderr);
    assert_eq!(
        (&run.summary["messages"], &run.summary["fills"]),
        (&8.into(), &2.into())
    );
    assert_eq!(fills(&run), [[0, 1, 99, 5], [0, 7, 99, 1]]);
    assert_eq!(run.summary["unattributed"], 1);
    assert_eq!(run.summary["steps"], Value::Null);
}

#[test]
fn bad_lines_stop_with_number_field_and_value() {
    let first = |text: &str, lines: usize| -> String {
        text.lines()
            .take(lines)
            .map(|line| format!("{line}\n"))
            .collect()
    };
    for (messages, book, expected) in [
        (
            "1,9,1,1,100,1".to_owned(),
            "1,1,1,1",
            "input: line 1: type: \"9\" is not from 1 to 7",
        ),
        (
            "x,1,1,1,100,1".to_owned(),
            "1,1,1,1",
            "line 1: time: \"x\" is not in decimal seconds",
        ),
        (
            "1,1,1,-4,100,1".to_owned(),
            "1,1,1,1",
            "line 1: size: -4 is not from 0",
        ),
        (
            "1,1,1,1,100,0".to_owned(),
            "1,1,1,1",
            "line 1: direction: \"0\" is neither",
        ),
        (
            "1,1,1,1,100".to_owned(),
            "1,1,1,1",
            "line 1: 5 fields, 6 are expected",
        ),
        (
            MESSAGES.to_owned(),
            "101,5,99",
            "book.csv: line 1: 3 fields, a multiple of 4",
        ),
        (
            MESSAGES.to_owned(),
            "101,5,99,x",
            "book.csv: line 1: level: \"x\" is not a number",
        ),
        (
            MESSAGES.to_owned(),
            "101,5,99,5,103,5,97,5\n101,5,99,8\n",
            "book.csv: line 2: 1 levels; the rows before have 2",
        ),
        (
            MESSAGES.to_owned(),
            "101,5,99,5\n101,5,99,8\n",
            "book.csv: line 3: there are fewer rows than messages",
        ),
        (
            first(MESSAGES, 7),
            BOOK,
            "book.csv: line 8: there are more rows than messages",
        ),
    ] {
        let run = lobster(&messages, book, &[]);
        assert!(
            !run.success && run.stderr.contains(expected),
            "{expected}: {}",
            run.stderr
        );
    }
}

#[test]
fn follows_the_real_sample_in_every_step() {
    let root = std::env::var_os("BALLAST_TEST_DATA").map(std::path::PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let directory = root.unwrap_or_else(|| beside.into()).join("lobster_aapl");
    let read = |name: &str| {
        let name = format!("AAPL_2012-06-21_34200000_57600000_{name}_10.csv");
        std::fs::read_to_string(directory.join(name)).ok()
    };
    let (Some(messages), Some(book)) = (read("message"), read("orderbook")) else {
        eprintln!("skipped: no sample in {}", directory.display());
        return;
    };
    let run = lobster(&messages, &book, &[]);
    assert!(run.success, "{}", run.stderr);
    for (name, count) in [
        ("messages", 999),
        ("steps", 998),
        ("agreed", 998),
        ("levels", 19_642),
        ("adopted", 14),
        ("reentered", 1),
        ("unattributed", 6),
    ] {
        assert_eq!(run.summary[name], count, "{name}: {}", run.summary);
    }
}
