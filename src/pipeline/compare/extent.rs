//! Is what is desired already there? Takes a desired and an observed value, gives the answer without building anything.
//!
//! The rules are upstream's (`spec/ocm-semantics.md` section 2.4): lists in any order, quantities by amount, absent
//! equals zero. [`Extent::AtLeast`] answers what upstream finds out by merging first and comparing then.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use super::quantity::same_text;

/// How much of the observed value the desired one speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// `musthave`: what is observed may hold more.
    AtLeast,
    /// `mustonlyhave`: what is observed holds just this.
    Exactly,
}

/// Whether a field that is absent equals an empty one (upstream's `zeroValueEqualsNil`). Scalars other than text always
/// do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// `{}` and `""` differ from nothing.
    Differs,
    /// `{}` equals nothing.
    EqualsZero,
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// It is there.
    Same,
    /// It is there but for fields that are absent and whose desired value is zero: only the API server can tell whether
    /// they would be kept (upstream's `missingKey`).
    SameButAbsent,
    /// It is not there.
    Different,
}

impl Likeness {
    fn when(condition: bool) -> Self {
        if condition { Self::Same } else { Self::Different }
    }

    /// Whether it is there, absent zero values allowed.
    pub fn holds(self) -> bool {
        self != Self::Different
    }
}

/// Compares two whole values: a top-level field, or an entry of a list.
pub fn likeness(desired: &Value, existing: &Value, extent: Extent, absent: Absent) -> Likeness {
    match (desired, existing) {
        (Value::Object(desired), Value::Object(existing)) => maps(desired, existing, extent, absent),
        (Value::Array(desired), Value::Array(existing)) => lists(desired, existing, extent, absent),
        (Value::Object(desired), Value::Null) => match absent {
            Absent::EqualsZero if desired.is_empty() => Likeness::SameButAbsent,
            Absent::EqualsZero | Absent::Differs => Likeness::Different,
        },
        (Value::Array(desired), Value::Null) if desired.is_empty() => Likeness::SameButAbsent,
        // The template does not care about a mapping that it sets to nothing.
        (Value::Null, Value::Object(_)) if extent == Extent::AtLeast => Likeness::Same,
        (Value::Object(_) | Value::Array(_), _) => Likeness::Different,
        (scalar, Value::Null) if !scalar.is_null() => match absent {
            Absent::EqualsZero if is_zero(scalar) => Likeness::SameButAbsent,
            Absent::EqualsZero | Absent::Differs => Likeness::Different,
        },
        (Value::Null, other) => {
            Likeness::when(other.is_null() || (absent == Absent::EqualsZero && is_zero(other)))
        }
        (scalar, other) => Likeness::when(same_scalar(scalar, other)),
    }
}

/// Compares two mappings, field by field.
pub fn maps(
    desired: &Map<String, Value>,
    existing: &Map<String, Value>,
    extent: Extent,
    absent: Absent,
) -> Likeness {
    if extent == Extent::Exactly && desired.len() < size(existing) {
        return Likeness::Different;
    }
    let mut worst = Likeness::Same;
    for (key, value) in desired {
        worst = worst.max(field(value, existing.get(key), extent, absent));
        if worst == Likeness::Different {
            break;
        }
    }
    worst
}

/// How many fields are set to something.
fn size(fields: &Map<String, Value>) -> usize {
    fields.values().filter(|value| !value.is_null()).count()
}

/// Compares one field of a mapping. Unlike a whole value, text here is compared as a quantity and absent text equals
/// nothing at all, while an absent flag or number equals `false` or zero.
fn field(desired: &Value, existing: Option<&Value>, extent: Extent, absent: Absent) -> Likeness {
    match (desired, existing) {
        (Value::String(desired), Some(Value::String(existing))) => {
            Likeness::when(same_text(desired, existing))
        }
        (Value::String(_), None | Some(Value::Null)) => Likeness::Different,
        // A quantity is text on both sides; `"1"` is not the number one.
        (Value::String(desired), Some(other)) => Likeness::when(
            super::quantity::Quantity::parse(desired).is_none()
                && plain(other).is_some_and(|other| other == *desired),
        ),
        (Value::Bool(_) | Value::Number(_), None | Some(Value::Null)) if is_zero(desired) => {
            Likeness::SameButAbsent
        }
        (_, Some(existing)) => likeness(desired, existing, extent, absent),
        // Nothing wanted, nothing there.
        (Value::Null, None) => Likeness::Same,
        (_, None) => likeness(desired, &Value::Null, extent, absent),
    }
}

