//! The names that Kubernetes accepts (DNS-1123): takes a text, tells whether it is one. Knows no kinds.

/// Rule for the names of namespaces, in words.
pub const LABEL_RULE: &str = "lower-case letters, digits and '-', 63 at most";
/// Rule for the names of most objects, in words.
pub const SUBDOMAIN_RULE: &str = "lower-case letters, digits, '-' and '.', 253 at most";

/// A DNS-1123 label: the name of a namespace.
pub fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_part(name)
}

/// A DNS-1123 subdomain: the name of most objects.
pub fn is_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_part)
}

fn is_part(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('-')
        && !part.ends_with('-')
        && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The key of a label: a name of 63 letters, digits, `-`, `_` and `.` at most, behind a DNS-1123 subdomain and `/` if it has a
/// prefix (`IsLabelKey` of apimachinery).
pub fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified(name),
        None => is_qualified(key),
    }
}

/// The value of a label: empty, or like the name in its key (`IsLabelValue` of apimachinery).
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_qualified(value)
}

fn is_qualified(name: &str) -> bool {
    let outer = |byte: &u8| byte.is_ascii_alphanumeric();
    name.len() <= 63
        && name.as_bytes().first().is_some_and(outer)
        && name.as_bytes().last().is_some_and(outer)
        && name.bytes().all(|byte| outer(&byte) || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_judged_as_by_the_api_server() {
        for (key, expected) in [
            ("env", true),
            ("acm-pv-dr", true),
            ("flotilla.dev/protect", true),
            ("A_b.c", true),
            ("", false),
            ("-a", false),
            ("a/b/c", false),
            ("/a", false),
            ("A.b/c", false),
            ("a b", false),
        ] {
            assert_eq!(is_label_key(key), expected, "{key}");
        }
        for (value, expected) in [("", true), ("a.B_c-1", true), ("a-", false), ("a/b", false)] {
            assert_eq!(is_label_value(value), expected, "{value}");
        }
        assert!(!is_label_value(&"a".repeat(64)));
    }
}
