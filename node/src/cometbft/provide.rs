//! The one place that provides CometBFT: finds it, or installs it with Go.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The release that Ballast runs on. It is the first whose application mempool works over a
/// socket. It reports itself as 0.39.0, so it is told by its module version.
pub const VERSION: &str = "v0.40.0";

const MODULE: &str = "github.com/cometbft/cometbft";
const BINARY: &str = "cometbft";
/// The first Go that fetches the newer toolchain that CometBFT asks for.
const OLDEST_GO: (u32, u32) = (1, 21);

/// Why there is no CometBFT.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there and nothing can build it.
    #[error(
        "CometBFT {VERSION} is not installed, and Go, which builds it, was not found on the PATH.\n\
         Install Go 1.21 or newer: from https://go.dev/dl/, or with the system's package manager \
         (Debian and Ubuntu: apt install golang-go; macOS: brew install go). Then run this again.\n\
         To try the exchange without Go and CometBFT, run: ballast dev"
    )]
    NoGo,
    /// Go is too old to fetch the toolchain that CometBFT needs.
    #[error(
        "CometBFT {VERSION} is not installed, and Go, which builds it, is {found}: too old.\n\
         Install Go 1.21 or newer: from https://go.dev/dl/. Then run this again.\n\
         To try the exchange without Go and CometBFT, run: ballast dev"
    )]
    OldGo {
        /// What `go env GOVERSION` said.
        found: String,
    },
    /// Neither XDG_CACHE_HOME nor HOME says where to put it.
    #[error("no place for CometBFT: neither XDG_CACHE_HOME nor HOME is an absolute path")]
    NoCacheDirectory,
    /// A file of the cache cannot be used.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Go failed; its own message is on stderr.
    #[error("{command} failed: {reason}")]
    Install {
        /// The command, as one would type it.
        command: String,
        /// How it ended.
        reason: String,
    },
}

/// The path of a CometBFT of exactly [`VERSION`]: one that is [`installed`], else a new one, built
/// by Go into the cache, which takes a minute and is told on stderr. Blocks.
pub fn binary() -> Result<PathBuf, Error> {
    if let Some(path) = installed()? {
        return Ok(path);
    }
    check_go()?;
    let directory = cache_directory()?;
    let cached = directory.join(BINARY);
    install(&directory, &cached)?;
    Ok(cached)
}

/// The CometBFT of [`VERSION`] in the cache, else one on the PATH, else none.
pub fn installed() -> Result<Option<PathBuf>, Error> {
    // Only a finished and verified install is ever renamed to this path.
    let cached = cache_directory()?.join(BINARY);
    if cached.is_file() {
        return Ok(Some(cached));
    }
    Ok(find_on_path(BINARY).filter(|path| is_our_version(path)))
}

/// `$XDG_CACHE_HOME/ballast/cometbft-VERSION`, by default under `~/.cache`.
fn cache_directory() -> Result<PathBuf, Error> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .ok_or(Error::NoCacheDirectory)?;
    Ok(cache.join("ballast").join(format!("{BINARY}-{VERSION}")))
}

fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// Whether Go's build record in the binary names our module at our version. Without Go nobody can
/// tell, and the answer is no.
fn is_our_version(binary: &Path) -> bool {
    let args = [OsStr::new("version"), OsStr::new("-m"), binary.as_os_str()];
    let Ok(output) = Command::new("go").args(args).stdin(Stdio::null()).output() else {
        return false;
    };
    output.status.success() && names_our_module(&String::from_utf8_lossy(&output.stdout))
}

fn names_our_module(build_record: &str) -> bool {
    build_record.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("mod") && words.next() == Some(MODULE) && words.next() == Some(VERSION)
    })
}

fn check_go() -> Result<(), Error> {
    let output = Command::new("go")
        .args(["env", "GOVERSION"])
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|_| Error::NoGo)?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match parse_go_version(&found) {
        Some(version) if version >= OLDEST_GO => Ok(()),
        _ if found.is_empty() => Err(Error::OldGo {
            found: "of an unknown version".to_owned(),
        }),
        _ => Err(Error::OldGo { found }),
    }
}

/// `(1, 26)` of `go1.26.8`, `go1.26rc1` and `go1.26-custom`.
fn parse_go_version(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.strip_prefix("go")?.split_once('.')?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Some((major.parse().ok()?, rest.get(..end)?.parse().ok()?))
}

fn install(directory: &Path, cached: &Path) -> Result<(), Error> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    let lock_path = directory.join("install.lock");
    let lock = File::create(&lock_path).map_err(io_error(&lock_path))?;
    if lock.try_lock().is_err() {
        eprintln!("ballast: waiting for another process that installs CometBFT {VERSION}");
        lock.lock().map_err(io_error(&lock_path))?;
    }
    if cached.is_file() {
        return Ok(());
    }
    let building = tempfile::Builder::new()
        .prefix("building-")
        .tempdir_in(directory)
        .map_err(io_error(directory))?;
    go_install(building.path())?;
    let built = building.path().join(BINARY);
    if !is_our_version(&built) {
        return Err(Error::Install {
            command: install_command(building.path()),
            reason: format!("it left no {BINARY} of {VERSION} there"),
        });
    }
    fs::rename(&built, cached).map_err(io_error(cached))?;
    eprintln!("ballast: CometBFT {VERSION} is now {}", cached.display());
    Ok(())
}

fn go_install(target: &Path) -> Result<(), Error> {
    let command = install_command(target);
    eprintln!("ballast: installing CometBFT {VERSION} once; this takes a minute or two");
    eprintln!("ballast: {command}");
    let failed = |reason: String| Error::Install {
        command: command.clone(),
        reason,
    };
    let status = Command::new("go")
        .args(["install", &package()])
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "auto")
        .env("GOBIN", target)
        // These would put the binary elsewhere, or build it for another machine.
        .env_remove("GOOS")
        .env_remove("GOARCH")
        .env_remove("GOFLAGS")
        .stdin(Stdio::null())
        // stdout is for the path alone.
        .stdout(io::stderr())
        .status()
        .map_err(|error| failed(error.to_string()))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(status.to_string()))
    }
}

fn install_command(target: &Path) -> String {
    let target = target.display();
    format!(
        "CGO_ENABLED=0 GOTOOLCHAIN=auto GOBIN={target} go install {}",
        package()
    )
}

fn package() -> String {
    format!("{MODULE}/cmd/{BINARY}@{VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions() {
        let table = [
            ("go1.26.8", Some((1, 26))),
            ("go1.21", Some((1, 21))),
            ("go1.22rc1", Some((1, 22))),
            ("go1.23-custom", Some((1, 23))),
            ("go2.0", Some((2, 0))),
            ("devel", None),
            ("go1", None),
            ("go1.x", None),
            ("", None),
        ];
        for (text, version) in table {
            assert_eq!(parse_go_version(text), version, "{text}");
        }
    }

    #[test]
    fn only_the_module_line_counts() {
        let record = |version: &str| {
            format!(
                "/x/cometbft: go1.26.8\n\tpath\t{MODULE}/cmd/cometbft\n\
                 \tmod\t{MODULE}\t{version}\th1:abc=\n\tdep\tgithub.com/a/b\tv0.40.0\th1:d=\n"
            )
        };
        for (version, ours) in [
            ("v0.40.0", true),
            ("v0.40.1", false),
            ("v0.38.25", false),
            ("(devel)", false),
        ] {
            assert_eq!(names_our_module(&record(version)), ours, "{version}");
        }
        assert!(!names_our_module("\tmod\tgithub.com/other/fork\tv0.40.0\n"));
    }
}
