//! Volatility surfaces: checked in pass 1, in effect from the next block.

use crate::Model;
use ballast_risk::surface::{Slice, Surface};
use ballast_types::margin::ONE;
use ballast_types::surface::Curve;
use ballast_types::{ActionKey, Code, Event, ExpirySurface, GroupId, KeyId, SetSurface, TimeMs};
use std::collections::BTreeMap;

/// Most expiries of an action.
const EXPIRIES: usize = 16;
/// Largest forward.
const MAX_FORWARD: i64 = 1 << 60;

/// A surface that passed the checks.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) expiries: Vec<ExpirySurface>,
    pub(crate) surface: Surface,
}

impl Published {
    pub(crate) fn of(&self, expiry: TimeMs) -> Option<&ExpirySurface> {
        self.expiries.iter().find(|of| of.expiry == expiry)
    }
}

impl Model {
    /// Pass 1.
    pub(crate) fn check_surface(
        &mut self,
        key: KeyId,
        action: &SetSurface,
    ) -> Result<Published, Code> {
        self.check_price_authority(key)?;
        self.check_group(action.group)?;
        let seconds = |ms: TimeMs| i64::try_from(ms / 1_000).ok();
        let expiries = &action.expiries;
        let good = (1..=EXPIRIES).contains(&expiries.len())
            && expiries.iter().all(|of| {
                of.expiry.is_multiple_of(1_000)
                    && (1..=MAX_FORWARD).contains(&of.forward)
                    && (-ONE..=ONE).contains(&of.rate)
            });
        if !good {
            return Err(Code::BadSurface);
        }
        let slices = expiries.iter().map(|of| {
            Some(Slice {
                expiry: seconds(of.expiry)?,
                tenor: i64::from(of.tenor),
                curve: of.curve.clone(),
            })
        });
        let slices: Option<Vec<Slice>> = slices.collect();
        let now = seconds(self.block.time).ok_or(Code::BadSurface)?;
        let surface = Surface::new(slices.ok_or(Code::BadSurface)?, now);
        let surface = surface.map_err(|_| Code::BadSurface)?;
        let cap = self.spec.groups[action.group.index()].surface_cap;
        if let Some(before) = self.state.surfaces.get(&action.group)
            && cap != 0
            && before.surface.check_jump(&surface, now, cap).is_err()
        {
            return Err(Code::SurfaceJump);
        }
        let expiries = action.expiries.clone();
        Ok(Published { expiries, surface })
    }

    /// Serial step: the highest ActionKey sets the next surface of a group.
    pub(crate) fn propose_surfaces(&mut self, mut surfaces: Vec<(ActionKey, GroupId, Published)>) {
        surfaces.sort_by_key(|(key, _, _)| *key);
        for (_, group, published) in surfaces {
            let pending = &mut self.state.pending_surfaces;
            let before = pending.insert(group, published);
            self.coverage
                .count_if(before.is_some(), "surface replaces a pending one");
        }
    }

    /// Pass 0, after futures are settled.
    pub(crate) fn apply_surfaces(&mut self) {
        for (group, published) in std::mem::take(&mut self.state.pending_surfaces) {
            for of in &published.expiries {
                self.coverage.count(match of.curve {
                    Curve::Nodes(_) => "surface of nodes",
                    Curve::Svi(_) => "surface of SVI",
                });
            }
            self.block.events.push(Event::Surface {
                group,
                expiries: published.expiries.clone(),
            });
            self.state.surfaces.insert(group, published);
            self.block.stale.insert(group);
        }
    }

    /// The surfaces in effect, by group.
    pub fn surfaces(&self) -> BTreeMap<GroupId, Vec<ExpirySurface>> {
        let surfaces = self.state.surfaces.iter();
        surfaces
            .map(|(group, published)| (*group, published.expiries.clone()))
            .collect()
    }
}
