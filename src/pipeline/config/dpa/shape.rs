//! The fields of a DataProtectionApplication's `spec` and what each may hold (`oadp.openshift.io/v1alpha1`, OADP 1.5).
//!
//! Takes a part of the specification, reports what the API server would not take and what it would drop. Must not touch: the
//! rules of the operator, which are in `rules.rs`.

use super::super::diagnostic::Fault;
use super::super::go_duration::GoDuration;
use super::super::placeholder::has_placeholder;
use super::super::value::Subject;
use super::super::{base64_text, similar};
use crate::api::object::json_type;
use crate::yaml::{Content, Located};

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline::config) enum Shape {
    /// What is not looked into: Kubernetes' own types.
    Any,
    /// A text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Truth,
    /// A whole number.
    Whole,
    /// A Go duration in a text.
    Duration,
    /// Base64 in a text.
    Base64,
    /// A list.
    List(&'static Self),
    /// A mapping with any names.
    Map(&'static Self),
    /// A mapping with these fields.
    Fields(&'static [(&'static str, Self)]),
}

use Shape::{Any, Base64, Duration, Fields, List, Map, Text, Truth, Whole, Word};

const CREDENTIAL: Shape = Fields(&[("name", Text), ("key", Text), ("optional", Truth)]);

const BACKUP_LOCATION: Shape = Fields(&[
    ("name", Text),
    (
        "velero",
        Fields(&[
            ("provider", Text),
            ("default", Truth),
            ("config", Map(&Text)),
            ("credential", CREDENTIAL),
            ("objectStorage", Fields(&[("bucket", Text), ("prefix", Text), ("caCert", Base64)])),
            ("accessMode", Word(&["ReadOnly", "ReadWrite"])),
            ("backupSyncPeriod", Duration),
            ("validationFrequency", Duration),
        ]),
    ),
    (
        "bucket",
        Fields(&[
            ("cloudStorageRef", Fields(&[("name", Text)])),
            ("config", Map(&Text)),
            ("credential", CREDENTIAL),
            ("default", Truth),
            ("prefix", Text),
            ("caCert", Base64),
            ("backupSyncPeriod", Duration),
        ]),
    ),
]);

const SNAPSHOT_LOCATION: Shape = Fields(&[
    ("name", Text),
    ("velero", Fields(&[("provider", Text), ("config", Map(&Text)), ("credential", CREDENTIAL)])),
]);

const VELERO: Shape = Fields(&[
    (
        "defaultPlugins",
        List(&Word(&[
            "aws",
            "legacy-aws",
            "gcp",
            "azure",
            "csi",
            "vsm",
            "openshift",
            "kubevirt",
            "hypershift",
        ])),
    ),
    ("customPlugins", List(&Fields(&[("name", Text), ("image", Text)]))),
    ("featureFlags", List(&Text)),
    ("noDefaultBackupLocation", Truth),
    ("podConfig", Any),
    ("logLevel", Word(&["trace", "debug", "info", "warning", "error", "fatal", "panic"])),
    ("itemOperationSyncFrequency", Duration),
    ("defaultItemOperationTimeout", Duration),
    ("defaultVolumesToFSBackup", Truth),
    ("disableFsBackup", Truth),
    ("defaultSnapshotMoveData", Truth),
    ("disableInformerCache", Truth),
    ("itemBlockWorkerCount", Whole),
    ("resourceTimeout", Duration),
    ("restoreResourcesVersionPriority", Text),
    ("client-burst", Whole),
    ("client-qps", Whole),
    ("args", Any),
    ("loadAffinity", List(&Any)),
]);

const NODE_AGENT: Shape = Fields(&[
    ("enable", Truth),
    ("uploaderType", Word(&["kopia", "restic"])),
    ("supplementalGroups", List(&Whole)),
    ("timeout", Duration),
    ("podConfig", Any),
    ("dataMoverPrepareTimeout", Duration),
    ("resourceTimeout", Duration),
    ("loadConcurrency", Any),
    ("loadAffinity", List(&Any)),
    ("backupPVC", Map(&Any)),
    ("restorePVC", Fields(&[("ignoreDelayBinding", Truth)])),
    ("podResources", Any),
    ("cacheLimitMB", Whole),
    ("fullMaintenanceInterval", Word(&["normalGC", "fastGC", "eagerGC"])),
]);

const RESTIC: Shape = Fields(&[
    ("enable", Truth),
    ("supplementalGroups", List(&Whole)),
    ("timeout", Duration),
    ("podConfig", Any),
]);

