//! Git over HTTP and HTTPS (gitprotocol-http(5)), with the TLS that the rest of the process has. The only file that names ureq.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use ureq::config::RedirectAuthHeaders;
use ureq::http::{Response, StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body, ResponseExt};

use super::{ADVERTISEMENT_BYTES, GitError};
use crate::pipeline::source::GitCredentials;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(100);
const SERVICE: &str = "git-upload-pack";
/// Some servers know git by this.
const AGENT: &str = concat!("git/2.0 (flotilla ", env!("CARGO_PKG_VERSION"), ")");

/// A repository on a server.
pub(super) struct Server {
    agent: Agent,
    url: String,
    host: String,
    authorisation: Option<SecretString>,
}

impl Server {
    pub(super) fn new(url: &str, credentials: &GitCredentials) -> Result<Self, GitError> {
        let unusable = |_| GitError::Credentials { what: "the URL of the repository is malformed" };
        let uri: Uri = url.parse().map_err(unusable)?;
        let roots = match &credentials.authorities {
            Some(pem) => RootCerts::Specific(Arc::new(certificates(pem)?)),
            None => RootCerts::PlatformVerifier,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(roots)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(uri.scheme_str() == Some("https"))
            .http_status_as_error(false)
            .max_redirects(5)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(AGENT)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .build();
        Ok(Self {
            agent: Agent::new_with_config(config),
            url: url.to_owned(),
            host: uri.host().unwrap_or_default().to_owned(),
            authorisation: authorisation(credentials),
        })
    }

    /// What the server says first. It may send the client on to another address of the same host, where the rest is asked for.
    pub(super) fn advertisement(&mut self) -> Result<Vec<u8>, GitError> {
        let mut request = self.agent.get(format!("{}/info/refs?service={SERVICE}", self.url));
        if let Some(authorisation) = &self.authorisation {
            request = request.header("Authorization", authorisation.expose_secret());
        }
        let answer = request.call().map_err(|error| self.unreachable(&error))?;
        self.url = base_after(&self.url, answer.get_uri());
        self.body(answer, ADVERTISEMENT_BYTES, "the references of the repository", "advertisement")
    }

    /// The answer to a request for a commit.
    pub(super) fn fetch(&self, wanted: &[u8], limit: u64) -> Result<Vec<u8>, GitError> {
        let mut request = self
            .agent
            .post(format!("{}/{SERVICE}", self.url))
            .header("Content-Type", format!("application/x-{SERVICE}-request"))
            .header("Accept", format!("application/x-{SERVICE}-result"));
        if let Some(authorisation) = &self.authorisation {
            request = request.header("Authorization", authorisation.expose_secret());
        }
        let answer = request.send(wanted).map_err(|error| self.unreachable(&error))?;
        self.body(answer, limit, "the pack of the commit", "result")
    }

    fn body(
        &self,
        mut answer: Response<Body>,
        limit: u64,
        what: &'static str,
        kind: &str,
    ) -> Result<Vec<u8>, GitError> {
        let host = || self.host.clone();
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let reason = match self.authorisation {
                    Some(_) => "it refuses the credentials",
                    None => "it asks for credentials, or there is no such repository",
                };
                return Err(GitError::LogIn { host: host(), reason });
            }
            other => return Err(GitError::Status { host: host(), status: other.as_u16() }),
        }
        let expected = format!("application/x-{SERVICE}-{kind}");
        if answer.headers().get("content-type").is_none_or(|found| found != expected.as_str()) {
            return Err(GitError::Unreachable {
                host: host(),
                reason: "something that is no git repository answers there".to_owned(),
            });
        }
        answer.body_mut().with_config().limit(limit).read_to_vec().map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => GitError::TooMuch { what, limit },
            other => self.unreachable(&other),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> GitError {
        GitError::Unreachable { host: self.host.clone(), reason: error.to_string() }
    }
}

/// The URL of the repository after a redirection, if it is on the same host; credentials go to no other.
fn base_after(url: &str, reached: &Uri) -> String {
    let same_host = url.parse::<Uri>().is_ok_and(|asked| asked.authority() == reached.authority());
    let text = reached.to_string();
    match text.strip_suffix(&format!("/info/refs?service={SERVICE}")) {
        Some(base) if same_host => base.to_owned(),
        Some(_) | None => url.to_owned(),
    }
}

fn authorisation(credentials: &GitCredentials) -> Option<SecretString> {
    let line = match (&credentials.bearer, &credentials.basic) {
        (Some(token), _) => format!("Bearer {}", token.expose_secret().trim()),
        (None, Some((user, password))) => {
            let pair = format!("{}:{}", user.expose_secret().trim(), password.expose_secret().trim());
            format!("Basic {}", STANDARD.encode(pair))
        }
        (None, None) => return None,
    };
    Some(SecretString::from(line))
}

fn certificates(pem: &SecretString) -> Result<Vec<Certificate<'static>>, GitError> {
    let unusable = || GitError::Credentials { what: "`ca.crt` has no certificate in PEM" };
    let mut found = Vec::new();
    for item in parse_pem(pem.expose_secret().as_bytes()) {
        match item.map_err(|_| unusable())? {
            PemItem::Certificate(certificate) => found.push(certificate),
            _ => return Err(unusable()),
        }
    }
    if found.is_empty() { Err(unusable()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_is_followed_on_the_same_host_only() {
        let after = |reached: &str| base_after("https://h/r", &reached.parse().unwrap());
        assert_eq!(after("https://h/r.git/info/refs?service=git-upload-pack"), "https://h/r.git");
        assert_eq!(after("https://other/r/info/refs?service=git-upload-pack"), "https://h/r");
        assert_eq!(after("https://h/login"), "https://h/r");
    }

    #[test]
    fn credentials_become_one_header() {
        let basic = GitCredentials {
            basic: Some((SecretString::from("u"), SecretString::from("p\n"))),
            ..GitCredentials::default()
        };
        assert_eq!(authorisation(&basic).unwrap().expose_secret(), "Basic dTpw");
        let bearer = GitCredentials { bearer: Some(SecretString::from("t")), ..GitCredentials::default() };
        assert_eq!(authorisation(&bearer).unwrap().expose_secret(), "Bearer t");
        assert!(authorisation(&GitCredentials::default()).is_none());
    }

    #[test]
    fn authorities_are_certificates() {
        for pem in ["", "no", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            let error = certificates(&SecretString::from(pem)).unwrap_err().to_string();
            assert_eq!(error, "failed to use the credentials: `ca.crt` has no certificate in PEM");
        }
    }
}
