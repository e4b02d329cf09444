//! The policies to try: a ConfigurationPolicy, or what a Policy holds of them.
//!
//! The words of errors are those of Open Cluster Management's own command, which names them after `unable to read input
//! policy`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thiserror::Error;

use crate::adapters::source::{InputError, read_text};
use crate::api::ocm::policy::Policy;
use crate::pipeline::lint::fields;
use crate::yaml::Dialect;

const API_VERSION: &str = "policy.open-cluster-management.io/v1";

/// What a file may hold beside its policies: who writes policies writes these with them.
const COMPANIONS: [&str; 5] =
    ["PolicySet", "Placement", "PlacementBinding", "PlacementRule", "ManagedClusterSetBinding"];

/// A policy that cannot be tried.
#[derive(Debug, Error)]
pub(super) enum PolicyError {
    /// The file cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Nothing is in it.
    #[error("{path}: there is no policy in it")]
    Empty {
        /// The file.
        path: String,
    },
    /// Another group or version.
    #[error(
        "unsupported apiVersion: {found}, the input policy must be 'policy.open-cluster-management.io/v1'{place}"
    )]
    ApiVersion {
        /// What stands there.
        found: String,
        /// Where, if that is not plain.
        place: String,
    },
    /// Another kind.
    #[error("unsupported input kind: {found}, must be 'Policy' or 'ConfigurationPolicy'{place}")]
    Kind {
        /// What stands there.
        found: String,
        /// Where, if that is not plain.
        place: String,
    },
    /// A Policy that has no list of templates.
    #[error("invalid input Policy: no policy-templates found{place}")]
    NoTemplates {
        /// Where it stands, if that is not plain.
        place: String,
    },
    /// A Policy without a ConfigurationPolicy.
    #[error("invalid input Policy: it must contain a ConfigurationPolicy{place}")]
    NoConfigurationPolicy {
        /// Where it stands, if that is not plain.
        place: String,
    },
    /// A Policy of another shape.
    #[error("invalid input Policy: {message}{place}")]
    Policy {
        /// What is wrong.
        message: String,
        /// Where it stands, if that is not plain.
        place: String,
    },
    /// A ConfigurationPolicy with a field that it does not have.
    #[error("could not unmarshal {what} to a ConfigurationPolicy: {message}{place}")]
    Fields {
        /// `input`, or `input policy template [1]`.
        what: String,
        /// What is wrong.
        message: String,
        /// Where it stands, if that is not plain.
        place: String,
    },
}

/// A ConfigurationPolicy to try.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// The file that it was read from.
    pub(super) file: String,
    /// The Policy that holds it.
    pub(super) policy: Option<Policy>,
    /// It, as the hub has it.
    pub(super) definition: Value,
}

impl Subject {
    /// Its name, with that of the Policy before it.
    pub(super) fn title(&self) -> String {
        let own = self.name();
        match &self.policy {
            Some(policy) if policy.metadata.namespace.is_empty() => format!("{}/{own}", policy.metadata.name),
            Some(policy) => format!("{}/{}/{own}", policy.metadata.namespace, policy.metadata.name),
            None => own,
        }
    }

    /// Whether the Policy reads the hub with rights of its own (`hubTemplateOptions.serviceAccountName`).
    pub(super) fn has_service_account(&self) -> bool {
        let options = self.policy.as_ref().and_then(|policy| policy.spec.other.get("hubTemplateOptions"));
        options
            .and_then(|options| options["serviceAccountName"].as_str())
            .is_some_and(|name| !name.is_empty())
    }

