//! Names and decimal forms of what the chain lists.

use ballast_types::{
    AssetId, Atoms, ChainSpec, GroupId, Hash, Lots, MarketId, MarketKind, MarketSpec, Ticks,
    chain_hash,
};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::Arc;

/// Digits of ratios, as volatilities and rates.
const RATIO_DIGITS: usize = 15;

/// A decimal unit: `mantissa / 10^scale`.
#[derive(Clone, Copy)]
struct Unit {
    mantissa: i128,
    scale: usize,
}

/// A market with the units of its prices and sizes.
struct Entry {
    spec: MarketSpec,
    tick: Unit,
    lot: Unit,
}

/// The chain's specification with what is needed to show it, and all markets listed up to a block.
#[derive(Clone)]
pub(crate) struct Catalog {
    pub spec: Arc<ChainSpec>,
    pub chain: Hash,
    /// Index is the [`MarketId`].
    markets: Vec<Arc<Entry>>,
    by_symbol: HashMap<String, MarketId>,
}

impl Catalog {
    /// Fails when a tick or lot of the specification is not a decimal number; names it.
    pub(crate) fn new(spec: Arc<ChainSpec>) -> Result<Self, String> {
        let mut catalog = Self {
            chain: chain_hash(&spec.chain_id),
            markets: Vec::with_capacity(spec.markets.len()),
            by_symbol: HashMap::new(),
            spec: spec.clone(),
        };
        for market in &spec.markets {
            catalog.list(market.clone())?;
        }
        Ok(catalog)
    }

    /// Adds the next market. Fails when its tick or lot is not a decimal number.
    pub(crate) fn list(&mut self, spec: MarketSpec) -> Result<(), String> {
        let id = u32::try_from(self.len()).map_err(|_| "more markets than ids".to_owned())?;
        let tick = unit(&spec.symbol, "tick", &spec.tick)?;
        let lot = unit(&spec.symbol, "lot", &spec.lot)?;
        self.by_symbol.insert(spec.symbol.clone(), MarketId(id));
        self.markets.push(Arc::new(Entry { spec, tick, lot }));
        Ok(())
    }

    /// How many markets there are.
    pub(crate) fn len(&self) -> usize {
        self.markets.len()
    }

    /// All markets in order.
    pub(crate) fn markets(&self) -> impl Iterator<Item = (MarketId, &MarketSpec)> {
        (0..)
            .map(MarketId)
            .zip(self.markets.iter().map(|entry| &entry.spec))
    }

    /// A market, if it exists.
    pub(crate) fn market(&self, id: MarketId) -> Option<&MarketSpec> {
        self.markets.get(id.index()).map(|entry| &entry.spec)
    }

    /// A market by symbol or by number.
    pub(crate) fn find(&self, name: &str) -> Option<MarketId> {
        self.by_symbol.get(name).copied().or_else(|| {
            let id = MarketId(name.parse().ok()?);
            self.market(id).map(|_| id)
        })
    }

    /// A group by name or by number.
    pub(crate) fn find_group(&self, name: &str) -> Option<GroupId> {
        let groups = &self.spec.groups;
        let at = groups.iter().position(|group| group.name == name);
        let at = at.or_else(|| name.parse().ok().filter(|at| *at < groups.len()))?;
        u16::try_from(at).ok().map(GroupId)
    }

    /// Symbol of a market; empty when the chain has no such market.
    pub(crate) fn symbol(&self, market: MarketId) -> &str {
        self.market(market).map_or("", |market| &market.symbol)
    }

    /// Name of a group; empty when the chain has no such group.
    pub(crate) fn group(&self, group: GroupId) -> &str {
        self.spec
            .groups
            .get(group.index())
            .map_or("", |group| &group.name)
    }

    /// Symbol of an asset; empty when the chain has no such asset.
    pub(crate) fn asset(&self, asset: AssetId) -> &str {
        self.spec.asset(asset).map_or("", |asset| &asset.symbol)
    }

    /// Symbol of the asset that a market trades; `None` for derivatives.
    pub(crate) fn base(&self, market: &MarketSpec) -> Option<&str> {
        match market.kind {
            MarketKind::Spot { base, .. } => Some(self.asset(base)),
            MarketKind::Perpetual | MarketKind::Future { .. } | MarketKind::Option { .. } => None,
        }
    }

    /// A price in units of the quote asset.
    pub(crate) fn price(&self, market: MarketId, price: Ticks) -> String {
        let unit = self.markets.get(market.index()).map(|entry| entry.tick);
        scaled(unit, i128::from(price))
    }

