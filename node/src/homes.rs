//! Home directories: whose they are, and who uses them now.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Says that a directory is a localnet's and may be emptied by `--reset`.
const MARKER: &str = "ballast-localnet";
const MARKER_TEXT: &str =
    "This directory belongs to `ballast localnet`, which may delete what is in it.\n";
/// The settings of the network, written when everything else is there.
pub const SETTINGS: &str = "localnet.json";
const LOCK: &str = "lock";

/// Why a home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `--home` nor HOME says where.
    #[error("no home directory: HOME is not an absolute path; name one with --home DIR")]
    NoHome,
    /// Another process runs on it.
    #[error("{home} is in use by another ballast process; stop that, or choose another --home",
        home = .home.display())]
    InUse {
        /// The directory.
        home: PathBuf,
    },
    /// It has files, but not ours.
    #[error("{home} is not a localnet's directory (it has files but no file {MARKER:?}): \
        nothing in it was touched; choose another --home", home = .home.display())]
    NotOurs {
        /// The directory.
        home: PathBuf,
    },
    /// A file of it cannot be used.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The right to use a home; it ends with this value, and with the process however that ends.
#[derive(Debug)]
pub struct HomeLock {
    // Held for its lock.
    _file: File,
}

impl HomeLock {
    /// Takes the lock of `home`, which must exist. Fails at once when another process has it.
    pub fn take(home: &Path) -> Result<Self, Error> {
        let path = home.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io_error(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::InUse {
                home: home.to_owned(),
            }),
            Err(fs::TryLockError::Error(source)) => Err(Error::Io { path, source }),
        }
    }
}

/// The locked home directory of a localnet.
#[derive(Debug)]
pub struct LocalnetHome {
    directory: PathBuf,
    _lock: HomeLock,
}

/// `~/.ballast/localnet`.
pub fn default_localnet() -> Result<PathBuf, Error> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    Ok(home.ok_or(Error::NoHome)?.join(".ballast").join("localnet"))
}

impl LocalnetHome {
    /// Opens `directory`, which is made when missing. A directory with files that lacks our marker
    /// is refused, and left as it is. With `reset`, and when a set-up before did not finish, what
    /// is in it is deleted.
    pub fn open(directory: &Path, reset: bool) -> Result<Self, Error> {
        let directory = std::path::absolute(directory).map_err(io_error(directory))?;
        fs::create_dir_all(&directory).map_err(io_error(&directory))?;
        let marker = directory.join(MARKER);
        if !marker.is_file() {
            if !is_empty(&directory)? {
                return Err(Error::NotOurs { home: directory });
            }
            fs::write(&marker, MARKER_TEXT).map_err(io_error(&marker))?;
        }
        let lock = HomeLock::take(&directory)?;
        let home = Self {
            directory,
            _lock: lock,
        };
        if reset || !home.is_set_up() {
            home.clear()?;
        }
        Ok(home)
    }

    /// The directory, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// The directory of node `node`, from 0.
    pub fn node(&self, node: usize) -> PathBuf {
        self.directory.join(format!("node{node}"))
    }

    /// Whether [`Self::finish_set_up`] was called on it, so that the network in it resumes.
    pub fn is_set_up(&self) -> bool {
        self.directory.join(SETTINGS).is_file()
    }

    /// Stores the network's settings. Call it when all other files are written.
    pub fn finish_set_up(&self, settings: &impl Serialize) -> Result<(), Error> {
        let path = self.directory.join(SETTINGS);
        let text = serde_json::to_string_pretty(settings).map_err(|error| Error::Io {
            path: path.clone(),
            source: error.into(),
        })?;
        let new = path.with_extension("json.new");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(io_error(&path))
    }

