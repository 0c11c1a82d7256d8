//! The process side of Ballast: the command line, the node's own files, and the CometBFT
//! processes that it starts, watches and stops.

pub mod actions;
pub mod api;
pub mod bench;
pub mod cli;
pub mod client;
pub mod cmd;
pub mod cometbft;
pub mod feed;
pub mod genesis_file;
pub mod homes;
pub mod key_file;
pub mod listing;
pub mod localnet;
pub mod margin_file;
pub mod metrics_http;
pub mod network;
pub mod node;
pub mod offline;
pub mod ports;
pub mod rpc;
pub mod running_line;
pub mod settings;
pub mod signals;
pub mod sockets;
pub mod supervise;
pub mod units;
pub mod view;
