//! What all nodes know of the chain beside its state: the validated genesis, and the markets.

use crate::pages::Hash;
use ballast_types::margin::{MONEY_DIGITS, Params};
use ballast_types::{AssetId, ChainSpec, GroupId, MarketId, MarketKind, MarketSpec, chain_hash};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The genesis, which never changes, and its markets with the options that were listed behind them.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) hash: Hash,
    /// BLAKE3 of the specification's Borsh: the first leaf of every app hash, so that nodes with
    /// different limits, fees or markets part at height 1.
    pub(crate) root: Hash,
    /// Money of one atom of the margin asset.
    pub(crate) atom: i128,
    listed: Vec<Arc<MarketSpec>>,
    /// For each market its number within its group.
    local: Vec<u32>,
    /// By group.
    groups: Vec<Group>,
}

/// What follows from the genesis for a group.
#[derive(Clone, Debug)]
struct Group {
    /// The market whose index is that of the group.
    reference: Option<MarketId>,
    /// Price in the scale of the group x amount in 10^-9 of the underlying, for an atom.
    per_atom: i128,
    /// How portfolio margin is computed.
    params: Arc<Params>,
    /// What its spot markets deliver, each once, and atoms of one unit of it.
    bases: Vec<(AssetId, i128)>,
    markets: u32,
}

impl Chain {
    pub(crate) fn new(spec: Arc<ChainSpec>) -> Self {
        let margin = spec.asset(spec.margin_asset);
        let decimals = margin.map_or(0, |asset| u32::from(asset.decimals));
        let groups = (0_u16..).zip(&spec.groups).map(|(number, group)| {
            let digits = u32::from(group.price_digits).saturating_add(9);
            let power = digits.saturating_sub(decimals);
            Group {
                reference: reference(&spec, GroupId(number)),
                per_atom: 10_i128.checked_pow(power).unwrap_or(i128::MAX),
                params: Arc::new(group.margin.clone()),
                bases: bases(&spec, GroupId(number)),
                markets: 0,
            }
        });
        let mut chain = Self {
            root: spec_root(&spec),
            hash: chain_hash(&spec.chain_id),
            atom: 10_i128
                .checked_pow(MONEY_DIGITS.saturating_sub(decimals))
                .unwrap_or(1),
            listed: Vec::new(),
            local: Vec::new(),
            groups: groups.collect(),
            spec: Arc::clone(&spec),
        };
        for market in &spec.markets {
            chain.number(market.group);
        }
        chain
    }

    /// Gives the next market its number within its group.
    fn number(&mut self, group: GroupId) {
        let local = match self.groups.get_mut(group.index()) {
            Some(group) => {
                let local = group.markets;
                group.markets = local.saturating_add(1);
                local
            }
            None => u32::MAX,
        };
        self.local.push(local);
    }

    /// Adds an option behind all other markets.
    pub(crate) fn list(&mut self, market: MarketSpec) {
        self.number(market.group);
        self.listed.push(Arc::new(market));
    }

    pub(crate) fn market(&self, id: MarketId) -> Option<&MarketSpec> {
        match self.spec.markets.get(id.index()) {
            Some(market) => Some(market),
            None => self.listed.get(self.option(id)?).map(|market| &**market),
        }
    }

    /// How many markets there are.
    pub(crate) fn markets(&self) -> u32 {
        u32::try_from(self.local.len()).unwrap_or(u32::MAX)
    }

    /// Number of a market behind those of the genesis: of a listed option.
    pub(crate) fn option(&self, id: MarketId) -> Option<usize> {
        id.index().checked_sub(self.spec.markets.len())
    }

    /// Number of a market within its group.
    pub(crate) fn local(&self, id: MarketId) -> u32 {
        self.local.get(id.index()).copied().unwrap_or(u32::MAX)
    }

    /// The market whose index is that of the group.
    pub(crate) fn reference(&self, group: GroupId) -> Option<MarketId> {
        self.groups.get(group.index())?.reference
    }

    /// What a price in the scale of the group times an amount is divided by to be atoms.
    pub(crate) fn per_atom(&self, group: GroupId) -> i128 {
        self.groups
            .get(group.index())
            .map_or(i128::MAX, |group| group.per_atom)
    }

    pub(crate) fn params(&self, group: GroupId) -> Option<Arc<Params>> {
        let group = self.groups.get(group.index())?;
        Some(Arc::clone(&group.params))
    }

    /// What the spot markets of a group deliver, each once, and atoms of one unit of it.
    pub(crate) fn bases(&self, group: GroupId) -> &[(AssetId, i128)] {
        let group = self.groups.get(group.index());
        group.map_or(&[], |group| &group.bases)
    }

    /// Number of the first listed option.
    pub(crate) fn first_option(&self) -> MarketId {
        MarketId(u32::try_from(self.spec.markets.len()).unwrap_or(u32::MAX))
    }

    /// How many markets a group has.
    pub(crate) fn markets_of(&self, group: GroupId) -> u32 {
        self.groups
            .get(group.index())
            .map_or(0, |group| group.markets)
    }

    /// Markets of the genesis in a group.
    pub(crate) fn linear(&self, group: GroupId) -> impl Iterator<Item = (MarketId, &MarketSpec)> {
        (0_u32..)
            .map(MarketId)
            .zip(&self.spec.markets)
            .filter(move |(_, market)| market.group == group)
    }
}

/// The perpetual of a group, else its first spot market, else its first future.
fn reference(spec: &ChainSpec, group: GroupId) -> Option<MarketId> {
    let rank = |kind| match kind {
        MarketKind::Perpetual => Some(0),
        MarketKind::Spot { .. } => Some(1),
        MarketKind::Future { .. } => Some(2),
        MarketKind::Option { .. } => None,
    };
    (0_u32..)
        .zip(&spec.markets)
        .filter(|(_, market)| market.group == group)
        .filter_map(|(id, market)| Some((rank(market.kind)?, MarketId(id))))
        .min()
        .map(|(_, id)| id)
}

fn bases(spec: &ChainSpec, group: GroupId) -> Vec<(AssetId, i128)> {
    let markets = spec.markets.iter().filter(|market| market.group == group);
    let assets: BTreeSet<_> = markets
        .filter_map(|market| match market.kind {
            MarketKind::Spot { base, .. } => Some(base),
            _ => None,
        })
        .collect();
    let unit = |asset: AssetId| {
        let decimals = spec.asset(asset).map_or(0, |asset| asset.decimals);
        10_i128.checked_pow(decimals.into()).unwrap_or(i128::MAX)
    };
    assets
        .into_iter()
        .map(|asset| (asset, unit(asset)))
        .collect()
}

fn spec_root(spec: &ChainSpec) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key("ballast/spec/1");
    // A hasher takes every byte, so this cannot fail.
    let _ = borsh::to_writer(&mut hasher, spec);
    *hasher.finalize().as_bytes()
}
