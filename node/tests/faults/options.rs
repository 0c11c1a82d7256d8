//! An options market through an expiry: a maker in portfolio mode quotes 200 instruments, hedgers in
//! both modes trade options, the perpetual and spot, and four validators and a node that joins late
//! have the same money and the same margins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ballast::actions::now_ms;
use ballast_genesis::{Genesis, GenesisCadence, Span};
use ballast_model::workload::Rng;
use ballast_types::surface::{Curve, Node};
use ballast_types::{
    Account, Action, AssetId, Cancel, Event, ExpirySurface, GroupId, MarginMode, MarketId, Order,
    PostOnly, PriceKind, PriceUpdate, Quote, QuoteSide, Quotes, SetProtection, SetSurface, Side,
    Ticks, TimeInForce, TimeMs, Transfer,
};
use serde_json::Value;
use tokio::sync::watch;

use crate::audit::Audit;
use crate::common::{ahead, sign};
use crate::ledger::Ledger;
use crate::load::{Journal, read_result};
use crate::net::Net;
use crate::{report, serial};

const GROUP: GroupId = GroupId(0);
const SPOT: MarketId = MarketId(0);
const PERP: MarketId = MarketId(1);
/// Accounts: who publishes prices, who quotes, and who trades.
const AUTHORITY: usize = 0;
const MAKER: usize = 1;
const HEDGERS: [usize; 3] = [2, 3, 4];
/// The hedger that stays in standard mode, and where those without much leave what they had.
const STANDARD: usize = 4;
const BANK: usize = 5;
/// Options that are quoted, beside the perpetual and spot.
const QUOTED: usize = 200;
/// Lots on each side of a quote.
const SIZE: i64 = 20;
/// Options expire so long after the start, and trading goes on for this long afterwards.
const LIFE: u64 = 60;
const AFTER: Duration = Duration::from_secs(5);
/// Time between two sets of prices and quotes.
const ROUND: Duration = Duration::from_millis(1_000);
const WAIT: Duration = Duration::from_secs(20);

/// A market as the last prices have it.
#[derive(Clone, Copy)]
struct Quoted {
    market: MarketId,
    mark: Ticks,
    /// Prices at or above the first are multiples of the second.
    band: (Ticks, Ticks),
    /// A part of the price that is crossed to trade at once.
    spread: Ticks,
}

impl Quoted {
    /// The nearest price at or below one, and at least `least`.
    fn below(&self, price: Ticks) -> Ticks {
        let (from, step) = self.band;
        if price >= from {
            price - price % step
        } else {
            price
        }
    }

    fn above(&self, price: Ticks) -> Ticks {
        let below = self.below(price);
        let step = if price >= self.band.0 { self.band.1 } else { 1 };
        if below == price { price } else { below + step }
    }

    fn quote(&self) -> Quote {
        let side = |price| QuoteSide { price, size: SIZE };
        let bid = self.below(self.mark - self.spread);
        Quote {
            market: self.market,
            bid: (bid > 0).then(|| side(bid)),
            ask: Some(side(self.above(self.mark + self.spread))),
        }
    }
}

/// What clients share.
struct Desk {
    quoted: Mutex<Vec<Quoted>>,
    journal: Mutex<Journal>,
    stop: watch::Receiver<bool>,
}

impl Desk {
    /// Sends actions to a node and returns their result.
    async fn send(&self, net: &Net, account: usize, actions: Vec<Action>) -> Value {
        let tx = sign(&net.network, account, actions);
        let api = net.api(account % 4);
        let began = Instant::now();
        loop {
            // A node that is busy has not taken it.
            match api.submit(tx.clone(), WAIT).await {
                Ok(answer) if answer["result"].is_object() => {
                    let result = answer["result"].clone();
                    let acked = read_result(&result);
                    assert_eq!(acked.code, 0, "{result}");
                    self.journal.lock().expect("no panic").acked.push(acked);
                    return result;
                }
                answer => assert!(began.elapsed() < WAIT, "{answer:?}"),
            }
        }
    }
}

