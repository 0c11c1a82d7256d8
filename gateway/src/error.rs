//! The one shape of an error, on HTTP and on WebSocket.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ballast_types::Code;
use serde::Serialize;
use std::fmt::Display;

/// Longest part of a bad value that is sent back.
const SHOWN: usize = 128;

/// Why a request was refused.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    pub status: StatusCode,
    /// Stable name.
    pub code: &'static str,
    /// Number of the chain's or pool's code, when it was they who refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// What part of the request is at fault.
    pub field: String,
    /// What it held, cut to 128 bytes.
    pub value: String,
    /// For people.
    pub message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a ApiError,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        field: &str,
        value: impl Display,
        message: impl Into<String>,
    ) -> Self {
        let mut value = value.to_string();
        let mut end = SHOWN.min(value.len());
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        value.truncate(end);
        Self {
            status,
            code,
            number: None,
            field: field.to_owned(),
            value,
            message: message.into(),
        }
    }

    /// A field that cannot be read.
    pub(crate) fn bad(field: &str, value: impl Display, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_FIELD", field, value, message)
    }

    /// A field that must be there.
    pub(crate) fn missing(field: &str) -> Self {
        let message = format!("{field} is missing");
        Self::new(StatusCode::BAD_REQUEST, "MISSING_FIELD", field, "", message)
    }

    /// A field that nobody reads.
    pub(crate) fn unknown_field(field: &str, value: impl Display) -> Self {
        let message = format!("{field} is not a field of this request");
        Self::new(
            StatusCode::BAD_REQUEST,
            "UNKNOWN_FIELD",
            field,
            value,
            message,
        )
    }

    pub(crate) fn not_ready() -> Self {
        let message = "this node has no block yet, or still catches up with the chain; try again";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "NOT_READY",
            "height",
            "",
            message,
        )
    }

    pub(crate) fn unknown_market(market: impl Display) -> Self {
        let message = "the chain has no market of this symbol or number";
        Self::new(
            StatusCode::NOT_FOUND,
            "UNKNOWN_MARKET",
            "market",
            market,
            message,
        )
    }

    pub(crate) fn unknown_group(group: impl Display) -> Self {
        let message = "the chain has no group of this name or number";
        Self::new(
            StatusCode::NOT_FOUND,
            "UNKNOWN_GROUP",
            "group",
            group,
            message,
        )
    }

    pub(crate) fn unknown_account(account: impl Display) -> Self {
        let message = "the account does not exist at this height";
        Self::new(
            StatusCode::NOT_FOUND,
            "UNKNOWN_ACCOUNT",
            "account",
            account,
            message,
        )
    }

    /// The pool's refusal of a transaction.
    pub(crate) fn refused(error: &crate::SubmitError) -> Self {
        let known = u16::try_from(error.code).ok().and_then(Code::from_number);
        let (status, code) = match known {
            _ if error.code >= 32_010 => (StatusCode::SERVICE_UNAVAILABLE, "NOT_READY"),
            _ if error.code >= 32_000 => (StatusCode::SERVICE_UNAVAILABLE, "FULL"),
            Some(code) => (StatusCode::BAD_REQUEST, code.name()),
            None => (StatusCode::BAD_REQUEST, "REFUSED"),
        };
        let mut refused = Self::new(status, code, "tx", error.code, error.message.clone());
        refused.number = Some(error.code);
        refused
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Body { error: &self })).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
