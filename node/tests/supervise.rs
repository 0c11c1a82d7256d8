//! The supervisor with real child processes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ballast::supervise::{Log, Patience, Program, State, Status, Supervisor};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::sync::watch;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);

fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_ballast"))
}

fn shell(script: &str) -> Program {
    Program {
        name: "child".to_owned(),
        path: "sh".into(),
        args: vec!["-c".into(), script.into()],
        env: Vec::new(),
        log: Log::Stderr,
    }
}

fn patience() -> Patience {
    Patience {
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(40),
        ..Patience::default()
    }
}

fn start(program: Program, patience: Patience) -> Supervisor {
    Supervisor::start(binary(), program, patience).expect("a thread")
}

async fn running(status: &mut watch::Receiver<Status>, starts: u64) -> u32 {
    let reached = status.wait_for(|s| s.pid().is_some() && s.starts >= starts);
    let status = timeout(LONG, reached)
        .await
        .expect("it runs in time")
        .expect("supervised");
    status.pid().expect("it runs")
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).expect("not zero")
}

fn is_alive(id: u32) -> bool {
    test_kill_process(pid(id)).is_ok()
}

/// The file is written by the child after its start, so its line is awaited.
async fn line_of(path: &std::path::Path, line: &str) {
    let found = async {
        while !std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(|l| l == line)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, found)
        .await
        .unwrap_or_else(|_| panic!("no line {line:?}"));
}

#[tokio::test]
async fn a_stopped_child_is_gone() {
    let supervisor = start(shell("exec sleep 1000"), patience());
    let id = running(&mut supervisor.subscribe(), 1).await;
    assert!(is_alive(id));
    timeout(LONG, supervisor.stop()).await.expect("stops");
    assert!(!is_alive(id));
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_is_killed() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut program = shell("trap '' TERM; echo ready; while :; do sleep 0.1; done");
    program.log = Log::File(log.path().to_owned());
    let patience = Patience {
        stop_timeout: Duration::from_millis(200),
        ..patience()
    };
    let supervisor = start(program, patience);
    let id = running(&mut supervisor.subscribe(), 1).await;
    line_of(log.path(), "ready").await;
    let asked = Instant::now();
    timeout(LONG, supervisor.stop()).await.expect("stops");
    assert!(
        asked.elapsed() >= Duration::from_millis(200),
        "it had its time"
    );
    assert!(!is_alive(id));
}

#[tokio::test]
async fn a_child_may_end_cleanly_on_sigterm() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut program =
        shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    program.log = Log::File(log.path().to_owned());
    let supervisor = start(program, patience());
    line_of(log.path(), "ready").await;
    timeout(LONG, supervisor.stop()).await.expect("stops");
    let text = std::fs::read_to_string(log.path()).expect("reads");
    assert_eq!(text, "ready\nbye\n");
}

#[tokio::test]
async fn a_killed_child_is_started_again() {
    let supervisor = start(shell("exec sleep 1000"), patience());
    let mut status = supervisor.subscribe();
    let first = running(&mut status, 1).await;
    kill_process(pid(first), Signal::KILL).expect("ours");
    let second = running(&mut status, 2).await;
    assert_ne!(first, second);
    timeout(LONG, supervisor.stop()).await.expect("stops");
    assert!(!is_alive(first) && !is_alive(second));
}

/// The pauses of a program that keeps ending, as far as `count`.
async fn pauses(program: Program, patience: Patience, count: usize) -> (Vec<u128>, String) {
    let supervisor = start(program, patience);
    let mut status = supervisor.subscribe();
    let mut pauses = Vec::new();
    let mut last = String::new();
    let seen = async {
        while pauses.len() < count {
            status.changed().await.expect("supervised");
            if let State::Waiting { ended, pause } = status.borrow_and_update().state.clone() {
                pauses.push(pause.as_millis());
                last = ended;
            }
        }
    };
    timeout(LONG, seen).await.expect("it keeps ending");
    timeout(LONG, supervisor.stop())
        .await
        .expect("stops while it waits, too");
    (pauses, last)
}

