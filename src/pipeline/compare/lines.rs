//! Which lines of two texts belong together: takes both, gives the steps from the one to the other.
//!
//! It is the way of Python's `difflib`, which upstream's differences are made with: the longest run of equal lines first,
//! then the same on both sides of it. Other algorithms give shorter differences, and others.

use std::collections::HashMap;

use similar::DiffOp;

/// From how many lines on a line that stands everywhere is passed over in the search.
const LONG: usize = 200;

/// A run of equal lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    before: usize,
    after: usize,
    length: usize,
}

/// The steps from one text to the other.
pub(super) fn operations(before: &[&str], after: &[&str]) -> Vec<DiffOp> {
    let mut operations = Vec::new();
    let (mut old, mut new) = (0, 0);
    for run in runs(before, after) {
        let (removed, added) = (run.before - old, run.after - new);
        match (removed, added) {
            (0, 0) => {}
            (0, _) => operations.push(DiffOp::Insert { old_index: old, new_index: new, new_len: added }),
            (_, 0) => operations.push(DiffOp::Delete { old_index: old, old_len: removed, new_index: new }),
            (_, _) => operations.push(DiffOp::Replace {
                old_index: old,
                old_len: removed,
                new_index: new,
                new_len: added,
            }),
        }
        if run.length > 0 {
            operations.push(DiffOp::Equal { old_index: run.before, new_index: run.after, len: run.length });
        }
        old = run.before + run.length;
        new = run.after + run.length;
    }
    operations
}

/// All runs of equal lines in order, neighbours joined, and an empty one at the end.
fn runs(before: &[&str], after: &[&str]) -> Vec<Run> {
    let places = places(after);
    let mut open = vec![(0, before.len(), 0, after.len())];
    let mut found = Vec::new();
    while let Some((old, old_end, new, new_end)) = open.pop() {
        let run = longest((before, old, old_end), (after, new, new_end), &places);
        if run.length == 0 {
            continue;
        }
        open.push((old, run.before, new, run.after));
        open.push((run.before + run.length, old_end, run.after + run.length, new_end));
        found.push(run);
    }
    found.sort_unstable();
    let mut joined: Vec<Run> = Vec::with_capacity(found.len() + 1);
    for run in found {
        match joined.last_mut() {
            Some(last)
                if last.before + last.length == run.before && last.after + last.length == run.after =>
            {
                last.length += run.length;
            }
            Some(_) | None => joined.push(run),
        }
    }
    joined.push(Run { before: before.len(), after: after.len(), length: 0 });
    joined
}

/// Where each line stands. In a long text, one that stands everywhere tells nothing.
fn places<'a>(lines: &[&'a str]) -> HashMap<&'a str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in lines.iter().enumerate() {
        places.entry(line).or_default().push(index);
    }
    if lines.len() >= LONG {
        let most = lines.len() / 100 + 1;
        places.retain(|_, places| places.len() <= most);
    }
    places
}

/// The longest run within the bounds; of several, the first in the old text, and there the first in the new one.
fn longest(
    (before, old, old_end): (&[&str], usize, usize),
    (after, new, new_end): (&[&str], usize, usize),
    places: &HashMap<&str, Vec<usize>>,
) -> Run {
    let mut best = Run { before: old, after: new, length: 0 };
    // Lengths of the runs that end at a line of the new text and the last line of the old one.
    let mut ending: HashMap<usize, usize> = HashMap::new();
    for (index, line) in before.iter().enumerate().take(old_end).skip(old) {
        let mut next = HashMap::new();
        let found = places.get(line).map_or(&[][..], Vec::as_slice);
        for place in found.iter().copied().filter(|place| (new..new_end).contains(place)) {
            let length = place.checked_sub(1).and_then(|place| ending.get(&place)).copied().unwrap_or(0) + 1;
            next.insert(place, length);
            if length > best.length {
                best = Run { before: index + 1 - length, after: place + 1 - length, length };
            }
        }
        ending = next;
    }
    // Lines that were passed over may stand at both ends.
    while best.before > old && best.after > new && before[best.before - 1] == after[best.after - 1] {
        best = Run { before: best.before - 1, after: best.after - 1, length: best.length + 1 };
    }
    while best.before + best.length < old_end
        && best.after + best.length < new_end
        && before[best.before + best.length] == after[best.after + best.length]
    {
        best.length += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signs(before: &str, after: &str) -> String {
        let (before, after): (Vec<&str>, Vec<&str>) =
            (before.split(' ').collect(), after.split(' ').collect());
        let mut out = String::new();
        for operation in operations(&before, &after) {
            let (removed, added) = (operation.old_range().len(), operation.new_range().len());
            out += &match operation {
                DiffOp::Equal { .. } => " ".repeat(added),
                DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => {
                    "-".repeat(removed) + &"+".repeat(added)
                }
            };
        }
        out
    }

    #[test]
    fn the_longest_run_comes_first() {
        assert_eq!(signs("a b c", "a x c"), " -+ ");
        // The shortest way would keep `a` and `b`; the longest run is `b c d`.
        assert_eq!(signs("a b c d", "b c d a"), "-   +");
        assert_eq!(signs("x y", "p q"), "--++");
        // Of two runs that are as long, the first.
        assert_eq!(signs("a a", "a"), " -");
    }

    proptest! {
        #[test]
        fn the_steps_lead_from_the_one_to_the_other(
            before in prop::collection::vec("[a-d]", 0..30),
            after in prop::collection::vec("[a-d]", 0..30),
        ) {
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            let after: Vec<&str> = after.iter().map(String::as_str).collect();
            let (mut old, mut new) = (Vec::new(), Vec::new());
            for operation in operations(&before, &after) {
                if let DiffOp::Equal { .. } = operation {
                    prop_assert_eq!(&before[operation.old_range()], &after[operation.new_range()]);
                }
                old.extend_from_slice(&before[operation.old_range()]);
                new.extend_from_slice(&after[operation.new_range()]);
            }
            prop_assert_eq!(old, before);
            prop_assert_eq!(new, after);
        }
    }
}
