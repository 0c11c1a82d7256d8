//! Black-76 against independent references, and its properties.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod chain;
mod decimal;
mod functions;
mod properties;
mod vectors;
