//! Protection of quotes: exact cuts, what goes, and for how long. Blocks are a second apart; a lot
//! at the mark is worth 1,000,000 atoms.

use super::{BTC_PERP, BTC_SPOT, World, order, removals, results};
use ballast_types::{
    Account, Action, BlockEvents, Code, Event, GroupId, Lots, MarketId, Order, PostOnly, Quote,
    QuoteSide, Quotes, Removal, SetProtection, Side, Ticks, TimeInForce,
};

const BTC: GroupId = GroupId(0);
const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;
const LOT: u128 = 1_000_000;

/// For a minute, then three seconds without quotes.
fn protection(notional: u128, delta: u128) -> SetProtection {
    SetProtection {
        group: BTC,
        interval_ms: 60_000,
        freeze_ms: 3_000,
        notional,
        delta,
        vega: 0,
    }
}

fn quote(market: MarketId, side: Side, price: Ticks, size: Lots) -> Action {
    let wanted = Some(QuoteSide { price, size });
    let (bid, ask) = match side {
        BID => (wanted, None),
        ASK => (None, wanted),
    };
    Action::Quotes(Quotes {
        group: BTC,
        post_only: PostOnly::Reject,
        quotes: vec![Quote { market, bid, ask }],
    })
}

/// Person 1 is protected and quotes 10 lots at 1,000 on a side of the perpetual.
fn quoting(settings: SetProtection, side: Side) -> World {
    let mut world = World::new();
    let set = Action::SetProtection(settings);
    let quote = quote(BTC_PERP, side, 1_000, 10);
    world.block(&[(1, vec![set, quote])]);
    world
}

fn taker(side: Side, size: Lots) -> Action {
    Action::Order(Order {
        tif: TimeInForce::Ioc,
        ..order(BTC_PERP, side, 1_000, size)
    })
}

fn fills(events: &BlockEvents) -> Vec<Lots> {
    let fills = events.events.iter().filter_map(|event| match event {
        Event::Fill { size, .. } => Some(*size),
        _ => None,
    });
    fills.collect()
}

fn protected(events: &BlockEvents) -> Vec<(Account, u64)> {
    let protected = events.events.iter().filter_map(|event| match event {
        Event::Protected { account, until, .. } => Some((*account, *until)),
        _ => None,
    });
    protected.collect()
}

#[test]
fn a_fill_is_cut_to_the_bound_and_the_rest_goes() {
    // Notional and delta bounds; lots that trade of 8; whether the protection took effect.
    for (notional, delta, traded, took_effect) in [
        (0, 0, 8, false),
        (20 * LOT, 20 * LOT, 8, false),
        (8 * LOT + 1, 0, 8, false),
        (8 * LOT, 0, 8, true),
        (8 * LOT - 1, 0, 7, true),
        (0, 8 * LOT, 8, true),
        (0, 8 * LOT - 1, 7, true),
        (5 * LOT, 3 * LOT, 3, true),
        (3 * LOT, 5 * LOT, 3, true),
        (LOT - 1, 0, 0, true),
        (u128::MAX, u128::MAX, 8, false),
    ] {
        for side in [BID, ASK] {
            let mut world = quoting(protection(notional, delta), side);
            let events = world.block(&[(2, vec![taker(side.opposite(), 8)])]);
            assert_eq!(results(&events)[0].filled, traded, "{notional} {delta}");
            let until = (world.account(1), world.time + 3_000);
            let expected = if took_effect { vec![until] } else { vec![] };
            assert_eq!(protected(&events), expected);
            let left = world.book(BTC_PERP).concat();
            let rests = if took_effect {
                vec![]
            } else {
                vec![(1_000, 2)]
            };
            assert_eq!(left, rests);
        }
    }
}

#[test]
fn delta_counts_lots_at_the_mark_and_what_was_sold_against_what_was_bought() {
    let mut world = quoting(protection(0, 5 * LOT), BID);
    world.act(2, taker(ASK, 4));
    let state = world.model.protection(world.account(1), BTC).unwrap();
    assert_eq!(state.delta, 4_000_000);
    world.act(1, quote(BTC_PERP, ASK, 1_010, 20));
    let buy = Order {
        price: 1_010,
        ..order(BTC_PERP, BID, 1_010, 20)
    };
    // Nine from four bought to five sold, at 1,000 a lot although they cost 1,010.
    assert_eq!(world.place(3, buy), (Code::Ok, 9));
    let state = world.model.protection(world.account(1), BTC).unwrap();
    assert_eq!((state.delta, state.notional), (-5_000_000, 13_090_000));
}

