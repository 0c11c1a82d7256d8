//! Options: how series list them, what they cost and need, and what they pay when they expire.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::surface::{Curve, Node};
use ballast_types::{
    Account, Action, ChainSpec, Code, Event, ExpirySurface, GroupId, MarginMode, MarketId,
    MarketStatus, OptionKind, Order, PriceKind, SetSurface,
};
use common::{Chain, Done, GENESIS, PERP, account, buy, list_options, place, sell, spec};

/// Ms after genesis of the two hours at which options are listed to expire.
const FIRST: u64 = 2_800_000;
const SECOND: u64 = 6_400_000;

/// Of the first expiry at 1,000: what the index is at first.
const CALL: MarketId = MarketId(2);
const PUT: MarketId = MarketId(3);

const ONE: i64 = 1_000_000_000_000_000;

/// The small chain with options of two hours, at a strike of the index and one on each side. A tick of
/// a lot is an atom, and so is a unit of the group's price.
fn with_options() -> ChainSpec {
    let mut spec = spec();
    list_options(&mut spec, |market| market.maker_fee_ppm = 1_000);
    spec
}

fn on(market: MarketId, order: Order) -> Vec<Action> {
    place(Order { market, ..order })
}

fn cash(chain: &Chain, account: &Account) -> i128 {
    chain.state().account(account).unwrap().balances[0].1
}

/// (market, ms after genesis of its expiry, strike, kind) of what was listed.
fn listed(events: &[Event]) -> Vec<(u32, u64, i64, OptionKind)> {
    let listed = events.iter().filter_map(|event| match event {
        Event::Listed {
            market,
            expiry,
            strike,
            kind,
            series: 0,
        } => Some((market.0, expiry - GENESIS, *strike, *kind)),
        _ => None,
    });
    listed.collect()
}

fn settled(events: &[Event]) -> Vec<(u32, i64)> {
    let settled = events.iter().filter_map(|event| match event {
        Event::Settled { market, price } => Some((market.0, *price)),
        _ => None,
    });
    settled.collect()
}

/// What one block listed, as expiries and strikes: each is a call, then a put.
fn strikes(events: &[Event]) -> Vec<(u64, i64)> {
    let listed = listed(events);
    for pair in listed.chunks(2) {
        assert_eq!((pair[0].3, pair[1].3), (OptionKind::Call, OptionKind::Put));
        assert_eq!((pair[0].1, pair[0].2), (pair[1].1, pair[1].2));
        assert_eq!(pair[0].0 + 1, pair[1].0);
    }
    listed.iter().step_by(2).map(|at| (at.1, at.2)).collect()
}

#[test]
fn series_list_each_expiry_and_follow_the_index() {
    let mut chain = Chain::new(with_options());
    assert_eq!(chain.state().markets(), 2);
    let events = chain.wait(1);
    let first = [1_000, 1_050, 950].map(|strike| (FIRST, strike));
    let second = [1_000, 1_050, 950].map(|strike| (SECOND, strike));
    assert_eq!(strikes(&events), [first, second].concat());
    assert_eq!(listed(&events)[0], (2, FIRST, 1_000, OptionKind::Call));
    let state = chain.state();
    assert_eq!(state.markets(), 14);
    let symbol = |id| state.market_spec(MarketId(id)).unwrap().symbol;
    assert_eq!(symbol(2), "BTC-20231114T230000-1-C");
    assert_eq!(symbol(5), "BTC-20231114T230000-1.05-P");
    assert_eq!(symbol(13), "BTC-20231115T000000-0.95-P");
    assert_eq!(state.market_spec(MarketId(14)), None);
    assert_eq!(chain.wait(1), []);

    // 1,075 is as near to 1,100 as to 1,050: up. The ladders grow above only.
    let done = chain.publish(&[(PERP, PriceKind::Index, 1_075)]);
    let more = |expiry| [1_100, 1_150].map(|strike| (expiry, strike));
    assert_eq!(
        strikes(&done.0.events),
        [more(FIRST), more(SECOND)].concat()
    );
    // Five strikes are the most.
    let done = chain.publish(&[(PERP, PriceKind::Index, 500)]);
    assert_eq!(listed(&done.0.events), []);
}

#[test]
fn a_block_lists_no_more_strikes_than_its_quota() {
    let mut spec = with_options();
    spec.limits.listings = 4;
    let mut chain = Chain::new(spec);
    let blocks: Vec<_> = (0..3).map(|_| strikes(&chain.wait(1))).collect();
    let at = |expiry, strike| (expiry, strike);
    let first = [1_000, 1_050, 950].map(|strike| at(FIRST, strike));
    assert_eq!(blocks[0], [&first[..], &[at(SECOND, 1_000)]].concat());
    assert_eq!(blocks[1], [at(SECOND, 1_050), at(SECOND, 950)]);
    assert_eq!(blocks[2], []);
}

/// Accounts 1 and 2 trade ten lots of a market at a price.
fn trade(chain: &mut Chain, market: MarketId, price: i64) -> Done {
    chain.block(&[(account(1, 0), on(market, sell(price, 10)))]);
    let done = chain.block(&[(account(2, 0), on(market, buy(price, 10)))]);
    assert_eq!(done.fills(), [(10, price)]);
    done
}

