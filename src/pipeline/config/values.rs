//! Readers of single values: each takes the subject, gives the value, and reports all findings.

use super::cron::{Cron, CronError, Field, Older};
use super::diagnostic::Fault;
use super::forms::Form;
use super::go_duration::{GoDuration, GoDurationError};
use super::table::PINNED_VELERO;
use super::types::{BackupSchedule, Channel, NamePrefix, Namespace, ObjectName, TimeToLive, VeleroVersion};
use super::value::Subject;
use crate::api::dns;
use crate::yaml::Mark;

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
#[expect(clippy::option_option, reason = "the outer one tells an error from a value, as in every reader")]
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

/// Channels that only operator catalogs of years ago have.
const OBSOLETE_CHANNELS: [&str; 3] = ["stable-1.0", "stable-1.1", "stable-1.2"];
/// Where the channels of a catalog are seen.
const CHANNELS_OF_A_CATALOG: &str = "`kubectl get packagemanifest redhat-oadp-operator -o jsonpath='{.status.channels[*].name}'` on a cluster names those of its \
     catalog";

/// The channel that is taken where none is written. It is that of the policies that users have, and today's catalogs lack it.
pub(super) fn default_channel(subject: &mut Subject<'_>) -> Channel {
    let message = format!(
        "is left out, and the operator is then asked for in {}, a channel that newer operator catalogs no longer have",
        subject.text
    );
    let finding = subject
        .finding(Fault::Obsolete, message)
        .hint(format!("write one, for example channel: stable-1.5; {CHANNELS_OF_A_CATALOG}"));
    subject.report(finding);
    Channel::checked(subject.text)
}

pub(super) fn channel(subject: &mut Subject<'_>) -> Option<Channel> {
    if subject.text.is_empty() || subject.text.contains(char::is_whitespace) {
        let expected = Form::Channel.expected();
        subject.invalid("is not the name of an operator channel", expected, "for example stable-1.5");
        return None;
    }
    if OBSOLETE_CHANNELS.contains(&subject.text) {
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
        Ok(cron) => {
            schedule_is_doubtful(subject, &cron);
            Some(BackupSchedule { text: subject.text.to_owned(), cron })
        }
        Err(error) => {
            let (message, mark) = match &error {
                CronError::Expression { problem, .. } => {
                    (format!("is not a schedule, {problem}"), Mark::START)
                }
                CronError::Field { field, problem, .. } => (
                    format!("is not a schedule, the {field} field: {problem}"),
                    place_of(*field, subject.text),
                ),
            };
            let expected = Form::Schedule.expected();
            subject.invalid_entry(mark, subject.text, message, expected, "for example 0 */1 * * *");
            None
        }
    }
}

/// Where a field of a cron expression begins.
fn place_of(field: Field, text: &str) -> Mark {
    let zoned = text.starts_with("TZ=") || text.starts_with("CRON_TZ=");
    let mut before = field.position() + usize::from(zoned);
    let mut inside = false;
    for (offset, letter) in text.char_indices() {
        let begins = !inside && !letter.is_whitespace();
        inside = !letter.is_whitespace();
        match (begins, before) {
            (true, 0) => return Mark::at(text, offset),
            (true, _) => before -= 1,
            (false, _) => {}
        }
    }
    Mark::START
}

