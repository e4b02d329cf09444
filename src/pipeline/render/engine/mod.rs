//! Template engines: text and values in, text out. They know nothing of policies.

pub(crate) mod go;
