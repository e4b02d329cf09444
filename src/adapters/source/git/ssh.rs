//! Git over SSH: `git-upload-pack` on a host whose key is known. The only file that names russh. No program is started here.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use russh::client::{self, AuthResult, Msg};
use russh::keys::ssh_key::known_hosts::{HostPatterns, KnownHosts};
use russh::keys::{
    Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key,
};
use russh::{Channel, ChannelMsg, Preferred};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

use super::wire::{self, Advertisement};
use super::{ADVERTISEMENT_BYTES, GitError, Limits, revision};
use crate::pipeline::source::{GitCredentials, Reference};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What RSA keys sign with, best first.
const RSA_HASHES: [HashAlg; 2] = [HashAlg::Sha512, HashAlg::Sha256];

/// A repository on a host.
pub(super) struct Place {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) repository: String,
}

impl Place {
    /// As OpenSSH writes it in `known_hosts`.
    fn known_as(&self) -> String {
        if self.port == 22 { self.host.clone() } else { format!("[{}]:{}", self.host, self.port) }
    }

    fn unreachable(&self, error: &russh::Error) -> GitError {
        GitError::Unreachable { host: self.host.clone(), reason: error.to_string() }
    }
}

/// The commit and the server's answer to the request for it; `None` if its revision is known.
pub(super) async fn fetch(
    place: &Place,
    credentials: &GitCredentials,
    reference: &Reference,
    known: Option<&str>,
    limits: &Limits,
) -> Result<Option<(String, Vec<u8>)>, GitError> {
    let missing = || GitError::LogIn {
        host: place.host.clone(),
        reason: "a Secret with `identity` and `known_hosts` is needed: add secret=NAME to the address",
    };
    let (Some(identity), Some(known_hosts)) = (&credentials.identity, &credentials.known_hosts) else {
        return Err(missing());
    };
    let keys = keys_of(&place.known_as(), known_hosts)?;
    if keys.is_empty() {
        return Err(GitError::UnknownHost { host: place.known_as() });
    }
    let mut session = connect(place, keys).await?;
    log_in(place, &mut session, identity, credentials.passphrase.as_ref()).await?;
    let mut channel = session.channel_open_session().await.map_err(|error| place.unreachable(&error))?;
    let command = format!("git-upload-pack '{}'", place.repository);
    channel.exec(true, command).await.map_err(|error| place.unreachable(&error))?;
    let mut said = Vec::new();
    while !wire::is_complete_advertisement(&said)? {
        if !hear(&mut channel, &mut said, ADVERTISEMENT_BYTES, "the references of the repository").await? {
            return Err(GitError::LogIn {
                host: place.host.clone(),
                reason: "there is no such repository, or this key may not read it",
            });
        }
    }
    let advertisement = Advertisement::read(&said)?;
    let commit = advertisement.find(reference)?;
    if known == Some(&revision(reference, &commit)) {
        channel.data(&b"0000"[..]).await.map_err(|error| place.unreachable(&error))?;
        return Ok(None);
    }
    let request = advertisement.request(&commit)?;
    channel.data(request.as_slice()).await.map_err(|error| place.unreachable(&error))?;
    let mut answer = Vec::new();
    while hear(&mut channel, &mut answer, limits.pack_bytes, "the pack of the commit").await? {}
    Ok(Some((commit, answer)))
}

/// Adds what the server says next; `false` at the end.
async fn hear(
    channel: &mut Channel<Msg>,
    heard: &mut Vec<u8>,
    limit: u64,
    what: &'static str,
) -> Result<bool, GitError> {
    match channel.wait().await {
        Some(ChannelMsg::Data { data }) => {
            heard.extend_from_slice(&data);
            if heard.len() as u64 > limit { Err(GitError::TooMuch { what, limit }) } else { Ok(true) }
        }
        Some(ChannelMsg::Eof | ChannelMsg::Close) | None => Ok(false),
        Some(_) => Ok(true),
    }
}