    /// A size in units of the base.
    pub(crate) fn size(&self, market: MarketId, size: Lots) -> String {
        let unit = self.markets.get(market.index()).map(|entry| entry.lot);
        scaled(unit, i128::from(size))
    }

    /// Ticks of a price in units of the quote asset; `None` when they are not whole.
    pub(crate) fn ticks(&self, market: MarketId, price: &str) -> Option<Ticks> {
        whole(price, self.markets.get(market.index())?.tick)
    }

    /// Lots of a size in units of the base; `None` when they are not whole.
    pub(crate) fn lots(&self, market: MarketId, size: &str) -> Option<Lots> {
        whole(size, self.markets.get(market.index())?.lot)
    }

    /// A price in the scale of a group, in units of the margin asset.
    pub(crate) fn group_price(&self, group: GroupId, price: i64) -> String {
        let digits = usize::from(self.price_digits(group));
        short(fixed(i128::from(price), digits))
    }

    /// Digits of the scale of a group's prices; 0 when the chain has no such group.
    pub(crate) fn price_digits(&self, group: GroupId) -> u8 {
        let group = self.spec.groups.get(group.index());
        group.map_or(0, |group| group.price_digits)
    }

    /// An amount in units of the asset.
    pub(crate) fn amount(&self, asset: AssetId, atoms: Atoms) -> String {
        fixed(
            atoms,
            self.spec
                .asset(asset)
                .map_or(0, |asset| usize::from(asset.decimals)),
        )
    }

    /// An amount in units of the margin asset.
    pub(crate) fn cash(&self, atoms: Atoms) -> String {
        self.amount(self.spec.margin_asset, atoms)
    }
}

/// A ratio in 10^-15, without zeros at its end.
pub(crate) fn ratio(value: impl Into<i128>) -> String {
    short(fixed(value.into(), RATIO_DIGITS))
}

/// A decimal without zeros at its end.
fn short(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn unit(symbol: &str, field: &str, text: &str) -> Result<Unit, String> {
    let value: Decimal = text
        .parse()
        .map_err(|_| format!("{field} of {symbol}: {text:?} is not a decimal"))?;
    let scale = usize::try_from(value.scale()).unwrap_or(0);
    Ok(Unit {
        mantissa: value.mantissa(),
        scale,
    })
}

fn scaled(unit: Option<Unit>, value: i128) -> String {
    unit.map_or_else(String::new, |unit| {
        fixed(value.saturating_mul(unit.mantissa), unit.scale)
    })
}

/// How many times a unit a decimal is.
fn whole(text: &str, unit: Unit) -> Option<i64> {
    // Whatever features it is built with, this takes no exponents.
    let value = Decimal::from_str_exact(text).ok()?;
    let unit = Decimal::try_from_i128_with_scale(unit.mantissa, u32::try_from(unit.scale).ok()?);
    let units = value.checked_div(unit.ok()?)?;
    (units.is_integer()).then(|| units.trunc().to_string().parse().ok())?
}

/// `value / 10^scale` in decimal, with exactly `scale` places.
fn fixed(value: i128, scale: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    if part.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_shown_with_their_unit() {
        for (value, scale, shown) in [
            (0, 0, "0"),
            (7, 0, "7"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (12_345, 2, "123.45"),
            (-100, 1, "-10.0"),
            (i128::MIN, 0, "-170141183460469231731687303715884105728"),
        ] {
            assert_eq!(fixed(value, scale), shown);
        }
        for (value, shown) in [
            (0, "0"),
            (500_000_000_000_000_i64, "0.5"),
            (-1, "-0.000000000000001"),
            (10_000_000_000_000_000, "10"),
        ] {
            assert_eq!(ratio(value), shown);
        }
        for (text, tick, ticks) in [
            ("1.5", "0.5", Some(3)),
            ("-1", "0.5", Some(-2)),
            ("1.2", "0.5", None),
            ("1e3", "1", None),
            ("", "1", None),
        ] {
            let tick = unit("X", "tick", tick).ok();
            assert_eq!(tick.and_then(|tick| whole(text, tick)), ticks, "{text}");
        }
        let half = unit("X", "tick", "0.5").ok();
        assert_eq!(scaled(half, 3), "1.5");
        assert_eq!(
            unit("X", "lot", "1,5").err().as_deref(),
            Some("lot of X: \"1,5\" is not a decimal")
        );
    }
}
