//! Where a source is: `git+https://HOST/repo//path?ref=main`, `git+ssh://`, `git+file://`, `dir:///path` or a plain path.
//!
//! A password has no place in an address: it would stand in the process list. So an address that was read can be shown, and
//! an error about one that was not shows no more of it than can hold no credential.

use std::fmt;

use thiserror::Error;

use crate::api::dns;

/// The name of a source that is given none.
const DEFAULT_NAME: &str = "fleet";
/// Longest name: with its prefix it is the name of a ConfigMap and the value of a label.
const LONGEST_NAME: usize = 46;

/// An address that cannot be used. Nothing in it is from the part of the address that may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Another scheme.
    #[error(
        "failed to read the source {address}: its scheme must be git+https, git+http, git+ssh, git+file or dir"
    )]
    Scheme {
        /// The address without credentials and parameters.
        address: String,
    },
    /// A user or a password where none may stand.
    #[error(
        "failed to read the source {address}: credentials do not belong in an address; store them in a Secret and name it \
         with ?secret=NAME"
    )]
    Credentials {
        /// The address without credentials and parameters.
        address: String,
    },
    /// A part that is missing or malformed.
    #[error("failed to read the source {address}: {part} must be {expected}")]
    Part {
        /// The address without credentials and parameters.
        address: String,
        /// Which part.
        part: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A parameter that does not exist.
    #[error(
        "failed to read the source {address}: there is no parameter {parameter:?}; known are ref, name, namespace, secret and \
         verify"
    )]
    Parameter {
        /// The address without credentials and parameters.
        address: String,
        /// Its name.
        parameter: String,
    },
}

/// A source, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAddress {
    /// Its name on the hub: what was applied is remembered under it.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
    /// Namespace of objects that name none.
    pub namespace: Option<String>,
    /// Name of the Secret with the credentials.
    pub secret: Option<String>,
    /// Name of the Secret with the keys, one of which must have signed a commit.
    pub verify: Option<String>,
}

/// A repository or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A git repository.
    Git(GitPlace),
    /// A directory of this machine, by its path.
    Directory(String),
}

/// A place in a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitPlace {
    /// How the repository is reached.
    pub transport: Transport,
    /// Names of the directories from the root of the repository.
    pub path: Vec<String>,
    /// Which commit.
    pub reference: Reference,
}

/// How a repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// By HTTPS or HTTP; the URL holds no credentials.
    Http {
        /// URL of the repository.
        url: String,
    },
    /// By SSH.
    Ssh {
        /// User there.
        user: String,
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// Path of the repository there.
        repository: String,
    },
    /// A repository on this machine.
    File {
        /// Its path.
        repository: String,
    },
}

/// Which commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// What `HEAD` of the repository names.
    Head,
    /// A branch or a tag, or a full name that begins with `refs/`.
    Named(String),
    /// This very commit.
    Commit(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => formatter.write_str("HEAD"),
            Self::Named(name) | Self::Commit(name) => formatter.write_str(name),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { url } => write!(formatter, "git+{url}"),
            Self::Ssh { user, host, port, repository } => {
                write!(formatter, "git+ssh://{user}@{host}:{port}{repository}")
            }
            Self::File { repository } => write!(formatter, "git+file://{repository}"),
        }
    }
}

impl fmt::Display for SourceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Directory(path) => write!(formatter, "dir://{path}"),
            Origin::Git(place) => {
                write!(formatter, "{}", place.transport)?;
                if !place.path.is_empty() {
                    write!(formatter, "//{}", place.path.join("/"))?;
                }
                write!(formatter, "?ref={}", place.reference)
            }
        }
    }
}

/// An address as far as it can be shown before it was understood.
fn shown(text: &str) -> String {
    let place = text.split(['?', '#']).next().unwrap_or_default();
    match place.split_once("://") {
        // Whatever stands before an @ may be a password, with slashes in it too.
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, place)| place))
        }
        None => place.rsplit_once('@').map_or(place, |(_, place)| place).to_owned(),
    }
}

