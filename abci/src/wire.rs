//! ABCI `Request` and `Response` as CometBFT 0.40 sends them: those of v0.38 plus the two
//! messages of the application's own mempool. The tags are CometBFT's and never change.

use bytes::Bytes;

/// One request of CometBFT. `value` is `None` when the method is not known here.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// The method and its arguments.
    #[prost(
        oneof = "request::Value",
        tags = "1, 2, 3, 5, 6, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22"
    )]
    pub value: Option<request::Value>,
}

/// One answer. CometBFT matches answers to requests by their order on the connection.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Response {
    /// The method and its result, or an exception.
    #[prost(
        oneof = "response::Value",
        tags = "1, 2, 3, 4, 6, 7, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23"
    )]
    pub value: Option<response::Value>,
}

/// Hands over a transaction that a peer sent.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RequestInsertTx {
    /// The transaction, undecoded.
    #[prost(bytes = "bytes", tag = "1")]
    pub tx: Bytes,
}

/// Asks for transactions to send to peers.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct RequestReapTxs {
    /// Most bytes to return; 0 is no limit.
    #[prost(uint64, tag = "1")]
    pub max_bytes: u64,
    /// Most gas to return; 0 is no limit.
    #[prost(uint64, tag = "2")]
    pub max_gas: u64,
}

/// Says whether the pool took a peer's transaction.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct ResponseInsertTx {
    /// 0 is taken; 32000 and above mean "try again later".
    #[prost(uint32, tag = "1")]
    pub code: u32,
}

/// The transactions that CometBFT shall send to peers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ResponseReapTxs {
    /// Undecoded transactions.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub txs: Vec<Bytes>,
}

/// The methods of a [`Request`].
#[allow(
    missing_docs,
    reason = "the variants are the ABCI methods, documented by CometBFT"
)]
pub mod request {
    use crate::proto;

    /// A method and its arguments.
    #[allow(
        clippy::large_enum_variant,
        reason = "one lives at a time, on the stack"
    )]
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Value {
        #[prost(message, tag = "1")]
        Echo(proto::RequestEcho),
        #[prost(message, tag = "2")]
        Flush(proto::RequestFlush),
        #[prost(message, tag = "3")]
        Info(proto::RequestInfo),
        #[prost(message, tag = "5")]
        InitChain(proto::RequestInitChain),
        #[prost(message, tag = "6")]
        Query(proto::RequestQuery),
        #[prost(message, tag = "8")]
        CheckTx(proto::RequestCheckTx),
        #[prost(message, tag = "11")]
        Commit(proto::RequestCommit),
        #[prost(message, tag = "12")]
        ListSnapshots(proto::RequestListSnapshots),
        #[prost(message, tag = "13")]
        OfferSnapshot(proto::RequestOfferSnapshot),
        #[prost(message, tag = "14")]
        LoadSnapshotChunk(proto::RequestLoadSnapshotChunk),
        #[prost(message, tag = "15")]
        ApplySnapshotChunk(proto::RequestApplySnapshotChunk),
        #[prost(message, tag = "16")]
        PrepareProposal(proto::RequestPrepareProposal),
        #[prost(message, tag = "17")]
        ProcessProposal(proto::RequestProcessProposal),
        #[prost(message, tag = "18")]
        ExtendVote(proto::RequestExtendVote),
        #[prost(message, tag = "19")]
        VerifyVoteExtension(proto::RequestVerifyVoteExtension),
        #[prost(message, tag = "20")]
        FinalizeBlock(proto::RequestFinalizeBlock),
        #[prost(message, tag = "21")]
        InsertTx(super::RequestInsertTx),
        #[prost(message, tag = "22")]
        ReapTxs(super::RequestReapTxs),
    }

    impl Value {
        /// The method's name, for logs and errors.
        pub fn method(&self) -> &'static str {
            match self {
                Self::Echo(_) => "Echo",
                Self::Flush(_) => "Flush",
                Self::Info(_) => "Info",
                Self::InitChain(_) => "InitChain",
                Self::Query(_) => "Query",
                Self::CheckTx(_) => "CheckTx",
                Self::Commit(_) => "Commit",
                Self::ListSnapshots(_) => "ListSnapshots",
                Self::OfferSnapshot(_) => "OfferSnapshot",
                Self::LoadSnapshotChunk(_) => "LoadSnapshotChunk",
                Self::ApplySnapshotChunk(_) => "ApplySnapshotChunk",
                Self::PrepareProposal(_) => "PrepareProposal",
                Self::ProcessProposal(_) => "ProcessProposal",
                Self::ExtendVote(_) => "ExtendVote",
                Self::VerifyVoteExtension(_) => "VerifyVoteExtension",
                Self::FinalizeBlock(_) => "FinalizeBlock",
                Self::InsertTx(_) => "InsertTx",
                Self::ReapTxs(_) => "ReapTxs",
            }
        }
    }
}

/// The methods of a [`Response`].
#[allow(
    missing_docs,
    reason = "the variants are the ABCI methods, documented by CometBFT"
)]
pub mod response {
    use crate::proto;

    /// A method and its result.
    #[allow(
        clippy::large_enum_variant,
        reason = "one lives at a time, on the stack"
    )]
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Value {
        #[prost(message, tag = "1")]
        Exception(proto::ResponseException),
        #[prost(message, tag = "2")]
        Echo(proto::ResponseEcho),
        #[prost(message, tag = "3")]
        Flush(proto::ResponseFlush),
        #[prost(message, tag = "4")]
        Info(proto::ResponseInfo),
        #[prost(message, tag = "6")]
        InitChain(proto::ResponseInitChain),
        #[prost(message, tag = "7")]
        Query(proto::ResponseQuery),
        #[prost(message, tag = "9")]
        CheckTx(proto::ResponseCheckTx),
        #[prost(message, tag = "12")]
        Commit(proto::ResponseCommit),
        #[prost(message, tag = "13")]
        ListSnapshots(proto::ResponseListSnapshots),
        #[prost(message, tag = "14")]
        OfferSnapshot(proto::ResponseOfferSnapshot),
        #[prost(message, tag = "15")]
        LoadSnapshotChunk(proto::ResponseLoadSnapshotChunk),
        #[prost(message, tag = "16")]
        ApplySnapshotChunk(proto::ResponseApplySnapshotChunk),
        #[prost(message, tag = "17")]
        PrepareProposal(proto::ResponsePrepareProposal),
        #[prost(message, tag = "18")]
        ProcessProposal(proto::ResponseProcessProposal),
        #[prost(message, tag = "19")]
        ExtendVote(proto::ResponseExtendVote),
        #[prost(message, tag = "20")]
        VerifyVoteExtension(proto::ResponseVerifyVoteExtension),
        #[prost(message, tag = "21")]
        FinalizeBlock(proto::ResponseFinalizeBlock),
        #[prost(message, tag = "22")]
        InsertTx(super::ResponseInsertTx),
        #[prost(message, tag = "23")]
        ReapTxs(super::ResponseReapTxs),
    }
}

impl From<response::Value> for Response {
    fn from(value: response::Value) -> Self {
        Self { value: Some(value) }
    }
}
