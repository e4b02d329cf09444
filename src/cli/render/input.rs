//! The objects of files as a hub would have them: with namespaces, defaults of its admission, and placements decided.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::configuration;
use crate::adapters::hub::HubKind;
use crate::adapters::source::{self, Found, Gathered, ObjectLookup, is_namespaced};
use crate::api::object::{Manifest, ObjectKey};
use crate::api::ocm::names;
use crate::controller::fleet::Fleet;
use crate::pipeline::placement::Verdict;
use crate::pipeline::placement::scope::{DEFAULT_SET, GLOBAL_SET};

/// What the files hold.
pub(super) struct Input {
    /// The hub's objects, typed and indexed.
    pub(super) fleet: Fleet,
    /// All objects, for look-ups of templates.
    pub(super) objects: ObjectLookup,
    /// What is rendered from labelled ConfigMaps.
    pub(super) rendered: Vec<Manifest>,
    /// Why nothing is rendered from one of them.
    pub(super) faults: Vec<String>,
    /// What cannot be used.
    pub(super) errors: Vec<String>,
    /// What may be a mistake.
    pub(super) warnings: Vec<String>,
    /// What is assumed.
    pub(super) notes: Vec<String>,
}

impl Input {
    /// Reads files, directories and standard input (`-`).
    pub(super) fn read(paths: &[PathBuf], namespace: &str, now: Timestamp) -> Self {
        let mut gathered = source::gather(paths.iter().map(PathBuf::as_path).filter(|path| !is_stdin(path)));
        if paths.iter().any(|path| is_stdin(path)) {
            match std::io::read_to_string(std::io::stdin()) {
                Ok(text) => source::read_stream("-", &text, &mut gathered),
                Err(source) => {
                    gathered.errors.push(source::SourceError::Unreadable { path: "-".to_owned(), source });
                }
            }
        }
        Self::new(gathered, namespace, now)
    }

    fn new(gathered: Gathered, namespace: &str, now: Timestamp) -> Self {
        let mut errors: Vec<String> = gathered.errors.iter().map(ToString::to_string).collect();
        let mut warnings = Vec::new();
        let mut objects: BTreeMap<ObjectKey, Found> = BTreeMap::new();
        for Found { manifest, place } in gathered.objects {
            let manifest = admitted(manifest, namespace);
            let Some(key) = manifest.key() else { continue };
            if let Some(earlier) = objects.get(&key).filter(|earlier| earlier.manifest != manifest) {
                warnings.push(format!(
                    "{key} stands in {} and, with other content, in {place}: the latter counts",
                    earlier.place
                ));
            }
            objects.insert(key, Found { manifest, place });
        }
        let mut objects: BTreeMap<ObjectKey, Manifest> =
            objects.into_iter().map(|(key, found)| (key, found.manifest)).collect();
        let configurations = configuration::render(&objects);
        warnings.extend(configurations.warnings);
        let keyed = configurations.rendered.iter().filter_map(|object| Some((object.key()?, object.clone())));
        objects.extend(keyed);
        let mut manifests: Vec<Manifest> = objects.into_values().collect();
        let (assumed, notes) = assumed_bindings(&manifests);
        manifests.extend(assumed);
        let mut fleet = Fleet::default();
        for kind in HubKind::ALL.into_iter().chain([HubKind::AddOnPlacementScore]) {
            for manifest in manifests.iter().filter(|manifest| HubKind::of(&manifest.gvk()) == Some(kind)) {
                if let Some(key) = manifest.key() {
                    let effects = fleet.apply(kind, &key, Some(manifest), now);
                    errors.extend(effects.malformed.iter().map(|(_, error)| error.to_string()));
                }
            }
        }
        fleet.scores_read(Ok(()), now);
        Self {
            fleet,
            objects: ObjectLookup::new(manifests),
            rendered: configurations.rendered,
            faults: configurations.faults,
            errors,
            warnings,
            notes,
        }
    }

