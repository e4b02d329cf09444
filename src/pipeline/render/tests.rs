//! What the tests of this room share: a snapshot made of objects, and rendering of one text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::engine::go::Template;
use super::lookup::{Answer, Lookup};
use super::session::{Rules, Session};
use super::{functions, variables};
use crate::api::object::{GroupVersionKind, Manifest};

/// Objects of one API server.
#[derive(Default)]
pub(in crate::pipeline) struct Snapshot {
    pub(super) objects: Vec<Arc<Manifest>>,
    /// Kinds that are cluster-scoped.
    pub(super) cluster_scoped: BTreeSet<&'static str>,
    /// Kinds that are not installed.
    pub(super) not_installed: BTreeSet<&'static str>,
    /// Kinds that are not held yet.
    pub(super) not_yet_known: BTreeSet<&'static str>,
}

impl Snapshot {
    pub(in crate::pipeline) fn of(objects: impl IntoIterator<Item = Json>) -> Self {
        let mut objects: Vec<_> =
            objects.into_iter().map(|object| Arc::new(Manifest::parse(object).unwrap())).collect();
        objects.sort_by_key(|object| (object.namespace().map(String::from), object.name().map(String::from)));
        Self {
            objects,
            cluster_scoped: BTreeSet::from(["Namespace", "Node", "ClusterClaim", "ManagedCluster"]),
            ..Self::default()
        }
    }

    fn state<T>(&self, gvk: &GroupVersionKind) -> Option<Answer<T>> {
        if self.not_installed.contains(gvk.kind.as_str()) {
            return Some(Answer::KindNotInstalled);
        }
        self.not_yet_known.contains(gvk.kind.as_str()).then_some(Answer::NotYetKnown)
    }
}

impl Lookup for Snapshot {
    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        let found = self.objects.iter().find(|object| {
            object.gvk() == *gvk && object.namespace() == namespace && object.name() == Some(name)
        });
        self.state(gvk)
            .unwrap_or_else(|| found.map_or(Answer::NotFound, |found| Answer::Found(Arc::clone(found))))
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        let found = self.objects.iter().filter(|object| {
            object.gvk() == *gvk && (namespace.is_none() || object.namespace() == namespace)
        });
        self.state(gvk).unwrap_or_else(|| Answer::Found(found.cloned().collect()))
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        Some(!self.cluster_scoped.contains(gvk.kind.as_str()))
    }
}

/// Renders a text as the cluster phase would, without YAML around it.
pub(super) fn render_text(text: &str, snapshot: &Snapshot) -> Result<String, String> {
    let template = Template::parse(text, ("{{", "}}"), &functions::find)?;
    let context = variables::no_fields();
    let claims = BTreeMap::new();
    let rules = Rules { claims: Some(&claims), ..Rules::default() };
    let mut session = Session::new(snapshot, rules);
    template.execute(&context, &mut session).map_err(|failure| failure.0)
}

/// Template and what it prints, or `!` and the end of the error.
fn check(cases: &[(&str, &str)]) {
    let snapshot = Snapshot::default();
    for (template, expected) in cases {
        let result = render_text(template, &snapshot);
        match expected.strip_prefix('!') {
            Some(end) => {
                let error = result.expect_err(template);
                assert!(error.ends_with(end), "{template}: {error}");
            }
            None => assert_eq!(result.as_deref(), Ok(*expected), "{template}"),
        }
    }
}

