//! Reads `src/**` and holds the layer rules of `docs/architecture.md`.
//!
//! Both tables of the document are read from the document itself, so that the rules and their description cannot part.
//! Code under `#[cfg(test)]` is left out: tests may read files and name what they like.

#![expect(clippy::disallowed_methods, reason = "reads the sources")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fault here is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

/// Longest file, in lines.
const LONGEST_FILE: usize = 700;

/// Files that are longer, each with the reason why it may be for now.
const LONG_FILES: &[(&str, &str)] = &[];

/// Paths that break the table of rooms: file, first segments of the path, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Files that belong to no room: they only say which rooms there are.
const GLUE: &[&str] = &["src/lib.rs", "src/main.rs", "src/pipeline/mod.rs", "src/adapters/mod.rs"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

// === the tables of the document ===

/// A row of the table of rooms.
#[derive(Debug)]
struct Room {
    /// Directory or file below `src/`, as the document has it.
    place: String,
    /// Modules from the crate's root.
    modules: Vec<String>,
    /// Prefixes of paths that it may name.
    may_name: Vec<Vec<String>>,
}

/// A row of the table of reserved names.
#[derive(Debug)]
struct Reserved {
    /// Crate or path.
    name: Vec<String>,
    /// Module prefixes that may name it.
    only_in: Vec<Vec<String>>,
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(ToOwned::to_owned).collect()
}

/// The texts between backticks.
fn code_words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// The rows of the first table below a heading, cell by cell.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let below = document.split_once(&format!("\n## {heading}\n")).expect(heading).1;
    below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn document() -> String {
    std::fs::read_to_string(root().join("docs/architecture.md")).unwrap()
}

fn rooms() -> Vec<Room> {
    table(&document(), "Rooms")
        .into_iter()
        .map(|row| {
            let place = code_words(&row[0]).remove(0);
            let modules = place
                .trim_start_matches("src/")
                .trim_end_matches('/')
                .trim_end_matches(".rs")
                .split('/')
                .map(ToOwned::to_owned)
                .collect();
            let may_name = code_words(&row[2]).iter().map(|path| segments(path)).collect();
            Room { place, modules, may_name }
        })
        .collect()
}

fn reserved() -> Vec<Reserved> {
    table(&document(), "Reserved names")
        .into_iter()
        .flat_map(|row| {
            let only_in: Vec<_> = code_words(&row[1]).iter().map(|path| segments(path)).collect();
            code_words(&row[0])
                .into_iter()
                .map(move |name| Reserved { name: segments(&name), only_in: only_in.clone() })
        })
        .collect()
}

// === the sources ===

/// A source file without comments, texts and tests.
#[derive(Debug)]
struct Source {
    /// Below the repository, with `/`.
    file: String,
    /// As written.
    text: String,
    /// Comments, texts and `#[cfg(test)]` items blanked out.
    code: String,
    modules: Vec<String>,
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    let mut sources: Vec<Source> = files
        .into_iter()
        .map(|path| {
            let file = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            let text = std::fs::read_to_string(&path).unwrap();
            let code = without_tests(&scrubbed(&text));
            let modules = modules_of(&file);
            Source { file, text, code, modules }
        })
        .collect();
    let tests = test_modules(&sources);
    sources.retain(|source| !tests.iter().any(|test| source.modules.starts_with(test)));
    assert!(sources.len() > 50, "the sources are not where they should be");
    sources
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn modules_of(file: &str) -> Vec<String> {
    let mut modules: Vec<String> =
        file.trim_start_matches("src/").trim_end_matches(".rs").split('/').map(ToOwned::to_owned).collect();
    if modules.last().is_some_and(|last| last == "mod") || modules == ["lib"] {
        modules.pop();
    }
    modules
}

/// Modules that are declared as `#[cfg(test)] mod name;`.
fn test_modules(sources: &[Source]) -> Vec<Vec<String>> {
    let declaration = Regex::new(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;").unwrap();
    sources
        .iter()
        .flat_map(|source| {
            declaration.captures_iter(&source.text).map(|found| {
                let mut modules = source.modules.clone();
                modules.push(found[1].to_owned());
                modules
            })
        })
        .collect()
}

/// The text with comments and the insides of texts replaced by blanks; line breaks stay.
fn scrubbed(text: &str) -> String {
    let tokens = Regex::new(concat!(
        r"(?s)//[^\n]*",
        r"|/\*.*?\*/",
        r##"|b?r#"(?:.*?)"#"##,
        r#"|b?r"[^"]*""#,
        r#"|b?"(?:\\.|[^"\\])*""#,
        r"|b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\\n])'",
    ))
    .unwrap();
    tokens.replace_all(text, |found: &regex::Captures<'_>| blank(&found[0])).into_owned()
}

fn blank(text: &str) -> String {
    text.chars().map(|character| if character == '\n' { '\n' } else { ' ' }).collect()
}

/// Blanks out every item that `#[cfg(test)]` stands before.
fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    while let Some(start) = kept.find("#[cfg(test)]") {
        let mut depth = 0_usize;
        let mut end = kept.len();
        for (at, character) in kept[start + "#[cfg(test)]".len()..].char_indices() {
            let at = start + "#[cfg(test)]".len() + at + character.len_utf8();
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (character == '}' || character == ';') {
                end = at;
                break;
            }
        }
        let blanked = blank(&kept[start..end]);
        kept.replace_range(start..end, &blanked);
    }
    kept
}

/// A path that a file names, with the line where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    path: Vec<String>,
    line: usize,
}

/// All paths with at least two segments, and everything that is imported; `crate`, `self` and `super` resolved to paths
/// that begin with `crate`.
fn named(code: &str, modules: &[String]) -> Vec<Named> {
    let import = Regex::new(r"\buse\s+([^;]+);").unwrap();
    let path = Regex::new(r"\b[A-Za-z_]\w*(?:\s*::\s*[A-Za-z_]\w*)+").unwrap();
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    let mut found = Vec::new();
    let mut rest = code.to_owned();
    for import in import.captures_iter(code) {
        let whole = import.get(0).unwrap();
        for path in leaves(&import[1]) {
            found.push(Named { path: resolved(&path, modules), line: line(whole.start()) });
        }
        rest.replace_range(whole.range(), &blank(whole.as_str()));
    }
    for path in path.find_iter(&rest) {
        let parts: Vec<String> = path.as_str().split("::").map(|part| part.trim().to_owned()).collect();
        found.push(Named { path: resolved(&parts, modules), line: line(path.start()) });
    }
    found.sort();
    found
}

/// The paths of a use tree.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or_default().trim().trim_start_matches("::");
        return vec![name.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let prefix: Vec<String> = tree[..open]
        .trim()
        .trim_end_matches("::")
        .split("::")
        .filter(|part| !part.trim().is_empty())
        .map(|part| part.trim().to_owned())
        .collect();
    let inside = tree[open + 1..].trim_end().trim_end_matches('}');
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    parts
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .flat_map(leaves)
        .map(|leaf| {
            let mut path = prefix.clone();
            path.extend(leaf.into_iter().filter(|part| part != "self"));
            path
        })
        .collect()
}

fn resolved(path: &[String], modules: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    if ups > 0 {
        let base = &modules[..modules.len().saturating_sub(ups)];
        return ["crate".to_owned()]
            .into_iter()
            .chain(base.iter().cloned())
            .chain(path[ups..].to_vec())
            .collect();
    }
    match path.first().map(String::as_str) {
        Some("self") => ["crate".to_owned()]
            .into_iter()
            .chain(modules.iter().cloned())
            .chain(path[1..].to_vec())
            .collect(),
        _ => path.to_vec(),
    }
}

// === the rules ===

fn room_of<'r>(rooms: &'r [Room], modules: &[String]) -> Option<&'r Room> {
    rooms.iter().filter(|room| modules.starts_with(&room.modules)).max_by_key(|room| room.modules.len())
}

