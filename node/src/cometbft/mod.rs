//! CometBFT: where its binary comes from, the files it needs, and how it is started.

pub mod child;
pub mod config;
pub mod genesis;
pub mod home;
pub mod keys;
pub mod provide;
