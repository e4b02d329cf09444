//! What a Secret must hold for a git repository. The keys are those that Flux reads, so that its Secrets can be used.

use std::collections::BTreeMap;

use secrecy::SecretString;
use thiserror::Error;

use super::address::Transport;

/// A Secret that does not fit the repository. It names keys, never values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// The keys that are needed are not all there.
    #[error("failed to use Secret {secret}: {expected}")]
    Keys {
        /// Namespace and name.
        secret: String,
        /// What is needed.
        expected: &'static str,
    },
}

/// What opens a repository.
#[derive(Debug, Clone, Default)]
pub struct GitCredentials {
    /// User and password (or a token in its place).
    pub basic: Option<(SecretString, SecretString)>,
    /// A token that is sent as it is.
    pub bearer: Option<SecretString>,
    /// Certificates of authorities in PEM, which are trusted instead of the machine's.
    pub authorities: Option<SecretString>,
    /// A private key of SSH in OpenSSH's or PEM form.
    pub identity: Option<SecretString>,
    /// The passphrase of the key.
    pub passphrase: Option<SecretString>,
    /// Keys of hosts, as in `~/.ssh/known_hosts`.
    pub known_hosts: Option<SecretString>,
}

impl GitCredentials {
    /// The keys of a Secret that are read.
    pub const KEYS: [&str; 7] =
        ["username", "password", "bearerToken", "identity", "known_hosts", "ca.crt", "caFile"];

    /// From the keys of a Secret. `secret` is its namespace and name.
    pub fn read(
        secret: &str,
        mut keys: BTreeMap<String, SecretString>,
        transport: &Transport,
    ) -> Result<Self, CredentialsError> {
        let fault = |expected| Err(CredentialsError::Keys { secret: secret.to_owned(), expected });
        let mut take = |key: &str| keys.remove(key);
        let (username, password) = (take("username"), take("password"));
        let (bearer, identity, known_hosts) = (take("bearerToken"), take("identity"), take("known_hosts"));
        let authorities = take("ca.crt").or_else(|| take("caFile"));
        let basic = match (username, password.clone()) {
            (Some(username), Some(password)) => Some((username, password)),
            (None, None) => None,
            (None, Some(_)) if identity.is_some() => None,
            (Some(_), None) | (None, Some(_)) => {
                return fault("`username` and `password` belong together");
            }
        };
        match transport {
            Transport::Http { url } if url.starts_with("http:") => {
                fault("credentials are not sent without encryption; use git+https")
            }
            Transport::Http { .. } if basic.is_none() && bearer.is_none() && authorities.is_none() => {
                fault("it needs `username` and `password`, or `bearerToken`, or `ca.crt`")
            }
            Transport::Http { .. } if basic.is_some() && bearer.is_some() => {
                fault("it needs `username` and `password`, or `bearerToken`, not both")
            }
            Transport::Ssh { .. } if identity.is_none() || known_hosts.is_none() => {
                fault("it needs `identity`, a private key, and `known_hosts`")
            }
            Transport::File { .. } => fault("a repository on this machine needs no credentials"),
            Transport::Http { .. } | Transport::Ssh { .. } => {
                let passphrase = identity.as_ref().and(password);
                Ok(Self { basic, bearer, authorities, identity, passphrase, known_hosts })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(transport: &Transport, keys: &[&str]) -> Result<GitCredentials, String> {
        let keys =
            keys.iter().map(|key| ((*key).to_owned(), SecretString::from(format!("hidden-{key}")))).collect();
        GitCredentials::read("flotilla/git", keys, transport).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_must_fit_the_repository() {
        let https = Transport::Http { url: "https://h/r".to_owned() };
        let http = Transport::Http { url: "http://h/r".to_owned() };
        let ssh = Transport::Ssh {
            user: "git".to_owned(),
            host: "h".to_owned(),
            port: 22,
            repository: "/r".to_owned(),
        };
        let file = Transport::File { repository: "/r".to_owned() };
        assert!(read(&https, &["username", "password"]).unwrap().basic.is_some());
        assert!(read(&https, &["bearerToken", "ca.crt"]).unwrap().authorities.is_some());
        assert!(read(&https, &["caFile"]).unwrap().authorities.is_some());
        assert!(read(&ssh, &["identity", "known_hosts", "password"]).unwrap().passphrase.is_some());
        for (transport, keys, part) in [
            (&https, &["username"][..], "belong together"),
            (&https, &["identity", "known_hosts"], "needs `username` and `password`"),
            (&https, &["username", "password", "bearerToken"], "not both"),
            (&http, &["bearerToken"], "without encryption"),
            (&ssh, &["identity"], "and `known_hosts`"),
            (&ssh, &["username", "password"], "needs `identity`"),
            (&file, &["bearerToken"], "needs no credentials"),
        ] {
            let error = read(transport, keys).unwrap_err();
            assert!(
                error.starts_with("failed to use Secret flotilla/git: ") && error.contains(part),
                "{error}"
            );
        }
    }

    #[test]
    fn nothing_of_them_is_shown() {
        let https = Transport::Http { url: "https://h/r".to_owned() };
        let shown = format!("{:?}", read(&https, &["username", "password", "ca.crt"]).unwrap());
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
