//! The rules of docs/execution.md about scales, quotes and their protection.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::{
    Action, Amend, Cancel, Code, Event, GroupId, MarketId, Order, OrderId, OrderRef, PartResult,
    PostOnly, Quote, QuoteSide, Quotes, Removal, Scale, SetProtection, TimeInForce,
};
use common::{Chain, Done, PERP, SPOT, account, buy, place, sell, spec};

const GROUP: GroupId = GroupId(0);

/// (price, size) of a bid and an ask.
type Sides = [Option<(i64, i64)>; 2];

fn quotes(markets: &[(MarketId, Sides)]) -> Vec<Action> {
    let side = |side: Option<(i64, i64)>| side.map(|(price, size)| QuoteSide { price, size });
    let quote = |(market, [bid, ask]): &(MarketId, Sides)| Quote {
        market: *market,
        bid: side(*bid),
        ask: side(*ask),
    };
    vec![Action::Quotes(Quotes {
        group: GROUP,
        post_only: PostOnly::Reject,
        quotes: markets.iter().map(quote).collect(),
    })]
}

fn protect(interval_ms: u64, freeze_ms: u64, notional: u128, delta: u128) -> Vec<Action> {
    vec![Action::SetProtection(SetProtection {
        group: GROUP,
        interval_ms,
        freeze_ms,
        notional,
        delta,
        vega: 0,
    })]
}

fn parts(done: &Done) -> Vec<PartResult> {
    let results = done.0.txs.iter().flatten();
    let actions = results.flat_map(|tx| &tx.actions);
    actions.flat_map(|action| action.parts.clone()).collect()
}

fn codes(done: &Done) -> Vec<Code> {
    parts(done).iter().map(|part| part.code).collect()
}

fn ids(done: &Done) -> Vec<Option<OrderId>> {
    parts(done).iter().map(|part| part.order).collect()
}

fn removed(done: &Done) -> Vec<(MarketId, i64, Removal)> {
    let removed = done.0.events.iter().filter_map(|event| match event {
        Event::Removed {
            market,
            size,
            reason,
            ..
        } => Some((*market, *size, *reason)),
        _ => None,
    });
    removed.collect()
}

#[test]
fn a_scale_is_several_orders_for_one_token() {
    let a = account(1, 0);
    let mut chain = Chain::new(spec());
    let scale = Scale {
        order: Order {
            client_id: Some(5),
            ..buy(900, 10)
        },
        last_price: 930,
        orders: 4,
        last_size_ppm: 1_000_000,
    };
    let tokens = |chain: &Chain| chain.state().master(&a.master).unwrap().tokens;
    let before = tokens(&chain);
    let done = chain.block(&[(a, vec![Action::Scale(scale)])]);
    assert_eq!(codes(&done), [Code::Ok; 4]);
    assert_eq!((done.codes(), done.ids()), (vec![Code::Ok], vec![]));
    assert_eq!(chain.book(PERP).0, [(930, 2), (920, 2), (910, 3), (900, 3)]);
    assert_eq!(before - tokens(&chain), 1);
    // A part is refused alone: its client id is taken.
    let again = Scale {
        order: Order {
            client_id: Some(8),
            ..buy(940, 2)
        },
        last_price: 941,
        orders: 2,
        ..scale
    };
    let done = chain.block(&[(a, vec![Action::Scale(again)])]);
    assert_eq!(codes(&done), [Code::ClientIdInUse, Code::Ok]);
    let bad = Scale {
        orders: 65,
        ..scale
    };
    let done = chain.block(&[(a, vec![Action::Scale(bad)])]);
    assert_eq!((done.codes(), parts(&done)), (vec![Code::BadScale], vec![]));
}

#[test]
fn quotes_replace_each_other_and_leave_orders_alone() {
    let a = account(1, 0);
    let mut chain = Chain::new(spec());
    let own = chain.block(&[(a, place(buy(980, 7)))]).ids()[0];
    let both = [Some((980, 10)), Some((1_020, 10))];
    let done = chain.block(&[(a, quotes(&[(PERP, both), (SPOT, [Some((500, 3)), None])]))]);
    assert_eq!(codes(&done), [Code::Ok; 4]);
    let first = ids(&done);
    assert_eq!((first[3], done.codes()), (None, vec![Code::Ok]));
    assert!(chain.order(first[0].unwrap()).unwrap().quote);
    assert!(!chain.order(own).unwrap().quote);

    // A smaller bid stays, the ask moves, and what is not named stays too.
    let done = chain.block(&[(a, quotes(&[(PERP, [Some((980, 4)), Some((1_021, 10))])]))]);
    assert_eq!((codes(&done), ids(&done)[0]), (vec![Code::Ok; 2], first[0]));
    assert_ne!(ids(&done)[1], first[1]);
    assert_eq!(removed(&done), [(PERP, 10, Removal::Amended)]);
    assert_eq!(
        chain.book(PERP),
        (vec![(980, 11)], vec![(1_021, 10)]),
        "with the order of 7"
    );
    assert_eq!(chain.book(SPOT).0, [(500, 3)]);

    // A side that would trade is refused, and the quote that it was to replace is gone.
    let b = account(2, 0);
    chain.block(&[(b, place(sell(990, 1)))]);
    let done = chain.block(&[(a, quotes(&[(PERP, [Some((990, 4)), None])]))]);
    assert_eq!(codes(&done), [Code::PostOnlyWouldTrade, Code::Ok]);
    assert_eq!(ids(&done)[1], None);
    assert_eq!(
        removed(&done),
        [(PERP, 4, Removal::Amended), (PERP, 10, Removal::Cancelled)]
    );
    assert_eq!(chain.book(PERP), (vec![(980, 7)], vec![(990, 1)]));
    let done = chain.block(&[(a, quotes(&[(SPOT, both), (PERP, both)]))]);
    assert_eq!(
        (done.codes(), codes(&done)),
        (vec![Code::BadQuotes], vec![])
    );
}