/// Compares two lists without regard to order.
pub fn lists(desired: &[Value], existing: &[Value], extent: Extent, absent: Absent) -> Likeness {
    match extent {
        Extent::Exactly if desired.len() != existing.len() => return Likeness::Different,
        Extent::AtLeast if desired.len() > existing.len() => return Likeness::Different,
        Extent::AtLeast if desired.is_empty() && !existing.is_empty() => return Likeness::Same,
        Extent::AtLeast | Extent::Exactly => {}
    }
    // Once two lists are compared, not merged, absent equals zero inside of them.
    let inside = if extent == Extent::Exactly { Absent::EqualsZero } else { absent };
    let pairs = pair(desired, existing, extent, inside);
    pairs.iter().map(|pair| pair.likeness).max().unwrap_or(Likeness::Same)
}

/// What became of a desired entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Index of the observed entry it stands for, if any.
    pub(crate) existing: Option<usize>,
    /// Whether that entry is as desired.
    pub(crate) likeness: Likeness,
}

const UNPAIRED: Pair = Pair { existing: None, likeness: Likeness::Different };

/// Pairs each desired entry with at most one observed entry: with an equal one, else with one of the same non-empty
/// `name`, else with one that holds all that is desired. As many as possible are paired, so that neither the order of
/// the observed entries nor a greedy choice makes an entry look absent.
pub(crate) fn pair(desired: &[Value], existing: &[Value], extent: Extent, absent: Absent) -> Vec<Pair> {
    let mut pairs = vec![UNPAIRED; desired.len()];
    let mut free = vec![true; existing.len()];
    pair_equal(desired, existing, &mut pairs, &mut free);
    if pairs.iter().all(|pair| pair.existing.is_some()) || !free.contains(&true) {
        return pairs;
    }
    let mut search = Search::new(desired, existing, &free, extent, absent);
    let open = |pairs: &[Pair], named: bool| -> Vec<usize> {
        (0..desired.len())
            .filter(|index| pairs[*index].existing.is_none() && name(&desired[*index]).is_some() == named)
            .collect()
    };
    let named = search.place_all(open(&pairs, true));
    // The same name but other content: the entry is replaced by the merger of both.
    for index in named {
        search.place_by_name(index);
    }
    search.place_all(open(&pairs, false));
    for (slot, owner) in search.owner.iter().enumerate() {
        if let Some((index, likeness)) = owner {
            pairs[*index] = Pair { existing: Some(slot), likeness: *likeness };
        }
    }
    pairs
}

/// Pairs equal entries: first those at the same place, then by a table.
fn pair_equal(desired: &[Value], existing: &[Value], pairs: &mut [Pair], free: &mut [bool]) {
    for (index, (left, right)) in desired.iter().zip(existing).enumerate() {
        if left == right {
            pairs[index] = Pair { existing: Some(index), likeness: Likeness::Same };
            free[index] = false;
        }
    }
    if !free.contains(&true) {
        return;
    }
    let mut places: HashMap<Text<'_>, VecDeque<usize>> = HashMap::new();
    for (slot, value) in existing.iter().enumerate().filter(|(slot, _)| free[*slot]) {
        places.entry(Text::of(value)).or_default().push_back(slot);
    }
    for (pair, value) in pairs.iter_mut().zip(desired).filter(|(pair, _)| pair.existing.is_none()) {
        if let Some(slot) = places.get_mut(&Text::of(value)).and_then(VecDeque::pop_front) {
            *pair = Pair { existing: Some(slot), likeness: Likeness::Same };
            free[slot] = false;
        }
    }
}

