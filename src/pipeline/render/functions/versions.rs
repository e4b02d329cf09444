//! `semver` and `semverCompare` with the constraints of Masterminds/semver 3.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::engine::go::Parameter::Text;
use super::super::engine::go::value::Struct;
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("semver", &[Text], semver),
    fixed("semverCompare", &[Text, Text], |_, a| {
        // The constraint is read first.
        satisfies(text(a, 0), &Version::default())?;
        let version = Version::parse(text(a, 1)).ok_or("Invalid Semantic Version")?;
        satisfies(text(a, 0), &version).map(Value::Bool)
    }),
];

/// Go's type of a version.
const VERSION_TYPE: &str = "*semver.Version";

/// The methods of a version that take another one.
pub(in super::super) fn method_of_version(receiver: &Value, method: &str, other: &Value) -> Option<Value> {
    let version = |value: &Value| match value {
        Value::Struct(found) if found.type_name == VERSION_TYPE => Version::parse(found.shown.as_deref()?),
        _ => None,
    };
    let order = version(receiver)?.order(&version(other)?);
    Some(match method {
        "Compare" => Value::Int(order as i64),
        "Equal" => Value::Bool(order == Ordering::Equal),
        "GreaterThan" => Value::Bool(order == Ordering::Greater),
        "GreaterThanEqual" => Value::Bool(order != Ordering::Less),
        "LessThan" => Value::Bool(order == Ordering::Less),
        "LessThanEqual" => Value::Bool(order != Ordering::Greater),
        _ => return None,
    })
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    /// How many of the numbers were written.
    written: usize,
    prerelease: String,
    metadata: String,
}

impl Version {
    /// A version of one to three numbers, with an optional `v` before it.
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, metadata) = text.split_once('+').unwrap_or((text, ""));
        let (numbers, prerelease) = text.split_once('-').unwrap_or((text, ""));
        let mut version = Self {
            numbers: [0; 3],
            written: 0,
            prerelease: prerelease.to_owned(),
            metadata: metadata.to_owned(),
        };
        for part in numbers.split('.') {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            *version.numbers.get_mut(version.written)? = is_number.then(|| part.parse().ok())??;
            version.written += 1;
        }
        let is_identifier = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let are_identifiers = |whole: &str| whole.is_empty() || whole.split('.').all(is_identifier);
        (are_identifiers(prerelease) && are_identifiers(metadata)).then_some(version)
    }

    fn shown(&self) -> String {
        let [major, minor, patch] = self.numbers;
        let mut shown = format!("{major}.{minor}.{patch}");
        for (sign, part) in [('-', &self.prerelease), ('+', &self.metadata)] {
            if !part.is_empty() {
                shown.push(sign);
                shown.push_str(part);
            }
        }
        shown
    }

    fn order(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| compare_prerelease(&self.prerelease, &other.prerelease))
    }
}

fn compare_prerelease(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => match (left.parse::<u64>(), right.parse::<u64>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => left.cmp(right),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn semver(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let original = text(arguments, 0);
    let version = Version::parse(original).ok_or("Invalid Semantic Version")?;
    let number = |index: usize| Value::Int64(i64::try_from(version.numbers[index]).unwrap_or(i64::MAX));
    Ok(Value::Struct(Rc::new(Struct {
        type_name: VERSION_TYPE.to_owned(),
        fields: vec![
            ("Major", number(0)),
            ("Minor", number(1)),
            ("Patch", number(2)),
            ("Prerelease", Value::text(&version.prerelease)),
            ("Metadata", Value::text(&version.metadata)),
            ("Original", Value::text(original)),
            ("String", Value::text(version.shown())),
        ],
        shown: Some(version.shown()),
        moment: None,
    })))
}

/// Whether a version satisfies a constraint: `||` of lists joined by commas or spaces.
fn satisfies(constraint: &str, version: &Version) -> Result<bool, String> {
    let fault = || format!("improper constraint: {constraint}");
    let mut satisfied = false;
    for alternative in constraint.split("||") {
        let comparisons = comparisons(alternative).ok_or_else(fault)?;
        satisfied |= comparisons.iter().all(|comparison| comparison.holds(version));
    }
    Ok(satisfied)
}

/// One comparison with a bound. An `x`, `*` or missing number is a wildcard.
struct Comparison {
    operator: Operator,
    bound: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Longest first.
const OPERATORS: &[(&str, Operator)] = &[
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

fn comparisons(list: &str) -> Option<Vec<Comparison>> {
    let mut found = Vec::new();
    let spaced = list.replace(',', " ");
    let mut words = spaced.split_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        let (operator, mut bound) = OPERATORS
            .iter()
            .find_map(|(text, operator)| word.strip_prefix(text).map(|rest| (*operator, rest)))
            .unwrap_or((Operator::Equal, word));
        if bound.is_empty() {
            bound = words.next()?;
        }
        if words.next_if_eq(&"-").is_some() {
            found.push(Comparison { operator: Operator::GreaterOrEqual, bound: parse_bound(bound)? });
            found.push(Comparison { operator: Operator::LessOrEqual, bound: parse_bound(words.next()?)? });
        } else {
            found.push(Comparison { operator, bound: parse_bound(bound)? });
        }
    }
    Some(found)
}

fn parse_bound(text: &str) -> Option<Version> {
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let numbers = numbers.strip_prefix('v').unwrap_or(numbers);
    let is_wildcard = |part: &str| matches!(part, "x" | "X" | "*");
    let written: Vec<&str> = numbers.split('.').take_while(|part| !is_wildcard(part)).collect();
    if numbers.split('.').count() > 3 {
        return None;
    }
    if written.is_empty() {
        let (prerelease, metadata) = (String::new(), String::new());
        return Some(Version { numbers: [0; 3], written: 0, prerelease, metadata });
    }
    Version::parse(&format!("{}{rest}", written.join(".")))
}

impl Comparison {
    fn holds(&self, version: &Version) -> bool {
        let bound = &self.bound;
        // A version under way satisfies only constraints that speak of such versions.
        if !version.prerelease.is_empty()
            && bound.prerelease.is_empty()
            && self.operator != Operator::NotEqual
        {
            return false;
        }
        let order = version.order(bound);
        let within = |count: usize| version.numbers[..count] == bound.numbers[..count];
        match self.operator {
            Operator::Equal if bound.written < 3 => within(bound.written),
            Operator::Equal => order == Ordering::Equal,
            Operator::NotEqual if bound.written < 3 => !within(bound.written),
            Operator::NotEqual => order != Ordering::Equal,
            Operator::Greater if bound.written < 3 => order == Ordering::Greater && !within(bound.written),
            Operator::Greater => order == Ordering::Greater,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual if bound.written < 3 => order != Ordering::Greater || within(bound.written),
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Tilde => order != Ordering::Less && within(bound.written.min(2)),
            Operator::Caret => {
                let first = bound.numbers[..bound.written].iter().position(|number| *number > 0);
                let fixed = first.map_or(bound.written, |index| index + 1);
                order != Ordering::Less && within(fixed)
            }
        }
    }
}
