//! Recorded order flow: LOBSTER messages become signed transactions, and the exchange's book is
//! compared with the recorded one after every message.

pub mod book;
pub mod desk;
pub mod lobster;
pub mod lockstep;
pub mod mirror;
pub mod pace;
pub mod plan;
