//! Portfolio margin of many accounts, the requirement after each admitted order, and the sums of risk
//! arrays beside numpy. Default parameters, 38 scenarios. Prints tables.
//!
//! `cargo bench -p ballast-benches --bench revalue`
//!
//! `NUMPY_PYTHON` names a Python that has numpy; `scripts/bench revalue` makes one.

#![allow(clippy::unwrap_used)]

use ballast_risk::black76::OptionKind;
use ballast_risk::portfolio::{
    AMOUNT_ONE, ExpiryMarks, ExpirySums, Held, Holdings, Instrument, LotTerms, Marks, ONE,
    OptionTerms, OrderSums, RiskArray, Scenarios,
};
use ballast_types::Side;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DOLLAR: i64 = 1_000_000_000_000;
const EXPIRIES: usize = 3;
/// A lot of a hundredth, a millionth of the quote an atom.
const LOT: i64 = AMOUNT_ONE / 100;
const ATOM: i128 = 1_000_000;
/// How long a figure is measured, at least.
const SPELL: Duration = Duration::from_millis(300);

/// A unit and the arrays of its options.
struct Unit {
    scenarios: Scenarios,
    options: Vec<(usize, OptionTerms)>,
    arrays: Vec<RiskArray>,
}

impl Unit {
    fn new(options: usize) -> Self {
        let expiry = |index: usize| ExpiryMarks {
            secs: 86_400 * [3, 24, 80][index],
            forward: DOLLAR * (60_000 + 300 * index as i64),
            fixed: 0,
            rate: 0,
            forward_confidence: ONE,
            rate_confidence: ONE,
            volatility_confidence: ONE,
        };
        let marks = Marks {
            price_digits: 12,
            stable: ONE,
            index: DOLLAR * 60_000,
            index_confidence: ONE,
            perpetual: DOLLAR * 60_030,
            perpetual_confidence: ONE,
            open_interest: 0,
            expiries: (0..EXPIRIES).map(expiry).collect(),
        };
        let params = Arc::new(ballast_genesis::margin::preset("default").unwrap());
        let mut unit = Self {
            scenarios: Scenarios::new(params, marks).unwrap(),
            options: (0..options).map(option).collect(),
            arrays: Vec::new(),
        };
        unit.arrays = unit.priced();
        unit
    }

    /// The arrays, made anew.
    fn priced(&self) -> Vec<RiskArray> {
        let array = |(expiry, terms): &(usize, OptionTerms)| {
            self.scenarios.option(*expiry, black_box(terms)).unwrap()
        };
        self.options.iter().map(array).collect()
    }

    fn nothing(&self) -> Vec<ExpirySums> {
        vec![ExpirySums::new(&self.scenarios); EXPIRIES]
    }
}

/// The n-th listed option: both kinds of strikes around the index, in every expiry.
fn option(n: usize) -> (usize, OptionTerms) {
    let strike = (n / 2 / EXPIRIES) as i64;
    let kind = match n % 2 {
        0 => OptionKind::Call,
        _ => OptionKind::Put,
    };
    let terms = OptionTerms {
        kind,
        strike: DOLLAR * (20_000 + 700 * (strike * 37 % 128)),
        volatility: ONE / 2 + ONE / 1_000 * strike,
    };
    (n / 2 % EXPIRIES, terms)
}

/// xorshift64: any fixed sequence will do.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Seconds of one call: the least of nine spells, for others may use the machine; a long one is called
/// once.
fn time(mut call: impl FnMut()) -> f64 {
    let mut spell = |calls: u128| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed()
    };
    let first = spell(1);
    if first > SPELL {
        return first.as_secs_f64();
    }
    let once = spell(1).max(Duration::from_nanos(20));
    let calls = (SPELL.as_nanos() / 9 / once.as_nanos()).max(1);
    let spells = (0..9).map(|_| spell(calls));
    spells.min().unwrap().as_secs_f64() / calls as f64
}

/// Signed lots in the perpetual, a future and options of the three expiries.
struct Account {
    perpetual: i32,
    future: i32,
    options: [(u32, i32); 8],
}

fn accounts(count: usize, options: usize) -> Vec<Account> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let lots = |random: &mut Random| random.below(2_001) as i32 - 1_000;
    (0..count)
        .map(|_| Account {
            perpetual: lots(&mut random),
            future: lots(&mut random),
            options: std::array::from_fn(|_| (random.below(options) as u32, lots(&mut random))),
        })
        .collect()
}

/// Initial requirement of an account: its sums anew, and their fold.
fn requirement(unit: &Unit, account: &Account, none: &OrderSums) -> i128 {
    let held = |lots: i32| Held::of(i64::from(lots) * LOT);
    let mut sums = unit.nothing();
    sums[1].set_future(held(account.future));
    for (option, lots) in &account.options {
        let option = *option as usize;
        sums[unit.options[option].0]
            .change(&unit.arrays[option], Held::default(), held(*lots))
            .unwrap();
    }
    initial(unit, held(account.perpetual), &sums, none)
}

