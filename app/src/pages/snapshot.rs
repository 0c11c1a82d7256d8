use bytemuck::Zeroable;
use std::fmt;
use triomphe::Arc;

use super::tree::{Change, Tree, page_bytes};
use super::{Hash, Header, Record, TABLE_KEY, keyed_hash};

/// A table's content as it was sealed. Cloning is cheap; later writes never reach it.
pub struct TableSnapshot<R: Record, const N: usize> {
    pub(super) header: Header,
    pub(super) tree: Tree<R, N>,
    pub(super) root: Hash,
}

impl<R: Record, const N: usize> Clone for TableSnapshot<R, N> {
    fn clone(&self) -> Self {
        Self {
            header: self.header,
            tree: self.tree.clone(),
            root: self.root,
        }
    }
}

impl<R: Record, const N: usize> fmt::Debug for TableSnapshot<R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSnapshot")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl<R: Record, const N: usize> TableSnapshot<R, N> {
    pub(super) fn empty() -> Self {
        let mut snapshot = Self {
            header: Header::zeroed(),
            tree: Tree::new(),
            root: [0; 32],
        };
        snapshot.apply(Header::zeroed(), &[]);
        snapshot
    }

    pub(super) fn apply(&mut self, header: Header, changes: &[Change<R, N>]) {
        self.tree.apply(changes);
        self.header = header;
        self.root = table_root::<R, N>(&self.header, self.tree.hash());
    }

    /// The record in `slot`; `None` when there is no such slot or it is free.
    pub fn get(&self, slot: u32) -> Option<&R> {
        if slot >= self.header.len {
            return None;
        }
        let (page, at) = locate::<N>(slot)?;
        self.tree
            .get(page)?
            .get(at)
            .filter(|record| record.free_link() == 0)
    }

    /// Slots in the table, free ones included.
    pub fn len(&self) -> u32 {
        self.header.len
    }

    /// Whether the table has no slots.
    pub fn is_empty(&self) -> bool {
        self.header.len == 0
    }

    /// Length, free list and user words.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The table's root.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The records in use with their slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &R)> {
        let pages = (0..self.page_count()).filter_map(|index| self.tree.get(index));
        records(self.header.len, pages)
    }

    /// Pages in the table.
    pub fn page_count(&self) -> u32 {
        page_count::<N>(self.header.len)
    }

    /// The bytes of one page, as they are hashed.
    pub fn page_bytes(&self, index: u32) -> Option<&[u8]> {
        self.tree.get(index).map(|page| page_bytes(page))
    }

    /// Indices of the pages that `older` has not or holds in another version, ascending, in time
    /// proportional to their number. Both must come from the same table.
    pub fn pages_changed_since(&self, older: &Self) -> Vec<u32> {
        let mut changed = Vec::new();
        self.tree
            .changed_since(&older.tree, &mut |index, _| changed.push(index));
        changed
    }
}

/// The page of a slot, and the record in it.
#[inline]
pub(super) fn locate<const N: usize>(slot: u32) -> Option<(u32, usize)> {
    let slot = slot as usize;
    let page = u32::try_from(slot.checked_div(N)?).ok()?;
    Some((page, slot.checked_rem(N)?))
}

pub(super) fn page_count<const N: usize>(len: u32) -> u32 {
    u32::try_from((len as usize).div_ceil(N)).unwrap_or(u32::MAX)
}

pub(super) fn records<'a, R: Record, const N: usize>(
    len: u32,
    pages: impl Iterator<Item = &'a Arc<[R; N]>>,
) -> impl Iterator<Item = (u32, &'a R)> {
    (0..len)
        .zip(pages.flat_map(|page| page.iter()))
        .filter(|(_, record)| record.free_link() == 0)
}

/// The root binds the layout, so that no table can be taken for one of another record.
fn table_root<R: Record, const N: usize>(header: &Header, tree: Hash) -> Hash {
    let mut bytes = Vec::with_capacity(size_of::<Header>().saturating_add(52));
    bytes.extend_from_slice(&R::LAYOUT.to_le_bytes());
    bytes.extend_from_slice(&(size_of::<R>() as u64).to_le_bytes());
    bytes.extend_from_slice(&(N as u64).to_le_bytes());
    bytes.extend_from_slice(bytemuck::bytes_of(header));
    bytes.extend_from_slice(&tree);
    keyed_hash(TABLE_KEY, &bytes)
}
