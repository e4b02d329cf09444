//! A git repository of a test: bare, made without the `git` program, with a commit per change.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Oid, Repository, Signature};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::{HashAlg, LineEnding};

/// The branch that is committed to.
const BRANCH: &str = "refs/heads/main";

/// A bare repository.
pub struct SourceRepository {
    directory: tempfile::TempDir,
    repository: Repository,
    /// Path to mode and content.
    files: BTreeMap<String, (i32, Vec<u8>)>,
}

impl SourceRepository {
    /// An empty one.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path().join("fleet.git")).unwrap();
        repository.set_head(BRANCH).unwrap();
        Self { directory, repository, files: BTreeMap::new() }
    }

    /// Where it is.
    pub fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("fleet.git")
    }

    /// The address of a directory in it.
    pub fn address(&self, parameters: &str) -> String {
        format!("git+file://{}//hub?ref=main{parameters}", self.path().display())
    }

    /// Writes a file.
    pub fn write(&mut self, path: &str, content: impl Into<String>) -> &mut Self {
        self.files.insert(path.to_owned(), (0o100_644, content.into().into_bytes()));
        self
    }

    /// Makes a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) -> &mut Self {
        self.files.insert(path.to_owned(), (0o120_000, target.as_bytes().to_vec()));
        self
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) -> &mut Self {
        self.files.remove(path).unwrap();
        self
    }

    /// Commits what there is; answers the revision as it is shown.
    pub fn commit(&self) -> String {
        let tree = self.tree("");
        let tree = self.repository.find_tree(tree).unwrap();
        let author = Signature::now("Test", "test@example.org").unwrap();
        let parent = self.repository.find_reference(BRANCH).ok().map(|found| found.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let commit =
            self.repository.commit(Some(BRANCH), &author, &author, "change", &tree, &parents).unwrap();
        format!("main@sha1:{commit}")
    }

    /// Puts the branch back to an earlier commit, as it is shown.
    pub fn set_head(&self, revision: &str) {
        let commit = Oid::from_str(revision.trim_start_matches("main@sha1:")).unwrap();
        self.repository.reference(BRANCH, commit, true, "back").unwrap();
    }

    /// The same with a signature, as `git commit -S` makes it with `gpg.format=ssh`.
    pub fn commit_signed(&self, key: &PrivateKey) -> String {
        self.commit_signed_with(|text| {
            key.sign("git", HashAlg::Sha512, text.as_bytes()).unwrap().to_pem(LineEnding::LF).unwrap()
        })
    }

    /// The same with a signature of any kind over the text of the commit.
    pub fn commit_signed_with(&self, sign: impl Fn(&str) -> String) -> String {
        let tree = self.repository.find_tree(self.tree("")).unwrap();
        let author = Signature::now("Test", "test@example.org").unwrap();
        let parent = self.repository.find_reference(BRANCH).ok().map(|found| found.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let text =
            self.repository.commit_create_buffer(&author, &author, "change\n", &tree, &parents).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        let commit = self.repository.commit_signed(text, sign(text).trim_end(), None).unwrap();
        self.repository.reference(BRANCH, commit, true, "change").unwrap();
        format!("main@sha1:{commit}")
    }

    /// The tree of a directory, which ends in a slash unless it is the root.
    fn tree(&self, directory: &str) -> Oid {
        let mut builder = self.repository.treebuilder(None).unwrap();
        let below = self.files.iter().filter_map(|(path, file)| Some((path.strip_prefix(directory)?, file)));
        for (path, (mode, content)) in below {
            if let Some((name, _)) = path.split_once('/') {
                let tree = self.tree(&format!("{directory}{name}/"));
                builder.insert(name, tree, 0o040_000).unwrap();
            } else {
                let blob = self.repository.blob(content).unwrap();
                builder.insert(path, blob, *mode).unwrap();
            }
        }
        builder.write().unwrap()
    }
}

/// What a server says first about a repository, and its answer to a request for one commit without its history.
pub struct Answers {
    /// The references.
    pub advertisement: Vec<u8>,
    /// The pack, in side bands.
    pub pack: Vec<u8>,
}

/// One line of git's protocol.
fn line(content: &[u8]) -> Vec<u8> {
    let mut line = format!("{:04x}", content.len() + 4).into_bytes();
    line.extend(content);
    line
}

/// The answers of a server about the head of a repository.
pub fn answers(path: &Path) -> Answers {
    let repository = Repository::open_bare(path).unwrap();
    let commit = repository.refname_to_id(BRANCH).unwrap();
    let mut advertisement =
        line(format!("{commit} HEAD\0side-band-64k ofs-delta shallow agent=test\n").as_bytes());
    advertisement.extend(line(format!("{commit} {BRANCH}\n").as_bytes()));
    advertisement.extend(b"0000");
    let mut builder = repository.packbuilder().unwrap();
    builder.insert_commit(commit).unwrap();
    let mut packed = git2::Buf::new();
    builder.write_buf(&mut packed).unwrap();
    let mut pack = line(format!("shallow {commit}\n").as_bytes());
    pack.extend(b"0000");
    pack.extend(line(b"NAK\n"));
    for part in packed.chunks(1000) {
        pack.extend(line(&[&[1], part].concat()));
    }
    pack.extend(b"0000");
    Answers { advertisement, pack }
}
