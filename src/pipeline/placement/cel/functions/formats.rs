//! Named formats of texts: `format.dns1123Label().validate(text)` is none where the text is of the format, else what is wrong.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cel::extractors::This;
use cel::objects::OptionalValue;
use cel::{Context, DeclarationError, Value};

use super::typed::Typed;
use super::{Answer, failed, text_value};
use crate::pipeline::url::Url;

/// Why a text is not of a format; `None` where it is.
type Check = fn(&str) -> Option<&'static str>;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
    end with an alphanumeric character, of 63 characters at most";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
    character, and end with an alphanumeric character, of 63 characters at most";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
    start and end with an alphanumeric character, of 253 characters at most";
const NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character, of 63 characters at most, maybe with a DNS subdomain and '/' before it";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
    and end with an alphanumeric character, of 63 characters at most";

const FORMATS: [(&str, &str, Check); 13] = [
    ("dns1123Label", "format.dns1123Label", |text| unless(is_label(text), LABEL)),
    ("dns1123Subdomain", "format.dns1123Subdomain", |text| unless(is_subdomain(text), SUBDOMAIN)),
    ("dns1035Label", "format.dns1035Label", |text| unless(is_label_1035(text), LABEL_1035)),
    ("qualifiedName", "format.qualifiedName", |text| unless(is_qualified_name(text), NAME)),
    ("dns1123LabelPrefix", "format.dns1123LabelPrefix", |text| unless(is_label(&full(text)), LABEL)),
    ("dns1123SubdomainPrefix", "format.dns1123SubdomainPrefix", |text| {
        unless(is_subdomain(&full(text)), SUBDOMAIN)
    }),
    ("dns1035LabelPrefix", "format.dns1035LabelPrefix", |text| {
        unless(is_label_1035(&full(text)), LABEL_1035)
    }),
    ("labelValue", "format.labelValue", |text| unless(text.is_empty() || is_name(text), VALUE)),
    ("uri", "format.uri", |text| unless(Url::request(text).is_ok(), "invalid URI for request")),
    ("uuid", "format.uuid", |text| unless(is_uuid(text), "does not match the UUID format")),
    ("byte", "format.byte", |text| unless(STANDARD.decode(text).is_ok(), "invalid base64")),
    ("date", "format.date", |text| unless(is_date(text), "invalid date")),
    ("datetime", "format.datetime", |text| {
        unless(text.parse::<jiff::Timestamp>().is_ok(), "invalid datetime")
    }),
];

/// The format of this name, as it is kept.
pub(super) fn named(name: &str) -> Option<&'static str> {
    FORMATS.iter().map(|(known, _, _)| *known).find(|known| *known == name)
}

/// Makes the functions known.
pub(super) fn add(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    for (name, function, _) in FORMATS {
        context.add_function(function, move || -> Answer { Ok(Typed::Format(name).into_value()) })?;
    }
    context.add_function("format.named", |name: Arc<String>| -> Answer {
        Ok(optional(named(&name).map(|name| Typed::Format(name).into_value())))
    })?;
    context.add_function("validate", |This(format): This<Value>, text: Arc<String>| -> Answer {
        let Some(Typed::Format(name)) = Typed::of(&format) else {
            return Err(failed("validate", "not a format".to_owned()));
        };
        let check = FORMATS.iter().find(|(known, _, _)| *known == name).map(|(_, _, check)| check);
        let fault = check.and_then(|check| check(&text));
        Ok(optional(fault.map(|fault| Value::List(Arc::new(vec![text_value(fault)])))))
    })
}

fn optional(value: Option<Value>) -> Value {
    Value::Opaque(Arc::new(value.map_or_else(OptionalValue::none, OptionalValue::of)))
}

fn unless(good: bool, fault: &'static str) -> Option<&'static str> {
    (!good).then_some(fault)
}

/// A prefix of names as a name: something follows it.
fn full(prefix: &str) -> String {
    format!("{}a", prefix.strip_suffix('-').unwrap_or(prefix))
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    let edges =
        text.bytes().next().is_some_and(is_alphanumeric) && text.bytes().last().is_some_and(is_alphanumeric);
    edges && text.len() <= 63 && text.bytes().all(|byte| is_alphanumeric(byte) || byte == b'-')
}

fn is_label_1035(text: &str) -> bool {
    is_label(text) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

fn is_subdomain(text: &str) -> bool {
    // A part of a subdomain may be longer than a label.
    let is_part = |part: &str| {
        let edges = part.bytes().next().is_some_and(is_alphanumeric)
            && part.bytes().last().is_some_and(is_alphanumeric);
        edges && part.bytes().all(|byte| is_alphanumeric(byte) || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_name(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    edge(text.bytes().next())
        && edge(text.bytes().last())
        && text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name(name),
        None => is_name(text),
    }
}

fn is_uuid(text: &str) -> bool {
    let digits = text.replace('-', "");
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && matches!(text.len(), 32 | 36)
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}
