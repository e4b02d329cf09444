//! What each fuzz target does with its input. Plain functions, so that `tests/fuzz_targets.rs` runs them without libFuzzer.
//!
//! A panic, a hang or a flood of memory is the defect that is looked for; results are asserted only where they are laws.

use std::sync::Arc;

use flotilla::api::object::{GroupVersionKind, Manifest};
use flotilla::api::ocm::configuration_policy::{ComplianceType, MetadataComplianceType};
use flotilla::api::ocm::policy::Policy;
use flotilla::pipeline::compare::{Rules, WrittenLists, compare as compared, matches};
use flotilla::pipeline::config::cron::Cron;
use flotilla::pipeline::config::{self, Config};
use flotilla::pipeline::lint;
use flotilla::pipeline::policy::checks;
use flotilla::pipeline::render::lookup::{Answer, Lookup};
use flotilla::pipeline::render::text::{self, Input, Settings};
use flotilla::pipeline::render::{ClusterContext, HubContext, ObjectVariables, Renderer, VariablesUsed};
use flotilla::yaml::{self, Dialect};
use serde_json::Value;

/// A server that has one object of every kind.
struct One(Arc<Manifest>);

impl One {
    fn new() -> Self {
        let object = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b", "labels": {"c": "d"}},
            "data": {"e": "f", "list": "[1, 2]"}
        });
        Self(Arc::new(Manifest::parse(object).expect("a manifest")))
    }
}

impl Lookup for One {
    fn get(&self, _: &GroupVersionKind, _: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        if name == "a" { Answer::Found(Arc::clone(&self.0)) } else { Answer::NotFound }
    }

    fn list(&self, _: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        Answer::Found(vec![Arc::clone(&self.0)])
    }

    fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
        Some(true)
    }
}

/// A text with templates, in both phases.
pub fn template(input: &str) {
    let lookup = One::new();
    let settings = Settings { is_object_template: true, ..Settings::default() };
    drop(text::resolve(Input::Yaml(input), &settings, &lookup));
    let value = Value::from(input);
    drop(text::resolve(Input::Value(&value), &settings, &lookup));
    drop(Renderer::new().hub_phase(&value, &HubContext::default(), &lookup));
}

/// A Policy or ConfigurationPolicy as a file.
pub fn policy(input: &str) {
    let Ok(document) = yaml::read(input, Dialect::Kubernetes) else { return };
    let lookup = One::new();
    let renderer = Renderer::new();
    let mut definitions = vec![document.clone()];
    if let Ok(policy) = serde_json::from_value::<Policy>(document) {
        for template in &policy.spec.policy_templates {
            definitions.push(template.object_definition.clone());
        }
    }
    for definition in definitions {
        drop(checks::read(0, &definition, None));
        let (rendered, _) = renderer.hub_phase(&definition, &HubContext::default(), &lookup);
        let definition = rendered.map_or(definition, |rendered| rendered.definition);
        let context = ClusterContext::default();
        drop(renderer.cluster_phase(&definition, &context, &lookup));
        let variables = ObjectVariables {
            namespace: "b".to_owned(),
            name: "a".to_owned(),
            object: Some(lookup.0.to_value()),
        };
        if Renderer::variables(&definition) != VariablesUsed::default() {
            drop(renderer.object_template(&definition, 0, &variables, &context, &lookup));
        }
    }
}

/// Two objects, one a line: what is wanted and what is there.
pub fn compare(input: &str) {
    let mut lines = input.lines();
    let mut object = || lines.next().and_then(|line| Manifest::parse(serde_json::from_str(line).ok()?).ok());
    let (Some(desired), Some(existing)) = (object(), object()) else { return };
    for compliance in [ComplianceType::MustHave, ComplianceType::MustOnlyHave, ComplianceType::MustNotHave] {
        for metadata in [None, Some(MetadataComplianceType::MustOnlyHave)] {
            let rules = Rules { compliance, metadata };
            let _ = compared(&desired, &existing, &rules, &WrittenLists::default());
            let _ = matches(&desired, &existing, &rules);
        }
    }
}

/// A schedule, as Velero reads it.
pub fn cron(input: &str) {
    if let Ok(cron) = input.parse::<Cron>() {
        let _ = cron.next("2024-02-29T12:00:00Z".parse().expect("a time"));
    }
}

/// A ConfigMap as a file: read as the hub reads it, and looked over as `flotilla lint` does. A text that is no ConfigMap stands
/// for the value of each key in turn.
pub fn config(input: &str) {
    drop(lint::lint(input, &lint::Options::default()));
    let mut data = std::collections::BTreeMap::new();
    if let Ok(document) = yaml::read(input, Dialect::Kubernetes) {
        let fields = document.get("data").and_then(Value::as_object).into_iter().flatten();
        data.extend(fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))));
    }
    if data.is_empty() {
        data.extend(config::KEYS.iter().map(|key| (key.name.to_owned(), input.to_owned())));
    }
    let read = Config::read(&data);
    assert_eq!(
        read.config.is_some(),
        read.errors().next().is_none(),
        "a configuration without an error, and only then"
    );
    drop(config::validate(&data, &data.keys().cloned().collect()));
}