    /// The settings that [`Self::finish_set_up`] stored.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let path = self.directory.join(SETTINGS);
        let text = fs::read_to_string(&path).map_err(io_error(&path))?;
        serde_json::from_str(&text).map_err(|error| Error::Io {
            path,
            source: error.into(),
        })
    }

    /// Deletes everything but the marker and the lock; the settings first, so that an interrupted
    /// reset is finished by the next start.
    fn clear(&self) -> Result<(), Error> {
        let settings = self.directory.join(SETTINGS);
        match fs::remove_file(&settings) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io {
                    path: settings,
                    source: error,
                });
            }
            _ => {}
        }
        for entry in fs::read_dir(&self.directory).map_err(io_error(&self.directory))? {
            let entry = entry.map_err(io_error(&self.directory))?;
            if entry.file_name() == MARKER || entry.file_name() == LOCK {
                continue;
            }
            let path = entry.path();
            let is_directory = entry.file_type().map_err(io_error(&path))?.is_dir();
            let removed = if is_directory {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.map_err(io_error(&path))?;
        }
        Ok(())
    }
}

fn is_empty(directory: &Path) -> Result<bool, Error> {
    Ok(fs::read_dir(directory)
        .map_err(io_error(directory))?
        .next()
        .is_none())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn a_home_is_made_and_resumed() {
        let directory = temporary();
        let path = directory.path().join("a/localnet");
        let home = LocalnetHome::open(&path, false).expect("made");
        assert!(!home.is_set_up());
        fs::create_dir(home.node(0)).expect("creates");
        home.finish_set_up(&("chain", 4)).expect("writes");
        drop(home);

        let home = LocalnetHome::open(&path, false).expect("resumed");
        assert!(home.is_set_up() && home.node(0).is_dir());
        assert_eq!(
            home.settings::<(String, u32)>().expect("reads"),
            ("chain".to_owned(), 4)
        );
    }

    #[test]
    fn a_set_up_that_did_not_finish_starts_over() {
        let directory = temporary();
        let home = LocalnetHome::open(directory.path(), false).expect("made");
        fs::create_dir(home.node(0)).expect("creates");
        drop(home);
        let home = LocalnetHome::open(directory.path(), false).expect("opened");
        assert!(!home.node(0).exists());
    }

    #[test]
    fn reset_empties_our_home_only() {
        let directory = temporary();
        let home = LocalnetHome::open(directory.path(), true).expect("made");
        fs::create_dir(home.node(0)).expect("creates");
        fs::write(home.node(0).join("file"), "x").expect("writes");
        home.finish_set_up(&1).expect("writes");
        drop(home);
        let home = LocalnetHome::open(directory.path(), true).expect("reset");
        assert!(!home.is_set_up() && !home.node(0).exists());

        let foreign = temporary();
        fs::write(foreign.path().join("thesis.tex"), "x").expect("writes");
        for reset in [false, true] {
            let error = LocalnetHome::open(foreign.path(), reset)
                .expect_err("refused")
                .to_string();
            assert!(error.contains("is not a localnet's directory"), "{error}");
        }
        let left: Vec<_> = fs::read_dir(foreign.path()).expect("reads").collect();
        assert_eq!(left.len(), 1, "nothing was touched");
    }

    #[test]
    fn reset_follows_no_link_out_of_the_home() {
        let outside = temporary();
        fs::write(outside.path().join("precious"), "x").expect("writes");
        let directory = temporary();
        let home = LocalnetHome::open(directory.path(), false).expect("made");
        std::os::unix::fs::symlink(outside.path(), home.path().join("link")).expect("links");
        drop(home);
        LocalnetHome::open(directory.path(), true).expect("reset");
        assert!(outside.path().join("precious").exists());
        assert!(!directory.path().join("link").exists());
    }

    #[test]
    fn one_home_serves_one_process() {
        let directory = temporary();
        let first = LocalnetHome::open(directory.path(), false).expect("made");
        let error = LocalnetHome::open(directory.path(), true)
            .expect_err("in use")
            .to_string();
        assert!(
            error.contains("in use by another ballast process"),
            "{error}"
        );
        drop(first);
        LocalnetHome::open(directory.path(), false).expect("free again");
    }
}
