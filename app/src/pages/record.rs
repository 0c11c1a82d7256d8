use bytemuck::{Pod, Zeroable};

/// A fixed-size record of a table, hashed as its bytes lie in memory.
///
/// `Pod` refuses padding, `bool` and enums at compile time; fill gaps with named zero bytes.
/// A new record is all zero.
///
/// ```
/// use ballast_app::pages::{Record, Reusable};
/// use bytemuck::{Pod, Zeroable};
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Order {
///     generation: u32,
///     free_link: u32,
///     price: i64,
///     size: i64,
///     side: u8,
///     reserved: [u8; 7],
/// }
///
/// impl Record for Order {
///     const LAYOUT: u32 = 1;
///     fn free_link(&self) -> u32 {
///         self.free_link
///     }
/// }
///
/// impl Reusable for Order {
///     fn set_free_link(&mut self, link: u32) {
///         self.free_link = link;
///     }
///     fn reset_for_free(&mut self) {
///         *self = Self { generation: self.generation.wrapping_add(1), ..Self::zeroed() };
///     }
/// }
/// ```
pub trait Record: Pod + Send + Sync {
    /// Version of the record's layout; part of the table's root.
    const LAYOUT: u32;

    /// Zero while the record is in use, otherwise what [`Reusable::set_free_link`] was given.
    /// Tables that never free a slot keep the default.
    fn free_link(&self) -> u32 {
        0
    }
}

/// A record whose slot can be freed and given out again.
///
/// The link must be a field of its own, which only the table writes.
pub trait Reusable: Record {
    /// Stores the link to the next free record, or zero for a record in use.
    fn set_free_link(&mut self, link: u32);

    /// Zeroes the record except what must outlive it, such as its generation.
    fn reset_for_free(&mut self);
}

/// A table's length and free list, and a few words for its user. Part of the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    pub(super) len: u32,
    /// Slot + 1 of the first free record; zero when none is free.
    pub(super) free_head: u32,
    pub(super) free_len: u32,
    pub(super) reserved: u32,
    pub(super) words: Words,
}

impl Header {
    /// Slots in the table, free ones included.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether the table has no slots.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots on the free list.
    pub fn free_len(&self) -> u32 {
        self.free_len
    }

    /// The user's words.
    pub fn words(&self) -> &Words {
        &self.words
    }
}

/// Words that a table's user keeps beside the records: counters, totals. Part of the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Words {
    /// Totals, for example atoms of an asset.
    pub sums: [i128; 4],
    /// Counters, for example the next order id.
    pub counters: [u64; 8],
}
