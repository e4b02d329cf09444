//! The status of a ConfigurationPolicy as a value, and the messages that go with it: takes what is told of each object
//! template and the status before, gives the status after it and what was said on the way, oldest first.
//!
//! The one source of both: `flotilla hub`, `flotilla plan`, `flotilla dryrun` and the conformance tests read them here.
//! Time is an argument; nothing here knows of clusters, clients or templates. The rules are upstream's
//! (`spec/ocm-semantics.md` sections 2.6 and 2.7).

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Map;

use super::message::{Finding, final_message, template_verdict, truncated};
use super::{HISTORY_LENGTH, TemplateVerdict};
use crate::api::object::Manifest;
use crate::api::ocm::configuration_policy_status::{
    Condition, ConfigurationCompliance, ConfigurationPolicyStatus, HistoryEvent, ObjectProperties,
    RelatedObject, TemplateStatus,
};

/// A related object, with what a difference in full is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// As it stands in the status.
    pub object: RelatedObject,
    /// The object as it is stored; `None` where there is none, or several.
    pub existing: Option<Arc<Manifest>>,
    /// The object as it is or would be updated; `None` where nothing differs.
    pub updated: Option<Arc<Manifest>>,
    /// The object as it is now; `None` where there is none.
    pub current: Option<Arc<Manifest>>,
}

/// What is told of one object template.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateReport {
    /// Plural resource name (`schedules`); empty where the kind is not known.
    pub resource: String,
    /// What was found, then what came of it: each inner list is told as a whole, and the last one stays.
    pub batches: Vec<Vec<Finding>>,
    /// The objects it is about.
    pub related: Vec<Related>,
}

/// What is told of a ConfigurationPolicy.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// Object template by object template.
    Templates(Vec<TemplateReport>),
    /// One thing about the whole, and no related object.
    Whole(TemplateVerdict),
    /// One thing about the whole that leaves the related objects as they were: nothing was looked at.
    Unexamined(TemplateVerdict),
    /// It is being deleted, but these objects are not gone: `/v1, Kind=Pod "name" in namespace ns`.
    Terminating(Vec<String>),
}

/// What surrounds an evaluation.
pub struct Circumstances<'a> {
    /// The status before.
    pub previous: &'a ConfigurationPolicyStatus,
    /// `metadata.generation` of the ConfigurationPolicy.
    pub generation: i64,
    /// Whether `evaluationInterval` says that it is not evaluated again: when compliant, when not.
    pub never: Never,
    /// Why parts of it are held back until something else happens. Told instead of the rest.
    pub waiting: &'a [String],
    /// The message that the policy's author wants for a status, given the ordinary one.
    pub wording: &'a (dyn Fn(&ConfigurationPolicyStatus, &[Related], &str) -> String + Sync),
    /// The time of the evaluation.
    pub now: Timestamp,
}

/// When a policy is not evaluated again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Never {
    /// Once it is compliant.
    pub compliant: bool,
    /// Once it is not.
    pub noncompliant: bool,
}

/// What an evaluation comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The status.
    pub status: ConfigurationPolicyStatus,
    /// What was said, oldest first. The last one is the state now; it may have been said before.
    pub messages: Vec<String>,
    /// The related objects of the status, in their order.
    pub related: Vec<Related>,
}

/// The wording of a policy without messages of its own.
pub fn ordinary_wording(_: &ConfigurationPolicyStatus, _: &[Related], ordinary: &str) -> String {
    ordinary.to_owned()
}

/// Writes the status.
pub fn assess(report: Report, circumstances: &Circumstances<'_>) -> Assessment {
    let mut telling = Telling {
        status: circumstances.previous.clone(),
        related: Vec::new(),
        messages: Vec::new(),
        circumstances,
        news: circumstances.previous.last_evaluated_generation != circumstances.generation,
    };
    match report {
        Report::Whole(verdict) => {
            telling.status.related_objects.clear();
            telling.say_of_whole(&verdict);
        }
        Report::Unexamined(verdict) => telling.say_of_whole(&verdict),
        Report::Terminating(remaining) => {
            let message = format!("Failed to delete objects: {}", remaining.join(", "));
            let verdict = TemplateVerdict { compliant: false, reason: CLEANUP_ERROR.to_owned(), message };
            telling.say_of_whole(&verdict);
        }
        Report::Templates(templates) => telling.say_of_templates(templates),
    }
    telling.finish()
}