#[test]
fn a_lot_of_a_spot_market_counts_at_the_price_of_the_trade() {
    let mut world = World::new();
    // 100 atoms a tick: 90,000 a lot, 4.4 of them.
    let set = Action::SetProtection(protection(0, 400_000));
    world.block(&[(1, vec![set, quote(BTC_SPOT, BID, 900, 10)])]);
    let sell = order(BTC_SPOT, ASK, 900, 8);
    assert_eq!(world.place(2, sell), (Code::Ok, 4));
}

#[test]
fn other_quotes_go_when_the_taker_has_ended_and_orders_stay() {
    let mut world = quoting(protection(3 * LOT, 0), ASK);
    world.placed(1, order(BTC_PERP, ASK, 1_020, 2));
    world.placed(4, order(BTC_PERP, ASK, 1_000, 2));
    let quotes = Quotes {
        group: BTC,
        post_only: PostOnly::Reject,
        quotes: vec![
            Quote {
                market: BTC_SPOT,
                bid: Some(QuoteSide {
                    price: 900,
                    size: 4,
                }),
                ask: None,
            },
            Quote {
                market: BTC_PERP,
                bid: Some(QuoteSide {
                    price: 980,
                    size: 4,
                }),
                ask: Some(QuoteSide {
                    price: 1_000,
                    size: 10,
                }),
            },
        ],
    };
    world.act(1, Action::Quotes(quotes));
    let bid = order(BTC_PERP, BID, 1_000, 9);
    let events = world.block(&[(2, vec![Action::Order(bid)])]);
    // The quote is met again, frozen by then; the rest goes after the taker rests.
    assert_eq!(fills(&events), [3, 2]);
    let what: Vec<&str> = events
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Fill { .. } => Some("fill"),
            Event::Protected { .. } => Some("protected"),
            Event::Rested { .. } => Some("rested"),
            Event::Removed { reason, .. } => {
                assert_eq!(*reason, Removal::Protection);
                Some("removed")
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        what,
        [
            "fill",
            "protected",
            "removed",
            "fill",
            "rested",
            "removed",
            "removed"
        ]
    );
    assert_eq!(world.book(BTC_SPOT), [vec![], vec![]]);
    assert_eq!(world.book(BTC_PERP), [vec![(1_000, 4)], vec![(1_020, 2)]]);
}

#[test]
fn a_freeze_ends_by_time_or_by_new_settings() {
    let sent = |world: &mut World| {
        let result = world.act(1, quote(BTC_PERP, ASK, 1_000, 10));
        result.parts[1].code
    };
    let mut world = quoting(protection(2 * LOT, 0), ASK);
    world.act(2, taker(BID, 5));
    for code in [Code::QuotesFrozen, Code::QuotesFrozen, Code::Ok] {
        assert_eq!(sent(&mut world), code);
    }
    // The interval goes on: nothing is left in it.
    let events = world.block(&[(2, vec![taker(BID, 5)])]);
    assert_eq!((fills(&events), protected(&events).len()), (vec![], 1));
    assert_eq!(removals(&events), [Removal::Protection, Removal::Ioc]);

    let settings = SetProtection {
        freeze_ms: 0,
        ..protection(2 * LOT, 0)
    };
    let mut world = quoting(settings, ASK);
    let events = world.block(&[(2, vec![taker(BID, 5)])]);
    assert_eq!(protected(&events), [(world.account(1), u64::MAX)]);
    world.time += 86_400_000;
    assert_eq!(sent(&mut world), Code::QuotesFrozen);
    let set = Action::SetProtection(settings);
    let events = world.block(&[(1, vec![quote(BTC_PERP, ASK, 1_000, 10), set])]);
    assert_eq!(results(&events)[0].parts[1].code, Code::Ok);
    assert_eq!(world.act(2, taker(BID, 5)).filled, 2);
}

