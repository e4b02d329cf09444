//! Input files of a dry run: texts from files, from directories (one level) and from standard input, and the objects in them.
//!
//! Other than [`gather`](super::gather), which is lenient, the first fault ends it: an object that is left out would change
//! what a policy finds. The words of errors are those of Open Cluster Management's own command.

#![expect(clippy::disallowed_methods, reason = "files are read here")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::files::{Found, Place, documents, has_manifests};
use crate::api::object::{Manifest, ManifestError};
use crate::yaml::{self, Dialect, YamlError};

/// How standard input is named among the inputs.
const STANDARD_INPUT: &str = "-";

/// An input that cannot be used.
#[derive(Debug, Error)]
pub enum InputError {
    /// A file that cannot be read.
    #[error("open {path}: {}", plain(source))]
    Unreadable {
        /// Its path.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A file among the inputs that is not there.
    #[error("could not open file {path}: stat {path}: {}", plain(source))]
    Missing {
        /// Its path.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A directory that cannot be read.
    #[error("could not open directory {path}: open {path}: {}", plain(source))]
    Directory {
        /// Its path.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A document that is not YAML.
    #[error("could not decode {name} to YAML: {source} (document {document}, which begins on line {line})")]
    Yaml {
        /// `file F` or `stdin`.
        name: String,
        /// Position of the document.
        document: usize,
        /// Line on which it begins.
        line: usize,
        /// What the reader found.
        source: YamlError,
    },
    /// A document that is not a Kubernetes object.
    #[error(
        "could not re-un-marshal {} to kubernetes YAML: {source} (document {}, which begins on line {})",
        called(&place.file), place.document, place.line
    )]
    Manifest {
        /// Where it stands.
        place: Place,
        /// What is wrong.
        source: ManifestError,
    },
}

/// What the system says of a file, as Go prints it: `no such file or directory`.
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error ").map_or(text.as_str(), |(words, _)| words);
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// One text and what to call it in errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The path; `-` for standard input.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// `file F`, or `stdin`.
fn called(path: &str) -> String {
    if path == STANDARD_INPUT { "stdin".to_owned() } else { format!("file {path}") }
}

impl Text {
    /// Its documents as values, each with its place; empty ones are left out.
    pub fn values(&self, dialect: Dialect) -> Result<Vec<(Value, Place)>, InputError> {
        let mut values = Vec::new();
        for (index, (line, document)) in documents(&self.text).into_iter().enumerate() {
            let value = yaml::read(&document, dialect).map_err(|source| InputError::Yaml {
                name: called(&self.path),
                document: index + 1,
                line,
                source,
            })?;
            if !value.is_null() {
                values.push((value, Place { file: self.path.clone(), document: index + 1, line }));
            }
        }
        Ok(values)
    }

    /// Its objects; lists are opened. They are read as templates' results are, because Open Cluster Management reads its
    /// inputs so: `yes` is a text.
    pub fn objects(&self) -> Result<Vec<Found>, InputError> {
        let mut found = Vec::new();
        for (value, place) in self.values(Dialect::Template)? {
            open(value, &place, &mut found)?;
        }
        Ok(found)
    }
}

fn open(value: Value, place: &Place, found: &mut Vec<Found>) -> Result<(), InputError> {
    let manifest =
        Manifest::parse(value).map_err(|source| InputError::Manifest { place: place.clone(), source })?;
    if manifest.kind().ends_with("List")
        && let Some(Value::Array(items)) = manifest.at(&["items"])
    {
        return items.iter().try_for_each(|item| open(item.clone(), place, found));
    }
    found.push(Found { manifest, place: place.clone() });
    Ok(())
}

/// Reads one file.
pub fn read_text(path: &Path) -> Result<Text, InputError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Text { path: name, text }),
        Err(source) => Err(InputError::Unreadable { path: name, source }),
    }
}

/// Reads files and directories in order; of a directory all files that stand right in it, sorted, without hidden ones.
pub fn read_texts<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Vec<Text>, InputError> {
    let mut texts = Vec::new();
    for path in paths {
        if path.is_dir() {
            for file in files_of(path)? {
                texts.push(read_text(&file)?);
            }
        } else {
            std::fs::metadata(path)
                .map_err(|source| InputError::Missing { path: path.display().to_string(), source })?;
            texts.push(read_text(path)?);
        }
    }
    Ok(texts)
}

/// Reads files, and directories with all that is below them: `*.yaml`, `*.yml` and `*.json`, sorted, no hidden ones.
pub fn read_trees<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Vec<Text>, InputError> {
    let mut texts = Vec::new();
    for path in paths {
        if path.is_dir() {
            read_tree(path, &mut texts)?;
        } else {
            texts.push(read_text(path)?);
        }
    }
    Ok(texts)
}

fn read_tree(directory: &Path, texts: &mut Vec<Text>) -> Result<(), InputError> {
    for path in entries_of(directory)? {
        if path.is_dir() {
            // A link may lead back up.
            if !path.is_symlink() {
                read_tree(&path, texts)?;
            }
        } else if has_manifests(&path) {
            texts.push(read_text(&path)?);
        }
    }
    Ok(())
}

fn files_of(directory: &Path) -> Result<Vec<PathBuf>, InputError> {
    Ok(entries_of(directory)?.into_iter().filter(|path| path.is_file()).collect())
}

/// What stands in a directory, sorted, without what is hidden.
fn entries_of(directory: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |source| InputError::Directory { path: directory.display().to_string(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text { path: "f.yaml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn lists_are_opened_and_words_stay_words() {
        let found = text(
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {on: yes}}\n\
             ---\n# nothing\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
        )
        .objects()
        .unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].manifest.text_at(&["data", "on"]), Some("yes"));
        assert_eq!((found[1].place.document, found[1].place.line), (2, 7));
    }

    #[test]
    fn the_first_fault_is_told_with_its_place() {
        let error = |source: &str| text(source).objects().unwrap_err().to_string();
        let broken = error("a: 1\n---\nb: [\n");
        assert!(broken.starts_with("could not decode file f.yaml to YAML: "), "{broken}");
        assert!(broken.ends_with("(document 2, which begins on line 2)"), "{broken}");
        let shapeless = error("a: 1\n");
        assert!(
            shapeless.starts_with("could not re-un-marshal file f.yaml to kubernetes YAML: ")
                && shapeless.ends_with("(document 1, which begins on line 1)"),
            "{shapeless}"
        );
        let path = Path::new("/does/not/exist");
        assert_eq!(
            read_text(path).unwrap_err().to_string(),
            "open /does/not/exist: no such file or directory"
        );
        assert_eq!(
            read_texts([path]).unwrap_err().to_string(),
            "could not open file /does/not/exist: stat /does/not/exist: no such file or directory"
        );
    }

    #[test]
    fn directories_are_read_one_level_deep() {
        let directory = tempfile::tempdir().unwrap();
        for (path, content) in [("b.yaml", "b"), ("a.txt", "a"), ("deep/c.yaml", "c"), (".hidden", "d")] {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let texts = read_texts([directory.path()]).unwrap();
        let read: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
        assert_eq!(read, ["a", "b"]);
        let trees = read_trees([directory.path()]).unwrap();
        let read: Vec<&str> = trees.iter().map(|text| text.text.as_str()).collect();
        assert_eq!(read, ["b", "c"]);
    }
}