/// The whole specification.
pub(in crate::pipeline::config) const SPEC: Shape = Fields(&[
    ("backupLocations", List(&BACKUP_LOCATION)),
    ("snapshotLocations", List(&SNAPSHOT_LOCATION)),
    (
        "configuration",
        Fields(&[
            ("velero", VELERO),
            ("nodeAgent", NODE_AGENT),
            ("restic", RESTIC),
            ("repositoryMaintenance", Map(&Any)),
        ]),
    ),
    ("backupImages", Truth),
    ("unsupportedOverrides", Map(&Text)),
    ("podAnnotations", Map(&Text)),
    ("podDnsPolicy", Word(&["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"])),
    ("podDnsConfig", Any),
    ("features", Any),
    ("imagePullPolicy", Word(&["Always", "IfNotPresent", "Never"])),
    ("nonAdmin", Any),
    ("logFormat", Word(&["text", "json"])),
]);

impl Shape {
    /// What it may hold, in words.
    fn expected(self) -> String {
        match self {
            Any => "anything".to_owned(),
            Text => "a text".to_owned(),
            Word(words) => format!("one of {}", words.join(", ")),
            Truth => "true or false, without quotes".to_owned(),
            Whole => "a whole number, without quotes".to_owned(),
            Duration => "a Go duration, for example 1h30m".to_owned(),
            Base64 => "base64".to_owned(),
            List(_) => "a list".to_owned(),
            Map(_) | Fields(_) => "a mapping".to_owned(),
        }
    }
}

/// Checks a part against its shape. `path` is empty for the whole.
pub(super) fn check(subject: &mut Subject<'_>, path: &str, part: &Located, shape: Shape) {
    if matches!(&part.content, Content::Scalar(value) if value.is_null()) {
        return;
    }
    if part.text().is_some_and(has_placeholder) {
        return;
    }
    match (shape, &part.content) {
        (Any, _) => {}
        (List(entry), Content::List(entries)) => {
            for (index, part) in entries.iter().enumerate() {
                check(subject, &format!("{path}[{index}]"), part, *entry);
            }
        }
        (Map(value), Content::Mapping(fields)) => {
            for (name, _, part) in fields {
                check(subject, &below(path, name), part, *value);
            }
        }
        (Fields(known), Content::Mapping(fields)) => {
            for (name, mark, part) in fields {
                match known.iter().find(|(field, _)| field == name) {
                    Some((_, shape)) => check(subject, &below(path, name), part, *shape),
                    None => unknown(subject, path, name, *mark, known),
                }
            }
        }
        (shape, Content::Scalar(value)) if scalar_fits(shape, value) => {}
        (shape, _) => refuse(subject, path, part, shape),
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn scalar_fits(shape: Shape, value: &serde_json::Value) -> bool {
    match shape {
        Any => true,
        Text => value.is_string(),
        Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        Truth => value.is_boolean(),
        Whole => value.is_i64() || value.is_u64(),
        Duration => value.as_str().is_some_and(|text| text.parse::<GoDuration>().is_ok()),
        Base64 => value.as_str().is_some_and(|text| base64_text::decode(text).is_some()),
        List(_) | Map(_) | Fields(_) => false,
    }
}

fn refuse(subject: &mut Subject<'_>, path: &str, part: &Located, shape: Shape) {
    let value = part.value();
    let same_type = value.is_string() && matches!(shape, Word(_) | Duration | Base64);
    let message = if same_type {
        format!("has {path} that cannot be read")
    } else {
        format!("has {path} that is {}", json_type(&value))
    };
    let hint = match (shape, &value) {
        (Text, serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => "put it in quotes",
        (Truth | Whole, serde_json::Value::String(_)) => "take the quotes away",
        (List(_), _) => "put [ ] around it",
        (Any | Text | Word(_) | Truth | Whole | Duration | Base64 | Map(_) | Fields(_), _) => "",
    };
    let shown = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let finding = subject.finding(Fault::Refused, message).found(&shown);
    subject.report(finding.expected(shape.expected()).hint(hint).at(part.mark()));
}

fn unknown(
    subject: &mut Subject<'_>,
    path: &str,
    name: &str,
    mark: crate::yaml::Mark,
    known: &[(&'static str, Shape)],
) {
    let meant = known.iter().find(|(field, _)| similar::is_close(field, name));
    let hint = match meant {
        Some((field, _)) => format!("did you mean {field}?"),
        None => {
            format!(
                "the fields here are {}",
                known.iter().map(|(field, _)| *field).collect::<Vec<_>>().join(", ")
            )
        }
    };
    let message = format!("has an unknown field {}, which the API server drops", below(path, name));
    let finding = subject.finding(Fault::Unknown, message).hint(hint).at(mark);
    subject.report(finding);
}
