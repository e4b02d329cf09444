//! Manifests from files and directories, each with the place where it stands.

#![expect(clippy::disallowed_methods, reason = "files are read here")]

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::api::object::{Manifest, ManifestError};
use crate::pipeline::source::is_template;
use crate::yaml::{self, Dialect};

/// Where a document stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the person named it, or as it was found; `-` for standard input.
    pub file: String,
    /// Position of the document in it, from 1.
    pub document: usize,
    /// Line on which the document begins, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, document {} (line {})", self.file, self.document, self.line)
    }
}

/// Something in the sources that cannot be used. The rest of them is used all the same.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A file or directory that cannot be read.
    #[error("failed to read {path}: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A document that is not YAML.
    #[error("failed to read {file}, document {document}, line {line}: {message}")]
    Yaml {
        /// The file.
        file: String,
        /// Position of the document.
        document: usize,
        /// Line in the file.
        line: usize,
        /// What the reader found.
        message: String,
    },
    /// A document that is not a Kubernetes object.
    #[error("{source} in {place}")]
    Manifest {
        /// Where it stands.
        place: Place,
        /// What is wrong.
        source: ManifestError,
    },
    /// An object without a name.
    #[error("failed to read {kind}: `metadata.name` is missing in {place}")]
    Nameless {
        /// Where it stands.
        place: Place,
        /// Its kind.
        kind: String,
    },
}

/// An object of the sources.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The object.
    pub manifest: Manifest,
    /// Where it stands.
    pub place: Place,
}

/// What was found, and what could not be used.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Objects in the order of the sources.
    pub objects: Vec<Found>,
    /// What is wrong, in the order of the sources.
    pub errors: Vec<SourceError>,
    /// How many files were read.
    pub files: usize,
}

/// Reads files, whatever they are called, and directories with all that is below them (`*.yaml`, `*.yml`, `*.json`; no
/// hidden ones), sorted by name.
pub fn gather<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Gathered {
    let mut gathered = Gathered::default();
    for path in paths {
        if path.is_dir() {
            read_directory(path, &mut gathered);
        } else {
            read_file(path, &mut gathered);
        }
    }
    gathered
}

fn read_file(path: &Path, gathered: &mut Gathered) {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => read_stream(&name, &text, gathered),
        Err(source) => gathered.errors.push(SourceError::Unreadable { path: name, source }),
    }
}

fn read_directory(directory: &Path, gathered: &mut Gathered) {
    let unreadable = |source| SourceError::Unreadable { path: directory.display().to_string(), source };
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(directory) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(source) => {
            gathered.errors.push(unreadable(source));
            return;
        }
    };
    paths.sort();
    for path in paths.into_iter().filter(|path| !is_hidden(path)) {
        if path.is_symlink() && path.is_dir() {
            // A link may lead back up; kubectl does not follow it either.
            continue;
        }
        if path.is_dir() {
            read_directory(&path, gathered);
        } else if has_manifests(&path) {
            read_file(&path, gathered);
        }
    }
}

pub(super) fn is_hidden(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.'))
}

/// Whether a file of a directory is read: by its extension, and it is not kustomize's.
pub(super) fn has_manifests(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    matches!(extension, "yaml" | "yml" | "json") && !stem.eq_ignore_ascii_case("kustomization")
}

/// Whether a file of a source is read, by its path from the root: as manifests or as a template.
pub(super) fn is_read(path: &str) -> bool {
    has_manifests(Path::new(path)) || is_template(path)
}

/// Reads a stream of documents. One that is wrong does not hide the others.
pub fn read_stream(file: &str, text: &str, gathered: &mut Gathered) {
    gathered.files += 1;
    for (index, (line, document)) in documents(text).into_iter().enumerate() {
        let place = Place { file: file.to_owned(), document: index + 1, line };
        match yaml::read(&document, Dialect::Kubernetes) {
            Ok(Value::Null) => {}
            Ok(value) => read_value(value, &place, gathered),
            Err(error) => {
                let inside = error.line.and_then(|line| usize::try_from(line).ok()).unwrap_or(1);
                gathered.errors.push(SourceError::Yaml {
                    file: file.to_owned(),
                    document: index + 1,
                    line: line + inside.saturating_sub(1),
                    message: error.message,
                });
            }
        }
    }
}

