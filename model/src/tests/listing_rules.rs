//! Which options are listed, and when. The index begins at 10,000 USDC; strikes are 1,000 apart.

use super::{BTC_PERP, DAY, MIDNIGHT, World, listed};
use ballast_types::{BlockEvents, Cadence, ChainSpec, MarketId, OptionKind};

/// Strikes in USDC that a block listed, each once.
fn strikes(events: &BlockEvents) -> Vec<i64> {
    let listed = listed(events);
    for pair in listed.chunks(2) {
        let kinds = pair.iter().map(|(_, (_, _, kind))| *kind);
        let kinds: Vec<_> = kinds.collect();
        assert_eq!(kinds, [OptionKind::Call, OptionKind::Put]);
    }
    let calls = listed.iter().step_by(2);
    calls.map(|(_, (_, strike, _))| strike / 1_000).collect()
}

/// A chain that has had no block, so that its first one lists.
fn unlisted(change: impl FnOnce(&mut ChainSpec)) -> World {
    let mut spec = None;
    World::with_options(|with| {
        change(with);
        spec = Some(with.clone());
    });
    World::with(|with| *with = spec.unwrap())
}

#[test]
fn a_ladder_begins_at_the_index_and_grows_above_first() {
    let mut world = unlisted(|_| {});
    let events = world.block(&[]);
    let (call, put) = (OptionKind::Call, OptionKind::Put);
    let expected = [
        (10, 10_000_000, call),
        (11, 10_000_000, put),
        (12, 11_000_000, call),
        (13, 11_000_000, put),
        (14, 9_000_000, call),
        (15, 9_000_000, put),
    ];
    let expected = expected.map(|(id, strike, kind)| (MarketId(id), (MIDNIGHT, strike, kind)));
    assert_eq!(listed(&events), expected);
    assert_eq!(listed(&world.block(&[])), []);
}

#[test]
fn few_strikes_are_listed_in_a_block() {
    let mut world = unlisted(|spec| {
        spec.limits.listings = 2;
        spec.series[0].strikes = 2;
        spec.series[0].max_strikes = 9;
    });
    let told = [1, 2, 3, 4].map(|_| strikes(&world.block(&[])));
    let expected = [
        vec![10_000, 11_000],
        vec![12_000, 9_000],
        vec![8_000],
        vec![],
    ];
    assert_eq!(told, expected);
}

#[test]
fn strikes_follow_the_index() {
    // Strikes on each side, most of them; index; strikes that its move lists.
    let cases: &[(u16, u16, i64, &[i64])] = &[
        (1, 9, 1_040, &[]),
        // Half a step belongs to the strike above.
        (1, 9, 1_050, &[12_000]),
        (1, 9, 1_200, &[12_000, 13_000]),
        (1, 9, 949, &[8_000]),
        (1, 9, 700, &[8_000, 7_000, 6_000]),
        (2, 9, 1_200, &[13_000, 14_000]),
        (1, 4, 1_200, &[12_000]),
        (1, 3, 1_200, &[]),
        // A strike is one step at least.
        (
            1,
            20,
            10,
            &[8_000, 7_000, 6_000, 5_000, 4_000, 3_000, 2_000, 1_000],
        ),
    ];
    for (each, most, index, expected) in cases {
        let mut world = World::with_options(|spec| {
            (spec.series[0].strikes, spec.series[0].max_strikes) = (*each, *most);
        });
        world.publish(BTC_PERP, ballast_types::PriceKind::Index, *index);
        assert_eq!(
            strikes(&world.block(&[])),
            *expected,
            "{each} {most} {index}"
        );
        // What is listed stays when the index comes back.
        world.publish(BTC_PERP, ballast_types::PriceKind::Index, 1_000);
        assert_eq!(strikes(&world.block(&[])), Vec::<i64>::new(), "{index}");
    }
}

#[test]
fn the_step_is_that_of_the_index_when_the_ladder_began() {
    let mut world = World::with_options(|_| {});
    let before = world.listed.len();
    world.publish(BTC_PERP, ballast_types::PriceKind::Index, 2_500);
    world.block(&[]);
    // No room in the ladder that there is.
    assert_eq!(world.listed.len(), before);
    let events = world.block_at(MIDNIGHT);
    // 10 % of 25,000 are 2,500, so strikes of the new expiry are 2,000 apart: 26,000 is the
    // nearest to 25,000, halves up.
    assert_eq!(strikes(&events), [26_000, 28_000, 24_000]);
}

/// Every two days at midnight: half of its times are those of the cadence of each day.
fn later() -> Cadence {
    Cadence::Every {
        period_ms: 2 * DAY,
        offset_ms: 0,
        count: 1,
    }
}

#[test]
fn an_expiry_of_two_cadences_is_listed_once() {
    // Midnight is 19,676 days after 1970, an even number.
    let mut world = unlisted(|spec| spec.series[0].cadences.push(later()));
    let events = world.block(&[]);
    assert_eq!(strikes(&events), [10_000, 11_000, 9_000]);
    assert!(
        listed(&events)
            .iter()
            .all(|(_, (at, _, _))| *at == MIDNIGHT)
    );
    // Then they are a day apart.
    let events = world.block_at(MIDNIGHT);
    let expiries: Vec<_> = listed(&events).iter().map(|(_, (at, _, _))| *at).collect();
    let expected = [[MIDNIGHT + DAY; 6], [MIDNIGHT + 2 * DAY; 6]].concat();
    assert_eq!(expiries, expected);
}

#[test]
fn no_number_of_a_market_is_used_twice() {
    let mut world = World::with_options(|_| {});
    world.block_at(MIDNIGHT);
    world.block_at(MIDNIGHT + DAY);
    let ids: Vec<_> = world.listed.iter().map(|(id, _)| id.0).collect();
    assert_eq!(ids, (10..28).collect::<Vec<_>>());
}

#[test]
fn a_series_without_an_index_lists_nothing() {
    let mut world = unlisted(|spec| {
        // Only spot, whose index begins as none.
        spec.markets[1].group = ballast_types::GroupId(2);
        spec.markets[7].group = ballast_types::GroupId(2);
    });
    assert_eq!(listed(&world.block(&[])), []);
    world.set_index(super::BTC_SPOT, 1_000);
    assert_eq!(world.listed.len(), 6);
}