/// Two expiries of 51 strikes each, one of which comes while the test runs.
fn options(genesis: &mut Genesis, period: u64) {
    genesis.series.retain(|series| series.group == "BTC");
    for series in &mut genesis.series {
        (series.strikes, series.max_strikes) = (25, 60);
        series.strike_step = "0.01".parse().expect("a number");
        let every = |period_ms, offset_ms| GenesisCadence {
            every: Some(Span(period_ms)),
            offset: Some(Span(offset_ms)),
            count: 1,
            ..GenesisCadence::default()
        };
        series.cadences = vec![
            every(period * 1_000, 0),
            // Not soon: the half of a day that this one does not begin in.
            every(
                86_400_000,
                (now_ms() + 43_200_000) % 86_400_000 / 1_000 * 1_000,
            ),
        ];
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_market_through_an_expiry() {
    let Some(_alone) = serial().await else { return };
    let (period, expiry) = ahead(LIFE);
    let mut net = Net::start_with("app", |genesis| options(genesis, period)).await;
    let first = net.height() + 1;
    let (stop, stopped) = watch::channel(false);
    let desk = Arc::new(Desk {
        quoted: Mutex::default(),
        journal: Mutex::default(),
        stop: stopped,
    });
    set_up(&net, &desk).await;
    let rounds = {
        let (net, desk) = (&net, &desk);
        let end = async {
            let left = expiry.saturating_sub(now_ms());
            tokio::time::sleep(Duration::from_millis(left) + AFTER).await;
            stop.send_replace(true);
        };
        let hedge = |account| hedge(net, desk, account);
        let [first, second, third] = HEDGERS.map(hedge);
        let (rounds, ..) = tokio::join!(make(net, desk), first, second, third, end);
        rounds
    };
    let traded = net.height();

    let began = Instant::now();
    net.join();
    let joined = began.elapsed();
    let journal = std::mem::take(&mut *desk.journal.lock().expect("no panic"));
    let began = Instant::now();
    let mut audit = Audit::new(&net);
    let last = audit.check(&net, &journal).await;
    let audited = began.elapsed();
    net.assert_agreement(&[0, 1, 2, 3], first, last);
    net.assert_no_violations().await;
    let figure = check(&net, &audit, expiry);
    net.stop();
    report(
        "options through an expiry",
        &format!(
            "{traded} blocks, {rounds} sets of quotes, {figure}; a fifth node had all after {} ms, \
             audit {:.0} s",
            joined.as_millis(),
            audited.as_secs_f64()
        ),
    );
}

/// Modes, protections, and who has how much.
async fn set_up(net: &Net, desk: &Desk) {
    for account in [MAKER, 2, 3] {
        let mode = Action::SetMarginMode(MarginMode::Portfolio);
        let result = desk.send(net, account, vec![mode]).await;
        assert_eq!(result["actions"][0]["name"], "OK", "{result}");
    }
    // 1 BTC and 100,000 USDC stay, so that margin matters.
    let to = Account::new(net.secrets[BANK].id(), 0);
    for account in [2, STANDARD] {
        let give = |asset: u16, amount: u128| {
            let asset = AssetId(asset);
            Action::Transfer(Transfer { asset, amount, to })
        };
        let actions = vec![give(1, 999_900_000_000), give(0, 999_900_000_000_000)];
        let result = desk.send(net, account, actions).await;
        assert_eq!(result["actions"][1]["name"], "OK", "{result}");
    }
    let protection = SetProtection {
        group: GROUP,
        interval_ms: 1_000,
        freeze_ms: 300,
        notional: 2_000_000_000_000,
        delta: 25_000_000_000,
        vega: 8_000_000,
    };
    desk.send(net, MAKER, vec![Action::SetProtection(protection)])
        .await;
}

/// Publishes prices and a surface, and quotes around the marks that follow, until it is told to stop.
async fn make(net: &Net, desk: &Desk) -> usize {
    let mut rng = Rng::new(51);
    let mut rounds = 0;
    // Ticks of the perpetual, a tenth each, and volatility in thousandths.
    let (mut index, mut volatility) = (1_000_000, 600);
    while !*desk.stop.borrow() {
        let began = tokio::time::Instant::now();
        index += rng.signed(-2_500, 3_000);
        volatility += rng.signed(-10, 10);
        let expiries = expiries(net).await;
        let tick = net.spec.markets[PERP.index()].tick_price;
        let actions = prices(index, index * tick, volatility, &expiries);
        let published = desk.send(net, AUTHORITY, actions).await;
        for result in published["actions"].as_array().expect("results") {
            assert_eq!(result["name"], "OK", "{published}");
        }
        let quoted = quoted(net, index).await;
        let quotes = Quotes {
            group: GROUP,
            post_only: PostOnly::Slide,
            quotes: quoted.iter().map(Quoted::quote).collect(),
        };
        *desk.quoted.lock().expect("no panic") = quoted;
        desk.send(net, MAKER, vec![Action::Quotes(quotes)]).await;
        rounds += 1;
        tokio::time::sleep_until(began + ROUND).await;
    }
    rounds
}

/// Those of the listed options that do not end at once.
async fn expiries(net: &Net) -> Vec<TimeMs> {
    let options = list(net).await;
    let mut expiries: Vec<_> = options
        .iter()
        .filter_map(|market| market["expiry"].as_u64())
        .filter(|expiry| *expiry > now_ms() + 3_000)
        .collect();
    expiries.sort_unstable();
    expiries.dedup();
    expiries
}

async fn list(net: &Net) -> Vec<Value> {
    let query = [("group", "BTC".to_owned()), ("kind", "option".to_owned())];
    let answer = net.api(1).get(&["v1", "markets"], &query).await;
    let answer = answer.expect("a list");
    answer["markets"].as_array().expect("markets").clone()
}

fn prices(index: Ticks, forward: i64, volatility: i64, expiries: &[TimeMs]) -> Vec<Action> {
    let price = |market, kind, price| PriceUpdate {
        market,
        kind,
        price,
    };
    let prices = vec![
        price(PERP, PriceKind::Mark, index + 7),
        price(PERP, PriceKind::Index, index),
        price(SPOT, PriceKind::Index, index * 10),
    ];
    let node = |k: i64, part: i64| {
        // Of a day: the square of a volatility a year by 365.
        let volatility = volatility * part;
        let variance = volatility * volatility * 1_000 / 365 * 100;
        Node {
            k: k * 1_000_000_000_000,
            variance,
        }
    };
    let surface = |expiry: &TimeMs| ExpirySurface {
        expiry: *expiry,
        forward,
        rate: 0,
        tenor: 86_400,
        curve: Curve::Nodes(vec![node(-100, 105), node(100, 95)]),
    };
    let mut actions = vec![Action::SetPrices(prices)];
    if !expiries.is_empty() {
        actions.push(Action::SetSurface(SetSurface {
            group: GROUP,
            expiries: expiries.iter().map(surface).collect(),
        }));
    }
    actions
}

/// What is quoted: the perpetual, spot, and options.
async fn quoted(net: &Net, index: Ticks) -> Vec<Quoted> {
    let linear = |market, mark, spread| Quoted {
        market,
        mark,
        band: (Ticks::MAX, 1),
        spread,
    };
    let mut quoted = vec![linear(SPOT, index * 10, 2_000), linear(PERP, index, 200)];
    let option = |market: &Value| {
        let number = |value: &Value| value.as_i64().expect("a number");
        let mark = number(&market["mark"]);
        let band = &market["tick_bands"][0];
        Quoted {
            market: MarketId(u32::try_from(number(&market["id"])).expect("an id")),
            mark,
            band: (number(&band[0]), number(&band[1])),
            spread: 2 + mark / 50,
        }
    };
    quoted.extend(list(net).await.iter().map(option).take(QUOTED));
    quoted
}

/// Trades until it is told to stop.
async fn hedge(net: &Net, desk: &Desk, account: usize) {
    let mut rng = Rng::new(u64::try_from(account).expect("small"));
    while !*desk.stop.borrow() {
        let quoted = desk.quoted.lock().expect("no panic").clone();
        if quoted.len() < 3 {
            tokio::time::sleep(ROUND / 4).await;
            continue;
        }
        let actions = match rng.below(12) {
            0 => vec![Action::Cancel(Cancel::All(None))],
            1 if account != STANDARD => {
                let mode = rng.pick(&[MarginMode::Standard, MarginMode::Portfolio]);
                vec![
                    Action::Cancel(Cancel::All(None)),
                    Action::SetMarginMode(mode),
                ]
            }
            _ => (0..rng.range(1, 4))
                .map(|_| Action::Order(order(&mut rng, &quoted)))
                .collect(),
        };
        desk.send(net, account, actions).await;
    }
}

/// Mostly one that takes what the maker offers, of an option.
fn order(rng: &mut Rng, quoted: &[Quoted]) -> Order {
    let at = match rng.below(10) {
        0 => 0,
        1 | 2 => 1,
        _ => 2 + rng.index(quoted.len() - 2),
    };
    let of = quoted[at];
    // Lots of spot and the perpetual are a hundredth of those of options.
    let size = rng.signed(1, SIZE) * if at < 2 { 10 } else { 1 };
    let side = rng.pick(&[Side::Buy, Side::Sell]);
    let rests = rng.one_in(4);
    let reach = if rests { 0 } else { of.spread * 3 };
    let price = match side {
        Side::Buy => of.below((of.mark + reach).max(1)),
        Side::Sell => of.above((of.mark - reach).max(1)),
    };
    let order = Order::limit(of.market, side, price.max(1), size);
    if rests {
        order.post_only(PostOnly::Slide)
    } else {
        Order {
            tif: TimeInForce::Ioc,
            ..order
        }
    }
}

/// Requires that the market was as busy as promised, that each expiry paid what it should, and that
/// nothing was made or lost.
fn check(net: &Net, audit: &Audit, expiry: TimeMs) -> String {
    let mut ledger = Ledger::new(&net.spec, PERP);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for block in &audit.blocks {
        ledger.follow(block);
        for event in &block.events {
            let name = match event {
                Event::Listed { .. } => "listed",
                Event::Fill { market, .. } if market.index() >= net.spec.markets.len() => {
                    match block.time < expiry {
                        true => "fills of options before the expiry",
                        false => "fills of options after it",
                    }
                }
                Event::Fill { .. } => "other fills",
                Event::Protected { .. } => "protections",
                Event::Surface { .. } => "surfaces",
                _ => continue,
            };
            *counts.entry(name).or_default() += 1;
        }
        for result in block.txs.iter().flatten().flat_map(|tx| &tx.actions) {
            if result.missing.is_some() {
                *counts.entry("missing").or_default() += 1;
            }
        }
    }
    ledger.assert_conserved();
    let of = |name: &str| counts.get(name).copied().unwrap_or(0);
    assert!(
        ledger.settled >= 102 && ledger.paid > 0,
        "{}",
        ledger.settled
    );
    assert!(ledger.closed >= 20, "{} positions", ledger.closed);
    for (name, least) in [
        ("listed", 306),
        ("fills of options before the expiry", 100),
        ("fills of options after it", 5),
        ("other fills", 20),
        ("protections", 1),
        ("surfaces", 20),
        ("missing", 1),
    ] {
        assert!(of(name) >= least, "{name}: {counts:?}");
    }
    format!(
        "{} fills, {} protections, {} options settled, {} positions in them",
        audit.fills,
        of("protections"),
        ledger.settled,
        ledger.closed
    )
}
