//! Cancels, floors and amends.

use super::{BTC_PERP, ETH_PERP, World, codes, order, removals, results};
use ballast_types::{
    Action, Amend, Cancel, Code, GroupId, Order, OrderId, OrderRef, Removal, Side, TxBody,
    chain_hash, sign_native,
};

const ETH: GroupId = GroupId(1);

fn bid(price: i64, lots: i64) -> Order {
    order(ETH_PERP, Side::Buy, price, lots)
}

/// A transaction of person 1 with a nonce of its own choice.
fn at_nonce(world: &World, nonce: u64, actions: Vec<Action>) -> Vec<u8> {
    let secret = &world.secrets[1];
    let (chain, account) = (chain_hash(&world.spec.chain_id), world.account(1));
    let key = secret.public();
    sign_native(
        &TxBody {
            chain,
            account,
            key,
            nonce,
            expiry: u64::MAX,
            actions,
        },
        secret,
    )
}

#[test]
fn a_floor_refuses_what_it_names_and_comes_before_it() {
    let labelled = Order {
        label: 4,
        client_id: Some(9),
        ..bid(900, 2)
    };
    let client = Cancel::Client {
        group: ETH,
        client_id: 9,
    };
    // The cancel; whether it names the order.
    let cases = [
        (
            Cancel::Label {
                group: ETH,
                label: 4,
            },
            true,
        ),
        (
            Cancel::Label {
                group: ETH,
                label: 5,
            },
            false,
        ),
        (client, true),
        (
            Cancel::Client {
                group: ETH,
                client_id: 8,
            },
            false,
        ),
        (Cancel::Market(ETH_PERP), true),
        (Cancel::Market(BTC_PERP), false),
        (Cancel::All(Some(ETH)), true),
        (Cancel::All(Some(GroupId(0))), false),
        (Cancel::All(None), true),
    ];
    for (cancel, names) in cases {
        let mut world = World::new();
        let nonce = world.time + 5_000;
        let cancels = at_nonce(&world, nonce, vec![Action::Cancel(cancel)]);
        let earlier = at_nonce(&world, nonce - 1, vec![Action::Order(labelled)]);
        let later = at_nonce(&world, nonce + 1, vec![Action::Order(labelled)]);
        world.block_of(&[cancels]);
        let refused = codes(&world.block_of(&[earlier]))[0] == Code::CancelledBefore;
        assert_eq!(refused, names, "{cancel:?}");
        if names {
            assert_eq!(codes(&world.block_of(&[later])), [Code::Ok], "{cancel:?}");
        }
    }
}

#[test]
fn new_then_cancel_in_one_transaction_refuses_and_cancel_then_new_does_not() {
    let cancel = Action::Cancel(Cancel::All(Some(ETH)));
    let order = Action::Order(bid(900, 2));
    let mut world = World::new();
    let events = world.block(&[(1, vec![order.clone(), cancel.clone()])]);
    assert_eq!(codes(&events), [Code::CancelledBefore, Code::Ok]);
    let events = world.block(&[(1, vec![cancel, order])]);
    assert_eq!(codes(&events), [Code::Ok, Code::Ok]);
}

#[test]
fn the_lowest_floor_leaves_and_raises_the_floor_of_all() {
    let mut world = World::new();
    let nonce = world.time + 5_000;
    let order = |client_id| {
        Action::Order(Order {
            client_id: Some(client_id),
            ..bid(900, 2)
        })
    };
    let cancel = |client_id| {
        Action::Cancel(Cancel::Client {
            group: ETH,
            client_id,
        })
    };
    // Four fit. The fifth, by its lower nonce, is the one that leaves.
    let four = at_nonce(&world, nonce, (1..=4).map(cancel).collect());
    let fifth = at_nonce(&world, nonce - 10, vec![cancel(5)]);
    world.block_of(&[four]);
    world.block_of(&[fifth]);
    let orders = [
        (nonce - 11, 77),
        (nonce - 9, 77),
        (nonce - 8, 5),
        (nonce - 7, 1),
    ];
    let orders = orders.map(|(nonce, id)| at_nonce(&world, nonce, vec![order(id)]));
    let expected = [
        Code::CancelledBefore,
        Code::Ok,
        Code::Ok,
        Code::CancelledBefore,
    ];
    assert_eq!(orders.map(|tx| codes(&world.block_of(&[tx]))[0]), expected);
}

