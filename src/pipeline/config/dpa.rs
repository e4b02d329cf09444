//! The specification of the `DataProtectionApplication`, checked by the rules of the OADP operator before it
//! is applied: the operator would refuse it on every cluster, one error at a time.

use serde_json::Value;

use super::diagnostic::Fault;
use super::placeholder::has_placeholder;
use super::types::DataProtection;
use super::value::Subject;
use super::{lists, similar};
use crate::api::object::json_type;

/// Fields of the specification.
const FIELDS: [&str; 13] = [
    "backupImages",
    "backupLocations",
    "configuration",
    "features",
    "imagePullPolicy",
    "logFormat",
    "nonAdmin",
    "podAnnotations",
    "podDnsConfig",
    "podDnsPolicy",
    "snapshotLocations",
    "unsupportedOverrides",
    "resourceLabels",
];

/// A cloud that OADP knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    Aws,
    Azure,
    Gcp,
}

impl Provider {
    fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("velero.io/").unwrap_or(name) {
            "aws" => Some(Self::Aws),
            "azure" => Some(Self::Azure),
            "gcp" => Some(Self::Gcp),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// The plugins that serve it.
    const fn plugins(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["aws", "legacy-aws"],
            Self::Azure => &["azure"],
            Self::Gcp => &["gcp"],
        }
    }

    /// What a snapshot location may configure.
    const fn snapshot_fields(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["profile", "region", "credentialsFile", "enableSharedConfig"],
            Self::Azure => &["apiTimeout", "incremental", "subscriptionId", "resourceGroup"],
            Self::Gcp => &["project", "snapshotLocation"],
        }
    }
}

/// Findings under one key.
struct Findings<'s, 'a> {
    subject: &'s mut Subject<'a>,
}

impl Findings<'_, '_> {
    fn error(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Fault::Refused, message, hint);
    }

    fn warning(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Fault::Doubtful, message, hint);
    }

    fn report(&mut self, fault: Fault, message: impl Into<String>, hint: impl Into<String>) {
        let finding = self.subject.finding(fault, message).hint(hint);
        self.subject.report(finding);
    }
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_true(value: &Value, path: &str) -> bool {
    value.pointer(path).and_then(Value::as_bool) == Some(true)
}

fn is_set(value: &Value, path: &str) -> bool {
    value.pointer(path).is_some_and(|value| !value.is_null())
}

/// Reads the specification; parts that are still placeholders are passed over.
pub(super) fn data_protection(subject: &mut Subject<'_>) -> Option<DataProtection> {
    let spec = lists::literal(subject)?.value();
    let mut findings = Findings { subject };
    let Some(fields) = spec.as_object() else {
        findings.error(
            format!("must be a mapping, it is {}", json_type(&spec)),
            "write the spec of a DataProtectionApplication",
        );
        return None;
    };
    for field in fields.keys().filter(|field| !FIELDS.contains(&field.as_str())) {
        if let Some(meant) = FIELDS.iter().find(|known| similar::is_close(known, field)) {
            findings.warning(format!("has an unknown field {field}"), format!("did you mean {meant}?"));
        }
    }
    check_shapes(&spec, &mut findings);
    check_configuration(&spec, &mut findings);
    check_backup_locations(&spec, &mut findings);
    check_snapshot_locations(&spec, &mut findings);
    subject.unless_faulty(DataProtection::checked(fields.clone()))
}

fn check_shapes(spec: &Value, findings: &mut Findings<'_, '_>) {
    for field in ["backupLocations", "snapshotLocations"] {
        if let Some(value) = spec.get(field).filter(|value| !(value.is_array() || value.is_null())) {
            findings
                .error(format!("{field} must be a list, it is {}", json_type(value)), "put [ ] around it");
        }
    }
}

