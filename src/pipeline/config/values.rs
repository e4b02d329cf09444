//! Readers of single values: each takes the subject, gives the value, and reports all findings.

use super::cron::Cron;
use super::diagnostic::Fault;
use super::forms::Form;
use super::go_duration::{GoDuration, GoDurationError};
use super::table::PINNED_VELERO;
use super::types::{BackupSchedule, Channel, NamePrefix, Namespace, ObjectName, TimeToLive, VeleroVersion};
use super::value::Subject;
use crate::api::dns;

/// What the template function `toBool` understands; it reads everything else as false without a word.
pub(super) fn parse_boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn boolean(subject: &mut Subject<'_>) -> Option<bool> {
    let value = parse_boolean(subject.text);
    if value.is_none() {
        let meant = match subject.text.trim().to_ascii_lowercase().as_str() {
            "yes" | "y" | "on" | "true" => "write \"true\"",
            "no" | "n" | "off" | "false" => "write \"false\"",
            _ => "",
        };
        subject.invalid("is not a boolean: it would be read as false", Form::Boolean.expected(), meant);
    }
    value
}

/// What would make a name of it, if little is wrong.
fn corrected(text: &str, is_right: fn(&str) -> bool) -> String {
    let plain = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    if plain != text && is_right(&plain) { format!("write {plain}") } else { String::new() }
}

pub(super) fn namespace(subject: &mut Subject<'_>) -> Option<Namespace> {
    if dns::is_label(subject.text) {
        return Some(Namespace::checked(subject.text));
    }
    let hint = corrected(subject.text, dns::is_label);
    subject.invalid("is not the name of a namespace", Form::Namespace.expected(), &hint);
    None
}

pub(super) fn object_name(subject: &mut Subject<'_>) -> Option<ObjectName> {
    named(subject, Form::ObjectName)
}

fn named(subject: &mut Subject<'_>, form: Form) -> Option<ObjectName> {
    if dns::is_subdomain(subject.text) {
        return Some(ObjectName::checked(subject.text));
    }
    let hint = corrected(subject.text, dns::is_subdomain);
    subject.invalid("is not the name of an object", form.expected(), &hint);
    None
}

/// `Some(None)` for the empty text.
pub(super) fn optional_object_name(subject: &mut Subject<'_>) -> Option<Option<ObjectName>> {
    if subject.text.is_empty() { Some(None) } else { named(subject, Form::OptionalObjectName).map(Some) }
}

pub(super) fn name_prefix(subject: &mut Subject<'_>) -> Option<NamePrefix> {
    // A name may end as it likes here, since `-<location>-<cluster>` follows.
    if !subject.text.is_empty() && dns::is_subdomain(&format!("{}x", subject.text)) {
        return Some(NamePrefix::checked(subject.text));
    }
    let hint = corrected(subject.text, dns::is_subdomain);
    subject.invalid("cannot begin the name of a Schedule", Form::NamePrefix.expected(), &hint);
    None
}

pub(super) fn channel(subject: &mut Subject<'_>) -> Option<Channel> {
    if subject.text.is_empty() || subject.text.contains(char::is_whitespace) {
        let expected = Form::Channel.expected();
        subject.invalid("is not the name of an operator channel", expected, "for example stable-1.5");
        return None;
    }
    if matches!(subject.text, "stable-1.0" | "stable-1.1" | "stable-1.2") {
        let finding = subject
            .finding(Fault::Obsolete, "is an obsolete channel that newer operator catalogs no longer have")
            .found(subject.text)
            .hint("if the operator is not found, choose a channel of your catalog, for example stable-1.5");
        subject.report(finding);
    }
    Some(Channel::checked(subject.text))
}

pub(super) fn schedule(subject: &mut Subject<'_>) -> Option<BackupSchedule> {
    match subject.text.parse::<Cron>() {
        Ok(cron) => Some(BackupSchedule { text: subject.text.to_owned(), cron }),
        Err(error) => {
            let message = format!("is not a schedule, {error}");
            subject.invalid(message, Form::Schedule.expected(), "for example 0 */1 * * *");
            None
        }
    }
}

pub(super) fn time_to_live(subject: &mut Subject<'_>) -> Option<TimeToLive> {
    const EXAMPLE: &str = "for example 240h0m0s, which is ten days";
    let parsed: Result<GoDuration, GoDurationError> = subject.text.parse();
    let problem = match parsed {
        Ok(duration) if duration < GoDuration::default() => "it must not be negative".to_owned(),
        Ok(duration) => {
            if duration.is_zero() {
                let finding = subject
                    .finding(Fault::Doubtful, "is zero, which Velero takes for its own default of 720h")
                    .found(subject.text)
                    .hint("write how long backups are to be kept, for example 240h0m0s");
                subject.report(finding);
            }
            return Some(TimeToLive { text: subject.text.to_owned(), duration });
        }
        Err(error) => error.to_string(),
    };
    subject.invalid(format!("is not a duration, {problem}"), Form::TimeToLive.expected(), EXAMPLE);
    None
}

/// One of the words of an enum.
pub(super) fn word<T>(subject: &mut Subject<'_>, form: Form, from_word: fn(&str) -> Option<T>) -> Option<T> {
    let value = from_word(subject.text);
    if value.is_none() {
        let plain = subject.text.trim().to_ascii_lowercase();
        let hint = if from_word(&plain).is_some() { format!("write {plain}") } else { String::new() };
        subject.invalid("is none of its words", form.expected(), &hint);
    }
    value
}

fn version(text: &str) -> Option<VeleroVersion> {
    let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(|number| {
        let plain =
            number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
        if plain { number.parse::<u32>().ok() } else { None }
    });
    let version = VeleroVersion { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
    numbers.next().is_none().then_some(version)
}

pub(super) fn velero_version(subject: &mut Subject<'_>) -> Option<VeleroVersion> {
    let Some(version) = version(subject.text) else {
        let hint = format!("for example {PINNED_VELERO}");
        subject.invalid("is not a release of Velero", Form::VeleroVersion.expected(), &hint);
        return None;
    };
    if (version.major, version.minor) != (1, 18) {
        let finding = subject
            .finding(Fault::Doubtful, "is not a release that Flotilla is tested with")
            .found(subject.text)
            .hint(format!("leave the key out for {PINNED_VELERO}"));
        subject.report(finding);
    }
    Some(version)
}
