//! What a source may hold, and whether the whole of it may be applied.
//!
//! All findings are told at once; one error keeps the whole set from being applied.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::inventory::Identity;
use super::templates;
use crate::api::dns;
use crate::api::object::Manifest;
use crate::api::ocm::cluster::ManagedClusterSetBinding;
use crate::api::ocm::placement::Placement;
use crate::api::ocm::policy::{PlacementBinding, Policy, PolicySet};
use crate::api::ocm::{self, ParseError};
use crate::pipeline::config::{self, CONFIG_MAP_NAME, Severity};
use crate::pipeline::lint::{self, Level, Rule};

/// Most objects of one source: the inventory of more would not fit into one ConfigMap.
const MOST_OBJECTS: usize = 2000;

/// Group and kind of what a source may hold, in the order in which it is applied: what binds comes last.
pub const APPLIED_KINDS: [(&str, &str); 6] = [
    ("", "ConfigMap"),
    ("cluster.open-cluster-management.io", "ManagedClusterSetBinding"),
    ("policy.open-cluster-management.io", "Policy"),
    ("policy.open-cluster-management.io", "PolicySet"),
    ("cluster.open-cluster-management.io", "Placement"),
    ("policy.open-cluster-management.io", "PlacementBinding"),
];

/// Fields of metadata that the server keeps: an object that was exported carries them, and they mean nothing here.
const SERVER_METADATA: [&str; 7] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "selfLink",
];

/// A file of a source that may hold manifests, or a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path from the root of the source.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// An object of a source and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceObject {
    /// The object.
    pub manifest: Manifest,
    /// Where it stands, for people.
    pub place: String,
}

/// A whole set that may be applied, in the order in which it is applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    objects: Vec<(Identity, Manifest)>,
}

impl Desired {
    /// The objects in their order.
    pub fn objects(&self) -> impl DoubleEndedIterator<Item = &(Identity, Manifest)> {
        self.objects.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none; [`validate`] gives no such set.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether an object is in it.
    pub fn contains(&self, identity: &Identity) -> bool {
        self.objects.iter().any(|(wanted, _)| wanted == identity)
    }
}

/// Checks a whole source. `namespace` is that of objects that name none. The error has every finding, one a text.
pub fn validate(
    files: &[SourceFile],
    objects: Vec<SourceObject>,
    namespace: Option<&str>,
) -> Result<Desired, Vec<String>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !templates::is_template(&file.path)) {
        for finding in lint::lint(&file.text, &lint::Options::default()) {
            // Whoever read the objects has told already which documents are no YAML.
            match (finding.rule, finding.level()) {
                (Rule::Yaml, _) | (_, Level::Warning) => {}
                (_, Level::Error) => {
                    findings.push(format!("{}:{}: {}", file.path, finding.line, finding.message));
                }
            }
        }
    }
    let mut places: BTreeMap<Identity, String> = BTreeMap::new();
    let mut wanted = Vec::new();
    for object in objects {
        match checked(object.manifest, namespace) {
            Ok((identity, manifest)) => {
                match places.get(&identity) {
                    Some(first) => {
                        findings.push(format!("{}: {identity} stands in {first} already", object.place));
                    }
                    None => wanted.push((identity.clone(), manifest)),
                }
                places.entry(identity).or_insert(object.place);
            }
            Err(finding) => findings.push(format!("{}: {finding}", object.place)),
        }
    }
    if wanted.is_empty() && findings.is_empty() {
        findings.push("there are no manifests: nothing is taken away because of that".to_owned());
    }
    if wanted.len() > MOST_OBJECTS {
        findings.push(format!("there are {} objects; a source may have {MOST_OBJECTS}", wanted.len()));
    }
    match templates::config_maps(files, &wanted) {
        Ok(made) => {
            for (identity, manifest) in made {
                if let Some(first) = places.get(&identity) {
                    findings
                        .push(format!("templates/: they become {identity}, which stands in {first} already"));
                }
                wanted.push((identity, manifest));
            }
        }
        Err(finding) => findings.push(finding),
    }
    let faulty = settings(&wanted, &places);
    // What is wrong with a setting is told once.
    let rendering = if faulty.is_empty() { templates::faults(&wanted) } else { Vec::new() };
    findings.extend(faulty);
    findings.extend(rendering.into_iter().map(|(identity, fault)| {
        let place = places.get(identity).map(String::as_str).unwrap_or_default();
        format!("{place}: {identity}: {fault}")
    }));
    if findings.is_empty() {
        wanted.sort_by_cached_key(|(identity, _)| (rank(identity), identity.clone()));
        Ok(Desired { objects: wanted })
    } else {
        Err(findings)
    }
}

