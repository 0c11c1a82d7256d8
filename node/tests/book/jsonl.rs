//! Orders, cancels and amends as JSON lines.

use serde_json::json;

use super::{fills, orders, run};

/// An `add` line: id, side, price, size and time in force.
fn add(id: u64, side: &str, price: i64, qty: i64, tif: &str) -> String {
    format!(r#"{{"op":"add","id":{id},"side":"{side}","price":{price},"qty":{qty},"tif":"{tif}"}}"#)
}

fn amend(id: u64, price: i64, qty: i64) -> String {
    format!(r#"{{"op":"amend","id":{id},"price":{price},"qty":{qty}}}"#)
}

fn cancel(id: u64) -> String {
    format!(r#"{{"op":"cancel","id":{id}}}"#)
}

/// A `market` line: id, side, size and bound.
fn market(id: u64, side: &str, qty: i64, limit: i64) -> String {
    format!(r#"{{"op":"market","id":{id},"side":"{side}","qty":{qty},"limit":{limit}}}"#)
}

/// Each rule: lines, then the fills and the resting orders that they leave.
type Rule<'a> = (&'a str, Vec<String>, &'a [[i64; 4]], &'a [[i64; 3]]);

/// Runs the lines of each rule after these: bids 1 and 2 at 100 (3 and 4), bid 3 at 99 (5),
/// ask 4 at 102 (6).
fn check(rules: &[Rule<'_>]) {
    for (rule, lines, expected_fills, expected_orders) in rules {
        let book = [
            add(1, "buy", 100, 3, "gtc"),
            add(2, "buy", 100, 4, "gtc"),
            add(3, "buy", 99, 5, "gtc"),
            add(4, "sell", 102, 6, "gtc"),
        ];
        let stream = [&book, lines.as_slice()].concat().join("\n");
        let run = run("jsonl", stream.as_bytes(), &[]);
        assert!(run.success, "{rule}: {}", run.stderr);
        assert_eq!(fills(&run), *expected_fills, "{rule}");
        assert_eq!(orders(&run), *expected_orders, "{rule}");
    }
}

/// What rests of the four orders when nothing happened.
const ALL: &[[i64; 3]] = &[[1, 100, 3], [2, 100, 4], [3, 99, 5], [4, 102, 6]];

#[test]
fn orders_trade_and_rest_by_their_time_in_force() {
    check(&[
        (
            "a gtc order trades in price-time priority, and the rest rests",
            vec![add(9, "sell", 99, 14, "gtc")],
            &[[9, 1, 100, 3], [9, 2, 100, 4], [9, 3, 99, 5]],
            &[[9, 99, 2], [4, 102, 6]],
        ),
        (
            "the maker keeps its place with what is left",
            vec![
                add(9, "sell", 100, 1, "gtc"),
                add(10, "sell", 100, 3, "gtc"),
            ],
            &[[9, 1, 100, 1], [10, 1, 100, 2], [10, 2, 100, 1]],
            &[[2, 100, 3], [3, 99, 5], [4, 102, 6]],
        ),
        (
            "the rest of an ioc order is dropped",
            vec![add(9, "sell", 100, 9, "ioc")],
            &[[9, 1, 100, 3], [9, 2, 100, 4]],
            &[[3, 99, 5], [4, 102, 6]],
        ),
        (
            "a fok order fills whole",
            vec![add(9, "sell", 100, 7, "fok")],
            &[[9, 1, 100, 3], [9, 2, 100, 4]],
            &[[3, 99, 5], [4, 102, 6]],
        ),
        (
            "or does nothing",
            vec![add(9, "sell", 100, 8, "fok")],
            &[],
            ALL,
        ),
        (
            "a post_only order that would trade is refused",
            vec![add(9, "sell", 100, 1, "post_only")],
            &[],
            ALL,
        ),
        (
            "and rests otherwise",
            vec![add(9, "sell", 101, 1, "post_only")],
            &[],
            &[
                [1, 100, 3],
                [2, 100, 4],
                [3, 99, 5],
                [9, 101, 1],
                [4, 102, 6],
            ],
        ),
        (
            "a market order takes down to its limit, and the rest is dropped",
            vec![market(9, "sell", 8, 100)],
            &[[9, 1, 100, 3], [9, 2, 100, 4]],
            &[[3, 99, 5], [4, 102, 6]],
        ),
    ]);
}

#[test]
fn orders_leave_and_change() {
    check(&[
        (
            "cancel",
            vec![cancel(1)],
            &[],
            &[[2, 100, 4], [3, 99, 5], [4, 102, 6]],
        ),
        (
            "an order that does not rest is not cancelled",
            vec![cancel(77)],
            &[],
            ALL,
        ),
        (
            "nor one that has left",
            vec![cancel(1), cancel(1), amend(1, 101, 5)],
            &[],
            &[[2, 100, 4], [3, 99, 5], [4, 102, 6]],
        ),
        (
            "smaller at the same price keeps priority",
            vec![amend(1, 100, 1)],
            &[],
            &[[1, 100, 1], [2, 100, 4], [3, 99, 5], [4, 102, 6]],
        ),
        (
            "the same size at the same price changes nothing",
            vec![amend(1, 100, 3)],
            &[],
            ALL,
        ),
        (
            "larger goes to the back",
            vec![amend(1, 100, 4)],
            &[],
            &[[2, 100, 4], [1, 100, 4], [3, 99, 5], [4, 102, 6]],
        ),
        (
            "another price goes to the back, smaller or not",
            vec![amend(1, 99, 2)],
            &[],
            &[[2, 100, 4], [3, 99, 5], [1, 99, 2], [4, 102, 6]],
        ),
        (
            "the size is what is open, not what was ordered",
            vec![market(9, "sell", 2, 100), amend(1, 100, 1)],
            &[[9, 1, 100, 2]],
            &[[1, 100, 1], [2, 100, 4], [3, 99, 5], [4, 102, 6]],
        ),
        (
            "an amended order trades under its own id, and the rest rests",
            vec![amend(3, 102, 8)],
            &[[3, 4, 102, 6]],
            &[[3, 102, 2], [1, 100, 3], [2, 100, 4]],
        ),
        (
            "also one that was post_only",
            vec![add(9, "sell", 103, 2, "post_only"), amend(9, 100, 2)],
            &[[9, 1, 100, 2]],
            &[[1, 100, 1], [2, 100, 4], [3, 99, 5], [4, 102, 6]],
        ),
    ]);
}

#[test]
fn markets_are_apart_and_files_have_their_fields_in_order() {
    let stream = concat!(
        r#"{"op":"add","id":7,"market":900,"side":"buy","price":100,"qty":5,"tif":"gtc","account":3}"#,
        "\r\n\n",
        r#"{"op":"add","id":18446744073709551615,"side":"sell","price":100,"qty":1,"tif":"gtc"}"#,
        "\n",
        r#"{"op":"add","id":2,"market":900,"side":"sell","price":101,"qty":4,"tif":"gtc"}"#,
        "\n",
        r#"{"op":"add","id":3,"market":900,"side":"buy","price":-5,"qty":1,"tif":"gtc"}"#,
        "\n",
        r#"{"op":"market","id":8,"market":900,"side":"sell","qty":2,"limit":90}"#,
    );
    let run = run("jsonl", stream.as_bytes(), &[]);
    assert!(run.success, "{}", run.stderr);
    assert_eq!(
        run.fills,
        "{\"taker\":8,\"maker\":7,\"price\":100,\"qty\":2,\"market\":900}\n"
    );
    assert_eq!(
        run.levels,
        "{\"market\":0,\"side\":\"sell\",\"price\":100,\"qty\":1,\"orders\":1}\n\
         {\"market\":900,\"side\":\"buy\",\"price\":100,\"qty\":3,\"orders\":1}\n\
         {\"market\":900,\"side\":\"buy\",\"price\":-5,\"qty\":1,\"orders\":1}\n\
         {\"market\":900,\"side\":\"sell\",\"price\":101,\"qty\":4,\"orders\":1}\n"
    );
    assert_eq!(
        run.orders,
        "{\"market\":0,\"side\":\"sell\",\"price\":100,\"id\":18446744073709551615,\"qty\":1}\n\
         {\"market\":900,\"side\":\"buy\",\"price\":100,\"id\":7,\"qty\":3}\n\
         {\"market\":900,\"side\":\"buy\",\"price\":-5,\"id\":3,\"qty\":1}\n\
         {\"market\":900,\"side\":\"sell\",\"price\":101,\"id\":2,\"qty\":4}\n"
    );
    for (name, count) in [
        ("messages", 5),
        ("fills", 1),
        ("volume", 2),
        ("resting_orders", 4),
    ] {
        assert_eq!(run.summary[name], count, "{name}: {}", run.summary);
    }
    assert!(run.summary["messages_per_second"].as_f64() > Some(0.0));
}

#[test]
fn self_trades_are_prevented_when_asked() {
    // A bid of account 1, one of account 2 behind it, and a sale by account 1 that takes both.
    let line = |id: u64, side: &str, qty: i64, account: u64| {
        json!({"op": "add", "id": id, "side": side, "price": 100, "qty": qty, "tif": "gtc",
            "account": account})
        .to_string()
    };
    let lines = [
        line(1, "buy", 3, 1),
        line(2, "buy", 4, 2),
        line(9, "sell", 5, 1),
    ]
    .join("\n");
    for (mode, expected_fills, expected_orders) in [
        (
            "allow",
            vec![[9, 1, 100, 3], [9, 2, 100, 2]],
            vec![[2, 100, 2]],
        ),
        ("cancel-taker", vec![], vec![[1, 100, 3], [2, 100, 4]]),
        ("cancel-maker", vec![[9, 2, 100, 4]], vec![[9, 100, 1]]),
        ("cancel-both", vec![], vec![[2, 100, 4]]),
        ("decrement-both", vec![[9, 2, 100, 2]], vec![[2, 100, 2]]),
    ] {
        let run = run("jsonl", lines.as_bytes(), &["--stp", mode]);
        assert!(run.success, "{mode}: {}", run.stderr);
        assert_eq!(fills(&run), expected_fills, "{mode}");
        assert_eq!(orders(&run), expected_orders, "{mode}");
    }
    let run = run("jsonl", lines.as_bytes(), &["--stp", "never"]);
    assert!(
        !run.success && run.stderr.contains("--stp"),
        "{}",
        run.stderr
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn bad_lines_stop_with_number_field_and_value() {
    let good = add(1, "buy", 100, 3, "gtc");
    for (bad, expected) in [
        (add(2, "sell", 100, 0, "gtc"), "qty: 0 is not above 0"),
        (add(2, "sell", 100, -1, "gtc"), "qty: -1 is not above 0"),
        (amend(1, 100, 0), "qty: 0 is not above 0"),
        (market(2, "sell", 0, 1), "qty: 0 is not above 0"),
        (add(1, "sell", 100, 1, "gtc"), "id: 1 is repeated"),
        (market(1, "sell", 1, 1), "id: 1 is repeated"),
        (
            format!("{}\n{}", cancel(1), add(1, "buy", 1, 1, "gtc")),
            "id: 1 is repeated",
        ),
        (
            format!("{}\n{}", market(5, "buy", 1, 1), add(5, "buy", 1, 1, "gtc")),
            "id: 5 is repeated",
        ),
        (
            add(2, "up", 100, 1, "gtc"),
            r#"side: "up" is neither buy nor sell"#,
        ),
        (add(2, "buy", 100, 1, "day"), r#"tif: "day" is none of gtc"#),
        (r#"{"op":"ad","id":2}"#.into(), r#"op: "ad" is none of add"#),
        (r#"{"op":"cancel"}"#.into(), "id: is missing"),
        (
            r#"{"op":"cancel","id":"1"}"#.into(),
            r#"id: "1" is not a whole number"#,
        ),
        (
            r#"{"op":"cancel","id":-1}"#.into(),
            "id: -1 is not a whole number",
        ),
        (
            r#"{"op":"amend","id":1,"qty":1}"#.into(),
            "price: is missing",
        ),
        (
            r#"{"op":"amend","id":1,"price":1}"#.into(),
            "qty: is missing",
        ),
        (
            r#"{"op":"amend","id":1,"price":1.5,"qty":1}"#.into(),
            "price: 1.5 is not a whole number",
        ),
        (
            r#"{"op":"market","id":2,"side":"sell","qty":1,"price":1}"#.into(),
            "limit: is missing",
        ),
        (
            r#"{"op":"add","id":2,"price":1,"qty":1,"tif":"gtc"}"#.into(),
            "side: is missing",
        ),
        (
            r#"{"op":"cancel","id":1,"colour":"red"}"#.into(),
            r#"colour: "red""#,
        ),
        (r#"{"op":"cancel","id":1"#.into(), "not a JSON object: "),
        ("[]".into(), "not a JSON object: "),
        (
            add(2, "buy", 100, i64::MAX, "gtc"),
            "qty: 9223372036854775807 more overflow",
        ),
    ] {
        let stream = format!("{good}\n{}\n{bad}\n{good}\n", market(3, "sell", 1, 1));
        let run = run("jsonl", stream.as_bytes(), &[]);
        assert!(!run.success, "{bad}");
        let line = stream.lines().count() - 1;
        let expected = format!("standard input: line {line}: {expected}");
        assert!(run.stderr.contains(&expected), "{bad}: {}", run.stderr);
        // What happened before is written whole; nothing else is.
        assert_eq!(fills(&run), [[3, 1, 100, 1]], "{bad}");
        assert_eq!(
            (run.levels.as_str(), run.orders.as_str()),
            ("", ""),
            "{bad}"
        );
    }
}
