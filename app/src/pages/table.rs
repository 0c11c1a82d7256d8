use bytemuck::Zeroable;
use std::fmt;
use triomphe::Arc;

use super::snapshot::{locate, page_count, records};
use super::tree::Change;
use super::{Hash, Header, Record, Reusable, TableSnapshot, Words};

/// Why a table refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The table may not grow further.
    #[error("table is full: limit {limit} slots")]
    Full {
        /// Most slots the table may have.
        limit: u32,
    },
    /// The slot does not exist or is free.
    #[error("slot {slot} is not in use")]
    NotInUse {
        /// The slot that was named.
        slot: u32,
    },
    /// The free list names a slot that is not free: the state is damaged.
    #[error("free list names slot {slot}, which is not free")]
    CorruptFreeList {
        /// The slot that the list names.
        slot: u32,
    },
    /// A loaded header contradicts itself or the limit.
    #[error("header: {len} slots (limit {limit}), {free_len} free, first free {free_head}")]
    BadHeader {
        /// Slots that the header claims.
        len: u32,
        /// Most slots the table may have.
        limit: u32,
        /// Free slots that the header claims.
        free_len: u32,
        /// First free slot + 1 that the header claims.
        free_head: u32,
    },
    /// A loaded page has the wrong size.
    #[error("page {index} has {bytes} bytes")]
    BadPage {
        /// Index of the page.
        index: u32,
        /// Bytes it has.
        bytes: usize,
    },
    /// The number of loaded pages does not fit the header.
    #[error("{pages} pages, header says {expected}")]
    BadPageCount {
        /// Pages that were given.
        pages: usize,
        /// Pages that the header's length needs.
        expected: u32,
    },
}

/// A growable array of records in pages of `N` records each.
///
/// Writes of the running block are seen by the table at once, and by snapshots only after
/// [`seal`](Self::seal).
pub struct Table<R: Record, const N: usize> {
    header: Header,
    /// Every page by index. A page of the sealed tree is shared with it; one that is not shared
    /// is owned by this block.
    pages: Vec<Arc<[R; N]>>,
    /// Pages owned by this block, each once.
    owned: Vec<Owned<R, N>>,
    sealed: TableSnapshot<R, N>,
    limit: u32,
}

struct Owned<R, const N: usize> {
    index: u32,
    /// The sealed version; `None` for a page that is new in this block.
    sealed: Option<Arc<[R; N]>>,
}

impl<R: Record, const N: usize> fmt::Debug for Table<R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl<R: Record, const N: usize> Table<R, N> {
    /// Bytes of one page.
    pub const PAGE_BYTES: usize = size_of::<[R; N]>();

    /// An empty table that may grow to `limit` slots.
    pub fn new(limit: u32) -> Self {
        const { assert!(N.is_power_of_two() && size_of::<R>() > 0) };
        Self {
            header: Header::zeroed(),
            pages: Vec::new(),
            owned: Vec::new(),
            sealed: TableSnapshot::empty(),
            limit: limit.min(u32::MAX - 1),
        }
    }

    /// A sealed table from a header and all its pages in order, as a snapshot gives them.
    /// Nothing is trusted about the content: compare [`root`](Self::root) with a trusted one.
    pub fn load<'a>(
        limit: u32,
        header: Header,
        pages: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Error> {
        let mut table = Self::new(limit);
        let Header {
            len,
            free_head,
            free_len,
            reserved,
            ..
        } = header;
        let listed = free_len <= len && free_head <= len && (free_len == 0) == (free_head == 0);
        if len > table.limit || !listed || reserved != 0 {
            return Err(Error::BadHeader {
                len,
                limit: table.limit,
                free_len,
                free_head,
            });
        }
        table.header = header;
        let expected = page_count::<N>(len);
        for (index, bytes) in (0..).zip(pages) {
            if bytes.len() != Self::PAGE_BYTES {
                return Err(Error::BadPage {
                    index,
                    bytes: bytes.len(),
                });
            }
            let mut page = [R::zeroed(); N];
            bytemuck::cast_slice_mut(&mut page).copy_from_slice(bytes);
            table.add_page(index, page);
        }
        if table.pages.len() != expected as usize {
            return Err(Error::BadPageCount {
                pages: table.pages.len(),
                expected,
            });
        }
        table.seal();
        Ok(table)
    }

    /// The record in `slot`; `None` when there is no such slot or it is free.
    #[inline]
    pub fn get(&self, slot: u32) -> Option<&R> {
        self.raw(slot).filter(|record| record.free_link() == 0)
    }

    /// The record in `slot` for writing; `None` when there is no such slot or it is free.
    #[inline]
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut R> {
        // A free slot must not put its page into the owned set.
        self.get(slot)?;
        self.raw_mut(slot)
    }

    /// Appends a record, which must have no free link, and returns its slot. Fails when the
    /// table is full.
    pub fn push(&mut self, record: R) -> Result<u32, Error> {
        let slot = self.header.len;
        if slot >= self.limit {
            return Err(Error::Full { limit: self.limit });
        }
        let end = page_count::<N>(slot);
        if end as usize == self.pages.len() && locate::<N>(slot).is_some_and(|(_, at)| at == 0) {
            self.add_page(end, [R::zeroed(); N]);
        }
        self.header.len = slot.saturating_add(1);
        if let Some(place) = self.raw_mut(slot) {
            *place = record;
        }
        Ok(slot)
    }

    /// Slots in the table, free ones included.
    pub fn len(&self) -> u32 {
        self.header.len
    }

