//! Orders that live and die together. The first order is mostly a bid, or an ask, of 10 lots.

use super::{BTC_PERP, BTC_SPOT, Is, World, order, removals, results};
use Is::{Gone, Resting, Waiting};
use LinkKind::{Oco, Oto, Otoco};
use LinkRule::{CompleteFill, FirstHit, Incremental};
use ballast_types::{
    Action, Amend, BlockEvents, Cancel, Code, Condition, Distance, Event, LinkKind, LinkRule,
    Linked, Lots, Order, OrderId, OrderRef, Peg, PegTo, PostOnly, PriceKind, PriceSource, Removal,
    SetAgent, Side, Ticks, TimeInForce, Trigger, Twap,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;
/// Holds at once.
const NOW: Condition = Condition::AtOrAbove(1);
/// Holds for no price of these tests.
const NEVER: Condition = Condition::AtOrAbove(90_000);

fn bid(price: Ticks, size: Lots) -> Order {
    order(BTC_PERP, BID, price, size)
}

fn ask(price: Ticks, size: Lots) -> Order {
    order(BTC_PERP, ASK, price, size)
}

fn when(condition: Condition, order: Order) -> Order {
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition,
    });
    Order { trigger, ..order }
}

fn linked(kind: LinkKind, rule: LinkRule, order: Order, legs: &[Order]) -> Action {
    Action::Linked(Linked {
        kind,
        rule,
        order,
        legs: legs.to_vec(),
    })
}

/// Codes of the first order and its legs.
fn codes(events: &BlockEvents) -> Vec<Code> {
    let parts = results(events).remove(0).parts.into_iter();
    parts.map(|part| part.code).collect()
}

/// Linked orders that enter: the first and its legs.
fn placed(world: &mut World, who: usize, action: Action) -> Vec<OrderId> {
    let result = world.act(who, action);
    let parts = result.parts.iter();
    parts
        .map(|part| {
            assert_eq!(part.code, Code::Ok);
            part.order.unwrap()
        })
        .collect()
}

fn states(world: &World, ids: &[OrderId]) -> Vec<Is> {
    ids.iter().map(|id| world.state_of(*id)).collect()
}

/// Removals and reductions, in their order.
fn losses(events: &BlockEvents) -> Vec<(OrderId, Lots, Removal)> {
    let losses = events.events.iter().filter_map(|event| match event {
        Event::Reduced {
            order,
            size,
            reason,
            ..
        }
        | Event::Removed {
            order,
            size,
            reason,
            ..
        } => Some((*order, *size, *reason)),
        _ => None,
    });
    losses.collect()
}

#[test]
fn fills_of_the_first_order_wake_legs_by_the_rule() {
    // Lots of a leg of 20 that are dormant after fills of 4, 3 and 3 of 10 lots.
    for (rule, dormant) in [
        (FirstHit, [0, 0, 0]),
        (CompleteFill, [20, 20, 0]),
        (Incremental, [12, 6, 0]),
    ] {
        for kind in [Oto, Otoco] {
            let mut world = World::new();
            let leg = when(NEVER, ask(1_100, 20));
            let legs = if kind == Oto {
                vec![leg]
            } else {
                vec![leg, leg]
            };
            let ids = placed(&mut world, 1, linked(kind, rule, bid(1_000, 10), &legs));
            assert_eq!(world.state_of(ids[1]), Waiting(20, 20));
            for (fill, dormant) in [4, 3, 3].into_iter().zip(dormant) {
                world.placed(2, ask(1_000, fill));
                for leg in &ids[1..] {
                    assert_eq!(world.state_of(*leg), Waiting(20, dormant), "{rule:?}");
                }
            }
        }
    }
}

