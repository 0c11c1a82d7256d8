//! What orders can do beyond waiting in a book: triggers, icebergs, self-trade modes, ends by height
//! and by switch, and what markets refuse.

use serde_json::{Value, json};

use crate::{Running, User};

const ORDER: &str = "order --market BTC-PERP";

/// Lots of BTC-PERP that an account holds.
pub(crate) fn held(account: &Value) -> i64 {
    let positions = account["positions"].as_array().expect("positions").iter();
    let mut perp = positions.filter(|position| position["market"] == "BTC-PERP");
    perp.next()
        .map_or(0, |position| position["size"].as_i64().expect("lots"))
}

pub(crate) fn orders(account: &Value) -> &[Value] {
    account["orders"].as_array().expect("orders")
}

/// Account 1 buys half a bitcoin of account 4 at 100,000, and account 5 bids far below for more.
pub(crate) fn long_position(user: &User) {
    user.tx(&format!(
        "{ORDER} --account 4 --side sell --size 0.5 --price 100000"
    ));
    let (code, filled) = user.result(&format!(
        "{ORDER} --account 1 --side buy --size 0.5 --price 100000"
    ));
    assert_eq!((code.as_str(), filled), ("OK", 5_000));
    user.tx(&format!(
        "{ORDER} --account 5 --side buy --size 1 --price 95500"
    ));
}

const OWN: &str = "account --account 1";
const CLOSE: &str = "order --market BTC-PERP --account 1 --side sell --reduce-only";

pub(crate) fn waiting_orders_fire(running: Running) {
    let user = User::new(running);
    long_position(&user);
    a_stop_fires_on_a_published_mark(&user);
    amends_and_cancels_reach_what_waits(&user);
    a_trailing_stop_follows_the_index(&user);
    a_take_profit_enters_the_book(&user);

    // One that is refused when it fires is gone.
    user.tx(&format!(
        "{CLOSE} --size 0.1 --price 100 --trigger mark --above 98000"
    ));
    user.tx("prices --account 0 BTC-PERP=98000");
    user.until(OWN, |account| orders(account).len() == 1);
    assert_eq!(held(&user.query(OWN)), 2_000);
    user.stop();
}

/// Only its owner sees it before.
fn a_stop_fires_on_a_published_mark(user: &User) {
    let stop =
        format!("{CLOSE} --size 0.2 --type market --slippage 2 --trigger mark --below 97000");
    let id = user.order(&stop);
    let account = user.query(OWN);
    assert_eq!(orders(&account)[0]["state"], "waiting");
    assert_eq!(orders(&account)[0]["price_decimal"], "95060.0");
    let trigger = json!({
        "source": "mark", "condition": "below", "price": 970_000, "price_decimal": "97000.0",
    });
    assert_eq!(orders(&account)[0]["trigger"], trigger);
    assert_eq!(
        user.query(&format!("order {id} --account 1"))["remaining"],
        2_000
    );
    assert_eq!(
        orders(&user.query(&format!("account {}", user.address(1)))),
        [Value::Null; 0]
    );
    let unknown = user.run("query", &format!("order {id}"));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("UNKNOWN_ORDER"));
    assert_eq!(user.query("book BTC-PERP")["asks"], json!([]));
    user.tx("prices --account 0 BTC-PERP=97000.1");
    user.until("market BTC-PERP", |market| market["mark"] == 970_001);
    assert_eq!(held(&user.query(OWN)), 5_000);
    user.tx("prices --account 0 BTC-PERP=96900");
    let account = user.until(OWN, |account| held(account) == 3_000);
    assert_eq!(orders(&account), [Value::Null; 0]);
    let trades = user.query("trades BTC-PERP --limit 1");
    assert_eq!(trades["trades"][0]["price_decimal"], "95500.0");
}

fn amends_and_cancels_reach_what_waits(user: &User) {
    let id = user.order(&format!(
        "{CLOSE} --size 0.1 --price 95000 --trigger index --below 90000"
    ));
    user.tx(&format!("amend --account 1 --order {id} --size 0.15"));
    let waits = user.query(&format!("order {id} --account 1"));
    assert_eq!(
        (&waits["remaining"], &waits["price"]),
        (&json!(1_500), &json!(950_000))
    );
    user.tx(&format!("cancel --account 1 --order {id}"));
    assert_eq!(orders(&user.query(OWN)), [Value::Null; 0]);
}

/// It fires 2 % below the highest.
fn a_trailing_stop_follows_the_index(user: &User) {
    let trail = "--trigger index --trail 2% --activation 101000";
    user.tx(&format!(
        "{CLOSE} --size 0.1 --type ioc --price 90000 {trail}"
    ));
    for (price, extreme) in [("100500", Value::Null), ("102000", json!(1_020_000))] {
        user.tx(&format!("prices --account 0 index:BTC-PERP={price}"));
        let told = format!("{price}.0");
        user.until("market BTC-PERP", |market| {
            market["index_decimal"] == told.as_str()
        });
        let account = user.query(OWN);
        let found = orders(&account)[0].get("extreme").unwrap_or(&Value::Null);
        assert_eq!(found, &extreme, "{account}");
    }
    user.tx("prices --account 0 index:BTC-PERP=99960.1");
    user.until("market BTC-PERP", |market| market["index"] == 999_601);
    assert_eq!(held(&user.query(OWN)), 3_000);
    user.tx("prices --account 0 index:BTC-PERP=99960");
    user.until(OWN, |account| held(account) == 2_000);
}