#[test]
fn missing_values_behave_as_in_go() {
    check(&[
        ("{{ $m := dict }}{{ $m.a }} {{ $m.a.b.c }}", "<no value> <no value>"),
        ("{{ $m := dict }}{{ $x := $m.a }}{{ $x.y }}", "<no value>"),
        ("{{ $m := dict \"a\" nil }}{{ $m.a }}", "<no value>"),
        (
            "{{ $m := dict \"a\" nil }}{{ $m.a.b }}",
            "!template: tmpl:1:29: executing \"tmpl\" at <$m.a.b>: nil pointer evaluating interface {}.b",
        ),
        ("{{ $m := dict }}{{ eq $m.a \"x\" }} {{ eq nil nil }} {{ eq nil \"x\" }}", "false true false"),
        (
            "{{ $m := dict }}{{ upper $m.a }}",
            "!template: tmpl:1:27: executing \"tmpl\" at <$m.a>: invalid value; expected string",
        ),
        (
            "{{ $m := dict }}{{ $m.a | upper }}",
            "!template: tmpl:1:26: executing \"tmpl\" at <upper>: invalid value; expected string",
        ),
        ("{{ $m := dict }}{{ index $m.a 0 }}", "!error calling index: index of untyped nil"),
        ("{{ $m := dict }}{{ index $m \"a\" }}", "<no value>"),
        ("{{ index (list 1) 2 }}", "!error calling index: index out of range: 2"),
        ("{{ $m := dict \"a\" \"b\" }}{{ $m.a.c }}", "!can't evaluate field c in type interface {}"),
        ("{{ $s := \"b\" }}{{ $s.c }}", "!can't evaluate field c in type string"),
        ("{{ .Foo }}", "!executing \"tmpl\" at <.Foo>: can't evaluate field Foo in type struct {}"),
        ("{{ $m := dict }}{{ with $m }}a{{ else }}b{{ end }}{{ if $m.x }}c{{ end }}", "b"),
        ("{{ range dict }}a{{ else }}b{{ end }}{{ $m := dict }}{{ range $m.x }}a{{ end }}", "b"),
    ]);
}

#[test]
fn control_flow_behaves_as_in_go() {
    check(&[
        ("{{ range $i, $v := list \"a\" \"b\" }}{{ $i }}{{ $v }}{{ end }}", "0a1b"),
        ("{{ range $k, $v := dict \"b\" 1 \"a\" 2 }}{{ $k }}{{ $v }}{{ end }}", "a2b1"),
        ("{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "02"),
        ("{{ range list 1 2 3 }}{{ if gt . 1 }}{{ break }}{{ end }}{{ . }}{{ end }}", "1"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ end }}{{ $x }}", "2"),
        ("{{ if false }}a{{ else if true }}b{{ else }}c{{ end }}", "b"),
        ("{{ with \"\" }}a{{ else with \"x\" }}{{ . }}{{ end }}", "x"),
        ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" 1 }}{{ template \"t\" \"a\" }}", "<1><a>"),
        ("{{ block \"t\" 1 }}[{{ . }}]{{ end }}", "[1]"),
        ("a \n {{- 1 -}} \n b{{/* c */}} {{- /* d */ -}} e", "a1be"),
        ("a {{- /* c */}} b", "a b"),
        ("{{ (dict \"a\" (dict \"b\" 1)).a.b }}{{ 1 | printf \"%d-%s\" 2 }}", "12-%!s(int=1)"),
        (
            "{{ printf \"%05d|%-4s|%q|%.2f|%v|%t|%x\" 42 \"a\" \"b\" 1.005 (list 1) true 255 }}",
            "00042|a   |\"b\"|1.00|[1]|true|ff",
        ),
        (
            "{{ 1000000.0 }} {{ 0.00001 }} {{ 1e3 }} {{ 'a' }} {{ 0x10 }} {{ `r\\n` }}",
            "1e+06 1e-05 1000 97 16 r\\n",
        ),
        ("{{ and 1 0 (fail \"x\") }}{{ or 0 2 (fail \"x\") }}{{ not 0 }}", "02true"),
        ("{{ print 1 2 \"a\" 3 }}{{ len \"abc\" }}{{ html \"<a>\" }}", "1 2a33&lt;a&gt;"),
        ("{{ if eq 1 1.0 }}{{ end }}", "!error calling eq: incompatible types for comparison"),
    ]);
}

#[test]
fn numbers_are_read_as_gos_parser_reads_them() {
    check(&[
        (
            "{{ 1_000 }} {{ 0b101 }} {{ 0o17 }} {{ 017 }} {{ 0x_1F }} {{ -5 }} {{ +5 }}",
            "1000 5 15 15 31 -5 5",
        ),
        (
            "{{ 0x1p4 }} {{ 0x1.8p1 }} {{ .5 }} {{ 1. }} {{ 1E2 }} {{ '\\n' }} {{ '\u{fc}' }}",
            "16 3 0.5 1 100 10 252",
        ),
        ("{{ 08 }}", "!template: tmpl:1: integer overflow: \"08\""),
        ("{{ 99999999999999999999 }}", "!integer overflow: \"99999999999999999999\""),
        ("{{ 9999999999999999999 }}", "!9999999999999999999 overflows int"),
        ("{{ 1__0 }}", "!illegal number syntax: \"1__0\""),
        ("{{ 1i }}", "!bad number syntax: \"1i\""),
        ("{{ until 2.0 }} {{ until 0x2 }}", "[0 1] [0 1]"),
        ("{{ until 2.5 }}", "!expected integer; found 2.5"),
    ]);
}

