//! What fills may do to an account, in either mode, whatever is held and open and wherever prices
//! are.

use super::{BTC_PERP, BTC_SPOT, World, results};
use crate::Margin;
use crate::workload::Rng;
use ballast_types::margin::ONE;
use ballast_types::{
    Action, BlockEvents, Code, Event, MarginMode, MarketId, Order, PriceKind, PriceUpdate, Side,
    TimeInForce,
};

const FUTURE: MarketId = MarketId(7);
const PEOPLE: usize = 6;
const ROUNDS: u32 = 30;

/// People 0 to 5 with coins and cash, the odd ones in Portfolio mode, who trade BTC alone.
fn world(volatility: i64) -> World {
    let mut world = World::with_options(|spec| {
        spec.groups[0].volatility = volatility;
        spec.limits.open_orders = 100;
        spec.limits.bucket_refill = 1_000_000;
        spec.order_reserve_ppm = 300;
        for (_, asset, amount) in &mut spec.balances {
            if asset.0 == 1 {
                *amount = 100_000;
            }
        }
    });
    for who in (1..PEOPLE).step_by(2) {
        assert_eq!(world.set_mode(who, MarginMode::Portfolio), Code::Ok);
    }
    world
}

/// Mark and index of BTC, a little apart, and of its future.
fn prices(rng: &mut Rng, at: i64) -> Action {
    let mut update = |market, kind| {
        let price = at + rng.signed(-at / 100, at / 100);
        PriceUpdate {
            market,
            kind,
            price,
        }
    };
    Action::SetPrices(vec![
        update(BTC_PERP, PriceKind::Mark),
        update(BTC_PERP, PriceKind::Index),
        update(FUTURE, PriceKind::Mark),
    ])
}

fn random_order(rng: &mut Rng, world: &World) -> Order {
    let options = world.listed.len();
    let market = match rng.below(6) {
        0..=1 => BTC_PERP,
        2 => BTC_SPOT,
        3 => FUTURE,
        _ => world.listed[rng.index(options)].0,
    };
    let at = market.index();
    let perpetual = world.model.indexes()[BTC_PERP.index()];
    let mark = match world.model.marks()[at] {
        0 if market == BTC_SPOT => perpetual,
        mark => mark.max(1),
    };
    let side = rng.pick(&[Side::Buy, Side::Sell]);
    let price = (mark + rng.signed(-mark / 12 - 3, mark / 12 + 3)).max(1);
    Order {
        tif: rng.pick(&[TimeInForce::Gtc, TimeInForce::Gtc, TimeInForce::Ioc]),
        max_fills: 6,
        ..Order::limit(market, side, price, rng.signed(2, 120))
    }
}

fn margins(world: &World) -> Vec<Margin> {
    let accounts = (0..PEOPLE).map(|who| world.account(who));
    accounts
        .map(|account| world.model.margin(account))
        .collect()
}

/// How often which of the promises was put to the test.
#[derive(Debug, Default)]
struct Seen {
    traded_covered: [u32; 2],
    traded_uncovered: [u32; 2],
    cut: u32,
}

fn check(world: &World, before: &[Margin], events: &BlockEvents, seen: &mut Seen) {
    for (who, (before, after)) in before.iter().zip(margins(world)).enumerate() {
        let account = world.account(who);
        let traded = events.events.iter().any(|event| match event {
            Event::Fill {
                maker_account,
                taker_account,
                ..
            } => *maker_account == account || *taker_account == account,
            _ => false,
        });
        let mode = usize::from(before.mode == MarginMode::Portfolio);
        if before.equity >= before.maintenance {
            seen.traded_covered[mode] += u32::from(traded);
            assert!(
                after.equity >= after.maintenance,
                "{who} was covered: {before:?}, then {after:?}"
            );
        } else {
            seen.traded_uncovered[mode] += u32::from(traded);
            // Unless the sweep of this block covered it, when it may use what it has.
            let covered = after.equity >= after.maintenance;
            let (had, has) = (before.equity - before.held, after.equity - after.held);
            assert!(
                covered || has >= had,
                "{who} lost in fills: {before:?}, then {after:?}"
            );
        }
    }
}

fn run(seed: u64, seen: &mut Seen) {
    let mut rng = Rng::new(seed);
    let mut world = world(rng.pick(&[0, ONE / 2, ONE]));
    let mut level = 1_000;
    for _ in 0..ROUNDS {
        level = (level + rng.signed(-level / 5, level / 5)).clamp(500, 2_000);
        let update = prices(&mut rng, level);
        world.block(&[(0, vec![update])]);
        // Prices take effect alone, so that what follows is the work of fills.
        world.block(&[]);
        let before = margins(&world);
        let txs: Vec<_> = (0..PEOPLE)
            .map(|who| {
                let orders = (0..3).map(|_| Action::Order(random_order(&mut rng, &world)));
                (who, orders.collect())
            })
            .collect();
        let events = world.block(&txs);
        seen.cut += results(&events)
            .iter()
            .map(|result| u32::from(result.code == Code::InsufficientMargin))
            .sum::<u32>();
        check(&world, &before, &events, seen);
    }
}

#[test]
fn no_fill_takes_an_account_below_maintenance() {
    let mut seen = Seen::default();
    for seed in 0..12 {
        run(seed, &mut seen);
    }
    let often = [seen.traded_covered, seen.traded_uncovered].concat();
    assert!(often.iter().all(|times| *times > 10), "{seen:?}");
    assert!(seen.cut > 100, "{seen:?}");
}