#[test]
fn a_cancel_removes_what_rests_and_is_idempotent() {
    let mut world = World::new();
    let id = world.placed(1, bid(900, 2));
    let cancel = Action::Cancel(Cancel::Order(id));
    assert!(
        removals(&world.block(&[(2, vec![cancel.clone()])])).is_empty(),
        "not the owner"
    );
    assert_eq!(
        removals(&world.block(&[(1, vec![cancel.clone()])])),
        [Removal::Cancelled]
    );
    assert_eq!(codes(&world.block(&[(1, vec![cancel])])), [Code::Ok]);
    let nowhere = OrderId(u64::MAX);
    assert_eq!(
        world.act(1, Action::Cancel(Cancel::Order(nowhere))).code,
        Code::UnknownMarket
    );
}

#[test]
fn amends_name_the_total_size() {
    // New price and size of a bid of 10 at 900 of which 4 traded; keep; code, book, removals.
    let cases = [
        (900, 10, false, Code::Ok, vec![(900, 6)], vec![]),
        (900, 7, false, Code::Ok, vec![(900, 3)], vec![]),
        (900, 4, false, Code::Ok, vec![], vec![Removal::Amended]),
        (
            900,
            12,
            false,
            Code::Ok,
            vec![(900, 8)],
            vec![Removal::Amended],
        ),
        (
            890,
            7,
            false,
            Code::Ok,
            vec![(890, 3)],
            vec![Removal::Amended],
        ),
        (
            890,
            7,
            true,
            Code::Ok,
            vec![(890, 3)],
            vec![Removal::Amended],
        ),
        (
            1_000,
            999,
            true,
            Code::InsufficientMargin,
            vec![(900, 6)],
            vec![],
        ),
        (
            1_000,
            999,
            false,
            Code::InsufficientMargin,
            vec![],
            vec![Removal::Amended],
        ),
        (0, 7, false, Code::BadPrice, vec![(900, 6)], vec![]),
        (890, 1_001, false, Code::BadSize, vec![(900, 6)], vec![]),
    ];
    for (price, size, keep_on_reject, code, book, reasons) in cases {
        let mut world = World::new();
        let id = world.placed(1, bid(900, 10));
        world.placed(2, order(ETH_PERP, Side::Sell, 900, 4));
        let order = OrderRef::Id(id);
        let amend = Amend {
            order,
            price,
            size,
            keep_on_reject,
            max_fills: 6,
        };
        let events = world.block(&[(1, vec![Action::Amend(amend)])]);
        assert_eq!(codes(&events), [code], "{amend:?}");
        assert_eq!(world.book(ETH_PERP)[0], book, "{amend:?}");
        assert_eq!(removals(&events), reasons, "{amend:?}");
    }
}

#[test]
fn size_down_keeps_priority_and_anything_else_loses_it() {
    for (size, first) in [(5, 5), (12, 7)] {
        let mut world = World::new();
        let id = world.placed(1, bid(900, 10));
        world.placed(2, bid(900, 7));
        let order = OrderRef::Id(id);
        let amend = Amend {
            order,
            price: 900,
            size,
            keep_on_reject: true,
            max_fills: 6,
        };
        assert_eq!(world.act(1, Action::Amend(amend)).code, Code::Ok);
        assert_eq!(world.book(ETH_PERP)[0][0], (900, first));
    }
}

#[test]
fn one_order_is_replaced_once() {
    let mut world = World::new();
    let order = OrderRef::Id(world.placed(1, bid(900, 10)));
    let amend = |price| {
        Action::Amend(Amend {
            order,
            price,
            size: 10,
            keep_on_reject: true,
            max_fills: 6,
        })
    };
    let events = world.block(&[(1, vec![amend(910), amend(920)])]);
    assert_eq!(codes(&events), [Code::Ok, Code::UnknownOrder]);
    assert_eq!(world.book(ETH_PERP)[0], [(910, 10)]);
    assert!(results(&events)[0].order.is_some());
}
