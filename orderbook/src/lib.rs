//! Price-time priority, and nothing else: no money, no accounts.
//!
//! [`Books`] holds the books of all markets of one group. An order is named by the slot of its
//! record; what else belongs to it is the caller's. Every change since the last
//! [`seal`](Books::seal) can be taken back by [`rollback`](Books::rollback).
#![forbid(unsafe_code)]

mod books;
mod engine;
mod meet;
mod undo;

pub use books::{BookError, Books, Level, Resting};
pub use engine::{Command, Engine, Event, NewOrder, Rejection, Removal, SelfTrade, Tif};
pub use meet::{Stop, Taken, Verdict};
pub use undo::ChangedLevel;
