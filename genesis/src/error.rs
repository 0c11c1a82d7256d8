use std::fmt::Display;

/// What is wrong with a genesis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no JSON of the right form. Of a file the message ends with line and column.
    #[error("{field}: {message}")]
    Syntax {
        /// Path of the field, as `markets[2].tick`.
        field: String,
        /// What the parser says.
        message: String,
    },
    /// A value that is not allowed.
    #[error("{field}: {value} {reason}")]
    Value {
        /// Path of the field, as `markets[2].tick`.
        field: String,
        /// The value as JSON writes it.
        value: String,
        /// Why it is refused, as the rest of a sentence that begins with the value.
        reason: String,
    },
}

impl Error {
    /// A text that is refused.
    pub(crate) fn text(field: impl Display, value: &str, reason: impl Display) -> Self {
        Self::value(field, format_args!("{value:?}"), reason)
    }

    /// A number, or anything else that is not written in quotes, that is refused.
    pub(crate) fn value(field: impl Display, value: impl Display, reason: impl Display) -> Self {
        Self::Value {
            field: field.to_string(),
            value: value.to_string(),
            reason: reason.to_string(),
        }
    }
}
