//! Reads the protobuf form in which kubectl creates objects of built-in kinds (`kubectl create namespace`, `auth can-i`).
//!
//! The kinds that kubectl has generators for and people use, field by field from the `generated.proto` files of
//! `k8s.io/api`; any other body is refused with 415.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What a protobuf body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Number,
    Flag,
    Bytes,
    Message(&'static [Field]),
    /// `metav1.Time`.
    Time,
    /// Mapping of text to this.
    Map(&'static Self),
    /// List of these.
    List(&'static Self),
}

/// Number, name and form of a field.
type Field = (u64, &'static str, Form);

const TEXTS: Form = Form::List(&Form::Text);
const TEXT_MAP: Form = Form::Map(&Form::Text);
const BYTES_MAP: Form = Form::Map(&Form::Bytes);
const NAMED: &[Field] = &[(1, "name", Form::Text)];

const OWNER: &[Field] = &[
    (1, "kind", Form::Text),
    (3, "name", Form::Text),
    (4, "uid", Form::Text),
    (5, "apiVersion", Form::Text),
    (6, "controller", Form::Flag),
    (7, "blockOwnerDeletion", Form::Flag),
];
const METADATA: Field = (
    1,
    "metadata",
    Form::Message(&[
        (1, "name", Form::Text),
        (2, "generateName", Form::Text),
        (3, "namespace", Form::Text),
        (5, "uid", Form::Text),
        (6, "resourceVersion", Form::Text),
        (8, "creationTimestamp", Form::Time),
        (11, "labels", TEXT_MAP),
        (12, "annotations", TEXT_MAP),
        (13, "ownerReferences", Form::List(&Form::Message(OWNER))),
        (14, "finalizers", TEXTS),
    ]),
);
const RULES: Field = (
    2,
    "rules",
    Form::List(&Form::Message(&[
        (1, "verbs", TEXTS),
        (2, "apiGroups", TEXTS),
        (3, "resources", TEXTS),
        (4, "resourceNames", TEXTS),
        (5, "nonResourceURLs", TEXTS),
    ])),
);
const BINDING: &[Field] = &[
    METADATA,
    (
        2,
        "subjects",
        Form::List(&Form::Message(&[
            (1, "kind", Form::Text),
            (2, "apiGroup", Form::Text),
            (3, "name", Form::Text),
            (4, "namespace", Form::Text),
        ])),
    ),
    (
        3,
        "roleRef",
        Form::Message(&[(1, "apiGroup", Form::Text), (2, "kind", Form::Text), (3, "name", Form::Text)]),
    ),
];
const ACCESS_REVIEW: &[Field] = &[
    METADATA,
    (
        2,
        "spec",
        Form::Message(&[
            (
                1,
                "resourceAttributes",
                Form::Message(&[
                    (1, "namespace", Form::Text),
                    (2, "verb", Form::Text),
                    (3, "group", Form::Text),
                    (4, "version", Form::Text),
                    (5, "resource", Form::Text),
                    (6, "subresource", Form::Text),
                    (7, "name", Form::Text),
                ]),
            ),
            (2, "nonResourceAttributes", Form::Message(&[(1, "path", Form::Text), (2, "verb", Form::Text)])),
        ]),
    ),
];

/// The messages by `apiVersion` and kind.
const MESSAGES: &[(&str, &str, &[Field])] = &[
    ("v1", "Namespace", &[METADATA]),
    (
        "v1",
        "ConfigMap",
        &[METADATA, (2, "data", TEXT_MAP), (3, "binaryData", BYTES_MAP), (4, "immutable", Form::Flag)],
    ),
    (
        "v1",
        "Secret",
        &[
            METADATA,
            (2, "data", BYTES_MAP),
            (3, "type", Form::Text),
            (4, "stringData", TEXT_MAP),
            (5, "immutable", Form::Flag),
        ],
    ),
    (
        "v1",
        "ServiceAccount",
        &[
            METADATA,
            (2, "secrets", Form::List(&Form::Message(&[(3, "name", Form::Text)]))),
            (3, "imagePullSecrets", Form::List(&Form::Message(NAMED))),
        ],
    ),
    ("rbac.authorization.k8s.io/v1", "Role", &[METADATA, RULES]),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", &[METADATA, RULES]),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", BINDING),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", BINDING),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview", ACCESS_REVIEW),
    (
        "authorization.k8s.io/v1",
        "SelfSubjectRulesReview",
        &[METADATA, (2, "spec", Form::Message(&[(1, "namespace", Form::Text)]))],
    ),
    ("authentication.k8s.io/v1", "SelfSubjectReview", &[METADATA]),
    (
        "v1",
        "DeleteOptions",
        &[
            (1, "gracePeriodSeconds", Form::Number),
            (
                2,
                "preconditions",
                Form::Message(&[(1, "uid", Form::Text), (2, "resourceVersion", Form::Text)]),
            ),
            (3, "orphanDependents", Form::Flag),
            (4, "propagationPolicy", Form::Text),
            (5, "dryRun", TEXTS),
        ],
    ),
];

/// The envelope, `runtime.Unknown`.
const TYPE: &[Field] = &[(1, "apiVersion", Form::Text), (2, "kind", Form::Text)];

/// Reads a body; `None` when it is broken or of a kind without a message here.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    let envelope = records(body.strip_prefix(MAGIC)?)?;
    let part = |number| {
        envelope.iter().find_map(|record| match record {
            (found, Content::Bytes(bytes)) if *found == number => Some(*bytes),
            _ => None,
        })
    };
    let mut object = message(part(1)?, TYPE)?;
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (_, _, fields) =
        MESSAGES.iter().find(|(version, kind, _)| *version == text("apiVersion") && *kind == text("kind"))?;
    object.extend(message(part(2).unwrap_or_default(), fields)?);
    Some(Value::Object(object))
}

