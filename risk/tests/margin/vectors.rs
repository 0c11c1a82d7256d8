//! The cases of an independent reference with 50 digits.

use crate::margin_file::MarginFile;
use ballast_genesis::margin::parse;
use ballast_risk::portfolio::{MONEY_DIGITS, OrderSums};
use serde_json::Value;

/// Expected numbers may differ by one part in this many, or absolutely below 1.
fn check(text: &str, count: usize, parts: i128) {
    let file = MarginFile::parse(text).expect("a file of cases");
    assert_eq!(file.cases().len(), count);
    let mut wrong = Vec::new();
    for case in file.cases() {
        let id = case["id"].as_str().expect("an id");
        match file.run(case) {
            Err(error) => wrong.push(format!("{id}: {error}")),
            Ok(outcome) => {
                let computed = outcome.json();
                compare(&mut wrong, parts, id, &case["expected"], &computed);
                for (name, unit) in case["expected"]["units"].as_object().into_iter().flatten() {
                    worst(&mut wrong, id, unit, &computed["units"][name]);
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn compare(wrong: &mut Vec<String>, parts: i128, path: &str, expected: &Value, computed: &Value) {
    match expected {
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| *name != "worst_scenario") {
                compare(
                    wrong,
                    parts,
                    &format!("{path}.{name}"),
                    member,
                    &computed[name],
                );
            }
        }
        Value::Array(elements) => {
            assert_eq!(
                computed.as_array().map(Vec::len),
                Some(elements.len()),
                "{path}"
            );
            for (index, element) in elements.iter().enumerate() {
                compare(
                    wrong,
                    parts,
                    &format!("{path}[{index}]"),
                    element,
                    &computed[index],
                );
            }
        }
        _ => {
            let (want, have) = (number(expected), number(computed));
            if (want - have).abs() > want.abs().max(10_i128.pow(MONEY_DIGITS)) / parts {
                wrong.push(format!("{path}: {computed} instead of {expected}"));
            }
        }
    }
}

fn number(value: &Value) -> i128 {
    parse(value.as_str().expect("a decimal string"), MONEY_DIGITS).expect("a number")
}

/// The worst scenario is the expected one, or one that loses as much: the reference breaks ties
/// between scenarios by the noise of its last digit.
fn worst(wrong: &mut Vec<String>, id: &str, expected: &Value, computed: &Value) {
    let (want, have) = (&expected["worst_scenario"], &computed["worst_scenario"]);
    if want == have || expected.get("worst_scenario").is_none() {
        return;
    }
    let pnl = |index: &Value| {
        let index = usize::try_from(index.as_u64()?).ok()?;
        Some(number(&computed["scenario_pnl"][index]))
    };
    let close = |a: i128, b: i128| (a - b).abs() <= a.abs() / 1_000_000_000;
    if !pnl(want).zip(pnl(have)).is_some_and(|(a, b)| close(a, b)) {
        wrong.push(format!("{id}: worst {have} instead of {want}"));
    }
}

#[test]
fn the_cases_of_every_style() {
    check(
        include_str!("../vectors/portfolio_margin.json"),
        135,
        1_000_000_000,
    );
}

#[test]
fn the_cases_of_collateral_smiles_confidences_and_depegs() {
    check(
        include_str!("../vectors/portfolio_margin_features.json"),
        60,
        1_000_000_000,
    );
}

#[test]
fn the_examples_that_venues_publish() {
    check(
        include_str!("../vectors/portfolio_margin_published.json"),
        7,
        1_000_000,
    );
}

#[test]
fn presets_are_the_parameter_sets_of_the_reference() {
    let file = MarginFile::parse(include_str!("../vectors/portfolio_margin.json")).unwrap();
    for (preset, set) in [
        ("default", "spm_default"),
        ("derive-2", "derive_pm2_mainnet"),
        ("deribit-linear", "deribit_linear_btc"),
        ("deribit-coin", "deribit_eth_2026_5b9cfbf4"),
        ("okx", "okx_btc"),
        ("paradex", "paradex"),
        ("span-16", "span16_5pct"),
        ("aevo", "aevo_scan_only"),
    ] {
        let (preset, set) = (file.params(preset).unwrap(), file.params(set).unwrap());
        assert_eq!(preset, set);
    }
}

#[test]
fn without_open_orders_the_requirement_is_the_margin() {
    let none = OrderSums::default();
    let mut units = 0;
    for text in [
        include_str!("../vectors/portfolio_margin.json"),
        include_str!("../vectors/portfolio_margin_features.json"),
        include_str!("../vectors/portfolio_margin_published.json"),
    ] {
        let file = MarginFile::parse(text).unwrap();
        for case in file.cases() {
            let each = file.each_unit(case, |scenarios, held| {
                let margin = scenarios.margin(held)?;
                Ok((margin, scenarios.requirement(held, &none)?))
            });
            for (name, (margin, with)) in each.unwrap() {
                let id = &case["id"];
                assert_eq!(with.initial, margin.initial, "{id} {name}");
                assert_eq!(with.maintenance, margin.maintenance, "{id} {name}");
                assert_eq!(with.held, margin.maintenance, "{id} {name}");
                units += 1;
            }
        }
    }
    assert!(units > 202, "{units}");
}
