//! The examination of one value: what the samples left in it first, then its form.

use super::diagnostic::Fault;
use super::forms::Form;
use super::placeholder::placeholders;
use super::table::Key;
use super::value::Subject;

/// Reports placeholders, then reads the value. `None` where a finding is an error.
pub(super) fn examine<T>(
    key: &Key,
    subject: &mut Subject<'_>,
    parse: impl FnOnce(&mut Subject<'_>) -> Option<T>,
) -> Option<T> {
    // Credentials look for placeholders in the decoded text, and must not show the encoded one.
    if !key.is_secret() {
        report_placeholders(subject, false);
    }
    let value = match key.form {
        // A specification is checked around its placeholders.
        Form::DataProtectionApplication => parse(subject),
        _ if subject.findings.is_empty() => parse(subject),
        _ => None,
    };
    value.and_then(|value| subject.unless_faulty(value))
}

/// Reports placeholders that were never filled in.
pub(super) fn report_placeholders(subject: &mut Subject<'_>, is_secret: bool) {
    for (placeholder, mark) in placeholders(subject.text) {
        let finding = subject
            .finding(Fault::Placeholder, "still has a placeholder of the sample")
            .found(if is_secret { "<...>" } else { &placeholder })
            .hint("replace it with your value")
            .at(mark);
        subject.report(finding);
    }
}

/// Whether an undocumented key may hold a secret, by its name.
pub(super) fn sounds_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["credential", "secret", "password", "token", "key"].iter().any(|word| name.contains(word))
}
