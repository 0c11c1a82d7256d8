use crate::number::Inexact;
use crate::{
    Error, Genesis, GenesisAccount, GenesisGroup, GenesisValidator, MarginMode, Number, bounds,
    margin, market, scale, series,
};
use ballast_types::margin::{Params, decimal};
use ballast_types::surface::{Curve, MAX_NODES, Node};
use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, AssetSpec, Cancel, ChainSpec, ExpirySurface,
    GroupId, GroupSpec, KeyId, MarketId, MarketKind, OrderId, OrderRef, PriceKind, PriceUpdate,
    PublicKey, Scheme, SeriesSpec, SetSurface, TimeMs, Tx, ValidatorSpec, chain_hash, tx_weight,
};
use std::collections::{BTreeMap, BTreeSet};

/// Decimal places of a ratio.
const RATIO: u8 = 15;

/// A chain whose genesis was validated. Only [`validate`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    spec: ChainSpec,
}

impl Validated {
    /// What the genesis comes down to.
    pub fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// What the genesis comes down to.
    pub fn into_spec(self) -> ChainSpec {
        self.spec
    }
}

/// Checks everything and converts it to integers. `chain_id` and `genesis_time_ms` are those of
/// CometBFT's genesis.
///
/// # Errors
/// Returns the first field that is not allowed.
pub fn validate(
    genesis: &Genesis,
    chain_id: &str,
    genesis_time_ms: TimeMs,
) -> Result<Validated, Error> {
    let spec = convert(genesis, chain_id, genesis_time_ms)?;
    if spec.validators.is_empty() {
        return Err(Error::value("validators", "[]", "holds no validator"));
    }
    Ok(Validated { spec })
}

/// Like [`validate`] for a genesis that is still being written: validators may be missing.
pub fn validate_draft(
    genesis: &Genesis,
    chain_id: &str,
    genesis_time_ms: TimeMs,
) -> Result<(), Error> {
    convert(genesis, chain_id, genesis_time_ms).map(|_| ())
}

fn convert(genesis: &Genesis, chain_id: &str, genesis_time: TimeMs) -> Result<ChainSpec, Error> {
    if chain_id.is_empty() || chain_id.chars().count() > bounds::MAX_CHAIN_ID {
        let reason =
            format_args!("does not have 1 to {} characters", bounds::MAX_CHAIN_ID).to_string();
        return Err(Error::text("chain_id", chain_id, reason));
    }
    let limits = genesis.limits.validate()?;
    let shards = genesis.account_shards;
    if !(1..=bounds::MAX_ACCOUNT_SHARDS).contains(&shards) {
        let reason = format!("is not from 1 to {}", bounds::MAX_ACCOUNT_SHARDS);
        return Err(Error::value("account_shards", shards, reason));
    }
    let assets = assets(genesis)?;
    let asset_ids: BTreeMap<&str, AssetId> = (0..)
        .map(AssetId)
        .zip(&assets)
        .map(|(id, asset)| (asset.symbol.as_str(), id))
        .collect();
    let Some(&margin_asset) = asset_ids.get(genesis.margin_asset.as_str()) else {
        let reason = "is not the symbol of an asset";
        return Err(Error::text("margin_asset", &genesis.margin_asset, reason));
    };
    let decimals = margin_decimals(&assets, margin_asset)?;
    let groups = groups(genesis, decimals)?;
    let group_ids: BTreeMap<&str, GroupId> = (0..)
        .map(GroupId)
        .zip(&groups)
        .map(|(id, group)| (group.name.as_str(), id))
        .collect();
    let context = market::Context {
        assets: &assets,
        asset_ids: &asset_ids,
        groups: &groups,
        group_ids: &group_ids,
        margin_asset,
        genesis_time,
    };
    let markets = markets(genesis, &context)?;
    let series = series(genesis, &markets, &context)?;
    let balances = balances(&genesis.accounts, &assets, &asset_ids, limits.accounts)?;
    let spec = ChainSpec {
        chain_id: chain_id.to_owned(),
        genesis_time,
        limits,
        account_shards: shards,
        margin_asset,
        margin_mode: match genesis.margin_mode {
            MarginMode::Standard => ballast_types::MarginMode::Standard,
            MarginMode::Portfolio => ballast_types::MarginMode::Portfolio,
        },
        order_reserve_ppm: order_reserve(genesis)?,
        price_authorities: price_authorities(genesis)?,
        validators: validators(&genesis.validators)?,
        balances,
        assets,
        groups,
        markets,
        series,
    };
    check_block_weight(&spec)?;
    Ok(spec)
}

