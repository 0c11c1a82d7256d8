//! State as pages: tables of fixed-size records whose page tree is at once the storage, the
//! snapshot and the Merkle tree.
//!
//! A block writes through [`Table`]. The first write to a page takes a copy of it into the owned
//! set, later writes are plain. [`Table::seal`] hashes the owned pages and their paths and makes
//! them the new sealed content; [`Table::discard`] drops them. A [`TableSnapshot`] is a clone of
//! the sealed root, so readers never wait for the writer.
//!
//! A root is a function of the content alone (records, header, layout), never of the way that
//! led there.

mod record;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub use record::{Header, Record, Reusable, Words};
pub use snapshot::TableSnapshot;
pub use table::{Error, Table};

#[cfg(target_endian = "big")]
compile_error!("records are hashed as they lie in memory, which must be little-endian");

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// Children of an inner node. Sixteen keeps a changed path cheap to copy and hash (512 bytes a
/// level) and its proofs short.
const FANOUT: usize = 16;

// One key for each kind of hashed thing, so that none can be taken for another.
const PAGE_KEY: &Hash = b"ballast/pages/v1 page...........";
const NODE_KEY: &Hash = b"ballast/pages/v1 node...........";
const TABLE_KEY: &Hash = b"ballast/pages/v1 table..........";
const ROOT_KEY: &Hash = b"ballast/pages/v1 root of tables.";

fn keyed_hash(key: &Hash, bytes: &[u8]) -> Hash {
    *blake3::keyed_hash(key, bytes).as_bytes()
}

/// The root over the roots of all tables of a state. The order of the tables is part of it.
pub fn combine(roots: &[Hash]) -> Hash {
    keyed_hash(ROOT_KEY, roots.as_flattened())
}
