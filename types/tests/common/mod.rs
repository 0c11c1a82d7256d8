//! A small chain, and random transactions on it.

#![allow(dead_code, unreachable_pub)]

use ballast_types::margin::{
    Basis, Charges, Floor, Numeraire, ONE, Params, Scenario, Tenor, Volatility, VolatilityShock,
};
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, AssetSpec, Cancel, ChainSpec, Condition, Distance,
    ExpirySurface, GroupId, GroupSpec, Limits, LinkKind, LinkRule, Linked, MarginMode, MarketId,
    MarketKind, MarketSpec, MarketStatus, Matching, Order, OrderId, OrderRef, Peg, PegTo, PostOnly,
    PriceKind, PriceSource, PriceUpdate, Quote, QuoteSide, Quotes, Scale, SelfTrade,
    SelfTradeScope, SetAgent, SetMarketStatus, SetProtection, SetSurface, Sharing, Side,
    TimeInForce, Transfer, Trigger, Twap, TxBody, ValidatorSpec, chain_hash,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub const CHAIN_ID: &str = "types-1";

/// Two assets, one group with one perpetual.
pub fn spec() -> ChainSpec {
    let asset = |symbol: &str, decimals| AssetSpec {
        symbol: symbol.to_uppercase(),
        denom: symbol.to_owned(),
        decimals,
    };
    ChainSpec {
        chain_id: CHAIN_ID.to_owned(),
        genesis_time: 1_700_000_000_000,
        limits: Limits::default(),
        account_shards: 4,
        margin_asset: AssetId(0),
        assets: vec![asset("usdc", 6), asset("btc", 8)],
        groups: vec![GroupSpec {
            name: "BTC".to_owned(),
            price_digits: 3,
            volatility: 800_000_000_000_000,
            surface_cap: 0,
            margin: margin(),
        }],
        markets: vec![perpetual()],
        series: Vec::new(),
        margin_mode: MarginMode::Standard,
        order_reserve_ppm: 0,
        price_authorities: Vec::new(),
        validators: vec![ValidatorSpec {
            name: "one".to_owned(),
            consensus_key: [1; 32],
            ingress_key: [2; 32],
            power: 1,
        }],
        balances: Vec::new(),
    }
}

/// A fall and a rise by a tenth.
fn margin() -> Params {
    let scenario = |change| Scenario {
        change,
        volatility: VolatilityShock::None,
        weight: ONE,
        theta_secs: 0,
        damp: 0,
        extended: false,
    };
    Params {
        numeraire: Numeraire::Quote,
        price_range: 0,
        discount_at_rate: false,
        perpetual_from_index: false,
        volatility: Volatility::Table {
            absolute: false,
            tenors: vec![Tenor {
                secs: 1,
                up: ONE,
                down: 0,
            }],
        },
        scenarios: vec![scenario(-ONE / 10), scenario(ONE / 10)],
        skew: None,
        option_discount: None,
        basis: Basis::None,
        delta_shock: None,
        charges_in: Charges::default(),
        charges_maintenance: Charges::default(),
        charges_initial: Charges::default(),
        floor: Floor::None,
        confidence: None,
        open_interest: None,
        peg: None,
        initial_factor: ONE,
        maintenance_factor: ONE,
    }
}

fn perpetual() -> MarketSpec {
    MarketSpec {
        symbol: "BTC-PERP".to_owned(),
        group: GroupId(0),
        kind: MarketKind::Perpetual,
        tick: "0.1".to_owned(),
        lot: "0.001".to_owned(),
        tick_value: 100,
        tick_price: 100,
        lot_amount: 1_000_000,
        tick_bands: Vec::new(),
        min_size: 1,
        max_size: 1_000_000,
        max_price: 100_000_000,
        price_band_ppm: 0,
        min_notional: 0,
        max_notional: 0,
        maker_fee_ppm: -20,
        taker_fee_ppm: 300,
        initial_margin_ppm: 50_000,
        minimum_margin_ppm: 0,
        maintenance_margin_ppm: 25_000,
        mark: 600_000,
        matching: Matching::Continuous,
        sharing: Sharing::Time,
        self_trade: false,
        taker_hold: 0,
    }
}

