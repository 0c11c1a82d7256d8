//! `ballast price` on the real binary.

mod common;

use serde_json::{Value, json};

/// The reference's options, which the pricing kernel is tested with too.
const VECTORS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../risk/tests/vectors/black76.json"
);

/// What a run left.
struct Run {
    success: bool,
    stdout: String,
    stderr: String,
}

impl Run {
    fn rows(&self) -> Vec<Value> {
        let row = |line| serde_json::from_str(line).expect("JSON");
        self.stdout.lines().map(row).collect()
    }
}

/// Runs `ballast price` on a file that it reads from standard input.
fn price(file: &str, more: &[&str]) -> Run {
    let args = [&["price", "-"], more].concat();
    let output = common::run_with_input(&args, file);
    Run {
        success: output.status.success(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The rows of options without outputs.
fn priced(inputs: &[Value]) -> Vec<Value> {
    let row = |(id, inputs)| json!({"id": id, "inputs": inputs});
    let vectors: Vec<_> = inputs.iter().enumerate().map(row).collect();
    let run = price(&json!({ "vectors": vectors }).to_string(), &["--json"]);
    assert!(run.success, "{}", run.stderr);
    run.rows()
}

fn float(row: &Value, field: &str) -> f64 {
    let text = row[field].as_str().expect("a string");
    text.parse().expect("a number")
}

/// At the money, half a year, 80 %.
fn option() -> Value {
    json!({
        "F": "100", "K": "110", "sigma": "0.8", "T_secs": "15768000", "r": "0.05", "type": "put",
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut option = option();
    for (field, value) in changes {
        option[*field] = value.clone();
    }
    option
}

#[test]
fn every_vector_of_the_reference_agrees() {
    let text = std::fs::read_to_string(VECTORS).expect("reads");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let run = price(&text, &["--json"]);
    assert!(run.success, "{}", run.stderr);
    let rows = run.rows();
    let list = |name: &str| file[name].as_array().expect("rows").clone();
    let (vectors, degenerate) = (list("vectors"), list("degenerate"));
    assert_eq!(rows.len(), vectors.len() + degenerate.len());
    for (vector, row) in vectors.iter().zip(&rows) {
        assert_eq!(row["id"], vector["id"]);
        let (inputs, outputs) = (&vector["inputs"], &vector["outputs"]);
        let unit = float(inputs, "F").max(float(inputs, "K"));
        let check = |field: &str, scale: f64, absolute: f64, relative: f64| {
            let (ours, expected) = (float(row, field) * scale, float(outputs, field) * scale);
            let allowed = absolute.max(relative * expected.abs());
            assert!(
                (ours - expected).abs() <= allowed,
                "{field}: {row}, {vector}"
            );
        };
        // More than the format demands: 1e-11 relative, in the wings too. The file cuts at 1e-60.
        check("price", 1.0 / unit, 1e-59 / unit, 1e-11);
        for field in ["delta_fwd", "gamma_fwd", "vega", "theta"] {
            check(field, 1.0, 1e-59, 1e-11);
        }
        let vol = "implied_vol_from_price15";
        assert_eq!(
            row[vol].is_null(),
            outputs[vol].is_null(),
            "{row}, {vector}"
        );
        if !row[vol].is_null() {
            check(vol, 1.0, 0.0, 1e-11);
        }
    }
    let limits = degenerate.iter().zip(&rows[vectors.len()..]);
    for (index, (vector, row)) in limits.enumerate() {
        assert_eq!(row["id"], format!("d{index}"));
        let error = float(row, "price") - float(&vector["outputs"], "price");
        assert!(error.abs() <= 1e-9 * 110.0, "{row}, {vector}");
    }
}

#[test]
fn text_ends_with_a_table_of_errors() {
    let text = std::fs::read_to_string(VECTORS).expect("reads");
    let run = price(&text, &[]);
    assert!(run.success, "{}", run.stderr);
    let table = run.stdout.split_once("\n\n").expect("two tables").1;
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        words[..4].join(" ")
    };
    let rows: Vec<_> = table.lines().map(row).collect();
    // Nothing is beyond what is allowed, and nothing is null on one side only.
    let expected = [
        "output compared beyond nulls",
        "price 259 0 0",
        "delta_fwd 250 0 0",
        "gamma_fwd 250 0 0",
        "vega 250 0 0",
        "theta 250 0 0",
        "implied_vol_from_price15 213 0 0",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn numbers_may_be_written_in_any_way() {
    let rows = priced(&[
        option(),
        with(&[
            ("F", json!(100)),
            ("K", json!(110.0)),
            ("sigma", json!("8.0e-1")),
            ("T_secs", json!("1.5768e7")),
            ("r", json!(5e-2)),
        ]),
        with(&[("F", json!("+1E2")), ("T_secs", json!("15768000.0"))]),
    ]);
    for row in &rows[1..] {
        for field in ["price", "delta_fwd", "gamma_fwd", "vega", "theta"] {
            assert_eq!(row[field], rows[0][field], "{field}");
        }
    }
    // Without outputs the printed price is inverted.
    assert_eq!(float(&rows[0], "implied_vol_from_price15"), 0.8);
}

#[test]
fn prices_scale_with_forward_and_strike() {
    let scaled = |power: i32| {
        let (forward, strike) = (format!("1e{}", power + 2), format!("11e{}", power + 1));
        with(&[("F", json!(forward)), ("K", json!(strike))])
    };
    let powers = [0, -30, -14, -5, 6, 25];
    let rows = priced(&powers.map(scaled));
    for (power, row) in powers.iter().zip(&rows) {
        let scale = 10_f64.powi(*power);
        for (field, scale) in [
            ("price", scale),
            ("delta_fwd", 1.0),
            ("gamma_fwd", 1.0 / scale),
            ("vega", scale),
            ("theta", scale),
            ("implied_vol_from_price15", 1.0),
        ] {
            let ratio = float(row, field) / float(&rows[0], field) / scale;
            assert!((ratio - 1.0).abs() < 1e-13, "{field} e{power}: {row}");
        }
    }
}

#[test]
fn limits_have_prices() {
    let changes: [(&[(&str, Value)], f64); 8] = [
        (&[("F", json!("0"))], 1.0),
        (&[("K", json!("0"))], 0.0),
        (&[("F", json!("0")), ("K", json!("0"))], 0.0),
        (&[("sigma", json!("0"))], 10.0 / 110.0),
        (&[("sigma", json!("63.9"))], 1.0),
        (&[("K", json!("1e30"))], 1.0),
        (&[("F", json!("1e30"))], 0.0),
        (
            &[("T_secs", json!("18446744073709551615")), ("r", json!("0"))],
            1.0,
        ),
    ];
    let discount = (-0.025_f64).exp();
    for (changes, expected) in changes {
        let option = with(changes);
        let unit = float(&option, "F").max(float(&option, "K")).max(1.0);
        let discount = if option["r"] == "0" { 1.0 } else { discount };
        let row = &priced(std::slice::from_ref(&option))[0];
        let error = float(row, "price") / unit - expected * discount;
        assert!(error.abs() < 1e-12, "{option}: {row}");
    }
    let expired = &priced(&[with(&[("T_secs", json!("0"))])])[0];
    assert_eq!(expired["price"], "10");
    assert!(expired["implied_vol_from_price15"].is_null());
}

#[test]
fn a_bad_vector_is_told_and_the_others_are_priced() {
    let without = |field: &str| {
        let mut option = option();
        option.as_object_mut().expect("an object").remove(field);
        option
    };
    let cases = [
        (with(&[("F", json!("-1"))]), "F is -1, below 0"),
        (
            with(&[("K", json!("abc"))]),
            "K is abc, not a decimal number",
        ),
        (
            with(&[("K", json!(null))]),
            "K is null, not a decimal number",
        ),
        (with(&[("sigma", json!("-0.5"))]), "sigma is -0.5, below 0"),
        (with(&[("sigma", json!("64"))]), "sigma is 64, not below 64"),
        (
            with(&[("r", json!("1e3"))]),
            "r is 1e3, not between -64 and 64",
        ),
        (
            with(&[("r", json!("-30"))]),
            "r is -30, which makes a discount of 64 or more in T_secs",
        ),
        (
            with(&[("T_secs", json!("1.5"))]),
            "T_secs is 1.5, not a whole number of seconds",
        ),
        (
            with(&[("type", json!("Call"))]),
            "type is Call, neither call nor put",
        ),
        (without("T_secs"), "T_secs is missing"),
        (json!({}), "sigma is missing"),
    ];
    for (inputs, expected) in cases {
        let file = json!({
            "vectors": [
                {"id": "bad", "inputs": inputs},
                {"id": "good", "inputs": option()},
            ],
            "degenerate": [{"inputs": option(), "outputs": {"price": "1,5"}}],
        });
        let run = price(&file.to_string(), &["--json"]);
        assert!(!run.success);
        let rows = run.rows();
        assert_eq!(rows[0], json!({"id": "bad", "error": expected}));
        assert_eq!(rows[1]["id"], "good");
        assert!(rows[1]["price"].is_string());
        let error = "outputs.price is 1,5, not a decimal number";
        assert_eq!(rows[2], json!({"id": "d0", "error": error}));
        assert!(run.stderr.contains("2 of 3 rows"), "{}", run.stderr);
        let run = price(&file.to_string(), &[]);
        assert!(!run.success && run.stdout.contains(error), "{}", run.stdout);
    }
}

#[test]
fn rows_that_are_no_objects_are_told() {
    let file = json!({"vectors": [7, {"id": 8}, {"inputs": option()}]});
    let run = price(&file.to_string(), &["--json"]);
    assert!(!run.success);
    let rows = run.rows();
    assert_eq!(rows[0]["id"], "vectors[0]");
    let error = rows[0]["error"].as_str().expect("an error");
    assert!(error.starts_with("7: "), "{error}");
    assert_eq!(rows[1], json!({"id": 8, "error": "inputs is missing"}));
    assert_eq!(rows[2]["id"], "vectors[2]");
    assert!(rows[2]["price"].is_string());
}

#[test]
fn a_file_that_is_none_is_named() {
    for (file, expected) in [
        ("{", "-: EOF while parsing"),
        ("[]", "-: neither vectors nor degenerate"),
        ("{}", "-: neither vectors nor degenerate"),
        ("{\"vectors\": 1}", "-: invalid type"),
    ] {
        let run = price(file, &["--json"]);
        assert!(!run.success);
        assert!(run.stderr.contains(expected), "{file}: {}", run.stderr);
    }
    let output = common::run(&["price", "no-such-file.json"]);
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("no-such-file.json: "), "{stderr}");
}
