//! Calls the application's method for a request.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use prost::Message;
use tendermint_abci::Application;

use crate::proto::{ResponseEcho, ResponseException, ResponseFlush};
use crate::wire::{Request, Response, ResponseInsertTx, ResponseReapTxs, request, response};

/// The application's own mempool (`mempool.type = "app"`): the two methods that
/// [`Application`] lacks. Transactions of RPC clients arrive by `check_tx` instead.
pub trait Pool: Send + Sync + 'static {
    /// Takes a transaction that a peer sent. Returns 0, or 32000 and above for "try again
    /// later". Must be quick: CometBFT waits for it in that peer's receive routine.
    fn insert_tx(&self, tx: Bytes) -> u32;

    /// Transactions to send to the peers: those that came in at this node since the last call.
    /// At most `max_bytes` and `max_gas` in total, where 0 is no limit.
    fn reap_txs(&self, max_bytes: u64, max_gas: u64) -> Vec<Bytes>;
}

/// Why a request has no answer. CometBFT gets it as an `Exception` and exits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DispatchError {
    #[error("undecodable request: {0}")]
    Undecodable(#[from] prost::DecodeError),
    #[error("unknown request field {0}")]
    UnknownMethod(u32),
    #[error("request names no method")]
    NoMethod,
    /// The application panicked: its state can no longer be trusted.
    #[error("{method} failed: {reason}")]
    Panicked {
        method: &'static str,
        reason: String,
    },
}

/// Decodes one request.
pub(crate) fn decode(message: Bytes) -> Result<request::Value, DispatchError> {
    let mut start = message.clone();
    if let Some(value) = Request::decode(message)?.value {
        return Ok(value);
    }
    if start.is_empty() {
        return Err(DispatchError::NoMethod);
    }
    let (field, _) = prost::encoding::decode_key(&mut start)?;
    Err(DispatchError::UnknownMethod(field))
}

/// Answers one request. A panic of the application becomes an error.
pub(crate) fn answer<A: Application>(
    request: request::Value,
    app: &A,
    pool: &dyn Pool,
) -> Result<Response, DispatchError> {
    let method = request.method();
    // What the panic left half done is never used again: the caller ends the process.
    catch_unwind(AssertUnwindSafe(|| call(request, app, pool)))
        .map(Response::from)
        .map_err(|panic| DispatchError::Panicked {
            method,
            reason: panic_text(&*panic),
        })
}

/// The answer that makes CometBFT stop.
pub(crate) fn exception(error: &dyn std::error::Error) -> Response {
    response::Value::Exception(ResponseException {
        error: error.to_string(),
    })
    .into()
}

fn call<A: Application>(request: request::Value, app: &A, pool: &dyn Pool) -> response::Value {
    use {request::Value as In, response::Value as Out};
    match request {
        In::Echo(echo) => Out::Echo(ResponseEcho {
            message: echo.message,
        }),
        In::Flush(_) => Out::Flush(ResponseFlush {}),
        In::Info(arguments) => Out::Info(app.info(arguments)),
        In::InitChain(arguments) => Out::InitChain(app.init_chain(arguments)),
        In::Query(arguments) => Out::Query(app.query(arguments)),
        In::CheckTx(arguments) => Out::CheckTx(app.check_tx(arguments)),
        In::Commit(_) => Out::Commit(app.commit()),
        In::ListSnapshots(_) => Out::ListSnapshots(app.list_snapshots()),
        In::OfferSnapshot(arguments) => Out::OfferSnapshot(app.offer_snapshot(arguments)),
        In::LoadSnapshotChunk(arguments) => {
            Out::LoadSnapshotChunk(app.load_snapshot_chunk(arguments))
        }
        In::ApplySnapshotChunk(arguments) => {
            Out::ApplySnapshotChunk(app.apply_snapshot_chunk(arguments))
        }
        In::PrepareProposal(arguments) => Out::PrepareProposal(app.prepare_proposal(arguments)),
        In::ProcessProposal(arguments) => Out::ProcessProposal(app.process_proposal(arguments)),
        In::ExtendVote(arguments) => Out::ExtendVote(app.extend_vote(arguments)),
        In::VerifyVoteExtension(arguments) => {
            Out::VerifyVoteExtension(app.verify_vote_extension(arguments))
        }
        In::FinalizeBlock(arguments) => Out::FinalizeBlock(app.finalize_block(arguments)),
        In::InsertTx(arguments) => Out::InsertTx(ResponseInsertTx {
            code: pool.insert_tx(arguments.tx),
        }),
        In::ReapTxs(limits) => Out::ReapTxs(ResponseReapTxs {
            txs: pool.reap_txs(limits.max_bytes, limits.max_gas),
        }),
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    match panic.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => "panic without a message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::RequestFinalizeBlock;

    #[test]
    fn transactions_of_a_block_share_the_message() {
        let txs = vec![Bytes::from(vec![1; 300]), Bytes::from(vec![2; 300])];
        let block = RequestFinalizeBlock {
            txs,
            ..Default::default()
        };
        let request = Request {
            value: Some(request::Value::FinalizeBlock(block)),
        };
        let message = Bytes::from(request.encode_to_vec());
        let range = message.as_ptr_range();
        let request::Value::FinalizeBlock(block) = decode(message.clone()).unwrap() else {
            panic!("not FinalizeBlock");
        };
        assert_eq!(block.txs.len(), 2);
        for tx in block.txs {
            assert!(range.contains(&tx.as_ptr()), "copied");
        }
    }

    #[test]
    fn requests_that_are_none_say_why() {
        let cases: [(&[u8], &str); 4] = [
            (&[], "request names no method"),
            (&[0xba, 0x06, 0x00], "unknown request field 103"),
            (&[0x1a, 0x05, 0x00], "undecodable request: "),
            (&[0xff, 0xff, 0xff, 0xff], "undecodable request: "),
        ];
        for (bytes, expected) in cases {
            let error = decode(Bytes::from_static(bytes)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