#[test]
fn fills_of_one_of_a_pair_take_from_the_other_by_the_rule() {
    // Size of the other; its lots after fills of 4, 3 and 3 of 10 lots.
    let cases = [
        (FirstHit, 20, [Gone, Gone, Gone]),
        (CompleteFill, 20, [Waiting(20, 0), Waiting(20, 0), Gone]),
        (Incremental, 20, [Waiting(12, 0), Waiting(6, 0), Gone]),
        // 7 * 4 / 10 = 2, then 5 * 3 / 6 = 2.
        (Incremental, 7, [Waiting(5, 0), Waiting(3, 0), Gone]),
    ];
    for (rule, size, expected) in cases {
        let mut world = World::new();
        let leg = when(NEVER, ask(990, size));
        let ids = placed(&mut world, 1, linked(Oco, rule, ask(1_010, 10), &[leg]));
        let hit = [Resting(6), Resting(3), Gone];
        for (fill, both) in [4, 3, 3].into_iter().zip(hit.into_iter().zip(expected)) {
            world.placed(2, bid(1_010, fill));
            assert_eq!(states(&world, &ids), [both.0, both.1], "{rule:?} {size}");
        }
    }
}

#[test]
fn the_end_of_one_ends_others() {
    let leg = when(NEVER, ask(1_100, 20));
    // Which is cancelled, and what is left of the three.
    let cases: &[(LinkKind, usize, &[Is])] = &[
        (Oco, 0, &[Gone, Gone]),
        (Oco, 1, &[Gone, Gone]),
        (Oto, 0, &[Gone, Gone]),
        (Oto, 1, &[Resting(10), Gone]),
        (Otoco, 0, &[Gone, Gone, Gone]),
        (Otoco, 1, &[Resting(10), Gone, Gone]),
        (Otoco, 2, &[Resting(10), Gone, Gone]),
    ];
    for (kind, cancelled, expected) in cases {
        for rule in [FirstHit, CompleteFill, Incremental] {
            let mut world = World::new();
            let legs = if *kind == Otoco { 2 } else { 1 };
            let first = match kind {
                Oco => ask(1_010, 10),
                _ => bid(1_000, 10),
            };
            let action = linked(*kind, rule, first, &vec![leg; legs]);
            let ids = placed(&mut world, 1, action);
            let cancel = Action::Cancel(Cancel::Order(ids[*cancelled]));
            let events = world.block(&[(1, vec![cancel])]);
            assert_eq!(states(&world, &ids), *expected, "{kind:?} {cancelled}");
            let gone = expected.iter().filter(|is| **is == Gone).count();
            let mut reasons = vec![Removal::Linked; gone];
            reasons[0] = Removal::Cancelled;
            assert_eq!(removals(&events), reasons);
            assert_eq!(world.model.link(ids[0]), None);
        }
    }
}

#[test]
fn a_first_order_that_ends_takes_only_dormant_lots_with_it() {
    let mut world = World::new();
    let leg = when(NEVER, ask(1_100, 20));
    let action = linked(Otoco, Incremental, bid(1_000, 10), &[leg, leg]);
    let ids = placed(&mut world, 1, action);
    world.placed(2, ask(1_000, 3));
    let cancel = Action::Cancel(Cancel::Order(ids[0]));
    let events = world.block(&[(1, vec![cancel])]);
    assert_eq!(states(&world, &ids), [Gone, Waiting(6, 0), Waiting(6, 0)]);
    let expected = [
        (ids[0], 7, Removal::Cancelled),
        (ids[1], 6, Removal::Linked),
        (ids[2], 6, Removal::Linked),
    ];
    assert_eq!(losses(&events), expected);
    // The legs are a pair still.
    world.act(1, Action::Cancel(Cancel::Order(ids[2])));
    assert_eq!(world.state_of(ids[1]), Gone);
}

#[test]
fn a_leg_enters_when_its_trigger_holds_and_it_is_awake() {
    // A dormant leg learns no price: its extreme begins when it wakes.
    let trail = Condition::Trail {
        distance: Distance::Ticks(10),
        activation: 0,
    };
    let mut world = World::new();
    let leg = when(trail, ask(1_100, 10));
    let ids = placed(&mut world, 1, linked(Oto, FirstHit, bid(1_000, 10), &[leg]));
    world.set_mark(BTC_PERP, 1_050);
    assert_eq!(world.model.waiting(BTC_PERP)[0].extreme, None);
    world.set_mark(BTC_PERP, 1_030);
    world.placed(2, ask(1_000, 2));
    world.block(&[]);
    assert_eq!(world.model.waiting(BTC_PERP)[0].extreme, Some(1_030));
    world.set_mark(BTC_PERP, 1_020);
    assert_eq!(states(&world, &ids), [Resting(8), Resting(10)]);
}

