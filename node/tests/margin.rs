//! `ballast margin` on the real binary.

mod common;

use std::process::Output;

use serde_json::{Value, json};

/// Runs `ballast margin` on a file that it reads from standard input.
fn run(file: &str, more: &[&str]) -> Output {
    let args = [&["margin", "-"], more].concat();
    common::run_with_input(&args, file)
}

/// The lines of `--json`.
fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// One case for each of these, with the preset `default`.
fn cases(inputs: &[Value]) -> String {
    let case = |(id, input)| json!({"id": id, "params": "default", "input": input});
    let cases: Vec<Value> = inputs.iter().enumerate().map(case).collect();
    json!({"vectors": cases}).to_string()
}

fn perpetual() -> Value {
    json!({"units": {"BTC": {"spot": "60000", "perp": "1"}}})
}

/// The numbers themselves are compared in `risk/tests/margin`.
#[test]
fn one_line_a_case_with_the_names_of_what_is_expected() {
    for (file, count) in [
        (
            include_str!("../../risk/tests/vectors/portfolio_margin.json"),
            135,
        ),
        (
            include_str!("../../risk/tests/vectors/portfolio_margin_features.json"),
            60,
        ),
    ] {
        let output = run(file, &["--json"]);
        assert!(output.status.success());
        let file: Value = serde_json::from_str(file).expect("JSON");
        let cases = file["vectors"].as_array().expect("cases");
        let lines = lines(&output);
        assert_eq!((cases.len(), lines.len()), (count, count));
        for (case, line) in cases.iter().zip(&lines) {
            assert_eq!(case["id"], line["id"]);
            named(&case["expected"], line);
        }
    }
}

fn named(expected: &Value, line: &Value) {
    match expected {
        Value::Object(members) => {
            for (name, member) in members {
                named(member, line.get(name).expect("the same names"));
            }
        }
        Value::Array(elements) => {
            assert_eq!(line.as_array().map(Vec::len), Some(elements.len()));
        }
        Value::String(_) => {
            let text = line.as_str().expect("a string");
            assert!(text.parse::<f64>().is_ok() || text == "basis", "{text}");
        }
        // The worst scenario, or none.
        _ => assert!(line.is_number() || line.is_null() || line.is_string()),
    }
}

#[test]
fn what_is_not_known_is_an_error_of_its_case_alone() {
    let inputs = [
        perpetual(),
        json!({"accounts": []}),
        json!({"units": {"BTC": {"spot": "60000", "perp": "one"}}}),
        json!({"units": {"BTC": {"perp": "1"}}}),
        json!({"units": {"BTC": {"spot": "0"}}}),
        json!({"units": {"BTC": {"spot": "60000", "swap": "1"}}}),
        json!({"units": {"BTC": {"spot": "60000", "perp": "99999999999999"}}}),
        json!({"units": {"BTC": {"spot": "60000", "expiries": [
            {"secs": 60, "fwd_var": "60000", "options": [{"strike": "1", "call": true}]}]}}}),
        perpetual(),
    ];
    let output = run(&cases(&inputs), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    for (line, error) in lines.iter().zip([
        "",
        "input.accounts: [] is not known here",
        "input.units.BTC.perp: \"one\" is not a number",
        "input.units.BTC.spot: missing",
        "input.units.BTC.spot: 0 must be above 0",
        "input.units.BTC.swap: \"1\" is not known here",
        "input.units.BTC.perp: \"99999999999999\" is too large",
        "input.units.BTC.expiries[0].options[0].vol: missing",
        "",
    ]) {
        let have = line["error"].as_str().unwrap_or_default();
        assert_eq!(have, error);
        assert_eq!(line["im"].is_string(), error.is_empty());
    }
    assert_eq!(lines.len(), inputs.len());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("7 of 9 cases have no margin"), "{stderr}");
}

#[test]
fn parameters_are_a_name_or_an_object() {
    let case = |params: Value| json!({"id": params, "params": params, "input": perpetual()});
    let tenth = json!({"scenarios": [{"spot": "0.9"}, {"spot": "1.1"}]});
    let file = json!({
        "param_sets": {"mine": tenth},
        "vectors": [
            case("mine".into()),
            case(tenth.clone()),
            case("span-16".into()),
            case("yours".into()),
            case(json!({"scenarios": [{"spot": "0.9", "vol": "sideways"}]})),
            case(json!({"scenarios": [], "im_factor": "0.5"})),
            case(json!({"scenarios": [], "floor": {"kind": "ceiling"}})),
            case(Value::Null),
        ],
    });
    let output = run(&file.to_string(), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    for (line, (initial, error)) in lines.iter().zip([
        ("6000", ""),
        ("6000", ""),
        ("6000", ""),
        ("", "case.params: \"yours\" names no set of param_sets"),
        (
            "",
            "params.scenarios[0].vol: \"sideways\" is none of none, up, down, linear, abs",
        ),
        ("", "params.im_factor: 0.5 must not be below mm_factor"),
        (
            "",
            "params.floor.kind: \"ceiling\" is none of unwind, min_delta, short_option",
        ),
        ("", "case.params: missing"),
    ]) {
        assert_eq!(line["im"].as_str().unwrap_or_default(), initial, "{line}");
        assert_eq!(line["error"].as_str().unwrap_or_default(), error);
    }
    assert_eq!(lines.len(), 8);
}

#[test]
fn people_read_the_charges_and_every_scenario() {
    let file = cases(&[perpetual()]);
    let output = run(&file, &[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "  equity 0  initial 10020  maintenance 8040",
        "    roll 300",
        "    floor 270",
        "    charges of both requirements 120",
    ] {
        assert!(text.lines().any(|have| have == line), "{line:?} in {text}");
    }
    let output = run(&file, &["--explain"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let scenarios = text
        .lines()
        .skip_while(|line| !line.contains("scenario  move"));
    assert_eq!(scenarios.skip(1).count(), 38, "{text}");
    assert!(text.contains("-9600"), "{text}");
}

#[test]
fn files_that_are_none_are_refused() {
    for (file, error) in [
        ("{", "EOF"),
        ("{}", "vectors: is not a list"),
        (
            r#"{"vectors": [], "param_sets": []}"#,
            "param_sets: is not an object",
        ),
    ] {
        let output = run(file, &["--json"]);
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(error), "{stderr}");
    }
}
