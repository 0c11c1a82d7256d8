//! Lists of options and surfaces, for people.

use ballast_genesis::time;
use serde_json::Value;

use super::{cell, fields, section};
use crate::network::table;

/// Decimal places of greeks in the list; the market itself and JSON have all.
const PLACES: usize = 8;

/// Options with what their marks are made of.
pub(super) fn list(answer: &Value) -> String {
    let markets = answer["markets"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if markets.is_empty() {
        return "none\n".to_owned();
    }
    let plain = [
        "market",
        "id",
        "expiry",
        "status",
        "mark_decimal",
        "last_decimal",
        "open_interest_decimal",
    ];
    let greeks = ["mark_iv", "delta", "gamma", "vega", "theta", "forward"];
    let row = |market: &Value| {
        let fields = plain.iter().map(|name| match *name {
            "expiry" => date(&market["expiry"]),
            name => cell(&market[name]),
        });
        let greeks = greeks.iter().map(|name| cut(cell(&market["greeks"][name])));
        fields.chain(greeks).collect()
    };
    let header: Vec<&str> = plain
        .iter()
        .map(|name| name.strip_suffix("_decimal").unwrap_or(name))
        .chain(greeks)
        .collect();
    table(&header, markets.iter().map(row).collect())
}

/// Forwards as they are used, then curves as they were published.
pub(super) fn surface(answer: &Value) -> String {
    let rows = |name: &str, columns: &[&str]| {
        let rows = answer[name]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if rows.is_empty() {
            return "none\n".to_owned();
        }
        let row = |of: &Value| {
            let rest = columns.iter().skip(1).map(|name| match *name {
                "curve" => curve(of),
                name => cell(&of[name]),
            });
            std::iter::once(date(&of["expiry"])).chain(rest).collect()
        };
        table(columns, rows.iter().map(row).collect())
    };
    let published = ["expiry", "forward", "rate", "tenor", "curve"];
    format!(
        "{}{}{}",
        fields(answer),
        section(
            "priced from",
            rows("forwards", &["expiry", "forward", "rate"])
        ),
        section("published", rows("expiries", &published)),
    )
}

/// A decimal with at most [`PLACES`] places, the others cut.
fn cut(text: String) -> String {
    match text.split_once('.') {
        Some((whole, part)) if part.len() > PLACES => {
            let part: String = part.chars().take(PLACES).collect();
            format!("{whole}.{part}")
        }
        _ => text,
    }
}

/// `svi a 0.01 b 0.1 ...`, or the nodes as `k:variance`.
fn curve(of: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(nodes) = of["nodes"].as_array() {
        let node = |node: &Value| format!("{}:{}", word(&node[0]), word(&node[1]));
        return nodes.iter().map(node).collect::<Vec<_>>().join(" ");
    }
    let names = ["a", "b", "rho", "m", "sigma"];
    let values = names.map(|name| format!("{name} {}", word(&of["svi"][name])));
    format!("svi {}", values.join(" "))
}

/// A time in ms as people write it.
pub(super) fn date(ms: &Value) -> String {
    ms.as_u64().map_or_else(|| "-".to_owned(), time::format)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The words of each line.
    fn words(text: &str) -> Vec<Vec<&str>> {
        text.lines()
            .map(|line| line.split_whitespace().collect())
            .collect()
    }

    #[test]
    fn options_are_listed_with_volatility_and_greeks() {
        let market = |greeks| {
            json!({"market": "O", "id": 7, "expiry": 1_798_185_600_000_u64, "status": "open",
                "mark_decimal": "3200", "last_decimal": "0", "open_interest_decimal": "2.50",
                "greeks": greeks})
        };
        let greeks = json!({"mark_iv": "0.6", "delta": "0.5", "gamma": "0.0000200019", "vega": "110.5",
            "theta": "-95", "forward": "100500"});
        let answer = json!({"markets": [market(greeks), market(json!(null))]});
        let start = [
            "O",
            "7",
            "2026-12-25T08:00:00.000Z",
            "open",
            "3200",
            "0",
            "2.50",
        ];
        let greeks = ["0.6", "0.5", "0.00002000", "110.5", "-95", "100500"];
        let text = list(&answer);
        let lines = words(&text);
        assert_eq!(lines[0][4..8], ["mark", "last", "open_interest", "mark_iv"]);
        assert_eq!(lines[1], [&start[..], &greeks].concat());
        assert_eq!(lines[2], [&start[..], &["-"; 6]].concat());
        assert_eq!(list(&json!({"markets": []})), "none\n");
    }

    #[test]
    fn surfaces_are_shown_as_used_and_as_published() {
        let expiry = 1_798_185_600_000_u64;
        let answer = json!({"group": "BTC", "index": "100000.5",
        "forwards": [{"expiry": expiry, "forward": "100500", "rate": "0.045"}],
        "expiries": [
            {"expiry": expiry, "forward": "1", "rate": "0", "tenor": 5,
                "nodes": [["-0.1", "0.031"], ["0", "0.03"]]},
            {"expiry": expiry, "forward": "1", "rate": "0", "tenor": 5,
                "svi": {"a": "0.01", "b": "0.1", "rho": "-0.3", "m": "0", "sigma": "0.4"}},
        ]});
        let text = surface(&answer);
        let lines = words(&text);
        assert_eq!(lines[1], ["index", "100000.5"]);
        assert_eq!(lines[5], ["2026-12-25T08:00:00.000Z", "100500", "0.045"]);
        assert_eq!(lines[9][3..], ["5", "-0.1:0.031", "0:0.03"]);
        let svi = [
            "svi", "a", "0.01", "b", "0.1", "rho", "-0.3", "m", "0", "sigma", "0.4",
        ];
        assert_eq!(lines[10][4..], svi);
        let none = surface(&json!({"forwards": [], "expiries": []}));
        assert!(none.contains("published\nnone"), "{none}");
    }
}
