//! A directory of this machine as a source: its manifests, and a revision that is their digest. Links are followed as long as
//! they stay in the directory: a mounted ConfigMap consists of such links.

#![expect(clippy::disallowed_methods, reason = "files are read here")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::files::{is_hidden, is_read};
use super::git::{Checkout, Fetched, GitError, Limits, Signed, blocking};
use crate::pipeline::source::SourceFile;

/// Looks at a directory, and reads it if it is not at the known revision.
pub async fn look(path: &str, known: Option<&str>, limits: &Limits) -> Result<Fetched, GitError> {
    let (path, known, limits) = (PathBuf::from(path), known.map(ToOwned::to_owned), limits.clone());
    blocking(move || {
        let checkout = read(&path, &limits)?;
        Ok(if known.as_deref() == Some(&checkout.revision) {
            Fetched::Unchanged
        } else {
            Fetched::Changed(checkout)
        })
    })
    .await
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> GitError {
    let path = path.display().to_string();
    move |source| GitError::Unreadable { path: path.clone(), source }
}

fn read(path: &Path, limits: &Limits) -> Result<Checkout, GitError> {
    let root = path.canonicalize().map_err(unreadable(path))?;
    let mut reading = Reading { root: &root, limits, files: Vec::new(), bytes: 0, entries: 0 };
    reading.directory(&root)?;
    let mut files = reading.files;
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let mut digest = Sha256::new();
    for file in &files {
        for part in [&file.path, &file.text] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
    }
    let mut revision = "sha256:".to_owned();
    for byte in digest.finalize() {
        let _written = write!(revision, "{byte:02x}");
    }
    Ok(Checkout { revision, signed: Signed::NotAsked, files })
}

struct Reading<'r> {
    root: &'r Path,
    limits: &'r Limits,
    files: Vec<SourceFile>,
    bytes: u64,
    entries: u64,
}

impl Reading<'_> {
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).display().to_string()
    }

    fn directory(&mut self, directory: &Path) -> Result<(), GitError> {
        for entry in std::fs::read_dir(directory).map_err(unreadable(directory))? {
            let path = entry.map_err(unreadable(directory))?.path();
            self.entries += 1;
            if self.entries > self.limits.objects {
                return Err(GitError::TooMany { objects: self.entries, limit: self.limits.objects });
            }
            if is_hidden(&path) {
                continue;
            }
            let kind = std::fs::symlink_metadata(&path).map_err(unreadable(&path))?.file_type();
            if kind.is_dir() {
                self.directory(&path)?;
            } else if is_read(&self.shown(&path)) {
                self.file(&path)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), GitError> {
        let shown = self.shown(path);
        let real = path.canonicalize().map_err(unreadable(path))?;
        if !real.starts_with(self.root) {
            return Err(GitError::Link { path: shown });
        }
        let about = std::fs::metadata(&real).map_err(unreadable(path))?;
        if !about.is_file() {
            return Ok(());
        }
        self.bytes = self.limits.add_file(&shown, about.len(), self.bytes)?;
        let content = std::fs::read(&real).map_err(unreadable(path))?;
        let text = String::from_utf8(content).map_err(|_| GitError::NotText { path: shown.clone() })?;
        self.files.push(SourceFile { path: shown, text });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_mounted_config_map_is_read_and_a_link_that_leaves_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("source");
        std::fs::create_dir_all(root.join("..data")).unwrap();
        std::fs::create_dir_all(root.join("deep")).unwrap();
        std::fs::write(root.join("..data/a.yaml"), "a").unwrap();
        std::fs::write(root.join("deep/b.yml"), "b").unwrap();
        std::fs::write(root.join("deep/notes.txt"), "c").unwrap();
        symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
        symlink("..", root.join("deep/up")).unwrap();
        let found = read(&root, &Limits::default()).unwrap();
        let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a.yaml", "deep/b.yml"]);
        assert_eq!(read(&root, &Limits::default()).unwrap().revision, found.revision);
        std::fs::write(root.join("..data/a.yaml"), "other").unwrap();
        assert_ne!(read(&root, &Limits::default()).unwrap().revision, found.revision);

        std::fs::write(directory.path().join("secret.yaml"), "s").unwrap();
        symlink("../secret.yaml", root.join("out.yaml")).unwrap();
        let error = read(&root, &Limits::default()).unwrap_err().to_string();
        assert!(error.starts_with("failed to read out.yaml: it is a symbolic link"), "{error}");
    }

    #[test]
    fn a_directory_that_is_too_large_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a.yaml", "b.yaml"] {
            std::fs::write(directory.path().join(name), "123456").unwrap();
        }
        let with = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            read(directory.path(), &limits).unwrap_err().to_string()
        };
        assert!(with(|limits| limits.file_bytes = 5).contains(".yaml: it is larger than 5 bytes"));
        assert!(with(|limits| limits.bytes = 11).ends_with("its manifests are more than 11 bytes"));
        assert!(with(|limits| limits.objects = 1).ends_with("2 objects or more, 1 are allowed"));
        let missing = read(Path::new("/does/not/exist"), &Limits::default()).unwrap_err().to_string();
        assert!(missing.starts_with("failed to read /does/not/exist: "), "{missing}");
    }
}
