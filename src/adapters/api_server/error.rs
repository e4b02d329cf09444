//! What can go wrong at an API server, in the classes that callers treat differently.

use kube::core::Status;
use thiserror::Error;

/// A request that did not succeed.
#[derive(Debug, Error)]
pub enum ApiError {
    /// No answer: the server cannot be reached, or did not answer in time.
    #[error("failed to reach {server}: {reason}")]
    Unreachable {
        /// URL of the server.
        server: String,
        /// The innermost cause.
        reason: String,
    },
    /// The server does not accept the credentials.
    #[error("failed to log in to {server}: {message}")]
    Unauthorised {
        /// URL of the server.
        server: String,
        /// The server's words.
        message: String,
    },
    /// The server refuses this request to this user.
    #[error("{message}")]
    Forbidden {
        /// The server's words.
        message: String,
    },
    /// No such object, or no such kind.
    #[error("{message}")]
    NotFound {
        /// The server's words.
        message: String,
    },
    /// The object exists already.
    #[error("{message}")]
    AlreadyExists {
        /// The server's words.
        message: String,
    },
    /// The object has changed since it was read.
    #[error("{message}")]
    Conflict {
        /// The server's words.
        message: String,
    },
    /// The server cannot read the object, or does not know a field of it (400).
    #[error("{message}")]
    Invalid {
        /// The server's words.
        message: String,
    },
    /// The server refuses the object for the value of a field: it is not allowed, or not any more (422).
    #[error("{message}")]
    Unprocessable {
        /// The server's words.
        message: String,
    },
    /// The server asks to come again later: it has too much to do, or the storage of a kind is being set up (429).
    #[error("{message}")]
    Busy {
        /// The server's words.
        message: String,
    },
    /// Anything else that the server says.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// An answer that is no Kubernetes object.
    #[error("failed to read the answer of {server}: {message}")]
    Malformed {
        /// URL of the server.
        server: String,
        /// What is wrong with it.
        message: String,
    },
}

impl ApiError {
    /// Sorts an error of the client into its class.
    pub(super) fn from_kube(server: &str, error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(server, status),
            kube::Error::SerdeError(inner) => {
                Self::Malformed { server: server.to_owned(), message: inner.to_string() }
            }
            other => Self::Unreachable { server: server.to_owned(), reason: innermost(other) },
        }
    }

    /// Sorts a `Status` answer into its class.
    pub(super) fn from_status(server: &str, status: &Status) -> Self {
        let message = status.message.clone();
        match (status.code, status.reason.as_str()) {
            (401, _) => Self::Unauthorised { server: server.to_owned(), message },
            (403, _) => Self::Forbidden { message },
            (404, _) => Self::NotFound { message },
            (409, "AlreadyExists") => Self::AlreadyExists { message },
            (409, _) => Self::Conflict { message },
            (400, _) => Self::Invalid { message },
            (422, _) => Self::Unprocessable { message },
            (429, _) => Self::Busy { message },
            (503 | 504, _) => Self::Unreachable { server: server.to_owned(), reason: message },
            (code, _) => Self::Refused { code, message },
        }
    }

    /// Whether the connection as a whole is at fault, not the one request.
    pub fn concerns_connection(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unauthorised { .. } => true,
            Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::AlreadyExists { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::Unprocessable { .. }
            | Self::Busy { .. }
            | Self::Refused { .. }
            | Self::Malformed { .. } => false,
        }
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
