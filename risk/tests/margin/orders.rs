//! Open orders: the requirement against the worst of all subsets of fills.

use crate::book::{PRESETS, marks, option, preset, unit};
use ballast_risk::portfolio::{
    AMOUNT_ONE, Basis, Charges, ExpirySums, Floor, Held, Holdings, Instrument, MONEY_DIGITS, Marks,
    ONE, OrderSums, OrderTerms, Params, Requirement, RiskArray, Scenario, Scenarios,
};
use ballast_types::Side;
use proptest::prelude::*;

const DAY: i64 = 86_400;

/// A hundredth of a coin.
const LOT: i64 = AMOUNT_ONE / 100;

/// Perpetual, spot, two futures, and the options.
const INSTRUMENTS: usize = 4 + OPTIONS.len();

/// Expiry, call, strike: both kinds at one strike, and both sides of the money.
const OPTIONS: [(usize, bool, i64); 6] = [
    (0, true, 60_000),
    (0, false, 60_000),
    (0, false, 44_000),
    (0, true, 150_000),
    (1, true, 64_000),
    (1, false, 80_000),
];

/// A limit order.
#[derive(Clone, Copy, Debug)]
struct Order {
    instrument: usize,
    side: Side,
    lots: i64,
    /// Atoms that a lot gains at its limit with its worst fee.
    gain: i128,
}

/// Lots held of each instrument.
type Lots = [i64; INSTRUMENTS];

/// A unit with the arrays of its options.
struct Desk {
    unit: Scenarios,
    arrays: Vec<(usize, RiskArray)>,
    atom: i128,
}

impl Desk {
    fn new(params: &Params, marks: &Marks, atom: i128) -> Self {
        let unit = unit(params, marks).unwrap();
        let array = |(expiry, call, strike)| {
            let terms = option(expiry, call, strike, 0).terms;
            (expiry, unit.option(expiry, &terms).unwrap())
        };
        let arrays = OPTIONS.into_iter().map(array).collect();
        Self { unit, arrays, atom }
    }

    fn terms(&self, order: &Order) -> OrderTerms {
        let instrument = match order.instrument {
            0 => Instrument::Perpetual,
            1 => Instrument::Spot,
            2 | 3 => Instrument::Future(order.instrument - 2),
            other => {
                let (expiry, array) = &self.arrays[other - 4];
                Instrument::Option(*expiry, array)
            }
        };
        let gain = order.gain * self.atom;
        self.unit
            .order(instrument, LOT, order.side, gain, self.atom)
            .unwrap()
    }

    fn requirement(&self, lots: &Lots, orders: &[Order]) -> Requirement {
        let mut held = lots.map(|lots| Held::of(lots * LOT));
        let mut open = OrderSums::default();
        for order in orders {
            let held = &mut held[order.instrument];
            match order.side {
                Side::Buy => held.bids += order.lots * LOT,
                Side::Sell => held.asks += order.lots * LOT,
            }
            open.add(&self.terms(order), order.lots).unwrap();
        }
        let mut sums = vec![ExpirySums::new(&self.unit); 2];
        for (held, (expiry, array)) in held[4..].iter().zip(&self.arrays) {
            sums[*expiry].change(array, Held::default(), *held).unwrap();
        }
        sums[0].set_future(held[2]);
        sums[1].set_future(held[3]);
        let holdings = Holdings {
            perpetual: held[0],
            perpetual_pnl: 0,
            spot: held[1],
            expiries: &sums,
            collateral: &[],
        };
        self.unit.requirement(&holdings, &open).unwrap()
    }
}

fn fill(lots: &mut Lots, order: &Order, filled: i64) {
    lots[order.instrument] += match order.side {
        Side::Buy => filled,
        Side::Sell => -filled,
    };
}

/// Those that the bits of `subset` name.
fn chosen(orders: &[Order], subset: usize) -> impl Iterator<Item = &Order> {
    let in_it = move |index: usize| subset >> index & 1 == 1;
    orders
        .iter()
        .enumerate()
        .filter(move |(index, _)| in_it(*index))
        .map(|(_, order)| order)
}

