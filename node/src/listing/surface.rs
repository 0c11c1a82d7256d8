//! Volatility surfaces, from what people write to what the chain takes.

use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{ExpirySurface, GroupId, SetSurface, TimeMs};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::Error;
use crate::actions::{ExpirySpec, SurfaceSpec, SviSpec, now_ms};
use crate::api::Api;
use crate::units;

/// Decimals of ratios.
const RATIO_DIGITS: u32 = 15;

/// What conversion needs to know of a group.
#[derive(Debug, Deserialize)]
struct Group {
    group_id: u16,
    price_digits: u32,
}

/// The chain's form of a surface.
pub(super) async fn convert(api: &Api, spec: &SurfaceSpec) -> Result<SetSurface, Error> {
    let group: Group = api.read(&["v1", "surface", &spec.group]).await?;
    let now = now_ms();
    let mut expiries = Vec::with_capacity(spec.expiries.len());
    for (at, of) in spec.expiries.iter().enumerate() {
        let converted = expiry(of, group.price_digits, now);
        expiries.push(converted.map_err(|error| format!("expiries[{at}].{error}"))?);
    }
    Ok(SetSurface {
        group: GroupId(group.group_id),
        expiries,
    })
}

fn expiry(spec: &ExpirySpec, price_digits: u32, now: TimeMs) -> Result<ExpirySurface, String> {
    let curve = match (&spec.nodes, &spec.svi) {
        (Some(nodes), None) => {
            let nodes = nodes.iter().enumerate();
            let nodes = nodes.map(|(at, (k, variance))| {
                Ok(Node {
                    k: ratio(&format!("nodes[{at}]"), *k)?,
                    variance: ratio(&format!("nodes[{at}]"), *variance)?,
                })
            });
            Curve::Nodes(nodes.collect::<Result<_, String>>()?)
        }
        (None, Some(svi)) => Curve::Svi(self::svi(svi)?),
        _ => return Err("nodes: give one of nodes and svi".to_owned()),
    };
    let scale = Decimal::new(1, price_digits);
    let left = spec.expiry.0.saturating_sub(now) / 1_000;
    Ok(ExpirySurface {
        expiry: spec.expiry.0,
        forward: units::multiple("forward", spec.forward, scale, "the scale of the group")?,
        rate: ratio("rate", spec.rate)?,
        tenor: match spec.tenor {
            Some(tenor) => tenor,
            None => u32::try_from(left)
                .map_err(|_| format!("expiry: {} is too far away", spec.expiry.0))?,
        },
        curve,
    })
}

fn svi(spec: &SviSpec) -> Result<Svi, String> {
    Ok(Svi {
        a: ratio("svi.a", spec.a)?,
        b: ratio("svi.b", spec.b)?,
        rho: ratio("svi.rho", spec.rho)?,
        m: ratio("svi.m", spec.m)?,
        sigma: ratio("svi.sigma", spec.sigma)?,
    })
}

fn ratio(field: &str, value: Decimal) -> Result<i64, String> {
    let unit = Decimal::new(1, RATIO_DIGITS);
    units::multiple(field, value, unit, "a ratio's smallest step")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: TimeMs = 1_795_219_200_000;

    fn read(value: serde_json::Value) -> Result<ExpirySurface, String> {
        let spec = serde_json::from_value(value).map_err(|error| error.to_string())?;
        expiry(&spec, 3, NOW)
    }

    #[test]
    fn curves_become_integers() {
        let nodes = json!({"expiry": "2026-11-22T00:00:00Z", "forward": "100500.5",
            "rate": "-0.01", "nodes": [["-0.1", "0.031"], ["0", "0.000000000000001"]]});
        let node = |k, variance| Node { k, variance };
        let expected = ExpirySurface {
            expiry: NOW + 86_400_000,
            forward: 100_500_500,
            rate: -10_000_000_000_000,
            tenor: 86_400,
            curve: Curve::Nodes(vec![
                node(-100_000_000_000_000, 31_000_000_000_000),
                node(0, 1),
            ]),
        };
        assert_eq!(read(nodes), Ok(expected.clone()));
        let svi = json!({"expiry": NOW + 86_400_000, "forward": "100500.5", "rate": "-0.01",
            "tenor": 5, "svi": {"a": "0.01", "b": "0.1", "rho": "-0.3", "m": "0",
            "sigma": "0.4"}});
        let curve = Curve::Svi(Svi {
            a: 10_000_000_000_000,
            b: 100_000_000_000_000,
            rho: -300_000_000_000_000,
            m: 0,
            sigma: 400_000_000_000_000,
        });
        let expected = ExpirySurface {
            tenor: 5,
            curve,
            ..expected
        };
        assert_eq!(read(svi), Ok(expected));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let base = json!({"expiry": "2026-12-25T08:00:00Z", "forward": "1", "nodes": []});
        for (field, value, error) in [
            (
                "forward",
                json!("0.0001"),
                "forward: 0.0001 is not a multiple",
            ),
            (
                "rate",
                json!("0.0000000000000001"),
                "rate: 0.0000000000000001 is not a multiple",
            ),
            ("nodes", json!([["0", "1e99"]]), "invalid value"),
            ("nodes", json!(null), "nodes: give one of nodes and svi"),
            ("expiry", json!("soon"), "\"soon\" is not a time"),
            ("tenor", json!(-1), "invalid value"),
            ("vol", json!("1"), "unknown field `vol`"),
        ] {
            let mut spec = base.clone();
            spec[field] = value;
            let refused = read(spec).expect_err("refused");
            assert!(refused.contains(error), "{refused}");
        }
    }
}
