//! The functions of expressions beside the language's own: scores of add-ons, JSON, and the libraries of Kubernetes that Open
//! Cluster Management's placement takes (`BaseEnvOpts` of its sdk-go): optional values, texts, lists, regular expressions, URLs,
//! quantities, IP addresses and networks, formats, and versions.

mod amounts;
mod formats;
mod network;
mod typed;
mod version;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use cel::extractors::{Arguments, This};
use cel::{Context, DeclarationError, Env, ExecutionError, Value, extensions, to_value};
use jiff::Timestamp;

use super::super::surroundings::{ScoreMap, valid};

/// The functions of the language and of its string library.
pub(super) const STANDARD: &[&str] = &[
    "all",
    "bool",
    "bytes",
    "charAt",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
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
    "timestamp",
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
    "cidr",
    "compareTo",
    "containsCIDR",
    "containsIP",
    "family",
    "find",
    "findAll",
    "format.byte",
    "format.date",
    "format.datetime",
    "format.dns1035Label",
    "format.dns1035LabelPrefix",
    "format.dns1123Label",
    "format.dns1123LabelPrefix",
    "format.dns1123Subdomain",
    "format.dns1123SubdomainPrefix",
    "format.labelValue",
    "format.named",
    "format.qualifiedName",
    "format.uri",
    "format.uuid",
    "getEscapedPath",
    "getHost",
    "getHostname",
    "getPort",
    "getQuery",
    "getScheme",
    "ip",
    "ip.isCanonical",
    "isCIDR",
    "isGlobalUnicast",
    "isGreaterThan",
    "isIP",
    "isInteger",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isQuantity",
    "isSemver",
    "isSorted",
    "isURL",
    "isUnspecified",
    "major",
    "masked",
    "max",
    "min",
    "minor",
    "parseJSON",
    "patch",
    "prefixLength",
    "quantity",
    "scores",
    "semver",
    "sign",
    "sub",
    "sum",
    "url",
    "validate",
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
    amounts::add(context)?;
    network::add(context)?;
    formats::add(context)?;
    add_texts_and_lists(context)
}

fn add_texts_and_lists(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("find", |This(text): This<Arc<String>>, pattern: Arc<String>| -> Answer {
        let pattern = regex::Regex::new(&pattern).map_err(|error| failed("find", error.to_string()))?;
        Ok(pattern.find(&text).map_or_else(|| text_value(""), |found| text_value(found.as_str())))
    })?;
    context.add_function(
        "findAll",
        |This(text): This<Arc<String>>, Arguments(rest): Arguments| -> Answer {
            let (pattern, limit) = match rest.as_slice() {
                [Value::String(pattern)] => (pattern, usize::MAX),
                // Below zero means all of them.
                [Value::String(pattern), Value::Int(limit)] => {
                    (pattern, usize::try_from(*limit).unwrap_or(usize::MAX))
                }
                _ => return Err(failed("findAll", "it takes a pattern, and maybe how many".to_owned())),
            };
            let pattern = regex::Regex::new(pattern).map_err(|error| failed("findAll", error.to_string()))?;
            let found = pattern.find_iter(&text).take(limit).map(|found| text_value(found.as_str()));
            Ok(Value::List(Arc::new(found.collect())))
        },
    )?;
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