/// The most that any subset of fills needs more than it gains: initial and maintenance.
fn worst_subset(desk: &Desk, lots: &Lots, orders: &[Order]) -> (i128, i128) {
    let needs = (0..1_usize << orders.len()).map(|subset| {
        let (mut lots, mut gain) = (*lots, 0);
        for order in chosen(orders, subset) {
            fill(&mut lots, order, order.lots);
            gain += order.gain * i128::from(order.lots) * desk.atom;
        }
        let filled = desk.requirement(&lots, &[]);
        (filled.initial - gain, filled.maintenance - gain)
    });
    needs.fold((i128::MIN, i128::MIN), |most, need| {
        (most.0.max(need.0), most.1.max(need.1))
    })
}

/// What of a preset counts: what usually is the largest part hides what is wrong with the others.
#[derive(Clone, Copy, Debug)]
enum Part {
    All,
    /// One scenario, without charges and floor.
    Scenario(usize),
    /// The skew scenarios, without charges and floor.
    Skew,
    /// No scenario.
    Charges,
    /// The floor.
    Floor,
}

impl Part {
    fn of(self, mut params: Params) -> Params {
        let scenarios = std::mem::take(&mut params.scenarios);
        match self {
            Self::All => params.scenarios = scenarios,
            Self::Scenario(index) => params.scenarios.push(scenarios[index % scenarios.len()]),
            Self::Skew => {
                let skew = scenarios.into_iter().filter(Scenario::is_skew);
                params.scenarios.extend(skew);
            }
            Self::Charges | Self::Floor => {}
        }
        if matches!(self, Self::Scenario(_) | Self::Skew | Self::Floor) {
            params.charges_in = Charges::default();
            params.charges_maintenance = Charges::default();
            params.charges_initial = Charges::default();
            params.basis = match params.basis {
                Basis::Roll { .. } => Basis::None,
                other => other,
            };
            params.delta_shock = None;
            params.confidence = None;
        }
        if !matches!(self, Self::All | Self::Floor) {
            params.floor = Floor::None;
        }
        params
    }
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        2 => Just(Part::All),
        4 => any::<usize>().prop_map(Part::Scenario),
        2 => Just(Part::Skew),
        1 => Just(Part::Charges),
        1 => Just(Part::Floor),
    ]
}

/// The methods that count in the quote, and one with a floor whose net rate is the lower one.
fn methods(part: Part) -> impl Iterator<Item = (&'static str, Params)> {
    let in_quote = PRESETS.into_iter().filter(|name| *name != "deribit-coin");
    let mut hedged = preset("paradex");
    hedged.floor = Floor::MinDelta {
        net: ONE / 100,
        hedged: ONE / 50,
    };
    in_quote
        .map(|name| (name, preset(name)))
        .chain([("hedged", hedged)])
        .map(move |(name, params)| (name, part.of(params)))
}

/// Millionths of the quote, or as fine as money.
fn atom() -> impl Strategy<Value = i128> {
    prop_oneof![Just(1_000_000_i128), Just(1)]
}

fn order(atom: i128, instruments: std::ops::Range<usize>) -> impl Strategy<Value = Order> {
    // Cents that a lot gains: near the mark, or far from it.
    let cents = prop_oneof![-2_000_i128..200, -30_000_i128..30_000];
    let buys = any::<bool>();
    (
        instruments,
        buys,
        prop_oneof![1_i64..5, 1_i64..2_000],
        cents,
    )
        .prop_map(move |(instrument, buys, lots, cents)| Order {
            instrument,
            side: if buys { Side::Buy } else { Side::Sell },
            lots,
            gain: cents * 10_i128.pow(MONEY_DIGITS - 2) / atom,
        })
}

fn lots() -> impl Strategy<Value = Lots> {
    let held = prop_oneof![2 => Just(0_i64), 1 => -5_i64..5, 2 => -2_000_i64..2_000];
    proptest::array::uniform10(held).prop_map(|mut lots: Lots| {
        // What is sold of spot is owned.
        lots[1] = lots[1].abs();
        lots
    })
}