/// Reason of the condition while objects of a deleted policy are not gone.
const CLEANUP_ERROR: &str = "Error cleaning up child objects";

struct Telling<'a> {
    status: ConfigurationPolicyStatus,
    related: Vec<Related>,
    messages: Vec<String>,
    circumstances: &'a Circumstances<'a>,
    /// Whether there is something to say although the message is the same.
    news: bool,
}

impl Telling<'_> {
    fn say_of_whole(&mut self, verdict: &TemplateVerdict) {
        self.status.compliancy_details.truncate(1);
        self.news |= self.set(0, verdict);
    }

    fn say_of_templates(&mut self, templates: Vec<TemplateReport>) {
        self.status.compliancy_details.truncate(templates.len());
        let mut related = Vec::new();
        for (index, template) in templates.into_iter().enumerate() {
            for object in template.related {
                add(&mut related, object);
            }
            let verdicts: Vec<TemplateVerdict> = template
                .batches
                .iter()
                .map(|findings| template_verdict(&template.resource, findings))
                .collect();
            let Some((last, earlier)) = verdicts.split_last() else { continue };
            // What fails again and again in the same words is told once.
            if !earlier.is_empty() && !last.compliant && self.says(index, last) {
                continue;
            }
            for verdict in earlier {
                if self.set(index, verdict) {
                    self.news = true;
                    self.tell(true);
                }
            }
            self.news |= self.set(index, last);
        }
        related.sort_by(|left: &Related, right: &Related| identity(left).cmp(&identity(right)));
        for object in &mut related {
            self.carry_over(&mut object.object);
        }
        self.status.related_objects = related.iter().map(|related| related.object.clone()).collect();
        self.related = related;
    }

    /// What is known of the same object from before: who created it, and how it was last changed.
    fn carry_over(&self, object: &mut RelatedObject) {
        let Some(properties) = &mut object.properties else { return };
        let before = self.circumstances.previous.related_objects.iter();
        let before = before.filter(|before| before.object == object.object);
        let Some(before) = before.filter_map(|before| before.properties.as_ref()).next_back() else { return };
        if before.uid != properties.uid {
            return;
        }
        if before.created_by_policy == Some(true) {
            properties.created_by_policy = Some(true);
        }
        let settled = object.compliant == ConfigurationCompliance::Compliant.as_str();
        if settled && properties.diff.is_empty() && !properties.matches_after_dry_run {
            properties.diff.clone_from(&before.diff);
        }
    }

    /// Whether the details say so already.
    fn says(&self, index: usize, verdict: &TemplateVerdict) -> bool {
        let message = self.wanted_message(verdict);
        self.status.compliancy_details.get(index).is_some_and(|detail| {
            detail.compliant == Some(state_of(verdict))
                && detail.conditions.last().is_some_and(|condition| {
                    condition.reason == verdict.reason
                        && condition.message == message
                        && condition.type_ == verdict.condition_type()
                })
        })
    }

    fn wanted_message(&self, verdict: &TemplateVerdict) -> String {
        let never = self.circumstances.never;
        if if verdict.compliant { never.compliant } else { never.noncompliant } {
            final_message(&verdict.message, verdict.compliant)
        } else {
            verdict.message.clone()
        }
    }

    /// Sets what is said of a template; whether that is new.
    fn set(&mut self, index: usize, verdict: &TemplateVerdict) -> bool {
        if self.says(index, verdict) {
            return false;
        }
        let condition = Condition {
            type_: verdict.condition_type().to_owned(),
            status: "True".to_owned(),
            last_transition_time: seconds(self.circumstances.now),
            reason: verdict.reason.clone(),
            message: self.wanted_message(verdict),
        };
        while self.status.compliancy_details.len() <= index {
            self.status.compliancy_details.push(TemplateStatus::default());
        }
        self.status.compliancy_details[index] = TemplateStatus {
            compliant: Some(state_of(verdict)),
            validity: Map::new(),
            conditions: vec![condition],
        };
        true
    }

    /// Says what the details say now.
    fn tell(&mut self, event: bool) {
        let before = self.status.compliant;
        self.status.compliant = self.state();
        let now = self.circumstances.now;
        self.status.last_evaluated = seconds(now);
        self.status.last_evaluated_generation = self.circumstances.generation;
        let said = self.ordinary_message();
        let worded = (self.circumstances.wording)(&self.status, &self.related, &said);
        let message = truncated(prefixed(worded, self.status.compliant));
        let known = self.status.history.first().is_some_and(|newest| newest.message == message);
        if event || before != self.status.compliant || !known {
            let last_timestamp = now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
            self.status.history.insert(0, HistoryEvent { last_timestamp, message: message.clone() });
            self.status.history.truncate(HISTORY_LENGTH);
        }
        self.messages.push(message);
    }

    fn state(&self) -> Option<ConfigurationCompliance> {
        let details = &self.status.compliancy_details;
        let any = |state| details.iter().any(|detail| detail.compliant == Some(state));
        if !self.circumstances.waiting.is_empty() {
            Some(ConfigurationCompliance::Pending)
        } else if details.is_empty() {
            None
        } else if any(ConfigurationCompliance::Terminating) {
            Some(ConfigurationCompliance::Terminating)
        } else {
            Some(ConfigurationCompliance::of(!any(ConfigurationCompliance::NonCompliant)))
        }
    }

    fn ordinary_message(&self) -> String {
        let Some(state) = self.status.compliant else { return "ComplianceState is still unknown".to_owned() };
        if state == ConfigurationCompliance::Pending {
            return format!("{state}; {}", self.circumstances.waiting.join("; "));
        }
        let mut message = state.to_string();
        for detail in &self.status.compliancy_details {
            message.push_str("; ");
            if let Some(condition) = detail.conditions.first() {
                message.push_str(&condition.type_);
                message.push_str(" - ");
                message.push_str(&condition.message);
            }
        }
        message
    }

    fn finish(mut self) -> Assessment {
        self.tell(self.news);
        Assessment { status: self.status, messages: self.messages, related: self.related }
    }
}