fn assets(genesis: &Genesis) -> Result<Vec<AssetSpec>, Error> {
    check_count("assets", genesis.assets.len(), bounds::MAX_ASSETS)?;
    let (mut symbols, mut denoms) = (BTreeSet::new(), BTreeSet::new());
    let mut specs = Vec::with_capacity(genesis.assets.len());
    for (i, asset) in genesis.assets.iter().enumerate() {
        let denom = asset
            .denom
            .clone()
            .unwrap_or_else(|| asset.symbol.to_ascii_lowercase());
        check_name(
            &format!("assets[{i}].symbol"),
            &asset.symbol,
            "-._",
            &mut symbols,
        )?;
        check_name(&format!("assets[{i}].denom"), &denom, "-._/:", &mut denoms)?;
        if asset.decimals > bounds::MAX_DECIMALS {
            let reason = format!("is not from 0 to {}", bounds::MAX_DECIMALS);
            return Err(Error::value(
                format_args!("assets[{i}].decimals"),
                asset.decimals,
                reason,
            ));
        }
        specs.push(AssetSpec {
            symbol: asset.symbol.clone(),
            denom,
            decimals: asset.decimals,
        });
    }
    Ok(specs)
}

/// Decimals of the margin asset.
fn margin_decimals(assets: &[AssetSpec], id: AssetId) -> Result<u8, Error> {
    let decimals = assets.get(id.index()).map_or(0, |asset| asset.decimals);
    let most = bounds::MAX_MARGIN_DECIMALS;
    if decimals > most {
        let reason = format!("is above {most}, the most that the margin asset may have");
        let field = format_args!("assets[{id}].decimals").to_string();
        return Err(Error::value(field, decimals, reason));
    }
    Ok(decimals)
}

fn order_reserve(genesis: &Genesis) -> Result<u32, Error> {
    let (name, reserve) = ("order_reserve", genesis.order_reserve);
    let reason = match reserve.scaled(6) {
        Ok(ppm) if (0..=bounds::MAX_RESERVE_PPM).contains(&ppm) => {
            return Ok(u32::try_from(ppm).unwrap_or(u32::MAX));
        }
        Err(Inexact::Fraction) => "is not a whole number of millionths".to_owned(),
        _ => format!("is not from 0 to {} millionths", bounds::MAX_RESERVE_PPM),
    };
    Err(Error::text(name, &reserve.to_string(), reason))
}

fn groups(genesis: &Genesis, decimals: u8) -> Result<Vec<GroupSpec>, Error> {
    check_count("groups", genesis.groups.len(), bounds::MAX_GROUPS)?;
    let mut names = BTreeSet::new();
    let steps = scale::steps(genesis);
    let mut specs = Vec::with_capacity(genesis.groups.len());
    for (i, group) in genesis.groups.iter().enumerate() {
        let at = format!("groups[{i}]");
        check_name(&format!("{at}.name"), &group.name, "-._", &mut names)?;
        let steps = steps.get(group.name.as_str()).map_or(&[][..], |it| it);
        specs.push(GroupSpec {
            name: group.name.clone(),
            price_digits: scale::price_digits(group, &at, steps, decimals)?,
            volatility: ratio(&at, "volatility", group.volatility, bounds::VOLATILITY)?,
            surface_cap: group.surface_cap.map_or(Ok(0), |cap| {
                ratio(&at, "surface_cap", cap, (0, bounds::MAX_SURFACE_CAP))
            })?,
            margin: margin_params(group, &at)?,
        });
    }
    Ok(specs)
}