#[tokio::test]
async fn pauses_double_up_to_the_longest() {
    let (pauses, ended) = pauses(shell("exit 7"), patience(), 5).await;
    assert_eq!(pauses, [10, 20, 40, 40, 40]);
    assert!(ended.contains('7'), "{ended}");
}

#[tokio::test]
async fn a_good_run_starts_the_pauses_over() {
    let patience = Patience {
        good_run: Duration::ZERO,
        ..patience()
    };
    let (pauses, _) = pauses(shell("exit 0"), patience, 3).await;
    assert_eq!(pauses, [10, 10, 10]);
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_retried() {
    let program = Program {
        path: "/does/not/exist".into(),
        ..shell("")
    };
    let (pauses, _) = pauses(program, patience(), 2).await;
    assert_eq!(pauses, [10, 20]);
}

#[tokio::test]
async fn a_dropped_handle_stops_its_child() {
    let supervisor = start(shell("exec sleep 1000"), patience());
    let mut status = supervisor.subscribe();
    let id = running(&mut status, 1).await;
    drop(supervisor);
    let stopped = status.wait_for(|status| status.state == State::Stopped);
    timeout(LONG, stopped)
        .await
        .expect("stops")
        .expect("reported");
    assert!(!is_alive(id));
}

#[tokio::test]
async fn the_child_leads_a_group_in_our_session_and_sees_its_environment() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut program = shell("echo $COLOUR; echo err >&2; exec sleep 1000");
    program.env = vec![("COLOUR".into(), "blue".into())];
    program.log = Log::File(log.path().to_owned());
    let supervisor = start(program, patience());
    let id = running(&mut supervisor.subscribe(), 1).await;
    line_of(log.path(), "blue").await;
    line_of(log.path(), "err").await;
    assert_eq!(rustix::process::getpgid(Some(pid(id))), Ok(pid(id)));
    assert_eq!(
        rustix::process::getsid(Some(pid(id))),
        rustix::process::getsid(None)
    );
    timeout(LONG, supervisor.stop()).await.expect("stops");
}

/// Not a test of its own: what the next test starts as another process, to kill it.
#[test]
fn helper_that_supervises() {
    if std::env::var_os("BALLAST_TEST_SUPERVISE").is_none() {
        return;
    }
    let supervisor = start(shell("exec sleep 60"), patience());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let id = runtime
        .expect("a runtime")
        .block_on(running(&mut supervisor.subscribe(), 1));
    eprintln!("\nchild {id}");
    std::thread::park();
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_supervisor_takes_its_child_along() {
    let mut helper = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "helper_that_supervises", "--nocapture"])
        .env("BALLAST_TEST_SUPERVISE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stderr = BufReader::new(helper.stderr.take().expect("piped"));
    let mut line = String::new();
    let child = loop {
        line.clear();
        assert_ne!(
            stderr.read_line(&mut line).expect("reads"),
            0,
            "the helper ended early"
        );
        if let Some(id) = line.trim().strip_prefix("child ") {
            break id.parse::<u32>().expect("a process id");
        }
    };
    assert!(is_alive(child));
    // `Child::kill` sends SIGKILL.
    helper.kill().expect("ours");
    helper.wait().expect("ended");
    // The child has the other copy of the pipe's end: the pipe ends when the child does.
    let killed = Instant::now();
    stderr.read_to_end(&mut Vec::new()).expect("reads");
    assert!(killed.elapsed() < LONG, "the child lived on");
}

#[test]
fn an_orphan_is_not_started() {
    let output = Command::new(binary())
        .args(["exec-child", "--parent", "1", "--", "echo", "hello"])
        .output()
        .expect("starts");
    assert!(!output.status.success() && output.stdout.is_empty());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("parent 1 is gone"), "{error}");
}

#[test]
fn a_program_that_cannot_be_executed_is_named() {
    let output = Command::new(binary())
        .args([
            "exec-child",
            "--parent",
            &std::process::id().to_string(),
            "--",
            "/no/such",
        ])
        .output()
        .expect("starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && error.contains("cannot execute /no/such"),
        "{error}"
    );
}
