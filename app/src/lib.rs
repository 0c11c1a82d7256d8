//! The state machine of the exchange: pages, passes, actions, proposals and queries.
//!
//! No I/O, no clock, no threads but Rayon's.
#![forbid(unsafe_code)]

pub mod pages;
pub mod view;
