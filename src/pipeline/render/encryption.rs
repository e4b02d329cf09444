//! Values encrypted as Open Cluster Management does: AES in CBC mode with PKCS #7 padding, behind `$ocm_encrypted:`.
//!
//! Keys and the initialization vector come as values. Must not touch: randomness, clients.

use secrecy::{ExposeSecret, SecretSlice};

/// The keys of one cluster.
#[derive(Clone)]
pub struct EncryptionKeys {
    /// Key of 16, 24 or 32 bytes: 32 where Open Cluster Management made it.
    pub key: SecretSlice<u8>,
    /// The key before the last rotation.
    pub previous: Option<SecretSlice<u8>>,
}

impl std::fmt::Debug for EncryptionKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "EncryptionKeys({} bits)", self.key.expose_secret().len() * 8)
    }
}

/// The keys of one cluster with the initialization vector of one replicated policy.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// The keys.
    pub keys: EncryptionKeys,
    /// The vector: random, not secret, kept over updates of the policy.
    pub vector: [u8; 16],
}