/// Fails with all faults, one a line.
fn none(faults: &BTreeSet<String>) {
    let list: Vec<&str> = faults.iter().map(String::as_str).collect();
    assert!(list.is_empty(), "\n{}\n", list.join("\n"));
}

#[test]
fn rooms_name_only_what_the_table_allows() {
    let rooms = rooms();
    let mut faults = BTreeSet::new();
    let mut used = BTreeSet::new();
    for source in sources().iter().filter(|source| !GLUE.contains(&source.file.as_str())) {
        let Some(room) = room_of(&rooms, &source.modules) else {
            faults.insert(format!("{}: in no room of docs/architecture.md", source.file));
            continue;
        };
        for named in named(&source.code, &source.modules) {
            let Some(target) = named.path.strip_prefix(&["crate".to_owned()]) else { continue };
            let own = target.starts_with(&room.modules);
            let allowed = room.may_name.iter().any(|prefix| target.starts_with(prefix));
            if own || allowed || target.is_empty() {
                continue;
            }
            let excepted = EXCEPTIONS
                .iter()
                .position(|(file, path, _)| *file == source.file && target.starts_with(&segments(path)));
            match excepted {
                Some(index) => {
                    used.insert(index);
                }
                None => {
                    faults.insert(format!(
                        "{}:{}: {} may not name {}",
                        source.file,
                        named.line,
                        room.place,
                        target.join("::")
                    ));
                }
            }
        }
    }
    for (index, (file, path, _)) in EXCEPTIONS.iter().enumerate() {
        if !used.contains(&index) {
            faults.insert(format!("{file} no longer names {path}: take the exception out"));
        }
    }
    none(&faults);
}

