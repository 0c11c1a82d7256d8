//! The bridge to CometBFT: an ABCI 2.0 socket server, the transaction pool, and the exchange as an
//! ABCI application.
//!
//! CometBFT 0.40 speaks the `tendermint.abci` messages of v0.38 plus `InsertTx` and `ReapTxs`,
//! with which the application owns the mempool. An application is a [`tendermint_abci`]
//! [`Application`] and a [`Pool`]; [`Server`] puts both on a socket.

mod address;
pub mod application;
mod connection;
mod dispatch;
mod frame;
pub mod metrics;
pub mod noop;
pub mod pool;
pub mod proposal;
pub mod query;
pub mod sequencer;
mod server;
#[cfg(test)]
mod tests;
mod wire;

pub use address::{Address, AddressError};
pub use dispatch::Pool;
pub use frame::message_limit;
pub use server::{FatalHook, Server, ServerConfig, ServerError};
pub use tendermint_abci::Application;
/// The ABCI messages of v0.38, which [`Application`] takes and returns.
pub use tendermint_proto::v0_38::abci as proto;
pub use wire::{
    Request, RequestInsertTx, RequestReapTxs, Response, ResponseInsertTx, ResponseReapTxs, request,
    response,
};
