//! Market-maker protection: bounds on what the quotes of an account in a group may trade.

use crate::accounts::AccountRef;
use crate::groups::GroupShard;
use crate::index::Index;
use crate::records::{ProtectionRecord, ProtectionTable};
use crate::view::ProtectionView;
use ballast_types::{Atoms, GroupId, Lots, SetProtection, TimeMs};
use bytemuck::{Zeroable, bytes_of};

/// What each lot of a trade adds to the sums of the maker, in atoms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerLot {
    pub(crate) notional: Atoms,
    /// Negative when the maker sells; of a put the other way round.
    pub(crate) delta: Atoms,
    /// Negative when the maker sells.
    pub(crate) vega: Atoms,
}

/// The protections of a group, as they were before the pass that reads them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Protections<'a> {
    pub(crate) at: &'a Index<AccountRef, u32>,
    pub(crate) records: &'a ProtectionTable,
}

impl Protections<'_> {
    pub(crate) fn get(&self, owner: AccountRef) -> Option<&ProtectionRecord> {
        self.records.get(self.at.get(&owner)?)
    }
}

impl GroupShard {
    pub(crate) fn protections(&self) -> Protections<'_> {
        Protections {
            at: &self.protection_at,
            records: &self.protections,
        }
    }

    /// Gives the owner's quotes new bounds, and an interval that has not begun.
    pub(crate) fn protect(&mut self, owner: AccountRef, settings: &SetProtection) -> Option<()> {
        let slot = self.protection_at.get(&owner);
        if settings.interval_ms == 0 {
            if let Some(slot) = slot {
                self.protection_at.remove(&owner);
                self.protections.free(slot).ok()?;
            }
            return Some(());
        }
        let slot = match slot {
            Some(slot) => slot,
            None => {
                let slot = self.protections.alloc().ok()?;
                self.protection_at.insert(owner, slot);
                slot
            }
        };
        *self.protections.get_mut(slot)? = ProtectionRecord {
            account: owner.0,
            interval: settings.interval_ms,
            freeze: settings.freeze_ms,
            max_notional: settings.notional,
            max_delta: settings.delta,
            max_vega: settings.vega,
            ..ProtectionRecord::zeroed()
        };
        Some(())
    }

    /// Keeps what a block has made of a protection.
    pub(crate) fn store_protection(
        &mut self,
        owner: AccountRef,
        now: &ProtectionRecord,
    ) -> Option<()> {
        let slot = self.protection_at.get(&owner)?;
        if bytes_of(self.protections.get(slot)?) != bytes_of(now) {
            *self.protections.get_mut(slot)? = *now;
        }
        Some(())
    }

    /// Slots of the owner's quotes, oldest first.
    pub(crate) fn quotes_of(&self, owner: AccountRef) -> Vec<u32> {
        let slots = self
            .orders_of(owner)
            .filter(|slot| self.orders.get(*slot).is_some_and(|order| order.quote()));
        slots.collect()
    }
}

impl ProtectionRecord {
    pub(crate) fn frozen(&self, time: TimeMs) -> bool {
        time < self.frozen_until
    }

    /// Of `lots`, how many the bounds leave. Begins the interval anew when it is over.
    pub(crate) fn allow(&mut self, lots: Lots, per_lot: PerLot, time: TimeMs) -> Lots {
        if time >= self.start.saturating_add(self.interval) {
            self.start = time;
            (self.notional, self.delta, self.vega) = (0, 0, 0);
        }
        let mut most = Atoms::from(lots);
        let mut bound = |left: Atoms, per_lot: Atoms| {
            let fit = left.max(0).checked_div(per_lot);
            most = fit.map_or(most, |fit| fit.min(most));
        };
        if self.max_notional > 0 {
            let left = atoms(self.max_notional).saturating_sub(self.notional);
            bound(left, per_lot.notional);
        }
        let signed = [
            (self.max_delta, self.delta, per_lot.delta),
            (self.max_vega, self.vega, per_lot.vega),
        ];
        for (max, sum, per_lot) in signed.into_iter().filter(|(max, ..)| *max > 0) {
            let left = if per_lot < 0 {
                atoms(max).saturating_add(sum)
            } else {
                atoms(max).saturating_sub(sum)
            };
            bound(left, per_lot.saturating_abs());
        }
        Lots::try_from(most).unwrap_or(0)
    }