/// A limit order, once the last trade was high enough.
fn a_take_profit_enters_the_book(user: &User) {
    let batch = user.0.directory.path().join("batch.json");
    let profit = json!([{
        "action": "order", "market": "BTC-PERP", "side": "sell", "size": "0.2", "price": "103000",
        "trigger": "last", "above": "102500", "reduce_only": true, "type": "post-only",
    }]);
    std::fs::write(&batch, profit.to_string()).expect("writes");
    user.tx(&format!("batch {} --account 1", batch.display()));
    user.tx(&format!(
        "{ORDER} --account 4 --side sell --size 0.1 --price 102500"
    ));
    user.tx(&format!(
        "{ORDER} --account 6 --side buy --size 0.1 --price 102500"
    ));
    let resting = user.until(OWN, |account| orders(account)[0]["state"] == "resting");
    assert_eq!(orders(&resting)[0]["trigger"], Value::Null);
    let asks = &user.query("book BTC-PERP")["asks"];
    assert_eq!(asks[0]["price_decimal"], "103000.0");
    assert_eq!(user.query("market BTC-PERP")["last_decimal"], "102500.0");
}

pub(crate) fn icebergs_show_a_part_and_own_orders_do_not_trade(running: Running) {
    let user = User::new(running);
    let bid = format!("{ORDER} --account 1 --side buy --price 99000");
    let iceberg = user.order(&format!("{bid} --size 1 --display 0.2"));
    let bids = || user.query("book BTC-PERP")["bids"].clone();
    assert_eq!(bids()[0]["size_decimal"], "0.2000");
    // Another bid at that price goes before what shows later.
    user.tx(&format!(
        "{ORDER} --account 6 --side buy --size 0.1 --price 99000"
    ));
    let sell = |size: &str| {
        let words =
            format!("{ORDER} --account 5 --side sell --size {size} --price 99000 --type ioc");
        user.result(&words)
    };
    assert_eq!(sell("0.3"), ("OK".to_owned(), 3_000));
    let bids_left = bids();
    assert_eq!(
        (&bids_left[0]["size_decimal"], &bids_left[0]["orders"]),
        (&json!("0.2000"), &json!(1))
    );
    assert_eq!(sell("0.25"), ("OK".to_owned(), 2_500));
    let own = user.query(&format!("order {iceberg} --account 1"));
    let lots = ["remaining", "shown", "display", "filled"].map(|name| own[name].as_i64());
    assert_eq!(lots, [Some(5_500), Some(1_500), Some(2_000), Some(4_500)]);
    let public = user.query(&format!("order {iceberg}"));
    let lots = ["remaining", "shown", "display"].map(|name| public[name].as_i64());
    assert_eq!(lots, [Some(1_500), Some(1_500), None]);
    assert_eq!(bids()[0]["size_decimal"], "0.1500");
    user.tx("cancel --account 1 --all");

    // An own bid is in front of another's; what becomes of both, by mode.
    user.tx("transfer --account 1 --asset USDC --amount 100000 --to-sub 1");
    for (mode, sub, expected, left) in [
        ("cancel-taker", 0, ("SELF_TRADE", 0), ["0.2000", "0.3000"]),
        ("cancel-maker", 0, ("OK", 3_000), ["", ""]),
        ("cancel-both", 0, ("SELF_TRADE", 0), ["0.3000", ""]),
        ("decrement", 0, ("OK", 1_000), ["0.2000", ""]),
        ("cancel-taker", 1, ("OK", 3_000), ["0.2000", ""]),
        (
            "cancel-taker --self-trade-scope master",
            1,
            ("SELF_TRADE", 0),
            ["0.2000", "0.3000"],
        ),
    ] {
        user.tx(&format!("{bid} --size 0.2 --sub {sub}"));
        user.tx(&format!(
            "{ORDER} --account 6 --side buy --size 0.3 --price 98000"
        ));
        let words = format!(
            "{ORDER} --account 1 --side sell --size 0.3 --price 98000 --type ioc --self-trade {mode}"
        );
        let (code, filled) = user.result(&words);
        assert_eq!((code.as_str(), filled), expected, "{mode} {sub}");
        let bids = bids();
        let sizes = [0, 1].map(|at| bids[at]["size_decimal"].as_str().unwrap_or_default());
        assert_eq!(sizes, left, "{mode} {sub}: {bids}");
        user.tx(&format!("cancel --account 1 --sub {sub} --all"));
        user.tx("cancel --account 6 --all");
    }
    user.stop();
}

