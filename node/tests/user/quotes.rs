//! What a market maker has: scales, quotes that are replaced in place, and their protection.

use serde_json::{Value, json};

use crate::{Running, User};

const QUOTES: &str = "quotes --account 2";

/// Prices and sizes of the book's bids or asks.
fn side(user: &User, side: &str) -> Vec<(String, String)> {
    let book = user.query("book BTC-PERP");
    let text = |level: &Value, field: &str| level[field].as_str().expect("text").to_owned();
    let levels = book[side].as_array().expect("levels").iter();
    levels
        .map(|level| (text(level, "price_decimal"), text(level, "size_decimal")))
        .collect()
}

fn levels(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(price, size)| ((*price).to_owned(), (*size).to_owned()))
        .collect()
}

/// Ids of the orders that an action's parts made or left.
fn ids(answer: &Value) -> Vec<Value> {
    let parts = answer["result"]["actions"][0]["parts"].as_array();
    let parts = parts.expect("parts").iter();
    parts.map(|part| part["order"].clone()).collect()
}

pub(crate) fn quotes_are_replaced_and_protected(running: Running) {
    let user = User::new(running);
    scales_spread_a_size(&user);
    quotes_keep_their_place(&user);
    a_protection_cuts_the_fill_and_takes_the_quotes(&user);
    user.stop();
}

fn scales_spread_a_size(user: &User) {
    user.tx(
        "scale --account 1 --market BTC-PERP --side buy --size 1.5 --price 99000 \
         --last-price 98600 --orders 5 --last-size 2 --type post-only",
    );
    assert_eq!(
        side(user, "bids"),
        levels(&[
            ("99000.0", "0.2000"),
            ("98900.0", "0.2500"),
            ("98800.0", "0.3000"),
            ("98700.0", "0.3500"),
            ("98600.0", "0.4000"),
        ])
    );
    user.tx("cancel --account 1 --all");
}

fn quotes_keep_their_place(user: &User) {
    let first = ids(&user.sent(&format!(
        "{QUOTES} BTC-PERP=99500:0.5/100500:0.5 BTC/USDC=99000:0.1/"
    )));
    assert_eq!(first.len(), 4);
    let second = ids(&user.sent(&format!("{QUOTES} BTC-PERP=99500:0.3/100400:0.5")));
    // The spot market, number 0, comes first.
    assert_eq!(second[0], first[2], "a smaller bid keeps its place");
    assert_ne!(second[1], first[3], "another price does not");
    assert_eq!(side(user, "bids"), levels(&[("99500.0", "0.3000")]));
    assert_eq!(side(user, "asks"), levels(&[("100400.0", "0.5000")]));
    let order = user.query(&format!("order {}", second[1].as_str().expect("an id")));
    assert_eq!(order["quote"], true);
}

fn a_protection_cuts_the_fill_and_takes_the_quotes(user: &User) {
    user.tx("protect --account 2 --group BTC --interval 1h --notional 20000");
    let sell =
        "order --market BTC-PERP --account 4 --side sell --size 0.3 --type ioc --price 99500";
    // A lot is worth 9.95 at that price.
    assert_eq!(user.result(sell), ("OK".to_owned(), 2_010));
    assert_eq!((side(user, "bids"), side(user, "asks")), (vec![], vec![]));
    assert_eq!(user.query("book BTC/USDC")["bids"], json!([]));
    let quote = format!("{QUOTES} BTC-PERP=99500:0.3/");
    let refused = user.run("tx", &quote);
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("QUOTES_FROZEN"), "{stderr}");
    user.tx("protect --account 2 --group BTC");
    user.tx(&quote);
    assert_eq!(side(user, "bids"), levels(&[("99500.0", "0.3000")]));
}
