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
