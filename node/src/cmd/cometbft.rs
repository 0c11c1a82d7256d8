//! `ballast cometbft`: print the path of the CometBFT that Ballast uses.

use crate::cometbft::provide;

/// The command takes no arguments.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Provides CometBFT and prints its path, and nothing else, on stdout.
pub fn run(_args: Args) -> Result<(), provide::Error> {
    let path = provide::binary()?;
    println!("{}", path.display());
    Ok(())
}
