//! Volatility surfaces. Blocks are a second apart; options expire at midnight.

use super::{BTC_PERP, MIDNIGHT, World};
use ballast_types::margin::ONE;
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    Action, BlockEvents, Code, Event, ExpirySurface, GroupId, PriceKind, SetSurface, TimeMs,
};

const BTC: GroupId = GroupId(0);
const TENOR: u32 = 86_400;
/// Total variance of the tenor for a volatility of about 60 % a year.
const VARIANCE: i64 = ONE / 1_000;

/// The same variance at all strikes.
fn flat(variance: i64) -> Curve {
    Curve::Nodes(vec![Node { k: 0, variance }])
}

fn at(expiry: TimeMs, forward: i64, curve: Curve) -> ExpirySurface {
    ExpirySurface {
        expiry,
        forward,
        rate: 0,
        tenor: TENOR,
        curve,
    }
}

fn surface(expiries: Vec<ExpirySurface>) -> Action {
    Action::SetSurface(SetSurface {
        group: BTC,
        expiries,
    })
}

fn one(forward: i64, variance: i64) -> Action {
    surface(vec![at(MIDNIGHT, forward, flat(variance))])
}

/// Forwards of the surfaces that took effect in a block.
fn forwards(events: &BlockEvents) -> Vec<i64> {
    let told = events.events.iter().filter_map(|event| match event {
        Event::Surface { expiries, .. } => Some(expiries[0].forward),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_surface_that_is_none_is_refused() {
    let good = || at(MIDNIGHT, 10_000_000, flat(VARIANCE));
    let next = |variance| at(MIDNIGHT + 1_000, 10_000_000, flat(variance));
    let with = |change: fn(&mut ExpirySurface)| {
        let mut expiry = good();
        change(&mut expiry);
        vec![expiry]
    };
    let many = |count: u64| {
        let expiries = (0..count).map(|second| ExpirySurface {
            expiry: MIDNIGHT + second * 1_000,
            ..good()
        });
        expiries.collect::<Vec<_>>()
    };
    let svi = Svi {
        a: VARIANCE,
        b: VARIANCE,
        rho: 0,
        m: 0,
        sigma: ONE / 10,
    };
    let (ok, bad) = (Code::Ok, Code::BadSurface);
    let cases: Vec<(Vec<ExpirySurface>, Code)> = vec![
        (with(|_| {}), ok),
        (vec![], bad),
        (many(16), ok),
        (many(17), bad),
        (with(|e| e.forward = 1), ok),
        (with(|e| e.forward = 0), bad),
        (with(|e| e.forward = 1 << 60), ok),
        (with(|e| e.forward = (1 << 60) + 1), bad),
        (with(|e| e.rate = -ONE), ok),
        (with(|e| e.rate = ONE + 1), bad),
        (with(|e| e.tenor = 0), bad),
        // At block time or before.
        (with(|e| e.expiry = 1_700_000_002_000), bad),
        (with(|e| e.curve = Curve::Nodes(vec![])), bad),
        // Variance may not fall with time.
        (vec![good(), next(VARIANCE)], ok),
        (vec![good(), next(VARIANCE * 9 / 10)], bad),
        (vec![at(MIDNIGHT, 10_000_000, Curve::Svi(svi))], ok),
        // Wings steeper than 2.
        (
            vec![at(
                MIDNIGHT,
                10_000_000,
                Curve::Svi(Svi { b: 3 * ONE, ..svi }),
            )],
            bad,
        ),
    ];
    for (at, (expiries, code)) in cases.into_iter().enumerate() {
        let mut world = World::with_options(|_| {});
        assert_eq!(world.act(0, surface(expiries)).code, code, "case {at}");
    }
}

#[test]
fn only_an_authority_sets_one_of_a_group_that_exists() {
    let mut world = World::with_options(|_| {});
    let unknown = |group| {
        Action::SetSurface(SetSurface {
            group: GroupId(group),
            expiries: vec![],
        })
    };
    let code = world.act(1, unknown(9)).code;
    assert_eq!(code, Code::NotPriceAuthority);
    assert_eq!(world.act(0, unknown(3)).code, Code::UnknownMarket);
    assert_eq!(world.act(0, unknown(2)).code, Code::BadSurface);
}

#[test]
fn it_counts_from_the_next_block_on_and_the_last_one_wins() {
    let mut world = World::with_options(|_| {});
    let first = one(10_100_000, VARIANCE);
    let second = one(10_200_000, VARIANCE);
    let events = world.block(&[(0, vec![first, second])]);
    assert!(forwards(&events).is_empty());
    assert_eq!(forwards(&world.block(&[])), [10_200_000]);
    assert!(forwards(&world.block(&[])).is_empty());
}

#[test]
fn a_jump_is_refused_where_there_is_a_cap() {
    let mut world = World::with_options(|spec| {
        // A tenth of the volatility is a fifth of the variance, and 1 % of it.
        spec.groups[0].surface_cap = ONE / 10;
    });
    let one = |hundredths: i64| one(10_000_000, VARIANCE / 100 * hundredths);
    // The first may be anything.
    assert_eq!(world.act(0, one(100)).code, Code::Ok);
    // It is not in effect before the next block, when this one is checked.
    assert_eq!(world.act(0, one(122)).code, Code::SurfaceJump);
    assert_eq!(world.act(0, one(80)).code, Code::SurfaceJump);
    assert_eq!(world.act(0, one(120)).code, Code::Ok);
    // Of several in a block each is compared with what is in effect.
    let codes = super::codes(&world.block(&[(0, vec![one(140), one(120), one(146)])]));
    assert_eq!(codes, [Code::Ok, Code::Ok, Code::SurfaceJump]);
}

#[test]
fn pending_ones_are_nothing_to_jump_from() {
    let mut world = World::with_options(|spec| spec.groups[0].surface_cap = ONE / 10);
    let txs = vec![
        one(10_000_000, VARIANCE),
        one(10_000_000, VARIANCE * 4),
        one(10_000_000, VARIANCE * 9),
    ];
    let codes = super::codes(&world.block(&[(0, txs)]));
    assert_eq!(codes, [Code::Ok; 3]);
}

#[test]
fn options_are_priced_from_its_forward() {
    let mut world = World::with_options(|_| {});
    let call = world.call(9_000);
    world.trade(1, 2, call, 1_000, 10);
    let cash = world.balance(1, 0);
    let worth = |world: &World| (world.model.margin(world.account(1)).equity - cash) / 10;
    assert_eq!(worth(&world), 100_000);
    // Hardly any variance: what the call pays at the forward, 10,200.
    assert_eq!(world.act(0, one(10_200_000, 1)).code, Code::Ok);
    assert_eq!(worth(&world), 100_000);
    world.block(&[]);
    assert_eq!(worth(&world), 120_000);
    // The forward is the surface's, whatever the index is; margins follow the index.
    world.set_price(BTC_PERP, PriceKind::Index, 1_100);
    assert_eq!(worth(&world), 120_000);
    let short = world.model.margin(world.account(2));
    assert_eq!(short.initial, 10 * 165_000);
}

#[test]
fn options_are_priced_from_its_volatility() {
    let mut world = World::with_options(|_| {});
    let call = world.call(10_000);
    // It counts two blocks from here; then so many seconds are left.
    let left = u32::try_from((MIDNIGHT - world.time) / 1_000 - 2).unwrap();
    let expiry = ExpirySurface {
        tenor: left,
        ..at(MIDNIGHT, 10_000_000, flat(ONE / 10_000))
    };
    assert_eq!(world.act(0, surface(vec![expiry])).code, Code::Ok);
    world.block(&[]);
    world.trade(1, 2, call, 40, 10);
    // At the forward a call is worth F (2 N(s / 2) - 1), with s = 0.01: 0.003989406 of 10,000 USDC,
    // so 3,989.4 atoms a lot.
    let worth = world.model.margin(world.account(1)).equity - world.balance(1, 0);
    assert_eq!(worth, 10 * 3_989);
}

#[test]
fn there_is_no_room_between_nodes_for_arbitrage() {
    let mut world = World::with_options(|_| {});
    let node = |k: i64, variance: i64| Node {
        k: k * (ONE / 1_000),
        variance,
    };
    let curve = |middle: i64| {
        Curve::Nodes(vec![
            node(-50, VARIANCE),
            node(0, middle),
            node(50, VARIANCE),
        ])
    };
    let with = |middle| surface(vec![at(MIDNIGHT, 10_000_000, curve(middle))]);
    assert_eq!(world.act(0, with(VARIANCE)).code, Code::Ok);
    // A call that costs more than those beside it on average.
    assert_eq!(world.act(0, with(9 * VARIANCE)).code, Code::BadSurface);
}
