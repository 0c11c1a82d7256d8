//! Parameters of portfolio margin from JSON, in the format of `docs/margin.md`.

mod field;
mod params;

use ballast_types::margin::Params;
use serde_json::{Map, Value};

pub use field::{Field, parse};
pub use params::read_params;

/// The parameter sets of the venues' styles: an object with the parameters of each by name.
pub const PRESETS: &str = include_str!("presets.json");

/// The preset of this name.
///
/// # Errors
/// No such preset.
pub fn preset(name: &str) -> Result<Params, String> {
    let sets: Map<String, Value> =
        serde_json::from_str(PRESETS).map_err(|error| error.to_string())?;
    let set = sets.get(name).ok_or_else(|| {
        let names: Vec<&str> = sets.keys().map(String::as_str).collect();
        format!("{name:?} is none of {}", names.join(", "))
    })?;
    read_params(&Field::root("params", set))
}

/// Parameters from the name of a preset or an object.
///
/// # Errors
/// No such preset, or a field that is unknown, missing or breaks a rule; names it and its value.
pub fn params_from_json(value: &Value) -> Result<Params, String> {
    match value {
        Value::String(name) => preset(name),
        object => read_params(&Field::root("params", object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_the_name_of_a_preset_or_an_object() {
        let sets: Map<String, Value> = serde_json::from_str(PRESETS).unwrap();
        assert_eq!(sets.len(), 9);
        for (name, set) in &sets {
            let named = params_from_json(&json!(name)).unwrap();
            assert_eq!(params_from_json(set).unwrap(), named, "{name}");
        }
        for (value, error) in [
            (json!("spm"), "\"spm\" is none of aevo, "),
            (json!(5), "params: 5 is not an object"),
            (json!({}), "params.scenarios: missing"),
            (
                json!({"scenarios": [], "im_factor": "0.5"}),
                "params.im_factor: 0.5 must not be",
            ),
            (
                json!({"scenarios": [], "margin": 1}),
                "params.margin: 1 is not known",
            ),
        ] {
            let refused = params_from_json(&value).unwrap_err();
            assert!(refused.starts_with(error), "{refused}");
        }
    }
}
