//! Faults and agreement on real validators: what must hold, whatever clients send and whichever
//! process dies. `scripts/faults` runs it and prints the table. Skipped, with a line on stderr, on a
//! machine without CometBFT: `ballast cometbft` installs it.
//!
//! Sizes come from the environment: `FAULTS_BLOCKS` (500), `FAULTS_KILLS` (10), and for the flood
//! mempool `FAULTS_FLOOD_BLOCKS` (100), `FAULTS_FLOOD_KILLS` (1).

mod common;

#[path = "faults/agreement.rs"]
mod agreement;
#[path = "faults/audit.rs"]
mod audit;
#[path = "faults/hostile.rs"]
mod hostile;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/ledger.rs"]
mod ledger;
#[path = "faults/linked.rs"]
mod linked;
#[path = "faults/load.rs"]
mod load;
#[path = "faults/mix.rs"]
mod mix;
#[path = "faults/net.rs"]
mod net;
#[path = "faults/options.rs"]
mod options;

use std::str::FromStr;

use tokio::sync::{Mutex, MutexGuard};

fn size<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text}: is no number")),
        Err(_) => default,
    }
}

fn blocks() -> u64 {
    size("FAULTS_BLOCKS", 500)
}

fn kills() -> usize {
    size("FAULTS_KILLS", 10)
}

fn flood_blocks() -> u64 {
    size("FAULTS_FLOOD_BLOCKS", 100)
}

fn flood_kills() -> usize {
    size("FAULTS_FLOOD_KILLS", 1)
}

/// One network at a time; `None` when CometBFT is not installed.
async fn serial() -> Option<MutexGuard<'static, ()>> {
    static ALONE: Mutex<()> = Mutex::const_new(());
    if !net::is_installed() {
        return None;
    }
    Some(ALONE.lock().await)
}

/// A row of the table: what held, and in figures.
fn report(what: &str, figure: &str) {
    println!("faults | {what} | {figure} | ok");
}
