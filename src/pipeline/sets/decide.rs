//! What should stand in a namespace because of its ConfigMap, and what should go.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::parameters::Parameters;
use super::prefixes;
use super::rendering::{KINDS, rank, render};
use super::seal;
use super::settings::{self, Settings};
use super::templates::{Overrides, is_template_name};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::api::ocm::names;
use crate::pipeline::config::CONFIG_MAP_NAME;
use crate::pipeline::config::types::StoragePrefixStyle;

/// Name of the copy of the ConfigMap's last good version, which the rendered policies read.
pub const ACCEPTED_NAME: &str = "hdr-app-configmap-accepted";

/// Where everything rendered says who looks after it.
const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
const MANAGED_BY: &str = "flotilla";

/// What stands in a namespace.
pub struct Neighbourhood<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// A ConfigMap of it by name.
    pub config_map: &'a dyn Fn(&str) -> Option<Arc<Manifest>>,
    /// Its objects of [`KINDS`]. Where the accepted copy is missing, also the replicated policies that are left of its configuration,
    /// wherever they are ([`is_rendered_from`]).
    pub present: &'a [Arc<Manifest>],
}

/// Whose the configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A ConfigMap asks for protection.
    Protected,
    /// There is none, or it no longer asks: what was rendered goes.
    Released,
}

/// What is to be done in a namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Whether a ConfigMap asks for it.
    pub owner: Owner,
    /// What should be there, in the order in which it is to be written; the accepted copy comes first.
    pub desired: Vec<Manifest>,
    /// What was rendered before and should go.
    pub surplus: Vec<Arc<Manifest>>,
    /// Objects of a user's own that stand where one should be rendered: they are left alone.
    pub conflicts: Vec<ObjectKey>,
    /// Why the newest version of the ConfigMap is not in force; empty when it is.
    pub faults: Vec<String>,
    /// What may be a mistake, without being one that stops anything.
    pub warnings: Vec<String>,
}

impl Decision {
    /// The faults as one sentence for the ConfigMap and the status; `None` when its newest version is in force.
    pub fn complaint(&self) -> Option<String> {
        if self.faults.is_empty() {
            return None;
        }
        let consequence = if self.desired.is_empty() {
            "nothing is rendered from it"
        } else {
            "its last good version stays in force"
        };
        Some(format!("{CONFIG_MAP_NAME} cannot be used, {consequence}: {}", self.faults.join("; ")))
    }
}

impl Decision {
    /// The objects that stand in the way, in one sentence; `None` when there are none.
    pub fn occupied(&self) -> Option<String> {
        if self.conflicts.is_empty() {
            return None;
        }
        let names: Vec<String> = self.conflicts.iter().map(ToString::to_string).collect();
        Some(format!(
            "{CONFIG_MAP_NAME} does not replace what it did not render: {}; delete or rename it to have it rendered",
            names.join(", ")
        ))
    }
}

/// Whether a ConfigMap asks for its policies to be rendered.
pub fn is_protected(config_map: &Manifest) -> bool {
    config_map.label(names::PROTECT_LABEL) == Some("true") && !config_map.is_deleting()
}

/// Whether the hub rendered an object from the ConfigMap of the object's own namespace. A replicated policy, which carries the
/// same annotation in another namespace, is none.
pub fn is_rendered_by(object: &Manifest) -> bool {
    let from = object.annotation(names::RENDERED_FROM_ANNOTATION);
    let here = object.namespace().map(source_of);
    from.is_some() && from == here.as_deref() && object.label(names::ROOT_POLICY_LABEL).is_none()
}

/// Whether an object was rendered from the ConfigMap of a namespace, or replicated from a policy that was.
pub fn is_rendered_from(object: &Manifest, namespace: &str) -> bool {
    object.annotation(names::RENDERED_FROM_ANNOTATION) == Some(source_of(namespace).as_str())
}

fn source_of(namespace: &str) -> String {
    format!("{namespace}/{CONFIG_MAP_NAME}")
}

