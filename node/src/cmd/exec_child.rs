//! `ballast exec-child` (hidden): become another program that dies with its parent.
//!
//! The parent-death signal has to be set by the child itself, between fork and exec. Doing that in
//! a process of our own needs no unsafe code.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Arguments of `exec-child`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Process id of the process that starts this one.
    #[arg(long)]
    parent: u32,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Why the program was not started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The parent ended before the parent-death signal was set.
    #[error("parent {expected} is gone, refusing to start an orphan")]
    ParentGone {
        /// The process id given by `--parent`.
        expected: u32,
    },
    /// The system refused the parent-death signal.
    #[error("cannot set the parent-death signal: {0}")]
    DeathSignal(rustix::io::Errno),
    /// The program cannot be executed.
    #[error("cannot execute {program}: {source}", program = .program.display())]
    Exec {
        /// The program that was named.
        program: OsString,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Sets the parent-death signal, checks the parent, and turns into the program.
/// Returns only when that fails.
pub fn run(args: Args) -> Result<Infallible, Error> {
    let [program, rest @ ..] = args.command.as_slice() else {
        unreachable!("clap requires at least one value");
    };
    die_with_parent()?;
    // Checked after the signal is set: a parent that ended before that would never send it.
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if parent != Some(args.parent) {
        return Err(Error::ParentGone {
            expected: args.parent,
        });
    }
    let source = Command::new(program).args(rest).exec();
    Err(Error::Exec {
        program: program.clone(),
        source,
    })
}

// SIGKILL, because a child whose parent is gone has nobody left to see that it ends.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn die_with_parent() -> Result<(), Error> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(Error::DeathSignal)
}

/// Other systems have no such signal: there a CometBFT ends because its application's socket closes.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn die_with_parent() -> Result<(), Error> {
    Ok(())
}
