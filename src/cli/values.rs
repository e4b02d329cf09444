//! Values on the command line that are more than text.

use std::time::Duration;

use crate::pipeline::config::go_duration::GoDuration;

/// A duration as Go and Kubernetes write it: `1s`, `500ms`, `1m30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration: GoDuration = text.parse().map_err(|error| format!("{error} (examples: 1s, 500ms, 1m)"))?;
    match u64::try_from(duration.nanoseconds()) {
        Ok(nanoseconds) if nanoseconds >= 1_000_000 => Ok(Duration::from_nanos(nanoseconds)),
        _ => Err("it must be a millisecond at least (examples: 1s, 500ms, 1m)".to_owned()),
    }
}

/// `key=value`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is written key=value".to_owned()),
    }
}

/// The name of a managed cluster: it is the name of a namespace as well.
pub(crate) fn cluster_name(text: &str) -> Result<String, String> {
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let fits = (1..=63).contains(&text.len())
        && text.chars().all(|character| plain(character) || character == '-')
        && text.starts_with(plain)
        && text.ends_with(plain);
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a cluster's name is made of at most 63 lower case letters, digits and `-`, and begins and ends with a \
             letter or digit"
            .to_owned())
    }
}

/// `namespace/name`.
pub(crate) fn namespaced_name(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write it as namespace/name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1s", Some(1_000))]
    #[case("500ms", Some(500))]
    #[case("1m30s", Some(90_000))]
    #[case("0", None)]
    #[case("-1s", None)]
    #[case("10us", None)]
    #[case("90", None)]
    fn durations(#[case] text: &str, #[case] milliseconds: Option<u64>) {
        assert_eq!(duration(text).ok(), milliseconds.map(Duration::from_millis));
    }

    #[rstest]
    #[case("c1", true)]
    #[case("prod-eu-1", true)]
    #[case("", false)]
    #[case("C1", false)]
    #[case("-c1", false)]
    #[case("c1-", false)]
    #[case("a.b", false)]
    fn cluster_names(#[case] text: &str, #[case] fits: bool) {
        assert_eq!(cluster_name(text).is_ok(), fits);
    }

    #[test]
    fn labels_and_names() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(label("a="), Ok(("a".to_owned(), String::new())));
        assert!(label("a").is_err() && label("=b").is_err());
        assert_eq!(namespaced_name("ns/p"), Ok(("ns".to_owned(), "p".to_owned())));
        assert!(namespaced_name("p").is_err() && namespaced_name("a/b/c").is_err());
    }
}
