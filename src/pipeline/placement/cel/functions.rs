//! The functions of expressions beside the language's own: scores of add-ons, JSON, quantities, versions, and lists.
//!
//! A quantity or version is a map of one entry with its canonical text, so that equal amounts are equal.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::Key;
use cel::{Context, DeclarationError, Env, ExecutionError, Value, extensions, to_value};
use jiff::Timestamp;

use super::super::quantity;
use super::super::surroundings::{ScoreMap, valid};

/// The functions of the language and of its string library.
pub(super) const STANDARD: &[&str] = &[
    "all",
    "bool",
    "bytes",
    "charAt",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "format",
    "has",
    "hasValue",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "map",
    "matches",
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
    "or",
    "orValue",
    "replace",
    "reverse",
    "size",
    "split",
    "startsWith",
    "string",
    "strings.quote",
    "substring",
    "trim",
    "type",
    "uint",
    "upperAscii",
    "value",
];

/// Those that are added here.
pub(super) const OWN: &[&str] = &[
    "add",
    "asApproximateFloat",
    "asInteger",
    "compareTo",
    "find",
    "findAll",
    "isGreaterThan",
    "isInteger",
    "isLessThan",
    "isQuantity",
    "isSemver",
    "isSorted",
    "major",
    "max",
    "min",
    "minor",
    "parseJSON",
    "patch",
    "quantity",
    "scores",
    "semver",
    "sign",
    "sub",
    "sum",
];

/// Name and value of the scores of one AddOnPlacementScore.
pub(super) type ScoreList = Vec<(String, i64)>;

type Answer = Result<Value, ExecutionError>;

/// The language with its string library.
pub(super) fn environment() -> Result<Env, DeclarationError> {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings)?;
    Ok(env)
}

/// All scores of a cluster that hold now, by the name of their AddOnPlacementScore.
pub(super) fn scores_of(scores: &ScoreMap, cluster: &str, now: Timestamp) -> Vec<(String, ScoreList)> {
    scores
        .range((cluster.to_owned(), String::new())..)
        .take_while(|((of, _), _)| of == cluster)
        .filter_map(|((_, name), _)| {
            let (scores, _) = valid(scores, cluster, name, now)?;
            Some((
                name.clone(),
                scores.iter().map(|score| (score.name.clone(), i64::from(score.value))).collect(),
            ))
        })
        .collect()
}

/// Makes the functions known.
pub(super) fn add(
    context: &mut Context<'_, '_>,
    scores: Vec<(String, ScoreList)>,
) -> Result<(), DeclarationError> {
    context.add_function("scores", move |_cluster: This<Value>, name: Arc<String>| -> Answer {
        let found = scores.iter().find(|(of, _)| *of == *name);
        let (_, scores) = found.ok_or_else(|| {
            failed(
                "scores",
                format!("failed to get score: addonplacementscore {:?} not found", name.as_str()),
            )
        })?;
        Ok(Value::List(Arc::new(scores.iter().map(score_value).collect())))
    })?;
    context.add_function("parseJSON", |This(text): This<Arc<String>>| -> Answer {
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| failed("parseJSON", error.to_string()))?;
        to_value(json).map_err(|error| failed("parseJSON", error.to_string()))
    })?;
    add_amounts(context)?;
    add_texts_and_lists(context)
}

