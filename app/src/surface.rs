//! Volatility surfaces as actions, records and the kernel say them.

use crate::records::SurfaceRecord;
use ballast_risk::surface::{Slice, Surface};
use ballast_types::surface::{Curve, MAX_NODES, Node, Svi};
use ballast_types::{ExpirySurface, TimeMs};
use bytemuck::Zeroable;

/// Most expiries of a surface.
pub(crate) const MAX_EXPIRIES: usize = 16;

/// `nodes` of a record that holds an SVI curve.
const SVI: u32 = u32::MAX;

/// A surface that holds, and what it gives beside volatilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) expiries: Vec<ExpirySurface>,
    pub(crate) curves: Surface,
}

impl Published {
    /// A surface that was accepted when it was published.
    pub(crate) fn new(expiries: Vec<ExpirySurface>) -> Self {
        Self {
            curves: Surface::accepted(slices(&expiries)),
            expiries,
        }
    }

    pub(crate) fn at(&self, expiry: TimeMs) -> Option<&ExpirySurface> {
        self.expiries.iter().find(|at| at.expiry == expiry)
    }
}

/// Whole seconds of a block time.
pub(crate) fn secs(time: TimeMs) -> i64 {
    i64::try_from(time.div_euclid(1_000)).unwrap_or(i64::MAX)
}

pub(crate) fn slices(expiries: &[ExpirySurface]) -> Vec<Slice> {
    let slice = |at: &ExpirySurface| Slice {
        expiry: secs(at.expiry),
        tenor: i64::from(at.tenor),
        curve: at.curve.clone(),
    };
    expiries.iter().map(slice).collect()
}

impl SurfaceRecord {
    pub(crate) fn of(at: &ExpirySurface) -> Self {
        let mut record = Self {
            expiry: at.expiry,
            forward: at.forward,
            rate: at.rate,
            tenor: at.tenor,
            ..Self::zeroed()
        };
        match &at.curve {
            Curve::Nodes(nodes) => {
                record.nodes = u32::try_from(nodes.len()).unwrap_or(0);
                for (point, node) in record.points.iter_mut().zip(nodes) {
                    *point = [node.k, node.variance];
                }
            }
            Curve::Svi(svi) => {
                record.nodes = SVI;
                let numbers = [[svi.a, svi.b], [svi.rho, svi.m], [svi.sigma, 0]];
                for (point, numbers) in record.points.iter_mut().zip(numbers) {
                    *point = numbers;
                }
            }
        }
        record
    }

    /// What the record holds, unless it is empty.
    pub(crate) fn expiry_surface(&self) -> Option<ExpirySurface> {
        let curve = match self.nodes {
            0 => return None,
            SVI => {
                let [[a, b], [rho, m], [sigma, _], ..] = self.points;
                Curve::Svi(Svi {
                    a,
                    b,
                    rho,
                    m,
                    sigma,
                })
            }
            count => {
                let count = usize::try_from(count).unwrap_or(0).min(MAX_NODES);
                let nodes = self.points.iter().take(count);
                Curve::Nodes(
                    nodes
                        .map(|[k, variance]| Node {
                            k: *k,
                            variance: *variance,
                        })
                        .collect(),
                )
            }
        };
        Some(ExpirySurface {
            expiry: self.expiry,
            forward: self.forward,
            rate: self.rate,
            tenor: self.tenor,
            curve,
        })
    }
}
