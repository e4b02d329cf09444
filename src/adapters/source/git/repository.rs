//! The only file that names git2: the objects of a repository, read one by one. Nothing is checked out, so no hook, filter or
//! link of a repository ever takes effect.

use std::path::Path;

use git2::{Indexer, ObjectType, Repository, Tree};

use super::signature::CommitSignature;
use super::{GitError, Limits, wire};
use crate::adapters::source::files::{is_hidden, is_read};
use crate::pipeline::source::{Reference, SourceFile};

/// Modes of entries of a tree, without permissions.
const TYPE_OF_MODE: i32 = 0o170_000;
const LINK: i32 = 0o120_000;
const DIRECTORY: i32 = 0o040_000;
const FILE: i32 = 0o100_000;
/// Deepest directory that is looked into.
const DEEPEST: usize = 32;

/// A commit whose tree can be read.
pub(super) struct Commit {
    repository: Repository,
    commit: git2::Oid,
}

fn fault(doing: &'static str) -> impl Fn(git2::Error) -> GitError {
    move |error| GitError::Repository { doing, message: error.message().to_owned() }
}

impl Commit {
    /// Of a pack that was fetched. `directory` is empty, and holds the objects from now on.
    pub(super) fn from_pack(
        directory: &Path,
        pack: &[u8],
        commit: &str,
        limits: &Limits,
    ) -> Result<Self, GitError> {
        let too_many = |objects: u64| GitError::TooMany { objects, limit: limits.objects };
        let objects = wire::objects_in(pack).unwrap_or(u32::MAX);
        if u64::from(objects) > limits.objects {
            return Err(too_many(objects.into()));
        }
        let repository = Repository::init_bare(directory).map_err(fault("prepare a repository"))?;
        let odb = repository.odb().map_err(fault("open its objects"))?;
        // A commit without its history names a parent that is not there: only what is read must be.
        let is_complete = false;
        let mut index = Indexer::new(Some(&odb), &directory.join("objects/pack"), 0o600, is_complete)
            .map_err(fault("take in the pack"))?;
        let most = limits.objects;
        index.progress(move |progress| progress.total_objects() as u64 <= most);
        std::io::copy(&mut &pack[..], &mut index).map_err(|error| GitError::Repository {
            doing: "take in the pack",
            message: error.to_string(),
        })?;
        index.commit().map_err(fault("take in the pack"))?;
        odb.refresh().map_err(fault("open its objects"))?;
        drop(odb);
        let commit = git2::Oid::from_str(commit).map_err(fault("find the commit"))?;
        let commit = peeled(&repository, commit)?;
        Ok(Self { repository, commit })
    }

    /// Of a repository on this machine, which is only read.
    pub(super) fn from_file(path: &str, reference: &Reference) -> Result<Self, GitError> {
        let repository = Repository::open_ext(
            path,
            git2::RepositoryOpenFlags::NO_SEARCH | git2::RepositoryOpenFlags::NO_DOTGIT,
            std::iter::empty::<&str>(),
        )
        .or_else(|_| Repository::open(path))
        .map_err(fault("open it"))?;
        let names = match reference {
            Reference::Head => vec!["HEAD".to_owned()],
            Reference::Named(name) if name.starts_with("refs/") => vec![name.clone()],
            Reference::Named(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
            Reference::Commit(commit) => vec![commit.clone()],
        };
        let found = names.iter().find_map(|name| match reference {
            Reference::Commit(commit) => git2::Oid::from_str(commit).ok(),
            Reference::Head | Reference::Named(_) => repository.refname_to_id(name).ok(),
        });
        let found = found.ok_or_else(|| wire::WireError::NoReference { reference: reference.to_string() })?;
        let commit = peeled(&repository, found)?;
        Ok(Self { repository, commit })
    }

    /// Its name.
    pub(super) fn id(&self) -> String {
        self.commit.to_string()
    }

    /// Its signature, and the commit without it: what was signed. `None` where it is not signed.
    pub(super) fn signature(&self) -> Result<Option<CommitSignature>, GitError> {
        match self.repository.extract_signature(&self.commit, None) {
            Ok((signature, signed)) => {
                Ok(Some(CommitSignature { signature: signature.to_vec(), signed: signed.to_vec() }))
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(fault("read the signature of the commit")(error)),
        }
    }

    /// The files below a directory that may hold manifests or templates, sorted by path.
    pub(super) fn files(&self, path: &[String], limits: &Limits) -> Result<Vec<SourceFile>, GitError> {
        let commit = self.repository.find_commit(self.commit).map_err(fault("find the commit"))?;
        let mut tree = commit.tree().map_err(fault("read the commit"))?;
        for name in path {
            let missing = || GitError::NoDirectory { path: path.join("/") };
            let found = tree.get_name(name).map(|entry| (entry.filemode() & TYPE_OF_MODE, entry.id()));
            let Some((DIRECTORY, id)) = found else { return Err(missing()) };
            tree = self.repository.find_tree(id).map_err(fault("read a directory"))?;
        }
        let mut reading = Reading { commit: self, limits, files: Vec::new(), bytes: 0, entries: 0 };
        reading.directory(&tree, "", 0)?;
        reading.files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(reading.files)
    }
}

fn peeled(repository: &Repository, id: git2::Oid) -> Result<git2::Oid, GitError> {
    let object = repository.find_object(id, None).map_err(fault("find the commit"))?;
    Ok(object.peel(ObjectType::Commit).map_err(fault("find the commit"))?.id())
}

struct Reading<'c> {
    commit: &'c Commit,
    limits: &'c Limits,
    files: Vec<SourceFile>,
    bytes: u64,
    entries: u64,
}

impl Reading<'_> {
    fn directory(&mut self, tree: &Tree<'_>, above: &str, depth: usize) -> Result<(), GitError> {
        if depth > DEEPEST {
            return Err(GitError::TooDeep { path: above.to_owned() });
        }
        for entry in tree {
            self.entries += 1;
            if self.entries > self.limits.objects {
                return Err(GitError::TooMany { objects: self.entries, limit: self.limits.objects });
            }
            let name = entry.name().map_err(|_| GitError::Name { directory: above.to_owned() })?;
            let path = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
            if is_hidden(Path::new(name)) {
                continue;
            }
            match entry.filemode() & TYPE_OF_MODE {
                DIRECTORY => {
                    let below =
                        self.commit.repository.find_tree(entry.id()).map_err(fault("read a directory"))?;
                    self.directory(&below, &path, depth + 1)?;
                }
                FILE if is_read(&path) => self.file(entry.id(), path)?,
                LINK if is_read(&path) => return Err(GitError::Link { path }),
                // Other files, links to directories, and the commits of submodules.
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, id: git2::Oid, path: String) -> Result<(), GitError> {
        let odb = self.commit.repository.odb().map_err(fault("open its objects"))?;
        let (size, _) = odb.read_header(id).map_err(fault("read a file"))?;
        self.bytes = self.limits.add_file(&path, size as u64, self.bytes)?;
        let object = odb.read(id).map_err(fault("read a file"))?;
        let text =
            std::str::from_utf8(object.data()).map_err(|_| GitError::NotText { path: path.clone() })?;
        self.files.push(SourceFile { path, text: text.to_owned() });
        Ok(())
    }
}