fn marks_of(near_days: i64, rate: i64, stable: i64) -> Marks {
    let mut marks = marks(near_days * DAY, 180 * DAY);
    marks.stable = stable;
    marks.perpetual_confidence = ONE / 2;
    for expiry in &mut marks.expiries {
        expiry.rate = rate;
    }
    marks
}

/// Positions, an atom and orders.
fn account() -> impl Strategy<Value = (Lots, i128, Vec<Order>)> {
    atom().prop_flat_map(|atom| {
        let orders = prop::collection::vec(order(atom, 0..INSTRUMENTS), 1..7);
        (lots(), Just(atom), orders)
    })
}

fn circumstances() -> impl Strategy<Value = Marks> {
    let rate = prop_oneof![Just(ONE / 20), -ONE..ONE];
    let stable = prop_oneof![Just(ONE), ONE * 9 / 10..ONE];
    (0_i64..60, rate, stable).prop_map(|(days, rate, stable)| marks_of(days, rate, stable))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_subset_of_fills_needs_more(
        (lots, atom, orders) in account(),
        marks in circumstances(),
        part in part(),
    ) {
        for (name, params) in methods(part) {
            let desk = Desk::new(&params, &marks, atom);
            let open = desk.requirement(&lots, &orders);
            let (initial, maintenance) = worst_subset(&desk, &lots, &orders);
            prop_assert!(open.initial >= initial, "{name}: {} < {initial}", open.initial);
            let have = open.maintenance;
            prop_assert!(have >= maintenance, "{name}: {have} < {maintenance}");
            prop_assert!(open.maintenance >= open.held, "{name}");
            prop_assert_eq!(open.held, desk.requirement(&lots, &[]).maintenance);
        }
    }

    /// Fills at the limit or better, of a part or all, one after the other.
    #[test]
    fn no_fill_takes_margin_that_an_account_has(
        (lots, atom, orders) in account(),
        marks in circumstances(),
        part in part(),
        fills in prop::collection::vec((0_usize..6, 1_i64..2_000, 0_i128..1_000_000), 1..12),
    ) {
        for (name, params) in methods(part) {
            let desk = Desk::new(&params, &marks, atom);
            let (mut lots, mut open) = (lots, orders.clone());
            let mut before = desk.requirement(&lots, &open);
            for (index, most, better) in &fills {
                let index = index % open.len();
                let filled = open[index].lots.min(*most);
                open[index].lots -= filled;
                fill(&mut lots, &open[index], filled);
                let gain = i128::from(filled) * (open[index].gain + better) * desk.atom;
                let after = desk.requirement(&lots, &open);
                let rises = [
                    after.initial - before.initial - gain,
                    after.maintenance - before.maintenance - gain,
                ];
                prop_assert!(rises.iter().all(|rise| *rise <= 0), "{name}: {rises:?}");
                before = after;
            }
        }
    }

    /// Where results add up and nothing is charged, the requirement is that of the worst subset.
    #[test]
    fn linear_orders_need_what_their_worst_subset_needs(
        lots in lots(),
        orders in prop::collection::vec(order(1_000_000, 0..4), 1..7),
    ) {
        let desk = Desk::new(&preset("aevo"), &marks_of(30, 0, ONE), 1_000_000);
        let mut linear = Lots::default();
        linear[..4].copy_from_slice(&lots[..4]);
        let open = desk.requirement(&linear, &orders);
        let (initial, maintenance) = worst_subset(&desk, &linear, &orders);
        // Two atoms a lot for roundings.
        let traded: i64 = orders.iter().map(|order| order.lots).sum();
        let dust = (i128::from(traded) + 1) * 2 * desk.atom;
        prop_assert!((open.initial - initial).abs() <= dust);
        prop_assert!((open.maintenance - maintenance).abs() <= dust);
    }

    #[test]
    fn sums_are_the_same_bits_whatever_came_and_went(
        (lots, atom, orders) in account(),
        gone in any::<usize>(),
        turn in 0_usize..6,
    ) {
        let desk = Desk::new(&preset("derive-1"), &marks_of(30, ONE / 20, ONE), atom);
        let stays: Vec<Order> = chosen(&orders, !gone).copied().collect();
        let (mut direct, mut detour) = (OrderSums::default(), OrderSums::default());
        for order in &stays {
            direct.add(&desk.terms(order), order.lots).unwrap();
        }
        let mut turned = orders.clone();
        turned.rotate_left(turn.min(orders.len()));
        for order in &turned {
            detour.add(&desk.terms(order), order.lots).unwrap();
        }
        for order in chosen(&orders, gone) {
            detour.remove(&desk.terms(order), order.lots).unwrap();
        }
        prop_assert!(stays.is_empty() || direct == detour);
        let mut there = vec![ExpirySums::new(&desk.unit); 2];
        let mut never = there.clone();
        let held = |amount: i64, bids: i64, asks: i64| Held { amount, bids, asks };
        for (lots, (expiry, array)) in lots[4..].iter().zip(&desk.arrays) {
            let (open, end) = (held(-lots, 70, 5), held(*lots, 3, 0));
            there[*expiry].change(array, Held::default(), open).unwrap();
            there[*expiry].change(array, open, end).unwrap();
            never[*expiry].change(array, Held::default(), end).unwrap();
        }
        prop_assert_eq!(there, never);
    }
}