impl SourceAddress {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let reader = Reader { address: shown(text) };
        if text.chars().any(|character| character.is_control() || character == '#') {
            return Err(reader.part("it", "without control characters and '#'"));
        }
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let parameters = reader.parameters(query)?;
        let git = |transport, path| {
            let reference = match parameters.reference.clone() {
                None => Reference::Head,
                Some(name) if is_commit(&name) => Reference::Commit(name.to_ascii_lowercase()),
                Some(name) => Reference::Named(name),
            };
            Origin::Git(GitPlace { transport, path, reference })
        };
        let origin = match place.split_once("://") {
            None => reader.directory(place, &parameters)?,
            Some(("dir", path)) => reader.directory(path, &parameters)?,
            Some(("git+file", rest)) => {
                let (repository, path) = reader.split(rest)?;
                if !repository.starts_with('/') {
                    return Err(reader.part("the repository", "an absolute path: git+file:///path/to/repo"));
                }
                git(Transport::File { repository: repository.to_owned() }, path)
            }
            Some((scheme @ ("git+https" | "git+http"), rest)) => {
                let (repository, path) = reader.split(rest)?;
                let (host, at) = repository.split_once('/').unwrap_or((repository, ""));
                if repository.contains('@') {
                    return Err(AddressError::Credentials { address: reader.address });
                }
                if host.is_empty() || at.is_empty() {
                    return Err(reader.part("the repository", "HOST/PATH"));
                }
                let url = format!("{}://{repository}", scheme.trim_start_matches("git+"));
                git(Transport::Http { url }, path)
            }
            Some(("git+ssh", rest)) => {
                let (repository, path) = reader.split(rest)?;
                git(reader.ssh(repository)?, path)
            }
            Some(_) => return Err(AddressError::Scheme { address: reader.address }),
        };
        let name = parameters.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let Parameters { namespace, secret, verify, .. } = parameters;
        Ok(Self { name, origin, namespace, secret, verify })
    }
}

fn is_commit(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[derive(Debug, Default)]
struct Parameters {
    reference: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    secret: Option<String>,
    verify: Option<String>,
}

struct Reader {
    address: String,
}

impl Reader {
    fn part(&self, part: &'static str, expected: &'static str) -> AddressError {
        AddressError::Part { address: self.address.clone(), part, expected }
    }

    fn parameters(&self, query: &str) -> Result<Parameters, AddressError> {
        let mut parameters = Parameters::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.to_owned();
            match key {
                "ref" if is_reference(&value) => parameters.reference = Some(value),
                "ref" => return Err(self.part("ref", "a branch, a tag or a commit")),
                "name" if dns::is_label(&value) && value.len() <= LONGEST_NAME => {
                    parameters.name = Some(value);
                }
                "name" => return Err(self.part("name", "lower-case letters, digits and '-', 46 at most")),
                "namespace" if dns::is_label(&value) => parameters.namespace = Some(value),
                "namespace" => return Err(self.part("namespace", dns::LABEL_RULE)),
                "secret" if dns::is_subdomain(&value) => parameters.secret = Some(value),
                "secret" => return Err(self.part("secret", dns::SUBDOMAIN_RULE)),
                "verify" if dns::is_subdomain(&value) => parameters.verify = Some(value),
                "verify" => return Err(self.part("verify", dns::SUBDOMAIN_RULE)),
                other => {
                    let parameter = other.to_owned();
                    return Err(AddressError::Parameter { address: self.address.clone(), parameter });
                }
            }
        }
        Ok(parameters)
    }

    fn directory(&self, path: &str, parameters: &Parameters) -> Result<Origin, AddressError> {
        if path.is_empty() {
            return Err(self.part("the directory", "a path"));
        }
        let git_only = [&parameters.reference, &parameters.secret, &parameters.verify];
        if git_only.into_iter().any(Option::is_some) {
            return Err(self.part("the parameters of a directory", "name and namespace alone"));
        }
        Ok(Origin::Directory(path.to_owned()))
    }

    /// The repository, and the path in it behind `//`.
    fn split<'t>(&self, rest: &'t str) -> Result<(&'t str, Vec<String>), AddressError> {
        let (repository, path) = rest.split_once("//").unwrap_or((rest, ""));
        let names: Vec<String> =
            path.split('/').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
        if names.iter().any(|name| matches!(name.as_str(), "." | ".." | ".git") || name.contains('\\')) {
            return Err(self.part("the path in the repository", "without '.', '..', '.git' and '\\'"));
        }
        Ok((repository.trim_end_matches('/'), names))
    }

    fn ssh(&self, repository: &str) -> Result<Transport, AddressError> {
        let (authority, path) = repository.split_once('/').unwrap_or((repository, ""));
        let (user, place) = match authority.split_once('@') {
            Some((user, _)) if user.contains(':') => {
                return Err(AddressError::Credentials { address: self.address.clone() });
            }
            Some((user, place)) => (user, place),
            None => ("git", authority),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| self.part("the port", "a number"))?)
            }
            Some(_) | None => (place, 22),
        };
        let is_plain = |text: &str| !text.is_empty() && !text.starts_with('-');
        if !is_plain(user) || !is_plain(host) || path.is_empty() || path.contains(['\'', '\\', '!']) {
            return Err(self.part("the repository", "USER@HOST/PATH, without quotes"));
        }
        let (user, host) = (user.to_owned(), host.trim_matches(['[', ']']).to_owned());
        Ok(Transport::Ssh { user, host, port, repository: format!("/{path}") })
    }
}