    /// Counts lots that traded. True when a sum has reached its bound.
    pub(crate) fn add(&mut self, lots: Lots, per_lot: PerLot) -> bool {
        let lots = Atoms::from(lots);
        let of = |per_lot: Atoms| per_lot.saturating_mul(lots);
        self.notional = self.notional.saturating_add(of(per_lot.notional));
        self.delta = self.delta.saturating_add(of(per_lot.delta));
        self.vega = self.vega.saturating_add(of(per_lot.vega));
        let reached = |max: u128, sum: Atoms| max > 0 && sum.unsigned_abs() >= max;
        reached(self.max_notional, self.notional)
            || reached(self.max_delta, self.delta)
            || reached(self.max_vega, self.vega)
    }

    /// Freezes the quotes and returns until when.
    pub(crate) fn take_effect(&mut self, time: TimeMs) -> TimeMs {
        self.frozen_until = match self.freeze {
            0 => TimeMs::MAX,
            freeze => time.saturating_add(freeze),
        };
        self.frozen_until
    }

    pub(crate) fn view(&self, group: GroupId) -> ProtectionView {
        ProtectionView {
            settings: SetProtection {
                group,
                interval_ms: self.interval,
                freeze_ms: self.freeze,
                notional: self.max_notional,
                delta: self.max_delta,
                vega: self.max_vega,
            },
            start: self.start,
            notional: self.notional,
            delta: self.delta,
            vega: self.vega,
            frozen_until: self.frozen_until,
        }
    }
}

fn atoms(bound: u128) -> Atoms {
    Atoms::try_from(bound).unwrap_or(Atoms::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_leave_exactly_what_fits() {
        let buy = |v| PerLot {
            notional: 10,
            delta: v,
            vega: 0,
        };
        // Bound on notional, on delta, delta so far, per lot, lots of ten that may trade.
        for (max_notional, max_delta, delta, per_lot, expected) in [
            (0, 0, 0, buy(7), 10),
            (99, 0, 0, buy(7), 9),
            (100, 0, 0, buy(7), 10),
            (9, 0, 0, buy(7), 0),
            (0, 21, 0, buy(7), 3),
            (0, 21, 15, buy(7), 0),
            (0, 21, -21, buy(7), 6),
            (0, 21, 0, buy(-7), 3),
            (0, 21, 7, buy(-7), 4),
            (0, 21, -20, buy(-7), 0),
            (20, 21, 0, buy(-7), 2),
            (u128::MAX, u128::MAX, -5, buy(-7), 10),
        ] {
            let mut record = ProtectionRecord {
                interval: 1_000,
                start: 5_000,
                max_notional,
                max_delta,
                delta,
                ..ProtectionRecord::zeroed()
            };
            let lots = record.allow(10, per_lot, 5_999);
            assert_eq!(lots, expected, "{max_notional} {max_delta} {delta}");
        }
    }

    #[test]
    fn an_interval_that_is_over_begins_anew() {
        let per_lot = PerLot {
            notional: 1,
            delta: 1,
            vega: 1,
        };
        let full = ProtectionRecord {
            interval: 1_000,
            start: 5_000,
            max_notional: 7,
            notional: 7,
            delta: 7,
            ..ProtectionRecord::zeroed()
        };
        let mut record = full;
        assert_eq!(record.allow(10, per_lot, 5_999), 0);
        assert_eq!(record.start, 5_000);
        assert_eq!(record.allow(10, per_lot, 6_000), 7);
        assert_eq!((record.start, record.notional, record.delta), (6_000, 0, 0));
        assert!(!record.add(6, per_lot));
        assert!(record.add(1, per_lot));
        assert_eq!(record.take_effect(6_000), TimeMs::MAX);
        record.freeze = 10;
        assert_eq!(record.take_effect(6_000), 6_010);
        assert_eq!((record.frozen(6_009), record.frozen(6_010)), (true, false));
    }
}