fn check_configuration(spec: &Value, findings: &mut Findings<'_, '_>) {
    if !is_set(spec, "/configuration/velero") {
        findings.error(
            "has no configuration.velero, which OADP requires",
            "add configuration.velero.defaultPlugins with openshift and the plugin of your cloud",
        );
    }
    if is_set(spec, "/configuration/restic") {
        if is_set(spec, "/configuration/nodeAgent") {
            findings.warning(
                "has both configuration.restic and configuration.nodeAgent: restic is left out",
                "remove configuration.restic",
            );
        } else {
            findings.warning(
                "has configuration.restic, which OADP 1.5 refuses: it is written as nodeAgent with \
                 uploaderType kopia",
                "write configuration.nodeAgent: {enable: ..., uploaderType: kopia}",
            );
        }
    }
    if is_set(spec, "/configuration/nodeAgent") {
        match text(spec, "/configuration/nodeAgent/uploaderType") {
            "kopia" => {}
            "restic" => findings.warning(
                "has configuration.nodeAgent.uploaderType restic, which Velero 1.17 cannot back up with",
                "use kopia",
            ),
            other if has_placeholder(other) => {}
            _ => findings
                .error("has no configuration.nodeAgent.uploaderType, which OADP requires", "use kopia"),
        }
    }
    let plugins = list(spec, "/configuration/velero/defaultPlugins");
    let has_plugin = |name: &str| plugins.iter().any(|plugin| plugin.as_str() == Some(name));
    if has_plugin("aws") && has_plugin("legacy-aws") {
        findings.error("has the plugins aws and legacy-aws, which exclude each other", "keep one of the two");
    }
    if has_plugin("vsm") || is_set(spec, "/features/dataMover") {
        findings.warning(
            "has the plugin vsm or features.dataMover, which OADP refuses since 1.3",
            "remove both and use snapshotMoveData of Velero",
        );
    }
}

fn check_backup_locations(spec: &Value, findings: &mut Findings<'_, '_>) {
    let locations = list(spec, "/backupLocations");
    let images = spec.get("backupImages").and_then(Value::as_bool) != Some(false);
    if is_true(spec, "/configuration/velero/noDefaultBackupLocation") {
        if !locations.is_empty() {
            findings.error(
                "has backupLocations although noDefaultBackupLocation is set",
                "remove one of the two",
            );
        }
        if images {
            findings.error(
                "must set backupImages to false with noDefaultBackupLocation",
                "add backupImages: false",
            );
        }
        return;
    }
    if locations.is_empty() {
        findings.error("has no backupLocations", "add one with provider, bucket, prefix and default: true");
        return;
    }
    let is_default =
        |location: &&Value| is_true(location, "/velero/default") || is_true(location, "/bucket/default");
    match locations.iter().filter(is_default).count() {
        0 => findings.error("has no default backup location", "set default: true on one of backupLocations"),
        1 => {}
        _ => findings
            .error("has more than one default backup location", "set default: true on one of them only"),
    }
    for (index, location) in locations.iter().enumerate() {
        let path = format!("backupLocations[{index}]");
        match (is_set(location, "/velero"), is_set(location, "/bucket")) {
            (true, false) => check_backup_location(&path, &location["velero"], images, findings),
            (false, true) => {
                if images && text(location, "/bucket/prefix").is_empty() {
                    findings.error(
                        format!("{path}.bucket has no prefix, which backing up images needs"),
                        "set prefix, or backupImages: false",
                    );
                }
            }
            (true, true) => {
                findings.error(format!("{path} has both velero and bucket"), "keep one of the two");
            }
            (false, false) => {
                findings.error(format!("{path} has neither velero nor bucket"), "add velero: {...}");
            }
        }
    }
}

