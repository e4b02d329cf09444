//! Planned changes as they are printed.

use std::fmt::Write;

use serde::Serialize;

use crate::api::object::{Manifest, ObjectKey};
use crate::pipeline::compare::{Redaction, deletion_diff, diff};
use crate::pipeline::policy::PolicyKey;

/// What would be done about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Kind {
    /// It is created.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// Something is held back.
    Hold,
    /// It differs, and is left as it is.
    Differ,
}

impl Kind {
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Hold => "hold",
            Self::Differ => "differ",
        }
    }
}

/// What would be done about one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::cli) struct Change {
    pub(in crate::cli) action: Kind,
    pub(in crate::cli) check: String,
    #[serde(rename = "apiVersion")]
    pub(in crate::cli) api_version: String,
    pub(in crate::cli) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) namespace: Option<String>,
    pub(in crate::cli) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) reason: Option<String>,
    /// The policy with which it collides.
    #[serde(rename = "collidesWith", skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) collides_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) diff: Option<String>,
}

impl Change {
    pub(in crate::cli) fn new(check: &str, key: &ObjectKey, action: Kind) -> Self {
        Self {
            action,
            check: check.to_owned(),
            api_version: key.gvk.api_version(),
            kind: key.gvk.kind.clone(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            reason: None,
            collides_with: None,
            diff: None,
        }
    }

    /// With the difference, redacted.
    pub(in crate::cli) fn showing(
        mut self,
        existing: Option<&Manifest>,
        updated: &Manifest,
        redaction: Redaction,
    ) -> Self {
        let text = diff(existing, updated, redaction);
        self.diff = (!text.is_empty()).then_some(text);
        self
    }

    /// With all that goes, redacted.
    pub(super) fn losing(mut self, existing: &Manifest, redaction: Redaction) -> Self {
        self.diff = Some(deletion_diff(existing, redaction));
        self
    }

    /// With the policy that came first.
    pub(super) fn colliding(mut self, with: &PolicyKey) -> Self {
        self.collides_with = Some(with.to_string());
        self
    }

    /// With the reason.
    pub(super) fn because(mut self, reason: String) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Whether it changes the cluster.
    pub(in crate::cli) fn changes(&self) -> bool {
        match self.action {
            Kind::Create | Kind::Update | Kind::Delete => true,
            Kind::Hold | Kind::Differ => false,
        }
    }

    /// `namespace/name`.
    pub(in crate::cli) fn full_name(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }

    fn write_text(&self, text: &mut String) {
        let name = self.full_name();
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let check = if self.check.is_empty() { String::new() } else { format!(" ({})", self.check) };
        let _written = writeln!(text, "  {:6} {} {name}{check}{reason}", self.action.word(), self.kind);
        // What is deleted is told by its name.
        let shown = self.diff.iter().filter(|_| self.action != Kind::Delete);
        for line in shown.flat_map(|diff| diff.lines()) {
            let _written = writeln!(text, "      {line}");
        }
    }
}

/// One policy on one cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::cli) struct PolicyPlan {
    pub(in crate::cli) policy: String,
    pub(in crate::cli) changes: Vec<Change>,
    pub(in crate::cli) messages: Vec<String>,
}

impl PolicyPlan {
    pub(in crate::cli) fn new(policy: &PolicyKey) -> Self {
        Self { policy: policy.to_string(), changes: Vec::new(), messages: Vec::new() }
    }

    /// Whether anything would be changed on the cluster.
    pub(in crate::cli) fn changes(&self) -> bool {
        self.changes.iter().any(Change::changes)
    }

    /// Writes a heading and its changes and messages; nothing where there are none.
    pub(in crate::cli) fn write_text(&self, cluster: &str, text: &mut String) {
        if self.changes.is_empty() && self.messages.is_empty() {
            return;
        }
        let _written = writeln!(text, "{cluster}  {}", self.policy);
        for change in &self.changes {
            change.write_text(text);
        }
        for message in &self.messages {
            let _written = writeln!(text, "  {}", message.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(value: &str) -> Manifest {
        Manifest::parse(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"},
            "data": {"password": value}}),
        )
        .unwrap()
    }

    #[test]
    fn a_difference_shows_that_a_secret_changes_and_not_how() {
        let mut plan = PolicyPlan::new(&PolicyKey::new("p", "install"));
        assert!(!plan.changes());
        let key = secret("QQ==").key().unwrap();
        plan.changes.push(Change::new("check", &key, Kind::Update).showing(
            Some(&secret("QQ==")),
            &secret("Qg=="),
            Redaction::Secrets,
        ));
        assert!(plan.changes());
        let mut text = String::new();
        plan.write_text("c1", &mut text);
        assert!(
            text.starts_with("c1  p/install\n  update Secret ns/s (check)\n      --- ns/s : existing\n"),
            "{text}"
        );
        assert!(text.contains("+  password: <redacted 2>") && !text.contains("Qg=="), "{text}");
        let json = serde_json::to_string(&plan).unwrap();
        assert!(json.contains("\"action\":\"update\"") && !json.contains("Qg=="), "{json}");
    }

    #[test]
    fn what_is_held_back_is_no_change() {
        let mut plan = PolicyPlan::new(&PolicyKey::new("p", "restore"));
        let key = secret("").key().unwrap();
        plan.changes
            .push(Change::new("check", &key, Kind::Hold).because("the Backup is not there".to_owned()));
        assert!(!plan.changes());
        let mut text = String::new();
        plan.write_text("c1", &mut text);
        assert_eq!(text, "c1  p/restore\n  hold   Secret ns/s (check): the Backup is not there\n");
    }
}