/// A name that git takes for a reference (git-check-ref-format), or a commit.
fn is_reference(name: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains([' ', '~', '^', ':', '?', '*', '[', '\\', '%'])
        && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SourceAddress {
        SourceAddress::parse(text).unwrap()
    }

    #[test]
    fn addresses_are_read() {
        for (text, shown) in [
            ("git+https://h/o/r.git", "git+https://h/o/r.git?ref=HEAD"),
            ("git+https://h:8443/r//a/b?ref=main", "git+https://h:8443/r//a/b?ref=main"),
            ("git+https://h/r/?ref=v1.0", "git+https://h/r?ref=v1.0"),
            ("git+http://h/r//?ref=refs/heads/x", "git+http://h/r?ref=refs/heads/x"),
            ("git+ssh://git@h/o/r.git//p", "git+ssh://git@h:22/o/r.git//p?ref=HEAD"),
            ("git+ssh://h:2222/o/r", "git+ssh://git@h:2222/o/r?ref=HEAD"),
            ("git+ssh://me@[::1]/r", "git+ssh://me@::1:22/r?ref=HEAD"),
            ("git+file:///srv/r.git//p?ref=feature/x", "git+file:///srv/r.git//p?ref=feature/x"),
            ("dir:///etc/fleet", "dir:///etc/fleet"),
            ("./fleet?namespace=policies", "dir://./fleet"),
        ] {
            assert_eq!(read(text).to_string(), shown, "{text}");
        }
        let commit = read(
            "git+https://h/r?ref=0123456789ABCDEF0123456789abcdef01234567&name=a&secret=s&namespace=n&verify=v",
        );
        assert_eq!(
            (
                commit.name.as_str(),
                commit.secret.as_deref(),
                commit.namespace.as_deref(),
                commit.verify.as_deref()
            ),
            ("a", Some("s"), Some("n"), Some("v"))
        );
        let Origin::Git(place) = commit.origin else { panic!("a repository") };
        assert_eq!(place.reference, Reference::Commit("0123456789abcdef0123456789abcdef01234567".to_owned()));
        assert_eq!(read("dir:///a").name, "fleet");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, part) in [
            ("https://h/r", "its scheme must be"),
            ("git+https://", "the repository must be HOST/PATH"),
            ("git+https://h", "the repository must be HOST/PATH"),
            ("git+https://h/r//../x", "the path in the repository"),
            ("git+https://h/r//a/.git", "the path in the repository"),
            ("git+https://h/r?ref=", "ref must be"),
            ("git+https://h/r?ref=--upload-pack=x", "ref must be"),
            ("git+https://h/r?ref=a..b", "ref must be"),
            ("git+https://h/r?branch=a", "there is no parameter \"branch\""),
            ("git+https://h/r?name=A", "name must be"),
            ("git+https://h/r?namespace=a.b", "namespace must be"),
            ("git+ssh://-oProxyCommand=x/r", "the repository must be"),
            ("git+ssh://git@h/a'b", "the repository must be"),
            ("git+ssh://git@h:x/r", "the port must be"),
            ("git+file://r", "the repository must be"),
            ("dir://", "the directory must be"),
            ("dir:///a?ref=main", "the parameters of a directory"),
            ("dir:///a?verify=v", "the parameters of a directory"),
            ("git+https://h/r?verify=A", "verify must be"),
            ("", "the directory must be"),
            ("git+https://h/r\n", "it must be"),
        ] {
            let error = SourceAddress::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }

    #[test]
    fn no_error_shows_a_credential() {
        for text in [
            "git+https://user:hunter2@h/r",
            "git+https://hunter2@h/r",
            "git+ssh://git:hunter2@h/r",
            "git+https://user:hunter2/x@h/r",
            "https://user:hunter2@h/r",
            "user:hunter2@h/r?x=hunter2",
            "git+https://h/r?token=hunter2",
            "git+https://h/r#hunter2",
            "git+https://h/r?ref=hunter2 x",
        ] {
            let error = SourceAddress::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(git\\+(https|ssh|file|http)|dir)?(://)?[a-z@:/.?&=%\\[\\] -]{0,40}") {
            if let Ok(address) = SourceAddress::parse(&text) {
                proptest::prop_assert!(!matches!(&address.origin, Origin::Git(place) if place.path.iter().any(|name| name == "..")));
            }
        }
    }
}
