//! Orders that act on each other, follow a price or a schedule, or meet in an auction.

use serde_json::{Value, json};

use crate::orders::{held, long_position, orders};
use crate::{Running, User};

const ORDER: &str = "order --market BTC-PERP";
const OWN: &str = "account --account 1";

/// Ids of the orders of a linked action, when nothing is refused.
fn linked(user: &User, words: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(&user.tx(&format!("linked {words} --json")))
        .unwrap_or_else(|error| panic!("{words}: {error}"));
    let parts = answer["result"]["actions"][0]["parts"].as_array();
    let ids = parts.expect("parts").iter().map(|part| &part["order"]);
    ids.map(|id| id.as_str().expect("an order").to_owned())
        .collect()
}

/// Publishes a price of BTC-PERP and waits until it counts.
fn publish(user: &User, kind: &str, price: &str) {
    let name = if kind.is_empty() { "mark" } else { "index" };
    user.tx(&format!("prices --account 0 {kind}BTC-PERP={price}"));
    let told = match price.contains('.') {
        true => price.to_owned(),
        false => format!("{price}.0"),
    };
    user.until("market BTC-PERP", |market| {
        market[format!("{name}_decimal")] == told.as_str()
    });
}

fn lots(order: &Value, names: &[&str]) -> Vec<i64> {
    let lots = names.iter().map(|name| order[name].as_i64());
    lots.map(|lots| lots.expect("lots")).collect()
}

pub(crate) fn linked_orders_live_and_die_together(running: Running) {
    let user = User::new(running);
    long_position(&user);
    a_stop_that_fires_takes_the_other_away(&user);
    fills_wake_a_pair_of_which_one_cancels_the_other(&user);
    user.stop();
}

/// Account 1 closes 0.3 of its 0.5 at a profit or by a stop, as far as the other has not.
fn a_stop_that_fires_takes_the_other_away(user: &User) {
    let close = "--market BTC-PERP --side sell --size 0.3 --reduce-only";
    let ids = linked(
        user,
        &format!(
            "--account 1 --kind oco --rule incremental --order \"{close} --price 105000\" \
             --leg \"{close} --price 94000 --type ioc --trigger mark --below 97000\""
        ),
    );
    let link = json!({
        "kind": "oco", "rule": "incremental", "order": ids[0], "legs": [ids[1]],
    });
    for (id, state) in ids.iter().zip(["resting", "waiting"]) {
        let order = user.query(&format!("order {id} --account 1"));
        assert_eq!((&order["state"], &order["link"]), (&json!(state), &link));
    }
    assert_eq!(
        user.query(&format!("order {}", ids[0]))["link"],
        Value::Null
    );
    let amend = format!("amend --account 1 --order {} --size 0.2", ids[0]);
    assert_eq!(user.result(&amend).0, "ORDER_LINKED");

    // A fill of the one takes as much of the other.
    user.tx(&format!(
        "{ORDER} --account 6 --side buy --size 0.1 --price 105000"
    ));
    let leg = user.query(&format!("order {} --account 1", ids[1]));
    assert_eq!(leg["remaining"], 2_000);
    publish(user, "", "96900");
    let account = user.until(OWN, |account| orders(account).is_empty());
    assert_eq!(held(&account), 2_000);
    assert_eq!(user.query("book BTC-PERP")["asks"], json!([]));
    user.tx("cancel --account 5 --all");
}

/// Account 2 buys; what it gets is for sale at a profit, or goes by a stop.
fn fills_wake_a_pair_of_which_one_cancels_the_other(user: &User) {
    let order = "--market BTC-PERP --size 0.4";
    let ids = linked(
        user,
        &format!(
            "--account 2 --kind otoco --order \"{order} --side buy --price 98000\" \
             --leg \"{order} --side sell --price 99000\" \
             --leg \"{order} --side sell --price 90000 --type ioc --trigger mark --below 91000\""
        ),
    );
    let leg = |at: usize| user.query(&format!("order {} --account 2", ids[at]));
    assert_eq!(lots(&leg(1), &["remaining", "dormant"]), [4_000, 4_000]);
    user.tx(&format!(
        "{ORDER} --account 4 --side sell --size 0.1 --price 98000"
    ));
    // The first fill wakes all of both; the one without a trigger enters.
    user.until(&format!("order {} --account 2", ids[1]), |leg| {
        leg["state"] == "resting"
    });
    assert_eq!(lots(&leg(2), &["remaining", "dormant"]), [4_000, 0]);
    user.tx(&format!(
        "{ORDER} --account 6 --side buy --size 0.1 --price 99000"
    ));
    let gone = user.run("query", &format!("order {} --account 2", ids[2]));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("UNKNOWN_ORDER"));
    user.tx("cancel --account 2 --all");

    // One that does not fit takes the others with it.
    let words = format!(
        "linked --account 2 --kind oto --order \"{order} --side buy --price 98000\" \
         --leg \"{order} --side sell --price 99000 --client-id 0\""
    );
    let answer = user.sent(&words);
    let parts = &answer["result"]["actions"][0]["parts"];
    let names = [0, 1].map(|at| &parts[at]["name"]);
    assert_eq!(names, ["LINK_REFUSED", "BAD_CLIENT_ID"]);
    assert_eq!(
        user.result(&words.replace("--kind oto", "--kind otoco")).0,
        "BAD_LINK"
    );
}

