//! Message streams through the order book without a chain, for `ballast book`.

pub mod ids;
pub mod jsonl;
pub mod line;
pub mod lines;
pub mod lobster;
pub mod markets;
pub mod mbo;
pub mod output;
pub mod scaled;
mod scan;
pub mod slots;
pub mod summary;

/// Why a stream cannot be run to its end: the place in it, the field and the value.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
