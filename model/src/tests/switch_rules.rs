//! Dead man's switches. Blocks are a second apart, and two orders are removed in one.

use super::{BTC_PERP, ETH_PERP, World, codes, order, removals};
use ballast_types::{
    Action, Code, Condition, Order, OrderId, PriceSource, Removal, SetAgent, Side, Trigger,
};

fn bid(market: ballast_types::MarketId) -> Order {
    order(market, Side::Buy, 900, 2)
}

fn removed(world: &mut World) -> Vec<OrderId> {
    let events = world.block(&[]);
    let orders = events.events.iter().filter_map(|event| match event {
        ballast_types::Event::Removed {
            order,
            reason: Removal::DeadMan,
            ..
        } => Some(*order),
        _ => None,
    });
    orders.collect()
}

#[test]
fn the_time_has_bounds() {
    for (timeout, code, ahead) in [
        (0, Code::Ok, None),
        (999, Code::BadTimeout, None),
        (1_000, Code::Ok, Some(1_000)),
        (86_400_000, Code::Ok, Some(86_400_000)),
        (86_400_001, Code::BadTimeout, None),
        (u64::MAX, Code::BadTimeout, None),
    ] {
        let mut world = World::new();
        assert_eq!(world.act(1, Action::CancelAfter(timeout)).code, code);
        let deadline = ahead.map_or(0, |ms| world.time + ms);
        assert_eq!(world.model.deadline(world.account(1)), deadline);
    }
}

#[test]
fn it_removes_resting_and_waiting_orders_of_every_group() {
    let mut world = World::new();
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition: Condition::AtOrAbove(5_000),
    });
    let eth = world.placed(1, bid(ETH_PERP));
    let waits = world.placed(
        1,
        Order {
            trigger,
            ..bid(BTC_PERP)
        },
    );
    let btc = world.placed(1, bid(BTC_PERP));
    world.placed(2, bid(BTC_PERP));
    world.act(1, Action::CancelAfter(2_000));
    assert!(removed(&mut world).is_empty(), "not yet");
    // By group and then by priority. The third is left for the next block.
    assert_eq!(removed(&mut world), [waits, btc]);
    assert!(world.model.deadline(world.account(1)) > 0);
    assert_eq!(removed(&mut world), [eth]);
    assert_eq!(world.model.deadline(world.account(1)), 0);
    assert!(removed(&mut world).is_empty());
    assert_eq!(world.book(BTC_PERP)[0], [(900, 2)], "another account's");
}

#[test]
fn a_later_one_replaces_it_and_zero_disarms_it() {
    for (again, left) in [(None, 0), (Some(5_000), 1), (Some(0), 1)] {
        let mut world = World::new();
        world.placed(1, bid(BTC_PERP));
        world.act(1, Action::CancelAfter(2_000));
        if let Some(timeout) = again {
            world.act(1, Action::CancelAfter(timeout));
        }
        world.block(&[]);
        world.block(&[]);
        assert_eq!(world.book(BTC_PERP)[0].len(), left, "{again:?}");
    }
}

#[test]
fn accounts_come_by_deadline_and_one_without_orders_uses_one_of_the_quota() {
    let mut world = World::new();
    let ids = [3, 1].map(|who| world.placed(who, bid(BTC_PERP)));
    let armed = |timeout| vec![Action::CancelAfter(timeout)];
    // 3 is due first, then 2, who has no orders, and 1 with the same deadline.
    let events = world.block(&[(3, armed(1_500)), (2, armed(2_000)), (1, armed(2_000))]);
    assert_eq!(codes(&events), [Code::Ok; 3]);
    assert!(removed(&mut world).is_empty());
    let mut all = removed(&mut world);
    assert_eq!(all[0], ids[0]);
    all.extend(removed(&mut world));
    assert_eq!(all, ids);
    let deadlines = [1, 2, 3].map(|who| world.model.deadline(world.account(who)));
    assert_eq!(deadlines, [0; 3]);
}

#[test]
fn an_agent_may_arm_it() {
    let mut world = World::new();
    let (account, key) = (world.account(1), world.secrets[2].id());
    let agent = SetAgent {
        key,
        expiry: u64::MAX,
        markets: Vec::new(),
        max_notional: 0,
    };
    world.act(1, Action::SetAgent(agent));
    let status = ballast_types::SetMarketStatus {
        market: BTC_PERP,
        status: ballast_types::MarketStatus::Suspended,
    };
    let actions = [Action::CancelAfter(2_000), Action::SetMarketStatus(status)];
    let tx = world.sign_for(account, 2, &actions);
    let events = world.block_of(&[tx]);
    assert_eq!(codes(&events), [Code::Ok, Code::AgentScope]);
    assert!(removals(&events).is_empty());
    assert_eq!(world.model.deadline(account), world.time + 2_000);
}
