//! What a cluster's own CustomResourceDefinitions say about the Velero and OADP that run there (rows G2, G3).

use serde_json::Value;

use crate::adapters::api_server::Connection;
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::pipeline::plan::target::ClusterFacts;
use crate::protection::translate::Target;

/// The API groups whose definitions are read.
pub const FACT_GROUPS: [&str; 2] = ["velero.io", "oadp.openshift.io"];

/// Reads the two definitions that decide how deprecated fields are written. What cannot be read stays unknown.
pub async fn facts(cluster: &str, connection: &Connection) -> ClusterFacts {
    let schedule = definition(connection, "schedules.velero.io").await;
    let application = definition(connection, "dataprotectionapplications.oadp.openshift.io").await;
    ClusterFacts {
        name: cluster.to_owned(),
        target: Target {
            schedule_knows_fs_backup: schedule
                .and_then(|crd| knows(&crd, &["spec", "template", "defaultVolumesToFsBackup"])),
            dpa_knows_node_agent: application
                .and_then(|crd| knows(&crd, &["spec", "configuration", "nodeAgent"])),
        },
        ..ClusterFacts::default()
    }
}

async fn definition(connection: &Connection, name: &str) -> Option<Manifest> {
    let key = ObjectKey {
        gvk: GroupVersionKind::new("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        namespace: None,
        name: name.to_owned(),
    };
    match connection.get(&key).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(definition = name, %error, "the definition cannot be read, current fields are assumed");
            None
        }
    }
}

/// Whether the schema of any version describes the field; `None` when a schema is open on the way there.
fn knows(crd: &Manifest, path: &[&str]) -> Option<bool> {
    let versions = crd.at(&["spec", "versions"])?.as_array()?;
    let mut answer = None;
    for version in versions {
        let mut schema: &Value = version.get("schema")?.get("openAPIV3Schema")?;
        let mut known = Some(true);
        for field in path {
            let open = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
            let Some(next) = schema.get("properties").and_then(|properties| properties.get(*field)) else {
                known = if open || schema.get("properties").is_none() { None } else { Some(false) };
                break;
            };
            schema = next;
        }
        answer = match (answer, known) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), _) | (_, Some(false)) => Some(false),
            (None, None) => None,
        };
    }
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn crd(schema: &Value) -> Manifest {
        Manifest::parse(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}}))
        .unwrap()
    }

    #[test]
    fn a_closed_schema_tells_an_open_one_does_not() {
        let closed = json!({"properties": {"spec": {"properties": {"a": {"type": "string"}}}}});
        assert_eq!(knows(&crd(&closed), &["spec", "a"]), Some(true));
        assert_eq!(knows(&crd(&closed), &["spec", "b"]), Some(false));
        let open = json!({"properties": {"spec": {"x-kubernetes-preserve-unknown-fields": true}}});
        assert_eq!(knows(&crd(&open), &["spec", "b"]), None);
    }
}
