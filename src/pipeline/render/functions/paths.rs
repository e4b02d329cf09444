//! Sprig's functions of slash-separated paths (Go's `path`); those with `os` in their name are the same on Linux.

use super::super::engine::go::Parameter::Text;
use super::super::engine::go::{Function, Value, fixed};
use super::{ok_text, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base", &[Text], |_, a| ok_text(base(text(a, 0)))),
    fixed("clean", &[Text], |_, a| ok_text(clean(text(a, 0)))),
    fixed("dir", &[Text], |_, a| ok_text(dir(text(a, 0)))),
    fixed("ext", &[Text], |_, a| ok_text(ext(text(a, 0)))),
    fixed("isAbs", &[Text], |_, a| Ok(Value::Bool(text(a, 0).starts_with('/')))),
    fixed("osBase", &[Text], |_, a| ok_text(base(text(a, 0)))),
    fixed("osClean", &[Text], |_, a| ok_text(clean(text(a, 0)))),
    fixed("osDir", &[Text], |_, a| ok_text(dir(text(a, 0)))),
    fixed("osExt", &[Text], |_, a| ok_text(ext(text(a, 0)))),
    fixed("osIsAbs", &[Text], |_, a| Ok(Value::Bool(text(a, 0).starts_with('/')))),
];

fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed.rsplit('/').next().unwrap_or(trimmed) }
}

fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| &path[..=at]))
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |at| &name[at..])
}