#[test]
fn a_leg_without_a_trigger_enters_in_the_next_block() {
    for (rule, lots, due) in [
        (FirstHit, 2, true),
        (CompleteFill, 2, false),
        (CompleteFill, 10, true),
    ] {
        let mut world = World::new();
        let action = linked(Oto, rule, bid(1_000, 10), &[ask(1_100, 6)]);
        let ids = placed(&mut world, 1, action);
        world.placed(2, ask(1_000, lots));
        assert_eq!(world.model.waiting(BTC_PERP)[0].due, due);
        world.block(&[]);
        let expected = if due { Resting(6) } else { Waiting(6, 6) };
        assert_eq!(world.state_of(ids[1]), expected, "{rule:?} {lots}");
    }
}

#[test]
fn an_incremental_leg_enters_with_what_is_awake_and_ends_the_rest() {
    let mut world = World::new();
    let legs = [when(NOW, ask(1_100, 20)), when(NEVER, ask(1_200, 10))];
    let action = linked(Otoco, Incremental, bid(1_000, 10), &legs);
    let ids = placed(&mut world, 1, action);
    world.placed(2, ask(1_000, 4));
    assert_eq!(world.state_of(ids[1]), Waiting(20, 12));
    let events = world.block(&[]);
    assert_eq!(
        losses(&events),
        [
            (ids[1], 8, Removal::Linked),
            (ids[0], 6, Removal::Linked),
            (ids[2], 4, Removal::Linked),
        ]
    );
    assert_eq!(states(&world, &ids), [Gone, Resting(8), Waiting(4, 0)]);
    // A pair from then on: half of the one is half of the other.
    world.placed(3, bid(1_100, 4));
    assert_eq!(states(&world, &ids), [Gone, Resting(4), Waiting(2, 0)]);
}

#[test]
fn other_rules_let_the_first_order_rest_when_a_leg_enters() {
    let mut world = World::new();
    let leg = when(NOW, ask(1_100, 20));
    let ids = placed(&mut world, 1, linked(Oto, FirstHit, bid(1_000, 10), &[leg]));
    world.placed(2, ask(1_000, 4));
    world.block(&[]);
    assert_eq!(states(&world, &ids), [Resting(6), Resting(20)]);
}

#[test]
fn a_doomed_maker_is_met_and_removed() {
    // What one order trades with a pair at 1,000 and 1,001 and with 30 lots at 1,002.
    for (rule, other, traded) in [
        (FirstHit, Gone, [10, 0, 15]),
        (CompleteFill, Gone, [10, 0, 15]),
        (Incremental, Gone, [10, 0, 15]),
    ] {
        let mut world = World::new();
        let leg = when(NOW, ask(1_001, 10));
        let ids = placed(&mut world, 1, linked(Oco, rule, ask(1_000, 10), &[leg]));
        world.placed(2, ask(1_002, 30));
        assert_eq!(world.state_of(ids[1]), Resting(10));
        let events = world.block(&[(3, vec![Action::Order(bid(1_002, 25))])]);
        assert_eq!(world.state_of(ids[1]), other);
        assert_eq!(removals(&events), [Removal::Linked]);
        assert_eq!(world.position(1, BTC_PERP), -(traded[0] + traded[1]));
        assert_eq!(world.position(2, BTC_PERP), -traded[2]);
        assert_eq!(world.position(3, BTC_PERP), 25);
    }
}

