//! Scales: several orders from one action.

use super::{BTC_PERP, World, order};
use ballast_types::{
    Account, Action, Code, Condition, Lots, MarketId, Order, PartResult, PostOnly, PriceSource,
    Scale, SetAgent, Side, TimeInForce, Trigger,
};

/// Asks from 1,010 to 1,020.
fn scale(size: Lots, orders: u16, last_size_ppm: u32) -> Scale {
    Scale {
        order: order(BTC_PERP, Side::Sell, 1_010, size),
        last_price: 1_020,
        orders,
        last_size_ppm,
    }
}

fn part_codes(parts: &[PartResult]) -> Vec<Code> {
    parts.iter().map(|part| part.code).collect()
}

#[test]
fn a_scale_rests_at_even_prices_with_sizes_on_a_line() {
    let cases = [
        (10, 2, 1_000_000, vec![(1_010, 5), (1_020, 5)]),
        (11, 3, 1_000_000, vec![(1_010, 4), (1_015, 4), (1_020, 3)]),
        (
            60,
            3,
            3_000_000,
            vec![(1_010, 10), (1_015, 20), (1_020, 30)],
        ),
        (
            62,
            4,
            500_000,
            vec![(1_010, 21), (1_013, 18), (1_016, 13), (1_020, 10)],
        ),
    ];
    for (size, orders, ppm, expected) in cases {
        let mut world = World::new();
        let result = world.act(1, Action::Scale(scale(size, orders, ppm)));
        assert_eq!(
            (result.code, result.order, result.filled),
            (Code::Ok, None, 0)
        );
        assert_eq!(part_codes(&result.parts), vec![Code::Ok; expected.len()]);
        assert_eq!(world.book(BTC_PERP)[1], expected);
    }
}

#[test]
fn each_part_is_judged_by_itself() {
    let mut world = World::new();
    world.placed(2, order(BTC_PERP, Side::Buy, 1_015, 3));
    let order = Order {
        client_id: Some(7),
        ..scale(0, 0, 0).order
    };
    let taken = Order {
        price: 1_100,
        size: 2,
        client_id: Some(8),
        ..order
    };
    world.placed(1, taken);
    // 4, 3, 1 lots: the first trades, the second has a client id in use, the third is too small.
    let order = Order { size: 8, ..order };
    let action = Scale {
        order,
        ..scale(0, 3, 250_000)
    };
    let result = world.act(1, Action::Scale(action));
    let parts: Vec<_> = result.parts.iter().map(|p| (p.code, p.filled)).collect();
    assert_eq!(
        parts,
        [(Code::Ok, 3), (Code::ClientIdInUse, 0), (Code::BadSize, 0)]
    );
    assert_eq!(world.book(BTC_PERP)[1], [(1_010, 2), (1_100, 2)]);
}

#[test]
fn a_scale_has_bounds() {
    let good = scale(100, 3, 1_000_000);
    let of = |order: Order| Scale { order, ..good };
    let tif = |tif| of(Order { tif, ..good.order });
    let client_id = |id| {
        of(Order {
            client_id: Some(id),
            ..good.order
        })
    };
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition: Condition::AtOrAbove(1_000),
    });
    let cases = [
        (good, Code::Ok),
        (scale(100, 1, 1_000_000), Code::BadScale),
        (scale(1_000, 64, 1_000_000), Code::Ok),
        (scale(1_000, 65, 1_000_000), Code::BadScale),
        (scale(100, 3, 999), Code::BadScale),
        (scale(100, 3, 1_000), Code::Ok),
        (scale(100, 3, 1_000_000_000), Code::Ok),
        (scale(100, 3, 1_000_000_001), Code::BadScale),
        (tif(TimeInForce::Ioc), Code::BadScale),
        (tif(TimeInForce::Fok), Code::BadScale),
        (tif(TimeInForce::Gtb(9)), Code::Ok),
        (of(good.order.post_only(PostOnly::Slide)), Code::Ok),
        (
            of(Order {
                trigger,
                ..good.order
            }),
            Code::BadScale,
        ),
        (client_id(u128::MAX - 2), Code::Ok),
        (client_id(u128::MAX - 1), Code::BadScale),
    ];
    for (action, code) in cases {
        let result = World::new().act(1, Action::Scale(action));
        assert_eq!(result.code, code, "{action:?}");
        let parts = if code == Code::Ok { action.orders } else { 0 };
        assert_eq!(result.parts.len(), usize::from(parts));
    }
}

#[test]
fn an_unknown_market_and_an_agents_scope_refuse_parts() {
    let mut world = World::new();
    let order = Order {
        market: MarketId(99),
        ..scale(0, 0, 0).order
    };
    let unknown = Scale {
        order,
        ..scale(9, 2, 1_000_000)
    };
    let result = world.act(1, Action::Scale(unknown));
    assert_eq!(result.code, Code::Ok);
    assert_eq!(part_codes(&result.parts), [Code::UnknownMarket; 2]);

    let agent = SetAgent {
        key: world.secrets[2].id(),
        expiry: u64::MAX,
        markets: vec![BTC_PERP],
        max_notional: 1_015 * 5 * 1_000,
    };
    world.act(1, Action::SetAgent(agent));
    let account: Account = world.account(1);
    let tx = world.sign_for(account, 2, &[Action::Scale(scale(10, 2, 1_000_000))]);
    let events = world.block_of(&[tx]);
    let result = super::results(&events).remove(0);
    assert_eq!(part_codes(&result.parts), [Code::Ok, Code::AgentScope]);
}

#[test]
fn one_token_pays_for_all() {
    let mut world = World::with(|spec| {
        spec.limits.bucket_tokens = 1;
        spec.limits.bucket_refill = 0;
    });
    let action = Action::Scale(scale(10, 5, 1_000_000));
    let results = super::results(&world.block(&[(1, vec![action.clone(), action])]));
    assert_eq!(part_codes(&results[0].parts), [Code::Ok; 5]);
    assert_eq!(results[1].code, Code::RateLimited);
    assert_eq!(results[1].parts, []);
}