    /// Why no placement of a policy selects the cluster, a sentence per placement.
    pub(super) fn reasons_outside(&self, cluster: &str, now: Timestamp) -> Vec<String> {
        let bound: BTreeSet<(String, String)> = self
            .fleet
            .policies()
            .flat_map(|(policy, _)| {
                self.fleet
                    .bindings(policy)
                    .iter()
                    .map(|bound| (policy.namespace.clone(), bound.placement.clone()))
            })
            .collect();
        if bound.is_empty() {
            return vec!["no PlacementBinding of the input binds a policy".to_owned()];
        }
        bound
            .into_iter()
            .map(|name| {
                let placement = format!("{}/{}", name.0, name.1);
                match self.fleet.placement(&name, now) {
                    None => format!("Placement {placement} is bound, but not in the input"),
                    Some((_, true, _)) => {
                        format!("{cluster} is not selected by {placement}: the PlacementDecisions of the input do not name it")
                    }
                    Some((_, false, decisions)) => match decisions.verdicts.get(cluster) {
                        Some(Verdict::Out(reason)) => format!("{cluster} is not selected by {placement}: {reason}"),
                        Some(Verdict::In(_)) | None => {
                            format!("{cluster} is selected by {placement}, but the policies bound to it are disabled")
                        }
                    },
                }
            })
            .collect()
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// What the hub's API server and admission make of an object.
fn admitted(manifest: Manifest, namespace: &str) -> Manifest {
    let gvk = manifest.gvk();
    let manifest = match (is_namespaced(&gvk.group, &gvk.kind), manifest.namespace()) {
        (true, None) => manifest.with_namespace(Some(namespace)),
        (false, Some(_)) => manifest.with_namespace(None),
        (true, Some(_)) | (false, None) => manifest,
    };
    let has_set = manifest.label(names::CLUSTER_SET_LABEL).is_some_and(|set| !set.is_empty());
    if HubKind::of(&gvk) != Some(HubKind::ManagedCluster) || has_set {
        return manifest;
    }
    let mut value = manifest.to_value();
    if !value["metadata"]["labels"].is_object() {
        value["metadata"]["labels"] = json!({});
    }
    value["metadata"]["labels"][names::CLUSTER_SET_LABEL] = json!(DEFAULT_SET);
    Manifest::parse(value).unwrap_or(manifest)
}

/// Where no cluster set is bound at all, those that the Placements ask for are taken as bound.
fn assumed_bindings(manifests: &[Manifest]) -> (Vec<Manifest>, Vec<String>) {
    let of_kind =
        |kind: HubKind| manifests.iter().filter(move |manifest| HubKind::of(&manifest.gvk()) == Some(kind));
    if of_kind(HubKind::ManagedClusterSetBinding).next().is_some() {
        return (Vec::new(), Vec::new());
    }
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    for placement in of_kind(HubKind::Placement) {
        let namespace = placement.namespace().unwrap_or_default();
        let sets: Vec<&str> = placement
            .at(&["spec", "clusterSets"])
            .and_then(Value::as_array)
            .map(|sets| sets.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let sets = if sets.is_empty() { vec![DEFAULT_SET] } else { sets };
        wanted.extend(sets.into_iter().map(|set| (namespace.to_owned(), set.to_owned())));
    }
    let known: BTreeSet<&str> = of_kind(HubKind::ManagedClusterSet)
        .filter_map(Manifest::name)
        .chain([DEFAULT_SET, GLOBAL_SET])
        .collect();
    let mut assumed = Vec::new();
    let mut notes = Vec::new();
    let mut assume = |kind: HubKind, metadata: Value, spec: Value| {
        let object = json!({"apiVersion": kind.gvk().api_version(), "kind": kind.gvk().kind, "metadata": metadata, "spec": spec});
        assumed.extend(Manifest::parse(object));
    };
    for (namespace, set) in &wanted {
        assume(
            HubKind::ManagedClusterSetBinding,
            json!({"name": set, "namespace": namespace}),
            json!({"clusterSet": set}),
        );
        notes.push(format!(
            "the input has no ManagedClusterSetBinding: cluster set {set:?} is taken as bound to namespace {namespace:?}; on a \
             hub the binding must exist, or nothing is selected"
        ));
    }
    let unknown: BTreeSet<&String> =
        wanted.iter().map(|(_, set)| set).filter(|set| !known.contains(set.as_str())).collect();
    for set in unknown {
        assume(
            HubKind::ManagedClusterSet,
            json!({"name": set}),
            json!({"clusterSelector": {"selectorType": "ExclusiveClusterSetLabel"}}),
        );
        notes.push(format!(
            "the input has no ManagedClusterSet {set:?}: its members are taken to be labelled with it"
        ));
    }
    (assumed, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACEMENT: &str = "apiVersion: cluster.open-cluster-management.io/v1beta1\nkind: Placement\n\
        metadata: {name: p}\nspec: {clusterSets: [prod]}\n---\n\
        apiVersion: policy.open-cluster-management.io/v1\nkind: PlacementBinding\nmetadata: {name: b}\n\
        placementRef: {apiGroup: cluster.open-cluster-management.io, kind: Placement, name: p}\n\
        subjects: [{apiGroup: policy.open-cluster-management.io, kind: Policy, name: q}]\n---\n\
        apiVersion: policy.open-cluster-management.io/v1\nkind: Policy\nmetadata: {name: q}\n\
        spec: {disabled: false, policy-templates: []}\n---\n\
        apiVersion: cluster.open-cluster-management.io/v1\nkind: ManagedCluster\n\
        metadata: {name: in, labels: {cluster.open-cluster-management.io/clusterset: prod}}\n---\n\
        apiVersion: cluster.open-cluster-management.io/v1\nkind: ManagedCluster\nmetadata: {name: out, namespace: x}\n";

    fn input(text: &str) -> Input {
        let mut gathered = Gathered::default();
        source::read_stream("f.yaml", text, &mut gathered);
        Input::new(gathered, "ns", "2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn missing_bindings_are_assumed_and_said() {
        let input = input(PLACEMENT);
        assert_eq!(input.errors, Vec::<String>::new());
        assert_eq!(input.notes.len(), 2, "{:?}", input.notes);
        assert!(
            input.notes[0].contains("\"prod\"") && input.notes[0].contains("\"ns\""),
            "{}",
            input.notes[0]
        );
        assert_eq!(input.fleet.policies_on("in").len(), 1);
        assert_eq!(input.fleet.policies_on("out").len(), 0);
        let reasons = input.reasons_outside("out", "2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(reasons.len(), 1);
        assert!(reasons[0].starts_with("out is not selected by ns/p: "), "{}", reasons[0]);
        let label = input.fleet.cluster("out").unwrap().metadata.labels[names::CLUSTER_SET_LABEL].clone();
        assert_eq!(label, "default");
    }

    #[test]
    fn a_binding_of_the_input_is_the_only_one() {
        let binding = "---\napiVersion: cluster.open-cluster-management.io/v1beta2\nkind: ManagedClusterSetBinding\n\
            metadata: {name: other}\nspec: {clusterSet: other}\n";
        let input = input(&format!("{PLACEMENT}{binding}"));
        assert!(input.notes.is_empty());
        assert_eq!(input.fleet.policies_on("in").len(), 0);
    }

    #[test]
    fn decisions_of_the_input_are_used() {
        let decision = "---\napiVersion: cluster.open-cluster-management.io/v1beta1\nkind: PlacementDecision\n\
            metadata: {name: p-decision-1, labels: {cluster.open-cluster-management.io/placement: p}}\n\
            status: {decisions: [{clusterName: out, reason: ''}]}\n";
        let input = input(&format!("{PLACEMENT}{decision}"));
        assert_eq!((input.fleet.policies_on("in").len(), input.fleet.policies_on("out").len()), (0, 1));
    }

    #[test]
    fn malformed_objects_are_left_out_and_doubles_are_told() {
        let text = format!(
            "{PLACEMENT}---\napiVersion: cluster.open-cluster-management.io/v1beta1\nkind: Placement\nmetadata: {{name: bad}}\n\
             spec: {{numberOfClusters: many}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n---\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{a: b}}\n"
        );
        let input = input(&text);
        assert_eq!(input.errors.len(), 1, "{:?}", input.errors);
        assert!(input.errors[0].starts_with("failed to read Placement \"ns/bad\": "), "{}", input.errors[0]);
        assert_eq!(input.warnings.len(), 1);
        assert_eq!(input.fleet.policies_on("in").len(), 1);
    }
}
