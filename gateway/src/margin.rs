//! Margin explained, orders tried out, distances to liquidation, and whom other parameters would put
//! under margin. Amounts are decimals of the margin asset, moves are fractions.

use crate::catalog::{Catalog, ratio};
use crate::error::ApiError;
use crate::json;
use crate::orders::Sight;
use axum::http::StatusCode;
use ballast_app::Snapshot;
use ballast_app::explain::{
    Distance, Figures, GroupMargin, HypotheticalOrder, MAX_ORDERS, MarginExplained, MarketMargin,
    PortfolioMargin, Proposed, ProposedError, StandardScenarios, UsedMarks, WhatIfError,
};
use ballast_genesis::margin::params_from_json;
use ballast_types::margin::{MONEY_DIGITS, Params, Scenario, VolatilityShock};
use ballast_types::{Account, AccountId, GroupId, MarginMode, Side};
use serde_json::{Map, Value, json};

/// Most scenarios of parameters that are proposed.
const MAX_SCENARIOS: usize = 200;

/// Millionths as a fraction.
fn fraction(ppm: i64) -> String {
    ratio(i128::from(ppm) * 1_000_000_000)
}

fn figures(catalog: &Catalog, of: &Figures) -> Value {
    json!({
        "equity": catalog.cash(of.equity),
        "initial_margin": catalog.cash(of.initial),
        "maintenance_margin": catalog.cash(of.maintenance),
        "held_margin": catalog.cash(of.held),
    })
}

/// The margin of an account. Open orders by market are for its own keys only.
pub(crate) fn explained(catalog: &Catalog, of: &MarginExplained, sight: Sight) -> Value {
    let group = |group: &GroupMargin| {
        let markets = group.markets.iter();
        let portfolio = group.portfolio.as_ref();
        json!({
            "group": catalog.group(group.group),
            "total": figures(catalog, &group.figures),
            "markets": markets.map(|of| market(catalog, of, sight)).collect::<Vec<_>>(),
            "portfolio": portfolio.map(|of| portfolio_margin(catalog, group.group, of)),
        })
    };
    json!({
        "account": of.account.to_string(),
        "margin_mode": json::margin_mode(of.mode),
        "margin_asset": catalog.asset(catalog.spec.margin_asset),
        "cash": catalog.cash(of.cash),
        "total": figures(catalog, &of.total),
        "missing": catalog.cash(of.missing),
        "uncovered": of.uncovered,
        "under_maintenance": of.under_maintenance,
        "groups": of.groups.iter().map(group).collect::<Vec<_>>(),
    })
}

fn market(catalog: &Catalog, of: &MarketMargin, sight: Sight) -> Value {
    let own = sight == Sight::Own;
    let open = |lots| own.then(|| catalog.size(of.market, lots));
    let scenarios = |of: &StandardScenarios| {
        json!({
            "long_rate": catalog.cash(of.rates.long),
            "short_rate": catalog.cash(of.rates.short),
            "long_loses": catalog.cash(of.long_loses),
            "short_loses": catalog.cash(of.short_loses),
            "open_orders": catalog.cash(of.orders),
        })
    };
    // The parts by market would tell what icebergs hide and what pegged orders are limited to.
    let standard = of.standard.as_ref().filter(|_| own);
    json!({
        "market": catalog.symbol(of.market),
        "position": catalog.size(of.market, of.position),
        "cost": catalog.cash(of.cost),
        "mark": catalog.price(of.market, of.mark),
        "value_per_lot": catalog.cash(of.value),
        "unrealised": catalog.cash(of.unrealised),
        "bids": open(of.bids),
        "asks": open(of.asks),
        "initial": standard.map(|of| scenarios(&of.initial)),
        "maintenance": standard.map(|of| scenarios(&of.maintenance)),
        "held_margin": of.standard.as_ref().map(|of| catalog.cash(of.held)),
    })
}

