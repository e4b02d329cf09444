//! A git repository as a source: one commit without its history, never more of it than the limits allow.
//!
//! Takes a place, credentials and the commit that is known already; gives the files that may hold manifests. Only
//! `repository.rs` names git2: libgit2 keeps and reads objects, it opens no connection and checks nothing out. The connections
//! are made by `http.rs` and `ssh.rs`, which say what `wire.rs` tells them; whose signature a commit bears, `signature.rs` says.
//! Must not touch: the hub, decisions.

mod http;
mod repository;
mod signature;
mod ssh;
mod wire;

use std::time::Duration;

use thiserror::Error;

use self::repository::Commit;
pub use self::signature::{Signed, TrustedSigners};
use self::wire::Advertisement;
pub use self::wire::WireError;
use crate::pipeline::source::{GitCredentials, GitPlace, Reference, SourceFile, Transport};

/// How long a fetch may take, all in all.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
/// How much a server may say before the pack.
const ADVERTISEMENT_BYTES: u64 = 16 << 20;

/// How much of a source is read at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the pack that is fetched.
    pub pack_bytes: u64,
    /// Objects in it, and entries of the directories that are read.
    pub objects: u64,
    /// Bytes of one file with manifests.
    pub file_bytes: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pack_bytes: 32 << 20, objects: 50_000, file_bytes: 1 << 20, bytes: 16 << 20 }
    }
}

impl Limits {
    /// The bytes of all files with another one, if it may be read.
    pub(super) fn add_file(&self, path: &str, size: u64, bytes: u64) -> Result<u64, GitError> {
        let sum = bytes.saturating_add(size);
        if size > self.file_bytes {
            return Err(GitError::FileTooLarge { path: path.to_owned(), limit: self.file_bytes });
        }
        if sum > self.bytes {
            return Err(GitError::TooMuch { what: "its manifests", limit: self.bytes });
        }
        Ok(sum)
    }
}