#[test]
fn two_quotes_for_one_side_in_a_block_leave_the_later_one() {
    let a = account(1, 0);
    let mut chain = Chain::new(spec());
    let bid = |price| quotes(&[(PERP, [Some((price, 5)), None])]);
    let done = chain.block(&[(a, bid(980)), (a, bid(970))]);
    assert_eq!(codes(&done), [Code::Ok; 4]);
    assert_eq!(removed(&done), [(PERP, 5, Removal::Amended)]);
    assert_eq!(chain.book(PERP).0, [(970, 5)]);
    // 10 % of the mark, less the gain of a bid below it, for the one that stands.
    assert_eq!(chain.initial_margin(&a), 5 * (100 - 30));
    // An amended quote stays one, and a cancel takes it like any order.
    let amend = Action::Amend(Amend {
        order: OrderRef::Id(ids(&done)[2].unwrap()),
        price: 975,
        size: 6,
        keep_on_reject: true,
        max_fills: 0,
    });
    let id = chain.block(&[(a, vec![amend])]).ids()[0];
    assert!(chain.order(id).unwrap().quote);
    let done = chain.block(&[
        (a, vec![Action::Cancel(Cancel::Market(PERP))]),
        (a, bid(960)),
    ]);
    assert_eq!(codes(&done), [Code::Ok, Code::Ok]);
    assert_eq!(chain.book(PERP).0, [(960, 5)]);
}

#[test]
fn a_protection_cuts_the_fill_exactly_and_takes_all_quotes_of_the_group() {
    let (a, b) = (account(1, 0), account(2, 0));
    let both = [Some((990, 20)), Some((1_010, 20))];
    let all = quotes(&[(PERP, both), (SPOT, [Some((500, 3)), None])]);
    for (bounds, filled) in [((10_000, 0), 10), ((0, 7_500), 7), ((9_900, 0), 10)] {
        let mut chain = Chain::new(spec());
        chain.block(&[(a, protect(60_000, 3_000, bounds.0, bounds.1))]);
        chain.block(&[(a, all.clone())]);
        let fok = Order {
            tif: TimeInForce::Fok,
            ..sell(990, 15)
        };
        let done = chain.block(&[(b, place(fok))]);
        assert_eq!(done.codes(), [Code::FokUnfilled]);
        let ioc = Order {
            tif: TimeInForce::Ioc,
            ..sell(990, 15)
        };
        let done = chain.block(&[(b, place(ioc))]);
        assert_eq!(done.fills(), [(filled, 990)], "{bounds:?}");
        let until = chain.time() + 3_000;
        assert!(done.0.events.contains(&Event::Protected {
            account: a,
            group: GROUP,
            until,
        }));
        let rest = 20 - filled;
        let taken = Removal::Protection;
        let expected = [
            (PERP, rest, taken),
            (PERP, 15 - filled, Removal::Ioc),
            (PERP, 20, taken),
            (SPOT, 3, taken),
        ];
        assert_eq!(removed(&done), expected, "{bounds:?}");
        let view = chain.state().account(&a).unwrap().protections[0];
        assert_eq!(
            (view.notional, view.delta, view.frozen_until),
            (i128::from(filled) * 990, i128::from(filled) * 1_000, until)
        );
        for code in [Code::QuotesFrozen, Code::QuotesFrozen, Code::Ok] {
            let done = chain.block(&[(a, all.clone())]);
            assert_eq!(codes(&done)[..3], [code; 3]);
        }
    }
}

#[test]
fn a_frozen_account_is_free_again_when_it_sets_its_protection() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    chain.block(&[(a, protect(1_000, 0, 5_000, 0))]);
    let bid = quotes(&[(PERP, [Some((1_000, 3)), None])]);
    // Within an interval of one block three lots pass, five reach the bound.
    for _ in 0..3 {
        chain.block(&[(a, bid.clone())]);
        let done = chain.block(&[(b, place(sell(1_000, 3)))]);
        assert_eq!(done.fills(), [(3, 1_000)]);
    }
    let more = quotes(&[(PERP, [Some((1_000, 5)), None])]);
    chain.block(&[(a, more.clone())]);
    let done = chain.block(&[(b, place(sell(1_000, 5)))]);
    assert_eq!(done.fills(), [(5, 1_000)]);
    chain.wait(10);
    let done = chain.block(&[(a, more.clone())]);
    assert_eq!(codes(&done), [Code::QuotesFrozen, Code::Ok]);
    // Orders are no quotes, and pass.
    assert_eq!(chain.block(&[(a, place(buy(900, 1)))]).codes(), [Code::Ok]);
    chain.block(&[(a, protect(0, 0, 0, 0))]);
    assert_eq!(chain.state().account(&a).unwrap().protections, []);
    assert_eq!(codes(&chain.block(&[(a, more)])), [Code::Ok, Code::Ok]);
    for (interval, freeze, code) in [
        (86_400_000, 86_400_000, Code::Ok),
        (86_400_001, 0, Code::BadProtection),
        (1, 86_400_001, Code::BadProtection),
    ] {
        let done = chain.block(&[(a, protect(interval, freeze, 1, 1))]);
        assert_eq!(done.codes(), [code]);
    }
}
