//! The cluster that a policy is tried for, as the hub would know it: its name, labels, claims, and the hub's objects.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use thiserror::Error;

use super::policies::Subject;
use crate::adapters::source::{
    ClusterError, FileCluster, Found, InputError, Mappings, read_text, read_texts,
};
use crate::api::object::{GroupVersionKind, Manifest};
use crate::api::ocm::cluster::ManagedCluster;
use crate::api::ocm::names;
use crate::pipeline::placement::claims;
use crate::pipeline::render::lookup::{Answer, Lookup};
use crate::pipeline::render::{Ambient, HubContext, HubRendered, ProtectedValues, RenderError, Renderer};
use crate::yaml::Dialect;

/// How a hub template begins.
const HUB_TEMPLATE: &str = "{{hub";

/// A description of the cluster that cannot be used.
#[derive(Debug, Error)]
pub(super) enum TargetError {
    /// A file cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// An object that no hub would take.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The claims are not a mapping.
    #[error(
        "{place}: claims must be a mapping of names to texts, ClusterClaims, or a ManagedCluster; {what} is none of them"
    )]
    Claims {
        /// Where it stands.
        place: String,
        /// What stands there.
        what: String,
    },
    /// A ManagedCluster of another shape.
    #[error("the ManagedCluster {name:?} cannot be read: {source}")]
    ManagedCluster {
        /// Its name.
        name: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// What was said of the cluster on the command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Description<'a> {
    /// Its name; without one the hub's templates stay as they are.
    pub(super) name: Option<&'a str>,
    /// Its labels.
    pub(super) labels: &'a [(String, String)],
    /// A file with its claims.
    pub(super) claims: Option<&'a PathBuf>,
    /// Files and directories with objects of the hub.
    pub(super) hub_inputs: &'a [PathBuf],
    /// Namespace on the hub of what names none.
    pub(super) namespace: &'a str,
}

/// The cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    name: Option<String>,
    labels: BTreeMap<String, String>,
    claims: BTreeMap<String, String>,
    hub: Vec<Found>,
    namespace: String,
}

impl Target {
    /// Reads what the command line names.
    pub(super) fn read(description: &Description<'_>) -> Result<Self, TargetError> {
        let mut hub = Vec::new();
        for text in read_texts(description.hub_inputs.iter().map(PathBuf::as_path))? {
            hub.extend(text.objects()?);
        }
        let mut named = BTreeMap::new();
        let mut managed: Vec<Manifest> = hub.iter().map(|found| found.manifest.clone()).collect();
        if let Some(path) = description.claims {
            for (value, place) in read_text(path)?.values(Dialect::Template)? {
                read_claims(value, &place.to_string(), &mut named, &mut managed)?;
            }
        }
        let is_meant = |manifest: &&Manifest| {
            manifest.gvk().same_kind("cluster.open-cluster-management.io", "ManagedCluster")
                && description.name.is_none_or(|name| manifest.name() == Some(name))
        };
        let mut cluster = match managed.iter().rfind(is_meant) {
            Some(manifest) => serde_json::from_value(manifest.to_value()).map_err(|source| {
                TargetError::ManagedCluster { name: manifest.name().unwrap_or_default().to_owned(), source }
            })?,
            None => ManagedCluster::default(),
        };
        cluster.metadata.labels.extend(description.labels.iter().cloned());
        if let Some(name) = description.name {
            name.clone_into(&mut cluster.metadata.name);
        }
        let known = !cluster.metadata.name.is_empty();
        let mut all = if known { claims::claims(&cluster) } else { BTreeMap::new() };
        all.extend(named);
        Ok(Self {
            name: known.then_some(cluster.metadata.name),
            labels: cluster.metadata.labels,
            claims: all,
            hub,
            namespace: description.namespace.to_owned(),
        })
    }

    /// Its name, for messages.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Its claims; those that stand as objects on the cluster itself count before all others.
    pub(super) fn claims(&self, cluster: &dyn Lookup) -> BTreeMap<String, String> {
        let mut all = self.claims.clone();
        if let Answer::Found(objects) = cluster.list(&claim_kind(), None) {
            all.extend(objects.iter().filter_map(|object| claim(object)));
        }
        all
    }

