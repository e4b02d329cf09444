//! Reader of the credentials: base64 of a file. No finding shows a part of it, encoded or decoded.

use super::base64_text;
use super::diagnostic::{Diagnostic, Fault};
use super::forms::Form;
use super::placeholder::{has_placeholder, placeholders};
use super::types::Credentials;
use super::value::Subject;

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
        let finding =
            finding(subject, Fault::Placeholder, "still has a placeholder of the sample in the decoded text")
                .found(shown)
                .decoded_at(mark);
        subject.report(finding);
    }
}