fn marks(catalog: &Catalog, group: GroupId, of: &UsedMarks) -> Value {
    let price = |price| catalog.group_price(group, price);
    let expiries = of.expiries.iter().map(|of| {
        json!({
            "expiry": of.expiry,
            "secs": of.secs,
            "forward": price(of.forward),
            "fixed": price(of.fixed),
            "rate": ratio(of.rate),
        })
    });
    json!({
        "refreshed": of.refreshed,
        "age_ms": of.age_ms,
        "index": price(of.index),
        "perpetual": price(of.perpetual),
        "open_interest": money(of.open_interest),
        "expiries": expiries.collect::<Vec<_>>(),
    })
}

fn portfolio_margin(catalog: &Catalog, group: GroupId, of: &PortfolioMargin) -> Value {
    let held = of.held.as_ref();
    let results = held.map_or(&[][..], |held| &held.scenario_pnl);
    let rows: Vec<_> = of.scenarios.iter().zip(results).map(scenario).collect();
    let lowest = results.iter().min().copied().unwrap_or(0);
    let worst = results.iter().position(|result| *result == lowest);
    let factor = ratio(of.maintenance_factor);
    let charges = held.map(|of| {
        json!({
            "scan": money(of.scan),
            "worst_scenario": worst.filter(|_| lowest < 0 && of.scan == -lowest),
            "basis": money(of.basis),
            "roll": money(of.roll),
            "delta_shock": money(of.delta_shock),
            "charges_in": money(of.charges_in),
            "floor": money(of.floor),
            "core": money(of.core),
            "maintenance_factor": factor,
            "initial_factor": ratio(of.initial_factor),
            "charges_maintenance": money(of.charges_maintenance),
            "charges_initial": money(of.charges_initial),
            "confidence": money(of.confidence),
            "net_delta": ratio(of.net_delta),
            "naked_short": ratio(of.naked_short),
            "maintenance": money(of.maintenance),
            "initial": money(of.initial),
        })
    });
    json!({
        "marks": marks(catalog, group, &of.marks),
        "spot_amount": amount(of.spot_amount),
        "spot_value": catalog.cash(of.spot_value),
        "scenarios": rows,
        "held": charges,
        "open_orders": {
            "initial": catalog.cash(of.orders_initial),
            "maintenance": catalog.cash(of.orders_maintenance),
            "reserve": catalog.cash(of.reserve),
        },
    })
}

fn scenario((of, result): (&Scenario, &i128)) -> Value {
    json!({
        "move": ratio(of.change),
        "volatility": match of.volatility {
            VolatilityShock::None => "same",
            VolatilityShock::Up => "up",
            VolatilityShock::Down => "down",
            VolatilityShock::Linear => "skew",
            VolatilityShock::Absolute => "smile",
        },
        "weight": ratio(of.weight),
        "secs": of.theta_secs,
        "result": money(*result),
    })
}

/// 10^-12 of the margin asset.
fn money(value: i128) -> String {
    ratio(value.saturating_mul(10_i128.pow(15 - MONEY_DIGITS)))
}

/// 10^-9 of an underlying.
fn amount(value: i128) -> String {
    ratio(value.saturating_mul(1_000_000))
}

pub(crate) fn distances(catalog: &Catalog, account: Account, of: &[Distance]) -> Value {
    let group = |of: &Distance| {
        let at = |ppm: Option<i64>, sign: i64| {
            let price = i128::from(of.index) * i128::from(1_000_000 + sign * ppm?) / 1_000_000;
            let price = i64::try_from(price).ok()?;
            Some(catalog.group_price(of.group, price))
        };
        json!({
            "group": catalog.group(of.group),
            "index": catalog.group_price(of.group, of.index),
            "down": of.down_ppm.map(fraction),
            "down_index": at(of.down_ppm, -1),
            "up": of.up_ppm.map(fraction),
            "up_index": at(of.up_ppm, 1),
        })
    };
    json!({
        "account": account.to_string(),
        "groups": of.iter().map(group).collect::<Vec<_>>(),
    })
}

