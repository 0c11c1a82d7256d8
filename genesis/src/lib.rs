//! Typed genesis: what CometBFT hands to the application as `app_state`.
//!
//! [`from_json`] reads a [`Genesis`], a plain description with decimal numbers as strings.
//! [`validate`] checks it and converts every number to the integers of a
//! [`ballast_types::ChainSpec`], held by [`Validated`]; there is no other way to get one. Every
//! error names the field and its value. The bounds in [`bounds`] make settlement infallible.
#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::float_arithmetic
)]
#![deny(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod bounds;
mod demo;
mod error;
mod limits;
pub mod margin;
mod market;
mod number;
mod scale;
mod schema;
mod series;
#[expect(
    clippy::arithmetic_side_effects,
    reason = "sums and differences of days and seconds, which 64 bits of ms cannot overflow"
)]
pub mod time;
mod validate;

pub use demo::{demo, demo_cadence, demo_future};
pub use error::Error;
pub use limits::GenesisLimits;
pub use number::Number;
pub use schema::{
    Genesis, GenesisAccount, GenesisAsset, GenesisBand, GenesisCadence, GenesisGroup,
    GenesisMarket, GenesisSeries, GenesisValidator, Kind, MarginMode, Matching, Sharing, from_json,
    parse_json, to_json,
};
pub use time::{Span, Time};
pub use validate::{Validated, validate, validate_draft};
