//! A document whose parts know their lines, for those who speak of the text rather than of what it means.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::{Dialect, YamlError, fault, options, read, reflow};

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Mark {
    /// Where every text begins.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place of a byte of a text.
    pub fn at(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The line on which it begins, from 1. Of a block scalar the one below its mark (`|`).
    pub line: usize,
    /// The character in that line with which it begins, from 1.
    pub column: usize,
    /// What it is.
    pub content: Content,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A text, number, truth value or nothing.
    Scalar(Value),
    /// A list.
    List(Vec<Located>),
    /// A mapping: name, place of the name, value.
    Mapping(Vec<(String, Mark, Located)>),
}

impl Located {
    /// The field of a mapping.
    pub fn field(&self, name: &str) -> Option<&Self> {
        self.fields().iter().find(|(field, _, _)| field == name).map(|(_, _, value)| value)
    }

    /// The part at a path of fields.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |part, field| part.field(field))
    }

    /// Where it begins.
    pub const fn mark(&self) -> Mark {
        Mark { line: self.line, column: self.column }
    }

    /// The fields of a mapping; none where it is something else.
    pub fn fields(&self) -> &[(String, Mark, Self)] {
        match &self.content {
            Content::Mapping(fields) => fields,
            Content::Scalar(_) | Content::List(_) => &[],
        }
    }

    /// The entries of a list; none where it is something else.
    pub fn entries(&self) -> &[Self] {
        match &self.content {
            Content::List(entries) => entries,
            Content::Scalar(_) | Content::Mapping(_) => &[],
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            Content::Scalar(_) | Content::List(_) | Content::Mapping(_) => None,
        }
    }

    /// Without the lines.
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(entries) => Value::Array(entries.iter().map(Self::value).collect()),
            Content::Mapping(fields) => {
                let fields = fields.iter().map(|(name, _, value)| (name.clone(), value.value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// All of it at one place.
    fn unlocated(value: Value, mark: Mark) -> Self {
        let content = match value {
            Value::Array(entries) => {
                Content::List(entries.into_iter().map(|entry| Self::unlocated(entry, mark)).collect())
            }
            Value::Object(fields) => Content::Mapping(
                fields.into_iter().map(|(name, value)| (name, mark, Self::unlocated(value, mark))).collect(),
            ),
            scalar => Content::Scalar(scalar),
        };
        Self { line: mark.line, column: mark.column, content }
    }
}

/// Reads one document. Where only the most lenient reader can, every part is said to stand on the first line.
pub fn read_located(text: &str, dialect: Dialect) -> Result<Located, YamlError> {
    if text.trim().is_empty() {
        return Ok(Located::unlocated(Value::Null, Mark::START));
    }
    let strict = |text: &str| -> Result<Spanned<Part>, _> {
        serde_saphyr::from_str_with_options(text, options(dialect))
    };
    // Indented lines inside quotes keep their number, and nothing begins on them.
    match strict(text).or_else(|error| strict(&reflow::indent_quoted_lines(text)).map_err(|_| error)) {
        Ok(part) => Ok(located(part)),
        Err(error) => match read(text, dialect) {
            Ok(value) => Ok(Located::unlocated(value, Mark::START)),
            Err(_) => Err(fault(&error)),
        },
    }
}

fn located(part: Spanned<Part>) -> Located {
    let content = match part.value {
        Part::Scalar(value) => Content::Scalar(value),
        Part::List(entries) => Content::List(entries.into_iter().map(located).collect()),
        Part::Mapping(fields) => Content::Mapping(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let mark = mark(&name);
                    (name.value, mark, located(value))
                })
                .collect(),
        ),
    };
    let Mark { line, column } = Mark::of(part.referenced);
    Located { line, column, content }
}

impl Mark {
    pub(super) fn of(place: serde_saphyr::Location) -> Self {
        let number = |number: u64| usize::try_from(number).unwrap_or(1).max(1);
        Self { line: number(place.line()), column: number(place.column()) }
    }
}

fn mark<T>(spanned: &Spanned<T>) -> Mark {
    Mark::of(spanned.referenced)
}

/// What the reader hands over, before its lines are taken out.
enum Part {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Mapping(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Part, E> {
        Ok(Part::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Part, E> {
        Ok(Part::Scalar(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Part, E> {
        Ok(Part::Scalar(Value::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Part, E> {
        Ok(Part::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Part, E> {
        Ok(Part::Scalar(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Part, E> {
        Ok(Part::Scalar(Value::String(value)))
    }

    fn visit_unit<E>(self) -> Result<Part, E> {
        Ok(Part::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Part, E> {
        Ok(Part::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        Part::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Part, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = sequence.next_element()? {
            entries.push(entry);
        }
        Ok(Part::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key()? {
            fields.push((name, map.next_value()?));
        }
        Ok(Part::Mapping(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "a: 1\nb:\n  - x\n  - c: 'text'\n    d: |\n      one\n      two\ne: {f: [1.5, true,\n  null]}\n# comment\ng: yes\n";

    #[test]
    fn every_part_knows_its_line() {
        let document = read_located(TEXT, Dialect::Template).unwrap();
        let lines = |path: &[&str]| document.at(path).unwrap().line;
        assert_eq!((lines(&["a"]), lines(&["b"]), lines(&["e", "f"])), (1, 3, 8));
        let entries = document.field("b").unwrap().entries();
        assert_eq!((entries[0].line, entries[1].field("c").unwrap().line), (3, 4));
        assert_eq!(entries[1].field("d").unwrap().line, 6);
        let names: Vec<(&str, usize)> =
            document.fields().iter().map(|(name, mark, _)| (name.as_str(), mark.line)).collect();
        assert_eq!(names, [("a", 1), ("b", 2), ("e", 8), ("g", 11)]);
    }

    #[test]
    fn the_values_are_those_of_the_ordinary_reader() {
        for dialect in [Dialect::Template, Dialect::Kubernetes] {
            assert_eq!(read_located(TEXT, dialect).unwrap().value(), read(TEXT, dialect).unwrap());
        }
        assert_eq!(read_located("", Dialect::Template).unwrap().value(), json!(null));
    }

    #[test]
    fn lines_that_are_indented_too_little_keep_their_numbers() {
        let document = read_located("a:\n  b: 'x\ny'\n  c: 1\n", Dialect::Template).unwrap();
        assert_eq!(document.value(), json!({"a": {"b": "x y", "c": 1}}));
        let mark = |field| document.at(&["a", field]).unwrap().mark();
        assert_eq!((mark("b"), mark("c")), (Mark { line: 2, column: 6 }, Mark { line: 4, column: 6 }));
        let error = read_located("a: 1\nb: [\n", Dialect::Template).unwrap_err();
        assert!(error.line.is_some(), "{error}");
    }
}
