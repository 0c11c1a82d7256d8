//! Ids, number types, transactions, events, result codes and limits of Ballast.
//!
//! Everything that more than one crate must agree on, and nothing that executes. Prices are
//! whole ticks, sizes whole lots, cash whole atoms of an asset, time is milliseconds of block time.
#![forbid(unsafe_code)]

mod account;
mod action;
mod bundle;
mod code;
mod cosmos;
mod event;
mod ids;
mod limits;
pub mod margin;
mod order_key;
mod series;
mod sig;
mod spec;
pub mod surface;
mod tx;
mod weight;

pub use account::{Account, AccountId, BECH32_PREFIX, KeyId, PublicKey};
pub use action::{
    Action, Amend, Cancel, Condition, Distance, ExpirySurface, LinkKind, LinkRule, Linked,
    MarginMode, MarketStatus, Order, OrderRef, Peg, PegTo, PostOnly, PriceKind, PriceSource,
    PriceUpdate, Quote, QuoteSide, Quotes, Scale, SelfTrade, SelfTradeScope, SetAgent,
    SetMarketStatus, SetProtection, SetSurface, Side, TimeInForce, Transfer, Trigger, Twap,
};
pub use bundle::{Bundle, MAX_BUNDLE_TXS, decode_bundle, encode_bundle};
pub use code::Code;
pub use cosmos::{MSG_ACTIONS_URL, MSG_SEND_URL, MsgActionsBody};
pub use event::{ActionResult, BlockEvents, Event, PartResult, Removal, TxResult};
pub use ids::{AssetId, GroupId, MarketId, OrderId};
pub use limits::Limits;
pub use margin::OptionKind;
pub use order_key::{ActionKey, Class, GroupKey, Rank, TxKey, account_shard, claim_ticket, ticket};
pub use series::strike_step;
pub use sig::{Check, Secret, ingress_sign_hash, verify, verify_batch, verify_ingress};
pub use spec::{
    AssetSpec, Cadence, ChainSpec, GroupSpec, MarketKind, MarketSpec, Matching,
    SETTLEMENT_WINDOW_MS, SeriesSpec, Sharing, ValidatorSpec, chain_hash,
};
pub use tx::{
    Decoded, Scheme, TAG_BUNDLE, TAG_COSMOS, TAG_NATIVE, TAG_RESERVED, Tx, TxBody, TxHash, decode,
    encode_native, native_sign_hash, sign_native, tx_hash,
};
pub use weight::{
    BUNDLE_WEIGHT, action_weight, bundle_weight, cometbft_tx_weight, refused_weight, tx_weight,
};

/// Price in whole ticks of a market.
pub type Ticks = i64;
/// Size in whole lots of a market.
pub type Lots = i64;
/// Cash in the smallest unit of an asset.
pub type Atoms = i128;
/// Milliseconds since the Unix epoch, of block time.
pub type TimeMs = u64;
/// A 32-byte digest.
pub type Hash = [u8; 32];
