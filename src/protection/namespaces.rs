//! Which namespaces a Schedule backs up, and whether two Schedules back up the same one.
//!
//! Names and globs as Velero 1.18 reads them: `*`, `?` and `[…]`; no included namespaces means all of them, and what is excluded is
//! out. Two globs meet when one name could match both, whether there is such a namespace or not: it may be created any time.

use serde_json::Value;

use super::VELERO_GROUP;
use crate::api::object::Manifest;

/// The namespaces that a Schedule backs up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    included: Vec<Pattern>,
    excluded: Vec<Pattern>,
}

impl Scope {
    /// Of a Schedule that backs up whole namespaces; `None` of anything else. One that is paused makes no backups, and one
    /// that picks by labels backs up parts, which others may complement.
    pub fn of(object: &Manifest) -> Option<Self> {
        if !object.gvk().same_kind(VELERO_GROUP, "Schedule") {
            return None;
        }
        let template = object.at(&["spec", "template"])?;
        let is_paused = object.at(&["spec", "paused"]) == Some(&Value::Bool(true));
        let picks = ["labelSelector", "orLabelSelectors"];
        if is_paused || picks.iter().any(|field| template.get(field).is_some_and(|value| !value.is_null())) {
            return None;
        }
        let patterns = |field: &str| -> Vec<Pattern> {
            let entries = template.get(field).and_then(Value::as_array).into_iter().flatten();
            entries.filter_map(Value::as_str).map(Pattern::new).collect()
        };
        let mut included = patterns("includedNamespaces");
        if included.is_empty() {
            included.push(Pattern::new("*"));
        }
        Some(Self { included, excluded: patterns("excludedNamespaces") })
    }

    /// What both back up, in words; `None` when they share no namespace.
    pub fn shared_with(&self, other: &Self) -> Option<String> {
        let excluded = || self.excluded.iter().chain(&other.excluded);
        self.included
            .iter()
            .flat_map(|ours| other.included.iter().map(move |theirs| (ours, theirs)))
            .filter(|(ours, theirs)| ours.meets(theirs))
            // Where an exclusion takes only a part of what both globs match, a name may be left.
            .find(|(ours, theirs)| {
                !excluded().any(|excluded| excluded.covers(ours) || excluded.covers(theirs))
            })
            .map(|(ours, theirs)| in_words(ours, theirs))
    }
}

fn in_words(ours: &Pattern, theirs: &Pattern) -> String {
    let all = |pattern: &Pattern| pattern.text == "*";
    match (ours.is_name(), theirs.is_name()) {
        (true, _) => format!("namespace {}", ours.text),
        (false, true) => format!("namespace {}", theirs.text),
        (false, false) if all(ours) && all(theirs) => "all namespaces".to_owned(),
        (false, false) if ours == theirs || all(theirs) => format!("namespaces {}", ours.text),
        (false, false) if all(ours) => format!("namespaces {}", theirs.text),
        (false, false) => {
            // The same words whoever is asked.
            let (first, second) =
                (ours.text.as_str().min(&theirs.text), ours.text.as_str().max(&theirs.text));
            format!("namespaces that are both {first} and {second}")
        }
    }
}

/// A name, or a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `*`: any letters, or none.
    Any,
    /// `?`: one letter.
    One,
    /// `[…]`: one of these, or with `!` one of all others.
    Class { letters: Vec<(char, char)>, negated: bool },
    /// This letter.
    Letter(char),
}

impl Pattern {
    fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(letter) = rest.next() {
            let part = match letter {
                '*' => Part::Any,
                '?' => Part::One,
                '[' => class(&mut rest),
                letter => Part::Letter(letter),
            };
            parts.push(part);
        }
        Self { text: text.to_owned(), parts }
    }

    fn is_name(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Letter(_)))
    }

    /// Whether a name could match both.
    fn meets(&self, other: &Self) -> bool {
        walk(&self.parts, &other.parts, Absorbs::Both, Part::meets)
    }

    /// Whether it matches all that the other one matches. Says no where that takes more than one look.
    fn covers(&self, other: &Self) -> bool {
        walk(&self.parts, &other.parts, Absorbs::First, Part::covers)
    }
}

