//! What a policy last said of a check that leaves a cluster without being evaluated again: takes the root policy as it stands
//! on the hub and the replicated one as it was last evaluated, gives what the check may do and what becomes of its objects.
//!
//! A policy that only informs takes nothing with it, even if it was enforced a moment ago.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::checks::{self, Remediation, template_name};
use crate::api::ocm::configuration_policy::PruneObjectBehavior;
use crate::api::ocm::policy::Policy;

/// How a template begins that is not carried out yet.
const TEMPLATE: &str = "{{";

/// What a policy says of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What the check may do; `None` where it cannot be told.
    pub remediation: Option<Remediation>,
    /// What becomes of objects that it made; `None` where it cannot be told.
    pub prune: Option<PruneObjectBehavior>,
}

/// What the root policy says of a check. `replicated` is the policy as it was last evaluated for the cluster: what is written
/// as a template in the root is as it came out there. `None` where the root has no such template any more.
pub fn of(root: &Policy, replicated: &Value, enforced_by_binding: bool, check: &str) -> Option<Standing> {
    let templates = replicated["spec"]["policy-templates"].as_array();
    let resolved = |index: usize| templates.and_then(|all| Some(&all.get(index)?["objectDefinition"]));
    let has_name = |definition: &Value| template_name(definition) == Some(check);
    let mut all = root.spec.policy_templates.iter().map(|template| &template.object_definition).enumerate();
    let (index, definition) = all.find(|(index, definition)| {
        let is_template = template_name(definition).is_some_and(|name| name.contains(TEMPLATE));
        has_name(definition) || is_template && resolved(*index).is_some_and(has_name)
    })?;
    let resolved = resolved(index).filter(|resolved| has_name(resolved));
    let parent = checks::parent_remediation(root, enforced_by_binding);
    let own = match said(definition, resolved, "remediationAction") {
        Said::This(action) => Some(action),
        Said::Nothing | Said::Unclear => None,
    };
    let prune = match said(definition, resolved, "pruneObjectBehavior") {
        Said::This(prune) => Some(prune),
        Said::Nothing => Some(PruneObjectBehavior::None),
        Said::Unclear => None,
    };
    Some(Standing { remediation: checks::remediation(own, parent), prune })
}

/// What a definition says in a field of its spec.
enum Said<T> {
    /// This.
    This(T),
    /// The field is not there.
    Nothing,
    /// It cannot be told.
    Unclear,
}

fn said<T: DeserializeOwned>(definition: &Value, resolved: Option<&Value>, field: &str) -> Said<T> {
    let mut value = &definition["spec"][field];
    if value.as_str().is_some_and(|text| text.contains(TEMPLATE)) {
        let Some(resolved) = resolved else { return Said::Unclear };
        value = &resolved["spec"][field];
    }
    if value.is_null() || *value == json!("") {
        return Said::Nothing;
    }
    serde_json::from_value(value.clone()).map_or(Said::Unclear, Said::This)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn root(action: Option<&str>, name: &str, spec: &Value) -> Policy {
        let mut policy = json!({"metadata": {"name": "p", "namespace": "ns"}, "spec": {"disabled": false,
            "policy-templates": [{"objectDefinition": {"kind": "Other", "metadata": {"name": "other"}}},
                {"objectDefinition": {"kind": "ConfigurationPolicy", "metadata": {"name": name}, "spec": spec}}]}});
        if let Some(action) = action {
            policy["spec"]["remediationAction"] = json!(action);
        }
        serde_json::from_value(policy).unwrap()
    }

    /// As it was evaluated: it enforced, and what it made was to go with it.
    fn replicated() -> Value {
        json!({"spec": {"policy-templates": [{"objectDefinition": {"metadata": {"name": "other"}}},
            {"objectDefinition": {"metadata": {"name": "a-c1"}, "spec": {"remediationAction": "enforce",
                "pruneObjectBehavior": "DeleteAll"}}}]}})
    }

    const INFORMS: Option<Remediation> = Some(Remediation::Inform);
    const ENFORCES: Option<Remediation> = Some(Remediation::Enforce);
    const GONE: Option<PruneObjectBehavior> = Some(PruneObjectBehavior::DeleteIfCreated);
    const KEPT: Option<PruneObjectBehavior> = Some(PruneObjectBehavior::None);

    #[rstest]
    #[case::as_before(None, json!({"remediationAction": "enforce", "pruneObjectBehavior": "DeleteIfCreated"}), false, ENFORCES, GONE)]
    #[case::the_template_informs(None, json!({"remediationAction": "Inform", "pruneObjectBehavior": "DeleteIfCreated"}), false, INFORMS, GONE)]
    #[case::the_policy_informs(Some("inform"), json!({"remediationAction": "enforce"}), false, INFORMS, KEPT)]
    #[case::a_binding_enforces(Some("inform"), json!({"remediationAction": "inform"}), true, ENFORCES, KEPT)]
    #[case::only_informs(Some("enforce"), json!({"remediationAction": "InformOnly"}), true, INFORMS, KEPT)]
    #[case::nothing_is_pruned(Some("enforce"), json!({"pruneObjectBehavior": "None"}), false, ENFORCES, KEPT)]
    #[case::templates_as_they_came_out(None,
        json!({"remediationAction": "{{hub x hub}}", "pruneObjectBehavior": "{{hub y hub}}"}), false, ENFORCES,
        Some(PruneObjectBehavior::DeleteAll))]
    #[case::nonsense(None, json!({"remediationAction": "sometimes", "pruneObjectBehavior": "maybe"}), false, None, None)]
    fn what_stands_on_the_hub_counts(
        #[case] action: Option<&str>,
        #[case] spec: Value,
        #[case] enforced_by_binding: bool,
        #[case] remediation: Option<Remediation>,
        #[case] prune: Option<PruneObjectBehavior>,
    ) {
        for name in ["a-c1", "a-{{hub .ManagedClusterName hub}}"] {
            let root = root(action, name, &spec);
            let found = of(&root, &replicated(), enforced_by_binding, "a-c1");
            assert_eq!(found, Some(Standing { remediation, prune }), "{name}");
        }
    }

    #[test]
    fn a_template_that_was_taken_out_says_nothing() {
        let root = root(Some("inform"), "b", &json!({}));
        assert_eq!(of(&root, &replicated(), false, "a-c1"), None);
    }
}
