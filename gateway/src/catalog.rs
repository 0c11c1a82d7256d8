//! Names and decimal forms of what the chain lists.

use ballast_types::{
    AssetId, Atoms, ChainSpec, GroupId, Hash, Lots, MarketId, MarketKind, MarketSpec, Ticks,
    chain_hash,
};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::Arc;

/// A decimal unit: `mantissa / 10^scale`.
#[derive(Clone, Copy)]
struct Unit {
    mantissa: i128,
    scale: usize,
}

/// The chain's specification with what is needed to show it.
pub(crate) struct Catalog {
    pub spec: Arc<ChainSpec>,
    pub chain: Hash,
    ticks: Vec<Unit>,
    lots: Vec<Unit>,
    by_symbol: HashMap<String, MarketId>,
}

impl Catalog {
    /// Fails when a tick or lot of the specification is not a decimal number; names it.
    pub(crate) fn new(spec: Arc<ChainSpec>) -> Result<Self, String> {
        let mut ticks = Vec::with_capacity(spec.markets.len());
        let mut lots = Vec::with_capacity(spec.markets.len());
        let mut by_symbol = HashMap::new();
        for (at, market) in spec.markets.iter().enumerate() {
            ticks.push(unit(&market.symbol, "tick", &market.tick)?);
            lots.push(unit(&market.symbol, "lot", &market.lot)?);
            let id = u32::try_from(at).map_err(|_| "more markets than ids".to_owned())?;
            by_symbol.insert(market.symbol.clone(), MarketId(id));
        }
        Ok(Self {
            chain: chain_hash(&spec.chain_id),
            ticks,
            lots,
            by_symbol,
            spec,
        })
    }

    /// All markets in order.
    pub(crate) fn markets(&self) -> impl Iterator<Item = (MarketId, &MarketSpec)> {
        (0..).map(MarketId).zip(&self.spec.markets)
    }

    /// A market by symbol or by number.
    pub(crate) fn find(&self, name: &str) -> Option<MarketId> {
        self.by_symbol.get(name).copied().or_else(|| {
            let id = MarketId(name.parse().ok()?);
            self.spec.market(id).map(|_| id)
        })
    }

    /// Symbol of a market; empty when the chain has no such market.
    pub(crate) fn symbol(&self, market: MarketId) -> &str {
        self.spec.market(market).map_or("", |market| &market.symbol)
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

    /// Symbol of the asset that a market trades; `None` for perpetuals and futures.
    pub(crate) fn base(&self, market: &MarketSpec) -> Option<&str> {
        match market.kind {
            MarketKind::Spot { base, .. } => Some(self.asset(base)),
            MarketKind::Perpetual | MarketKind::Future { .. } => None,
        }
    }

    /// A price in units of the quote asset.
    pub(crate) fn price(&self, market: MarketId, price: Ticks) -> String {
        scaled(self.ticks.get(market.index()), i128::from(price))
    }

    /// A size in units of the base.
    pub(crate) fn size(&self, market: MarketId, size: Lots) -> String {
        scaled(self.lots.get(market.index()), i128::from(size))
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

fn scaled(unit: Option<&Unit>, value: i128) -> String {
    unit.map_or_else(String::new, |unit| {
        fixed(value.saturating_mul(unit.mantissa), unit.scale)
    })
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
        let half = unit("X", "tick", "0.5").ok();
        assert_eq!(scaled(half.as_ref(), 3), "1.5");
        assert_eq!(
            unit("X", "lot", "1,5").err().as_deref(),
            Some("lot of X: \"1,5\" is not a decimal")
        );
    }
}
