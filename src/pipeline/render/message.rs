//! The messages that a policy's author words: takes a Go template and data, gives its text. Nothing can be looked up.
//!
//! Source: `spec.customMessage` of the config-policy-controller, whose error texts these are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::engine::go::{Availability, NAME, Template, Value};
use super::functions;
use super::lookup::{Answer, Lookup};
use super::session::{Rules, Session};
use crate::api::object::{GroupVersionKind, Manifest};

/// Name of the template in Go's error texts.
const MESSAGE: &str = "custom-msg";

/// Functions that are about a cluster, not about the data.
const OF_CLUSTERS: &[&str] = &[
    "lookup",
    "fromSecret",
    "fromConfigMap",
    "copySecretData",
    "copyConfigMapData",
    "fromClusterClaim",
    "lookupClusterClaim",
    "getNodesWithExactRoles",
    "hasNodesWithExactRoles",
    "protect",
];

/// Carries out a template on data.
pub(super) fn render(template: &str, data: &Json) -> Result<String, String> {
    let parsed = Template::parse(template, ("{{", "}}"), &|name| {
        functions::find(name).filter(|function| {
            function.availability == Availability::Everywhere && !OF_CLUSTERS.contains(&name)
        })
    })
    .map_err(|error| format!("failed to parse custom template: {}", renamed(&error)))?;
    let claims = BTreeMap::new();
    let mut session = Session::new(&Nothing, Rules { claims: Some(&claims), ..Rules::default() });
    parsed
        .execute(&Value::from_json(data), &mut session)
        .map_err(|failure| format!("failed to execute: {}", renamed(&failure.0)))
}

fn renamed(error: &str) -> String {
    error
        .replace(&format!("template: {NAME}:"), &format!("template: {MESSAGE}:"))
        .replace(&format!("executing \"{NAME}\""), &format!("executing \"{MESSAGE}\""))
}

/// A cluster without anything.
struct Nothing;

impl Lookup for Nothing {
    fn get(&self, _: &GroupVersionKind, _: Option<&str>, _: &str) -> Answer<Arc<Manifest>> {
        Answer::NotFound
    }

    fn list(&self, _: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        Answer::NotFound
    }

    fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_worded_from_its_data() {
        let data = json!({"DefaultMessage": "Compliant; x", "Policy": {"status": {"relatedObjects": [
            {"object": {"kind": "Namespace", "metadata": {"name": "n"}}, "compliant": "Compliant"}]}}});
        let text = "{{ range .Policy.status.relatedObjects -}} the {{.object.kind}} in \
                    {{.object.metadata.namespace}} is {{.compliant | upper}} {{ end }}";
        assert_eq!(render(text, &data).unwrap(), "the Namespace in <no value> is COMPLIANT ");
        assert_eq!(render("{{ .DefaultMessage }}!", &data).unwrap(), "Compliant; x!");
    }

    #[test]
    fn faults_are_gos() {
        assert_eq!(
            render("{{ if }}", &json!({})).unwrap_err(),
            "failed to parse custom template: template: custom-msg:1: missing value for if"
        );
        assert!(
            render("{{ lookup \"v1\" \"Secret\" \"a\" \"b\" }}", &json!({}))
                .unwrap_err()
                .ends_with("function \"lookup\" not defined")
        );
        let executed = render("{{ fail \"no\" }}", &json!({})).unwrap_err();
        assert!(
            executed.starts_with("failed to execute: template: custom-msg:1:3: executing \"custom-msg\"")
        );
    }
}
