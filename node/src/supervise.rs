//! Keeps a child process running: restarts it when it ends, stops it when asked.
//!
//! Each child has a thread of its own, which starts it and lives as long as it does: the
//! parent-death signal that `ballast exec-child` sets fires when the starting *thread* ends.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// A program to run, and how.
#[derive(Clone, Debug)]
pub struct Program {
    /// What log lines call it.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to this process's environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where its output goes.
    pub log: Log,
}

/// Where a child's stdout and stderr go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// To this process's stderr (never its stdout, which carries results).
    Stderr,
    /// To the end of this file; its directory is made when missing.
    File(PathBuf),
}

/// How patient the supervisor is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Pause before the first restart; doubled for each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// A child that ran this long ran well: the next pause is the first one again.
    pub good_run: Duration,
    /// Time between SIGTERM and SIGKILL when it is stopped.
    pub stop_timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            good_run: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

/// What the child is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been started yet.
    Starting,
    /// It runs under this process id.
    Running {
        /// Process id of the child itself (`exec-child` keeps its id when it becomes the program).
        pid: u32,
    },
    /// It ended, or could not be started, and will be started again.
    Waiting {
        /// How it ended.
        ended: String,
        /// The pause before the next start.
        pause: Duration,
    },
    /// It was stopped and will not be started again.
    Stopped,
}

/// The child's state, and how often it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is doing now.
    pub state: State,
    /// Starts so far; 1 is no restart.
    pub starts: u64,
}

impl Status {
    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        match self.state {
            State::Running { pid } => Some(pid),
            _ => None,
        }
    }
}

/// A handle on one supervised child. Dropping it asks the child to stop, without waiting.
#[derive(Debug)]
pub struct Supervisor {
    name: String,
    stop: watch::Sender<bool>,
    status: watch::Receiver<Status>,
}

impl Supervisor {
    /// Starts `program` through `ballast`, the path of this project's binary, whose `exec-child`
    /// ties the child's life to this process. Fails only when no thread can be started; a program
    /// that cannot be started shows as [`State::Waiting`].
    pub fn start(ballast: PathBuf, program: Program, patience: Patience) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stop_asked) = watch::channel(false);
        let (report, status) = watch::channel(Status {
            state: State::Starting,
            starts: 0,
        });
        let name = program.name.clone();
        let run = Run {
            ballast,
            program,
            patience,
            stop: stop_asked,
            report,
        };
        std::thread::Builder::new()
            .name(format!("supervise {name}"))
            .spawn(move || runtime.block_on(run.until_stopped()))?;
        Ok(Self { name, stop, status })
    }

    /// The program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The status at this moment.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// A receiver that sees each change of the status.
    pub fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Asks the child to stop and returns at once.
    pub fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops the child: SIGTERM, then SIGKILL after the stop timeout. Returns when it is gone.
    pub async fn stop(self) {
        self.ask_to_stop();
        let mut status = self.status.clone();
        // An error means that the thread ended, and with it the child.
        let _ = status
            .wait_for(|status| status.state == State::Stopped)
            .await;
    }
}

/// The path of the running binary, for [`Supervisor::start`]. Ask for it early: a rebuild replaces
/// the file and the system then reports another path.
pub fn own_binary() -> io::Result<PathBuf> {
    std::env::current_exe()
}

struct Run {
    ballast: PathBuf,
    program: Program,
    patience: Patience,
    stop: watch::Receiver<bool>,
    report: watch::Sender<Status>,
}

impl Run {
    async fn until_stopped(mut self) {
        let mut pause = self.patience.first_pause;
        loop {
            let started = Instant::now();
            let ended = match self.spawn() {
                Ok(mut child) => match self.watch(&mut child).await {
                    Some(ended) => ended,
                    None => break,
                },
                Err(error) => format!("cannot be started: {error}"),
            };
            if started.elapsed() >= self.patience.good_run {
                pause = self.patience.first_pause;
            }
            tracing::warn!(program = self.program.name, %ended, ?pause, "restarting");
            self.set_state(State::Waiting { ended, pause });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop_asked(&mut self.stop) => break,
            }
            pause = (pause * 2).min(self.patience.longest_pause);
        }
        self.set_state(State::Stopped);
    }

    /// How the child ended by itself, or `None` when it was stopped.
    async fn watch(&mut self, child: &mut Child) -> Option<String> {
        let pid = child.id()?;
        self.report.send_modify(|status| {
            status.state = State::Running { pid };
            status.starts += 1;
        });
        tracing::info!(program = self.program.name, pid, "started");
        tokio::select! {
            biased;
            () = stop_asked(&mut self.stop) => {}
            exit = child.wait() => return Some(exit.map_or_else(
                |error| format!("cannot be waited for: {error}"),
                |status| status.to_string(),
            )),
        }
        self.terminate(child).await;
        None
    }

    async fn terminate(&self, child: &mut Child) {
        // The id is ours until the child has been waited for, so it cannot name another process.
        if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let name = &self.program.name;
        match tokio::time::timeout(self.patience.stop_timeout, child.wait()).await {
            Ok(Ok(status)) => tracing::info!(program = name, %status, "stopped"),
            Ok(Err(error)) => tracing::warn!(program = name, %error, "cannot be waited for"),
            Err(_) => {
                tracing::warn!(program = name, "did not end on SIGTERM, killing it");
                let _ = child.kill().await;
            }
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        let (stdout, stderr) = self.program.log.open()?;
        Command::new(&self.ballast)
            .arg("exec-child")
            .arg("--parent")
            .arg(std::process::id().to_string())
            .arg("--")
            .arg(&self.program.path)
            .args(&self.program.args)
            .envs(self.program.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            // A group of its own, so that the terminal's Ctrl-C reaches only this process, which
            // then stops its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    fn set_state(&self, state: State) {
        self.report.send_modify(|status| status.state = state);
    }
}

/// Returns when a stop is asked for, or when the handle is gone.
async fn stop_asked(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|asked| *asked).await;
}

impl Log {
    fn open(&self) -> io::Result<(Stdio, Stdio)> {
        match self {
            Self::Stderr => {
                let stderr = io::stderr();
                let stdout = stderr.as_fd().try_clone_to_owned()?;
                Ok((stdout.into(), Stdio::inherit()))
            }
            Self::File(path) => {
                if let Some(directory) = path.parent() {
                    std::fs::create_dir_all(directory)?;
                }
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                Ok((file.try_clone()?.into(), file.into()))
            }
        }
    }
}
