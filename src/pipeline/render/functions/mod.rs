//! The functions of templates: Open Cluster Management's own and those of Sprig 3.3, one file per family.
//!
//! Every file ends in a table; to add a function is to write it and add one line. A function gets arguments whose number and
//! types are checked, so the helpers here may be lenient. Must not touch: clock, randomness, network, environment. The moment
//! and a seed come with the rendering; what needs the network or the environment is refused.

mod cases;
mod certificates;
mod conversions;
mod dates;
mod denied;
mod dictionaries;
mod encodings;
mod go_time;
mod lists;
mod logic;
mod lookups;
mod numbers;
mod passwords;
mod paths;
mod protection;
mod randoms;
mod regular_expressions;
mod strings;
mod urls;
mod velero;
mod versions;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::engine::go::{BUILTINS, Function, Value, format};

/// All families. A later one replaces an earlier one's function of the same name.
const FAMILIES: &[&[Function]] = &[
    BUILTINS,
    cases::FUNCTIONS,
    certificates::FUNCTIONS,
    conversions::FUNCTIONS,
    dates::FUNCTIONS,
    dictionaries::FUNCTIONS,
    encodings::FUNCTIONS,
    lists::FUNCTIONS,
    logic::FUNCTIONS,
    numbers::FUNCTIONS,
    passwords::FUNCTIONS,
    paths::FUNCTIONS,
    randoms::FUNCTIONS,
    regular_expressions::FUNCTIONS,
    strings::FUNCTIONS,
    urls::FUNCTIONS,
    velero::FUNCTIONS,
    versions::FUNCTIONS,
    denied::FUNCTIONS,
    lookups::FUNCTIONS,
    protection::FUNCTIONS,
];

pub(super) use dates::method_of_time;
pub(super) use encodings::base64_decode;
pub(super) use versions::method_of_version;

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    FAMILIES.iter().flat_map(|family| family.iter()).map(|function| (function.name, function)).collect()
});

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    BY_NAME.get(name).copied()
}

/// All names, in order.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = BY_NAME.keys().copied().collect();
    names.sort_unstable();
    names
}

/// The text of an argument whose type is checked to be `string`.
fn text(arguments: &[Value], index: usize) -> &str {
    arguments.get(index).and_then(Value::as_text).unwrap_or_default()
}

/// The integer of an argument whose type is checked to be `int`.
fn int(arguments: &[Value], index: usize) -> i64 {
    arguments.get(index).and_then(Value::as_int).unwrap_or_default()
}

/// Sprig's `strval`: a text as it is, anything else as `%v`.
fn shown(value: &Value) -> Result<String, String> {
    format::sprint(value).map_err(|error| error.to_string())
}

/// A result that is a text.
#[expect(clippy::unnecessary_wraps, reason = "the signature of functions")]
fn ok_text(text: impl AsRef<str>) -> Result<Value, String> {
    Ok(Value::text(text))
}

/// The items of a list argument, or Sprig's complaint.
fn items<'v>(value: &'v Value, verb: &str) -> Result<&'v [Value], String> {
    match value {
        // Sprig asks nothing for its type before it looks whether there is one.
        Value::Nil | Value::Missing => {
            Err("runtime error: invalid memory address or nil pointer dereference".to_owned())
        }
        other => other.items().ok_or_else(|| format!("Cannot {verb} on type {}", other.kind())),
    }
}