#[test]
fn the_premium_and_a_fee_of_the_index_are_paid_at_once() {
    let mut chain = Chain::new(with_options());
    chain.wait(1);
    let (short, long) = (account(1, 0), account(2, 0));
    trade(&mut chain, CALL, 40);
    // The index of a lot is 1,000 atoms: a thousandth and three, below an eighth of the price.
    assert_eq!(cash(&chain, &short), 1_000_000 + 400 - 10);
    assert_eq!(cash(&chain, &long), 1_000_000 - 400 - 30);
    // An eighth of 8 is less than 3.
    trade(&mut chain, PUT, 8);
    assert_eq!(cash(&chain, &short), 1_000_390 + 80 - 10);
    assert_eq!(cash(&chain, &long), 999_570 - 80 - 10);
    let view = chain.state().account(&long).unwrap();
    let mark = i128::from(chain.market(CALL).mark + chain.market(PUT).mark);
    assert!(mark > 0);
    assert_eq!(view.equity, 999_480 + 10 * mark);
    let costs: Vec<_> = view.positions.iter().map(|p| (p.size, p.cost)).collect();
    assert_eq!(costs, [(10, 0), (10, 0)]);
}

#[test]
fn a_long_option_needs_its_value_and_a_short_one_a_part_of_the_index() {
    let mut chain = Chain::new(with_options());
    chain.wait(1);
    let (short, long) = (account(1, 0), account(2, 0));
    // Market, what initial and maintenance margin of a short lot are: a part of 1,000 less how far it
    // is out of the money, at least 120.
    for (market, initial, maintenance) in [
        (CALL, 150, 75),
        (MarketId(4), 120, 75),
        (MarketId(7), 120, 75),
        (MarketId(6), 150, 75),
    ] {
        let before = |account| chain.state().account(account).unwrap();
        let (short_before, long_before) = (before(&short), before(&long));
        trade(&mut chain, market, 30);
        let after = |account| chain.state().account(account).unwrap();
        let (short_after, long_after) = (after(&short), after(&long));
        let value = i128::from(chain.market(market).mark);
        let of = |view: &ballast_app::view::AccountView| {
            (
                view.initial_margin,
                view.maintenance_margin,
                view.held_margin,
            )
        };
        let grown = |before, after| {
            let (before, after): ((i128, i128, i128), _) = (of(before), of(after));
            (after.0 - before.0, after.1 - before.1, after.2 - before.2)
        };
        let needs = (10 * initial, 10 * maintenance, 10 * maintenance);
        assert_eq!(grown(&short_before, &short_after), needs, "{market}");
        let needs = (10 * value, 10 * value, 10 * value);
        assert_eq!(grown(&long_before, &long_after), needs, "{market}");
    }
}

#[test]
fn options_pay_the_average_of_the_index_to_the_atom() {
    let mut chain = Chain::new(with_options());
    chain.wait(1);
    let (short, long) = (account(1, 0), account(2, 0));
    for market in [CALL, PUT, MarketId(4), MarketId(5)] {
        trade(&mut chain, market, 20);
    }
    chain.block(&[(short, on(CALL, buy(5, 3)))]);
    let (before_short, before_long) = (cash(&chain, &short), cash(&chain, &long));
    // The window begins 1,000 s after genesis: 1,000 for 900 s, then 1,072 for 900 s.
    chain.skip_to(1_899_000);
    chain.publish(&[(PERP, PriceKind::Index, 1_072)]);
    chain.skip_to(FIRST - 1);
    assert_eq!(settled(&chain.wait(1)), []);
    chain.skip_to(FIRST);
    let events = chain.wait(1);
    // From 1,900 s on: the block in which the new index counts is the first that samples it.
    let average = (1_000 * 900 + 1_072 * 900) / 1_800;
    assert_eq!(average, 1_036);
    let expected = [(2, 36), (3, 0), (4, 0), (5, 14), (6, 86), (7, 0)];
    assert_eq!(settled(&events)[..6], expected);
    assert_eq!(cash(&chain, &long), before_long + 10 * (36 + 14));
    assert_eq!(cash(&chain, &short), before_short - 10 * (36 + 14));
    let view = chain.state().account(&long).unwrap();
    assert_eq!((view.positions, view.equity), (vec![], cash(&chain, &long)));
    let market = chain.market(CALL);
    assert_eq!((market.status, market.mark), (MarketStatus::Settled, 36));
    assert_eq!(market.greeks, None);
    // The resting order went, and a new one finds the market expired.
    assert_eq!(chain.state().account(&short).unwrap().orders, []);
    let done = chain.block(&[(long, on(CALL, buy(5, 1)))]);
    assert_eq!(done.codes(), [Code::MarketExpired]);
    // The next hour is listed.
    assert!(listed(&events).iter().all(|at| at.1 == SECOND + 3_600_000));
    assert!(!listed(&events).is_empty());
}

