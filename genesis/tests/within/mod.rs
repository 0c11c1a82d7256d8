//! Bounds that every validated genesis keeps.

use crate::common::TIME;
use ballast_types::{ChainSpec, MarketKind, MarketSpec, SeriesSpec};

/// What an atom of the margin asset is in price x amount, in the scale of the market's group.
fn atom(spec: &ChainSpec, market: &MarketSpec) -> i128 {
    let digits = spec.groups[market.group.index()].price_digits;
    let asset = spec.asset(spec.margin_asset).expect("the margin asset");
    assert!(asset.decimals <= 12);
    10_i128.pow(u32::from(digits) + 9 - u32::from(asset.decimals))
}

/// A tick of a lot is worth the same in atoms and in the scale of the group.
fn within_scale(spec: &ChainSpec, market: &MarketSpec) {
    let digits = spec.groups[market.group.index()].price_digits;
    assert!((3..=16).contains(&digits));
    assert!(market.tick_price >= 1 && market.lot_amount >= 1);
    let value = i128::from(market.tick_price) * i128::from(market.lot_amount);
    assert_eq!(market.tick_value * atom(spec, market), value);
    assert!(i128::from(market.max_price) * i128::from(market.tick_price) < 1 << 59);
    assert!(i128::from(market.max_size) * i128::from(market.lot_amount) <= 1 << 61);
}

/// Bounds of a series and of all that it may list.
fn within_series(spec: &ChainSpec, series: &SeriesSpec) {
    let market = &series.market;
    within_scale(spec, market);
    assert!(market.tick_value >= 1 && (0..=market.taker_fee_ppm).contains(&market.maker_fee_ppm));
    assert!(0 < market.maintenance_margin_ppm);
    assert!(market.maintenance_margin_ppm <= market.initial_margin_ppm);
    assert!(market.minimum_margin_ppm <= market.initial_margin_ppm);
    assert!(2 * series.strikes < series.max_strikes && series.max_strikes <= 1_000);
    assert!((u32::from(series.strikes) + 1) * series.step_ppm <= 7_000_000);
    let expiries = series.expiries(TIME);
    assert!(!expiries.is_empty() && expiries.iter().all(|at| *at > TIME));
    let mut below = (0, 1);
    for (from, step) in &market.tick_bands {
        assert!(*from > below.0 && *step > below.1 && *from <= market.max_price);
        assert!(step % below.1 == 0 && from % step == 0);
        below = (*from, *step);
    }
    // Of the largest strike a lot is still worth no more than the bound.
    let of_group = spec.markets.iter().filter(|it| it.group == market.group);
    let largest = of_group.map(|it| i128::from(it.max_price) * i128::from(it.tick_price));
    let strike = 8 * largest.max().expect("a market");
    let value = strike * i128::from(market.lot_amount) / atom(spec, market);
    assert!(value < 1 << 62);
}

pub(crate) fn within_bounds(spec: &ChainSpec) {
    for market in &spec.markets {
        assert!(market.tick_value >= 1);
        within_scale(spec, market);
        assert!(i128::from(market.max_price) * market.tick_value <= 1 << 62);
        assert!(1 <= market.min_size && market.min_size <= market.max_size);
        assert!(market.max_size <= 1 << 40 && market.max_price >= 1);
        assert!(market.price_band_ppm <= 1_000_000);
        assert!(market.min_notional >= 0 && market.max_notional <= 1 << 102);
        assert!(market.max_notional == 0 || market.min_notional <= market.max_notional);
        assert!((0..=100_000).contains(&market.taker_fee_ppm));
        assert!(market.maker_fee_ppm.abs() <= market.taker_fee_ppm);
        let margins = (market.maintenance_margin_ppm, market.initial_margin_ppm);
        match market.kind {
            MarketKind::Spot { base, lot_atoms } => {
                assert!(base != spec.margin_asset && spec.asset(base).is_some());
                assert!(1 <= lot_atoms && lot_atoms << 44 <= 1 << 100);
                assert_eq!((margins, market.mark), ((0, 0), 0));
            }
            MarketKind::Option { .. } => panic!("an option in the genesis"),
            kind @ (MarketKind::Perpetual | MarketKind::Future { .. }) => {
                assert!(
                    kind.expiry()
                        .is_none_or(|at| TIME < at && at <= 253_402_300_799_999)
                );
                assert!(0 < margins.0 && margins.0 <= margins.1 && margins.1 <= 1_000_000);
                assert!((1..=market.max_price).contains(&market.mark));
            }
        }
    }
    spec.series
        .iter()
        .for_each(|series| within_series(spec, series));
    assert!(spec.order_reserve_ppm <= 1_000_000);
    assert!(spec.groups.iter().all(|group| {
        group.volatility > 0 && group.surface_cap >= 0 && group.margin.check().is_ok()
    }));
    assert!(spec.balances.is_sorted() && spec.balances.iter().all(|b| b.2 <= 1 << 100));
    assert!(spec.validators.iter().map(|v| v.power).sum::<u64>() <= 1 << 60);
}