/// How many entries may move to make room for one; keeps the recursion shallow on absurdly long lists.
const LONGEST_PATH: usize = 256;

/// A largest matching by augmenting paths.
struct Search<'a> {
    desired: &'a [Value],
    existing: &'a [Value],
    extent: Extent,
    absent: Absent,
    /// Per observed entry: the desired entry it stands for.
    owner: Vec<Option<(usize, Likeness)>>,
    /// Observed entries that may still be given to another.
    movable: Vec<bool>,
    /// Likeness per desired entry and observed entry, as far as asked for.
    known: HashMap<(usize, usize), Likeness>,
}

impl<'a> Search<'a> {
    fn new(
        desired: &'a [Value],
        existing: &'a [Value],
        free: &[bool],
        extent: Extent,
        absent: Absent,
    ) -> Self {
        let owner = vec![None; existing.len()];
        Self { desired, existing, extent, absent, owner, movable: free.to_vec(), known: HashMap::new() }
    }

    fn likeness(&mut self, index: usize, slot: usize) -> Likeness {
        let (desired, existing) = (&self.desired[index], &self.existing[slot]);
        let same_name = name(desired).is_some_and(|desired| name(existing) == Some(desired));
        let absent = if same_name { Absent::EqualsZero } else { self.absent };
        let extent = self.extent;
        *self.known.entry((index, slot)).or_insert_with(|| likeness(desired, existing, extent, absent))
    }

    /// Places as many as possible, by equal content before absent zero values; gives back those left over.
    fn place_all(&mut self, mut left: Vec<usize>) -> Vec<usize> {
        for worst in [Likeness::Same, Likeness::SameButAbsent] {
            left.retain(|index| {
                let mut visited = vec![false; self.existing.len()];
                !self.augment(*index, worst, &mut visited, LONGEST_PATH)
            });
        }
        left
    }

    fn augment(&mut self, index: usize, worst: Likeness, visited: &mut [bool], steps: usize) -> bool {
        for slot in 0..self.existing.len() {
            if visited[slot] || !self.movable[slot] {
                continue;
            }
            let likeness = self.likeness(index, slot);
            if likeness > worst {
                continue;
            }
            visited[slot] = true;
            let moved = match self.owner[slot] {
                None => true,
                Some((owner, _)) => steps > 0 && self.augment(owner, worst, visited, steps - 1),
            };
            if moved {
                self.owner[slot] = Some((index, likeness));
                return true;
            }
        }
        false
    }

    fn place_by_name(&mut self, index: usize) {
        let wanted = name(&self.desired[index]);
        let slot = (0..self.existing.len()).find(|slot| {
            self.movable[*slot] && self.owner[*slot].is_none() && name(&self.existing[*slot]) == wanted
        });
        if let Some(slot) = slot {
            self.owner[slot] = Some((index, Likeness::Different));
            self.movable[slot] = false;
        }
    }
}

/// The non-empty `name` of an entry.
pub(crate) fn name(entry: &Value) -> Option<&str> {
    entry.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())
}

/// Scalars are equal when they print alike: `1` and `"1"`.
fn same_scalar(desired: &Value, existing: &Value) -> bool {
    desired == existing
        || matches!((plain(desired), plain(existing)), (Some(left), Some(right)) if left == right)
}

/// `false`, zero or empty text.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// How a scalar prints; `None` for other values.
fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Number(number) if number.is_f64() => Some(Cow::Owned(number.as_f64()?.to_string())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text that equal values share, scalars apart from the rest.
#[derive(PartialEq, Eq, Hash)]
enum Text<'a> {
    Scalar(Cow<'a, str>),
    Json(String),
}

impl<'a> Text<'a> {
    fn of(value: &'a Value) -> Self {
        plain(value).map_or_else(|| Self::Json(value.to_string()), Self::Scalar)
    }
}