/// A limit order with a client id.
pub fn order() -> Order {
    Order {
        tif: TimeInForce::Gtt(1_700_000_600_000),
        reduce_only: true,
        client_id: Some(7),
        label: 3,
        ..Order::limit(MarketId(0), Side::Sell, 600_000, 25)
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn tif() -> impl Strategy<Value = TimeInForce> {
    prop_oneof![
        Just(TimeInForce::Gtc),
        any::<u64>().prop_map(TimeInForce::Gtt),
        Just(TimeInForce::Ioc),
        Just(TimeInForce::Fok),
        any::<u64>().prop_map(TimeInForce::Gtb),
    ]
}

fn id() -> impl Strategy<Value = AccountId> {
    any::<[u8; 20]>().prop_map(AccountId)
}

pub fn account() -> impl Strategy<Value = Account> {
    (id(), any::<u16>()).prop_map(|(master, sub)| Account::new(master, sub))
}

fn group() -> impl Strategy<Value = GroupId> {
    any::<u16>().prop_map(GroupId)
}

fn market() -> impl Strategy<Value = MarketId> {
    any::<u32>().prop_map(MarketId)
}

fn post_only() -> impl Strategy<Value = PostOnly> {
    select(vec![PostOnly::No, PostOnly::Reject, PostOnly::Slide])
}

fn self_trade() -> impl Strategy<Value = SelfTrade> {
    select(vec![
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::Decrement,
    ])
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let source = select(vec![
        PriceSource::Mark,
        PriceSource::Index,
        PriceSource::Last,
    ]);
    let distance = prop_oneof![
        any::<i64>().prop_map(Distance::Ticks),
        any::<u32>().prop_map(Distance::Ppm),
    ];
    let condition = prop_oneof![
        any::<i64>().prop_map(Condition::AtOrAbove),
        any::<i64>().prop_map(Condition::AtOrBelow),
        (distance, any::<i64>()).prop_map(|(distance, activation)| Condition::Trail {
            distance,
            activation,
        }),
    ];
    (source, condition).prop_map(|(source, condition)| Trigger { source, condition })
}

prop_compose! {
    fn peg()(
        to in select(vec![PegTo::Index, PegTo::Bid, PegTo::Ask]),
        offset in any::<i64>(),
    ) -> Peg {
        Peg { to, offset }
    }
}

prop_compose! {
    fn twap()(
        duration_ms in any::<u64>(),
        interval_ms in any::<u64>(),
        tolerance_ppm in any::<u32>(),
    ) -> Twap {
        Twap { duration_ms, interval_ms, tolerance_ppm }
    }
}

prop_compose! {
    fn any_order()(
        market in market(),
        side in side(),
        price in any::<i64>(),
        size in any::<i64>(),
        tif in tif(),
        (post_only, reduce_only) in (post_only(), any::<bool>()),
        client_id in any::<Option<u128>>(),
        label in any::<u32>(),
        max_fills in any::<u16>(),
        (self_trade, scope) in (self_trade(), any::<bool>()),
        (display, trigger) in (any::<Option<i64>>(), option::of(trigger())),
        (peg, twap) in (option::of(peg()), option::of(twap())),
    ) -> Order {
        let self_trade_scope = if scope {
            SelfTradeScope::Master
        } else {
            SelfTradeScope::Account
        };
        Order {
            market, side, price, size, tif, post_only, reduce_only, client_id, label, max_fills,
            self_trade, self_trade_scope, display, trigger, peg, twap,
        }
    }
}

fn order_ref() -> impl Strategy<Value = OrderRef> {
    prop_oneof![
        any::<u64>().prop_map(|id| OrderRef::Id(OrderId(id))),
        (group(), any::<u128>())
            .prop_map(|(group, client_id)| OrderRef::Client { group, client_id }),
    ]
}

prop_compose! {
    fn amend()(
        order in order_ref(),
        price in any::<i64>(),
        size in any::<i64>(),
        keep_on_reject in any::<bool>(),
        max_fills in any::<u16>(),
    ) -> Amend {
        Amend { order, price, size, keep_on_reject, max_fills }
    }
}

fn cancel() -> impl Strategy<Value = Cancel> {
    prop_oneof![
        any::<u64>().prop_map(|id| Cancel::Order(OrderId(id))),
        (group(), any::<u128>()).prop_map(|(group, client_id)| Cancel::Client { group, client_id }),
        (group(), any::<u32>()).prop_map(|(group, label)| Cancel::Label { group, label }),
        market().prop_map(Cancel::Market),
        option::of(group()).prop_map(Cancel::All),
    ]
}

prop_compose! {
    fn set_agent()(
        key in id(),
        expiry in any::<u64>(),
        markets in vec(market(), 0..=8),
        max_notional in any::<u128>(),
    ) -> SetAgent {
        SetAgent { key, expiry, markets, max_notional }
    }
}

prop_compose! {
    fn scale()(
        order in any_order(),
        last_price in any::<i64>(),
        orders in any::<u16>(),
        last_size_ppm in any::<u32>(),
    ) -> Scale {
        Scale { order, last_price, orders, last_size_ppm }
    }
}

prop_compose! {
    fn linked()(
        kind in select(vec![LinkKind::Oco, LinkKind::Oto, LinkKind::Otoco]),
        rule in select(vec![LinkRule::FirstHit, LinkRule::CompleteFill, LinkRule::Incremental]),
        order in any_order(),
        legs in vec(any_order(), 0..=4),
    ) -> Linked {
        Linked { kind, rule, order, legs }
    }
}

fn quote_side() -> impl Strategy<Value = Option<QuoteSide>> {
    option::of((any::<i64>(), any::<i64>()).prop_map(|(price, size)| QuoteSide { price, size }))
}

prop_compose! {
    fn quotes()(
        group in group(),
        post_only in select(vec![PostOnly::No, PostOnly::Reject, PostOnly::Slide]),
        quotes in vec((market(), quote_side(), quote_side()), 0..=256),
    ) -> Quotes {
        let quotes = quotes.into_iter();
        let quotes = quotes.map(|(market, bid, ask)| Quote { market, bid, ask }).collect();
        Quotes { group, post_only, quotes }
    }
}

prop_compose! {
    fn protection()(
        group in group(),
        interval_ms in any::<u64>(),
        freeze_ms in any::<u64>(),
        notional in any::<u128>(),
        (delta, vega) in any::<(u128, u128)>(),
    ) -> SetProtection {
        SetProtection { group, interval_ms, freeze_ms, notional, delta, vega }
    }
}

fn curve() -> impl Strategy<Value = Curve> {
    let node = any::<(i64, i64)>().prop_map(|(k, variance)| Node { k, variance });
    let svi = any::<[i64; 5]>().prop_map(|[a, b, rho, m, sigma]| {
        Curve::Svi(Svi {
            a,
            b,
            rho,
            m,
            sigma,
        })
    });
    prop_oneof![vec(node, 0..=4).prop_map(Curve::Nodes), svi]
}

prop_compose! {
    fn surface()(
        group in group(),
        expiries in vec((any::<(u64, i64, i64, u32)>(), curve()), 0..=17),
    ) -> SetSurface {
        let expiries = expiries.into_iter();
        let expiries = expiries.map(|((expiry, forward, rate, tenor), curve)| ExpirySurface {
            expiry, forward, rate, tenor, curve,
        });
        SetSurface { group, expiries: expiries.collect() }
    }
}

/// Any action that a transaction may hold.
pub fn action() -> impl Strategy<Value = Action> {
    let transfer = (any::<u16>(), any::<u128>(), account());
    let kind = select(vec![PriceKind::Mark, PriceKind::Index]);
    let price = (market(), kind, any::<i64>());
    let price = price.prop_map(|(market, kind, price)| PriceUpdate {
        market,
        kind,
        price,
    });
    let status = select(vec![
        MarketStatus::Open,
        MarketStatus::PostOnly,
        MarketStatus::CancelOnly,
        MarketStatus::Suspended,
        MarketStatus::Auction,
        MarketStatus::Settled,
    ]);
    prop_oneof![
        any_order().prop_map(Action::Order),
        amend().prop_map(Action::Amend),
        cancel().prop_map(Action::Cancel),
        transfer.prop_map(|(asset, amount, to)| {
            Action::Transfer(Transfer {
                asset: AssetId(asset),
                amount,
                to,
            })
        }),
        set_agent().prop_map(Action::SetAgent),
        id().prop_map(Action::RemoveAgent),
        vec(price, 0..=64).prop_map(Action::SetPrices),
        (market(), status).prop_map(|(market, status)| {
            Action::SetMarketStatus(SetMarketStatus { market, status })
        }),
        any::<u64>().prop_map(Action::CancelAfter),
        scale().prop_map(Action::Scale),
        quotes().prop_map(Action::Quotes),
        protection().prop_map(Action::SetProtection),
        linked().prop_map(Action::Linked),
        select(vec![MarginMode::Standard, MarginMode::Portfolio]).prop_map(Action::SetMarginMode),
        surface().prop_map(Action::SetSurface),
    ]
}

/// Any transaction of one to eight actions; the key is that of `secret`.
pub fn body(key: ballast_types::PublicKey) -> impl Strategy<Value = TxBody> {
    let numbers = any::<(u64, u64)>();
    (account(), numbers, vec(action(), 1..=8)).prop_map(
        move |(account, (nonce, expiry), actions)| TxBody {
            chain: chain_hash(CHAIN_ID),
            account,
            key,
            nonce,
            expiry,
            actions,
        },
    )
}
