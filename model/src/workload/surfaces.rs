//! Volatility surfaces: walks of them, and such as must be refused.

use super::Workload;
use ballast_types::margin::ONE;
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    Action, ExpirySurface, GroupId, MarketKind, PriceKind, PriceUpdate, SetSurface, TimeMs,
};

pub(super) const YEAR_SECS: i64 = 31_536_000;
/// What all curves are of, so that total variance grows with time.
const TENOR_SECS: u32 = 7 * 86_400;

/// A ratio in thousandths.
fn mille(x: i64) -> i64 {
    x.saturating_mul(ONE / 1_000)
}

/// Total variance of the tenor for a volatility in thousandths.
fn variance(volatility: i64) -> i64 {
    let year = volatility * volatility * (ONE / 1_000_000);
    let tenor = i128::from(year) * i128::from(TENOR_SECS) / i128::from(YEAR_SECS);
    i64::try_from(tenor).unwrap_or(i64::MAX)
}

/// A smile: wings in thousandths of the middle.
fn smile(volatility: i64) -> Curve {
    let middle = variance(volatility);
    let wings = [
        (-400, 1_150),
        (-150, 1_040),
        (0, 1_000),
        (150, 1_030),
        (400, 1_120),
    ];
    let node = |(k, part)| Node {
        k: mille(k),
        variance: middle / 1_000 * part,
    };
    Curve::Nodes(wings.map(node).to_vec())
}

/// About the same as raw SVI.
fn svi(volatility: i64) -> Svi {
    let middle = variance(volatility);
    Svi {
        a: middle / 10 * 9,
        b: middle,
        rho: mille(-200),
        m: 0,
        sigma: mille(100),
    }
}

impl Workload {
    /// Index and surface of the groups with options walk.
    pub(super) fn move_surfaces(&mut self) -> Vec<Vec<u8>> {
        let mut actions = Vec::new();
        for group in [0, 1].map(GroupId) {
            if self.rng.one_in(3) {
                let market = self.reference(group);
                let now = self.index(market);
                let price = now + self.rng.signed(-now / 30, now / 30);
                actions.push(Action::SetPrices(vec![PriceUpdate {
                    market,
                    kind: PriceKind::Index,
                    price: price.clamp(300, 4_000),
                }]));
            }
        }
        if self.rng.one_in(3) {
            let group = GroupId(self.rng.pick(&[0, 0, 1, 1, 2]));
            actions.push(Action::SetSurface(self.surface(group)));
            if self.rng.one_in(6) {
                actions.push(Action::SetSurface(self.surface(group)));
            }
        }
        if actions.is_empty() {
            return Vec::new();
        }
        vec![self.native_of(self.authority(), actions)]
    }

    /// A good one, a little away from the last.
    fn surface(&mut self, group: GroupId) -> SetSurface {
        let at = usize::from(group.0);
        let now = self.volatilities[at];
        let volatility = (now + self.rng.signed(-now / 15, now / 15)).clamp(300, 2_500);
        self.volatilities[at] = volatility;
        let curve = if self.rng.one_in(2) {
            smile(volatility)
        } else {
            Curve::Svi(svi(volatility))
        };
        let mut expiries = Vec::new();
        for expiry in self.next_expiries(group) {
            let forward = self.group_index(group) / 1_000 * (1_000 + self.rng.signed(-4, 4));
            expiries.push(ExpirySurface {
                expiry,
                forward,
                rate: mille(self.rng.signed(-30, 80)),
                tenor: TENOR_SECS,
                curve: curve.clone(),
            });
        }
        SetSurface { group, expiries }
    }

    /// Some that the group has, and one in eight days.
    fn next_expiries(&self, group: GroupId) -> Vec<TimeMs> {
        let own = self.spec.markets.iter().filter(|m| m.group == group);
        let options = own.filter(|m| matches!(m.kind, MarketKind::Option { .. }));
        let mut expiries: Vec<TimeMs> = options.filter_map(|m| m.kind.expiry()).collect();
        expiries.push(self.time / 1_000 * 1_000 + 8 * 86_400_000);
        expiries.retain(|expiry| *expiry > self.time + 2_000);
        expiries.sort_unstable();
        expiries.dedup();
        expiries.truncate(4);
        expiries
    }

    /// Of an account that is no authority, mostly.
    pub(super) fn surface_of_anyone(&mut self) -> SetSurface {
        let group = self.group();
        let known = usize::from(group.0) < self.volatilities.len();
        let mut surface = self.surface(if known { group } else { GroupId(0) });
        surface.group = group;
        surface
    }

    /// One that is refused, or nearly.
    pub(super) fn bad_surface(&mut self) -> Vec<Vec<u8>> {
        let group = GroupId(self.rng.pick(&[0, 0, 0, 1]));
        let before = self.volatilities.clone();
        let mut surface = self.surface(group);
        self.volatilities = before;
        let now = self.volatilities[usize::from(group.0)];
        let last = surface.expiries.len() - 1;
        match self.rng.below(16) {
            0 => surface.expiries.clear(),
            1 => {
                let first = surface.expiries[0].clone();
                let expiries = (0..17).map(|week| ExpirySurface {
                    expiry: first.expiry + week * 1_000,
                    curve: Curve::Svi(svi(now)),
                    ..first
                });
                surface.expiries = expiries.collect();
            }
            2 => surface.group = GroupId(self.rng.pick(&[3, u16::MAX])),
            3 => surface.expiries[last].forward = self.rng.pick(&[0, -1, (1 << 60) + 1, 1 << 60]),
            4 => surface.expiries[last].rate = self.rng.pick(&[mille(1_001), -ONE - 1, ONE]),
            5 => surface.expiries[0].expiry = self.time / 1_000 * 1_000,
            6 => surface.expiries[0].tenor = 0,
            // Variance falls with time.
            7 => surface.expiries[last].tenor *= 100,
            // More variance in the middle than beside it.
            8 => {
                if let Curve::Nodes(mut nodes) = smile(now) {
                    nodes[3].variance *= 20;
                    surface.expiries[0].curve = Curve::Nodes(nodes);
                }
            }
            9 => {
                let edge = self.edge_or(0);
                surface.expiries[0].curve = Curve::Svi(Svi {
                    sigma: edge,
                    ..svi(now)
                });
            }
            _ => {
                let jump = self.rng.pick(&[now / 2, now * 2]);
                for expiry in &mut surface.expiries {
                    expiry.curve = smile(jump);
                }
            }
        }
        vec![self.native_of(self.authority(), vec![Action::SetSurface(surface)])]
    }
}