/// The documents of a stream that are more than comments, with the line on which each begins.
pub(super) fn documents(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(1, String::new())];
    for (index, line) in text.lines().enumerate() {
        let rest = line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        match rest {
            Some(rest) => {
                // What stands behind the marker belongs to the new document; without content it is only the marker.
                let first = if rest.trim_start().starts_with('#') { "" } else { rest };
                documents.push((index + 1, format!("{first}\n")));
            }
            None => {
                if let Some((_, document)) = documents.last_mut() {
                    document.push_str(line);
                    document.push('\n');
                }
            }
        }
    }
    let has_content = |document: &str| {
        document
            .lines()
            .map(str::trim)
            .any(|line| !line.is_empty() && !line.starts_with('#') && line != "...")
    };
    documents.retain(|(_, document)| has_content(document));
    documents
}

fn read_value(value: Value, place: &Place, gathered: &mut Gathered) {
    match Manifest::parse(value) {
        Ok(list) if list.kind().ends_with("List") && list.at(&["items"]).is_some_and(Value::is_array) => {
            let items = list.into_value()["items"].take();
            for item in items.as_array().cloned().unwrap_or_default() {
                read_value(item, place, gathered);
            }
        }
        // Not an object of any API server: it tells kustomize what to do.
        Ok(manifest) if manifest.gvk().group == "kustomize.config.k8s.io" => {}
        Ok(manifest) if manifest.name().is_none() => {
            let kind = manifest.kind().to_owned();
            gathered.errors.push(SourceError::Nameless { place: place.clone(), kind });
        }
        Ok(manifest) => gathered.objects.push(Found { manifest, place: place.clone() }),
        Err(source) => gathered.errors.push(SourceError::Manifest { place: place.clone(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let mut gathered = Gathered::default();
        read_stream("f.yaml", text, &mut gathered);
        let names = gathered
            .objects
            .iter()
            .map(|found| format!("{}:{}", found.manifest.name().unwrap(), found.place.line))
            .collect();
        (names, gathered.errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn documents_know_their_lines() {
        let text = "# a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n--- # second\n\
                    apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n...\n---\n# nothing\n";
        assert_eq!(read(text), (vec!["a:2".to_owned(), "b:6".to_owned()], Vec::new()));
    }

    #[test]
    fn a_broken_document_does_not_hide_the_others() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: [\n---\napiVersion: v1\nkind: ConfigMap\n\
                    metadata: {name: b, labels: {a: 1}}\n---\njust text\n---\napiVersion: v1\nkind: Pod\n---\n\
                    apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
        let (names, errors) = read(text);
        assert_eq!(names, ["c:14"]);
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(errors[0].starts_with("failed to read f.yaml, document 1, line "), "{}", errors[0]);
        assert_eq!(
            errors[1],
            "failed to read ConfigMap \"b\": `metadata.labels` must be a mapping of strings in f.yaml, document 2 (line 5)"
        );
        assert!(errors[2].contains("expected a mapping"), "{}", errors[2]);
        assert_eq!(
            errors[3],
            "failed to read Pod: `metadata.name` is missing in f.yaml, document 4 (line 11)"
        );
    }

    #[test]
    fn lists_are_opened_and_json_is_read() {
        let (names, errors) = read(
            r#"{"apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
                {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"}}]}"#,
        );
        assert_eq!((names.len(), errors.len()), (2, 0));
    }

    #[test]
    fn directories_are_read_to_the_bottom() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let object = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
        write("b/deep/c.yml", &object("c"));
        write("a.yaml", &object("a"));
        write("b/kustomization.yaml", "resources: [deep]\n");
        write(".git/config.yaml", "not: an object\n");
        write("notes.txt", "text\n");
        let gathered = gather([directory.path()]);
        let names: Vec<_> = gathered.objects.iter().filter_map(|found| found.manifest.name()).collect();
        assert_eq!((names, gathered.errors.len()), (vec!["a", "c"], 0));
        let named = gather([directory.path().join("notes.txt").as_path()]);
        assert_eq!(named.errors.len(), 1);
        let missing = gather([Path::new("/does/not/exist")]);
        assert!(missing.errors[0].to_string().starts_with("failed to read /does/not/exist: "));
    }
}
