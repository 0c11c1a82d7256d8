//! The state machine of the exchange: pages, passes, actions, proposals and queries.
//!
//! No I/O, no clock, no threads but Rayon's.
#![forbid(unsafe_code)]

mod accounts;
mod block;
mod chain;
pub mod explain;
mod form;
mod greeks;
mod groups;
mod index;
mod links;
mod listed;
mod margins;
mod orders;
pub mod pages;
mod passes;
mod portfolio;
mod prices;
mod protection;
mod rebuild;
mod records;
mod refresh;
mod snapshot;
mod state;
mod surface;
mod unit;
pub mod view;

pub use block::{Block, Candidate, Observer, PASSES, Stats};
pub use passes::close::Violations;
pub use snapshot::Snapshot;
pub use state::{GenesisError, State};
