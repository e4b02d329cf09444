//! Lists of what is included and excluded: their rules and what they let through.
//!
//! Takes the lists of a Backup or Restore spec. Texts are Velero's (`pkg/util/collections`,
//! `pkg/util/wildcard`).

use std::collections::BTreeSet;

use super::resources::means;

/// What a pair of lists lets through. An empty list of includes, or `*` in it, includes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lists {
    pub(super) includes: Vec<String>,
    pub(super) excludes: Vec<String>,
}

impl Lists {
    fn lets_through(&self, matches: impl Fn(&str) -> bool) -> bool {
        let any = |list: &[String]| list.iter().any(|entry| entry == "*" || matches(entry));
        (self.includes.is_empty() || any(&self.includes)) && !any(&self.excludes)
    }

    /// Whether a namespace gets through; entries may be patterns.
    pub(super) fn namespace(&self, name: &str) -> bool {
        self.lets_through(|entry| glob(entry, name))
    }

    /// Whether a kind of resource gets through.
    pub(super) fn resource(&self, group: &str, kind: &str) -> bool {
        self.lets_through(|entry| means(entry, group, kind))
    }

    /// Whether a kind of resource is named among the excludes.
    pub(super) fn excludes_resource(&self, group: &str, kind: &str) -> bool {
        self.excludes.iter().any(|entry| entry == "*" || means(entry, group, kind))
    }

    /// Whether nothing is left out.
    pub(super) fn is_everything(&self) -> bool {
        self.excludes.is_empty() && self.includes.iter().all(|entry| entry == "*")
    }

    /// The included names that are no patterns.
    pub(super) fn literal_includes(&self) -> impl Iterator<Item = &str> {
        self.includes.iter().map(String::as_str).filter(|entry| !entry.contains(['*', '?', '[']))
    }

    /// The faults of lists of resources, and of namespaces in a Restore.
    pub(super) fn faults(&self) -> Vec<String> {
        let (includes, excludes) = self.sets();
        let mut faults = Vec::new();
        if includes.len() > 1 && includes.contains("*") {
            faults.push(STAR_NOT_ALONE.replace("{}", "includes"));
        }
        if excludes.contains("*") {
            faults.push("excludes list cannot contain '*'".to_owned());
        }
        faults.extend(in_both(&includes, &excludes));
        faults
    }

    /// The faults of lists of cluster-scoped or namespace-scoped resources.
    pub(super) fn scoped_faults(&self) -> Vec<String> {
        let (includes, excludes) = self.sets();
        let mut faults = Vec::new();
        for (list, name) in [(&includes, "includes"), (&excludes, "excludes")] {
            if list.len() > 1 && list.contains("*") {
                faults.push(STAR_NOT_ALONE.replace("{}", name));
            }
        }
        if !includes.is_empty() && excludes.contains("*") {
            faults.push("when exclude is '*', include cannot have value".to_owned());
        }
        faults.extend(in_both(&includes, &excludes));
        faults
    }

    /// The faults of a Backup's lists of namespaces.
    pub(super) fn namespace_faults(&self) -> Vec<String> {
        let (includes, excludes) = self.sets();
        let mut faults = self.faults();
        faults.extend(includes.iter().chain(&excludes).filter_map(|name| namespace_fault(name)));
        faults
    }

    fn sets(&self) -> (BTreeSet<&str>, BTreeSet<&str>) {
        (
            self.includes.iter().map(String::as_str).collect(),
            self.excludes.iter().map(String::as_str).collect(),
        )
    }
}

const STAR_NOT_ALONE: &str = "{} list must either contain '*' only, or a non-empty list of items";

fn in_both(includes: &BTreeSet<&str>, excludes: &BTreeSet<&str>) -> Vec<String> {
    excludes
        .intersection(includes)
        .map(|entry| format!("excludes list cannot contain an item in the includes list: {entry}"))
        .collect()
}

