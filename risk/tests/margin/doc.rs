//! The worked numbers of `docs/margin.md`.

use crate::margin_file::MarginFile;
use ballast_genesis::margin::parse;
use ballast_risk::portfolio::{MONEY_DIGITS, decimal};
use serde_json::Value;

/// Figures that round down; all others are requirements and round up.
const DOWN: [&str; 3] = ["equity", "mtm", "net_delta"];

/// The text of the code spans of a table cell, or the cell itself.
fn name(cell: &str) -> Option<&str> {
    cell.split('`').nth(1)
}

/// A computed figure as the page shows one of as many decimals.
fn shown(path: &str, computed: &str, page: &str) -> String {
    let figure = parse(computed, MONEY_DIGITS).expect("a number");
    let decimals = page.split_once('.').map_or(0, |(_, part)| part.len());
    let decimals = u32::try_from(decimals).unwrap();
    let unit = 10_i128.pow(MONEY_DIGITS - decimals);
    let down = DOWN.iter().any(|name| path.ends_with(name));
    let rounded = if down {
        figure.div_euclid(unit)
    } else {
        -(-figure).div_euclid(unit)
    };
    decimal(rounded, decimals)
}

fn figure<'a>(outcome: &'a Value, path: &str) -> &'a str {
    let value = match path.split_once('.') {
        Some((unit, name)) => &outcome["units"][unit][name],
        None => &outcome[path],
    };
    value.as_str().expect("a figure of this name")
}

/// One row of a table after `case`: a figure of it, or the two requirements under a preset.
fn row(file: &MarginFile, case: &Value, cells: &[&str], checked: &mut usize) {
    let Some(first) = name(cells[0]) else {
        return;
    };
    let mut case = case.clone();
    let mut check = |case: &Value, path: &str, page: &str| {
        let outcome = file.run(case).expect("a margin").json();
        let page = page.replace(',', "");
        let have = shown(path, figure(&outcome, path), &page);
        assert_eq!(
            parse(&have, MONEY_DIGITS),
            parse(&page, MONEY_DIGITS),
            "{case} {first} {path}: {have}"
        );
        *checked += 1;
    };
    match cells {
        [_, value] if case.get("params").is_some() => check(&case, first, value),
        [_, maintenance, initial] if case.get("params").is_none() => {
            case["params"] = first.into();
            check(&case, "mm", maintenance);
            check(&case, "im", initial);
        }
        _ => {}
    }
}

#[test]
fn every_number_of_the_page_is_what_the_program_computes() {
    let file = MarginFile::parse(r#"{"vectors": []}"#).unwrap();
    let page = include_str!("../../../docs/margin.md");
    let (mut code, mut case, mut checked) = (None::<String>, None, 0);
    for line in page.lines() {
        if line == "```json" {
            code = Some(String::new());
        } else if line == "```"
            && let Some(text) = code.take()
        {
            case = Some(serde_json::from_str(&text).expect("a case"));
        } else if let Some(text) = &mut code {
            text.push_str(line);
        } else if line.starts_with("## ") {
            case = None;
        } else if let (Some(case), Some(cells)) = (&case, line.strip_prefix("| ")) {
            let cells: Vec<&str> = cells
                .trim_end_matches('|')
                .split('|')
                .map(str::trim)
                .collect();
            row(&file, case, &cells, &mut checked);
        }
    }
    assert!(checked >= 60, "only {checked} numbers were found");
}