pub(crate) fn proposed(catalog: &Catalog, group: GroupId, of: &Proposed) -> Value {
    let rows = of.accounts.iter().map(|of| {
        json!({
            "account": of.account.to_string(),
            "before": figures(catalog, &of.before),
            "after": figures(catalog, &of.after),
            "uncovered": of.after.equity < of.after.maintenance,
            "under_maintenance": of.after.under_maintenance(),
        })
    });
    json!({
        "group": catalog.group(group),
        "margin_asset": catalog.asset(catalog.spec.margin_asset),
        "accounts": rows.collect::<Vec<_>>(),
        "looked_at": of.looked_at,
        "next": of.next.map(|account| account.to_string()),
    })
}

/// An object whose fields are read one by one; what is left is refused.
struct Fields {
    path: String,
    fields: Map<String, Value>,
}

impl Fields {
    fn body(bytes: &[u8]) -> Result<Self, ApiError> {
        let fields = serde_json::from_slice(bytes).map_err(|error| {
            let message = format!("the body is one JSON object: {error}");
            ApiError::bad("body", String::from_utf8_lossy(bytes), message)
        })?;
        let path = String::new();
        Ok(Self { path, fields })
    }

    fn of(path: String, value: Value) -> Result<Self, ApiError> {
        match value {
            Value::Object(fields) => Ok(Self { path, fields }),
            other => Err(ApiError::bad(&path, other, format!("{path} is an object"))),
        }
    }

    fn name(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    fn needed(&mut self, name: &str) -> Result<Value, ApiError> {
        self.take(name)
            .ok_or_else(|| ApiError::missing(&self.name(name)))
    }

    /// A string, or a number as it is written.
    fn text(&mut self, name: &str) -> Result<String, ApiError> {
        match self.needed(name)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(self.bad(name, &other, "a string")),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.bad(name, &other, "true or false")),
        }
    }

    fn bad(&self, name: &str, value: &Value, what: &str) -> ApiError {
        let name = self.name(name);
        let value = value.as_str().map_or(value.to_string(), str::to_owned);
        ApiError::bad(&name, value, format!("{name} is {what}"))
    }

    fn done(self) -> Result<(), ApiError> {
        match self.fields.iter().next() {
            None => Ok(()),
            Some((name, value)) => Err(ApiError::unknown_field(&self.name(name), value)),
        }
    }
}

/// Orders to try out, and the margin mode to try them in.
#[derive(Debug)]
pub(crate) struct Trial {
    orders: Vec<HypotheticalOrder>,
    mode: Option<MarginMode>,
}

impl Trial {
    /// Reads `{"orders": [..], "margin_mode": ..}`.
    pub(crate) fn read(catalog: &Catalog, body: &[u8]) -> Result<Self, ApiError> {
        let mut fields = Fields::body(body)?;
        let orders = match fields.take("orders") {
            None => Vec::new(),
            Some(Value::Array(orders)) => orders,
            Some(other) => return Err(fields.bad("orders", &other, "a list")),
        };
        if orders.len() > MAX_ORDERS {
            let count = json!(orders.len());
            let what = format!("a list of at most {MAX_ORDERS}");
            return Err(fields.bad("orders", &count, &what));
        }
        let mode = match fields.take("margin_mode") {
            None => None,
            Some(Value::String(name)) if name == "standard" => Some(MarginMode::Standard),
            Some(Value::String(name)) if name == "portfolio" => Some(MarginMode::Portfolio),
            Some(other) => {
                return Err(fields.bad("margin_mode", &other, "standard or portfolio"));
            }
        };
        fields.done()?;
        let orders = orders.into_iter().enumerate();
        let orders = orders.map(|(at, value)| order(catalog, format!("orders[{at}]"), value));
        Ok(Self {
            orders: orders.collect::<Result<_, _>>()?,
            mode,
        })
    }