async fn connect(place: &Place, keys: Vec<PublicKey>) -> Result<client::Handle<Doorkeeper>, GitError> {
    let mut algorithms: Vec<_> = keys.iter().flat_map(|key| algorithms_of(key.algorithm())).collect();
    algorithms.dedup();
    let config = client::Config {
        // A host with several keys shows one that is known.
        preferred: Preferred { key: Cow::Owned(algorithms), ..Preferred::DEFAULT },
        inactivity_timeout: Some(Duration::from_secs(60)),
        ..client::Config::default()
    };
    let doorkeeper = Doorkeeper { keys };
    let connecting = client::connect(Arc::new(config), (place.host.as_str(), place.port), doorkeeper);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(russh::Error::UnknownKey)) => Err(GitError::UnknownHost { host: place.known_as() }),
        Ok(Err(error)) => Err(place.unreachable(&error)),
        Err(_) => Err(GitError::Unreachable {
            host: place.host.clone(),
            reason: format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()),
        }),
    }
}

async fn log_in(
    place: &Place,
    session: &mut client::Handle<Doorkeeper>,
    identity: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<(), GitError> {
    let passphrase = passphrase.map(|passphrase| passphrase.expose_secret().trim());
    let key = decode_secret_key(identity.expose_secret(), passphrase).map_err(|_| GitError::Credentials {
        what: "`identity` is not a private key (ed25519, ecdsa or rsa) that can be read, or `password` is not its passphrase",
    })?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), Some(rsa_hash(session).await));
    match session.authenticate_publickey(&place.user, key).await {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { .. }) => {
            Err(GitError::LogIn { host: place.host.clone(), reason: "it refuses the key" })
        }
        Err(error) => Err(place.unreachable(&error)),
    }
}

/// The algorithms in which a host may prove that it has a key: of RSA none with SHA-1.
fn algorithms_of(algorithm: Algorithm) -> Vec<Algorithm> {
    match algorithm {
        Algorithm::Rsa { .. } => RSA_HASHES.map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec(),
        other => vec![other],
    }
}

/// With what an RSA key signs the log-in: what the host asks for, but never SHA-1.
async fn rsa_hash(session: &client::Handle<Doorkeeper>) -> HashAlg {
    let asked = session.best_supported_rsa_hash().await.ok().flatten().flatten();
    asked.unwrap_or(HashAlg::Sha512)
}

/// Lets in hosts with a known key alone.
struct Doorkeeper {
    keys: Vec<PublicKey>,
}

impl client::Handler for Doorkeeper {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.keys.iter().any(|known| known.key_data() == key.key_data())
            }
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }
}

/// The keys of a host. Lines with a marker (`@revoked`, `@cert-authority`) and patterns with wildcards stand for none.
fn keys_of(host: &str, known_hosts: &SecretString) -> Result<Vec<PublicKey>, GitError> {
    let mut keys = Vec::new();
    for entry in KnownHosts::new(known_hosts.expose_secret()) {
        let entry = entry.map_err(|_| GitError::Credentials {
            what: "`known_hosts` has a line that cannot be read; `ssh-keyscan HOST` writes good ones",
        })?;
        if entry.marker().is_none() && is_for(entry.host_patterns(), host) {
            keys.push(entry.public_key().clone());
        }
    }
    Ok(keys)
}

fn is_for(patterns: &HostPatterns, host: &str) -> bool {
    match patterns {
        HostPatterns::Patterns(names) => names.iter().any(|name| name == host),
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
            .is_ok_and(|mac| mac.chain_update(host).verify_slice(hash).is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn known(lines: &str, host: &str) -> Result<usize, String> {
        keys_of(host, &SecretString::from(lines)).map(|keys| keys.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn hosts_are_known_by_name_and_by_its_hash() {
        let lines = format!("# a comment\n\nh,other {KEY}\n[h]:2222 {KEY}\n@revoked gone {KEY}\n*.h {KEY}\n");
        for (host, keys) in [("h", 1), ("other", 1), ("[h]:2222", 1), ("gone", 0), ("a.h", 0), ("x", 0)] {
            assert_eq!(known(&lines, host), Ok(keys), "{host}");
        }
        // `ssh-keygen -H` of a file with the host `example.org`: HMAC-SHA1 of the name with the salt 0123456789abcdefghij.
        let mac = Hmac::<Sha1>::new_from_slice(b"0123456789abcdefghij").unwrap().chain_update("example.org");
        let encode = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        let hash = encode(&mac.finalize().into_bytes());
        let hashed = format!("|1|{}|{hash} {KEY}\n", encode(b"0123456789abcdefghij"));
        assert_eq!((known(&hashed, "example.org"), known(&hashed, "example.com")), (Ok(1), Ok(0)));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_told_without_its_words() {
        let error = known("hunter2\n", "h").unwrap_err();
        assert!(
            error.contains("`known_hosts` has a line that cannot be read") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