pub(crate) fn markets_have_bounds_and_statuses(running: Running) {
    let user = User::new(running);
    let refused = |words: &str, code: &str| {
        assert_eq!(user.result(words).0, code, "{words}");
    };
    let buy = |price: &str| format!("{ORDER} --account 1 --side buy --size 0.5 --price {price}");
    user.tx(&format!(
        "{ORDER} --account 4 --side sell --size 0.5 --price 100000"
    ));
    refused(
        &format!("{} --type post-only", buy("100500")),
        "POST_ONLY_WOULD_TRADE",
    );
    let slid = user.order(&format!("{} --type post-only-slide", buy("100500")));
    let slid = user.query(&format!("order {slid}"));
    assert_eq!(
        (&slid["price_decimal"], &slid["post_only"]),
        (&json!("99999.9"), &json!("slide"))
    );

    // A fifth beyond the mark of 100,000, and from one to a hundred million units.
    refused(&buy("120000.1"), "PRICE_BAND");
    refused(
        &format!("{ORDER} --account 4 --side sell --size 1 --price 79999.9"),
        "PRICE_BAND",
    );
    refused(
        &format!(
            "{} --size 0.0001",
            "order --market BTC-PERP --account 1 --side buy --price 9000"
        ),
        "BAD_NOTIONAL",
    );
    refused(
        &format!("{ORDER} --account 4 --side sell --size 1001 --price 100000"),
        "BAD_NOTIONAL",
    );
    refused(
        &format!("{} --display 0.5 --trigger mark --below 0.1", buy("99000")),
        "OK",
    );
    let too_high = buy("99000") + " --trigger mark --above 10000000.1";
    refused(&too_high, "BAD_TRIGGER");

    statuses(&user, text(&slid["order"]));
    user.stop();
}

/// What a market takes by its status; `slid` is an order of account 1 that can shrink.
fn statuses(user: &User, slid: &str) {
    let refused = |words: &str, code: &str| {
        assert_eq!(user.result(words).0, code, "{words}");
    };
    let buy = |price: &str| format!("{ORDER} --account 1 --side buy --size 0.5 --price {price}");
    let status = |status: &str| {
        user.tx(&format!("status --account 0 BTC-PERP {status}"));
        user.until("market BTC-PERP", |market| market["status"] == status);
    };
    let post = format!("{} --type post-only", buy("98000"));
    status("post-only");
    refused(&buy("98000"), "MARKET_POST_ONLY");
    refused(&post, "OK");
    status("cancel-only");
    refused(&post, "MARKET_CANCEL_ONLY");
    refused(
        &format!("amend --account 1 --order {} --size 0.4", slid),
        "OK",
    );
    refused("cancel --account 1 --market BTC-PERP", "OK");
    status("suspended");
    refused(&post, "MARKET_CANCEL_ONLY");
    // Of two prices published at once that of the suspended market waits.
    user.tx("prices --account 0 BTC-PERP=101000 index:BTC-PERP=100990 index:BTC/USDC=100980");
    let spot = user.until("market BTC/USDC", |market| market["index"] != 0);
    assert_eq!(spot["index_decimal"], "100980.00");
    let market = user.query("market BTC-PERP");
    assert_eq!(
        (&market["mark"], &market["index"]),
        (&json!(1_000_000), &json!(1_000_000))
    );
    status("open");
    let market = user.query("market BTC-PERP");
    assert_eq!(
        (&market["mark"], &market["index"]),
        (&json!(1_010_000), &json!(1_009_900))
    );
    refused(&buy("98000"), "OK");
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

pub(crate) fn orders_end_by_height_and_by_a_dead_mans_switch(running: Running) {
    let user = User::new(running);
    let bid = format!("{ORDER} --account 1 --side buy --size 0.5 --price 99000");
    let own = "account --account 1";
    let height = user.query("chain")["height"].as_u64().expect("a height");
    let (code, _) = user.result(&format!("{bid} --tif block:{height}"));
    assert_eq!(code, "EXPIRED");
    let last = height + 60;
    let id = user.order(&format!("{bid} --tif block:{last}"));
    let order = user.query(&format!("order {id}"));
    assert_eq!(
        (&order["time_in_force"], &order["expiry_height"]),
        (&json!("GTB"), &json!(last))
    );
    let gone = user.until(own, |account| orders(account).is_empty());
    assert!(gone["height"].as_u64() >= Some(last), "{gone}");

    user.tx("cancel-after --account 1 1h");
    assert!(user.query(own)["cancel_at"].as_u64() > Some(0));
    user.tx("cancel-after --account 1 off");
    assert_eq!(user.query(own)["cancel_at"], 0);
    user.tx(&bid);
    user.tx(&format!("{bid} --trigger last --above 200000"));
    user.tx("cancel-after --account 1 2s");
    let armed = user.query(own);
    assert_eq!(orders(&armed).len(), 2);
    let gone = user.until(own, |account| orders(account).is_empty());
    assert!(gone["time"].as_u64() >= armed["cancel_at"].as_u64());
    assert_eq!(gone["cancel_at"], 0);
    user.stop();
}