fn surface(volatility: i64, expiry: u64) -> SetSurface {
    let variance = i128::from(volatility) * i128::from(volatility) / i128::from(ONE);
    SetSurface {
        group: GroupId(0),
        expiries: vec![ExpirySurface {
            expiry,
            forward: 1_010,
            rate: 0,
            tenor: 31_536_000,
            curve: Curve::Nodes(vec![Node {
                k: 0,
                variance: i64::try_from(variance).unwrap(),
            }]),
        }],
    }
}

#[test]
fn a_surface_counts_from_the_next_block_and_may_not_jump() {
    let mut spec = with_options();
    spec.groups[0].surface_cap = ONE / 2;
    let mut chain = Chain::new(spec);
    chain.wait(1);
    let set = |chain: &mut Chain, who, surface: SetSurface| {
        let done = chain.block(&[(account(who, 0), vec![Action::SetSurface(surface)])]);
        done.codes()[0]
    };
    let greeks = |chain: &Chain| chain.market(CALL).greeks.unwrap();
    assert_eq!(
        (greeks(&chain).volatility, greeks(&chain).forward),
        (ONE / 2, 1_000)
    );
    let at = GENESIS + FIRST;
    let good = surface(ONE, at);
    assert_eq!(set(&mut chain, 1, good.clone()), Code::NotPriceAuthority);
    let none = SetSurface {
        expiries: vec![],
        ..good.clone()
    };
    assert_eq!(set(&mut chain, 0, none), Code::BadSurface);
    let over = surface(ONE, GENESIS - 1_000);
    assert_eq!(set(&mut chain, 0, over), Code::BadSurface);
    let elsewhere = SetSurface {
        group: GroupId(1),
        ..good.clone()
    };
    assert_eq!(set(&mut chain, 0, elsewhere), Code::UnknownMarket);
    let before = chain.market(CALL).mark;
    assert_eq!(set(&mut chain, 0, good.clone()), Code::Ok);
    assert_eq!(greeks(&chain).volatility, ONE / 2);
    let events = chain.wait(1);
    let expected = Event::Surface {
        group: GroupId(0),
        expiries: good.expiries.clone(),
    };
    assert_eq!(events, [expected]);
    assert_eq!(
        (greeks(&chain).volatility, greeks(&chain).forward),
        (ONE, 1_010)
    );
    assert!(chain.market(CALL).mark > before);
    assert_eq!(
        chain.state().surface(GroupId(0)).unwrap().expiries,
        good.expiries
    );
    assert_eq!(set(&mut chain, 0, surface(2 * ONE, at)), Code::SurfaceJump);
    assert_eq!(set(&mut chain, 0, surface(ONE + ONE / 4, at)), Code::Ok);
}

#[test]
fn what_is_missing_is_said_to_the_atom() {
    let mut chain = Chain::new(with_options());
    chain.wait(1);
    // A short call needs 150 a lot, a taker's fee of 1, and its value less the price.
    let done = chain.block(&[(account(1, 0), on(CALL, sell(10, 7_000)))]);
    assert_eq!(done.codes(), [Code::BadSize]);
    let value = i128::from(chain.market(CALL).mark);
    let mut sent = Vec::new();
    for _ in 0..7 {
        sent.extend(on(CALL, sell(8, 1_000)));
    }
    let done = chain.block(&[(account(1, 0), sent)]);
    let results = &done.0.txs[0][0].actions;
    let refused = results
        .iter()
        .find(|result| result.code != Code::Ok)
        .unwrap();
    assert_eq!(refused.code, Code::InsufficientMargin);
    let per_lot = 150 + value - 8 + 1;
    let admitted = 1_000_000 / (1_000 * per_lot);
    let missing = (admitted + 1) * 1_000 * per_lot - 1_000_000;
    assert_eq!(refused.missing, Some(missing));
}

#[test]
fn the_margin_mode_changes_while_no_order_rests() {
    let mut chain = Chain::new(with_options());
    let (who, mode) = (account(1, 0), MarginMode::Portfolio);
    chain.block(&[(who, on(PERP, buy(900, 1)))]);
    let done = chain.block(&[(who, vec![Action::SetMarginMode(mode)])]);
    assert_eq!(done.codes(), [Code::OpenOrders]);
    let other = account(2, 0);
    let done = chain.block(&[(other, vec![Action::SetMarginMode(mode)])]);
    assert_eq!(done.codes(), [Code::Ok]);
    assert_eq!(chain.state().account(&other).unwrap().margin_mode, mode);
}

#[test]
fn prices_fit_the_bands_of_the_market() {
    let mut spec = with_options();
    spec.series[0].market.tick_bands = vec![(50, 5), (100, 10)];
    let mut chain = Chain::new(spec);
    chain.wait(1);
    let prices = [
        (49, true),
        (52, false),
        (55, true),
        (105, false),
        (110, true),
    ];
    for (price, fits) in prices {
        let done = chain.block(&[(account(1, 0), on(CALL, sell(price, 1)))]);
        let code = if fits { Code::Ok } else { Code::BadPrice };
        assert_eq!(done.codes(), [code], "{price}");
    }
}