#[test]
fn formats_are_gos() {
    check(&[
        ("{{ printf \"%[2]d %[1]d\" 1 2 }}", "2 1"),
        ("{{ printf \"%[3]*.[2]*[1]f|\" 12.0 2 6 }}", " 12.00|"),
        ("{{ printf \"%[1]d %d %[1]q\" 65 66 }}", "65 66 'A'"),
        ("{{ printf \"%[5]d\" 1 }}{{ printf \"%[x]d\" 1 }}", "%!d(BADINDEX)%!d(BADINDEX)"),
        ("{{ printf \"%*d|%-*d|\" 4 1 4 1 }}", "   1|1   |"),
        (
            "{{ printf \"%d\" }}{{ printf \"x\" 1 }}{{ printf \"%z\" 1 }}{{ printf \"%\" }}",
            "%!d(MISSING)x%!(EXTRA int=1)%!z(int=1)%!(NOVERB)",
        ),
        ("{{ printf \"%T %T %T %T\" 1 \"a\" (list) nil }}", "int string []interface {} <nil>"),
        (
            "{{ printf \"%x %X %o %b %c %U %e %g\" 255 255 8 5 65 65 1500.0 1e21 }}",
            "ff FF 10 101 A U+0041 1.500000e+03 1e+21",
        ),
        (
            "{{ printf \"%+d % d %06.2f %s %v\" 5 5 3.14159 (list \"a\" 1) (dict \"k\" true) }}",
            "+5  5 003.14 [a %!s(int=1)] map[k:true]",
        ),
        ("{{ printf \"%5t|%-6q|%.2s|%5.1f%%\" true \"a\" \"abc\" 99.95 }}", " true|\"a\"   |ab|100.0%"),
    ]);
}

#[test]
fn what_panics_in_sprig_is_an_error() {
    check(&[
        ("{{ repeat -1 \"a\" }}", "!error calling repeat: strings: negative Repeat count"),
        ("{{ indent -1 \"a\" }}", "!error calling indent: strings: negative Repeat count"),
        (
            "{{ substr 5 2 \"abcdef\" }}",
            "!error calling substr: runtime error: slice bounds out of range [5:2]",
        ),
        (
            "{{ substr -1 9 \"abc\" }}",
            "!error calling substr: runtime error: slice bounds out of range [:9] with length 3",
        ),
        ("{{ substr 0 9 \"abc\" }}{{ substr 1 -1 \"abc\" }}", "abcbc"),
        ("{{ randInt 5 5 }}", "!error calling randInt: invalid argument to Intn"),
        ("{{ urlParse \":\" }}", "!missing protocol scheme"),
    ]);
}

#[test]
fn templates_have_scopes_of_their_own() {
    check(&[
        ("{{ $x := 1 }}{{ define \"t\" }}{{ $ }}{{ end }}{{ template \"t\" 5 }}{{ $x }}", "51"),
        (
            "{{ define \"t\" }}{{ $x }}{{ end }}{{ $x := 1 }}{{ template \"t\" }}",
            "!undefined variable \"$x\"",
        ),
        ("{{ range $i, $e := list \"a\" }}{{ $i = 5 }}{{ $i }}{{ end }}", "5"),
        ("{{ $i := 0 }}{{ range list 1 2 }}{{ $i = . }}{{ end }}{{ $i }}", "2"),
        ("{{ range $i := 3 }}{{ $i }}{{ end }}{{ range int64 2 }}.{{ end }}", "012.."),
        ("{{ range true }}{{ end }}", "!range can't iterate over true"),
        ("{{ with $x := 5 }}{{ $x }}{{ . }}{{ end }}", "55"),
        ("{{ if and (eq 1 1) (not false) }}a{{ end }}{{ (printf \"%s\" \"x\") | upper }}", "aX"),
        ("{{ (now).Year }} {{ now.Format \"2006\" }} {{ \"2006\" | now.Format }}", "1970 1970 1970"),
        ("{{ $t := now }}{{ $t.Nope }}", "!can't evaluate field Nope in type time.Time"),
        ("{{ (dict).Format \"x\" }}", "!Format is not a method but has arguments"),
    ]);
}

