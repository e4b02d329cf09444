//! A part of the specification that may not be there. Its shape was checked when the configuration was read.

use serde_json::Value;

/// A value, or nothing.
#[derive(Clone, Copy)]
pub(super) struct Part<'a>(pub(super) Option<&'a Value>);

impl<'a> Part<'a> {
    /// The part below these fields.
    pub(super) fn at(self, path: &[&str]) -> Self {
        let found = self.0.and_then(|part| path.iter().try_fold(part, |part, field| part.get(*field)));
        Self(found.filter(|value| !value.is_null()))
    }

    pub(super) fn text(self) -> Option<&'a str> {
        self.0?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn is_true(self) -> bool {
        self.0.and_then(Value::as_bool) == Some(true)
    }

    pub(super) fn whole(self) -> Option<i64> {
        self.0?.as_i64()
    }

    pub(super) fn entries(self) -> &'a [Value] {
        self.0.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn texts(self) -> Vec<&'a str> {
        self.entries().iter().filter_map(Value::as_str).collect()
    }

    /// A mapping that is not empty.
    pub(super) fn mapping(self) -> Option<&'a Value> {
        self.0.filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()))
    }
}
