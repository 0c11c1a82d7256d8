//! A market that trades in a batch at the end of each block, on every kind of network.

use serde_json::json;

use crate::orders::{held, orders};
use crate::{Kind, Running, User};

#[test]
fn dev() {
    trades_at_one_price_at_the_end_of_a_block(Kind::Dev);
}

#[test]
fn localnet_app() {
    trades_at_one_price_at_the_end_of_a_block(Kind::App);
}

#[test]
fn localnet_flood() {
    trades_at_one_price_at_the_end_of_a_block(Kind::Flood);
}

fn trades_at_one_price_at_the_end_of_a_block(kind: Kind) {
    let Some(running) = Running::start_with(kind, &["--batch", "BTC-PERP"]) else {
        return;
    };
    let user = User::new(running);
    assert_eq!(user.query("market BTC-PERP")["matching"], "batch");
    let order = "order --market BTC-PERP";
    let bid = format!("{order} --account 1 --side buy --size 0.3 --price 100001");
    assert_eq!(user.result(&bid), ("OK".to_owned(), 0));

    // Both asks come in one block. Results do not count what trades at its end.
    let asks = json!([
        {"action": "order", "market": "BTC-PERP", "side": "sell", "size": "0.2", "price": "99999"},
        {"action": "order", "market": "BTC-PERP", "side": "sell", "size": "0.05", "price": "99990",
         "type": "ioc"},
    ]);
    let batch = user.0.directory.path().join("asks.json");
    std::fs::write(&batch, asks.to_string()).expect("writes");
    let words = format!("batch {} --account 4", batch.display());
    assert_eq!(user.result(&words), ("OK".to_owned(), 0));
    // Any price from the ask to the bid trades as much; the mark is the nearest to itself.
    let trades = user.query("trades BTC-PERP");
    let trades = trades["trades"].as_array().expect("trades");
    assert_eq!(trades.len(), 2, "{trades:?}");
    assert!(trades.iter().all(|it| it["price_decimal"] == "100000.0"));
    assert!(trades.iter().all(|it| it["side"] == "sell"));
    let own = user.query("account --account 1");
    assert_eq!(held(&own), 2_500);
    assert_eq!(orders(&own)[0]["remaining"], 500);
    assert_eq!(held(&user.query("account --account 4")), -2_500);

    // What an IOC order does not trade in its block goes, and no block promises a whole fill.
    let far = format!("{order} --account 6 --side buy --size 0.1 --price 99000");
    assert_eq!(
        user.result(&format!("{far} --type ioc")),
        ("OK".to_owned(), 0)
    );
    assert_eq!(user.result(&format!("{far} --type fok")).0, "FOK_UNFILLED");
    assert!(orders(&user.query("account --account 6")).is_empty());
    assert_eq!(
        user.result(&format!("{far} --twap 1h --every 1m")).0,
        "BAD_TWAP"
    );
    user.stop();
}