/// A ratio in 10^-15.
fn ratio(at: &str, name: &str, number: Number, (min, max): (i128, i128)) -> Result<i64, Error> {
    let reason = match number.scaled(RATIO) {
        Ok(ratio) if (min..=max).contains(&ratio) => {
            return i64::try_from(ratio).map_err(|_| market::refuse(at, name, number, "overflows"));
        }
        Err(Inexact::Fraction) => format!("has more than {RATIO} decimals"),
        _ => {
            let [min, max] = [min, max].map(|bound| decimal(bound, RATIO.into()));
            format!("is not from {min} to {max}")
        }
    };
    Err(market::refuse(at, name, number, reason))
}

/// The parameters of a group's portfolio margin.
fn margin_params(group: &GenesisGroup, at: &str) -> Result<Params, Error> {
    let syntax = |field: &str, message: &str| Error::Syntax {
        field: format!("{at}.margin{field}"),
        message: message.to_owned(),
    };
    let params = margin::params_from_json(&group.margin).map_err(|error| {
        let inside = error.strip_prefix("params");
        match inside.and_then(|inside| inside.split_once(": ")) {
            Some((field, message)) => syntax(field, message),
            None => syntax("", &error),
        }
    })?;
    params.check_for_orders().map_err(|refused| {
        Error::value(
            format_args!("{at}.margin.{}", refused.field),
            decimal(refused.value, refused.digits),
            refused.rule,
        )
    })?;
    Ok(params)
}

fn series(
    genesis: &Genesis,
    markets: &[ballast_types::MarketSpec],
    context: &market::Context<'_>,
) -> Result<Vec<SeriesSpec>, Error> {
    check_count("series", genesis.series.len(), bounds::MAX_SERIES)?;
    let mut names = BTreeSet::new();
    for (i, series) in genesis.series.iter().enumerate() {
        check_name(
            &format!("series[{i}].name"),
            &series.name,
            "-._/",
            &mut names,
        )?;
    }
    series::series(&genesis.series, markets, context)
}

fn markets(
    genesis: &Genesis,
    context: &market::Context<'_>,
) -> Result<Vec<ballast_types::MarketSpec>, Error> {
    check_count("markets", genesis.markets.len(), bounds::MAX_MARKETS)?;
    let mut symbols = BTreeSet::new();
    let mut perpetuals = BTreeMap::new();
    let mut specs = Vec::with_capacity(genesis.markets.len());
    for (i, market) in genesis.markets.iter().enumerate() {
        let at = format!("markets[{i}]");
        check_name(
            &format!("{at}.symbol"),
            &market.symbol,
            "-._/",
            &mut symbols,
        )?;
        let spec = market::market(market, &at, context)?;
        if spec.kind == MarketKind::Perpetual
            && let Some(other) = perpetuals.insert(spec.group, &market.symbol)
        {
            let reason = format!("has a perpetual already, {other}");
            return Err(Error::text(
                format_args!("{at}.group"),
                &market.group,
                reason,
            ));
        }
        specs.push(spec);
    }
    Ok(specs)
}