fn initial(unit: &Unit, perpetual: Held, sums: &[ExpirySums], orders: &OrderSums) -> i128 {
    let holdings = Holdings {
        perpetual,
        perpetual_pnl: 0,
        spot: Held::default(),
        expiries: sums,
        collateral: &[],
    };
    let requirement = unit.scenarios.requirement(&holdings, orders);
    requirement.unwrap().initial
}

fn revaluation() {
    const OPTIONS: usize = 240;
    let unit = Unit::new(OPTIONS);
    let none = OrderSums::default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("revaluation of accounts with 10 positions in 3 expiries, {OPTIONS} options listed");
    println!(
        "{:>9} {:>7} {:>10} {:>12} {:>7}",
        "accounts", "threads", "ns/account", "accounts/s", "speed"
    );
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let accounts = accounts(count, OPTIONS);
        let mut alone = None;
        for threads in [1, cores] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let all = || -> i128 {
                let each = accounts.par_iter();
                each.map(|account| requirement(&unit, account, &none)).sum()
            };
            let (seconds, sum) = pool.build().unwrap().install(|| {
                let sum = all();
                (time(|| assert_eq!(all(), sum)), sum)
            });
            let (first, same) = *alone.get_or_insert((seconds, sum));
            assert_eq!(sum, same, "threads change nothing");
            println!(
                "{count:>9} {threads:>7} {:>10.0} {:>12.0} {:>7.2}",
                seconds * 1e9 / count as f64,
                count as f64 / seconds,
                first / seconds
            );
        }
    }
}

/// An account with open orders in the options that it holds.
struct Trader {
    held: Vec<Held>,
    /// Option, side and gain of one lot; each is of ten lots.
    orders: Vec<(usize, Side, i128)>,
}

impl Trader {
    const LOTS: i64 = 10;

    fn new(positions: usize, orders: usize) -> Self {
        let mut trader = Self {
            held: (0..positions)
                .map(|n| Held::of((n as i64 * 7 % 13 - 6) * AMOUNT_ONE / 10))
                .collect(),
            orders: Vec::new(),
        };
        for n in 0..orders {
            trader.place(n);
        }
        trader
    }

    /// The n-th order; it loses ten cents and more a lot. Returns what was held and what is.
    fn place(&mut self, n: usize) -> (usize, Held, Held) {
        let option = n * 7 % self.held.len();
        let side = match n % 3 {
            0 => Side::Sell,
            _ => Side::Buy,
        };
        let gain = -(100_000 + n as i128 % 1_000) * ATOM;
        self.orders.push((option, side, gain));
        let from = self.held[option];
        let open = match side {
            Side::Buy => &mut self.held[option].bids,
            Side::Sell => &mut self.held[option].asks,
        };
        *open += Self::LOTS * LOT;
        (option, from, self.held[option])
    }
}

/// What one lot of an option makes of the scenarios, as a buy and as a sell.
type Lots = Vec<[LotTerms; 2]>;

fn lots(unit: &Unit, arrays: &[RiskArray]) -> Lots {
    let lot = |(expiry, array)| {
        [Side::Buy, Side::Sell].map(|side| {
            let instrument = Instrument::Option(expiry, array);
            unit.scenarios.lot(instrument, LOT, side, ATOM).unwrap()
        })
    };
    let expiries = unit.options.iter().map(|(expiry, _)| *expiry);
    expiries.zip(arrays).map(lot).collect()
}

/// Adds an order to the sums.
fn add(orders: &mut OrderSums, lots: &Lots, (option, side, gain): (usize, Side, i128)) {
    let [buy, sell] = &lots[option];
    let lot = match side {
        Side::Buy => buy,
        Side::Sell => sell,
    };
    let terms = lot.order(gain).unwrap();
    orders.add(&terms, Trader::LOTS).unwrap();
}

/// Sums of all positions and orders from arrays that are kept.
fn sums(
    unit: &Unit,
    arrays: &[RiskArray],
    lots: &Lots,
    trader: &Trader,
) -> (Vec<ExpirySums>, OrderSums) {
    let mut sums = unit.nothing();
    for (option, held) in trader.held.iter().enumerate() {
        sums[unit.options[option].0]
            .change(&arrays[option], Held::default(), *held)
            .unwrap();
    }
    let mut orders = OrderSums::default();
    for order in &trader.orders {
        add(&mut orders, lots, *order);
    }
    (sums, orders)
}

