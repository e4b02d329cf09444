//! Reader of the credentials: base64 of a file. No finding shows a part of it, encoded or decoded.

use super::base64_text;
use super::diagnostic::{Diagnostic, Fault};
use super::forms::Form;
use super::placeholder::{has_placeholder, placeholders};
use super::types::Credentials;
use super::value::Subject;
use crate::yaml::Mark;

/// Placeholders that the samples ship are known to be no secret; every other is masked.
const OF_THE_SAMPLES: [&str; 2] = ["<id>", "<key>"];
const HINT: &str = "encode the file with the credentials: base64 -w0 credentials-file";

pub(super) fn credentials(subject: &mut Subject<'_>) -> Option<Credentials> {
    let text = subject.text.trim();
    if text.is_empty() {
        report(subject, Fault::Invalid, "is empty");
        return None;
    }
    let Some(decoded) = base64_text::decode(text) else {
        if has_placeholder(text) {
            report(subject, Fault::Placeholder, "still has a placeholder of the sample");
        } else {
            report(subject, Fault::Unreadable, "is not base64");
        }
        return None;
    };
    // Other credentials than text have no placeholders.
    if let Ok(decoded) = String::from_utf8(decoded) {
        examine_text(subject, &decoded);
    }
    subject.unless_faulty(Credentials::checked(text))
}

fn finding(subject: &Subject<'_>, fault: Fault, message: &str) -> Diagnostic {
    subject.finding(fault, message).expected(Form::Credentials.expected()).hint(HINT)
}

fn report(subject: &mut Subject<'_>, fault: Fault, message: &str) {
    let finding = finding(subject, fault, message);
    subject.report(finding);
}

fn examine_text(subject: &mut Subject<'_>, text: &str) {
    if text.trim().is_empty() {
        report(subject, Fault::Invalid, "is empty after decoding");
        return;
    }
    for (placeholder, mark) in placeholders(text) {
        let shown = OF_THE_SAMPLES.into_iter().find(|known| *known == placeholder).unwrap_or("<...>");
        let message = "still has a placeholder of the sample in the decoded text";
        let finding = finding(subject, Fault::Placeholder, message).found(shown).decoded_at(mark);
        subject.report(finding);
    }
    for (doubt, mark) in doubts(text) {
        let finding = subject
            .finding(Fault::Doubtful, doubt.message())
            .expected(
                "a credentials file of AWS: [default], aws_access_key_id=..., aws_secret_access_key=...",
            )
            .hint(HINT)
            .decoded_at(mark);
        subject.report(finding);
    }
}

/// What is odd about a credentials file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    EncodedTwice,
    StrangeLine,
    NoProfile,
    NoIdentity,
    NoSecret,
}

impl Doubt {
    const fn message(self) -> &'static str {
        match self {
            Self::EncodedTwice => "seems to be encoded twice",
            Self::StrangeLine => "has a line that is neither [profile] nor name=value",
            Self::NoProfile => "has no [profile] before the first name=value",
            Self::NoIdentity => "has a profile without aws_access_key_id",
            Self::NoSecret => "has a profile without aws_secret_access_key",
        }
    }
}

/// What stands for an identity and its secret: keys, or another way to get them.
const OTHER_WAYS: [&str; 5] =
    ["role_arn", "credential_process", "web_identity_token_file", "source_profile", "sso_session"];

/// A profile of a credentials file.
struct Profile<'t> {
    name: &'t str,
    mark: Mark,
    fields: Vec<&'t str>,
}

/// Whether the text is for another cloud: a JSON document for Google, `AZURE_...=` for Microsoft.
fn is_for_another_cloud(text: &str) -> bool {
    text.trim_start().starts_with('{') || text.lines().any(|line| line.trim_start().starts_with("AZURE_"))
}

fn profiles<'t>(text: &'t str, doubts: &mut Vec<(Doubt, Mark)>) -> Vec<Profile<'t>> {
    let mut profiles: Vec<Profile<'t>> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mark = Mark { line: index + 1, column: 1 };
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let name = name.trim();
            let name = name.strip_prefix("profile ").unwrap_or(name).trim();
            profiles.push(Profile { name, mark, fields: Vec::new() });
        } else if let Some((name, _)) = line.split_once('=') {
            match profiles.last_mut() {
                Some(profile) => profile.fields.push(name.trim()),
                None if doubts.is_empty() => doubts.push((Doubt::NoProfile, mark)),
                None => {}
            }
        } else {
            doubts.push((Doubt::StrangeLine, mark));
        }
    }
    profiles
}