#[test]
fn faults_of_templates_are_named_in_gos_words() {
    check(&[
        ("a\n{{ end }}", "!template: tmpl:2: unexpected {{end}}"),
        ("{{ if true }}", "!template: tmpl:1: unexpected EOF"),
        ("{{ if }}{{ end }}", "!template: tmpl:1: missing value for if"),
        ("{{ \"a", "!template: tmpl:1: unterminated quoted string"),
        ("{{ '{{", "!template: tmpl:1: unterminated character constant"),
        ("{{ (1 }}", "!template: tmpl:1: unclosed left paren"),
        ("{{ $x }}", "!template: tmpl:1: undefined variable \"$x\""),
        ("{{ nope 1 }}", "!template: tmpl:1: function \"nope\" not defined"),
        ("{{ break }}", "!template: tmpl:1: {{break}} outside {{range}}"),
        ("{{ 1 | 2 }}", "!template: tmpl:1: non executable command in pipeline stage 2"),
        ("{{ \"default\" \"x\" }}", "!can't give argument to non-function \"default\""),
        ("{{ lookup \"v1\" }}", "!at <lookup>: wrong number of args for lookup: want at least 4 got 1"),
        ("{{ upper 1 }}", "!at <1>: expected string; found 1"),
        ("{{ template \"x\" }}", "!template \"x\" not defined"),
        ("{{ nil }}", "!nil is not a command"),
        ("{{ a.b", "!template: tmpl:1: function \"a\" not defined"),
        ("{{ 3x }}", "!template: tmpl:1: bad number syntax: \"3x\""),
    ]);
}

#[test]
fn hostile_templates_end_in_an_error() {
    let deep = format!("{}1{}", "{{ if 1 }}".repeat(101), "{{ end }}".repeat(101));
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    let chain = format!("{{{{ if 0 }}}}{}{{{{ end }}}}", "{{ else if 0 }}".repeat(5000));
    check(&[
        (&deep, "!template: tmpl:1: the template nests deeper than 100 levels"),
        (&parentheses, "!template: tmpl:1: the template nests deeper than 100 levels"),
        (&chain, "!template: tmpl:1: the template nests deeper than 100 levels"),
        (
            "{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}",
            "!exceeded maximum template depth (50)",
        ),
        ("{{ range 100000000 }}{{ end }}", "!the template takes more than 2000000 steps"),
        (
            "{{ $x := \"aaaaaaaa\" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}",
            "!the printed value is too large",
        ),
        (
            "{{ $x := repeat 100000 \"a\" }}{{ range 1000 }}{{ $x }}{{ end }}",
            "!the result is longer than 8388608 bytes",
        ),
        (
            "{{ $x := repeat 4000000 \"a\" }}{{ range 40 }}{{ $_ := upper $x }}{{ end }}",
            "!the functions of the template produce more than 67108864 bytes",
        ),
        ("{{ printf \"%999999999d\" 1 }}", "!error calling printf: the printed value is too large"),
        (
            "{{ $x := list }}{{ range 100000 }}{{ $x = list $x }}{{ end }}{{ $x }}",
            "!the printed value is too large",
        ),
    ]);
}

#[test]
fn a_looked_up_object_is_a_value_like_any_other() {
    let snapshot = Snapshot::of([serde_json::json!({
        "apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b", "namespace": "n"}})]);
    let look = r#"{{ $found := lookup "velero.io/v1" "Backup" "n" "b" }}"#;
    for (text, expected) in [
        ("{{ if $found }}yes{{ end }}", "yes"),
        ("{{ if or false $found }}yes{{ end }}", "yes"),
        ("{{ with $found }}{{ .metadata.name }}{{ end }}", "b"),
        ("{{ $found.metadata.name }} {{ $found.status.phase }}", "b <no value>"),
        ("{{ not $found }}", "false"),
    ] {
        assert_eq!(render_text(&format!("{look}{text}"), &snapshot), Ok(expected.to_owned()), "{text}");
    }
}
