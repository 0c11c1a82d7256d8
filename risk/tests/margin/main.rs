//! Portfolio margin against an independent reference, and its properties.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

// The command line reads these files; the tests read them with the same code.
mod book;
mod doc;
#[path = "../../../node/src/margin_file/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports)]
mod margin_file;
mod orders;
mod properties;
mod vectors;