fn state_of(verdict: &TemplateVerdict) -> ConfigurationCompliance {
    if verdict.reason == CLEANUP_ERROR {
        return ConfigurationCompliance::Terminating;
    }
    ConfigurationCompliance::of(verdict.compliant)
}

/// The compliance stands before every message: whoever reads Events looks for it there.
fn prefixed(message: String, state: Option<ConfigurationCompliance>) -> String {
    match state {
        Some(state) if !message.starts_with(&format!("{state}; ")) => format!("{state}; {message}"),
        Some(_) | None => message,
    }
}

/// One entry per object: of two templates about the same one, the bad news stays.
fn add(related: &mut Vec<Related>, new: Related) {
    let Some(known) = related.iter_mut().find(|known| known.object.object == new.object.object) else {
        related.push(new);
        return;
    };
    let created = |object: &RelatedObject| {
        object.properties.as_ref().and_then(|properties| properties.created_by_policy) == Some(true)
    };
    let either = created(&known.object) || created(&new.object);
    if known.object.compliant != new.object.compliant
        && new.object.compliant == ConfigurationCompliance::NonCompliant.as_str()
    {
        *known = new;
    }
    if either {
        let properties = known.object.properties.get_or_insert_with(ObjectProperties::default);
        properties.created_by_policy = Some(true);
    }
}

fn identity(related: &Related) -> (&str, &str, &str) {
    let object = &related.object.object;
    (&object.kind, &object.metadata.namespace, &object.metadata.name)
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