    /// Where the ConfigurationPolicy stands on the cluster: the namespace of the cluster's name, unless it says another.
    pub(super) fn namespace(&self, cluster: &str) -> String {
        match self.definition["metadata"]["namespace"].as_str() {
            Some(namespace) if !namespace.is_empty() => namespace.to_owned(),
            _ if !cluster.is_empty() => cluster.to_owned(),
            _ => "default".to_owned(),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        self.definition["metadata"]["name"].as_str().unwrap_or_default().to_owned()
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    /// In the order of the files.
    pub(super) all: Vec<Subject>,
    /// How many further ConfigurationPolicies of Policies are ignored.
    pub(super) ignored: usize,
}

/// Reads files. Of a Policy only the first ConfigurationPolicy counts, unless `every` one is wanted.
pub(super) fn read(paths: &[PathBuf], every: bool) -> Result<Subjects, PolicyError> {
    let mut subjects = Subjects::default();
    for path in paths {
        let before = subjects.all.len();
        read_file(path, every, &mut subjects)?;
        if subjects.all.len() == before {
            return Err(PolicyError::Empty { path: path.display().to_string() });
        }
    }
    Ok(subjects)
}

fn read_file(path: &Path, every: bool, subjects: &mut Subjects) -> Result<(), PolicyError> {
    let text = read_text(path)?;
    let values = text.values(Dialect::Kubernetes)?;
    let alone = values.len() == 1;
    for (value, place) in values {
        let word = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (word("apiVersion"), word("kind"));
        // Where there is one document, the command line says which.
        let place = if alone { String::new() } else { format!(" ({place})") };
        if !alone && COMPANIONS.contains(&kind.as_str()) {
            continue;
        }
        if api_version != API_VERSION {
            return Err(PolicyError::ApiVersion { found: api_version, place });
        }
        let file = text.path.clone();
        match kind.as_str() {
            "ConfigurationPolicy" => {
                check_fields("input", &value, &place)?;
                subjects.all.push(Subject { file, policy: None, definition: value });
            }
            "Policy" => open(&file, &value, &place, every, subjects)?,
            _ => return Err(PolicyError::Kind { found: kind, place }),
        }
    }
    Ok(())
}

fn open(
    file: &str,
    value: &Value,
    place: &str,
    every: bool,
    subjects: &mut Subjects,
) -> Result<(), PolicyError> {
    let place = place.to_owned();
    let templates = match value.pointer("/spec/policy-templates") {
        None | Some(Value::Null) => return Err(PolicyError::NoTemplates { place }),
        Some(Value::Array(templates)) => templates,
        Some(_) => {
            return Err(PolicyError::Policy {
                message: "spec.policy-templates is not a list".to_owned(),
                place,
            });
        }
    };
    // What the templates are is read here; of the Policy itself only this matters.
    let metadata = if value["metadata"].is_null() { json!({}) } else { value["metadata"].clone() };
    let options = &value["spec"]["hubTemplateOptions"];
    let policy = json!({"metadata": metadata, "spec": {"disabled": false, "hubTemplateOptions": options}});
    let policy: Policy = serde_json::from_value(policy)
        .map_err(|error| PolicyError::Policy { message: error.to_string(), place: place.clone() })?;
    let mut found = 0;
    for (index, template) in templates.iter().enumerate() {
        let definition = &template["objectDefinition"];
        if definition["kind"] != "ConfigurationPolicy" {
            continue;
        }
        found += 1;
        if found > 1 && !every {
            subjects.ignored += 1;
            continue;
        }
        check_fields(&format!("input policy template [{index}]"), definition, &place)?;
        subjects.all.push(Subject {
            file: file.to_owned(),
            policy: Some(policy.clone()),
            definition: definition.clone(),
        });
    }
    if found == 0 { Err(PolicyError::NoConfigurationPolicy { place }) } else { Ok(()) }
}

/// A misspelt field would be ignored in silence on a cluster.
fn check_fields(what: &str, definition: &Value, place: &str) -> Result<(), PolicyError> {
    let message = match (fields::unknown(definition), definition.get("spec")) {
        (Some(field), _) => {
            format!("error unmarshaling JSON: while decoding JSON: json: unknown field \"{field}\"")
        }
        (None, None | Some(Value::Null | Value::Object(_))) => return Ok(()),
        (None, Some(_)) => "spec is not a mapping".to_owned(),
    };
    Err(PolicyError::Fields { what: what.to_owned(), message, place: place.to_owned() })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "test data")]
mod tests {
    use super::*;

    fn subjects(text: &str, every: bool) -> Result<Subjects, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.yaml");
        std::fs::write(&path, text).unwrap();
        read(&[path], every).map_err(|error| error.to_string())
    }

    const POLICY: &str = "apiVersion: policy.open-cluster-management.io/v1\nkind: Policy\nmetadata: {name: p, namespace: ns}\n\
        spec:\n  disabled: false\n  policy-templates:\n  - objectDefinition: {apiVersion: v1, kind: Other}\n  \
        - objectDefinition: {apiVersion: policy.open-cluster-management.io/v1, kind: ConfigurationPolicy, metadata: {name: a}, spec: {}}\n  \
        - objectDefinition: {apiVersion: policy.open-cluster-management.io/v1, kind: ConfigurationPolicy, metadata: {name: b}, spec: {}}\n";

    #[test]
    fn the_first_one_of_a_policy_counts_unless_all_are_wanted() {
        let first = subjects(POLICY, false).unwrap();
        assert_eq!((first.all.len(), first.ignored), (1, 1));
        assert_eq!(first.all[0].title(), "ns/p/a");
        let every = subjects(POLICY, true).unwrap();
        assert_eq!((every.all.len(), every.ignored), (2, 0));
    }

    #[test]
    fn what_goes_with_policies_in_a_file_is_passed_over() {
        let text = format!("{POLICY}---\napiVersion: v1\nkind: Placement\nmetadata: {{name: x}}\n");
        assert_eq!(subjects(&text, false).unwrap().all.len(), 1);
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_known_command() {
        let policy = |rest: &str| format!("apiVersion: policy.open-cluster-management.io/v1\n{rest}");
        for (text, expected) in [
            (
                "apiVersion: v1\nkind: Pod\n".to_owned(),
                "unsupported apiVersion: v1, the input policy must be",
            ),
            (
                policy("kind: CertificatePolicy\n"),
                "unsupported input kind: CertificatePolicy, must be 'Policy' or",
            ),
            (policy("kind: Policy\nspec: {}\n"), "invalid input Policy: no policy-templates found"),
            (
                policy("kind: Policy\nspec: {policy-templates: []}\n"),
                "invalid input Policy: it must contain a ConfigurationPolicy",
            ),
            (
                policy("kind: ConfigurationPolicy\nspec: {objectTemplates: []}\n"),
                "could not unmarshal input to a ConfigurationPolicy: error unmarshaling JSON: while decoding JSON: json: \
                 unknown field \"objectTemplates\"",
            ),
            (
                policy("kind: ConfigurationPolicy\nspec: []\n"),
                "could not unmarshal input to a ConfigurationPolicy: spec",
            ),
            ("a: [\n".to_owned(), "could not decode file "),
            (String::new(), "/p.yaml: there is no policy in it"),
        ] {
            let error = subjects(&text, false).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
