//! Files of portfolio-margin cases: `param_sets`, and `vectors` with the accounts to margin.
//!
//! The format is described in `docs/margin.md`. What a file says is turned into the integers of
//! [`ballast_risk::portfolio`] here, and nowhere else; what the program does not know is an error
//! that names the field and its value.

mod unit;

use ballast_genesis::margin::{Field, PRESETS, read_params};
use ballast_risk::portfolio::{
    Error, Holdings, MONEY_DIGITS, Margin, ONE, Params, RATIO_DIGITS, Scenarios, UnitMargin, Worst,
    decimal, total,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use unit::Unit;

/// A file, read but not judged: each case is on its own.
#[derive(Clone, Debug)]
pub struct MarginFile {
    sets: Map<String, Value>,
    cases: Vec<Value>,
}

/// The margin of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The account.
    pub account: Margin,
    /// Its units, by name.
    pub units: BTreeMap<String, UnitMargin>,
}

impl MarginFile {
    /// Reads `{"param_sets": {..}, "vectors": [..]}`. Sets of the presets need not be in the file.
    ///
    /// # Errors
    /// JSON of another shape.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut sets: Map<String, Value> =
            serde_json::from_str(PRESETS).map_err(|error| error.to_string())?;
        match file.get_mut("param_sets").map(Value::take) {
            None | Some(Value::Null) => {}
            Some(Value::Object(own)) => sets.extend(own),
            Some(_) => return Err("param_sets: is not an object".to_owned()),
        }
        match file.get_mut("vectors").map(Value::take) {
            Some(Value::Array(cases)) => Ok(Self { sets, cases }),
            _ => Err("vectors: is not a list".to_owned()),
        }
    }

    /// The cases.
    pub fn cases(&self) -> &[Value] {
        &self.cases
    }

    /// Parameters by the name of a set.
    ///
    /// # Errors
    /// No such set, or one that breaks a rule.
    pub fn params(&self, name: &str) -> Result<Params, String> {
        let name_value = Value::from(name);
        self.params_of(&Field::root("params", &name_value))
    }

    /// Parameters of a case.
    ///
    /// # Errors
    /// As [`Self::params`].
    pub fn params_of_case(&self, case: &Value) -> Result<Params, String> {
        self.params_of(&Field::root("case", case).get("params"))
    }

    fn params_of(&self, field: &Field<'_>) -> Result<Params, String> {
        let set = match field.value() {
            None => return Err(field.error("")),
            Some(Value::String(name)) => self
                .sets
                .get(name)
                .ok_or_else(|| field.error("names no set of param_sets"))?,
            Some(object) => object,
        };
        read_params(&Field::root("params", set))
    }

    /// Margins one case.
    ///
    /// # Errors
    /// Names the field and its value.
    pub fn run(&self, case: &Value) -> Result<Outcome, String> {
        let units = self.each_unit(case, Scenarios::margin)?;
        let cash = Field::root("case", case).get("input").get("cash").money()?;
        let account = total(cash, units.values()).map_err(|error| error.to_string())?;
        Ok(Outcome { account, units })
    }

    /// What `of` makes of each unit of a case, by name.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn each_unit<T>(
        &self,
        case: &Value,
        of: impl Fn(&Scenarios, &Holdings<'_>) -> Result<T, Error>,
    ) -> Result<BTreeMap<String, T>, String> {
        let case = Field::root("case", case);
        let params = Arc::new(self.params_of(&case.get("params"))?);
        let input = Field::root("input", case.get("input").value().unwrap_or(&Value::Null));
        input.only(&["cash", "stable", "units"])?;
        let stable = input.get("stable").ratio(ONE)?;
        let mut units = BTreeMap::new();
        for (name, field) in input.get("units").members()? {
            let unit = Unit::read(&field, &params, stable)?;
            let result = unit.run(&params, &of);
            let result = result.map_err(|error| format!("input.units.{name}.{error}"))?;
            units.insert(name, result);
        }
        Ok(units)
    }
}

impl Outcome {
    /// The names of `expected`, with decimal strings.
    pub fn json(&self) -> Value {
        let Margin {
            equity,
            initial,
            maintenance,
        } = self.account;
        let units: Map<String, Value> = self
            .units
            .iter()
            .map(|(name, unit)| (name.clone(), unit_json(unit)))
            .collect();
        json!({
            "equity": money(equity),
            "im": money(initial),
            "mm": money(maintenance),
            "net_im": money(equity.saturating_sub(initial)),
            "net_mm": money(equity.saturating_sub(maintenance)),
            "units": units,
        })
    }
}

fn unit_json(unit: &UnitMargin) -> Value {
    let pnl: Vec<String> = unit.scenario_pnl.iter().map(|pnl| money(*pnl)).collect();
    json!({
        "im": money(unit.initial),
        "mm": money(unit.maintenance),
        "mtm": money(unit.value),
        "scan": money(unit.scan),
        "worst_scenario": match unit.worst {
            None => Value::Null,
            Some(Worst::Scenario(index)) => Value::from(index),
            Some(Worst::Basis) => Value::from("basis"),
        },
        "basis_competing": money(unit.basis),
        "charges_in_scaling": money(unit.charges_in),
        "roll": money(unit.roll),
        "delta_shock": money(unit.delta_shock),
        "floor": money(unit.floor),
        "core": money(unit.core),
        "naked_short": decimal(unit.naked_short, RATIO_DIGITS),
        "net_delta": decimal(unit.net_delta, RATIO_DIGITS),
        "scenario_pnl": pnl,
    })
}

/// Money in decimals.
pub fn money(amount: i128) -> String {
    decimal(amount, MONEY_DIGITS)
}
