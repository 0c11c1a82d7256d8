//! The rules of docs/execution.md about linked orders.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::{
    Action, Amend, Cancel, Code, Condition, Event, LinkKind, LinkRule, Linked, Order, OrderId,
    OrderRef, PartResult, PriceKind, PriceSource, Removal, TimeInForce, Trigger,
};
use common::{Chain, Done, PERP, account, buy, place, sell, spec};

fn link(kind: LinkKind, rule: LinkRule, order: Order, legs: &[Order]) -> Vec<Action> {
    vec![Action::Linked(Linked {
        kind,
        rule,
        order,
        legs: legs.to_vec(),
    })]
}

fn stop(condition: Condition, order: Order) -> Order {
    let source = PriceSource::Mark;
    let trigger = Some(Trigger { source, condition });
    Order { trigger, ..order }
}

fn below(price: i64, order: Order) -> Order {
    stop(Condition::AtOrBelow(price), order)
}

fn above(price: i64, order: Order) -> Order {
    stop(Condition::AtOrAbove(price), order)
}

fn parts(done: &Done) -> Vec<PartResult> {
    let results = done.0.txs.iter().flatten();
    let actions = results.flat_map(|tx| &tx.actions);
    actions.flat_map(|action| action.parts.clone()).collect()
}

fn codes(done: &Done) -> Vec<Code> {
    parts(done).iter().map(|part| part.code).collect()
}

fn ids(done: &Done) -> Vec<OrderId> {
    parts(done).iter().filter_map(|part| part.order).collect()
}

/// What remains of orders, and how much of it is dormant; 0 of those that are gone.
fn lots(chain: &Chain, ids: &[OrderId]) -> Vec<(i64, i64)> {
    let one = |id: &OrderId| {
        let order = chain.order(*id)?;
        Some((order.remaining, order.waiting.map_or(0, |w| w.dormant)))
    };
    ids.iter().map(|id| one(id).unwrap_or_default()).collect()
}

/// What links took: (order, its size then; 0 when it went).
fn taken(events: &[Event]) -> Vec<(OrderId, i64)> {
    let taken = events.iter().filter_map(|event| match event {
        Event::Reduced {
            order,
            size,
            reason: Removal::Linked,
            ..
        } => Some((*order, *size)),
        Event::Removed {
            order,
            reason: Removal::Linked,
            ..
        } => Some((*order, 0)),
        _ => None,
    });
    taken.collect()
}

#[test]
fn of_a_pair_one_cancels_the_other_as_the_rule_says() {
    let (a, b) = (account(1, 0), account(2, 0));
    let pair = [sell(1_010, 10), below(990, sell(980, 20))];
    for (rule, first, then) in [
        (LinkRule::FirstHit, [(6, 0), (0, 0)], [(0, 0), (0, 0)]),
        (LinkRule::CompleteFill, [(6, 0), (20, 0)], [(0, 0), (0, 0)]),
        (LinkRule::Incremental, [(6, 0), (12, 0)], [(0, 0), (0, 0)]),
    ] {
        let mut chain = Chain::new(spec());
        let done = chain.block(&[(a, link(LinkKind::Oco, rule, pair[0], &pair[1..]))]);
        assert_eq!(
            (done.codes(), codes(&done)),
            (vec![Code::Ok], vec![Code::Ok; 2])
        );
        let ids = ids(&done);
        let view = chain.order(ids[0]).unwrap().link.unwrap();
        assert_eq!((view.kind, view.rule), (LinkKind::Oco, rule));
        assert_eq!((view.order, view.legs), (Some(ids[0]), vec![ids[1]]));
        chain.block(&[(b, place(buy(1_010, 4)))]);
        assert_eq!(lots(&chain, &ids), first, "{rule:?}");
        let alone = chain.order(ids[0]).unwrap().link.is_none();
        assert_eq!(alone, rule == LinkRule::FirstHit);
        chain.block(&[(b, place(buy(1_010, 6)))]);
        assert_eq!(lots(&chain, &ids), then, "{rule:?}");
    }
}