#[test]
fn every_room_of_the_table_is_there_and_depends_on_no_circle() {
    let rooms = rooms();
    let mut faults = BTreeSet::new();
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for room in &rooms {
        if !root().join(&room.place).exists() {
            faults.insert(format!("{}: is in the table and not in the tree", room.place));
        }
        for prefix in &room.may_name {
            let targets: Vec<&Room> = match room_of(&rooms, prefix) {
                Some(target) => vec![target],
                None => rooms.iter().filter(|other| other.modules.starts_with(prefix)).collect(),
            };
            if targets.is_empty() {
                faults.insert(format!("{}: {} is no room", room.place, prefix.join("::")));
            }
            let names = targets.iter().map(|target| target.place.as_str()).filter(|name| *name != room.place);
            below.entry(&room.place).or_default().extend(names);
        }
    }
    // Rooms that name no other leave the graph, again and again; what is left at the end is a circle.
    let mut left: BTreeSet<&str> = rooms.iter().map(|room| room.place.as_str()).collect();
    loop {
        let free: Vec<&str> = left
            .iter()
            .copied()
            .filter(|room| below.get(room).is_none_or(|names| names.is_disjoint(&left)))
            .collect();
        if free.is_empty() {
            break;
        }
        left.retain(|room| !free.contains(room));
    }
    if !left.is_empty() {
        faults.insert(format!("these rooms name each other in a circle: {left:?}"));
    }
    none(&faults);
}

#[test]
fn reserved_names_stay_in_their_rooms() {
    let reserved = reserved();
    assert!(reserved.len() > 10, "the table of reserved names cannot be read");
    let mut faults = BTreeSet::new();
    for source in sources() {
        for named in named(&source.code, &source.modules) {
            for rule in reserved.iter().filter(|rule| is_named(&named.path, &rule.name)) {
                if !rule.only_in.iter().any(|prefix| source.modules.starts_with(prefix)) {
                    faults.insert(format!(
                        "{}:{}: {} is reserved",
                        source.file,
                        named.line,
                        rule.name.join("::")
                    ));
                }
            }
        }
    }
    none(&faults);
}

/// Whether the path is the reserved one or below it. A function of a type is found however the type was imported.
fn is_named(path: &[String], reserved: &[String]) -> bool {
    let is_function_of_type = reserved.len() > 1
        && reserved[reserved.len() - 2].starts_with(char::is_uppercase)
        && reserved[reserved.len() - 1].starts_with(char::is_lowercase);
    path.starts_with(reserved) || (is_function_of_type && path.ends_with(&reserved[reserved.len() - 2..]))
}