/// Up to the closing bracket, which Velero asks for.
fn class(rest: &mut std::str::Chars<'_>) -> Part {
    let inside: Vec<char> = rest.by_ref().take_while(|letter| *letter != ']').collect();
    let negated = matches!(inside.first(), Some('!' | '^'));
    let inside = if negated { inside.get(1..).unwrap_or_default() } else { &inside };
    let mut letters = Vec::new();
    let mut at = 0;
    while let Some(from) = inside.get(at) {
        if let (Some('-'), Some(to)) = (inside.get(at + 1), inside.get(at + 2)) {
            letters.push((*from, *to));
            at += 3;
        } else {
            letters.push((*from, *from));
            at += 1;
        }
    }
    Part::Class { letters, negated }
}

impl Part {
    fn holds(&self, letter: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Letter(own) => *own == letter,
            Self::Class { letters, negated } => {
                letters.iter().any(|(from, to)| (*from..=*to).contains(&letter)) != *negated
            }
        }
    }

    /// Whether a letter could be in both.
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Letter(letter), part) | (part, Self::Letter(letter)) => part.holds(*letter),
            (
                Self::Class { letters: ours, negated: false },
                Self::Class { letters: theirs, negated: false },
            ) => ours.iter().any(|(from, to)| {
                theirs.iter().any(|(their_from, their_to)| from <= their_to && their_from <= to)
            }),
            (Self::Any | Self::One | Self::Class { .. }, Self::Any | Self::One | Self::Class { .. }) => true,
        }
    }

    /// Whether it holds every letter that the other one holds.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Any) => false,
            (part, Self::Letter(letter)) => part.holds(*letter),
            (Self::One, Self::One | Self::Class { .. }) => true,
            (ours, theirs) => ours == theirs,
        }
    }
}

/// Whose `*` may stand for parts of the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absorbs {
    First,
    Both,
}