#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in the order of the wire.
fn records(mut bytes: &[u8]) -> Option<Vec<(u64, Content<'_>)>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let content = match tag & 7 {
            0 => Content::Number(varint(&mut bytes)?),
            1 => Content::Bytes(take(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Content::Bytes(take(&mut bytes, length)?)
            }
            5 => Content::Bytes(take(&mut bytes, 4)?),
            _ => return None,
        };
        records.push((tag >> 3, content));
    }
    Some(records)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A message as a mapping; fields at their zero value are left out, as `omitempty` does.
fn message(bytes: &[u8], fields: &[Field]) -> Option<Map<String, Value>> {
    let mut map = Map::new();
    for (number, content) in records(bytes)? {
        let Some((_, name, form)) = fields.iter().find(|(found, _, _)| *found == number) else { continue };
        match form {
            Form::List(item) => {
                let list = map.entry(*name).or_insert_with(|| json!([]));
                let item = single(content, **item)?;
                list.as_array_mut()?.push(item);
            }
            Form::Map(item) => {
                let pair = message(bytes_of(content)?, &[(1, "key", Form::Text), (2, "value", **item)])?;
                let entry = map.entry(*name).or_insert_with(|| json!({}));
                let value = pair.get("value").cloned().unwrap_or_else(|| json!(""));
                let key = pair.get("key").and_then(Value::as_str).unwrap_or_default();
                entry.as_object_mut()?.insert(key.to_owned(), value);
            }
            single_form => {
                let value = single(content, *single_form)?;
                let empty = value == json!("") || value == json!({}) || value.is_null();
                if !empty {
                    map.insert((*name).to_owned(), value);
                }
            }
        }
    }
    Some(map)
}

fn bytes_of(content: Content<'_>) -> Option<&[u8]> {
    match content {
        Content::Bytes(bytes) => Some(bytes),
        Content::Number(_) => None,
    }
}

fn single(content: Content<'_>, form: Form) -> Option<Value> {
    match (form, content) {
        (Form::Number, Content::Number(number)) => Some(json!(number.cast_signed())),
        (Form::Flag, Content::Number(number)) => Some(json!(number != 0)),
        (Form::Text, Content::Bytes(bytes)) => Some(json!(std::str::from_utf8(bytes).ok()?)),
        (Form::Bytes, Content::Bytes(bytes)) => Some(json!(STANDARD.encode(bytes))),
        (Form::Message(fields), Content::Bytes(bytes)) => Some(Value::Object(message(bytes, fields)?)),
        (Form::Time, Content::Bytes(bytes)) => {
            let seconds = message(bytes, &[(1, "seconds", Form::Number)])?;
            let Some(seconds) = seconds.get("seconds").and_then(Value::as_i64) else {
                return Some(Value::Null);
            };
            Some(json!(jiff::Timestamp::from_second(seconds).ok()?.to_string()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        field.extend(bytes);
        field
    }

    #[test]
    fn a_secret_is_read() {
        let metadata = [field(1, b"s"), field(3, b"n"), field(8, &[])].concat();
        let pair = [field(1, b"user"), field(2, b"velero")].concat();
        let secret = [field(1, &metadata), field(2, &pair), field(3, b"Opaque")].concat();
        let kind = [field(1, b"v1"), field(2, b"Secret")].concat();
        let body = [MAGIC.to_vec(), field(1, &kind), field(2, &secret)].concat();
        assert_eq!(
            read(&body).unwrap(),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"},
                "data": {"user": "dmVsZXJv"}, "type": "Opaque"})
        );
        assert_eq!(read(&body[..body.len() - 1]), None);
        assert_eq!(read(b"k8s\0"), None);
    }
}