    /// Whether the table has no slots.
    pub fn is_empty(&self) -> bool {
        self.header.len == 0
    }

    /// Length, free list and user words as this block has them.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The user's words.
    pub fn words(&self) -> &Words {
        &self.header.words
    }

    /// The user's words for writing.
    pub fn words_mut(&mut self) -> &mut Words {
        &mut self.header.words
    }

    /// The records in use with their slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &R)> {
        records(self.header.len, self.pages.iter())
    }

    /// Makes this block's writes the sealed content and returns the new root.
    pub fn seal(&mut self) -> Hash {
        self.owned.sort_unstable_by_key(|owned| owned.index);
        let changes: Vec<_> = self
            .owned
            .iter()
            .filter_map(|&Owned { index, .. }| {
                Some(Change {
                    index,
                    page: self.pages.get(index as usize)?.clone(),
                })
            })
            .collect();
        self.owned.clear();
        self.sealed.apply(self.header, &changes);
        self.sealed.root
    }

    /// Root of the sealed content.
    pub fn root(&self) -> Hash {
        self.sealed.root
    }

    /// The sealed content; this block's writes are not in it.
    pub fn snapshot(&self) -> TableSnapshot<R, N> {
        self.sealed.clone()
    }

    /// Forgets this block's writes, in time proportional to the pages they touched.
    pub fn discard(&mut self) {
        for Owned { index, sealed } in self.owned.drain(..) {
            if let (Some(page), Some(sealed)) = (self.pages.get_mut(index as usize), sealed) {
                *page = sealed;
            }
        }
        self.header = self.sealed.header;
        self.pages
            .truncate(page_count::<N>(self.header.len) as usize);
    }

    /// Forgets this block's writes and goes back, or on, to the content of an earlier or later
    /// snapshot of this table, in time proportional to the pages that differ.
    pub fn restore(&mut self, snapshot: &TableSnapshot<R, N>) {
        self.discard();
        let pages = &mut self.pages;
        snapshot
            .tree
            .changed_since(
                &self.sealed.tree,
                &mut |index, page| match pages.get_mut(index as usize) {
                    Some(place) => *place = page.clone(),
                    None => pages.push(page.clone()),
                },
            );
        self.header = snapshot.header;
        self.sealed = snapshot.clone();
        self.pages
            .truncate(page_count::<N>(self.header.len) as usize);
    }

    /// Pages in the table.
    pub fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Pages that this block has written.
    pub fn owned_page_count(&self) -> usize {
        self.owned.len()
    }

    /// Bytes of all pages, and of the sealed versions of those that this block has written.
    pub fn page_bytes_used(&self) -> usize {
        self.pages
            .len()
            .saturating_add(self.owned.len())
            .saturating_mul(Self::PAGE_BYTES)
    }

    #[inline]
    fn raw(&self, slot: u32) -> Option<&R> {
        if slot >= self.header.len {
            return None;
        }
        let (page, at) = locate::<N>(slot)?;
        self.pages.get(page as usize)?.get(at)
    }

    #[inline]
    fn raw_mut(&mut self, slot: u32) -> Option<&mut R> {
        if slot >= self.header.len {
            return None;
        }
        let (index, at) = locate::<N>(slot)?;
        let page = self.pages.get_mut(index as usize)?;
        if !Arc::is_unique(page) {
            take(index, page, &mut self.owned);
        }
        Arc::get_mut(page)?.get_mut(at)
    }

    fn add_page(&mut self, index: u32, page: [R; N]) {
        self.owned.push(Owned {
            index,
            sealed: None,
        });
        self.pages.push(Arc::new(page));
    }
}

/// Puts a copy of a sealed page in its place, owned by this block.
#[cold]
fn take<R: Record, const N: usize>(
    index: u32,
    page: &mut Arc<[R; N]>,
    owned: &mut Vec<Owned<R, N>>,
) {
    let copy = Arc::new(**page);
    owned.push(Owned {
        index,
        sealed: Some(std::mem::replace(page, copy)),
    });
}

impl<R: Reusable, const N: usize> Table<R, N> {
    /// Gives out the slot that was freed last, else a new one. The record is as
    /// [`Reusable::reset_for_free`] left it, or all zero when new. Fails when the table is full.
    pub fn alloc(&mut self) -> Result<u32, Error> {
        let Some(slot) = self.header.free_head.checked_sub(1) else {
            return self.push(R::zeroed());
        };
        let link = self.raw(slot).map_or(0, R::free_link);
        // The last free record links to no slot.
        let next = if link == LAST_FREE { 0 } else { link };
        let free_len = self.header.free_len.checked_sub(1);
        let record = self.raw_mut(slot).filter(|_| link != 0);
        let (Some(record), Some(free_len)) = (record, free_len) else {
            return Err(Error::CorruptFreeList { slot });
        };
        record.set_free_link(0);
        self.header.free_head = next;
        self.header.free_len = free_len;
        Ok(slot)
    }

    /// Frees a slot. Fails when it does not exist or is free already.
    pub fn free(&mut self, slot: u32) -> Result<(), Error> {
        let head = self.header.free_head;
        let record = self.get_mut(slot).ok_or(Error::NotInUse { slot })?;
        record.reset_for_free();
        record.set_free_link(if head == 0 { LAST_FREE } else { head });
        self.header.free_head = slot.saturating_add(1);
        self.header.free_len = self.header.free_len.saturating_add(1);
        Ok(())
    }
}

/// Link of the last record of the free list; the others hold the next free slot + 1.
const LAST_FREE: u32 = u32::MAX;