/// A position or count as `usize`; negative ones are 0.
fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Snapshot, render_text};

    /// Template and what it prints, or `!` and a part of the error.
    fn check(cases: &[(&str, &str)]) {
        let snapshot = Snapshot::default();
        for (template, expected) in cases {
            let result = render_text(template, &snapshot);
            match expected.strip_prefix('!') {
                Some(part) => {
                    let error = result.expect_err(template);
                    assert!(error.contains(part), "{template}: {error}");
                }
                None => assert_eq!(result.as_deref(), Ok(*expected), "{template}"),
            }
        }
    }

    #[test]
    fn names_are_unique_within_and_across_families() {
        let mut names: Vec<_> =
            super::FAMILIES.iter().flat_map(|family| family.iter()).map(|function| function.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn strings() {
        check(&[
            (r#"{{ cat "a" nil "b" 3 }}"#, "a b 3"),
            (r#"{{ (cat "p" "-" "" "-" "c") | replace " " "" }}"#, "p--c"),
            (r#"{{ quote "a" 1 nil }}{{ squote "b" }}"#, r#""a" "1"'b'"#),
            (r#"{{ trunc 2 "abc" }}{{ trunc -2 "abc" }}"#, "abbc"),
            (r#"{{ abbrev 5 "hello world" }}"#, "he..."),
            (r#"{{ substr 1 3 "abcde" }}{{ substr -1 2 "abc" }}{{ substr 1 -1 "abc" }}"#, "bcabbc"),
            (r#"{{ title "hello there" }}{{ untitle "Hello There" }}"#, "Hello Therehello there"),
            (r#"{{ nospace " a b " }}{{ initials "First Try" }}"#, "abFT"),
            (r#"{{ trimSuffix "x" "ax" }}{{ trimPrefix "x" "xb" }}{{ trimAll "$" "$5$" }}"#, "ab5"),
            (r#"{{ hasPrefix "a" "ab" }}{{ contains "z" "ab" }}"#, "truefalse"),
            (r#"{{ repeat 3 "ab" }}"#, "ababab"),
            (r#"{{ repeat 100000000 "ab" }}"#, "!produce more than"),
            (
                r#"{{ snakecase "FirstName" }} {{ kebabcase "FirstName" }} {{ camelcase "http_server" }}"#,
                "first_name first-name HttpServer",
            ),
            (r#"{{ swapcase "aB" }}{{ plural "one" "many" 1 }}{{ plural "one" "many" 2 }}"#, "Abonemany"),
            (r#"{{ wrap 5 "aaa bbb" }}"#, "aaa\nbbb"),
            (r#"{{ indent 2 "a\nb" }}|{{ nindent 2 "a" }}"#, "a\n  b|\n  a"),
            (r"{{ upper .missing }}", "!can't evaluate field missing in type struct {}"),
            (r"{{ $m := dict }}{{ upper $m.missing }}", "!invalid value; expected string"),
        ]);
    }

    #[test]
    fn lists() {
        check(&[
            (
                r#"{{ list 1 "a" | first }}{{ last (list 1 2) }}{{ rest (list 1 2 3) }}{{ initial (list 1 2) }}"#,
                "12[2 3][1]",
            ),
            (
                r"{{ append (list 1) 2 }}{{ prepend (list 1) 2 }}{{ concat (list 1) (list 2 3) }}",
                "[1 2][2 1][1 2 3]",
            ),
            (
                r"{{ uniq (list 1 1 2) }}{{ without (list 1 2 3) 2 }}{{ reverse (list 1 2) }}",
                "[1 2][1 3][2 1]",
            ),
            (
                r#"{{ has 2 (list 1 2) }}{{ compact (list 0 1 "" "a") }}{{ slice (list 1 2 3) 1 }}"#,
                "true[1 a][2 3]",
            ),
            (
                r#"{{ sortAlpha (list "b" "a") }}{{ join "," (list 1 "b") }}{{ chunk 2 (list 1 2 3) }}"#,
                "[a b]1,b[[1 2] [3]]",
            ),
            (
                r#"{{ splitList "," "a,b" }}{{ (split "," "a,b")._1 }}{{ (splitn "," 2 "a,b,c")._1 }}"#,
                "[a b]bb,c",
            ),
            (r"{{ until 3 }}{{ untilStep 0 6 2 }}{{ seq 3 }}{{ seq 2 4 }}", "[0 1 2][0 2 4]1 2 32 3 4"),
            (r"{{ until 100000000 }}", "!produce more than"),
            (r#"{{ first "a" }}"#, "!Cannot find first on type string"),
            (r"{{ toStrings (list 1 true) }}", "[1 true]"),
        ]);
    }

    #[test]
    fn dictionaries() {
        check(&[
            (
                r#"{{ $d := dict "a" 1 }}{{ $_ := set $d "b" 2 }}{{ $d }}{{ unset $d "a" }}"#,
                "map[a:1 b:2]map[b:2]",
            ),
            (r#"{{ get (dict "a" 1) "a" }}{{ get (dict) "a" }}{{ hasKey (dict "a" 1) "a" }}"#, "1true"),
            (r#"{{ keys (dict "b" 1 "a" 2) | sortAlpha }}{{ values (dict "a" 1) }}"#, "[a b][1]"),
            (r#"{{ pick (dict "a" 1 "b" 2) "a" }}{{ omit (dict "a" 1 "b" 2) "a" }}"#, "map[a:1]map[b:2]"),
            (
                r#"{{ merge (dict "a" 1) (dict "a" 2 "b" 3) }}{{ mergeOverwrite (dict "a" 1) (dict "a" 2) }}"#,
                "map[a:1 b:3]map[a:2]",
            ),
            (r#"{{ merge (dict "a" (dict "x" 1)) (dict "a" (dict "y" 2)) }}"#, "map[a:map[x:1 y:2]]"),
            (
                r#"{{ dig "a" "b" "none" (dict "a" (dict "b" "c")) }}{{ dig "a" "x" "none" (dict "a" (dict)) }}"#,
                "cnone",
            ),
            (r#"{{ pluck "a" (dict "a" 1) (dict "b" 2) (dict "a" 3) }}"#, "[1 3]"),
            (
                r#"{{ $d := dict "a" (list 1) }}{{ $c := deepCopy $d }}{{ $_ := set $c "a" 2 }}{{ $d }}"#,
                "map[a:[1]]",
            ),
            (r#"{{ $d := dict }}{{ set $d "me" (list $d) }}"#, "!a map cannot hold itself"),
        ]);
    }

    #[test]
    fn numbers() {
        check(&[
            (
                r#"{{ add 1 "2" 3.9 }}{{ sub 5 2 }}{{ mul 2 3 }}{{ div 7 2 }}{{ mod 7 4 }}{{ add1 1 }}"#,
                "636332",
            ),
            (r"{{ max 1 3 2 }}{{ min 3 1 }}{{ floor 1.9 }}{{ ceil 1.1 }}{{ round 1.256 2 }}", "31121.26"),
            (r"{{ div 1 0 }}", "!integer divide by zero"),
            (r#"{{ int "0x10" }}{{ int64 "abc" }}{{ float64 "1.5" }}{{ toDecimal "777" }}"#, "1601.5511"),
            (r"{{ addf 1.5 1 }}{{ divf 3 2 }}{{ maxf 1 2.5 }}", "2.51.52.5"),
            (r"{{ add 9223372036854775807 1 }}", "-9223372036854775808"),
        ]);
    }

    #[test]
    fn versions_and_patterns() {
        check(&[
            (r#"{{ semverCompare ">=4.10" "4.10.3" }}{{ semverCompare "^1.2.0" "2.0.0" }}"#, "truefalse"),
            (r#"{{ semverCompare "~1.2" "1.2.9" }}{{ semverCompare ">1.0, <2" "1.5.0" }}"#, "truetrue"),
            (
                r#"{{ semverCompare "1.x || 3.*" "3.4.5" }}{{ semverCompare "1.2 - 1.4.5" "1.4.6" }}"#,
                "truefalse",
            ),
            (
                r#"{{ semverCompare ">=1.0.0" "1.1.0-rc1" }}{{ semverCompare ">=1.0.0-0" "1.1.0-rc1" }}"#,
                "falsetrue",
            ),
            (r#"{{ (semver "v1.2.3-beta.1+ef5").Prerelease }}{{ semver "1.2" }}"#, "beta.11.2.0"),
            (r#"{{ semver "x" }}"#, "!Invalid Semantic Version"),
            (
                r#"{{ regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }}{{ regexSplit "z+" "pizza" -1 }}"#,
                "-W-xxW-[pi a]",
            ),
            (r#"{{ mustRegexMatch "(" "a" }}"#, "!error parsing regexp"),
        ]);
    }

    #[test]
    fn logic_and_types() {
        check(&[
            (r#"{{ $m := dict }}{{ default "d" $m.x }}{{ default "d" "" }}{{ default "d" "v" }}"#, "ddv"),
            (r#"{{ $m := dict }}{{ ternary $m.x "f" false }}{{ true | ternary "t" "f" }}"#, "ft"),
            (r#"{{ coalesce 0 "" "a" }}{{ empty 0 }}{{ all 1 "" }}{{ any 0 2 }}"#, "atruefalsetrue"),
            (
                r#"{{ typeOf 1 }} {{ typeOf "a" }} {{ kindOf (dict) }} {{ kindIs "slice" (list) }}"#,
                "int string map true",
            ),
            (r#"{{ deepEqual (list 1) (list 1) }}{{ fail "why" }}"#, "!why"),
            (r#"{{ env "HOME" }}"#, "!'env' is considered a security risk"),
            (r#"{{ expandenv "$HOME" }}"#, "!'expandenv' is considered a security risk"),
            (r"{{ unheardOf }}", "!function \"unheardOf\" not defined"),
        ]);
    }

    #[test]
    fn encodings_and_conversions() {
        check(&[
            (
                r#"{{ "a" | b64enc }}{{ "YQ==" | base64dec }}{{ "?" | base64dec }}"#,
                "YQ==aillegal base64 data at input byte 0",
            ),
            (
                r#"{{ dict "a" (list 1 "<") | toJson }}{{ dict "a" "<" | toRawJson }}"#,
                r#"{"a":[1,"\u003c"]}{"a":"<"}"#,
            ),
            (r#"{{ (fromJson "{\"a\":[1]}").a }}{{ fromJson "{" }}"#, "[1]<no value>"),
            (r#"{{ mustFromJson "{" }}"#, "!error calling mustFromJson"),
            (r#"{{ toYaml (dict "a" (list 1)) }}{{ (fromYaml "a: yes").a }}"#, "a:\n  - 1yes"),
            (r#"{{ "8" | toInt }}{{ "x" | atoi }}{{ "T" | toBool }}{{ "no" | toBool }}"#, "80truefalse"),
            (
                r#"{{ "a\nb" | toLiteral }}"#,
                "!new lines are not allowed in the string passed to the toLiteral",
            ),
            (r#"{{ sha256sum "a" }}"#, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
            (
                r#"{{ base "/a/b.c" }}{{ dir "/a/b.c" }}{{ ext "b.c" }}{{ clean "/a/../b" }}{{ isAbs "a" }}"#,
                "b.c/a.c/bfalse",
            ),
        ]);
    }
}
