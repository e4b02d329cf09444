//! The history of a replicated policy's templates: takes the details so far and the message of each template, gives the
//! details to write. A message that is already the newest one adds nothing, so a restart repeats no event.

use jiff::Timestamp;

use crate::api::ocm::policy::{ComplianceState, HistoryEntry, TemplateDetail, TemplateMeta};

/// How many entries a history holds.
pub const HISTORY_LENGTH: usize = 10;

/// What Kubernetes puts before the message of events that it combined.
const COMBINED: &str = "(combined from similar events):";

/// What a template has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateMessage<'a> {
    /// Name of the template's object.
    pub template: &'a str,
    /// Its messages since the last record, oldest first; none while nothing is known.
    pub messages: &'a [String],
}

/// Details after a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// One entry for each template, in the order of the templates.
    pub details: Vec<TemplateDetail>,
    /// The entries that are new, oldest first, each with the name of its template: the events to send.
    pub added: Vec<(String, HistoryEntry)>,
    /// Whether the details differ from those before.
    pub changed: bool,
}

/// Records what the templates of a replicated policy say at `time`. `policy` is the policy's own name, the stem of the
/// events' names. Templates that are no longer in the policy lose their details.
pub fn record(
    details: &[TemplateDetail],
    policy: &str,
    templates: &[TemplateMessage<'_>],
    time: Timestamp,
) -> Recorded {
    let mut added = Vec::new();
    let recorded: Vec<TemplateDetail> = templates
        .iter()
        .map(|template| {
            let mut detail = details
                .iter()
                .find(|detail| detail.template_meta.name == template.template)
                .cloned()
                .unwrap_or_else(|| TemplateDetail {
                    template_meta: TemplateMeta {
                        name: template.template.to_owned(),
                        creation_timestamp: None,
                    },
                    ..TemplateDetail::default()
                });
            for message in news(&detail.history, template.messages) {
                if let Some(entry) = prepend(&mut detail.history, policy, message, time) {
                    added.push((template.template.to_owned(), entry));
                }
            }
            if let Some(newest) = detail.history.first() {
                detail.compliant = Some(compliance_of_message(&newest.message));
            }
            detail
        })
        .collect();
    Recorded { changed: recorded != details, details: recorded, added }
}

/// What of the messages is worth an entry: what fails again and again in the same words is told once.
fn news<'a>(history: &[HistoryEntry], messages: &'a [String]) -> &'a [String] {
    match (history.first(), messages.last()) {
        (Some(newest), Some(last))
            if newest.message == last.trim()
                && compliance_of_message(last) == ComplianceState::NonCompliant =>
        {
            &[]
        }
        _ => messages,
    }
}

/// Adds an entry unless it says what the newest one says.
fn prepend(
    history: &mut Vec<HistoryEntry>,
    policy: &str,
    message: &str,
    time: Timestamp,
) -> Option<HistoryEntry> {
    let message = message.trim();
    if history.first().is_some_and(|newest| newest.message == message) {
        return None;
    }
    // Readers order entries by the time in the event's name, so that two of one instant must not share it.
    let mut nanoseconds = time.as_nanosecond();
    let newest = history.first().and_then(|newest| nanoseconds_of(&newest.event_name));
    if let Some(newest) = newest.filter(|newest| *newest >= nanoseconds) {
        nanoseconds = newest + 1;
    }
    let at = Timestamp::from_nanosecond(nanoseconds).unwrap_or(time);
    let entry = HistoryEntry {
        last_timestamp: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        message: message.to_owned(),
        event_name: event_name(policy, at),
    };
    history.insert(0, entry.clone());
    history.truncate(HISTORY_LENGTH);
    Some(entry)
}

/// The name of an event as Kubernetes' own recorders build it: the object's name and the time in hexadecimal
/// nanoseconds.
pub fn event_name(policy: &str, time: Timestamp) -> String {
    format!("{policy}.{:016x}", time.as_nanosecond())
}

fn nanoseconds_of(event_name: &str) -> Option<i128> {
    let (_, time) = event_name.rsplit_once('.')?;
    i64::from_str_radix(time, 16).ok().map(i128::from)
}

