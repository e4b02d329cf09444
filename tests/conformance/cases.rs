//! Where the cases lie, and how they are read.

use std::path::PathBuf;

use serde_json::Value;

use crate::judged;

/// The folder of the cases; `None`, and said so, where it is not there.
pub(crate) fn folder() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/conformance");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: the conformance cases are not here");
    None
}

/// The text of a file of the cases, named by its path below the folder.
pub(crate) fn text(path: &str) -> Option<String> {
    let path = folder()?.join(path);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The rows of a file of one JSON value a line.
pub(crate) fn rows(path: &str) -> Vec<Value> {
    let text = text(path).unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}: {error}: {line}")))
        .collect()
}

/// The folders below a folder whose names begin so, in the order of their names.
pub(crate) fn folders(path: &str, prefix: &str) -> Vec<PathBuf> {
    let Some(root) = folder() else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(root.join(path)) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|entry| entry.is_dir() && name(entry).starts_with(prefix))
        .collect();
    found.sort();
    found
}

/// The last part of a path.
pub(crate) fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Holds what came of all cases of a group against the judgement: each passes, but those that are judged wrong, which fail.
pub(crate) fn all_agree(group: &str, results: &[(String, Result<(), String>)]) {
    let mut faults = Vec::new();
    for (id, result) in results {
        match (judged::reason(group, id), result) {
            (None, Err(fault)) => faults.push(format!("{group}/{id}: {fault}")),
            (Some(_), Ok(())) => faults.push(format!("{group}/{id} passes: it is judged wrong no more")),
            (None, Ok(())) | (Some(_), Err(_)) => {}
        }
    }
    assert!(faults.is_empty(), "{} of {} cases fail\n\n{}", faults.len(), results.len(), faults.join("\n\n"));
    println!("{group}: {} cases", results.len());
}