#[test]
fn the_pure_rooms_never_wait() {
    let waiting = Regex::new(r"\b(async|await)\b").unwrap();
    let pure = ["api", "yaml", "pipeline", "protection"];
    let mut faults = BTreeSet::new();
    for source in sources() {
        if !source.modules.first().is_some_and(|first| pure.contains(&first.as_str())) {
            continue;
        }
        for found in waiting.find_iter(&source.code) {
            let line = source.code[..found.start()].matches('\n').count() + 1;
            faults.insert(format!("{}:{line}: {} in a pure room", source.file, found.as_str()));
        }
    }
    none(&faults);
}

#[test]
fn only_the_output_of_the_commands_prints() {
    let printing = Regex::new(r"\b(print|println|eprint|eprintln|dbg)!").unwrap();
    let mut faults = BTreeSet::new();
    for source in sources().iter().filter(|source| source.file != "src/cli/output.rs") {
        for found in printing.find_iter(&source.code) {
            let line = source.code[..found.start()].matches('\n').count() + 1;
            faults.insert(format!("{}:{line}: {} outside src/cli/output.rs", source.file, found.as_str()));
        }
    }
    none(&faults);
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut faults = BTreeSet::new();
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    for path in files {
        let file = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        let excepted = LONG_FILES.iter().any(|(name, _)| *name == file);
        if lines > LONGEST_FILE && !excepted {
            faults.insert(format!("{file}: {lines} lines, at most {LONGEST_FILE}"));
        }
        if lines <= LONGEST_FILE && excepted {
            faults.insert(format!("{file}: short enough now, take it out of LONG_FILES"));
        }
        let opening = text.lines().next().unwrap_or_default();
        let says = opening.strip_prefix("//!").map(str::trim).unwrap_or_default();
        if says.split_whitespace().count() < 2 || says.to_uppercase().contains("TODO") {
            faults.insert(format!("{file}: does not open with `//!` and what it is"));
        }
    }
    none(&faults);
}

#[test]
fn glue_only_names_its_modules() {
    let other = Regex::new(r"\b(fn|struct|enum|trait|impl|const|static|type|macro_rules)\b").unwrap();
    let sources = sources();
    let found = |file: &str| sources.iter().find(|source| source.file == file).expect("glue is a file");
    for file in GLUE.iter().filter(|file| **file != "src/main.rs") {
        assert!(!other.is_match(&found(file).code), "{file}: holds more than modules");
    }
    assert!(found("src/main.rs").text.lines().count() < 40, "src/main.rs: more than 40 lines");
}

// === the reader itself ===

#[test]
fn paths_are_found_whatever_their_form() {
    let code = scrubbed(
        "use crate::a::{b, c::{self, d as e}};\nuse super::f::G;\nfn x() { super::super::h::i(); kube::Api::all() }\n\
         // crate::comment::x\nlet s = \"crate::text::x\"; let r = r#\"crate::raw::x\"#; let q = '\"'; let l: &'static str;\n\
         #[cfg(test)]\nmod tests { use crate::test::x; }\n",
    );
    let code = without_tests(&code);
    let modules = segments("p::q::r");
    let found: Vec<String> = named(&code, &modules)
        .into_iter()
        .map(|named| format!("{}@{}", named.path.join("::"), named.line))
        .collect();
    assert_eq!(
        found,
        [
            "crate::a::b@1",
            "crate::a::c@1",
            "crate::a::c::d@1",
            "crate::p::h::i@3",
            "crate::p::q::f::G@2",
            "kube::Api::all@3"
        ]
    );
}

#[test]
fn a_reserved_function_is_found_behind_an_import() {
    let reserved = segments("jiff::Timestamp::now");
    assert!(is_named(&segments("Timestamp::now"), &reserved));
    assert!(is_named(&segments("jiff::Timestamp::now"), &reserved));
    assert!(!is_named(&segments("jiff::Timestamp"), &reserved));
    assert!(is_named(&segments("kube::Client"), &segments("kube")));
}