#[test]
fn a_walk_that_fills_one_of_a_pair_meets_the_other_as_gone() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    let leg = below(995, sell(1_005, 10));
    let linked = link(LinkKind::Oco, LinkRule::FirstHit, sell(1_000, 10), &[leg]);
    let ids = ids(&chain.block(&[(a, linked)]));
    chain.publish(&[(PERP, PriceKind::Mark, 995)]);
    assert_eq!(chain.book(PERP).1, [(1_000, 10), (1_005, 10)]);
    let fok = Order {
        tif: TimeInForce::Fok,
        ..buy(1_005, 15)
    };
    let done = chain.block(&[(b, place(fok))]);
    assert_eq!(done.codes(), [Code::FokUnfilled]);
    let done = chain.block(&[(b, place(buy(1_005, 15)))]);
    assert_eq!(done.fills(), [(10, 1_000)]);
    assert_eq!(taken(&done.0.events), [(ids[1], 0)]);
    assert_eq!(chain.initial_margin(&a), 10 * 100);
}

#[test]
fn the_legs_of_a_first_order_wake_as_it_trades() {
    let (a, b) = (account(1, 0), account(2, 0));
    let legs = [above(1_100, sell(1_100, 10)), below(900, sell(890, 10))];
    for (rule, first, then) in [
        (LinkRule::FirstHit, 0, 0),
        (LinkRule::CompleteFill, 10, 0),
        (LinkRule::Incremental, 6, 0),
    ] {
        let mut chain = Chain::new(spec());
        let linked = link(LinkKind::Otoco, rule, buy(1_000, 10), &legs);
        let ids = ids(&chain.block(&[(a, linked)]));
        assert_eq!(lots(&chain, &ids[1..]), [(10, 10); 2]);
        // Dormant legs watch no price.
        chain.publish(&[(PERP, PriceKind::Mark, 1_100)]);
        chain.publish(&[(PERP, PriceKind::Mark, 1_000)]);
        assert_eq!(lots(&chain, &ids[1..]), [(10, 10); 2]);
        chain.block(&[(b, place(sell(1_000, 4)))]);
        assert_eq!(lots(&chain, &ids[1..]), [(10, first); 2], "{rule:?}");
        chain.block(&[(b, place(sell(1_000, 6)))]);
        assert_eq!(lots(&chain, &ids[1..]), [(10, then); 2], "{rule:?}");
        // The legs are a pair now: the one that is hit ends the other.
        chain.block(&[(b, place(buy(1_150, 10)))]);
        let done = chain.publish(&[(PERP, PriceKind::Mark, 1_100)]);
        assert_eq!(done.fills(), [(10, 1_150)]);
        assert_eq!(taken(&done.0.events), [(ids[2], 0)]);
        assert_eq!(lots(&chain, &ids), [(0, 0); 3]);
    }
}

#[test]
fn a_leg_that_enters_takes_with_it_only_what_its_order_has_traded() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    let leg = below(950, sell(940, 20));
    let linked = link(LinkKind::Oto, LinkRule::Incremental, buy(1_000, 10), &[leg]);
    let ids = ids(&chain.block(&[(a, linked)]));
    chain.block(&[(b, place(sell(1_000, 3)))]);
    assert_eq!(lots(&chain, &ids), [(7, 0), (20, 14)]);
    let done = chain.publish(&[(PERP, PriceKind::Mark, 950)]);
    assert_eq!(taken(&done.0.events), [(ids[1], 6), (ids[0], 0)]);
    assert_eq!(chain.book(PERP), (vec![], vec![(940, 6)]));
}

#[test]
fn a_leg_without_a_trigger_enters_in_the_block_after_the_fill() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    let linked = link(
        LinkKind::Oto,
        LinkRule::FirstHit,
        buy(1_000, 10),
        &[sell(1_030, 5)],
    );
    let ids = ids(&chain.block(&[(a, linked)]));
    chain.block(&[(b, place(sell(1_000, 1)))]);
    assert!(chain.order(ids[1]).unwrap().waiting.unwrap().due);
    let events = chain.wait(1);
    assert!(matches!(events[0], Event::Triggered { order, .. } if order == ids[1]));
    assert_eq!(chain.book(PERP), (vec![(1_000, 9)], vec![(1_030, 5)]));
}

