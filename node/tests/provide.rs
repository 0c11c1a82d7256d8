//! `ballast cometbft` with a stand-in for Go, which writes down how it was called.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Acts as `go`: reports `$GO_VERSION`, installs a file that holds `$BUILDS_VERSION`, and finds
/// that version in a file again.
const GO: &str = r#"#!/bin/sh
echo "$@ CGO_ENABLED=$CGO_ENABLED GOTOOLCHAIN=$GOTOOLCHAIN" >> "$CALLS"
case "$1" in
env) echo "$GO_VERSION" ;;
install)
    echo "go says hello"
    [ "$BUILDS_VERSION" = fails ] && exit 3
    sleep 0.2
    echo "$BUILDS_VERSION" > "$GOBIN/cometbft" ;;
version)
    echo "$3: go1.26.8"
    echo "	mod	github.com/cometbft/cometbft	$(cat "$3")	h1:x=" ;;
esac
"#;

struct Machine {
    root: tempfile::TempDir,
    go_version: &'static str,
    builds_version: &'static str,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("bin")).expect("creates");
        Self {
            root,
            go_version: "go1.26.8",
            builds_version: "v0.40.0",
        }
    }

    fn with_go() -> Self {
        let machine = Self::new();
        machine.write_executable("go", GO);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Lets a shell write the file: were it open for writing here, a child that another test starts
    /// at that moment would hold it open too, and the system executes no file open for writing.
    fn write_executable(&self, name: &str, text: &str) {
        let mut shell = Command::new("sh")
            .args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(self.path("bin").join(name))
            .stdin(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut stdin = shell.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("writes");
        drop(stdin);
        assert!(shell.wait().expect("ends").success());
    }

    fn start(&self) -> Child {
        // The stand-in needs `cat` and `sleep`; a real Go elsewhere on the PATH must not be found.
        let tools = self.path("tools");
        if !tools.exists() {
            fs::create_dir(&tools).expect("creates");
            for tool in ["sh", "cat", "sleep"] {
                let real = find(tool);
                std::os::unix::fs::symlink(real, tools.join(tool)).expect("links");
            }
        }
        Command::new(env!("CARGO_BIN_EXE_ballast"))
            .arg("cometbft")
            .env_clear()
            .env(
                "PATH",
                std::env::join_paths([self.path("bin"), tools]).expect("a path"),
            )
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("CALLS", self.path("calls"))
            .env("GO_VERSION", self.go_version)
            .env("BUILDS_VERSION", self.builds_version)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts")
    }

    fn run(&self) -> Output {
        self.start().wait_with_output().expect("ends")
    }

    fn cached(&self) -> PathBuf {
        self.path("cache/ballast/cometbft-v0.40.0/cometbft")
    }

    fn installs(&self) -> usize {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls
            .lines()
            .filter(|call| call.starts_with("install "))
            .count()
    }
}

fn find(tool: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("a PATH");
    std::env::split_paths(&path)
        .map(|d| d.join(tool))
        .find(|f| f.is_file())
        .expect("a usual tool")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn prints(output: &Output, path: &Path) {
    assert!(output.status.success(), "{}", stderr(output));
    assert_eq!(stdout(output), format!("{}\n", path.display()));
}

#[test]
fn the_first_use_installs_and_the_second_does_not() {
    let machine = Machine::with_go();
    let first = machine.run();
    prints(&first, &machine.cached());
    assert!(
        stderr(&first).contains("go install github.com/cometbft/cometbft/cmd/cometbft@v0.40.0")
    );
    let calls = fs::read_to_string(machine.path("calls")).expect("it was called");
    let wanted = "install github.com/cometbft/cometbft/cmd/cometbft@v0.40.0 \
                  CGO_ENABLED=0 GOTOOLCHAIN=auto";
    assert!(calls.lines().any(|call| call == wanted), "{calls}");

    let second = machine.run();
    prints(&second, &machine.cached());
    assert_eq!((machine.installs(), stderr(&second).as_str()), (1, ""));
}

#[test]
fn two_at_once_install_once() {
    let machine = Machine::with_go();
    let both = [machine.start(), machine.start()];
    for child in both {
        prints(&child.wait_with_output().expect("ends"), &machine.cached());
    }
    assert_eq!(machine.installs(), 1);
    let directory = machine.cached().parent().expect("a parent").to_owned();
    let mut left: Vec<_> = fs::read_dir(directory)
        .expect("reads")
        .map(|entry| entry.expect("reads").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["cometbft", "install.lock"]);
}

#[test]
fn one_on_the_path_counts_only_at_our_version() {
    let machine = Machine::with_go();
    machine.write_executable("cometbft", "v0.38.25");
    prints(&machine.run(), &machine.cached());

    let machine = Machine::with_go();
    machine.write_executable("cometbft", "v0.40.0");
    prints(&machine.run(), &machine.path("bin/cometbft"));
    assert_eq!(machine.installs(), 0);
}

#[test]
fn without_a_fit_go_the_error_says_what_to_do() {
    let none = Machine::new();
    let old = Machine {
        go_version: "go1.20.14",
        ..Machine::with_go()
    };
    let unknown = Machine {
        go_version: "",
        ..Machine::with_go()
    };
    for (machine, says) in [
        (none, "was not found on the PATH"),
        (old, "go1.20.14: too old"),
        (unknown, "unknown"),
    ] {
        let output = machine.run();
        let error = stderr(&output);
        assert!(!output.status.success() && stdout(&output).is_empty());
        for part in [
            says,
            "Install Go 1.21 or newer",
            "https://go.dev/dl/",
            "ballast dev",
        ] {
            assert!(error.contains(part), "no {part:?} in {error}");
        }
        assert!(!machine.cached().exists());
    }
}

#[test]
fn a_failed_or_wrong_build_leaves_nothing_in_the_cache() {
    for (builds_version, says) in [
        ("fails", "exit status: 3"),
        ("v0.40.1", "no cometbft of v0.40"),
    ] {
        let machine = Machine {
            builds_version,
            ..Machine::with_go()
        };
        let output = machine.run();
        let error = stderr(&output);
        assert!(!output.status.success() && error.contains(says), "{error}");
        assert!(
            error.contains("go says hello"),
            "Go's own words are shown: {error}"
        );
        assert!(!machine.cached().exists());
    }
}