fn add_amounts(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("isQuantity", |text: Arc<String>| -> bool { quantity::parse(&text).is_some() })?;
    context.add_function("quantity", |text: Arc<String>| -> Answer {
        let amount = quantity::parse(&text)
            .ok_or_else(|| failed("quantity", format!("{:?} is not a quantity", text.as_str())))?;
        Ok(Amount::Quantity(amount).into_value())
    })?;
    context.add_function("isSemver", |text: Arc<String>| -> bool { Version::parse(&text).is_some() })?;
    context.add_function("semver", |text: Arc<String>| -> Answer {
        let version = Version::parse(&text)
            .ok_or_else(|| failed("semver", format!("{:?} is not a semantic version", text.as_str())))?;
        Ok(Amount::Version(version).into_value())
    })?;
    for (name, wanted) in [("isGreaterThan", Ordering::Greater), ("isLessThan", Ordering::Less)] {
        context.add_function(name, move |This(left): This<Value>, right: Value| -> Answer {
            Ok(Value::Bool(compare(name, &left, &right)? == wanted))
        })?;
    }
    context.add_function("compareTo", |This(left): This<Value>, right: Value| -> Answer {
        Ok(Value::Int(compare("compareTo", &left, &right)? as i64))
    })?;
    for (name, direction) in [("add", 1), ("sub", -1)] {
        context.add_function(name, move |This(left): This<Value>, right: Value| -> Answer {
            let right = match right {
                Value::Int(number) => i128::from(number).checked_mul(quantity::ONE),
                other => Some(quantity_of(name, &other)?),
            };
            let sum = right
                .and_then(|right| right.checked_mul(direction))
                .and_then(|right| quantity_of(name, &left).ok()?.checked_add(right));
            sum.map(|sum| Amount::Quantity(sum).into_value())
                .ok_or_else(|| failed(name, "the amounts cannot be added".to_owned()))
        })?;
    }
    context.add_function("sign", |This(amount): This<Value>| -> Answer {
        i64::try_from(quantity_of("sign", &amount)?.signum())
            .map(Value::Int)
            .map_err(|error| failed("sign", error.to_string()))
    })?;
    context.add_function("isInteger", |This(amount): This<Value>| -> Answer {
        Ok(Value::Bool(whole(quantity_of("isInteger", &amount)?).is_some()))
    })?;
    context.add_function("asInteger", |This(amount): This<Value>| -> Answer {
        whole(quantity_of("asInteger", &amount)?)
            .map(Value::Int)
            .ok_or_else(|| failed("asInteger", "cannot convert value to integer".to_owned()))
    })?;
    context.add_function("asApproximateFloat", |This(amount): This<Value>| -> Answer {
        Ok(Value::Float(quantity::approximately(quantity_of("asApproximateFloat", &amount)?)))
    })?;
    for (name, part) in [("major", 0), ("minor", 1), ("patch", 2)] {
        context.add_function(name, move |This(version): This<Value>| -> Answer {
            match Amount::of(&version) {
                Some(Amount::Version(version)) => {
                    Ok(Value::Int(version.numbers.get(part).copied().unwrap_or(0)))
                }
                Some(Amount::Quantity(_)) | None => Err(failed(name, "not a version".to_owned())),
            }
        })?;
    }
    Ok(())
}

fn add_texts_and_lists(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("find", |This(text): This<Arc<String>>, pattern: Arc<String>| -> Answer {
        let pattern = regex::Regex::new(&pattern).map_err(|error| failed("find", error.to_string()))?;
        Ok(pattern.find(&text).map_or_else(|| text_value(""), |found| text_value(found.as_str())))
    })?;
    context.add_function("findAll", |This(text): This<Arc<String>>, pattern: Arc<String>| -> Answer {
        let pattern = regex::Regex::new(&pattern).map_err(|error| failed("findAll", error.to_string()))?;
        Ok(Value::List(Arc::new(pattern.find_iter(&text).map(|found| text_value(found.as_str())).collect())))
    })?;
    context.add_function("isSorted", |This(list): This<Arc<Vec<Value>>>| -> Answer {
        let pairs = list.iter().zip(list.iter().skip(1));
        Ok(Value::Bool(pairs.into_iter().all(|(left, right)| left <= right)))
    })?;
    for (name, wanted) in [("max", Ordering::Greater), ("min", Ordering::Less)] {
        context.add_function(name, move |This(list): This<Arc<Vec<Value>>>| -> Answer {
            let best = list.iter().reduce(
                |best, item| {
                    if item.partial_cmp(best) == Some(wanted) { item } else { best }
                },
            );
            best.cloned().ok_or_else(|| failed(name, format!("{name} called on empty list")))
        })?;
    }
    context.add_function("sum", |This(list): This<Arc<Vec<Value>>>| -> Answer {
        list.iter()
            .try_fold(Value::Int(0), |sum, item| match (sum, item) {
                (Value::Int(sum), Value::Int(item)) => sum.checked_add(*item).map(Value::Int),
                (Value::Int(0), Value::Float(item)) => Some(Value::Float(*item)),
                (Value::Float(sum), Value::Float(item)) => Some(Value::Float(sum + item)),
                _ => None,
            })
            .ok_or_else(|| failed("sum", "the list cannot be added up".to_owned()))
    })
}

