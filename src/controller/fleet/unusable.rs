//! Why an object of the hub does not count as it stands.

use thiserror::Error;

use crate::api::object::Manifest;
use crate::api::ocm::ParseError;
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::sets::{self, seal};

/// An object that is left out; where there was an earlier version that could be used, that one counts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unusable {
    /// It has not the shape of its kind.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// Somebody changed what the hub rendered; the hub is about to take it back.
    #[error(
        "{kind} {name} is rendered from ConfigMap {CONFIG_MAP_NAME}, and what was changed in it by hand is taken back: change \
         the ConfigMap instead"
    )]
    Edited {
        /// Its kind.
        kind: String,
        /// `namespace/name`.
        name: String,
        /// The digest of what it was changed to.
        digest: String,
    },
}

impl Unusable {
    /// The sentence for a policy about which nothing can be said because of it.
    pub(super) fn doubt(&self) -> String {
        match self {
            Self::Malformed(error) => {
                format!("{} {} cannot be read: {}", error.kind, error.name, error.message)
            }
            Self::Edited { .. } => self.to_string(),
        }
    }
}

/// Whether somebody changed what the hub rendered.
pub(super) fn edited(manifest: Option<&Manifest>) -> Option<Unusable> {
    let object = manifest.filter(|object| sets::is_rendered_by(object) && !seal::is_intact(object))?;
    let name = format!("{}/{}", object.namespace().unwrap_or_default(), object.name().unwrap_or_default());
    Some(Unusable::Edited { kind: object.kind().to_owned(), name, digest: seal::digest(object) })
}