/// Whether two patterns can be gone through side by side, from the end to the beginning.
fn walk(first: &[Part], second: &[Part], absorbs: Absorbs, fits: fn(&Part, &Part) -> bool) -> bool {
    let width = second.len() + 1;
    let mut later = vec![false; width];
    for at in (0..=first.len()).rev() {
        let mut row = vec![false; width];
        for beside in (0..width).rev() {
            let next = row.get(beside + 1).copied().unwrap_or(false);
            let below = later.get(beside).copied().unwrap_or(false);
            let across = later.get(beside + 1).copied().unwrap_or(false);
            let possible = match (first.get(at), second.get(beside)) {
                (None, None) => true,
                (Some(Part::Any), None) => below,
                (Some(Part::Any), Some(_)) => below || next,
                (None, Some(Part::Any)) => absorbs == Absorbs::Both && next,
                (Some(_), Some(Part::Any)) => absorbs == Absorbs::Both && (next || below),
                (Some(ours), Some(theirs)) => fits(ours, theirs) && across,
                (None, Some(_)) | (Some(_), None) => false,
            };
            if let Some(cell) = row.get_mut(beside) {
                *cell = possible;
            }
        }
        later = row;
    }
    later.first().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schedule(included: &[&str], excluded: &[&str]) -> Manifest {
        Manifest::parse(json!({"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": {"name": "s"},
            "spec": {"template": {"includedNamespaces": included, "excludedNamespaces": excluded}}}))
        .unwrap()
    }

    fn scope(included: &[&str], excluded: &[&str]) -> Scope {
        Scope::of(&schedule(included, excluded)).unwrap()
    }

    type Lists<'a> = (&'a [&'a str], &'a [&'a str]);

    #[test]
    fn what_two_schedules_share() {
        let cases: &[(Lists<'_>, Lists<'_>, Option<&str>)] = &[
            ((&["a"], &[]), (&["b"], &[]), None),
            ((&["a", "b"], &[]), (&["c", "b"], &[]), Some("namespace b")),
            ((&["app"], &[]), (&["app-1"], &[]), None),
            // No list is all of them.
            ((&[], &[]), (&["a"], &[]), Some("namespace a")),
            ((&["*"], &[]), (&[], &[]), Some("all namespaces")),
            ((&["*"], &[]), (&["app-*"], &[]), Some("namespaces app-*")),
            // Excluded.
            ((&["*"], &["a"]), (&["a"], &[]), None),
            ((&["*"], &["a"]), (&["a", "b"], &[]), Some("namespace b")),
            ((&["*"], &["app-*"]), (&["app-*"], &[]), None),
            ((&["*"], &["a*"]), (&["app-*"], &[]), None),
            ((&["a"], &[]), (&["*"], &["a"]), None),
            ((&["*"], &["app-1"]), (&["app-*"], &[]), Some("namespaces app-*")),
            ((&["*"], &["app-?"]), (&["app-1"], &[]), None),
            ((&["*"], &["app-[12]"]), (&["app-1"], &[]), None),
            ((&["*"], &["app-[12]"]), (&["app-3"], &[]), Some("namespace app-3")),
            // Globs.
            ((&["app-*"], &[]), (&["app-1"], &[]), Some("namespace app-1")),
            ((&["app-*"], &[]), (&["apps"], &[]), None),
            ((&["app-*"], &[]), (&["*-db"], &[]), Some("namespaces that are both *-db and app-*")),
            ((&["app-*"], &[]), (&["web-*"], &[]), None),
            ((&["a?c"], &[]), (&["abc"], &[]), Some("namespace abc")),
            ((&["a?c"], &[]), (&["ac"], &[]), None),
            ((&["app-[a-c]"], &[]), (&["app-b"], &[]), Some("namespace app-b")),
            ((&["app-[!a-c]"], &[]), (&["app-b"], &[]), None),
            ((&["app-[a-c]"], &[]), (&["app-[x-z]"], &[]), None),
            (
                (&["app-[a-c]"], &[]),
                (&["app-[c-z]"], &[]),
                Some("namespaces that are both app-[a-c] and app-[c-z]"),
            ),
        ];
        for ((ours, our_exclusions), (theirs, their_exclusions), expected) in cases {
            let (one, other) = (scope(ours, our_exclusions), scope(theirs, their_exclusions));
            let case =
                format!("{ours:?} without {our_exclusions:?}, {theirs:?} without {their_exclusions:?}");
            assert_eq!(one.shared_with(&other).as_deref(), *expected, "{case}");
            assert_eq!(other.shared_with(&one).as_deref(), *expected, "turned: {case}");
        }
    }

    #[test]
    fn what_backs_up_no_whole_namespace() {
        let with = |path: [&str; 2], value: Value| {
            let mut schedule = schedule(&["a"], &[]).to_value();
            let inner =
                if path[0] == "spec" { &mut schedule["spec"] } else { &mut schedule["spec"]["template"] };
            inner[path[1]] = value;
            Scope::of(&Manifest::parse(schedule).unwrap())
        };
        assert_eq!(with(["spec", "paused"], json!(true)), None);
        assert!(with(["spec", "paused"], json!(false)).is_some());
        assert_eq!(with(["template", "labelSelector"], json!({"matchLabels": {"a": "b"}})), None);
        assert_eq!(with(["template", "orLabelSelectors"], json!([{"matchLabels": {"a": "b"}}])), None);
        let backup = json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b"},
            "spec": {"template": {}}});
        assert_eq!(Scope::of(&Manifest::parse(backup).unwrap()), None);
    }

    /// Few letters, so that patterns meet often.
    fn glob() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![Just("a"), Just("b"), Just("*"), Just("?"), Just("[ab]"), Just("[!a]")],
            0..5,
        )
        .prop_map(|parts| parts.concat())
    }

    /// All names of up to four letters.
    fn names() -> Vec<String> {
        let mut names = vec![String::new()];
        let mut last = names.clone();
        for _ in 0..4 {
            last = last
                .iter()
                .flat_map(|name| ["a", "b", "c"].map(|letter| format!("{name}{letter}")))
                .collect();
            names.extend(last.clone());
        }
        names
    }

    proptest! {
        #[test]
        fn globs_meet_where_a_name_matches_both(one in glob(), other in glob()) {
            let (one, other) = (Pattern::new(&one), Pattern::new(&other));
            let names: Vec<Pattern> = names().iter().map(|name| Pattern::new(name)).collect();
            let both = |name: &Pattern| one.meets(name) && other.meets(name);
            prop_assert_eq!(one.meets(&other), other.meets(&one));
            if names.iter().any(both) {
                prop_assert!(one.meets(&other));
            }
            if one.covers(&other) {
                prop_assert!(names.iter().all(|name| !other.meets(name) || one.meets(name)));
            }
        }
    }
}