fn failed(function: &str, message: String) -> ExecutionError {
    ExecutionError::function_error(function, message)
}

fn text_value(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn score_value((name, value): &(String, i64)) -> Value {
    let fields = HashMap::from([("name", text_value(name)), ("value", Value::Int(*value))]);
    Value::from(fields)
}

/// Whole ones of an amount.
fn whole(amount: i128) -> Option<i64> {
    (amount % quantity::ONE == 0).then(|| i64::try_from(amount / quantity::ONE).ok()).flatten()
}

/// A value of a type that the language has not.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Amount {
    Quantity(i128),
    Version(Version),
}

impl Amount {
    const QUANTITY: &str = "kubernetes.Quantity";
    const VERSION: &str = "kubernetes.Semver";

    fn into_value(self) -> Value {
        let (kind, text) = match self {
            Self::Quantity(amount) => (Self::QUANTITY, amount.to_string()),
            Self::Version(version) => (Self::VERSION, version.to_string()),
        };
        Value::from(HashMap::from([(kind, text_value(&text))]))
    }

    fn of(value: &Value) -> Option<Self> {
        let Value::Map(map) = value else { return None };
        let text = |kind: &str| match map.map.get(&Key::from(kind)) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        text(Self::QUANTITY)
            .and_then(|text| text.parse().ok().map(Self::Quantity))
            .or_else(|| Version::parse(&text(Self::VERSION)?).map(Self::Version))
    }
}

fn quantity_of(function: &str, value: &Value) -> Result<i128, ExecutionError> {
    match Amount::of(value) {
        Some(Amount::Quantity(amount)) => Ok(amount),
        Some(Amount::Version(_)) | None => Err(failed(function, "not a quantity".to_owned())),
    }
}

fn compare(function: &str, left: &Value, right: &Value) -> Result<Ordering, ExecutionError> {
    match (Amount::of(left), Amount::of(right)) {
        (Some(Amount::Quantity(left)), Some(Amount::Quantity(right))) => Ok(left.cmp(&right)),
        (Some(Amount::Version(left)), Some(Amount::Version(right))) => Ok(left.cmp(&right)),
        _ => Err(failed(function, "it takes two quantities or two versions".to_owned())),
    }
}

/// A semantic version; a leading `v` is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: [i64; 3],
    /// Parts behind the hyphen; none is later than any.
    before: Vec<String>,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _build)| version);
        let (numbers, before) =
            text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)));
        let numbers: Vec<i64> = numbers
            .split('.')
            .map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?)
            .collect::<Option<_>>()?;
        let before: Vec<String> =
            before.map(|rest| rest.split('.').map(ToOwned::to_owned).collect()).unwrap_or_default();
        if before.iter().any(String::is_empty) {
            return None;
        }
        Some(Self { numbers: numbers.try_into().ok()?, before })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(formatter, "{major}.{minor}.{patch}")?;
        if self.before.is_empty() { Ok(()) } else { write!(formatter, "-{}", self.before.join(".")) }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |left: &String, right: &String| match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        };
        let parts = || {
            let pairs = self.before.iter().zip(&other.before).map(|(left, right)| part(left, right));
            pairs.fold(Ordering::Equal, Ordering::then).then(self.before.len().cmp(&other.before.len()))
        };
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.before.is_empty(), other.before.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => parts(),
            }
        })
    }
}
