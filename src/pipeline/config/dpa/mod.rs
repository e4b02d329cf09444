//! The specification of the `DataProtectionApplication`, checked by the rules of the OADP operator before it
//! is applied: the operator would refuse it on every cluster, one error at a time.

mod provider;
mod rules;
mod shape;
mod unrendered;

use serde_json::Value;

use self::rules::Rules;
use super::lists;
use super::types::DataProtection;
use super::value::Subject;
use crate::api::object::json_type;
use crate::yaml::{self, Dialect};

pub(super) use self::shape::{SPEC, Shape};

/// Reads the specification; parts that are still placeholders are passed over.
pub(super) fn data_protection(subject: &mut Subject<'_>) -> Option<DataProtection> {
    let document = lists::literal(subject)?;
    let Value::Object(fields) = document.value() else {
        let message = format!("must be a mapping, it is {}", json_type(&document.value()));
        let expected = super::Form::DataProtectionApplication.expected();
        subject.invalid(message, expected, "write the spec of a DataProtectionApplication");
        return None;
    };
    shape::check(subject, "", &document, SPEC);
    Rules { spec: &document, subject }.check();
    subject.unless_faulty(DataProtection::checked(fields))
}

/// Tells what only OADP carries out, in a specification that can be read: the hub installs Velero without it.
pub(super) fn unrendered(subject: &mut Subject<'_>) {
    // What cannot be read was told when it was read.
    if let Ok(document) = yaml::read_located(subject.text, Dialect::Template) {
        unrendered::check(subject, &document);
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
            (
                with("/backupLocations", json!({})),
                "has backupLocations that is a mapping, found \"{}\", expected a list",
            ),
            (with(&at("default"), json!(false)), "no default backup location"),
            (with(&at("provider"), json!("")), "no provider"),
            (with(&at("provider"), json!("s3")), "does not know"),
            (with(&at("provider"), json!("velero.io/aws")), ""),
            (with(&at("provider"), json!("<aws>")), ""),
            (with(&at("objectStorage/bucket"), json!("")), "no objectStorage.bucket"),
            (with(&at("objectStorage/prefix"), json!(null)), "no objectStorage.prefix"),
            (with(&at("config/region"), json!(null)), "backupLocations[0] has no config.region: OADP"),
            (
                with(&at("config"), json!({"s3Url": "https://s3.example"})),
                "backupLocations[0] has no config.region, which s3Url",
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
    fn what_only_oadp_carries_out_is_told() {
        let told = |spec: &Value| -> Vec<String> {
            let text = spec.to_string();
            let mut subject = Subject::new("dpaSpec", &text);
            unrendered(&mut subject);
            subject.findings.iter().map(ToString::to_string).collect()
        };
        let plain = with("/configuration/velero/defaultPlugins", json!(["aws", "csi"]));
        assert_eq!(told(&plain), [""; 0]);
        for (path, value, expected) in [
            ("/configuration/velero/defaultPlugins", json!(["aws", "openshift"]), "the plugin openshift"),
            ("/configuration/velero/defaultPlugins", json!(["legacy-aws"]), "use aws"),
            ("/configuration/velero/defaultPlugins", json!(["kubevirt"]), "customPlugins"),
            ("/configuration/velero/args", json!({"v": 4}), "configuration.velero.args, which needs OADP"),
            ("/configuration/velero/customPlugins", json!([{"name": "x"}]), "without name or image"),
            ("/configuration/velero/podConfig", json!({"affinity": {}}), "podConfig.affinity, which the hub"),
            ("/configuration/velero/podConfig", json!({"env": {}}), "podConfig.env that is a mapping"),
            ("/configuration/nodeAgent/backupPVC", json!({"a": {}}), "configuration.nodeAgent.backupPVC"),
            ("/configuration/restic", json!({"enable": true}), "configuration.restic"),
            ("/configuration/repositoryMaintenance", json!({"global": {}}), "repositoryMaintenance"),
            ("/backupLocations/0/bucket", json!({"cloudStorageRef": {"name": "x"}}), "a CloudStorage"),
            ("/backupImages", json!(true), "backupImages: true"),
            ("/nonAdmin", json!({"enable": true}), "nonAdmin"),
            ("/unsupportedOverrides", json!({"csiPluginImageFqin": "x"}), "the hub knows veleroImageFqin"),
        ] {
            let mut spec = plain.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[field] = value;
            let findings = told(&spec);
            assert!(findings.len() == 1 && findings[0].contains(expected), "{path}: {findings:?}");
            assert!(findings[0].starts_with("error: "), "{findings:?}");
        }
        for (path, value) in [
            ("/configuration/velero/podConfig", json!({"env": [], "nodeSelector": {"a": "b"}})),
            ("/configuration/velero/customPlugins", json!([{"name": "x", "image": "y"}])),
            ("/unsupportedOverrides", json!({"veleroImageFqin": "x", "awsPluginImageFqin": "y"})),
            ("/backupImages", json!(false)),
        ] {
            let mut spec = plain.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            spec.pointer_mut(parent).unwrap()[field] = value;
            assert_eq!(told(&spec), [""; 0], "{path}");
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
