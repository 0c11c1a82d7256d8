//! Serves one connection of CometBFT.

use std::io::{self, Write};

use prost::Message;
use tendermint_abci::Application;

use crate::address::Stream;
use crate::dispatch::{self, DispatchError, Pool};
use crate::frame::{FrameError, FrameReader};
use crate::server::FatalHook;
use crate::wire::{Response, request};

/// Unwritten answers are written at this size even while requests are waiting.
const WRITE_AT: usize = 256 * 1024;

/// Answers until the peer closes, the socket is shut down, or a request cannot be answered.
pub(crate) fn serve<A: Application>(
    stream: Stream,
    limit: usize,
    app: &A,
    pool: &dyn Pool,
    fatal: &FatalHook,
) {
    let end = stream.try_clone().and_then(|writer| {
        let mut answers = Answers {
            writer,
            unwritten: Vec::new(),
        };
        let fault = answer_all(FrameReader::new(stream, limit), &mut answers, app, pool)?;
        if let Some(fault) = fault {
            tracing::error!(error = %fault, "ABCI request has no answer");
            // The answer may find nobody; the hook has to run anyway.
            let written = answers
                .push(&dispatch::exception(&fault))
                .and_then(|()| answers.write());
            if let Fault::Request(DispatchError::Panicked { .. }) = fault {
                fatal(&fault.to_string());
            }
            answers.writer.shutdown();
            written?;
        }
        Ok(())
    });
    match end {
        Ok(()) => tracing::debug!("ABCI connection ended"),
        Err(error) => tracing::debug!(%error, "ABCI connection broke"),
    }
}

/// Why a connection is ended from this side.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Frame(FrameError),
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
) -> io::Result<Option<Fault>> {
    loop {
        let message = match requests.next() {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(None),
            Err(FrameError::Io(error)) => return Err(error),
            Err(FrameError::Truncated) => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    FrameError::Truncated,
                ));
            }
            Err(error) => return Ok(Some(Fault::Frame(error))),
        };
        let bytes = message.len();
        let answered = dispatch::decode(message).and_then(|request| {
            let (method, is_flush) = (
                request.method(),
                matches!(request, request::Value::Flush(_)),
            );
            let response = dispatch::answer(request, app, pool)?;
            tracing::debug!(method, bytes, "ABCI request answered");
            Ok((response, is_flush))
        });
        match answered {
            Ok((response, is_flush)) => {
                answers.push(&response)?;
                if is_flush || !requests.has_buffered() {
                    answers.write()?;
                }
            }
            Err(error) => return Ok(Some(Fault::Request(error))),
        }
    }
}