fn schedule_is_doubtful(subject: &mut Subject<'_>, cron: &Cron) {
    let doubt = if cron.is_never_due() {
        Some(("is never due: no backup is ever made", "for example 0 */1 * * *"))
    } else {
        match cron.older() {
            Some(Older::Refused) => Some((
                "is refused by Velero before 1.18.3",
                "write Sunday as 0, split a range that goes over the end in two, and no quotes around a time zone",
            )),
            Some(Older::WithoutSunday) => Some((
                "ends on Saturday before Velero 1.18.3, and reaches Sunday from then on",
                "list the days, for example 1,3,5",
            )),
            Some(Older::EitherDay) => Some((
                "restricts the day of month and the day of week: Velero before 1.18.3 runs on a day that satisfies either, \
                 later ones only where both hold",
                "put * in one of the two",
            )),
            None => None,
        }
    };
    if let Some((message, hint)) = doubt {
        let finding = subject.finding(Fault::Doubtful, message).found(subject.text).hint(hint);
        subject.report(finding);
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

#[cfg(test)]
mod tests {
    use super::super::Form;
    use super::super::value::Subject;

    /// Every rule of a single value once; the table of broken ConfigMaps in `tests/fixtures/config` has more.
    #[test]
    fn values_are_judged() {
        let long = "a".repeat(64);
        for (form, value, expected) in [
            (Form::Boolean, "true", None),
            (Form::Boolean, "0", None),
            (Form::Boolean, "yes", Some("not a boolean")),
            (Form::Namespace, "acm-app-backup", None),
            (Form::Namespace, "a.b", Some("not the name of a namespace")),
            (Form::Namespace, &long, Some("not the name of a namespace")),
            (Form::ObjectName, "a.b-1", None),
            (Form::ObjectName, "A", Some("not the name of an object")),
            (Form::OptionalObjectName, "", None),
            (Form::NamePrefix, "acm-pv", None),
            (Form::NamePrefix, "acm-", None),
            (Form::NamePrefix, "-acm", Some("cannot begin")),
            (Form::NamePrefix, "", Some("cannot begin")),
            (Form::NamePrefix, "Acm", Some("cannot begin")),
            (Form::Channel, "stable-1.5", None),
            (Form::Channel, "stable-1.1", Some("obsolete")),
            (Form::Channel, "", Some("not the name")),
            (Form::Schedule, "0 */1 * * *", None),
            (Form::Schedule, "hourly", Some("exactly 5 fields")),
            (Form::Schedule, "0 0 * * 7", Some("before 1.18.3")),
            (Form::Schedule, "0 0 1 * 1", Some("satisfies either")),
            (Form::Schedule, "0 0 30 2 *", Some("never due")),
            (Form::TimeToLive, "240h0m0s", None),
            (Form::TimeToLive, "1.5h", None),
            (Form::TimeToLive, "720h", None),
            (Form::TimeToLive, "0", Some("is zero")),
            (Form::TimeToLive, "10d", Some("unknown unit")),
            (Form::TimeToLive, "240", Some("missing unit")),
            (Form::TimeToLive, "-1h", Some("must not be negative")),
            (Form::IncludedNamespaces, r#"["a", "b", ]"#, None),
            (Form::IncludedNamespaces, "[a, 'b*']", None),
            (Form::IncludedNamespaces, "['*']", None),
            (Form::IncludedNamespaces, "['*', a]", Some("beside other")),
            (Form::IncludedNamespaces, "['a**']", Some("'**'")),
            (Form::IncludedNamespaces, "['a[b']", Some("cannot read")),
            (Form::IncludedNamespaces, "[]", Some("every namespace")),
            (Form::IncludedNamespaces, "a, b", Some("must be a list, it is a string")),
            (Form::IncludedNamespaces, "[a, 7]", Some("must have texts only, one entry is a number")),
            (Form::IncludedNamespaces, "[A]", Some("not the name of a namespace")),
            (Form::IncludedNamespaces, "[a", Some("is not YAML")),
            (Form::IncludedNamespaces, "- a\n- b\n", Some("refuses line breaks")),
            (Form::ExcludedResources, "[]", None),
            (Form::ExcludedResources, r#"["secrets"]"#, None),
            (Form::ExcludedResources, r#"["*"]"#, Some("Velero refuses")),
            (Form::ExcludedResources, "", Some("must be a list, it is nothing")),
            (Form::StorageClasses, r#"{ "managed-csi": "thin", }"#, None),
            (Form::StorageClasses, "{}", None),
            (Form::StorageClasses, "{a: true}", Some("storage class")),
            (Form::StorageClasses, "[a]", Some("must be a mapping, it is a list")),
            (Form::ClusterSelector, "env=prod,tier in (a,b),!x", None),
            (Form::ClusterSelector, "{matchLabels: {env: prod}}", None),
            (Form::ClusterSelector, "env in prod", Some("must be one word")),
            (Form::ClusterSets, "[]", Some("no cluster")),
            (Form::InstallMode, "OADP", Some("write oadp")),
            (Form::VeleroVersion, "v1.18.3", None),
            (Form::VeleroVersion, "1.18", Some("not a release")),
            (Form::OnDelete, "pause", Some("expected keep or remove")),
        ] {
            let mut subject = Subject::new("k", value);
            let read = form.examine(&mut subject);
            let findings: Vec<_> = subject.findings.iter().map(ToString::to_string).collect();
            match expected {
                None => assert!(findings.is_empty() && read.is_some(), "{value}: {findings:?}"),
                Some(part) => {
                    assert!(findings.len() == 1 && findings[0].contains(part), "{value}: {findings:?}");
                }
            }
        }
    }
}
