//! What a specification may ask of the OADP operator and not of the hub, which installs Velero by itself with
//! `installMode: velero`: nothing of it is dropped in silence.

use super::rules::{entries, set, text, truth};
use super::shape::{self, Shape};
use crate::pipeline::config::diagnostic::Fault;
use crate::pipeline::config::value::Subject;
use crate::pipeline::velero::Plugin;
use crate::yaml::{Located, Mark};

/// Images that may be replaced.
const IMAGES: [&str; 4] =
    ["veleroImageFqin", Plugin::Aws.override_key(), Plugin::Gcp.override_key(), Plugin::Azure.override_key()];

/// Parts that only the operator carries out, each with what to do instead.
const PARTS: [(&[&str], &str); 15] = [
    (&["configuration", "restic"], "write configuration.nodeAgent: {enable: ..., uploaderType: kopia}"),
    (&["configuration", "repositoryMaintenance"], LEAVE_OUT),
    (&["configuration", "velero", "args"], "use the field of the same meaning in configuration.velero"),
    (&["configuration", "velero", "loadAffinity"], "use podConfig.nodeSelector"),
    (&["configuration", "velero", "restoreResourcesVersionPriority"], LEAVE_OUT),
    (&["configuration", "nodeAgent", "loadConcurrency"], LEAVE_OUT),
    (&["configuration", "nodeAgent", "loadAffinity"], "use podConfig.nodeSelector"),
    (&["configuration", "nodeAgent", "backupPVC"], LEAVE_OUT),
    (&["configuration", "nodeAgent", "restorePVC"], LEAVE_OUT),
    (&["configuration", "nodeAgent", "podResources"], LEAVE_OUT),
    (&["configuration", "nodeAgent", "cacheLimitMB"], LEAVE_OUT),
    (&["configuration", "nodeAgent", "fullMaintenanceInterval"], LEAVE_OUT),
    (&["features"], LEAVE_OUT),
    (&["nonAdmin"], LEAVE_OUT),
    (&["unsupportedOverrides", "operator-type"], LEAVE_OUT),
];

const LEAVE_OUT: &str = "leave it out, or use installMode: oadp";

/// `podConfig`, as far as the hub writes it.
const POD_CONFIG: [(&str, Shape); 5] = [
    ("labels", Shape::Map(&Shape::Text)),
    ("nodeSelector", Shape::Map(&Shape::Text)),
    ("tolerations", Shape::List(&Shape::Any)),
    (
        "resourceAllocations",
        Shape::Fields(&[("requests", Shape::Map(&Shape::Any)), ("limits", Shape::Map(&Shape::Any))]),
    ),
    ("env", Shape::List(&Shape::Any)),
];

/// Tells what of a specification only the operator carries out.
pub(super) fn check(subject: &mut Subject<'_>, spec: &Located) {
    let mut report = |mark: Mark, message: String, hint: &str| {
        let finding = subject.finding(Fault::Refused, message).hint(hint).at(mark);
        subject.report(finding);
    };
    for (path, hint) in PARTS {
        if let Some(part) = set(spec, path) {
            report(part.mark(), format!("has {}, which needs OADP", path.join(".")), hint);
        }
    }
    if truth(spec, &["backupImages"]) == Some(true)
        && let Some(part) = set(spec, &["backupImages"])
    {
        let message = "has backupImages: true, which needs OADP and OpenShift".to_owned();
        report(part.mark(), message, "set backupImages: false");
    }
    for (index, location) in entries(spec, &["backupLocations"]).iter().enumerate() {
        if let Some(bucket) = set(location, &["bucket"]) {
            let message = format!("has backupLocations[{index}].bucket, a CloudStorage, which needs OADP");
            report(
                bucket.mark(),
                message,
                "describe the bucket in velero: {provider: ..., objectStorage: ...}",
            );
        }
    }
    for plugin in entries(spec, &["configuration", "velero", "defaultPlugins"]) {
        let name = plugin.text().unwrap_or_default();
        let hint = match name {
            "openshift" | "hypershift" => {
                "take it out: the clusters are backed up without what is special to OpenShift"
            }
            "kubevirt" => "take it out, and name its image in customPlugins",
            "legacy-aws" => "use aws",
            _ => continue,
        };
        report(plugin.mark(), format!("has the plugin {name}, which comes with OADP"), hint);
    }
    for (name, mark, _) in spec.field("unsupportedOverrides").map(Located::fields).unwrap_or_default() {
        if !IMAGES.contains(&name.as_str()) && name != "operator-type" {
            let hint = format!("the hub knows {}", IMAGES.join(", "));
            report(*mark, format!("has unsupportedOverrides.{name}, which needs OADP"), &hint);
        }
    }
    for plugin in entries(spec, &["configuration", "velero", "customPlugins"]) {
        if text(plugin, &["name"]).is_empty() || text(plugin, &["image"]).is_empty() {
            let message = "has a customPlugins entry without name or image".to_owned();
            report(plugin.mark(), message, "write {name: ..., image: ...}");
        }
    }
    for workload in ["velero", "nodeAgent"] {
        if let Some(part) = set(spec, &["configuration", workload, "podConfig"]) {
            let path = format!("configuration.{workload}.podConfig");
            check_pod_config(subject, &path, part);
        }
    }
}

/// A field that the hub does not write is no mere oversight here: it would be dropped.
fn check_pod_config(subject: &mut Subject<'_>, path: &str, part: &Located) {
    for (name, mark, value) in part.fields() {
        let path = format!("{path}.{name}");
        if let Some((_, shape)) = POD_CONFIG.iter().find(|(field, _)| field == name) {
            shape::check(subject, &path, value, *shape);
        } else {
            let finding =
                subject.finding(Fault::Refused, format!("has {path}, which the hub does not write"));
            subject.report(finding.hint(LEAVE_OUT).at(*mark));
        }
    }
}
