//! Price-time priority, and nothing else: no money, no accounts.
//!
//! [`Books`] holds the books of all markets of one group. An order is named by the slot of its
//! record; what else belongs to it is the caller's. Every change since the last
//! [`seal`](Books::seal) can be taken back by [`rollback`](Books::rollback).
//!
//! Whoever knows the coming messages can hide the time that memory takes: call
//! [`Books::prefetch`] with the slot of the message some 20 ahead, and [`Books::prefetch_around`]
//! with that of the one some 10 ahead, whatever their kind. In books that fit the cache that gains
//! nothing. [`Books::prefetch_level`] and [`Books::prefetch_tail`] pay for thousands of markets.
#![deny(unsafe_code)]

mod auction;
mod books;
mod engine;
mod ladder;
mod meet;
mod prefetch;
mod queue;
mod tree;
mod undo;

pub use auction::{Clearing, Pairing, Uncrossed};
pub use books::{BookError, Books, Level, Resting};
pub use engine::{Command, Engine, Event, NewOrder, Rejection, Removal, SelfTrade, Tif};
pub use meet::{Stop, Taken, Verdict};
pub use undo::ChangedLevel;

/// In place of a number: there is none.
const NONE: u32 = u32::MAX;

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