/// What is wrong with a namespace or pattern of namespaces. The empty text stands for "no namespace".
fn namespace_fault(pattern: &str) -> Option<String> {
    if pattern.contains(['|', '(', ')', '!', '{', '}', ',']) {
        return Some("wildcard pattern contains unsupported characters: |, (, ), !, {, }, ,".to_owned());
    }
    if pattern.contains("**") {
        return Some("wildcard pattern contains consecutive asterisks (only single * allowed)".to_owned());
    }
    if let Some(fault) = bracket_fault(pattern) {
        return Some(fault.to_owned());
    }
    let plain = pattern.replace(['*', '?', '[', ']'], "x");
    if plain.len() > 63 {
        return Some(format!("invalid namespace {pattern:?}: must be no more than 63 characters"));
    }
    let inner =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-';
    let well_formed = plain.chars().all(inner) && !plain.starts_with('-') && !plain.ends_with('-');
    (!well_formed).then(|| {
        format!(
            "invalid namespace {pattern:?}: a lowercase RFC 1123 label must consist of lower case \
             alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. \
             'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
    })
}

fn bracket_fault(pattern: &str) -> Option<&'static str> {
    let mut rest = pattern;
    while let Some(position) = rest.find(['[', ']']) {
        let from = &rest[position..];
        if from.starts_with(']') {
            return Some("wildcard pattern contains unmatched closing bracket ']'");
        }
        match from.find(']') {
            None => return Some("wildcard pattern contains unclosed bracket '['"),
            Some(1) => return Some("wildcard pattern contains empty bracket pattern '[]'"),
            Some(end) => rest = &from[end + 1..],
        }
    }
    None
}

/// Whether a name fits a pattern of `*`, `?` and `[a-z]`.
pub(super) fn glob(pattern: &str, name: &str) -> bool {
    let mut characters = pattern.chars();
    match characters.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = characters.as_str();
            name.char_indices()
                .map(|(index, _)| index)
                .chain([name.len()])
                .any(|index| glob(rest, &name[index..]))
        }
        Some(first) => {
            let mut named = name.chars();
            let Some(character) = named.next() else {
                return false;
            };
            let (fits, rest) = match (first, pattern.find(']')) {
                ('?', _) => (true, characters.as_str()),
                ('[', Some(end)) => (in_class(&pattern[1..end], character), &pattern[end + 1..]),
                _ => (first == character, characters.as_str()),
            };
            fits && glob(rest, named.as_str())
        }
    }
}

fn in_class(class: &str, character: char) -> bool {
    let members: Vec<char> = class.chars().collect();
    match members.as_slice() {
        [low, '-', high] => (*low..=*high).contains(&character),
        members => members.contains(&character),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn lists(includes: &[&str], excludes: &[&str]) -> Lists {
        let owned = |list: &[&str]| list.iter().map(|entry| (*entry).to_owned()).collect();
        Lists { includes: owned(includes), excludes: owned(excludes) }
    }

    #[rstest]
    #[case("*", "anything", true)]
    #[case("app-*", "app-1", true)]
    #[case("app-*", "other", false)]
    #[case("*-ns", "pacman-ns", true)]
    #[case("a?c", "abc", true)]
    #[case("a?c", "ac", false)]
    #[case("app[0-3]", "app2", true)]
    #[case("app[0-3]", "app4", false)]
    #[case("app[ab]", "appb", true)]
    #[case("pacman", "pacman", true)]
    #[case("pacman", "pacman-2", false)]
    fn patterns(#[case] pattern: &str, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(glob(pattern, name), expected);
    }

    #[rstest]
    #[case(&["*", "a"], &[], &["includes list must either contain '*' only, or a non-empty list of items"])]
    #[case(&["a"], &["*"], &["excludes list cannot contain '*'"])]
    #[case(&["a"], &["a"], &["excludes list cannot contain an item in the includes list: a"])]
    #[case(&["a-**"], &[], &["wildcard pattern contains consecutive asterisks (only single * allowed)"])]
    #[case(&["{a,b}"], &[], &["wildcard pattern contains unsupported characters: |, (, ), !, {, }, ,"])]
    #[case(&["a[]"], &[], &["wildcard pattern contains empty bracket pattern '[]'"])]
    #[case(&["a["], &[], &["wildcard pattern contains unclosed bracket '['"])]
    #[case(&["a]"], &[], &["wildcard pattern contains unmatched closing bracket ']'"])]
    #[case(&["a", "b-*", "c?", ""], &["d[0-9]"], &[])]
    fn faults_of_namespace_lists(
        #[case] includes: &[&str],
        #[case] excludes: &[&str],
        #[case] expected: &[&str],
    ) {
        assert_eq!(lists(includes, excludes).namespace_faults(), expected);
    }

    #[test]
    fn a_namespace_in_capitals_is_named() {
        let faults = lists(&["App"], &[]).namespace_faults();
        assert!(faults[0].starts_with("invalid namespace \"App\": a lowercase RFC 1123 label"), "{faults:?}");
    }

    #[test]
    fn scoped_lists_have_their_own_rules() {
        assert!(lists(&[], &["*"]).scoped_faults().is_empty());
        assert_eq!(lists(&["a"], &["*"]).scoped_faults(), ["when exclude is '*', include cannot have value"]);
    }

    #[test]
    fn excludes_win() {
        let lists = lists(&["*"], &["secrets"]);
        assert!(lists.resource("", "ConfigMap"));
        assert!(!lists.resource("", "Secret"));
    }
}
