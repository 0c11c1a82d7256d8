//! Whoever follows every order of a market in `/v1/blocks` has its book, level by level.

use std::collections::{BTreeMap, BTreeSet};

use ballast::api::Api;
use ballast_model::workload::Rng;
use ballast_types::{
    Action, Amend, Cancel, Condition, GroupId, LinkKind, LinkRule, Linked, MarketId, MarketStatus,
    Order, OrderRef, Peg, PegTo, PostOnly, PriceKind, PriceSource, PriceUpdate, SelfTrade,
    SetMarketStatus, Side, Trigger,
};
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::watch;

use crate::common::{api, execute, wait_for};
use crate::{BTC_PERP, PERP, Running};

/// Rounds of orders.
const ROUNDS: u64 = 40;
/// Around which price in ticks.
const MIDDLE: i64 = 1_000_000;

/// Lots by (is a bid, price).
type Levels = BTreeMap<(bool, i64), i64>;

/// The resting orders: is a bid, price, lots.
#[derive(Default)]
struct Mirror {
    orders: BTreeMap<String, (bool, i64, i64)>,
    seen: BTreeSet<String>,
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

impl Mirror {
    fn apply(&mut self, event: &Value) {
        let order = || text(&event["order"]);
        match event["type"].as_str().expect("a type") {
            "rested" => {
                let levels = (event["side"] == "buy", number(&event["price"]));
                let new = (levels.0, levels.1, number(&event["size"]));
                self.orders.insert(order(), new);
            }
            "fill" => {
                // Of an auction the taker rests too.
                for id in [&event["maker"], &event["taker"]].map(text) {
                    self.change(&id, |order| order.2 -= number(&event["size"]));
                }
            }
            "reduced" => {
                // An order that waits has no size here.
                let size = event["size"].as_i64();
                self.change(&order(), |order| order.2 = size.unwrap_or(order.2));
            }
            "moved" => self.change(&order(), |order| order.1 = number(&event["price"])),
            "removed" => drop(self.orders.remove(&order())),
            "auction" => {}
            _ => return,
        }
        self.seen.insert(text(&event["type"]));
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut (bool, i64, i64))) {
        if let Some(order) = self.orders.get_mut(id) {
            change(order);
        }
        self.orders.retain(|_, order| order.2 > 0);
    }

    fn levels(&self) -> Levels {
        let mut levels = Levels::new();
        for (bid, price, size) in self.orders.values() {
            *levels.entry((*bid, *price)).or_default() += size;
        }
        levels
    }
}

/// (price, size), best first.
fn side(levels: &Levels, bid: bool) -> Vec<(i64, i64)> {
    let levels = levels.range((bid, i64::MIN)..=(bid, i64::MAX));
    let mut levels: Vec<_> = levels.map(|((_, price), size)| (*price, *size)).collect();
    if bid {
        levels.reverse();
    }
    levels
}

fn checksum(levels: &Levels) -> u32 {
    let best = |bid| side(levels, bid).into_iter().take(25);
    let words = best(true).chain(best(false));
    let bytes = words.flat_map(|(price, size)| [price.to_le_bytes(), size.to_le_bytes()]);
    crc32fast::hash(&bytes.collect::<Vec<_>>().concat())
}

/// Takes a block, and requires that its book tells the levels that changed, and no others.
fn take(mirror: &mut Mirror, block: &Value) {
    let before = mirror.levels();
    let events = block["events"].as_array().expect("events").iter();
    let events = events.filter(|event| event["market"] == BTC_PERP);
    let (books, orders): (Vec<_>, Vec<_>) = events.partition(|event| event["type"] == "book");
    orders.iter().for_each(|event| mirror.apply(event));
    let after = mirror.levels();
    let mut told = before;
    for book in books {
        for level in book["levels"].as_array().expect("levels") {
            let key = (level[0] == "buy", number(&level[1]));
            let old = told.insert(key, number(&level[2])).unwrap_or(0);
            assert_ne!(old, number(&level[2]), "{level} has not changed");
        }
        told.retain(|_, size| *size > 0);
        let sum = book["checksum"].as_u64().expect("a checksum");
        assert_eq!(u64::from(checksum(&after)), sum, "{}", block["height"]);
    }
    assert_eq!(told, after, "at height {}", block["height"]);
}

