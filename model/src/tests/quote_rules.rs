//! Quotes: what replaces what, who may, and which may not.

use super::{BTC_PERP, BTC_SPOT, ETH_PERP, World, order, removals, results};
use ballast_types::{
    Action, ActionResult, Amend, Cancel, Code, GroupId, Lots, MarketId, OrderId, OrderRef,
    PostOnly, Quote, QuoteSide, Quotes, Removal, SetAgent, Side, Ticks,
};

const BTC: GroupId = GroupId(0);

type Wanted = Option<(Ticks, Lots)>;

fn quote(market: MarketId, bid: Wanted, ask: Wanted) -> Quote {
    let side = |wanted: Wanted| wanted.map(|(price, size)| QuoteSide { price, size });
    Quote {
        market,
        bid: side(bid),
        ask: side(ask),
    }
}

fn quotes(quotes: &[Quote]) -> Quotes {
    Quotes {
        group: BTC,
        post_only: PostOnly::Reject,
        quotes: quotes.to_vec(),
    }
}

/// Quotes of the perpetual.
fn both(bid: Wanted, ask: Wanted) -> Action {
    Action::Quotes(quotes(&[quote(BTC_PERP, bid, ask)]))
}

fn parts(result: &ActionResult) -> Vec<(Code, bool)> {
    let parts = result.parts.iter();
    parts
        .map(|part| (part.code, part.order.is_some()))
        .collect()
}

fn asks(world: &World) -> Vec<(OrderId, bool)> {
    let (_, asks) = world.model.orders(BTC_PERP);
    asks.iter().map(|ask| (ask.id, ask.quote)).collect()
}

#[test]
fn quotes_of_several_markets_rest() {
    let mut world = World::new();
    let action = Action::Quotes(quotes(&[
        quote(BTC_SPOT, Some((990, 5)), None),
        quote(BTC_PERP, Some((995, 6)), Some((1_005, 7))),
    ]));
    let result = world.act(1, action);
    assert_eq!(
        (result.code, result.order, result.filled),
        (Code::Ok, None, 0)
    );
    let codes = [true, false, true, true].map(|order| (Code::Ok, order));
    assert_eq!(parts(&result), codes);
    assert_eq!(world.book(BTC_SPOT), [vec![(990, 5)], vec![]]);
    assert_eq!(world.book(BTC_PERP), [vec![(995, 6)], vec![(1_005, 7)]]);
}

#[test]
fn a_side_is_left_shrunk_replaced_or_ended() {
    // The next ask; whether it is the same order; what ended; the book.
    let ended = |reason| vec![reason];
    let cases = [
        (Some((1_005, 7)), Some(true), vec![], vec![(1_005, 7)]),
        (Some((1_005, 3)), Some(true), vec![], vec![(1_005, 3)]),
        (Some((1_005, 2)), Some(true), vec![], vec![(1_005, 2)]),
        (
            Some((1_005, 8)),
            Some(false),
            ended(Removal::Amended),
            vec![(1_005, 8)],
        ),
        (
            Some((1_004, 7)),
            Some(false),
            ended(Removal::Amended),
            vec![(1_004, 7)],
        ),
        // Too small: not in place, and refused.
        (Some((1_005, 1)), None, ended(Removal::Amended), vec![]),
        (None, None, ended(Removal::Cancelled), vec![]),
    ];
    for (next, same, reasons, book) in cases {
        let mut world = World::new();
        world.act(1, both(None, Some((1_005, 7))));
        let old = asks(&world)[0].0;
        let events = world.block(&[(1, vec![both(None, next)])]);
        assert_eq!(removals(&events), reasons, "{next:?}");
        assert_eq!(world.book(BTC_PERP)[1], book);
        let result = &results(&events)[0].parts[1];
        assert_eq!(result.order.map(|order| order == old), same);
        let code = if next == Some((1_005, 1)) {
            Code::BadSize
        } else {
            Code::Ok
        };
        assert_eq!(result.code, code);
    }
}

#[test]
fn quotes_stand_beside_orders() {
    let mut world = World::new();
    world.placed(1, order(BTC_PERP, Side::Sell, 1_005, 3));
    world.act(1, both(None, Some((1_005, 7))));
    world.act(1, both(None, Some((1_006, 4))));
    assert_eq!(world.book(BTC_PERP)[1], [(1_005, 3), (1_006, 4)]);
    world.act(1, both(None, None));
    assert_eq!(world.book(BTC_PERP)[1], [(1_005, 3)]);
}

#[test]
fn the_later_of_two_that_come_to_rest_stays() {
    let mut world = World::new();
    let actions = vec![both(None, Some((1_005, 7))), both(None, Some((1_006, 3)))];
    let events = world.block(&[(1, actions)]);
    assert_eq!(removals(&events), [Removal::Amended]);
    assert_eq!(world.book(BTC_PERP)[1], [(1_006, 3)]);
    // One that cannot rest ends nothing.
    world.placed(2, order(BTC_PERP, Side::Buy, 1_001, 2));
    let actions = vec![both(None, Some((1_004, 7))), both(None, Some((1_000, 3)))];
    let events = world.block(&[(1, actions)]);
    let would_trade = results(&events)[1].parts[1].code;
    assert_eq!(would_trade, Code::PostOnlyWouldTrade);
    assert_eq!(world.book(BTC_PERP)[1], [(1_004, 7)]);
}

