//! The hub phase: `{{hub … hub}}` in one policy template, for one cluster.
//!
//! Source: the propagator of Open Cluster Management. Look-ups stay in the policy's namespace.

use std::rc::Rc;

use serde_json::Value as Json;

use super::engine::go::Value;
use super::engine::go::value::Struct;
use super::lookup::Lookup;
use super::resolve::{Language, Source, Templates, resolve};
use super::session::{ClusterScoped, Protection, Restriction, Rules, Session};
use super::{
    Asked, HUB_ADDITIONAL_INDENTATION, HubContext, HubRendered, ProtectedValues, RenderError, not_yet_known,
};

/// Type of the context in Go, as error texts show it.
const CONTEXT_TYPE: &str = "struct { ManagedClusterName string; ManagedClusterLabels map[string]string; \
    PolicyMetadata map[string]interface {} }";

pub(super) fn render(
    templates: &Templates,
    definition: &Json,
    context: &HubContext,
    lookup: &dyn Lookup,
) -> (Result<HubRendered, RenderError>, Asked) {
    if !holds(definition, &Language::Hub.delimiters().left) {
        let definition = definition.clone();
        let protected = ProtectedValues::default();
        return (Ok(HubRendered { definition, protected, sensitive: false }), Asked::default());
    }
    let own = [ClusterScoped::managed_cluster(&context.cluster)];
    let rules = Rules {
        restriction: context
            .is_restricted
            .then_some(Restriction { namespace: &context.policy_namespace, cluster_scoped: &own }),
        protection: context.encryption.clone().map_or(Protection::Tokens, Protection::Encrypted),
        additional_indentation: HUB_ADDITIONAL_INDENTATION,
        ambient: context.ambient,
        ..Rules::default()
    };
    let mut session = Session::new(lookup, rules);
    let source = Source::Json(definition);
    let result = resolve(templates, &source, Language::Hub, &struct_of(context), &mut session);
    if session.is_pending() {
        return (Err(not_yet_known(&session.asked)), session.asked);
    }
    let rendered = result.map(|definition| HubRendered {
        definition,
        protected: session.protected,
        sensitive: session.sensitive,
    });
    (rendered, session.asked)
}

/// The context as templates see it.
pub(super) fn struct_of(context: &HubContext) -> Value {
    let fields = vec![
        ("ManagedClusterName", Value::text(&context.cluster)),
        ("ManagedClusterLabels", Value::text_map(&context.labels)),
        ("PolicyMetadata", Value::from_json(&context.policy_metadata)),
    ];
    Value::Struct(Rc::new(Struct::new(CONTEXT_TYPE, fields)))
}

/// Whether a string or key of a value holds a text.
pub(super) fn holds(value: &Json, wanted: &str) -> bool {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
        Json::String(text) => text.contains(wanted),
        Json::Array(items) => items.iter().any(|item| holds(item, wanted)),
        Json::Object(fields) => fields.iter().any(|(key, item)| key.contains(wanted) || holds(item, wanted)),
    }
}