#[test]
fn an_order_that_leaves_takes_what_depends_on_it() {
    let a = account(1, 0);
    let legs = [above(1_100, sell(1_100, 10)), below(900, sell(890, 10))];
    let (oco, oto, otoco) = (LinkKind::Oco, LinkKind::Oto, LinkKind::Otoco);
    for (kind, legs, cancelled, left) in [
        (oco, &legs[..1], 0, vec![0, 0]),
        (oco, &legs[..1], 1, vec![0, 0]),
        (oto, &legs[..1], 0, vec![0, 0]),
        (oto, &legs[..1], 1, vec![10, 0]),
        (otoco, &legs[..], 0, vec![0, 0, 0]),
        (otoco, &legs[..], 2, vec![10, 0, 0]),
    ] {
        let mut chain = Chain::new(spec());
        let linked = link(kind, LinkRule::CompleteFill, buy(1_000, 10), legs);
        let ids = ids(&chain.block(&[(a, linked)]));
        let cancel = Action::Cancel(Cancel::Order(ids[cancelled]));
        chain.block(&[(a, vec![cancel])]);
        let now: Vec<_> = lots(&chain, &ids).iter().map(|lots| lots.0).collect();
        assert_eq!(now, left, "{kind:?} {cancelled}");
        if left[0] > 0 {
            assert_eq!(chain.order(ids[0]).unwrap().link, None);
        } else {
            assert_eq!(chain.initial_margin(&a), 0);
        }
    }
}

#[test]
fn linked_orders_are_taken_together_or_not_at_all() {
    let a = account(1, 0);
    let mut tight = spec();
    tight.limits.waiting_orders = 1;
    let legs = [above(1_100, sell(1_100, 10)), below(900, sell(890, 10))];
    let otoco = |order, legs: &[Order]| link(LinkKind::Otoco, LinkRule::FirstHit, order, legs);
    let mut chain = Chain::new(tight);
    let refused = Code::LinkRefused;
    let done = chain.block(&[(a, otoco(buy(1_000, 10), &legs))]);
    assert_eq!(codes(&done), [refused, refused, Code::TriggerLimit]);
    assert_eq!(
        (chain.book(PERP), chain.initial_margin(&a)),
        ((vec![], vec![]), 0)
    );
    let mut chain = Chain::new(spec());
    let done = chain.block(&[(a, otoco(buy(1_000, 1_001), &legs))]);
    assert_eq!(codes(&done), [Code::BadSize, refused, refused]);
    let twice = legs.map(|leg| Order {
        client_id: Some(7),
        ..leg
    });
    let done = chain.block(&[(a, otoco(buy(1_000, 10), &twice))]);
    assert_eq!(codes(&done), [refused, refused, Code::ClientIdInUse]);
    for bad in [
        otoco(buy(1_000, 10), &legs[..1]),
        otoco(buy(1_000, 10), &[sell(1_100, 10), sell(890, 10)]),
        link(
            LinkKind::Oco,
            LinkRule::FirstHit,
            buy(1_000, 10),
            &[sell(1_100, 10)],
        ),
        link(
            LinkKind::Oco,
            LinkRule::Incremental,
            buy(1_000, 10),
            &legs[..1],
        ),
    ] {
        let done = chain.block(&[(a, bad)]);
        assert_eq!((done.codes(), codes(&done)), (vec![Code::BadLink], vec![]));
    }
    let done = chain.block(&[(a, otoco(buy(1_000, 10), &legs))]);
    let amend = Action::Amend(Amend {
        order: OrderRef::Id(ids(&done)[1]),
        price: 1_100,
        size: 5,
        keep_on_reject: false,
        max_fills: 1,
    });
    let done = chain.block(&[(a, vec![amend])]);
    assert_eq!(done.codes(), [Code::OrderLinked]);
}
