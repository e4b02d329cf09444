//! Laws of templates on input that nobody would write: whatever a text is, it ends in a value or an error.

use proptest::prelude::*;
use serde_json::json;

use super::tests::Snapshot;
use super::text::{self, Input, Settings};
use super::{ClusterContext, HubContext, Renderer};

/// Words that templates are made of, and some that break them.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{ ",
    " }}",
    " | ",
    "(",
    ")",
    " ",
    "\n",
    "'",
    "\"",
    "`",
    ":",
    "- ",
    "a: ",
    "|-\n  ",
    "$x",
    "$x := ",
    "$x = ",
    ".",
    ".a",
    ".Object",
    ".ObjectName",
    "nil",
    "true",
    "0x1F",
    "1e3",
    "1i",
    "'a'",
    "-1",
    "9999999999999999999",
    "if ",
    "else ",
    "else if ",
    "end",
    "range ",
    "with ",
    "define \"t\"",
    "template \"t\" ",
    "block \"t\" ",
    "break",
    "continue",
    "/* c */",
    "lookup ",
    "fromSecret ",
    "toInt",
    "toLiteral",
    "autoindent",
    "indent 3",
    "list ",
    "dict ",
    "set ",
    "index ",
    "printf \"%[2]*.[1]*f %v\" ",
    "regexMatch ",
    "semver ",
    "toDate ",
    "until ",
    "repeat ",
    "substr ",
    "slice ",
    "abbrev ",
    "wrap ",
    "urlParse ",
    "b64dec",
    "decryptAES \"k\" ",
    "fromJson",
    "fromYaml",
    "toYaml",
    "dig ",
    "merge ",
    "chunk ",
    "$ocm_encrypted:",
    "AAAA",
    "{{hub ",
    " hub}}",
    "é",
    "\u{0}",
    "\u{feff}",
    "&a *a",
    "!!binary",
    "? ",
    "%",
    "<<: ",
];

fn templates() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 0..24).prop_map(|words| words.concat())
}

/// The same between delimiters, so that more of it gets through the parser.
fn actions() -> impl Strategy<Value = String> {
    templates().prop_map(|inner| format!("a: '{{{{ {} }}}}'", inner.replace("{{", "").replace("}}", "")))
}

fn resolve(text: &str) {
    let snapshot = Snapshot::default();
    let settings = Settings { is_object_template: true, ..Settings::default() };
    drop(text::resolve(Input::Yaml(text), &settings, &snapshot));
    drop(text::resolve(Input::Value(&json!({"a": text, "b": [text]})), &settings, &snapshot));
    let renderer = Renderer::new();
    let policy = json!({"spec": {"object-templates-raw": text}});
    drop(renderer.cluster_phase(&policy, &ClusterContext::default(), &snapshot));
    drop(renderer.hub_phase(&json!({"a": text}), &HubContext::default(), &snapshot));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_rendering_panic(text in templates()) {
        resolve(&text);
    }

    #[test]
    fn no_action_makes_a_rendering_panic(text in actions()) {
        resolve(&text);
    }

    #[test]
    fn no_characters_make_a_rendering_panic(text in "\\PC{0,60}") {
        resolve(&format!("{{{{ {text} }}}}"));
    }

    /// Functions get what they do not expect.
    #[test]
    fn no_argument_makes_a_function_panic(
        index in any::<prop::sample::Index>(),
        texts in prop::collection::vec("[a-zA-Z0-9./:%(){}\\[\\]*+?é -]{0,12}", 0..4),
        numbers in prop::collection::vec(-1000_i64..1000, 0..4),
        order in any::<bool>(),
    ) {
        let names = text::function_names();
        let name = *index.get(&names);
        // They take a second each, whatever their arguments are.
        prop_assume!(!name.starts_with("gen") && !matches!(name, "bcrypt" | "htpasswd" | "derivePassword"));
        let mut arguments: Vec<_> = texts.into_iter().map(|text| json!(text)).collect();
        let at = if order { 0 } else { arguments.len() };
        arguments.splice(at..at, numbers.into_iter().map(|number| json!(number)));
        let mixed = [arguments.clone(), vec![json!([1, "a", null]), json!({"a": {"b": 1}})]].concat();
        let snapshot = Snapshot::default();
        drop(text::call(name, &arguments, &Settings::default(), &snapshot));
        drop(text::call(name, &mixed, &Settings::default(), &snapshot));
    }

    /// Without templates a text is read as it stands.
    #[test]
    fn a_text_without_templates_stays_itself(value in "[a-z ]{0,20}") {
        let object = json!({"value": value});
        let (resolved, _) = text::resolve(Input::Value(&object), &Settings::default(), &Snapshot::default());
        prop_assert_eq!(resolved.map(|resolved| resolved.value), Ok(object));
    }
}
