//! What only options have: their terms, the expiries and strikes that are listed, surfaces and the
//! last refreshes. Tables of the state, and what finds their records.

use crate::index::Index;
use crate::pages::Hash;
use crate::records::{
    ExpiryRecord, ExpiryTable, ExpiryTableView, LadderRecord, LadderTable, LadderTableView,
    OptionTable, OptionTableView, SurfaceRecord, SurfaceTable, SurfaceTableView, UnitRecord,
    UnitTable, UnitTableView,
};
use crate::surface::MAX_EXPIRIES;
use ballast_types::{ChainSpec, ExpirySurface, GroupId, MarketId, TimeMs};
use bytemuck::Zeroable;

/// An expiry of a group's options.
pub(crate) type ExpiryKey = (GroupId, TimeMs);

/// An expiry of a series.
pub(crate) type LadderKey = (u16, TimeMs);

#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) options: OptionTable,
    pub(crate) expiries: ExpiryTable,
    pub(crate) ladders: LadderTable,
    pub(crate) units: UnitTable,
    pub(crate) surfaces: SurfaceTable,
    pub(crate) expiry_at: Index<ExpiryKey, u32>,
    pub(crate) ladder_at: Index<LadderKey, u32>,
    /// Options that are not settled.
    pub(crate) unsettled: Index<(GroupId, TimeMs, MarketId), ()>,
}

#[derive(Clone, Debug)]
pub(crate) struct ListedTables {
    options: OptionTableView,
    expiries: ExpiryTableView,
    ladders: LadderTableView,
    units: UnitTableView,
    surfaces: SurfaceTableView,
}

/// Surfaces of a group: that which holds, and the pending one.
const SURFACES: usize = 2;

impl Listed {
    pub(crate) fn new(spec: &ChainSpec) -> Self {
        let mut listed = Self {
            options: OptionTable::new(u32::MAX),
            expiries: ExpiryTable::new(u32::MAX),
            ladders: LadderTable::new(u32::MAX),
            units: UnitTable::new(u32::MAX),
            surfaces: SurfaceTable::new(u32::MAX),
            expiry_at: Index::default(),
            ladder_at: Index::default(),
            unsettled: Index::default(),
        };
        for _ in &spec.groups {
            // Tables without practical limit take every group.
            let _ = listed.units.push(UnitRecord::zeroed());
            for _ in 0..MAX_EXPIRIES.saturating_mul(SURFACES) {
                let _ = listed.surfaces.push(SurfaceRecord::zeroed());
            }
        }
        listed
    }

    pub(crate) fn seal(&mut self) -> [Hash; 5] {
        [
            self.options.seal(),
            self.expiries.seal(),
            self.ladders.seal(),
            self.units.seal(),
            self.surfaces.seal(),
        ]
    }

    pub(crate) fn owned_pages(&self) -> [usize; 5] {
        [
            self.options.owned_page_count(),
            self.expiries.owned_page_count(),
            self.ladders.owned_page_count(),
            self.units.owned_page_count(),
            self.surfaces.owned_page_count(),
        ]
    }

    pub(crate) fn snapshot(&self) -> ListedTables {
        ListedTables {
            options: self.options.snapshot(),
            expiries: self.expiries.snapshot(),
            ladders: self.ladders.snapshot(),
            units: self.units.snapshot(),
            surfaces: self.surfaces.snapshot(),
        }
    }

    /// Makes the present content of the indexes the one that a dropped candidate goes back to.
    pub(crate) fn settle(&mut self) {
        self.expiry_at.seal();
        self.ladder_at.seal();
        self.unsettled.seal();
    }

    /// Goes back to what was committed.
    pub(crate) fn restore(&mut self, tables: &ListedTables) {
        self.options.restore(&tables.options);
        self.expiries.restore(&tables.expiries);
        self.ladders.restore(&tables.ladders);
        self.units.restore(&tables.units);
        self.surfaces.restore(&tables.surfaces);
        self.expiry_at.discard();
        self.ladder_at.discard();
        self.unsettled.discard();
    }

    /// The record of an expiry, which begins when it is new.
    pub(crate) fn open_expiry(&mut self, (group, expiry): ExpiryKey) -> Option<()> {
        if self.expiry_at.contains(&(group, expiry)) {
            return Some(());
        }
        let slot = self.expiries.alloc().ok()?;
        *self.expiries.get_mut(slot)? = ExpiryRecord {
            group: group.0,
            expiry,
            ..ExpiryRecord::zeroed()
        };
        self.expiry_at.insert((group, expiry), slot);
        Some(())
    }

    /// Forgets an expiry that is settled.
    pub(crate) fn close_expiry(&mut self, key: ExpiryKey) -> Option<()> {
        let slot = self.expiry_at.remove(&key)?;
        self.expiries.free(slot).ok()
    }

    pub(crate) fn open_ladder(&mut self, ladder: LadderRecord) -> Option<u32> {
        let slot = self.ladders.alloc().ok()?;
        *self.ladders.get_mut(slot)? = ladder;
        self.ladder_at.insert((ladder.series, ladder.expiry), slot);
        Some(slot)
    }

    /// Forgets a ladder that no more strikes are listed of.
    pub(crate) fn close_ladder(&mut self, key: LadderKey) -> Option<()> {
        let slot = self.ladder_at.remove(&key)?;
        self.ladders.free(slot).ok()
    }

    /// Expiries of a group that are not settled, ascending.
    pub(crate) fn expiries_of(&self, group: GroupId) -> impl Iterator<Item = (ExpiryKey, u32)> {
        self.expiry_at.range((group, 0)..=(group, TimeMs::MAX))
    }

    /// Options of an expiry that are not settled, ascending.
    pub(crate) fn options_at(&self, (group, expiry): ExpiryKey) -> Vec<MarketId> {
        let range = (group, expiry, MarketId(0))..=(group, expiry, MarketId(u32::MAX));
        let markets = self.unsettled.range(range);
        markets.map(|((.., market), ())| market).collect()
    }

    /// Slots of a surface: of the one that holds, or of the pending one.
    fn slots(group: GroupId, pending: bool) -> impl Iterator<Item = u32> {
        let of_group = group.index().saturating_mul(SURFACES);
        let first = of_group
            .saturating_add(usize::from(pending))
            .saturating_mul(MAX_EXPIRIES);
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        (first..).take(MAX_EXPIRIES)
    }

    /// A surface of a group; empty is none.
    pub(crate) fn surface(&self, group: GroupId, pending: bool) -> Vec<ExpirySurface> {
        Self::slots(group, pending)
            .filter_map(|slot| self.surfaces.get(slot)?.expiry_surface())
            .collect()
    }

    pub(crate) fn set_surface(&mut self, group: GroupId, pending: bool, of: &[ExpirySurface]) {
        for (at, slot) in Self::slots(group, pending).enumerate() {
            let record = of.get(at).map(SurfaceRecord::of);
            let record = record.unwrap_or(SurfaceRecord::zeroed());
            if let Some(stored) = self.surfaces.get_mut(slot) {
                *stored = record;
            }
        }
    }
}
