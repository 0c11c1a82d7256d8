//! Serves one connection of CometBFT.

use std::io::{self, Write};
use std::time::Duration;

use prost::Message;
use tendermint_abci::Application;

use crate::address::Stream;
use crate::dispatch::{self, DispatchError, Pool};
use crate::frame::{FrameError, FrameReader};
use crate::server::FatalHook;
use crate::wire::{Response, request};

/// Unwritten answers are written at this size even while requests are waiting.
const WRITE_AT: usize = 256 * 1024;

/// How long a peer that does not read may hold up the end of a connection.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Answers until the peer closes, the socket is shut down, or a request cannot be answered.
pub(crate) fn serve<A: Application>(
    stream: Stream,
    limit: usize,
    app: &A,
    pool: &dyn Pool,
    fatal: &FatalHook,
) {
    let ended = stream.try_clone().and_then(|writer| {
        let mut answers = Answers {
            writer,
            unwritten: Vec::new(),
        };
        let ended = answer_all(
            FrameReader::new(stream, limit),
            &mut answers,
            app,
            pool,
            fatal,
        );
        // The acceptor still holds this socket, so dropping it here would not close it.
        answers.writer.shutdown();
        ended
    });
    match ended {
        Ok(()) => tracing::debug!("ABCI connection ended"),
        Err(error) => tracing::debug!(%error, "ABCI connection broke"),
    }
}

/// Why a connection is ended from this side.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Request(#[from] DispatchError),
}

/// Answers that wait to be written together.
struct Answers {
    writer: Stream,
    unwritten: Vec<u8>,
}

impl Answers {
    fn push(&mut self, response: &Response) -> io::Result<()> {
        response
            .encode_length_delimited(&mut self.unwritten)
            .map_err(io::Error::other)?;
        if self.unwritten.len() >= WRITE_AT {
            self.write()
        } else {
            Ok(())
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.unwritten)?;
        self.unwritten.clear();
        Ok(())
    }
}

fn answer_all<A: Application>(
    mut requests: FrameReader<Stream>,
    answers: &mut Answers,
    app: &A,
    pool: &dyn Pool,
    fatal: &FatalHook,
) -> io::Result<()> {
    loop {
        match answer_next(&mut requests, answers, app, pool) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(Fault::Frame(FrameError::Io(error))) => return Err(error),
            Err(Fault::Frame(FrameError::Truncated)) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    FrameError::Truncated,
                ));
            }
            Err(fault) => {
                tracing::error!(error = %fault, "ABCI request has no answer");
                let written = answers
                    .writer
                    .set_write_timeout(LAST_WRITE)
                    .and_then(|()| answers.push(&dispatch::exception(&fault)))
                    .and_then(|()| answers.write());
                // The answer may have found nobody; the hook runs anyway.
                if let Fault::Request(DispatchError::Panicked { .. }) = fault {
                    fatal(&fault.to_string());
                }
                return written;
            }
        }
    }
}

/// Answers one request. False is the end of the stream.
fn answer_next<A: Application>(
    requests: &mut FrameReader<Stream>,
    answers: &mut Answers,
    app: &A,
    pool: &dyn Pool,
) -> Result<bool, Fault> {
    let Some(message) = requests.next()? else {
        return Ok(false);
    };
    let bytes = message.len();
    let request = dispatch::decode(message)?;
    let (method, is_flush) = (
        request.method(),
        matches!(request, request::Value::Flush(_)),
    );
    let response = dispatch::answer(request, app, pool)?;
    tracing::debug!(method, bytes, "ABCI request answered");
    answers.push(&response).map_err(FrameError::Io)?;
    if is_flush || !requests.has_buffered() {
        answers.write().map_err(FrameError::Io)?;
    }
    Ok(true)
}