/// Decides for one namespace.
pub fn decide(around: &Neighbourhood<'_>) -> Decision {
    let own: Vec<Arc<Manifest>> =
        around.present.iter().filter(|object| is_rendered_by(object)).cloned().collect();
    let accepted = (around.config_map)(ACCEPTED_NAME);
    let source = (around.config_map)(CONFIG_MAP_NAME).filter(|source| is_protected(source));
    let Some(source) = source else {
        let mut surplus = own;
        surplus.sort_by_key(|object| rank(object));
        surplus.extend(accepted.filter(|accepted| is_rendered_by(accepted)));
        return Decision {
            owner: Owner::Released,
            desired: Vec::new(),
            surplus,
            conflicts: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        };
    };
    let running = prefixes::style_before(around.namespace, accepted.as_deref(), around.present);
    let newest = Version::of_source(around, &source, running);
    let (version, mut faults) = match newest {
        Ok(version) => (Some(version), Vec::new()),
        Err(faults) => (None, faults),
    };
    let warnings = version.as_ref().map(|version| version.warnings.clone()).unwrap_or_default();
    let version = version.or_else(|| {
        let accepted = accepted.as_deref().filter(|accepted| is_rendered_by(accepted))?;
        match Version::of_accepted(around.namespace, accepted) {
            Ok(version) => Some(version),
            Err(more) => {
                faults.extend(more.into_iter().map(|fault| format!("{ACCEPTED_NAME}: {fault}")));
                None
            }
        }
    });
    let mut decision = Decision {
        owner: Owner::Protected,
        desired: Vec::new(),
        surplus: Vec::new(),
        conflicts: Vec::new(),
        faults,
        warnings,
    };
    let Some(version) = version else {
        // Nothing is known to be right: what is there stays as it is.
        return decision;
    };
    let wanted = version.objects(around.namespace, &source);
    let taken = |key: &ObjectKey| {
        let there = around.present.iter().find(|there| there.key().as_ref() == Some(key)).cloned();
        let copy = accepted.clone().filter(|accepted| accepted.key().as_ref() == Some(key));
        there.or(copy).is_some_and(|there| !is_rendered_by(&there))
    };
    let keys: Vec<ObjectKey> = wanted.iter().filter_map(Manifest::key).collect();
    decision.conflicts = keys.iter().filter(|key| taken(key)).cloned().collect();
    if decision.conflicts.iter().any(|key| key.name == ACCEPTED_NAME && key.gvk.kind == "ConfigMap") {
        // The policies would read what somebody else wrote.
        decision.faults.push(format!(
            "ConfigMap {ACCEPTED_NAME} was not made by the hub, which needs the name: rename or delete it"
        ));
        return decision;
    }
    decision.surplus =
        own.into_iter().filter(|object| object.key().is_none_or(|key| !keys.contains(&key))).collect();
    decision.surplus.sort_by_key(|object| std::cmp::Reverse(rank(object)));
    decision.desired =
        wanted.into_iter().filter(|object| object.key().is_none_or(|key| !taken(&key))).collect();
    let trouble: Vec<String> = decision.complaint().into_iter().chain(decision.occupied()).collect();
    if !trouble.is_empty() {
        let trouble = trouble.join("; ");
        for set in decision.desired.iter_mut().filter(|object| object.kind() == "PolicySet") {
            *set = annotated(set, &[(names::CONFIGURATION_FAULT_ANNOTATION, trouble.clone())]);
        }
    }
    decision
}

/// One version of the configuration that can be put into force.
struct Version {
    settings: Settings,
    overrides: Overrides,
    rendered: Vec<Manifest>,
    warnings: Vec<String>,
}

impl Version {
    /// From the user's ConfigMap, with the templates that it names.
    fn of_source(
        around: &Neighbourhood<'_>,
        source: &Manifest,
        running: Option<StoragePrefixStyle>,
    ) -> Result<Self, Vec<String>> {
        let (settings, warnings) = settings::read(&data(source), running)?;
        let overrides = match &settings.templates {
            None => Overrides::default(),
            Some(name) => {
                let found = (around.config_map)(name).ok_or_else(|| {
                    vec![format!(
                        "templates: there is no ConfigMap {name} in namespace {}; create it, or take the key out",
                        around.namespace
                    )]
                })?;
                Overrides::read(&data(&found)).map_err(|faults| texts(&faults))?
            }
        };
        Self::rendered(around.namespace, settings, overrides, warnings)
    }

