//! The hub phase of all templates of a policy: with whose rights, with which key, and what stays as it is.
//!
//! Takes snapshots; gives resolved definitions, or what must be watched first. Must not touch: clients, clock, randomness.
//! Source: `processTemplates` of the propagator of Open Cluster Management.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretSlice;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::evaluate::Subject;
use super::spellings::BothSpellings;
use crate::api::object::GroupVersionKind;
use crate::api::ocm::names;
use crate::pipeline::policy::checks;
use crate::pipeline::policy::replicate::ReplicatedTemplate;
use crate::pipeline::render::encryption::{self, Encryption, EncryptionKeys};
use crate::pipeline::render::lookup::{Answer, Lookup, Reference};
use crate::pipeline::render::{HubContext, HubRendered, ProtectedValues, RenderError, Renderer, text};

/// What opens and closes a template of the hub phase.
const LEFT: &str = "{{hub";
const RIGHT: &str = "hub}}";

/// One policy template after the hub phase.
pub(super) struct HubTemplate {
    pub(super) name: String,
    source: Value,
    pub(super) result: Result<HubRendered, RenderError>,
    pub(super) not_found: BTreeSet<Reference>,
    /// Not resolved because an earlier one failed: it goes into the replicated policy as it is.
    is_left: bool,
}

impl HubTemplate {
    pub(super) fn into_replicated(self) -> ReplicatedTemplate {
        match self.result {
            Ok(rendered) => ReplicatedTemplate::Resolved(rendered.definition),
            Err(_) if self.is_left => ReplicatedTemplate::Resolved(self.source),
            Err(error) => ReplicatedTemplate::Failed { definition: self.source, error: error.to_string() },
        }
    }
}

/// What comes of the hub phase.
#[derive(Default)]
pub(super) struct HubPhase {
    pub(super) templates: Vec<HubTemplate>,
    /// What was asked of the hub.
    pub(super) references: BTreeSet<Reference>,
    /// What must be watched on the hub first.
    pub(super) missing: BTreeSet<Reference>,
    /// What must be watched first with the rights of the service account.
    pub(super) missing_as: BTreeSet<Reference>,
    /// The keys of the cluster, if they were needed and are there.
    pub(super) keys: Option<EncryptionKeys>,
    /// The vector that values were encrypted with.
    pub(super) vector: Option<[u8; 16]>,
}

impl HubPhase {
    pub(super) fn is_waiting(&self) -> bool {
        !self.missing.is_empty() || !self.missing_as.is_empty()
    }
}

