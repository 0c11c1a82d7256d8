//! Volatility surfaces as people write them.

use std::path::Path;

use ballast_genesis::Time;
use rust_decimal::Decimal;
use serde::Deserialize;

/// See [`super::ActionSpec::Surface`].
#[derive(Clone, Debug, clap::Args, Deserialize)]
#[serde(transparent)]
pub struct SurfaceArg {
    /// JSON with group and expiries; `-` reads stdin
    #[arg(value_name = "FILE", value_parser = read)]
    pub spec: SurfaceSpec,
}

/// A surface of a group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurfaceSpec {
    /// Name or number of the group.
    pub group: String,
    /// By ascending expiry.
    pub expiries: Vec<ExpirySpec>,
}

/// Forward, rate and curve of an expiry; one of `nodes` and `svi`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpirySpec {
    /// When it is.
    pub expiry: Time,
    /// Price of the forward.
    pub forward: Decimal,
    /// Interest a year.
    #[serde(default)]
    pub rate: Decimal,
    /// Seconds for which the curve gives total variance; those that are left when not given.
    #[serde(default)]
    pub tenor: Option<u32>,
    /// (log-moneyness, total variance), ascending.
    #[serde(default)]
    pub nodes: Option<Vec<(Decimal, Decimal)>>,
    /// Raw SVI.
    #[serde(default)]
    pub svi: Option<SviSpec>,
}

/// Parameters of raw SVI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SviSpec {
    /// Level.
    pub a: Decimal,
    /// Slope of the wings.
    pub b: Decimal,
    /// Tilt.
    pub rho: Decimal,
    /// Log-moneyness of the middle.
    pub m: Decimal,
    /// Roundness.
    pub sigma: Decimal,
}

/// Reads a surface from a file.
fn read(file: &str) -> Result<SurfaceSpec, String> {
    let text = match file {
        "-" => std::io::read_to_string(std::io::stdin()),
        file => std::fs::read_to_string(Path::new(file)),
    };
    let text = text.map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}