pub(crate) fn pegged_orders_follow_a_price(running: Running) {
    let user = User::new(running);
    let bid = format!("{ORDER} --account 1 --side buy --size 0.5 --price 99000");
    let id = user.order(&format!("{bid} --peg index --offset -30"));
    let own = format!("order {id} --account 1");
    let rests_at = |price: &str| {
        let order = user.until(&own, |order| order["rests_at_decimal"] == price);
        assert_eq!(order["price_decimal"], "99000.0");
        let public = user.query(&format!("order {id}"));
        assert_eq!(public["price_decimal"], price);
        let bids = &user.query("book BTC-PERP")["bids"];
        assert_eq!(bids[0]["price_decimal"], price, "{bids}");
    };
    rests_at("99000.0");
    publish(&user, "index:", "98000");
    rests_at("97970.0");
    publish(&user, "index:", "98500.5");
    rests_at("98470.5");
    // Never across the best ask.
    user.tx(&format!(
        "{ORDER} --account 4 --side sell --size 0.1 --price 98471"
    ));
    publish(&user, "index:", "98600");
    rests_at("98470.9");

    // Another follows the best bid that is not pegged, of which there is none yet.
    let follower = format!("{ORDER} --account 2 --side buy --size 0.2 --price 99000 --peg bid");
    assert_eq!(user.result(&follower).0, "NO_REFERENCE");
    user.tx(&format!(
        "{ORDER} --account 5 --side buy --size 0.1 --price 98000"
    ));
    let follower = user.order(&follower);
    user.tx(&format!(
        "{ORDER} --account 5 --side buy --size 0.1 --price 98100"
    ));
    user.until(&format!("order {follower}"), |order| {
        order["price_decimal"] == "98100.0"
    });
    assert_eq!(
        user.result(&format!("{bid} --peg bid --trigger mark --below 1"))
            .0,
        "BAD_PEG"
    );
    user.stop();
}

pub(crate) fn twap_orders_trade_in_slices(running: Running) {
    let user = User::new(running);
    user.tx(&format!(
        "{ORDER} --account 4 --side sell --size 1 --price 100100"
    ));
    let buy = format!("{ORDER} --account 1 --side buy --size 0.3 --price 101000 --every 1s");
    let id = user.order(&format!("{buy} --twap 3s --tolerance 0.2%"));
    let waiting = user.query(&format!("order {id} --account 1"));
    assert_eq!(waiting["twap"]["interval_ms"], 1_000, "{waiting}");
    let account = user.until(OWN, |account| orders(account).is_empty());
    assert_eq!(held(&account), 3_000);
    let trades = user.query("trades BTC-PERP");
    let trades: Vec<_> = trades["trades"]
        .as_array()
        .expect("trades")
        .iter()
        .collect();
    let taken: Vec<_> = trades
        .iter()
        .map(|it| (&it["taker"], &it["size"]))
        .collect();
    let (id, slice) = (json!(id), json!(1_000));
    assert_eq!(taken, [(&id, &slice); 3]);

    // Nothing is as near to the mark as this one wants it.
    user.tx(&format!("{buy} --twap 2s --tolerance 0.05%"));
    user.until(OWN, |account| orders(account).is_empty());
    assert_eq!(held(&user.query(OWN)), 3_000);
    assert_eq!(user.result(&format!("{buy} --twap 1500ms")).0, "BAD_TWAP");
    user.stop();
}

pub(crate) fn an_auction_opens_a_market_at_one_price(running: Running) {
    let user = User::new(running);
    let status = |status: &str| {
        user.tx(&format!("status --account 0 BTC-PERP {status}"));
        user.until("market BTC-PERP", |market| market["status"] == status);
    };
    // What rested before a halt takes part.
    let place = |account: u8, side: &str, size: &str, price: &str| {
        let words =
            format!("{ORDER} --account {account} --side {side} --size {size} --price {price}");
        assert_eq!(user.result(&words), ("OK".to_owned(), 0), "{words}");
    };
    place(4, "sell", "0.4", "100000.2");
    status("suspended");
    status("auction");
    for (account, side, size, price) in [
        (1, "buy", "0.3", "100000.2"),
        (2, "buy", "0.2", "100000.1"),
        (6, "buy", "0.1", "100000"),
        (5, "sell", "0.15", "99999.9"),
        (5, "sell", "0.25", "100000"),
    ] {
        place(account, side, size, price);
    }
    let ioc = format!("{ORDER} --account 6 --side buy --size 1 --price 101000 --type ioc");
    assert_eq!(user.result(&ioc).0, "MARKET_AUCTION");
    let bests = user.query("book BTC-PERP");
    assert_eq!(bests["bids"][0]["price_decimal"], "100000.2");
    assert_eq!(bests["asks"][0]["price_decimal"], "99999.9");
    assert_eq!(user.query("trades BTC-PERP")["trades"], json!([]));

    status("open");
    let trades = user.query("trades BTC-PERP");
    let trades = trades["trades"].as_array().expect("trades");
    assert!(
        trades.iter().all(|it| it["price_decimal"] == "100000.1"),
        "{trades:?}"
    );
    let held = [1, 2, 4, 5, 6].map(|at| held(&user.query(&format!("account --account {at}"))));
    assert_eq!(held, [3_000, 1_000, 0, -4_000, 0]);
    let book = user.query("book BTC-PERP");
    let best = |side: &str| {
        let best = &book[side][0];
        (best["price_decimal"].clone(), best["size_decimal"].clone())
    };
    assert_eq!(best("bids"), (json!("100000.1"), json!("0.1000")));
    assert_eq!(best("asks"), (json!("100000.2"), json!("0.4000")));
    user.stop();
}
