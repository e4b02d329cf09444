//! From a wire type to the structural schema that a definition carries.
//!
//! Takes a type that derives [`JsonSchema`], gives `openAPIV3Schema` as JSON. What a structural schema is:
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use kube_core::schema::StructuralSchemaRewriter;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The schema of a kind with a wire type of its own.
pub(super) fn of_type<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::openapi3()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
            // Before those of OpenAPI, which would make every optional field nullable.
            settings.transforms.insert(0, Box::new(AbsentIsNull));
        })
        .with_transform(StructuralSchemaRewriter)
        .with_transform(NoDefaults)
        .into_generator();
    of_root(generator.into_root_schema_for::<T>().to_value())
}

/// The schema of a kind of which nothing is read.
pub(super) fn open(description: &str) -> Value {
    of_root(
        json!({"type": "object", "description": description, "x-kubernetes-preserve-unknown-fields": true}),
    )
}

/// What every kind has in common.
fn of_root(mut schema: Value) -> Value {
    if let Some(root) = schema.as_object_mut() {
        root.remove("title");
        let properties = root.entry("properties").or_insert_with(|| json!({}));
        properties["apiVersion"] =
            json!({"type": "string", "description": "Group and version of the object."});
        properties["kind"] = json!({"type": "string", "description": "Kind of the object."});
        // The API server knows metadata itself and refuses a definition that says more.
        properties["metadata"] = json!({"type": "object"});
        if properties["status"].is_null() {
            properties["status"] = json!({"type": "object", "description": "Reported state.",
                "x-kubernetes-preserve-unknown-fields": true});
        }
    }
    schema
}

/// `Option<T>` has the schema of `T`: an API server takes a null for an absent field where the schema does not ask for it.
#[derive(Debug, Clone)]
struct AbsentIsNull;

impl Transform for AbsentIsNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(types) = schema.get_mut("type")
            && let Some([of, null]) = types.as_array().map(Vec::as_slice)
            && null == "null"
        {
            *types = of.clone();
            if let Some(allowed) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                allowed.retain(|value| !value.is_null());
            }
        }
        if let Some([of, null]) = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
            && null["type"] == "null"
            && let Value::Object(of) = of.clone()
        {
            schema.remove("anyOf");
            for (keyword, value) in of {
                // The field's own description says more than its type's.
                if schema.get(&keyword).is_none() {
                    schema.insert(keyword, value);
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

/// Defaults are set where an object is read: on the server it stays as it was written.
#[derive(Debug, Clone)]
struct NoDefaults;

impl Transform for NoDefaults {
    fn transform(&mut self, schema: &mut Schema) {
        schema.remove("default");
        transform_subschemas(self, schema);
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::Map;

    use super::*;

    /// A kind.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Kind {
        metadata: crate::api::ocm::Metadata,
        /// What is wanted.
        spec: Spec,
        #[serde(flatten)]
        other: Map<String, Value>,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Spec {
        /// How many.
        count: Option<i32>,
        /// Which.
        choice: Option<Choice>,
        /// Whether to enforce.
        action: Option<crate::api::ocm::policy::RemediationAction>,
        /// Since when.
        #[schemars(extend("nullable" = true))]
        since: Option<String>,
    }

    /// A choice.
    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Choice {
        /// The one.
        One,
        /// The other.
        Other,
    }

    #[test]
    fn a_type_becomes_a_structural_schema() {
        let status = json!({"type": "object", "description": "Reported state.",
            "x-kubernetes-preserve-unknown-fields": true});
        assert_eq!(
            of_type::<Kind>(),
            json!({"type": "object", "description": "A kind.", "x-kubernetes-preserve-unknown-fields": true,
                "properties": {
                    "apiVersion": {"type": "string", "description": "Group and version of the object."},
                    "kind": {"type": "string", "description": "Kind of the object."},
                    "metadata": {"type": "object"},
                    "spec": {"type": "object", "description": "What is wanted.", "properties": {
                        "count": {"type": "integer", "format": "int32", "description": "How many."},
                        "choice": {"type": "string", "enum": ["One", "Other"], "description": "Which."},
                        "action": {"type": "string", "description": "Whether to enforce.",
                            "enum": ["Inform", "inform", "Enforce", "enforce", "InformOnly"]},
                        "since": {"type": "string", "nullable": true, "description": "Since when."}}},
                    "status": status}})
        );
    }
}