/// Follows every block from `from` on until told which is the last.
async fn follow(api: Api, from: u64, mut last: watch::Receiver<Option<u64>>) -> Mirror {
    let mut mirror = Mirror::default();
    let mut height = from;
    loop {
        let path = height.to_string();
        let block = wait_for(&api, &["v1", "blocks", &path], |_| true).await;
        take(&mut mirror, &block);
        let query = [("height", path)];
        if let Ok(bbo) = api.get(&["v1", "bbo", BTC_PERP], &query).await {
            let levels = mirror.levels();
            for (name, bid) in [("bid", true), ("ask", false)] {
                let told = bbo[name]["price"].as_i64().zip(bbo[name]["size"].as_i64());
                assert_eq!(told, side(&levels, bid).first().copied(), "{bbo}");
            }
        }
        if *last.borrow_and_update() == Some(height) {
            return mirror;
        }
        height += 1;
    }
}

#[tokio::main]
pub(crate) async fn levels_and_bests_follow_from_the_orders_of_blocks(running: Running) {
    let network = &running.network;
    let api = api(&network.nodes[0]);
    let chain = wait_for(&api, &["v1", "chain"], |_| true).await;
    let from = chain["height"].as_u64().expect("a height") + 1;
    let (last, told) = watch::channel(None);
    let follower = tokio::spawn(follow(api.clone(), from, told));
    let mut rng = Rng::new(7);
    let mut height = 0;
    for round in 0..ROUNDS {
        let account = 1 + rng.index(3);
        let mut actions: Vec<_> = (0..6).map(|at| action(&mut rng, account, at)).collect();
        let account = match round % 8 {
            // Collect, and open again; and move the index.
            3 => {
                actions = vec![status(MarketStatus::Auction)];
                0
            }
            6 => {
                actions = vec![status(MarketStatus::Open), index(&mut rng)];
                0
            }
            _ => account,
        };
        let result = execute(&api, network, account, actions).await;
        assert_eq!(result["code"], 0, "{result}");
        height = result["height"].as_u64().expect("a height");
    }
    // What was ordered last acts in the block after it.
    last.send(Some(height + 2)).expect("follows");
    let mirror = follower.await.expect("follows to the end");
    let kinds = ["auction", "fill", "moved", "reduced", "removed", "rested"];
    assert_eq!(mirror.seen, BTreeSet::from(kinds.map(str::to_owned)));
    running.stop(Signal::INT);
}

fn status(status: MarketStatus) -> Action {
    let market = MarketId(PERP);
    Action::SetMarketStatus(SetMarketStatus { market, status })
}

fn index(rng: &mut Rng) -> Action {
    Action::SetPrices(vec![PriceUpdate {
        market: MarketId(PERP),
        kind: PriceKind::Index,
        price: MIDDLE + rng.signed(-20, 20),
    }])
}

/// An order near the middle.
fn order(rng: &mut Rng) -> Order {
    let side = rng.pick(&[Side::Buy, Side::Sell]);
    let price = MIDDLE + rng.signed(-15, 15);
    Order {
        self_trade: rng.pick(&[SelfTrade::CancelMaker, SelfTrade::Decrement]),
        ..Order::limit(MarketId(PERP), side, price, rng.signed(10, 200))
    }
}

fn action(rng: &mut Rng, account: usize, at: u64) -> Action {
    let order = order(rng);
    let client_id = u128::from(rng.below(4) + 1);
    match rng.below(10) {
        0 | 1 => {
            let to = rng.pick(&[PegTo::Index, PegTo::Bid, PegTo::Ask]);
            let offset = rng.signed(-6, 6);
            Action::Order(Order {
                peg: Some(Peg { to, offset }),
                ..order.post_only(PostOnly::Slide)
            })
        }
        2 => Action::Linked(linked(rng, order)),
        3 => Action::Amend(Amend {
            order: OrderRef::Client {
                group: GroupId(0),
                client_id,
            },
            price: order.price,
            size: order.size / 2,
            keep_on_reject: false,
            max_fills: 32,
        }),
        4 if at == 0 && account == 1 => Action::Cancel(Cancel::Market(MarketId(PERP))),
        5 | 6 => Action::Order(Order {
            client_id: Some(client_id),
            ..order
        }),
        7 => Action::Order(order.post_only(PostOnly::Slide)),
        _ => Action::Order(order),
    }
}

/// An order that takes lots of a stop that never fires, and the stop of it.
fn linked(rng: &mut Rng, order: Order) -> Linked {
    let condition = Condition::AtOrBelow(1);
    let leg = Order {
        trigger: Some(Trigger {
            source: PriceSource::Mark,
            condition,
        }),
        ..order
    };
    Linked {
        kind: rng.pick(&[LinkKind::Oco, LinkKind::Oto]),
        rule: LinkRule::Incremental,
        order,
        legs: vec![leg],
    }
}
