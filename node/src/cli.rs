//! The command line: parses, sets logging up, and hands over to one file in [`crate::cmd`].

use std::error::Error;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::cmd::{self, Failure};

/// A deterministic derivatives exchange that a group of validators runs together.
#[derive(Parser, Debug)]
#[command(name = "ballast", version, max_term_width = 100)]
pub struct Cli {
    /// What is logged on stderr, for example `info` or `warn,ballast=debug` [default: $RUST_LOG or
    /// `warn`]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Print the path of the CometBFT that Ballast uses; install it first if need be
    Cometbft(cmd::cometbft::Args),
    /// Write, check and edit genesis files
    Genesis(cmd::genesis::Args),
    /// Make and show key files
    Keys(cmd::keys::Args),
    /// Run a network of several validators on this machine
    Localnet(cmd::localnet::Args),
    /// Run the exchange in one process, without CometBFT
    Dev(cmd::dev::Args),
    /// Measure what four validators on this machine carry
    Bench(cmd::bench::Args),
    /// Run a recorded stream through the order book, without a chain
    Book(cmd::book::Args),
    /// Price options on forwards, and compare with a reference, without a chain
    Price(cmd::price::Args),
    /// Compute the portfolio margin of the accounts in a file
    Margin(cmd::margin::Args),
    /// Send recorded order flow and compare the books
    Feed(cmd::feed::Args),
    /// Write the home of a new node
    Init(cmd::init::Args),
    /// Run one node
    Start(cmd::start::Args),
    /// Sign and send a transaction
    Tx(Box<cmd::tx::Args>),
    /// Ask a node about the exchange
    Query(cmd::query::Args),
    /// Execute a program that ends when its parent ends
    #[command(hide = true)]
    ExecChild(cmd::exec_child::Args),
    /// Run a node of the benchmark's no-op yardstick
    #[command(hide = true)]
    NoopNode(cmd::bench::NoopNode),
}

/// Runs the command that the process's arguments name; its exit code is the process's.
///
/// Errors go to stderr, with their causes; stdout carries results only.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = set_up_logging(cli.log.as_deref()).and_then(|()| run(cli.command));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ballast: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Cometbft(args) => Ok(cmd::cometbft::run(args)?),
        Command::Genesis(args) => Ok(cmd::genesis::run(args)?),
        Command::Keys(args) => Ok(cmd::keys::run(args)?),
        Command::Localnet(args) => cmd::localnet::run(args),
        Command::Dev(args) => cmd::dev::run(args),
        Command::Bench(args) => cmd::bench::run(args),
        Command::NoopNode(args) => cmd::bench::run_noop_node(args),
        Command::Book(args) => cmd::book::run(args),
        Command::Margin(args) => cmd::margin::run(args),
        Command::Price(args) => cmd::price::run(args),
        Command::Feed(args) => cmd::feed::run(args),
        Command::Init(args) => cmd::init::run(args),
        Command::Start(args) => cmd::start::run(args),
        Command::Tx(args) => cmd::tx::run(*args),
        Command::Query(args) => cmd::query::run(args),
        Command::ExecChild(args) => match cmd::exec_child::run(args)? {},
    }
}

/// `--log` wins over `RUST_LOG`; without either only warnings and errors are shown.
fn set_up_logging(filter: Option<&str>) -> Result<(), Failure> {
    let filter = match filter {
        Some(text) => {
            EnvFilter::try_new(text).map_err(|error| format!("--log {text:?}: {error}"))?
        }
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// The error and its causes in one line. A cause that its effect already quotes is left out.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_hidden_command_is_not_advertised() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("cometbft"), "{help}");
        assert!(!help.contains("exec-child"), "{help}");
    }
}