/// What the worst position of each instrument is.
#[test]
fn charges_are_those_of_the_worst_position() {
    let dollars = |number: i128| number * 10_i128.pow(MONEY_DIGITS);
    let desk = Desk::new(&preset("default"), &marks(30 * DAY, 180 * DAY), 1_000_000);
    let order = |instrument, side, lots| Order {
        instrument,
        side,
        lots,
        gain: 0,
    };
    let (buy, sell) = (Side::Buy, Side::Sell);
    // Outside of the factors a perpetual is charged 0.2 % of the index of 60,000. The order of one
    // perpetual needs what a perpetual needs; one that closes needs nothing.
    let perpetual = |lots| {
        let mut held = Lots::default();
        held[0] = lots;
        held
    };
    let one = desk.requirement(&perpetual(100), &[]);
    assert_eq!(one.initial, dollars(60_030) * 16 / 100 + dollars(300 + 120));
    for (lots, orders) in [
        (0, vec![order(0, buy, 100)]),
        (0, vec![order(0, sell, 100)]),
        (0, vec![order(0, buy, 100), order(0, sell, 100)]),
        (100, vec![order(0, sell, 100)]),
        (100, vec![order(0, sell, 200)]),
        (-100, vec![order(0, buy, 150)]),
    ] {
        let open = desk.requirement(&perpetual(lots), &orders);
        let apart = open.initial - one.initial;
        assert!(
            (0..=dollars(1) / 1_000).contains(&apart),
            "{lots} {orders:?}: {apart}"
        );
    }
    // A bid covers nothing before it is filled.
    let mut short_call = Lots::default();
    short_call[4] = -100;
    let alone = desk.requirement(&short_call, &[]);
    for instrument in [0, 4, 5] {
        let open = desk.requirement(&short_call, &[order(instrument, buy, 100)]);
        assert!(open.initial >= alone.initial && open.held == alone.maintenance);
    }
}

/// Money times a ratio leaves 128 bits at 1.7 x 10^11 of the quote.
#[test]
fn requirements_of_trillions_are_exact() {
    let desk = Desk::new(&preset("aevo"), &marks(30 * DAY, 180 * DAY), 1_000_000);
    for coins in [1, 1_000, 1_000_000, 1_000_000_000] {
        let mut held = Lots::default();
        held[0] = coins * 100;
        let twice = Order {
            instrument: 0,
            side: Side::Sell,
            lots: coins * 200,
            gain: -1,
        };
        let open = desk.requirement(&held, &[twice]);
        let fifth = i128::from(coins) * 60_030 * 10_i128.pow(MONEY_DIGITS) / 5;
        assert_eq!(open.held, fifth, "{coins}");
        // An atom of loss and one for roundings, a lot.
        let atoms = i128::from(coins) * 200 * 2 * desk.atom;
        assert_eq!(open.initial, fifth + atoms, "{coins}");
    }
}