fn check_backup_location(path: &str, location: &Value, images: bool, findings: &mut Findings<'_, '_>) {
    let name = text(location, "/provider");
    if text(location, "/objectStorage/bucket").is_empty() {
        findings.error(format!("{path} has no objectStorage.bucket"), "name the bucket");
    }
    if images && text(location, "/objectStorage/prefix").is_empty() {
        findings.error(
            format!("{path} has no objectStorage.prefix, which backing up images needs"),
            "name a folder in the bucket, or set backupImages: false",
        );
    }
    for field in ["name", "key"] {
        if is_set(location, "/credential") && text(location, &format!("/credential/{field}")).is_empty() {
            findings.error(
                format!("{path}.credential has no {field}"),
                "name the Secret and its key, for example cloud-credentials and cloud",
            );
        }
    }
    let Some(provider) = Provider::parse(name) else {
        if !has_placeholder(name) {
            unknown_provider(path, name, findings);
        }
        return;
    };
    match provider {
        Provider::Aws if text(location, "/config/region").is_empty() => {
            let needs_region = is_true(location, "/config/s3ForcePathStyle")
                || text(location, "/config/s3ForcePathStyle") == "true"
                || !text(location, "/config/s3Url").is_empty();
            if needs_region {
                findings.error(
                    format!("{path} has no config.region, which s3Url and s3ForcePathStyle need"),
                    "set the region of the bucket, for example us-east-1",
                );
            } else {
                findings.warning(
                    format!("{path} has no config.region: OADP needs it when the bucket does not tell it"),
                    "set the region of the bucket, for example us-east-1",
                );
            }
        }
        Provider::Azure => {
            for field in ["resourceGroup", "storageAccount"] {
                if text(location, &format!("/config/{field}")).is_empty() {
                    findings.error(
                        format!("{path} has no config.{field}, which azure needs"),
                        format!("set config.{field}"),
                    );
                }
            }
        }
        Provider::Aws | Provider::Gcp => {}
    }
}

fn unknown_provider(path: &str, name: &str, findings: &mut Findings<'_, '_>) {
    if name.is_empty() {
        findings.error(format!("{path} has no provider"), "use aws, azure or gcp");
    } else {
        findings.error(
            format!("{path} has provider {name:?}, which OADP does not know"),
            "use aws (for every S3 storage), azure or gcp",
        );
    }
}