fn price_authorities(genesis: &Genesis) -> Result<Vec<KeyId>, Error> {
    let mut seen = BTreeSet::new();
    let mut keys = Vec::with_capacity(genesis.price_authorities.len());
    for (i, text) in genesis.price_authorities.iter().enumerate() {
        let at = || format!("price_authorities[{i}]");
        let key: KeyId = text
            .parse()
            .map_err(|_| Error::text(at(), text, "is not a ballast1... address"))?;
        if !seen.insert(key) {
            return Err(Error::text(at(), text, "occurs twice"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn validators(list: &[GenesisValidator]) -> Result<Vec<ValidatorSpec>, Error> {
    check_count("validators", list.len(), bounds::MAX_VALIDATORS)?;
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    let mut ingress_keys = BTreeSet::new();
    let mut total = 0_u64;
    let mut specs = Vec::with_capacity(list.len());
    for (i, validator) in list.iter().enumerate() {
        let at = |name| format!("validators[{i}].{name}");
        check_name(&at("name"), &validator.name, "-._ ", &mut names)?;
        let consensus_key = key(at("consensus_key"), &validator.consensus_key, &mut keys)?;
        let ingress_key = key(at("ingress_key"), &validator.ingress_key, &mut ingress_keys)?;
        if validator.power == 0 {
            return Err(Error::value(at("power"), 0, "is not above zero"));
        }
        total = total.saturating_add(validator.power);
        if total > bounds::MAX_TOTAL_POWER {
            let reason = format!(
                "makes the total power {total}, more than {}",
                bounds::MAX_TOTAL_POWER
            );
            return Err(Error::value(at("power"), validator.power, reason));
        }
        specs.push(ValidatorSpec {
            name: validator.name.clone(),
            consensus_key,
            ingress_key,
            power: validator.power,
        });
    }
    Ok(specs)
}

fn key(at: String, text: &str, seen: &mut BTreeSet<[u8; 32]>) -> Result<[u8; 32], Error> {
    let mut key = [0; 32];
    if hex::decode_to_slice(text, &mut key).is_err() {
        return Err(Error::text(at, text, "is not 64 hex characters"));
    }
    if !seen.insert(key) {
        return Err(Error::text(at, text, "occurs twice"));
    }
    Ok(key)
}

fn balances(
    accounts: &[GenesisAccount],
    assets: &[AssetSpec],
    asset_ids: &BTreeMap<&str, AssetId>,
    limit: u32,
) -> Result<Vec<(Account, AssetId, u128)>, Error> {
    if u32::try_from(accounts.len()).map_or(true, |count| count > limit) {
        let reason = format!(
            "is below the number of genesis accounts, {}",
            accounts.len()
        );
        return Err(Error::value("limits.accounts", limit, reason));
    }
    let mut seen = BTreeSet::new();
    let mut supply: BTreeMap<AssetId, i128> = BTreeMap::new();
    let mut balances = Vec::new();
    for (i, entry) in accounts.iter().enumerate() {
        let at = format!("accounts[{i}]");
        let address = |reason| Error::text(format_args!("{at}.address"), &entry.address, reason);
        let account: Account = entry
            .address
            .parse()
            .map_err(|_| address("is not ballast1... or ballast1.../sub"))?;
        if !seen.insert(account) {
            return Err(address("occurs twice"));
        }
        if entry.balances.is_empty() {
            return Err(Error::value(
                format_args!("{at}.balances"),
                "{}",
                "holds no balance",
            ));
        }
        for (symbol, balance) in &entry.balances {
            let refuse = |reason: String| {
                let value = format_args!("\"{balance}\"").to_string();
                Error::value(format_args!("{at}.balances.{symbol}"), value, reason)
            };
            let found = asset_ids.get(symbol.as_str());
            let Some((id, asset)) = found.and_then(|id| Some((*id, assets.get(id.index())?)))
            else {
                return Err(refuse(format!("is in {symbol:?}, which is not an asset")));
            };
            let max = bounds::MAX_BALANCE;
            let atoms = balance.scaled(asset.decimals).map_err(|inexact| {
                refuse(match inexact {
                    Inexact::Fraction => format!("has more than {} decimals", asset.decimals),
                    Inexact::TooLarge => format!("is above {max} atoms"),
                })
            })?;
            if !(0..=max).contains(&atoms) {
                return Err(refuse(format!(
                    "is {atoms} atoms, which is not from 0 to {max}"
                )));
            }
            let sum = supply.entry(id).or_default();
            *sum = sum.saturating_add(atoms);
            if *sum > bounds::MAX_SUPPLY {
                let reason = format!(
                    "makes the supply {sum} atoms, more than {}",
                    bounds::MAX_SUPPLY
                );
                return Err(refuse(reason));
            }
            balances.push((account, id, atoms.unsigned_abs()));
        }
    }
    balances.sort_unstable();
    Ok(balances)
}

/// A block must have room for the heaviest transaction of one action; otherwise that action could
/// never be executed.
fn check_block_weight(spec: &ChainSpec) -> Result<(), Error> {
    let heaviest = heaviest_actions(spec)
        .into_iter()
        .map(|action| tx_weight(&transaction_of(action), spec))
        .max()
        .unwrap_or(0);
    if spec.limits.block_weight < heaviest {
        let reason = format!(
            "is below the weight of the heaviest transaction of one action, {heaviest}: lower \
             open_orders or max_fills, or have fewer groups"
        );
        return Err(Error::value(
            "limits.block_weight",
            spec.limits.block_weight,
            reason,
        ));
    }
    Ok(())
}

/// The heaviest of each kind of action whose weight depends on its content or on the genesis.
fn heaviest_actions(spec: &ChainSpec) -> [Action; 6] {
    let amend = Amend {
        order: OrderRef::Id(OrderId(0)),
        price: 1,
        size: 1,
        keep_on_reject: false,
        max_fills: spec.limits.max_fills,
    };
    let transfer = ballast_types::Transfer {
        asset: AssetId(0),
        amount: 1,
        to: Account::default(),
    };
    let node = Node { k: 0, variance: 1 };
    let expiry = ExpirySurface {
        expiry: 0,
        forward: 1,
        rate: 0,
        tenor: 1,
        curve: Curve::Nodes(vec![node; MAX_NODES]),
    };
    let surface = SetSurface {
        group: GroupId(0),
        expiries: vec![expiry; 16],
    };
    [
        Action::Cancel(Cancel::All(None)),
        Action::Amend(amend),
        Action::SetPrices(vec![
            PriceUpdate {
                market: MarketId(0),
                kind: PriceKind::Mark,
                price: 1
            };
            64
        ]),
        Action::Transfer(transfer),
        Action::SetMarginMode(ballast_types::MarginMode::Portfolio),
        Action::SetSurface(surface),
    ]
}

/// A native transaction of one action, only to be weighed.
fn transaction_of(action: Action) -> Tx {
    Tx {
        hash: [0; 32],
        len: 0,
        scheme: Scheme::Native,
        chain: chain_hash(""),
        account: Account::default(),
        key: PublicKey::Ed25519([0; 32]),
        key_id: AccountId::default(),
        nonce: 0,
        expiry: 0,
        actions: vec![action],
        sign_hash: [0; 32],
        signature: [0; 64],
    }
}

fn check_count(field: &str, count: usize, max: usize) -> Result<(), Error> {
    if count > max {
        return Err(Error::value(
            field,
            format_args!("{count} entries"),
            format_args!("are more than {max}"),
        ));
    }
    Ok(())
}

/// A name is 1 to [`bounds::MAX_NAME`] ASCII letters, digits and characters of `others`, begins
/// with a letter or digit, and is used once.
fn check_name(
    at: &str,
    name: &str,
    others: &str,
    seen: &mut BTreeSet<String>,
) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !first || name.len() > bounds::MAX_NAME || !name.chars().all(allowed) {
        return Err(Error::text(
            at,
            name,
            format_args!(
                "is not 1 to {} letters, digits and any of {others:?}, beginning with a letter or digit",
                bounds::MAX_NAME
            ),
        ));
    }
    if !seen.insert(name.to_owned()) {
        return Err(Error::text(at, name, "occurs twice"));
    }
    Ok(())
}