#[test]
fn an_amended_quote_is_one_still() {
    for keep_on_reject in [true, false] {
        let mut world = World::new();
        world.act(1, both(None, Some((1_005, 7))));
        let amend = Action::Amend(Amend {
            order: OrderRef::Id(asks(&world)[0].0),
            price: 1_006,
            size: 9,
            keep_on_reject,
            max_fills: 0,
        });
        // The quotes of the same block come after it and before it rests.
        let again = both(None, Some((1_008, 2)));
        let events = world.block(&[(1, vec![amend, again])]);
        let amended = results(&events)[0].code;
        let expected = if keep_on_reject {
            Code::UnknownOrder
        } else {
            Code::Ok
        };
        assert_eq!(amended, expected, "its old order is gone");
        assert_eq!(world.book(BTC_PERP)[1], [(1_008, 2)]);
        let amend = Action::Amend(Amend {
            order: OrderRef::Id(asks(&world)[0].0),
            price: 1_007,
            size: 5,
            keep_on_reject,
            max_fills: 0,
        });
        assert_eq!(world.act(1, amend).code, Code::Ok);
        assert_eq!(world.book(BTC_PERP)[1], [(1_007, 5)]);
        assert!(asks(&world)[0].1);
        world.act(1, both(None, None));
        assert_eq!(world.book(BTC_PERP)[1], []);
    }
}

#[test]
fn cancels_name_quotes_and_their_floors_stop_older_ones() {
    let mut world = World::new();
    world.act(1, both(Some((990, 3)), Some((1_005, 7))));
    let older = world.sign(1, &[both(Some((991, 3)), None)]);
    let cancel = Action::Cancel(Cancel::Market(BTC_PERP));
    let events = world.block(&[(1, vec![cancel])]);
    assert_eq!(removals(&events), [Removal::Cancelled; 2]);
    let events = world.block_of(&[older]);
    assert_eq!(results(&events)[0].parts[0].code, Code::CancelledBefore);
    assert_eq!(world.book(BTC_PERP), [vec![], vec![]]);
}

#[test]
fn quotes_have_bounds() {
    let perp = quote(BTC_PERP, Some((990, 3)), None);
    let spot = quote(BTC_SPOT, Some((990, 3)), None);
    let eth = quote(ETH_PERP, Some((990, 3)), None);
    let unknown = quote(MarketId(99), None, None);
    let with = |change: fn(&mut Quotes)| {
        let mut quotes = quotes(&[spot, perp]);
        change(&mut quotes);
        quotes
    };
    let cases = [
        (quotes(&[spot, perp]), Code::Ok),
        (with(|quotes| quotes.post_only = PostOnly::Slide), Code::Ok),
        (
            with(|quotes| quotes.post_only = PostOnly::No),
            Code::BadQuotes,
        ),
        (with(|quotes| quotes.group = GroupId(1)), Code::BadQuotes),
        (
            with(|quotes| quotes.group = GroupId(3)),
            Code::UnknownMarket,
        ),
        (quotes(&[]), Code::BadQuotes),
        (quotes(&[perp, spot]), Code::BadQuotes),
        (quotes(&[perp, perp]), Code::BadQuotes),
        (quotes(&[perp, eth]), Code::BadQuotes),
        (quotes(&[perp, spot, unknown]), Code::UnknownMarket),
    ];
    for (action, code) in cases {
        let result = World::new().act(1, Action::Quotes(action.clone()));
        assert_eq!(result.code, code, "{action:?}");
        let parts = if code == Code::Ok { 4 } else { 0 };
        assert_eq!(result.parts.len(), parts);
    }
}

#[test]
fn agents_quote_within_their_scope() {
    let bid = |market, price, size| quote(market, Some((price, size)), None);
    for (quoted, code) in [
        (vec![bid(BTC_PERP, 990, 5)], Code::Ok),
        (vec![bid(BTC_PERP, 990, 6)], Code::AgentScope),
        (
            vec![quote(BTC_SPOT, None, None), bid(BTC_PERP, 990, 5)],
            Code::AgentScope,
        ),
    ] {
        let mut world = World::new();
        let agent = SetAgent {
            key: world.secrets[2].id(),
            expiry: u64::MAX,
            markets: vec![BTC_PERP],
            max_notional: 990 * 5 * 1_000,
        };
        world.act(1, Action::SetAgent(agent));
        let account = world.account(1);
        let tx = world.sign_for(account, 2, &[Action::Quotes(quotes(&quoted))]);
        let events = world.block_of(&[tx]);
        assert_eq!(results(&events)[0].code, code);
    }
}
