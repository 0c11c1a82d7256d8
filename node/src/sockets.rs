//! Where a node's ABCI socket is.

use std::fs::Permissions;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A socket's path has to fit into 104 to 108 bytes, depending on the system.
const MAX_PATH_BYTES: usize = 100;

const FILE_NAME: &str = "abci.sock";

/// The path on which the application listens. The socket itself is made by who listens; it is
/// removed with this value.
#[derive(Debug)]
pub struct AbciSocket {
    path: PathBuf,
    // Held for its drop, which removes the directory.
    _directory: Option<tempfile::TempDir>,
}

impl AbciSocket {
    /// The socket of the node whose home is `home`: in it, or in a new temporary directory that
    /// only this user may enter when the path would be too long. A socket that a killed process
    /// left there is removed, so the caller must hold the home's lock.
    pub fn new(home: &Path) -> io::Result<Self> {
        let path = std::path::absolute(home)?.join(FILE_NAME);
        if path.as_os_str().as_bytes().len() > MAX_PATH_BYTES {
            let directory = tempfile::Builder::new()
                .prefix("ballast-")
                .permissions(Permissions::from_mode(0o700))
                .tempdir()?;
            let path = directory.path().join(FILE_NAME);
            return Ok(Self {
                path,
                _directory: Some(directory),
            });
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self {
                path,
                _directory: None,
            }),
        }
    }

    /// Where to listen.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same as CometBFT's `proxy_app`.
    pub fn proxy_app(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

impl Drop for AbciSocket {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_short_home_holds_the_socket() {
        let home = tempfile::tempdir().expect("a directory");
        let socket = AbciSocket::new(home.path()).expect("a path");
        assert_eq!(socket.path(), home.path().join("abci.sock"));
        assert_eq!(
            socket.proxy_app(),
            format!("unix://{}/abci.sock", home.path().display())
        );
    }

    #[test]
    fn a_socket_of_a_killed_process_is_in_nobodys_way() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("abci.sock");
        drop(UnixListener::bind(&path).expect("binds"));
        assert!(path.exists(), "closing a socket leaves its file");
        let socket = AbciSocket::new(home.path()).expect("a path");
        UnixListener::bind(socket.path()).expect("binds again");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_long_home_gets_a_private_directory() {
        let base = tempfile::tempdir().expect("a directory");
        let home = base.path().join("x".repeat(MAX_PATH_BYTES));
        let socket = AbciSocket::new(&home).expect("a path");
        let directory = socket.path().parent().expect("a parent").to_owned();
        assert!(!directory.starts_with(base.path()));
        let mode = std::fs::metadata(&directory)
            .expect("exists")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        UnixListener::bind(socket.path()).expect("binds");
        drop(socket);
        assert!(!directory.exists());
    }
}