/// Whether the annotation switches templates off; what is no truth value says nothing.
fn are_disabled(subject: &Subject<'_>) -> bool {
    let said = subject.policy.metadata.annotations.get(names::DISABLE_TEMPLATES_ANNOTATION);
    said.is_some_and(|text| matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
}

/// Through what the templates look: the hub itself, or a service account's view of it.
enum View {
    Hub,
    Account(Arc<dyn Lookup>),
    None(String),
}

/// Resolves the templates of the hub phase.
pub(super) fn resolve(subject: &Subject<'_>, renderer: &Renderer) -> HubPhase {
    let sources: Vec<&Value> =
        subject.policy.spec.policy_templates.iter().map(|template| &template.object_definition).collect();
    let disabled = are_disabled(subject);
    let has_template: Vec<bool> =
        sources.iter().map(|source| !disabled && text::holds(source, LEFT)).collect();
    let mut phase = HubPhase::default();
    let view = view(subject, has_template.contains(&true), &mut phase);
    let encrypts: Vec<bool> =
        sources.iter().zip(&has_template).map(|(source, has)| *has && may_encrypt(source)).collect();
    let decrypts =
        !disabled && sources.iter().any(|source| text::holds(source, encryption::VECTOR_ANNOTATION));
    if decrypts || encrypts.contains(&true) {
        phase.keys = keys(subject, &mut phase);
    }
    if phase.is_waiting() {
        return phase;
    }
    let mut context = context(subject, matches!(view, View::Hub));
    let mut failed: Option<String> = None;
    for (index, source) in sources.into_iter().enumerate() {
        let name =
            checks::template_name(source).map_or_else(|| format!("template-{index}"), ToOwned::to_owned);
        let mut template = HubTemplate {
            name,
            source: source.clone(),
            result: Ok(untouched(source)),
            not_found: BTreeSet::new(),
            is_left: false,
        };
        if has_template[index] {
            if encrypts[index] && context.encryption.is_none() {
                context.encryption = encryption_of(subject, &phase);
            }
            match (&failed, &view) {
                (_, View::None(reason)) => {
                    template.result = Err(RenderError::Template(reason.clone()));
                }
                (Some(earlier), _) => {
                    template.is_left = true;
                    let text = format!(
                        "its hub templates are not resolved because those of {earlier} failed: see there"
                    );
                    template.result = Err(RenderError::Template(text));
                }
                (None, View::Hub | View::Account(_)) => {
                    resolve_one(&mut template, subject, renderer, &view, &context, &mut phase);
                    if encrypts[index] || holds_encrypted(&template) {
                        mark(&mut template, &context, &mut phase);
                    }
                }
            }
            if template.result.is_err() && failed.is_none() {
                failed = Some(template.name.clone());
            }
        }
        phase.templates.push(template);
    }
    phase
}

/// Whether upstream's pattern finds encryption. It looks at JSON, which is written only where it could find something.
fn may_encrypt(source: &Value) -> bool {
    ["fromSecret", "copySecretData", "protect"].iter().any(|word| text::holds(source, word))
        && encryption::is_used(&source.to_string(), LEFT, RIGHT)
}

fn untouched(source: &Value) -> HubRendered {
    HubRendered { definition: source.clone(), protected: ProtectedValues::default(), sensitive: false }
}

fn resolve_one(
    template: &mut HubTemplate,
    subject: &Subject<'_>,
    renderer: &Renderer,
    view: &View,
    context: &HubContext,
    phase: &mut HubPhase,
) {
    if let Some(encryption) = &context.encryption
        && let Err(error) = encryption.keys.check()
    {
        template.result = Err(RenderError::Template(format!("error validating EncryptionConfig: {error}")));
        return;
    }
    let lookup = match view {
        View::Account(lookup) => lookup.as_ref(),
        View::Hub | View::None(_) => subject.hub.as_ref(),
    };
    let (result, asked) = renderer.hub_phase(&template.source, context, &BothSpellings(lookup));
    phase.references.extend(asked.references);
    match view {
        View::Account(_) => phase.missing_as.extend(asked.not_yet_known),
        View::Hub | View::None(_) => phase.missing.extend(asked.not_yet_known),
    }
    template.result = result;
    template.not_found = asked.not_found;
}

fn holds_encrypted(template: &HubTemplate) -> bool {
    template.result.as_ref().is_ok_and(|rendered| text::holds(&rendered.definition, encryption::PREFIX))
}

/// Puts the vector on what was encrypted with it.
fn mark(template: &mut HubTemplate, context: &HubContext, phase: &mut HubPhase) {
    let (Ok(rendered), Some(encryption)) = (&mut template.result, &context.encryption) else { return };
    phase.vector = Some(encryption.vector);
    let Some(fields) = rendered.definition.as_object_mut() else { return };
    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(annotations) = annotations.as_object_mut() {
        let vector = encryption::annotation(&encryption.vector);
        annotations.insert(encryption::VECTOR_ANNOTATION.to_owned(), Value::String(vector));
    }
}

fn context(subject: &Subject<'_>, is_restricted: bool) -> HubContext {
    let metadata = &subject.policy.metadata;
    HubContext {
        cluster: subject.cluster.metadata.name.clone(),
        labels: subject.cluster.metadata.labels.clone(),
        policy_metadata: json!({
            "annotations": metadata.annotations,
            "labels": metadata.labels,
            "name": metadata.name,
            "namespace": metadata.namespace,
        }),
        policy_namespace: metadata.namespace.clone(),
        is_restricted,
        ambient: subject.ambient,
        encryption: None,
    }
}

/// Whose view of the hub the policy asks for.
fn view(subject: &Subject<'_>, is_needed: bool, phase: &mut HubPhase) -> View {
    let options = subject.policy.spec.other.get("hubTemplateOptions");
    let account = options.and_then(|options| options.get("serviceAccountName")?.as_str()).unwrap_or_default();
    if account.is_empty() || !is_needed {
        return View::Hub;
    }
    let namespace = &subject.policy.metadata.namespace;
    let failed = |reason: &str| {
        View::None(format!(
            "failed to set up the template resolver for the service account in \
             hubTemplateOptions.serviceAccountName ({namespace}/{account}): {reason}"
        ))
    };
    let seen = match &subject.hub_as {
        // Files have no rights to apply.
        None => return View::Account(Arc::clone(&subject.hub)),
        Some(Err(reason)) => return failed(reason),
        Some(Ok(seen)) => Arc::clone(seen),
    };
    let gvk = GroupVersionKind::new("v1", "ServiceAccount");
    let found = subject.hub.get(&gvk, Some(namespace), account);
    let reference = Reference { gvk, namespace: Some(namespace.clone()), name: Some(account.to_owned()) };
    phase.references.insert(reference.clone());
    match found {
        Answer::Found(_) => View::Account(seen),
        Answer::NotFound | Answer::KindNotInstalled => View::None(format!(
            "the service account in hubTemplateOptions.serviceAccountName ({namespace}/{account}) does not exist"
        )),
        Answer::Denied(reason) => failed(&reason),
        Answer::NotYetKnown => {
            phase.missing.insert(reference);
            View::Account(seen)
        }
    }
}

/// The keys in the cluster's namespace. Without them values are protected by tokens.
fn keys(subject: &Subject<'_>, phase: &mut HubPhase) -> Option<EncryptionKeys> {
    let gvk = GroupVersionKind::new("v1", "Secret");
    let cluster = &subject.cluster.metadata.name;
    let found = subject.hub.get(&gvk, Some(cluster), encryption::KEY_SECRET);
    let reference =
        Reference { gvk, namespace: Some(cluster.clone()), name: Some(encryption::KEY_SECRET.to_owned()) };
    phase.references.insert(reference.clone());
    match found {
        Answer::Found(secret) => {
            let bytes = |field: &str| {
                let text = secret.text_at(&["data", field]).filter(|text| !text.is_empty())?;
                // What is no Base64 is no key either: its length says so when it is used.
                Some(SecretSlice::from(STANDARD.decode(text).unwrap_or_default()))
            };
            let key = bytes("key").unwrap_or_else(|| SecretSlice::from(Vec::new()));
            Some(EncryptionKeys { key, previous: bytes("previousKey") })
        }
        Answer::NotYetKnown => {
            phase.missing.insert(reference);
            None
        }
        Answer::NotFound | Answer::KindNotInstalled | Answer::Denied(_) => None,
    }
}

/// With what values are encrypted: the vector is kept over updates, and drawn where there is none yet.
fn encryption_of(subject: &Subject<'_>, phase: &HubPhase) -> Option<Encryption> {
    let keys = phase.keys.clone()?;
    let vector = subject.vector.unwrap_or_else(|| {
        // The seed itself must stay unknown.
        let drawn = Sha256::digest([b"initialization vector".as_slice(), &subject.ambient.seed].concat());
        let mut vector = [0; 16];
        vector.iter_mut().zip(drawn).for_each(|(slot, byte)| *slot = byte);
        vector
    });
    Some(Encryption { keys, vector })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::object::Manifest;
    use crate::api::ocm::cluster::ManagedCluster;
    use crate::api::ocm::policy::Policy;
    use crate::pipeline::plan::inventory::Inventory;
    use crate::pipeline::plan::target::ClusterFacts;
    use crate::pipeline::render::Ambient;

    /// Objects by kind, namespace and name.
    #[derive(Default)]
    struct Objects(BTreeMap<(String, Option<String>, String), Arc<Manifest>>);

    impl Objects {
        fn of(objects: impl IntoIterator<Item = Value>) -> Arc<Self> {
            let manifests = objects.into_iter().map(|object| Manifest::parse(object).unwrap());
            let key = |object: &Manifest| {
                let namespace = object.namespace().map(ToOwned::to_owned);
                (object.kind().to_owned(), namespace, object.name().unwrap_or_default().to_owned())
            };
            Arc::new(Self(manifests.map(|object| (key(&object), Arc::new(object))).collect()))
        }
    }

    impl Lookup for Objects {
        fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
            let key = (gvk.kind.clone(), namespace.map(ToOwned::to_owned), name.to_owned());
            self.0.get(&key).cloned().map_or(Answer::NotFound, Answer::Found)
        }

        fn list(&self, _: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
            Answer::NotYetKnown
        }

        fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
            Some(true)
        }
    }

    fn object(kind: &str, namespace: &str, name: &str, data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "data": data})
    }

    fn key() -> Value {
        object("Secret", "c1", encryption::KEY_SECRET, &json!({"key": STANDARD.encode([b'A'; 32])}))
    }

    /// Resolves a policy of such templates, each the value of one definition.
    fn resolved(
        spec: Value,
        annotations: &Value,
        templates: &[&str],
        hub: &Arc<Objects>,
        hub_as: Option<Result<Arc<dyn Lookup>, String>>,
        vector: Option<[u8; 16]>,
    ) -> HubPhase {
        let mut spec = spec;
        spec["policy-templates"] = templates
            .iter()
            .map(|text| json!({"objectDefinition": {"metadata": {"name": "t"}, "value": text}}))
            .collect();
        let policy: Policy = serde_json::from_value(
            json!({"metadata": {"name": "p", "namespace": "policies", "annotations": annotations}, "spec": spec}),
        )
        .unwrap();
        let cluster: ManagedCluster = serde_json::from_value(json!({"metadata": {"name": "c1"}})).unwrap();
        let (facts, inventory) = (ClusterFacts::default(), Inventory::default());
        let subject = Subject {
            policy: &policy,
            cluster: &cluster,
            facts: &facts,
            enforced_by_binding: false,
            hub: hub.clone(),
            observed: hub.clone(),
            inventory: &inventory,
            unreachable: None,
            compliance: &|_, _| None,
            policies_of_set: &|_, _| None,
            hub_as,
            vector,
            ambient: Ambient::default(),
        };
        resolve(&subject, &Renderer::new())
    }

    fn values(phase: &HubPhase) -> Vec<Result<Value, String>> {
        phase
            .templates
            .iter()
            .map(|template| match &template.result {
                Ok(rendered) => Ok(rendered.definition["value"].clone()),
                Err(error) => Err(error.to_string()),
            })
            .collect()
    }

    #[test]
    fn templates_are_switched_off_by_truth_alone() {
        for (said, is_off) in [("true", true), ("T", true), ("1", true), ("false", false), ("yes", false)] {
            let annotations = json!({"policy.open-cluster-management.io/disable-templates": said});
            let template = "{{hub .ManagedClusterName hub}}";
            let phase = resolved(json!({}), &annotations, &[template], &Objects::of([]), None, None);
            let expected = if is_off { template } else { "c1" };
            assert_eq!(values(&phase), [Ok(json!(expected))], "{said}");
        }
    }

    #[test]
    fn what_follows_a_failure_stays_as_it_is() {
        let templates = ["{{hub fail \"no\" hub}}", "plain", "{{hub 1 hub}}"];
        let phase = resolved(json!({}), &json!({}), &templates, &Objects::of([]), None, None);
        assert!(values(&phase)[0].as_ref().unwrap_err().ends_with("error calling fail: no"));
        assert_eq!(values(&phase)[1], Ok(json!("plain")));
        assert!(values(&phase)[2].is_err());
        let last = phase.templates.into_iter().last().map(HubTemplate::into_replicated);
        let Some(ReplicatedTemplate::Resolved(left)) = last else { panic!("left as it is") };
        assert_eq!(left["value"], "{{hub 1 hub}}");
    }

    #[test]
    fn a_key_in_the_clusters_namespace_encrypts_and_the_vector_is_kept() {
        let templates = ["{{hub \"Raleigh\" | protect hub}}", "plain"];
        let vector = Some(*b"IIIIIIIIIIIIIIII");
        let phase = resolved(json!({}), &json!({}), &templates, &Objects::of([key()]), None, vector);
        assert_eq!(values(&phase)[0], Ok(json!("$ocm_encrypted:Eud/p3S7TvuP03S9fuNV+w==")));
        assert_eq!(phase.vector, vector);
        let annotation = |index: usize| {
            let rendered = phase.templates[index].result.as_ref().unwrap();
            rendered.definition["metadata"]["annotations"][encryption::VECTOR_ANNOTATION].clone()
        };
        assert_eq!(annotation(0), json!(encryption::annotation(b"IIIIIIIIIIIIIIII")));
        assert_eq!(annotation(1), Value::Null);
        // Without a vector one is drawn, without a key a token stands for the value.
        let drawn = resolved(json!({}), &json!({}), &templates, &Objects::of([key()]), None, None);
        assert!(drawn.vector.is_some_and(|drawn| Some(drawn) != vector && drawn != [0; 16]));
        let tokens = resolved(json!({}), &json!({}), &templates, &Objects::of([]), None, vector);
        assert!(values(&tokens)[0].as_ref().unwrap().as_str().unwrap().starts_with("$flotilla_protected:"));
        assert_eq!(tokens.vector, None);
        let broken = object("Secret", "c1", encryption::KEY_SECRET, &json!({"key": "c2hvcnQ="}));
        let broken = resolved(json!({}), &json!({}), &templates, &Objects::of([broken]), None, vector);
        let error = values(&broken)[0].clone().unwrap_err();
        assert_eq!(
            error,
            "error validating EncryptionConfig: the AES key is invalid: crypto/aes: invalid key size 5"
        );
    }

    #[test]
    fn a_service_account_sees_the_hub_with_its_own_rights() {
        let spec = json!({"hubTemplateOptions": {"serviceAccountName": "reader"}});
        let template = "{{hub fromConfigMap \"other\" \"cm\" \"k\" hub}}";
        let account = object("ServiceAccount", "policies", "reader", &json!({}));
        let seen = || -> Option<Result<Arc<dyn Lookup>, String>> {
            let objects: Arc<dyn Lookup> =
                Objects::of([object("ConfigMap", "other", "cm", &json!({"k": "v"}))]);
            Some(Ok(objects))
        };
        let hub = Objects::of([account]);
        let phase = resolved(spec.clone(), &json!({}), &[template], &hub, seen(), None);
        assert_eq!(values(&phase), [Ok(json!("v"))]);
        let phase = resolved(spec.clone(), &json!({}), &[template, template], &Objects::of([]), seen(), None);
        let error =
            "the service account in hubTemplateOptions.serviceAccountName (policies/reader) does not exist";
        assert_eq!(values(&phase), [Err(error.to_owned()), Err(error.to_owned())]);
        let phase = resolved(spec.clone(), &json!({}), &["plain"], &Objects::of([]), seen(), None);
        assert_eq!(values(&phase), [Ok(json!("plain"))]);
        let refused = Some(Err("no".to_owned()));
        let phase = resolved(spec, &json!({}), &[template], &hub, refused, None);
        assert!(values(&phase)[0].as_ref().unwrap_err().ends_with("(policies/reader): no"));
    }
}
