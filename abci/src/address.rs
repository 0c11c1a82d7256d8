//! Where the server listens, and the two kinds of socket behind one type.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Longest path of a unix socket in bytes. Linux takes 107 and macOS 103.
const MAX_SOCKET_PATH: usize = 100;

/// A socket address as CometBFT's `proxy_app` writes it: `unix:///path` or `tcp://ip:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket: the default, and the faster one.
    Unix(PathBuf),
    /// A TCP socket. ABCI has no authentication: bind it to loopback.
    Tcp(SocketAddr),
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Neither `unix://` with a path nor `tcp://` with an IP address and port.
    #[error("ABCI address {0:?} is neither unix:///path nor tcp://ip:port")]
    Malformed(String),
    /// The operating system's limit would cut the path: choose another directory.
    #[error(
        "socket path {} is {length} bytes long, the limit is {MAX_SOCKET_PATH}: \
         use a shorter directory", path.display()
    )]
    PathTooLong {
        /// The path asked for.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://") {
            if path.is_empty() {
                return Err(malformed());
            }
            return Self::unix(path);
        }
        let tcp = text.strip_prefix("tcp://").ok_or_else(malformed)?;
        Ok(Self::Tcp(tcp.parse().map_err(|_| malformed())?))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl Address {
    /// A unix socket at `path`. Fails when the path is over 100 bytes.
    pub fn unix(path: impl Into<PathBuf>) -> Result<Self, AddressError> {
        let path = path.into();
        check_path(&path)?;
        Ok(Self::Unix(path))
    }
}

/// Fails when the operating system might cut the path.
pub(crate) fn check_path(path: &Path) -> Result<(), AddressError> {
    let length = path.as_os_str().as_bytes().len();
    if length > MAX_SOCKET_PATH {
        return Err(AddressError::PathTooLong {
            path: path.to_owned(),
            length,
        });
    }
    Ok(())
}

/// A listening socket that never blocks in `accept`.
pub(crate) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// Binds `address`. Replaces a socket file that nobody listens on, but no other file.
    pub(crate) fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Unix(path) => {
                remove_stale(path)?;
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(listener))
            }
            Address::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener))
            }
        }
    }

    /// The address as bound, with the port that the system chose for port 0.
    pub(crate) fn local_address(&self, asked: &Address) -> io::Result<Address> {
        match self {
            Self::Unix(_) => Ok(asked.clone()),
            Self::Tcp(listener) => Ok(Address::Tcp(listener.local_addr()?)),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                // Some systems hand the listener's mode on to the connection.
                stream.set_nonblocking(false)?;
                Ok(Stream::Unix(stream))
            }
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(false)?;
                // With Nagle's algorithm every call waits for a delayed ACK, about 44 ms.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(listener) => listener.as_fd(),
            Self::Tcp(listener) => listener.as_fd(),
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let file_type = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?.file_type(),
    };
    if !file_type.is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the file is not a socket",
        ));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another server listens there",
        )),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

/// One connection.
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
        }
    }

    /// Makes a write fail that waits longer than `limit` for the peer.
    pub(crate) fn set_write_timeout(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_write_timeout(Some(limit)),
            Self::Tcp(stream) => stream.set_write_timeout(Some(limit)),
        }
    }

    /// Ends both directions, which wakes a thread that blocks on this socket. A socket that the
    /// peer closed already is as good as shut down.
    pub(crate) fn shutdown(&self) {
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buffer),
            Self::Tcp(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_written() {
        for text in [
            "unix:///run/ballast/abci.sock",
            "tcp://127.0.0.1:26658",
            "tcp://[::1]:0",
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in [
            "",
            "unix://",
            "/run/abci.sock",
            "tcp://localhost",
            "tcp://1.2.3.4",
            "udp://",
        ] {
            assert!(
                matches!(text.parse::<Address>(), Err(AddressError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn paths_are_limited_to_100_bytes() {
        assert!(Address::unix(format!("/{}", "a".repeat(99))).is_ok());
        let error = Address::unix(format!("/{}", "a".repeat(100))).expect_err("101 bytes");
        assert!(
            error
                .to_string()
                .contains("is 101 bytes long, the limit is 100"),
            "{error}"
        );
    }
}