#[test]
fn a_maker_shows_no_more_than_is_left_of_it() {
    // 4 of 10 lots trade at 1,000 before the limit of meetings; 6 are left of the other.
    let mut world = World::new();
    let leg = when(NOW, ask(1_000, 10));
    let action = linked(Oco, Incremental, ask(1_001, 10), &[leg]);
    let ids = placed(&mut world, 1, action);
    world.block(&[]);
    let one = Order {
        max_fills: 1,
        ..bid(1_001, 4)
    };
    assert_eq!(world.place(2, one), (Code::Ok, 4));
    assert_eq!(states(&world, &ids), [Resting(6), Resting(6)]);
    // All 6 at 1,000 end what rests at 1,001, which is met and gone.
    assert_eq!(world.place(2, bid(1_001, 9)), (Code::Ok, 6));
    assert_eq!(states(&world, &ids), [Gone, Gone]);
}

#[test]
fn a_maker_that_lost_a_part_in_the_walk_trades_the_rest() {
    // An iceberg of 10 shows 3; these take 3 of 10 from the other, which trades 7 of them.
    let mut world = World::new();
    let iceberg = Order {
        display: Some(3),
        ..ask(1_000, 10)
    };
    let leg = when(NOW, ask(1_000, 10));
    let ids = placed(&mut world, 1, linked(Oco, Incremental, iceberg, &[leg]));
    world.block(&[]);
    for tif in [TimeInForce::Fok, TimeInForce::Ioc] {
        let taker = Order {
            tif,
            ..bid(1_000, 11)
        };
        let events = world.block(&[(2, vec![Action::Order(taker)])]);
        let result = results(&events).remove(0);
        if tif == TimeInForce::Fok {
            assert_eq!((result.code, result.filled), (Code::FokUnfilled, 0));
            assert_eq!(states(&world, &ids), [Resting(10), Resting(10)]);
            continue;
        }
        assert_eq!((result.code, result.filled), (Code::Ok, 10));
        assert_eq!(states(&world, &ids), [Gone, Gone]);
        let gone = [Removal::Linked, Removal::Linked, Removal::Ioc];
        assert_eq!(removals(&events), gone);
    }
}

#[test]
fn an_order_that_removes_its_other_trades_on_and_does_not_rest() {
    // An ask takes its own bid away, then 4 lots of another bid; the rest is gone.
    let mut world = World::new();
    let leg = Order {
        self_trade: ballast_types::SelfTrade::CancelMaker,
        ..when(NOW, ask(990, 10))
    };
    let action = linked(Oco, FirstHit, bid(1_000, 10), &[leg]);
    let events = world.block(&[(1, vec![action]), (2, vec![Action::Order(bid(995, 4))])]);
    let parts = results(&events).remove(0).parts;
    let ids: Vec<OrderId> = parts.iter().map(|part| part.order.unwrap()).collect();
    let events = world.block(&[]);
    assert_eq!(
        losses(&events),
        [
            (ids[0], 10, Removal::SelfTrade),
            (ids[1], 6, Removal::Linked)
        ]
    );
    assert_eq!(world.position(1, BTC_PERP), -4);
}

#[test]
fn a_triggered_leg_does_not_enter_after_the_other_traded() {
    // Whoever comes first in the block: no more than one of the two trades.
    let mut entered = Vec::new();
    for blocks in 0..8 {
        let mut world = World::new();
        for _ in 0..blocks {
            world.block(&[]);
        }
        let leg = when(Condition::AtOrAbove(1_010), ask(1_200, 10));
        let ids = placed(&mut world, 1, linked(Oco, FirstHit, ask(1_000, 10), &[leg]));
        world.publish(BTC_PERP, PriceKind::Mark, 1_010);
        let events = world.block(&[(2, vec![Action::Order(bid(1_000, 10))])]);
        assert_eq!(states(&world, &ids), [Gone, Gone]);
        assert_eq!(removals(&events), [Removal::Linked]);
        let rested = |event: &Event| matches!(event, Event::Rested { .. });
        entered.push(events.events.iter().any(rested));
    }
    assert!(entered.contains(&true) && entered.contains(&false));
}