fn check_snapshot_locations(spec: &Value, findings: &mut Findings<'_, '_>) {
    let plugins = list(spec, "/configuration/velero/defaultPlugins");
    for (index, location) in list(spec, "/snapshotLocations").iter().enumerate() {
        let path = format!("snapshotLocations[{index}]");
        let Some(velero) = location.get("velero").filter(|velero| velero.is_object()) else {
            findings.error(format!("{path} has no velero"), "add velero: {provider: ..., config: {...}}");
            continue;
        };
        let name = text(velero, "/provider");
        let Some(provider) = Provider::parse(name) else {
            if !has_placeholder(name) {
                unknown_provider(&path, name, findings);
            }
            continue;
        };
        if provider == Provider::Aws && text(velero, "/config/region").is_empty() {
            findings.error(
                format!("{path} has no config.region, which aws needs"),
                "set the region of the volumes",
            );
        }
        let config = velero.get("config").and_then(Value::as_object);
        let allowed = provider.snapshot_fields();
        for field in config.into_iter().flat_map(serde_json::Map::keys) {
            if !allowed.contains(&field.as_str()) {
                findings.error(
                    format!("{path}.config has {field}, which OADP refuses for {}", provider.name()),
                    format!("allowed are {}", allowed.join(", ")),
                );
            }
        }
        let serves =
            |plugin: &Value| plugin.as_str().is_some_and(|plugin| provider.plugins().contains(&plugin));
        if !plugins.iter().any(serves) {
            findings.error(
                format!("{path} needs the plugin {} in configuration.velero.defaultPlugins", provider.name()),
                format!("add {}", provider.name()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str) -> Vec<super::super::Diagnostic> {
        let mut subject = Subject::new("dpaSpec", text);
        drop(data_protection(&mut subject));
        subject.findings
    }

    fn valid() -> Value {
        json!({
            "backupLocations": [{"velero": {"provider": "aws", "default": true,
                "config": {"region": "eu-central-1", "profile": "default"},
                "credential": {"name": "cloud-credentials", "key": "cloud"},
                "objectStorage": {"bucket": "b", "prefix": "p"}}}],
            "configuration": {"velero": {"defaultPlugins": ["openshift", "aws"]},
                "nodeAgent": {"enable": true, "uploaderType": "kopia"}},
            "snapshotLocations": [{"velero": {"provider": "aws", "config": {"region": "eu-central-1"}}}]
        })
    }

    /// The valid specification with one value set (`null` removes it).
    fn with(path: &str, value: Value) -> Value {
        let mut spec = valid();
        let (parent, field) = path.rsplit_once('/').unwrap();
        let parent = spec.pointer_mut(parent).unwrap();
        match (parent, value) {
            (Value::Object(map), Value::Null) => drop(map.remove(field)),
            (parent, value) => parent[field] = value,
        }
        spec
    }

    #[test]
    fn oadps_rules_are_applied() {
        let location = "/backupLocations/0/velero";
        let at = |field: &str| format!("{location}/{field}");
        for (spec, expected) in [
            (valid(), ""),
            (with("/configuration/velero", json!(null)), "no configuration.velero"),
            (with("/configuration/restic", json!({"enable": true})), "restic is left out"),
            (with("/configuration/nodeAgent", json!(null)), ""),
            (
                with("/configuration/nodeAgent/uploaderType", json!(null)),
                "no configuration.nodeAgent.uploaderType",
            ),
            (with("/configuration/nodeAgent/uploaderType", json!("restic")), "Velero 1.17"),
            (
                with("/configuration/velero/defaultPlugins", json!(["aws", "legacy-aws"])),
                "exclude each other",
            ),
            (with("/configuration/velero/defaultPlugins", json!(["openshift"])), "needs the plugin aws"),
            (with("/backupLocations", json!([])), "has no backupLocations"),
            (with("/backupLocations", json!({})), "must be a list, it is a mapping"),
            (with(&at("default"), json!(false)), "no default backup location"),
            (with(&at("provider"), json!("")), "no provider"),
            (with(&at("provider"), json!("s3")), "does not know"),
            (with(&at("provider"), json!("velero.io/aws")), ""),
            (with(&at("provider"), json!("<aws>")), ""),
            (with(&at("objectStorage/bucket"), json!("")), "no objectStorage.bucket"),
            (with(&at("objectStorage/prefix"), json!(null)), "no objectStorage.prefix"),
            (
                with(&at("config/region"), json!(null)),
                "warning: dpaSpec: backupLocations[0] has no config.region",
            ),
            (
                with(&at("config"), json!({"s3Url": "https://s3.example"})),
                "error: dpaSpec: backupLocations[0] has no config.region",
            ),
            (with(&at("credential/key"), json!(null)), "credential has no key"),
            (
                with("/snapshotLocations/0/velero/config/region", json!(null)),
                "snapshotLocations[0] has no config.region",
            ),
            (with("/snapshotLocations/0/velero/config/prefix", json!("x")), "refuses for aws"),
            (with("/snapshotLocations/0/velero", json!(null)), "has no velero"),
            (with("/snapshotlocations", json!([])), "did you mean snapshotLocations?"),
        ] {
            let findings: Vec<_> = check(&spec.to_string()).iter().map(ToString::to_string).collect();
            if expected.is_empty() {
                assert!(findings.is_empty(), "{spec}: {findings:?}");
            } else {
                assert!(
                    findings.iter().any(|finding| finding.contains(expected)),
                    "{expected}: {findings:?}"
                );
            }
        }
    }

    #[test]
    fn images_need_a_prefix_unless_switched_off() {
        let mut spec = with("/backupLocations/0/velero/objectStorage/prefix", json!(null));
        spec["backupImages"] = json!(false);
        assert!(check(&spec.to_string()).is_empty());
        let mut spec = valid();
        spec["configuration"]["velero"]["noDefaultBackupLocation"] = json!(true);
        assert_eq!(check(&spec.to_string()).len(), 2);
    }
}
