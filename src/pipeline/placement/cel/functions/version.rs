//! Semantic versions.

use std::cmp::Ordering;

/// A semantic version; a leading `v` is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) numbers: [i64; 3],
    /// Parts behind the hyphen; none is later than any.
    before: Vec<String>,
}

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _build)| version);
        let (numbers, before) =
            text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)));
        let numbers: Vec<i64> = numbers
            .split('.')
            .map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?)
            .collect::<Option<_>>()?;
        let before: Vec<String> =
            before.map(|rest| rest.split('.').map(ToOwned::to_owned).collect()).unwrap_or_default();
        if before.iter().any(String::is_empty) {
            return None;
        }
        Some(Self { numbers: numbers.try_into().ok()?, before })
    }
}

impl Version {
    /// Like Kubernetes' own `normalize`: zeros in front are dropped, and parts that are missing are zero.
    pub(super) fn parse_loosely(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text
            .splitn(3, '.')
            .map(|part| {
                let rest = part.trim_start_matches('0');
                if part.len() == rest.len() || rest.starts_with(|first: char| first.is_ascii_digit()) {
                    rest.to_owned()
                } else {
                    format!("0{rest}")
                }
            })
            .collect();
        if parts.len() < 3 && parts.last().is_some_and(|last| last.contains(['+', '-'])) {
            return None;
        }
        parts.resize(3, "0".to_owned());
        Self::parse(&parts.join("."))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(formatter, "{major}.{minor}.{patch}")?;
        if self.before.is_empty() { Ok(()) } else { write!(formatter, "-{}", self.before.join(".")) }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |left: &String, right: &String| match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        };
        let parts = || {
            let pairs = self.before.iter().zip(&other.before).map(|(left, right)| part(left, right));
            pairs.fold(Ordering::Equal, Ordering::then).then(self.before.len().cmp(&other.before.len()))
        };
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.before.is_empty(), other.before.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => parts(),
            }
        })
    }
}