fn doubts(text: &str) -> Vec<(Doubt, Mark)> {
    if is_for_another_cloud(text) {
        return Vec::new();
    }
    let inner = base64_text::decode(text.trim()).and_then(|inner| String::from_utf8(inner).ok());
    if inner.is_some_and(|inner| inner.contains("aws_") || inner.trim_start().starts_with('[')) {
        return vec![(Doubt::EncodedTwice, Mark::START)];
    }
    let mut doubts = Vec::new();
    for profile in profiles(text, &mut doubts) {
        let has = |name: &str| profile.fields.contains(&name);
        if OTHER_WAYS.into_iter().any(has) {
            continue;
        }
        if !has("aws_access_key_id") {
            doubts.push((Doubt::NoIdentity, profile.mark));
        }
        if !has("aws_secret_access_key") {
            doubts.push((Doubt::NoSecret, profile.mark));
        }
    }
    doubts
}

/// Whether the credentials have a profile; `None` where they are no credentials file of AWS.
pub(super) fn has_profile(encoded: &str, name: &str) -> Option<bool> {
    let text = String::from_utf8(base64_text::decode(encoded.trim())?).ok()?;
    let mut doubts = Vec::new();
    let profiles = profiles(&text, &mut doubts);
    let readable = doubts.is_empty() && !profiles.is_empty() && !is_for_another_cloud(&text);
    readable.then(|| profiles.iter().any(|profile| profile.name == name))
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::super::check;

    const KEY: &str = "dpaAwsBackupCloudCredentials";

    fn encoded(text: &str) -> String {
        base64::engine::general_purpose::STANDARD.encode(text)
    }

    #[test]
    fn credentials_are_judged_and_never_shown() {
        const GOOD: &str = "[default]\naws_access_key_id=AKIAHIDDEN\naws_secret_access_key=hidden\n";
        for (value, expected) in [
            (encoded(GOOD), vec![]),
            (encoded(GOOD).replace('Y', "Y\n"), vec![]),
            (
                encoded("[default]\naws_access_key_id=<id>\naws_secret_access_key=hidden"),
                vec![
                    "line 2 column 19 of the decoded text: still has a placeholder of the sample in the decoded text, found \"<id>\"",
                ],
            ),
            (
                encoded("[default]\naws_access_key_id=hidden\naws_secret_access_key=pa<hidden>word"),
                vec!["found \"<...>\""],
            ),
            ("hidden!".to_owned(), vec!["is not base64"]),
            ("<hidden>".to_owned(), vec!["still has a placeholder"]),
            (String::new(), vec!["is empty"]),
            (encoded("\n"), vec!["is empty after decoding"]),
            (encoded(&encoded(GOOD)), vec!["encoded twice"]),
            (encoded("aws_access_key_id=hidden\naws_secret_access_key=hidden"), vec!["no [profile]"]),
            (
                encoded("# mine\n[default]\naws_access_key_id hidden\naws_secret_access_key=hidden"),
                vec![
                    "line 3 column 1 of the decoded text: has a line",
                    "line 2 column 1 of the decoded text: has a profile without aws_access_key_id",
                ],
            ),
            (
                encoded("[default]\nid=hidden"),
                vec!["without aws_access_key_id", "without aws_secret_access_key"],
            ),
            (encoded("[default]\nrole_arn=hidden\n"), vec![]),
            (encoded("{\"type\": \"service_account\", \"private_key\": \"hidden\"}"), vec![]),
            (encoded("AZURE_SUBSCRIPTION_ID=hidden\nAZURE_CLIENT_SECRET=hidden\n"), vec![]),
        ] {
            let findings: Vec<_> = check(KEY, KEY, &value).iter().map(ToString::to_string).collect();
            assert_eq!(findings.len(), expected.len(), "{value}: {findings:?}");
            for part in expected {
                assert!(findings.iter().any(|finding| finding.contains(part)), "{part}: {findings:?}");
            }
            let shown = findings.iter().any(|finding| finding.to_lowercase().contains("hidden"));
            assert!(!shown, "{findings:?}");
        }
        let own = check("myPassword", "myPassword", "pa<hidden>word");
        assert_eq!((own.len(), own[0].found.as_deref()), (1, Some("<...>")));
    }
}