/// The position of a kind in the order of applying.
pub(super) fn rank(identity: &Identity) -> usize {
    let is_kind = |(group, kind): &(&str, &str)| identity.group == *group && identity.kind == *kind;
    APPLIED_KINDS.iter().position(is_kind).unwrap_or(APPLIED_KINDS.len())
}

fn checked(manifest: Manifest, namespace: Option<&str>) -> Result<(Identity, Manifest), String> {
    let gvk = manifest.gvk();
    if !APPLIED_KINDS.contains(&(gvk.group.as_str(), gvk.kind.as_str())) {
        let kinds: Vec<&str> = APPLIED_KINDS.iter().map(|(_, kind)| *kind).collect();
        return Err(format!("{gvk} is not taken from a source; it may hold {}", kinds.join(", ")));
    }
    let Some(namespace) = manifest.namespace().or(namespace).map(ToOwned::to_owned) else {
        return Err(format!(
            "{} {} names no namespace; write one, or add namespace=NAME to the address of the source",
            gvk.kind,
            manifest.name().unwrap_or_default()
        ));
    };
    let manifest = without_server_fields(manifest.with_namespace(Some(&namespace)));
    let Some(identity) = Identity::of(&manifest) else {
        return Err(format!("{} has no name", gvk.kind));
    };
    if !dns::is_subdomain(&identity.name) {
        return Err(format!("{identity}: the name must be {}", dns::SUBDOMAIN_RULE));
    }
    if !dns::is_label(&namespace) {
        return Err(format!("{identity}: the namespace must be {}", dns::LABEL_RULE));
    }
    typed(&manifest).map_err(|error| error.to_string())?;
    Ok((identity, manifest))
}

/// Whether the hub can read it.
fn typed(manifest: &Manifest) -> Result<(), ParseError> {
    match manifest.kind() {
        "Policy" => ocm::parse::<Policy>(manifest).map(drop),
        "PolicySet" => ocm::parse::<PolicySet>(manifest).map(drop),
        "Placement" => ocm::parse::<Placement>(manifest).map(drop),
        "PlacementBinding" => ocm::parse::<PlacementBinding>(manifest).map(drop),
        "ManagedClusterSetBinding" => ocm::parse::<ManagedClusterSetBinding>(manifest).map(drop),
        _ => Ok(()),
    }
}

fn without_server_fields(manifest: Manifest) -> Manifest {
    let metadata = manifest.at(&["metadata"]).and_then(Value::as_object).map(|metadata| {
        let mut metadata = metadata.clone();
        metadata.retain(|field, _| !SERVER_METADATA.contains(&field.as_str()));
        Value::Object(metadata)
    });
    manifest.with_field("metadata", metadata).with_field("status", None)
}

/// The findings in the settings of the policies: of every key that is there, and of those that policies beside them read.
fn settings(wanted: &[(Identity, Manifest)], places: &BTreeMap<Identity, String>) -> Vec<String> {
    let mut findings = Vec::new();
    for (identity, manifest) in wanted {
        if identity.kind != "ConfigMap" || identity.name != CONFIG_MAP_NAME {
            continue;
        }
        let place = places.get(identity).map(String::as_str).unwrap_or_default();
        let Some(data) = texts(manifest) else {
            findings.push(format!("{place}: {identity}: `data` must be a mapping of strings"));
            continue;
        };
        let policies: Vec<String> = wanted
            .iter()
            .filter(|(other, _)| other.kind == "Policy" && other.namespace == identity.namespace)
            .map(|(_, policy)| policy.to_value().to_string())
            .collect();
        let data = config::with_aliases(&data);
        let mut used: BTreeSet<String> = config::used_keys(policies.iter().map(String::as_str));
        used.extend(data.keys().cloned());
        let errors = config::validate(&data, &used)
            .into_iter()
            .filter(|finding| finding.severity() == Severity::Error);
        findings.extend(errors.map(|finding| format!("{place}: {identity}: {finding}")));
    }
    findings
}

