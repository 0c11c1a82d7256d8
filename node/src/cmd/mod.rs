//! One file per subcommand: its arguments and its `run`.

pub mod cometbft;
pub mod exec_child;
pub mod genesis;
pub mod keys;