/// A source that cannot be read. No error shows a credential.
#[derive(Debug, Error)]
pub enum GitError {
    /// The server cannot be reached, or breaks off.
    #[error("failed to reach {host}: {reason}")]
    Unreachable {
        /// Its name.
        host: String,
        /// The innermost cause.
        reason: String,
    },
    /// It does not accept the credentials, or asks for some.
    #[error("failed to log in to {host}: {reason}")]
    LogIn {
        /// Its name.
        host: String,
        /// What it wants.
        reason: &'static str,
    },
    /// The host is not who it should be.
    #[error("failed to recognise {host}: its key is not in `known_hosts`")]
    UnknownHost {
        /// Its name.
        host: String,
    },
    /// Another answer than a git server gives.
    #[error("failed to fetch from {host}: it answers with HTTP status {status}")]
    Status {
        /// Its name.
        host: String,
        /// The status.
        status: u16,
    },
    /// A value in the Secret is not what it should be.
    #[error("failed to use the credentials: {what}")]
    Credentials {
        /// What is wrong, without the value.
        what: &'static str,
    },
    /// The trusted keys cannot be understood.
    #[error("failed to read the trusted keys: line {line} of `allowed_signers`: {what}")]
    Signers {
        /// Which line.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// There are none.
    #[error("failed to read the trusted keys: there is no key for signatures of git in `allowed_signers`")]
    NoSigner,
    /// What the server says cannot be used.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The repository itself is at fault.
    #[error("failed to read the repository: cannot {doing}: {message}")]
    Repository {
        /// What was being done.
        doing: &'static str,
        /// libgit2's words.
        message: String,
    },
    /// It holds more bytes than are read.
    #[error("failed to read the source: {what} are more than {limit} bytes")]
    TooMuch {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// It holds more objects than are read.
    #[error("failed to read the source: it has {objects} objects or more, {limit} are allowed")]
    TooMany {
        /// How many.
        objects: u64,
        /// The limit.
        limit: u64,
    },
    /// One file is too large for a manifest.
    #[error("failed to read {path}: it is larger than {limit} bytes")]
    FileTooLarge {
        /// Its path.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// Directories in directories without end.
    #[error("failed to read {path}: it lies too deep")]
    TooDeep {
        /// Its path.
        path: String,
    },
    /// The directory that the address names.
    #[error("failed to find the directory {path:?} in the source")]
    NoDirectory {
        /// Its path.
        path: String,
    },
    /// A link where a file should be.
    #[error("failed to read {path}: it is a symbolic link, and links are not followed out of a source")]
    Link {
        /// Its path.
        path: String,
    },
    /// A file that is no text.
    #[error("failed to read {path}: it is not UTF-8 text")]
    NotText {
        /// Its path.
        path: String,
    },
    /// A name that is no text.
    #[error("failed to read a name in {directory:?}: it is not UTF-8 text")]
    Name {
        /// The directory.
        directory: String,
    },
    /// A file or directory of this machine.
    #[error("failed to read {path}: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It takes too long.
    #[error("failed to fetch: there is no end after {} s", FETCH_TIMEOUT.as_secs())]
    TimedOut,
    /// The work was broken off.
    #[error("failed to read the source: {0}")]
    BrokenOff(String),
}

/// What a source holds at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Its name: `main@sha1:<commit>`.
    pub revision: String,
    /// Who signed it, if that was asked.
    pub signed: Signed,
    /// The files that may hold manifests or templates, sorted by path; none where the signature is refused.
    pub files: Vec<SourceFile>,
}

/// What became of a look at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is at the revision that is known.
    Unchanged,
    /// It is at another one.
    Changed(Checkout),
}

/// Looks at a repository, and fetches it if it is not at the known revision. With signers, a commit counts that one of them signed.
pub async fn fetch(
    place: &GitPlace,
    credentials: GitCredentials,
    signers: Option<&TrustedSigners>,
    known: Option<&str>,
    limits: &Limits,
) -> Result<Fetched, GitError> {
    let (place, known, limits) = (place.clone(), known.map(ToOwned::to_owned), limits.clone());
    let signers = signers.cloned();
    let fetching = async move {
        match place.transport.clone() {
            Transport::File { repository } => {
                blocking(move || {
                    let commit = Commit::from_file(&repository, &place.reference)?;
                    read(&commit, &place, signers.as_ref(), known.as_deref(), &limits)
                })
                .await
            }
            Transport::Http { url } => {
                blocking(move || {
                    let mut server = http::Server::new(&url, &credentials)?;
                    let advertisement = Advertisement::read(&server.advertisement()?)?;
                    let commit = advertisement.find(&place.reference)?;
                    if known.as_deref() == Some(&revision(&place.reference, &commit)) {
                        return Ok(Fetched::Unchanged);
                    }
                    let answer = server.fetch(&advertisement.request(&commit)?, limits.pack_bytes)?;
                    unpack(&answer, &commit, &place, signers.as_ref(), &limits)
                })
                .await
            }
            Transport::Ssh { user, host, port, repository } => {
                let at = ssh::Place { user, host, port, repository };
                let Some((commit, answer)) =
                    ssh::fetch(&at, &credentials, &place.reference, known.as_deref(), &limits).await?
                else {
                    return Ok(Fetched::Unchanged);
                };
                blocking(move || unpack(&answer, &commit, &place, signers.as_ref(), &limits)).await
            }
        }
    };
    tokio::time::timeout(FETCH_TIMEOUT, fetching).await.map_err(|_| GitError::TimedOut)?
}

/// Runs what waits for disks and sockets beside the rest.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(GitError::BrokenOff(error.to_string())),
    }
}

fn revision(reference: &Reference, commit: &str) -> String {
    match reference {
        Reference::Head | Reference::Named(_) => format!("{reference}@sha1:{commit}"),
        Reference::Commit(_) => format!("sha1:{commit}"),
    }
}

fn unpack(
    answer: &[u8],
    commit: &str,
    place: &GitPlace,
    signers: Option<&TrustedSigners>,
    limits: &Limits,
) -> Result<Fetched, GitError> {
    let pack = wire::read_pack(answer)?;
    let directory = tempfile::tempdir().map_err(|source| GitError::Unreadable {
        path: "the directory for temporary files".to_owned(),
        source,
    })?;
    let commit = Commit::from_pack(directory.path(), &pack, commit, limits)?;
    read(&commit, place, signers, None, limits)
}

fn read(
    commit: &Commit,
    place: &GitPlace,
    signers: Option<&TrustedSigners>,
    known: Option<&str>,
    limits: &Limits,
) -> Result<Fetched, GitError> {
    let revision = revision(&place.reference, &commit.id());
    if known == Some(&revision) {
        return Ok(Fetched::Unchanged);
    }
    let signed = match signers {
        None => Signed::NotAsked,
        Some(signers) => signers.check(commit.signature()?.as_ref()),
    };
    let files = match &signed {
        Signed::Refused(_) => Vec::new(),
        Signed::NotAsked | Signed::By(_) => commit.files(&place.path, limits)?,
    };
    Ok(Fetched::Changed(Checkout { revision, signed, files }))
}