fn admission() {
    const OPEN: usize = 200;
    println!("\nrequirement after an admitted order, {OPEN} orders open, us");
    println!(
        "{:>9} {:>11} {:>12} {:>7} {:>12} {:>7}",
        "positions", "incremental", "sums anew", "times", "prices anew", "times"
    );
    let none = Held::default();
    for positions in [10, 100, 1_000] {
        let unit = Unit::new(positions);
        let kept_lots = lots(&unit, &unit.arrays);
        let mut trader = Trader::new(positions, OPEN);
        let (mut kept, mut orders) = sums(&unit, &unit.arrays, &kept_lots, &trader);
        let from_sums = |trader: &Trader| {
            let (sums, orders) = sums(&unit, &unit.arrays, &kept_lots, trader);
            initial(&unit, none, &sums, &orders)
        };
        let from_prices = |trader: &Trader| {
            let arrays = unit.priced();
            let lots = lots(&unit, &arrays);
            let (sums, orders) = sums(&unit, &arrays, &lots, trader);
            initial(&unit, none, &sums, &orders)
        };
        let sums_anew = time(|| _ = black_box(from_sums(black_box(&trader))));
        let prices_anew = time(|| _ = black_box(from_prices(black_box(&trader))));
        // Placing and taking away in turn, so that what is open stays as much.
        let mut n = OPEN;
        let mut last = 0;
        let incremental = time(|| {
            let (option, from, to) = trader.place(n);
            kept[unit.options[option].0]
                .change(&unit.arrays[option], from, to)
                .unwrap();
            add(
                &mut orders,
                &kept_lots,
                trader.orders[trader.orders.len() - 1],
            );
            last = initial(&unit, none, &kept, &orders);
            n += 1;
        });
        assert_eq!(last, from_sums(&trader), "sums that are kept");
        assert_eq!(last, from_prices(&trader), "and made anew");
        println!(
            "{positions:>9} {:>11.2} {:>12.1} {:>7.1} {:>12.0} {:>7.0}",
            incremental * 1e6,
            sums_anew * 1e6,
            sums_anew / incremental,
            prices_anew * 1e6,
            prices_anew / incremental
        );
    }
}

/// Sums of `positions` arrays for each of `accounts`; seconds of `ExpirySums`, and of a loop over
/// the same numbers in 128 bits that knows no strikes, sizes and charges.
fn array_sums(accounts: usize, positions: usize) -> (f64, f64) {
    let unit = Unit::new(positions);
    let amounts: Vec<i64> = (0..accounts * positions)
        .map(|n| (n as i64 * 7 % 2_001 - 1_000) * LOT)
        .collect();
    let kept = time(|| {
        for amounts in amounts.chunks(positions) {
            let mut sums = unit.nothing();
            for ((array, (expiry, _)), amount) in unit.arrays.iter().zip(&unit.options).zip(amounts)
            {
                sums[*expiry]
                    .change(array, Held::default(), Held::of(*amount))
                    .unwrap();
            }
            black_box(&sums);
        }
    });
    let plain = time(|| {
        for amounts in amounts.chunks(positions) {
            let mut sums = [0_i128; 38];
            for (array, amount) in unit.arrays.iter().zip(amounts) {
                for (sum, value) in sums.iter_mut().zip(&array.values) {
                    *sum += i128::from(*amount) * i128::from(*value);
                }
            }
            black_box(&sums);
        }
    });
    (kept, plain)
}

/// Seconds of numpy for the same sums, in float64 and int64.
fn numpy(python: &str, accounts: usize, positions: usize) -> Result<(f64, f64), String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/array_sums.py");
    let sizes = [accounts, positions].map(|size| size.to_string());
    let output = Command::new(python).arg(script).args(sizes).output();
    let output = output.map_err(|error| format!("{python}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = serde_json::from_str::<serde_json::Value>(&text).ok();
    let figure = |name| value.as_ref()?.get(name)?.as_f64();
    figure("float64")
        .zip(figure("int64"))
        .ok_or_else(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn beside_numpy() {
    let python = std::env::var("NUMPY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    println!("\nsums of arrays of 38 scenarios, ns of an account, one thread");
    println!(
        "{:>9} {:>9} {:>11} {:>11} {:>11} {:>11}",
        "accounts", "positions", "exact sums", "i128 loop", "float64", "int64"
    );
    for (accounts, positions) in [(1, 100), (1, 1_000), (10_000, 100)] {
        let (kept, plain) = array_sums(accounts, positions);
        let each = |seconds: f64| format!("{:.0}", seconds * 1e9 / accounts as f64);
        let (float, int, why) = match numpy(&python, accounts, positions) {
            Ok((float, int)) => (each(float), each(int), String::new()),
            Err(why) => {
                let last = why.lines().last().unwrap_or("no figures").to_owned();
                ("-".into(), "-".into(), format!("  numpy skipped: {last}"))
            }
        };
        println!(
            "{accounts:>9} {positions:>9} {:>11} {:>11} {float:>11} {int:>11}{why}",
            each(kept),
            each(plain)
        );
    }
}

fn main() {
    revaluation();
    admission();
    beside_numpy();
}