/// The compliance that a message tells by its first word; anything unknown is non-compliant.
pub fn compliance_of_message(message: &str) -> ComplianceState {
    let message = message.strip_prefix(COMBINED).unwrap_or(message).trim_start();
    let starts_with =
        |word: &str| message.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if starts_with("compliant") {
        ComplianceState::Compliant
    } else if starts_with("pending") {
        ComplianceState::Pending
    } else {
        ComplianceState::NonCompliant
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const POLICY: &str = "policies.acm-app-backup";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn one(details: &[TemplateDetail], message: &str, time: &str) -> Recorded {
        let messages = [message.to_owned()];
        record(details, POLICY, &[TemplateMessage { template: "check", messages: &messages }], at(time))
    }

    #[rstest]
    #[case("Compliant; notification - x", ComplianceState::Compliant)]
    #[case("compliant", ComplianceState::Compliant)]
    #[case("(combined from similar events): Compliant; x", ComplianceState::Compliant)]
    #[case("Pending; Dependencies were not satisfied", ComplianceState::Pending)]
    #[case("NonCompliant; violation - x", ComplianceState::NonCompliant)]
    #[case("template-error; x", ComplianceState::NonCompliant)]
    #[case("", ComplianceState::NonCompliant)]
    #[case("compliän", ComplianceState::NonCompliant)]
    fn the_first_word_counts(#[case] message: &str, #[case] expected: ComplianceState) {
        assert_eq!(compliance_of_message(message), expected);
    }

    #[test]
    fn an_entry_has_the_format_of_the_field() {
        let recorded = one(&[], "Compliant; notification - x", "2024-05-06T07:08:09.123456789Z");
        assert!(recorded.changed);
        assert_eq!(
            serde_json::to_value(&recorded.details).unwrap(),
            json!([{"templateMeta": {"name": "check", "creationTimestamp": null}, "compliant": "Compliant",
                "history": [{"lastTimestamp": "2024-05-06T07:08:09Z", "message": "Compliant; notification - x",
                    "eventName": "policies.acm-app-backup.17ccd493bd5b0715"}]}])
        );
        assert_eq!(i64::from_str_radix("17ccd493bd5b0715", 16).unwrap(), 1_714_979_289_123_456_789);
    }

    #[test]
    fn an_unchanged_message_adds_nothing() {
        let first = one(&[], "Compliant; x", "2024-05-06T07:08:09Z");
        let again = one(&first.details, "Compliant; x", "2024-05-06T07:09:09Z");
        assert!(!again.changed);
        assert_eq!(again.added, []);
        assert_eq!(again.details, first.details);
    }

    #[test]
    fn the_newest_comes_first_and_ten_are_kept() {
        let mut details = Vec::new();
        for index in 0..12 {
            details =
                one(&details, &format!("NonCompliant; {index}"), &format!("2024-05-06T07:08:{index:02}Z"))
                    .details;
        }
        let messages: Vec<&str> = details[0].history.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!(messages.len(), HISTORY_LENGTH);
        assert_eq!((messages[0], messages[9]), ("NonCompliant; 11", "NonCompliant; 2"));
    }

    #[test]
    fn two_messages_of_one_instant_keep_their_order() {
        let messages = ["NonCompliant; not found".to_owned(), "Compliant; created".to_owned()];
        let template = TemplateMessage { template: "check", messages: &messages };
        let recorded = record(&[], POLICY, &[template], at("2024-05-06T07:08:09Z"));
        let names: Vec<_> =
            recorded.added.iter().map(|(_, entry)| nanoseconds_of(&entry.event_name).unwrap()).collect();
        assert_eq!(names[1], names[0] + 1);
        assert_eq!(recorded.details[0].history[0].message, "Compliant; created");
        assert_eq!(recorded.details[0].compliant, Some(ComplianceState::Compliant));
    }

    #[test]
    fn templates_come_and_go_with_the_policy() {
        let first = one(&[], "Compliant; x", "2024-05-06T07:08:09Z");
        let silent = TemplateMessage { template: "other", messages: &[] };
        let recorded = record(&first.details, POLICY, &[silent], at("2024-05-06T07:08:10Z"));
        assert!(recorded.changed);
        assert_eq!(recorded.details.len(), 1);
        assert_eq!(
            (recorded.details[0].template_meta.name.as_str(), recorded.details[0].compliant),
            ("other", None)
        );
    }
}