fn texts(config_map: &Manifest) -> Option<BTreeMap<String, String>> {
    match config_map.at(&["data"]) {
        None | Some(Value::Null) => Some(BTreeMap::new()),
        Some(Value::Object(data)) => {
            data.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(
        api_version: &str,
        kind: &str,
        name: &str,
        namespace: Option<&str>,
        rest: &Value,
    ) -> SourceObject {
        let mut value = json!({"apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "namespace": namespace, "uid": "u", "creationTimestamp": null}});
        for (field, content) in rest.as_object().unwrap() {
            value[field] = content.clone();
        }
        SourceObject { manifest: Manifest::parse(value).unwrap(), place: format!("{name}.yaml") }
    }

    fn config_map(name: &str, namespace: Option<&str>, data: &Value) -> SourceObject {
        object("v1", "ConfigMap", name, namespace, &json!({"data": data}))
    }

    const POLICY: &str = "policy.open-cluster-management.io/v1";

    #[test]
    fn a_set_is_applied_in_the_order_in_which_its_kinds_build_on_each_other() {
        let binding = json!({"placementRef": {"apiGroup": "cluster.open-cluster-management.io", "kind": "Placement",
            "name": "p"}, "subjects": []});
        let set = validate(
            &[],
            vec![
                object(POLICY, "PlacementBinding", "b", None, &binding),
                object(
                    "cluster.open-cluster-management.io/v1beta1",
                    "Placement",
                    "p",
                    None,
                    &json!({"spec": {}}),
                ),
                object(
                    POLICY,
                    "Policy",
                    "y",
                    None,
                    &json!({"spec": {"disabled": false, "policy-templates": []}, "status": {}}),
                ),
                config_map("z", Some("other"), &json!({})),
                config_map("a", None, &json!({})),
            ],
            Some("policies"),
        )
        .unwrap();
        let names: Vec<String> = set.objects().map(|(identity, _)| identity.to_string()).collect();
        assert_eq!(
            names,
            [
                "ConfigMap other/z",
                "ConfigMap policies/a",
                "Policy policies/y",
                "Placement policies/p",
                "PlacementBinding policies/b"
            ]
        );
        let (_, policy) = set.objects().nth(2).unwrap();
        assert_eq!(policy.at(&["metadata"]), Some(&json!({"name": "y", "namespace": "policies"})));
        assert!(policy.at(&["status"]).is_none());
    }

    #[test]
    fn every_finding_of_a_set_is_told_and_nothing_of_it_is_given() {
        let findings = validate(
            &[SourceFile { path: "p.yaml".to_owned(), text: format!(
                "apiVersion: {POLICY}\nkind: Policy\nmetadata: {{name: p, namespace: n}}\nspec:\n  disabled: false\n  \
                 policy-templates:\n  - objectDefinition:\n      apiVersion: {POLICY}\n      kind: ConfigurationPolicy\n      \
                 metadata: {{name: c}}\n      spec: {{remediationAction: inform, object-templates: [{{complianceType: perhaps, objectDefinition: {{apiVersion: v1, kind: Pod, metadata: {{name: a}}}}}}]}}\n"
            ) }],
            vec![
                object("v1", "Secret", "s", Some("n"), &json!({})),
                object("apps/v1", "Deployment", "d", Some("n"), &json!({})),
                config_map("a", None, &json!({})),
                config_map("b", Some("n"), &json!({})),
                config_map("b", Some("n"), &json!({})),
                config_map("C", Some("n"), &json!({})),
                config_map(CONFIG_MAP_NAME, Some("n"), &json!({"backupTTL": "10d"})),
                object(POLICY, "PolicySet", "t", Some("n"), &json!({"spec": {"policies": "all"}})),
            ],
            None,
        )
        .unwrap_err();
        for (finding, part) in findings.iter().zip([
            "p.yaml:",
            "s.yaml: v1 Secret is not taken from a source; it may hold ConfigMap, ",
            "d.yaml: apps/v1 Deployment is not taken",
            "a.yaml: ConfigMap a names no namespace; ",
            "b.yaml: ConfigMap n/b stands in b.yaml already",
            "C.yaml: ConfigMap n/C: the name must be lower-case",
            "t.yaml: failed to read PolicySet \"n/t\": ",
            "hdr-app-configmap.yaml: ConfigMap n/hdr-app-configmap: error: backupTTL: ",
        ]) {
            assert!(finding.starts_with(part), "{part}: {finding}");
        }
        assert_eq!(findings.len(), 8, "{findings:#?}");
    }

    #[test]
    fn settings_are_held_against_the_policies_beside_them() {
        let policy = |namespace: &str| {
            let text =
                format!(r#"{{{{hub (lookup "v1" "ConfigMap" "" "{CONFIG_MAP_NAME}").data.dpaName hub}}}}"#);
            object(
                POLICY,
                "Policy",
                "p",
                Some(namespace),
                &json!({"spec": {"disabled": false, "policy-templates": [
                {"objectDefinition": {"a": text}}]}}),
            )
        };
        let set = |namespace| {
            vec![policy(namespace), config_map(CONFIG_MAP_NAME, Some("n"), &json!({"backupNS": "velero"}))]
        };
        assert!(validate(&[], set("elsewhere"), None).is_ok());
        let findings = validate(&[], set("n"), None).unwrap_err();
        assert!(findings[0].contains("dpaName: is missing, and a policy reads it"), "{findings:?}");
    }

    #[test]
    fn nothing_at_all_is_no_set() {
        let findings = validate(&[], Vec::new(), None).unwrap_err();
        assert_eq!(findings, ["there are no manifests: nothing is taken away because of that"]);
    }
}