    /// Carries out the hub's templates, if it is known for which cluster. The second value is what to know about it.
    pub(super) fn hub_phase(
        &self,
        subject: &Subject,
        renderer: &Renderer,
        mappings: &Arc<Mappings>,
        ambient: Ambient,
    ) -> Result<(Result<HubRendered, RenderError>, Option<String>), TargetError> {
        let unchanged = || HubRendered {
            definition: subject.definition.clone(),
            protected: ProtectedValues::default(),
            sensitive: false,
        };
        let Some(cluster) = &self.name else {
            let note = subject.definition.to_string().contains(HUB_TEMPLATE).then(|| {
                format!(
                    "{} has templates of the hub, which are not carried out: name the cluster with --cluster",
                    subject.title()
                )
            });
            return Ok((Ok(unchanged()), note));
        };
        let metadata = subject.policy.as_ref().map(|policy| policy.metadata.clone()).unwrap_or_default();
        let namespace =
            if metadata.namespace.is_empty() { self.namespace.clone() } else { metadata.namespace };
        let disabled = metadata.annotations.get(names::DISABLE_TEMPLATES_ANNOTATION);
        if disabled.is_some_and(|text| text == "true") {
            return Ok((Ok(unchanged()), None));
        }
        let hub = FileCluster::new(mappings.clone(), self.hub.clone(), Some(&namespace))?;
        let context = HubContext {
            cluster: cluster.clone(),
            labels: self.labels.clone(),
            policy_metadata: json!({
                "annotations": metadata.annotations,
                "labels": metadata.labels,
                "name": metadata.name,
                "namespace": namespace,
            }),
            policy_namespace: namespace,
            is_restricted: !subject.has_service_account(),
            ambient,
            encryption: None,
        };
        let (rendered, _) = renderer.hub_phase(&subject.definition, &context, &hub);
        Ok((rendered, None))
    }
}

/// The kind in which a cluster keeps its claims.
pub(super) fn claim_kind() -> GroupVersionKind {
    GroupVersionKind::new("cluster.open-cluster-management.io/v1alpha1", "ClusterClaim")
}

fn claim(object: &Manifest) -> Option<(String, String)> {
    Some((object.name()?.to_owned(), object.text_at(&["spec", "value"])?.to_owned()))
}

fn read_claims(
    value: Value,
    place: &str,
    named: &mut BTreeMap<String, String>,
    managed: &mut Vec<Manifest>,
) -> Result<(), TargetError> {
    let fault = |what: String| TargetError::Claims { place: place.to_owned(), what };
    let Value::Object(fields) = value else { return Err(fault(value.to_string())) };
    if !fields.contains_key("kind") {
        for (name, value) in fields {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(truth) => truth.to_string(),
                other => return Err(fault(format!("{name}: {other}"))),
            };
            named.insert(name, text);
        }
        return Ok(());
    }
    let object = Manifest::parse(Value::Object(fields)).map_err(|error| fault(error.to_string()))?;
    if object.kind().ends_with("List")
        && let Some(Value::Array(items)) = object.at(&["items"])
    {
        return items.iter().try_for_each(|item| read_claims(item.clone(), place, named, managed));
    }
    match object.kind() {
        "ClusterClaim" => {
            named.extend(claim(&object));
            Ok(())
        }
        "ManagedCluster" => {
            managed.push(object);
            Ok(())
        }
        other => Err(fault(other.to_owned())),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test data")]
mod tests {
    use super::*;

    fn target(name: Option<&str>, labels: &[(String, String)], claims: &str, hub: &str) -> Target {
        let directory = tempfile::tempdir().unwrap();
        let (claims_file, hub_file) =
            (directory.path().join("claims.yaml"), directory.path().join("hub.yaml"));
        std::fs::write(&claims_file, claims).unwrap();
        std::fs::write(&hub_file, hub).unwrap();
        let description = Description {
            name,
            labels,
            claims: Some(&claims_file),
            hub_inputs: &[hub_file],
            namespace: "default",
        };
        Target::read(&description).unwrap()
    }

    const MANAGED: &str = "apiVersion: cluster.open-cluster-management.io/v1\nkind: ManagedCluster\n\
        metadata: {name: c1, labels: {tier: gold}}\nstatus: {clusterClaims: [{name: region, value: eu}]}\n";

    #[test]
    fn labels_and_claims_come_from_wherever_they_are_named() {
        let target = target(
            Some("c1"),
            &[("tier".to_owned(), "silver".to_owned())],
            "zone: z1\nregion: us\n",
            MANAGED,
        );
        assert_eq!(target.name(), "c1");
        assert_eq!(target.labels["tier"], "silver");
        let nothing = FileCluster::new(Arc::new(Mappings::built_in()), [], None).unwrap();
        let claims = target.claims(&nothing);
        assert_eq!(
            (
                claims["name"].as_str(),
                claims["tier"].as_str(),
                claims["region"].as_str(),
                claims["zone"].as_str()
            ),
            ("c1", "silver", "us", "z1")
        );
    }

    #[test]
    fn claims_may_stand_without_a_cluster() {
        let target = target(
            None,
            &[],
            "apiVersion: cluster.open-cluster-management.io/v1alpha1\nkind: ClusterClaim\nmetadata: {name: a}\nspec: {value: b}\n",
            "",
        );
        assert_eq!((target.name(), target.claims["a"].as_str()), ("", "b"));
        assert_eq!(target.claims.len(), 1);
    }

    #[test]
    fn what_is_no_claim_is_refused() {
        let (mut named, mut managed) = (BTreeMap::new(), Vec::new());
        for value in [json!([1]), json!({"a": {"b": 1}}), json!({"apiVersion": "v1", "kind": "Pod"})] {
            assert!(read_claims(value, "f", &mut named, &mut managed).is_err());
        }
    }
}