#[test]
fn an_order_that_never_rests_ends_its_legs() {
    // A bid of 10 lots against an ask of 4 at 1,000: its code, lots that trade, what is left.
    let fok = TimeInForce::Fok;
    let ioc = TimeInForce::Ioc;
    let tif = |tif| Order {
        tif,
        ..bid(1_000, 10)
    };
    let cases = [
        (
            bid(1_000, 10).post_only(PostOnly::Reject),
            Code::PostOnlyWouldTrade,
            Gone,
        ),
        (tif(fok), Code::FokUnfilled, Gone),
        (tif(ioc), Code::Ok, Waiting(8, 0)),
        (bid(1_000, 10), Code::Ok, Waiting(20, 12)),
        (bid(1_000, 4), Code::Ok, Waiting(20, 0)),
    ];
    for (first, code, leg) in cases {
        let mut world = World::new();
        world.placed(2, ask(1_000, 4));
        let stop = when(NEVER, ask(1_100, 20));
        let events = world.block(&[(1, vec![linked(Oto, Incremental, first, &[stop])])]);
        assert_eq!(codes(&events), [code, Code::Ok]);
        let id = results(&events)[0].parts[1].order.unwrap();
        assert_eq!(world.state_of(id), leg, "{first:?}");
    }
}

#[test]
fn links_have_a_form() {
    let (plain, leg) = (ask(1_100, 10), when(NEVER, ask(1_100, 10)));
    let other_side = when(NEVER, bid(900, 10));
    let elsewhere = Order {
        market: BTC_SPOT,
        ..leg
    };
    let twap = Twap {
        duration_ms: 5_000,
        interval_ms: 1_000,
        tolerance_ppm: 1_000,
    };
    let sliced = Order {
        twap: Some(twap),
        ..plain
    };
    let peg = Some(Peg {
        to: PegTo::Index,
        offset: 0,
    });
    let pegged = Order { peg, ..leg }.post_only(PostOnly::Slide);
    let (good, bad) = (true, false);
    let cases: &[(LinkKind, LinkRule, &[Order], bool)] = &[
        (Oco, FirstHit, &[leg], good),
        (Oco, FirstHit, &[plain], bad),
        (Oco, FirstHit, &[], bad),
        (Oco, FirstHit, &[leg, leg], bad),
        (Oco, CompleteFill, &[other_side], good),
        (Oco, Incremental, &[other_side], bad),
        (Oto, FirstHit, &[plain], good),
        (Oto, CompleteFill, &[other_side], good),
        (Oto, Incremental, &[plain], bad),
        (Oto, Incremental, &[other_side], good),
        (Oto, FirstHit, &[elsewhere], bad),
        (Oto, FirstHit, &[sliced], bad),
        (Oto, FirstHit, &[pegged], bad),
        (Otoco, FirstHit, &[leg], bad),
        (Otoco, FirstHit, &[plain, leg], good),
        (Otoco, FirstHit, &[plain, plain], bad),
        (Otoco, Incremental, &[leg, plain], bad),
        (Otoco, Incremental, &[leg, leg], good),
        (Otoco, Incremental, &[leg, other_side], bad),
        (Otoco, FirstHit, &[leg, other_side], good),
    ];
    for (kind, rule, legs, good) in cases {
        let action = linked(*kind, *rule, ask(1_050, 10), legs);
        let code = World::new().act(1, action).code;
        let expected = if *good { Code::Ok } else { Code::BadLink };
        assert_eq!(code, expected, "{kind:?} {rule:?} {legs:?}");
    }
    let nowhere = Order {
        market: ballast_types::MarketId(99),
        ..ask(1_050, 10)
    };
    let action = linked(Oto, FirstHit, nowhere, &[nowhere]);
    assert_eq!(World::new().act(1, action).code, Code::UnknownMarket);
}