    pub(crate) fn on(
        &self,
        state: &Snapshot,
        account: Account,
    ) -> Result<MarginExplained, ApiError> {
        let result = state.what_if(&account, &self.orders, self.mode);
        result.map_err(|error| match error {
            WhatIfError::Account => ApiError::unknown_account(account),
            WhatIfError::Order {
                number,
                field,
                value,
                rule,
            } => {
                let field = format!("orders[{number}].{field}");
                ApiError::bad(&field, value, format!("{field} of {value} {rule}"))
            }
        })
    }
}

fn order(catalog: &Catalog, path: String, value: Value) -> Result<HypotheticalOrder, ApiError> {
    let mut fields = Fields::of(path, value)?;
    let name = fields.text("market")?;
    let market = catalog
        .find(&name)
        .ok_or_else(|| ApiError::unknown_market(name))?;
    let side = match fields.needed("side")? {
        Value::String(side) if side == "buy" => Side::Buy,
        Value::String(side) if side == "sell" => Side::Sell,
        other => return Err(fields.bad("side", &other, "buy or sell")),
    };
    let (price, size) = (fields.text("price")?, fields.text("size")?);
    let ticks = catalog.ticks(market, &price);
    let lots = catalog.lots(market, &size);
    let order = HypotheticalOrder {
        market,
        side,
        price: ticks.ok_or_else(|| {
            fields.bad(
                "price",
                &json!(price),
                "a decimal, whole in the market's ticks",
            )
        })?,
        size: lots.ok_or_else(|| {
            fields.bad(
                "size",
                &json!(size),
                "a decimal, whole in the market's lots",
            )
        })?,
        filled: fields.flag("filled")?,
    };
    fields.done()?;
    Ok(order)
}

/// Parameters of a group that somebody proposes.
pub(crate) struct Proposal {
    pub(crate) group: GroupId,
    params: Params,
    after: Option<Account>,
}

impl Proposal {
    /// Reads `{"group": .., "margin": .., "after": ..}`.
    pub(crate) fn read(catalog: &Catalog, body: &[u8]) -> Result<Self, ApiError> {
        let mut fields = Fields::body(body)?;
        let name = fields.text("group")?;
        let group = catalog.find_group(&name);
        let group = group.ok_or_else(|| ApiError::unknown_group(name))?;
        let margin = fields.needed("margin")?;
        let params = params_from_json(&margin)
            .map_err(|error| ApiError::bad("margin", &margin, format!("margin: {error}")))?;
        if params.scenarios.len() > MAX_SCENARIOS {
            let message = format!("margin.scenarios has at most {MAX_SCENARIOS} elements");
            let count = params.scenarios.len();
            return Err(ApiError::bad("margin.scenarios", count, message));
        }
        let after = match fields.take("after") {
            None => None,
            Some(value) => {
                let account = value.as_str().and_then(account);
                let what = "an account as in an answer's next";
                Some(account.ok_or_else(|| fields.bad("after", &value, what))?)
            }
        };
        fields.done()?;
        Ok(Self {
            group,
            params,
            after,
        })
    }

    pub(crate) fn on(&self, catalog: &Catalog, state: &Snapshot) -> Result<Proposed, ApiError> {
        let result = state.under(self.group, &self.params, self.after);
        result.map_err(|error| match error {
            ProposedError::NoUnit(group) => {
                let (name, message) = (catalog.group(group), "the group has no index yet");
                let status = StatusCode::CONFLICT;
                ApiError::new(status, "NO_PRICES", "group", name, message)
            }
            ProposedError::Refused(error) => ApiError::bad("margin", "", error.to_string()),
        })
    }
}

/// `ballast1...`, or `ballast1.../N`.
fn account(text: &str) -> Option<Account> {
    let (master, sub) = text.split_once('/').unwrap_or((text, "0"));
    let master: AccountId = master.parse().ok()?;
    Some(Account::new(master, sub.parse().ok()?))
}