#[test]
fn an_interval_ends() {
    // Length of the interval, and what trades in blocks that are a second apart.
    for (interval_ms, traded) in [(1, [3, 3]), (1_000, [3, 3]), (1_001, [3, 1]), (0, [3, 3])] {
        let settings = SetProtection {
            interval_ms,
            ..protection(4 * LOT, 0)
        };
        let mut world = quoting(settings, ASK);
        let lots = [0; 2].map(|_| world.act(2, taker(BID, 3)).filled);
        assert_eq!(lots, traded, "{interval_ms}");
    }
}

#[test]
fn fill_or_kill_is_tried_without_effect() {
    for (size, code, left) in [
        (3, Code::Ok, vec![(1_000, 7)]),
        (4, Code::Ok, vec![]),
        (5, Code::FokUnfilled, vec![(1_000, 10)]),
    ] {
        let mut world = quoting(protection(4 * LOT, 0), ASK);
        let account = world.account(1);
        let before = world.model.protection(account, BTC);
        let fok = Order {
            tif: TimeInForce::Fok,
            ..order(BTC_PERP, BID, 1_000, size)
        };
        assert_eq!(world.place(2, fok).0, code);
        assert_eq!(world.book(BTC_PERP)[1], left);
        let same = world.model.protection(account, BTC) == before;
        assert_eq!(same, code == Code::FokUnfilled);
    }
}

#[test]
fn what_others_cut_of_a_cut_fill_changes_nothing_about_the_effect() {
    let mut world = World::new();
    world.trade(4, 3, BTC_PERP, 1_000, 2);
    let set = Action::SetProtection(protection(5 * LOT, 0));
    world.block(&[(1, vec![set, quote(BTC_PERP, ASK, 1_000, 10)])]);
    // A position of two to close, and eight lots asked for where five may trade.
    let close = Order {
        reduce_only: true,
        tif: TimeInForce::Ioc,
        ..order(BTC_PERP, BID, 1_000, 8)
    };
    let events = world.block(&[(3, vec![Action::Order(close)])]);
    assert_eq!((fills(&events), protected(&events).len()), (vec![2], 1));
    assert_eq!(world.book(BTC_PERP)[1], []);
}

#[test]
fn a_protection_has_bounds() {
    let day = 86_400_000;
    for (group, interval_ms, freeze_ms, code) in [
        (0, day, day, Code::Ok),
        (0, 0, 0, Code::Ok),
        (0, day + 1, 0, Code::BadProtection),
        (0, 0, day + 1, Code::BadProtection),
        (3, 1, 1, Code::UnknownMarket),
    ] {
        let settings = SetProtection {
            group: GroupId(group),
            interval_ms,
            freeze_ms,
            ..protection(1, u128::MAX)
        };
        let result = World::new().act(1, Action::SetProtection(settings));
        assert_eq!(result.code, code);
    }
}

#[test]
fn protections_act_in_the_order_in_which_they_took_effect() {
    let mut world = World::new();
    let set = Action::SetProtection(protection(2 * LOT, 0));
    // Person 4 quotes first, and 1 is met first.
    for (who, price) in [(4, 1_000), (1, 999)] {
        let far = quote(BTC_SPOT, BID, 900, 4);
        let near = quote(BTC_PERP, ASK, price, 10);
        world.act(who, set.clone());
        world.block(&[(who, vec![far, near])]);
    }
    let events = world.block(&[(2, vec![taker(BID, 20)])]);
    assert_eq!(fills(&events), [2, 2]);
    let took_effect: Vec<Account> = protected(&events).iter().map(|(who, _)| *who).collect();
    assert_eq!(took_effect, [world.account(1), world.account(4)]);
    let removed: Vec<_> = events
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Removed {
                market, account, ..
            } => Some((*market, *account)),
            _ => None,
        })
        .collect();
    let [one, two, four] = [1, 2, 4].map(|who| world.account(who));
    // Both asks are met again; then the taker ends, then the bids go.
    let expected = [
        (BTC_PERP, one),
        (BTC_PERP, four),
        (BTC_PERP, two),
        (BTC_SPOT, one),
        (BTC_SPOT, four),
    ];
    assert_eq!(removed, expected);
}