    /// From the copy of the last good version, which holds the templates of that time too.
    fn of_accepted(namespace: &str, accepted: &Manifest) -> Result<Self, Vec<String>> {
        let (templates, data): (BTreeMap<String, String>, BTreeMap<String, String>) =
            data(accepted).into_iter().partition(|(key, _)| is_template_name(key));
        let (settings, _) = settings::read(&data, None)?;
        let overrides = Overrides::read(&templates).map_err(|faults| texts(&faults))?;
        Self::rendered(namespace, settings, overrides, Vec::new())
    }

    fn rendered(
        namespace: &str,
        settings: Settings,
        overrides: Overrides,
        warnings: Vec<String>,
    ) -> Result<Self, Vec<String>> {
        let parameters = Parameters { config_map: ACCEPTED_NAME.to_owned(), ..settings.parameters.clone() };
        let rendered = render(namespace, &parameters, &overrides).map_err(|faults| texts(&faults))?;
        if parameters.cluster_prefixes {
            let unaware = prefixes::unaware(&rendered);
            if !unaware.is_empty() {
                return Err(unaware);
            }
        }
        Ok(Self { settings, overrides, rendered, warnings })
    }

    /// The accepted copy and what is rendered, with the marks of their owner.
    fn objects(&self, namespace: &str, source: &Manifest) -> Vec<Manifest> {
        let mut data = self.settings.data.clone();
        data.extend(self.overrides.texts().clone());
        let copy = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": ACCEPTED_NAME, "namespace": namespace}, "data": data});
        let departure = [
            (names::ON_DESELECT_ANNOTATION, self.settings.on_deselect.to_string()),
            (names::ON_DELETE_ANNOTATION, self.settings.on_delete.to_string()),
        ];
        let destructive = source
            .annotation(names::ALLOW_DESTRUCTIVE_ANNOTATION)
            .map(|value| (names::ALLOW_DESTRUCTIVE_ANNOTATION, value.to_owned()));
        Manifest::parse(copy)
            .into_iter()
            .chain(self.rendered.iter().cloned())
            .map(|object| {
                let mut annotations = vec![(names::RENDERED_FROM_ANNOTATION, source_of(namespace))];
                if matches!(object.kind(), "Policy" | "PolicySet") {
                    let style = self.settings.prefix_style.to_string();
                    annotations.push((names::STORAGE_PREFIX_STYLE_ANNOTATION, style));
                }
                if object.kind() == "Policy" {
                    annotations.extend(departure.clone());
                    annotations.extend(destructive.clone());
                }
                seal::sealed(owned(&annotated(&object, &annotations), source))
            })
            .collect()
    }
}

/// All data of a ConfigMap that is text.
fn data(config_map: &Manifest) -> BTreeMap<String, String> {
    let data = config_map.at(&["data"]).and_then(Value::as_object);
    data.into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn texts<T: ToString>(faults: &[T]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

fn annotated(object: &Manifest, annotations: &[(&str, String)]) -> Manifest {
    let mut metadata = object.at(&["metadata"]).cloned().unwrap_or_else(|| json!({}));
    for (name, value) in annotations {
        metadata["annotations"][*name] = json!(value);
    }
    object.clone().with_field("metadata", Some(metadata))
}

/// The marks of the owner: where its garbage collector runs, Kubernetes takes the object along with the ConfigMap.
fn owned(object: &Manifest, source: &Manifest) -> Manifest {
    let mut metadata = object.at(&["metadata"]).cloned().unwrap_or_else(|| json!({}));
    metadata["labels"][MANAGED_BY_LABEL] = json!(MANAGED_BY);
    if let Some(uid) = source.uid() {
        metadata["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap",
            "name": CONFIG_MAP_NAME, "uid": uid, "controller": true, "blockOwnerDeletion": false}]);
    }
    object.clone().with_field("metadata", Some(metadata))
}

impl Decision {
    /// The kinds that a driver must watch in the namespace, besides ConfigMaps.
    pub fn kinds() -> impl Iterator<Item = GroupVersionKind> {
        KINDS.iter().map(|(api_version, kind)| GroupVersionKind::new(api_version, kind))
    }
}