#[test]
fn all_enter_or_none() {
    let leg = when(NEVER, ask(1_100, 10));
    let named = |order: Order| Order {
        client_id: Some(7),
        ..order
    };
    let refused = Code::LinkRefused;
    let small = Order { size: 1, ..leg };
    // First order and legs, and their codes.
    let cases: &[(Order, [Order; 2], [Code; 3])] = &[
        (
            bid(1_000, 1_000),
            [leg, leg],
            [Code::InsufficientMargin, refused, refused],
        ),
        (
            bid(1_000, 10),
            [leg, small],
            [refused, refused, Code::BadSize],
        ),
        // Legs are judged first.
        (
            bid(1_000, 1_000),
            [small, small],
            [refused, Code::BadSize, refused],
        ),
        (
            bid(1_000, 10),
            [named(leg), named(leg)],
            [refused, refused, Code::ClientIdInUse],
        ),
        (
            named(bid(1_000, 10)),
            [named(leg), leg],
            [Code::ClientIdInUse, refused, refused],
        ),
    ];
    for (first, legs, expected) in cases {
        let mut world = World::new();
        let events = world.block(&[(1, vec![linked(Otoco, FirstHit, *first, legs)])]);
        assert_eq!(codes(&events), *expected);
        assert!(world.model.waiting(BTC_PERP).is_empty());
        assert_eq!(world.book(BTC_PERP), [vec![], vec![]]);
    }
}

#[test]
fn each_needs_room() {
    let leg = when(NEVER, ask(1_100, 10));
    let stop = when(NEVER, bid(1_000, 10));
    let (ok, refused) = (Code::Ok, Code::LinkRefused);
    for (open, waiting, first, expected) in [
        (3, 9, bid(1_000, 10), [ok, ok, ok]),
        (
            2,
            9,
            bid(1_000, 10),
            [Code::OpenOrderLimit, refused, refused],
        ),
        (
            1,
            9,
            bid(1_000, 10),
            [refused, refused, Code::OpenOrderLimit],
        ),
        (9, 2, bid(1_000, 10), [ok, ok, ok]),
        (9, 1, bid(1_000, 10), [refused, refused, Code::TriggerLimit]),
        (9, 2, stop, [Code::TriggerLimit, refused, refused]),
        (9, 3, stop, [ok, ok, ok]),
    ] {
        let mut world = World::with(|spec| {
            spec.limits.open_orders = open;
            spec.limits.waiting_orders = waiting;
        });
        let events = world.block(&[(1, vec![linked(Otoco, FirstHit, first, &[leg, leg])])]);
        assert_eq!(codes(&events), expected, "{open} {waiting}");
    }
}

#[test]
fn an_agent_needs_its_scope_for_each() {
    let mut world = World::new();
    let agent = SetAgent {
        key: world.secrets[4].id(),
        expiry: u64::MAX,
        markets: Vec::new(),
        max_notional: 10 * 1_000 * 1_000,
    };
    world.act(1, Action::SetAgent(agent));
    let leg = when(NEVER, ask(1_000, 10));
    for (first, leg, expected) in [
        (bid(1_000, 10), leg, [Code::Ok, Code::Ok]),
        (bid(1_001, 10), leg, [Code::AgentScope, Code::LinkRefused]),
        (
            bid(1_000, 10),
            Order { size: 11, ..leg },
            [Code::LinkRefused, Code::AgentScope],
        ),
    ] {
        let action = linked(Oto, FirstHit, first, &[leg]);
        let tx = world.sign_for(world.account(1), 4, &[action]);
        assert_eq!(codes(&world.block_of(&[tx])), expected);
    }
}

#[test]
fn a_linked_order_is_not_amended() {
    let mut world = World::new();
    let leg = when(NEVER, ask(1_100, 20));
    let ids = placed(&mut world, 1, linked(Oto, FirstHit, bid(1_000, 10), &[leg]));
    let amend = |id| {
        Action::Amend(Amend {
            order: OrderRef::Id(id),
            price: 999,
            size: 9,
            keep_on_reject: false,
            max_fills: 6,
        })
    };
    for id in &ids {
        assert_eq!(world.act(1, amend(*id)).code, Code::OrderLinked);
    }
    // The link ends with the first order.
    world.placed(2, ask(1_000, 10));
    assert_eq!(world.act(1, amend(ids[1])).code, Code::Ok);
    assert_eq!(world.state_of(ids[1]), Waiting(9, 0));
}
