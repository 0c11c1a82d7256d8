//! Accepts connections and gives each a thread.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tendermint_abci::Application;

use crate::address::{Address, AddressError, Listener, Stream, check_path};
use crate::connection;
use crate::dispatch::Pool;

/// CometBFT opens 4; the rest is for tools. More are closed at once, so that a loop that
/// connects cannot use up the threads.
const MAX_CONNECTIONS: usize = 64;

/// How long to wait when the system has no file or thread left for a connection.
const OUT_OF_RESOURCES: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Called with the reason when the application panicked, after the `Exception` was written. In
/// production it ends the process. It runs on the connection's thread, so it must not wait for
/// [`Server::stop`].
pub type FatalHook = Arc<dyn Fn(&str) + Send + Sync>;

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The socket, as in CometBFT's `proxy_app`.
    pub address: Address,
    /// Longest request in bytes; see [`message_limit`](crate::message_limit).
    pub max_message_bytes: usize,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The socket cannot be opened.
    #[error("cannot serve ABCI on {address}: {error}")]
    Bind {
        /// The address asked for.
        address: Address,
        /// What the system said.
        error: io::Error,
    },
}

/// A running ABCI server. Dropping it stops it.
pub struct Server {
    address: Address,
    wake: UnixStream,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens the socket and serves `app` and `pool` on it, one thread a connection. Each
    /// connection has a clone of `app`. Fails when the socket cannot be opened: the path is too
    /// long, it is another kind of file, or another server listens there.
    pub fn start<A: Application>(
        config: ServerConfig,
        app: A,
        pool: Arc<dyn Pool>,
        fatal: FatalHook,
    ) -> Result<Self, ServerError> {
        if let Address::Unix(path) = &config.address {
            check_path(path)?;
        }
        let failed = |error| ServerError::Bind {
            address: config.address.clone(),
            error,
        };
        let listener = Listener::bind(&config.address).map_err(failed)?;
        let address = listener.local_address(&config.address).map_err(failed)?;
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        let acceptor = Acceptor {
            listener,
            address: address.clone(),
            limit: config.max_message_bytes,
            app,
            pool,
            fatal,
            connections: Vec::new(),
        };
        let acceptor = thread::Builder::new()
            .name("abci-accept".to_owned())
            .spawn(move || acceptor.run(&woken))
            .map_err(failed)?;
        tracing::info!(%address, "serving ABCI");
        Ok(Self {
            address,
            wake,
            acceptor: Some(acceptor),
        })
    }

    /// The address being served, for CometBFT's `proxy_app`. Port 0 has become a real port.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Closes every connection, waits for the calls that are running, and removes the socket
    /// file.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        // The other end lives as long as the acceptor, so this fails only when it is gone.
        let _ = self.wake.write_all(&[0]);
        if acceptor.join().is_err() {
            tracing::error!("ABCI acceptor panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

struct Connection {
    stream: Stream,
    thread: JoinHandle<()>,
}

struct Acceptor<A> {
    listener: Listener,
    address: Address,
    limit: usize,
    app: A,
    pool: Arc<dyn Pool>,
    fatal: FatalHook,
    connections: Vec<Connection>,
}

impl<A: Application> Acceptor<A> {
    fn run(mut self, woken: &UnixStream) {
        while !self.wait(woken) {
            match self.accept() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot take an ABCI connection");
                    let mut wake = [PollFd::new(woken, PollFlags::IN)];
                    let _ = poll(&mut wake, Some(&OUT_OF_RESOURCES));
                }
            }
        }
        if let Address::Unix(path) = &self.address
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(%error, path = %path.display(), "cannot remove the ABCI socket");
        }
        drop(self.listener);
        for connection in &self.connections {
            connection.stream.shutdown();
        }
        for connection in self.connections {
            if connection.thread.join().is_err() {
                tracing::error!("ABCI connection panicked");
            }
        }
    }

    /// Waits for a connection or the call to stop. True is stop.
    fn wait(&self, woken: &UnixStream) -> bool {
        let mut events = [
            PollFd::new(woken, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        match poll(&mut events, None) {
            Ok(_) => !events[0].revents().is_empty(),
            Err(rustix::io::Errno::INTR) => false,
            Err(error) => {
                tracing::error!(%error, "cannot wait for ABCI connections");
                true
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let stream = self.listener.accept()?;
        self.connections
            .retain(|connection| !connection.thread.is_finished());
        if self.connections.len() >= MAX_CONNECTIONS {
            tracing::warn!(
                limit = MAX_CONNECTIONS,
                "too many ABCI connections: closing one"
            );
            return Ok(());
        }
        let handle = stream.try_clone()?;
        let (limit, app) = (self.limit, self.app.clone());
        let (pool, fatal) = (Arc::clone(&self.pool), Arc::clone(&self.fatal));
        let thread = thread::Builder::new()
            .name("abci".to_owned())
            .spawn(move || connection::serve(stream, limit, &app, &*pool, &fatal))?;
        self.connections.push(Connection {
            stream: handle,
            thread,
        });
        Ok(())
    }
}
