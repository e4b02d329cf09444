//! Rules about templates: what parses, what exists, and what the hub lets a policy look at.

use regex::Regex;
use serde_json::Value;

use super::actions::{Action, End, Word, actions, words};
use super::{Check, Finding, Rule, Scene, text, texts};
use crate::pipeline::render::inspect::{Phase, encoded, inspect};
use crate::yaml::Located;

/// Functions whose argument at this position is a namespace.
const WITH_NAMESPACE: &[(&str, usize)] = &[
    ("copyConfigMapData", 0),
    ("copySecretData", 0),
    ("fromConfigMap", 0),
    ("fromSecret", 0),
    ("lookup", 2),
];

/// Functions that exist on one side only, and the variables of each side.
const CLUSTER_ONLY: &[&str] = &["fromClusterClaim", "lookupClusterClaim", "skipObject"];
const HUB_ONLY: &[&str] = &["protect"];
const CLUSTER_VARIABLES: &[&str] = &[".Object", ".ObjectName", ".ObjectNamespace"];
const HUB_VARIABLES: &[&str] = &[".ManagedClusterLabels", ".ManagedClusterName", ".PolicyMetadata"];

/// Functions that fail when they are called.
const REFUSED: &[&str] = &["env", "expandenv"];

/// Kinds without a namespace that policies look up now and then.
const CLUSTER_SCOPED: &[&str] = &[
    "ClusterClaim",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterVersion",
    "CustomResourceDefinition",
    "Infrastructure",
    "ManagedCluster",
    "ManagedClusterSet",
    "Namespace",
    "Node",
    "PersistentVolume",
    "StorageClass",
    "VolumeSnapshotClass",
];

pub(super) fn check(scene: &Scene<'_>, findings: &mut Vec<Finding>) {
    let disabled = |part: &Located| {
        part.at(&["metadata", "annotations"])
            .and_then(|annotations| annotations.field("policy.open-cluster-management.io/disable-templates"))
            .and_then(Located::text)
            .is_some_and(|text| text == "true")
    };
    if disabled(scene.root) {
        return;
    }
    for check in scene.checks.iter().filter(|check| !disabled(check.definition)) {
        let before = findings.len();
        by_words(scene, check, findings);
        // What is mixed up does not parse either; one finding says it.
        let mixed = findings[before..].iter().any(|finding| finding.rule == Rule::MixedDelimiters);
        parsed(scene, check, !mixed, findings);
    }
}

/// What can be seen in the words of each template.
fn by_words(scene: &Scene<'_>, check: &Check<'_>, findings: &mut Vec<Finding>) {
    let mut all = Vec::new();
    texts(check.definition, &mut all);
    for (first, text) in all {
        for action in actions(text) {
            // A text of one line may be folded from several: then its first line is the best that is known.
            let line = first + action.line;
            one(scene, check, &action, line, findings);
        }
    }
}

fn one(scene: &Scene<'_>, check: &Check<'_>, action: &Action<'_>, line: usize, findings: &mut Vec<Finding>) {
    let mut found = |rule: Rule, message: String, hint: &str| {
        findings.push(Finding { rule, line, column: None, message, hint: hint.to_owned() });
    };
    if action.end == End::Mixed {
        let (message, hint) = if action.hub {
            ("a template that begins with {{hub ends with }}", "end it with hub}}")
        } else {
            ("a template that begins with {{ ends with hub}}", "begin it with {{hub")
        };
        found(Rule::MixedDelimiters, message.to_owned(), hint);
        return;
    }
    let words = words(action.body);
    let raw = check.definition.at(&["spec", "object-templates-raw"]).is_some();
    for (index, word) in words.iter().enumerate() {
        let Word::Name(name) = word else { continue };
        let name = name.as_str();
        let variable = name.split('.').nth(1).map(|first| format!(".{first}")).unwrap_or_default();
        let starts = name.starts_with('.');
        if REFUSED.contains(&name) {
            found(
                Rule::RefusedFunction,
                format!("{name} is refused: it would read the environment of the hub"),
                "put the value into a ConfigMap",
            );
        } else if action.hub && CLUSTER_ONLY.contains(&name) {
            found(
                Rule::WrongPhase,
                format!("{name} exists in templates of the cluster only"),
                "write {{ … }} instead of {{hub … hub}}",
            );
        } else if !action.hub && HUB_ONLY.contains(&name) {
            found(
                Rule::WrongPhase,
                format!("{name} exists in templates of the hub only"),
                "write {{hub … hub}} instead of {{ … }}",
            );
        } else if raw && name == "skipObject" {
            found(
                Rule::WrongPhase,
                "skipObject does not exist in object-templates-raw".to_owned(),
                "use an `if` around the object",
            );
        } else if starts && action.hub && CLUSTER_VARIABLES.contains(&variable.as_str()) {
            found(
                Rule::WrongPhase,
                format!("{variable} exists in templates of the cluster only"),
                "write {{ … }} instead of {{hub … hub}}",
            );
        } else if starts && !action.hub && HUB_VARIABLES.contains(&variable.as_str()) {
            found(
                Rule::WrongPhase,
                format!("{variable} exists in templates of the hub only"),
                "write {{hub … hub}} instead of {{ … }}",
            );
        }
        if action.hub
            && !scene.has_service_account()
            && let Some((_, position)) = WITH_NAMESPACE.iter().find(|(function, _)| *function == name)
        {
            let arguments = &words[index + 1..];
            if let Some((message, hint)) = refused_look_up(scene, name, arguments, *position) {
                found(Rule::LookupNamespace, message, &hint);
            }
        }
    }
}

impl Scene<'_> {
    /// Whether the policy reads the hub with rights of its own.
    fn has_service_account(&self) -> bool {
        self.root.at(&["spec", "hubTemplateOptions", "serviceAccountName"]).is_some()
    }
}

/// Why the hub refuses a look-up, as far as its arguments are written out.
fn refused_look_up(
    scene: &Scene<'_>,
    function: &str,
    arguments: &[Word],
    position: usize,
) -> Option<(String, String)> {
    // An argument in parentheses is one argument, but what it comes to is not known.
    let literal = |index: usize| {
        let before = arguments.get(..=index)?;
        if before.iter().any(|word| matches!(word, Word::Mark(_))) {
            return None;
        }
        match before.last()? {
            Word::Text(text) => Some(text.as_str()),
            Word::Mark(_) | Word::Name(_) => None,
        }
    };
    let options = "a service account in spec.hubTemplateOptions.serviceAccountName lifts this";
    if function == "lookup"
        && let Some(kind) = literal(1)
        && CLUSTER_SCOPED.contains(&kind)
    {
        return (kind != "ManagedCluster").then(|| {
            (
                format!(
                    "{kind} has no namespace, and the hub lets policies look up their own ManagedCluster only"
                ),
                options.to_owned(),
            )
        });
    }
    let (named, own) = (literal(position)?, scene.namespace()?);
    (!named.is_empty() && named != own).then(|| {
        (
            format!(
                "{function} looks in namespace {named:?}, but a policy may look in its own, {own:?}, only"
            ),
            format!("use .PolicyMetadata.namespace or \"\"; {options}"),
        )
    })
}

/// What the parser says: to the hub's templates as the hub reads them, then to those of the cluster.
fn parsed(scene: &Scene<'_>, check: &Check<'_>, syntax: bool, findings: &mut Vec<Finding>) {
    let definition = check.definition.value();
    let whole = encoded(&definition);
    let place = Place { scene, check, first: None, blanks: text::first_trailing_blanks(check.definition) };
    if whole.contains("{{hub") {
        report(&whole, Phase::Hub, &place, syntax, findings);
    }
    let spec = check.definition.field("spec");
    if let Some(raw) = spec.and_then(|spec| spec.field("object-templates-raw"))
        && let Some(text) = raw.text()
    {
        // As it stands in the file, so its lines are the file's.
        let place = Place { first: Some(raw.line), blanks: None, ..place };
        report(&without_hub(text), Phase::Cluster, &place, syntax, findings);
        return;
    }
    for template in
        spec.and_then(|spec| spec.field("object-templates")).map(Located::entries).unwrap_or_default()
    {
        let object = template.field("objectDefinition").map_or(Value::Null, Located::value);
        report(&without_hub(&encoded(&object)), Phase::Cluster, &place, syntax, findings);
    }
}

/// Where a text came from.
#[derive(Clone, Copy)]
struct Place<'p, 'd> {
    scene: &'p Scene<'d>,
    check: &'p Check<'d>,
    /// The line in the document of its own first one, where the text stands in the document as it is.
    first: Option<usize>,
    /// A line that ends with blanks: the text is quoted because of it, which breaks quotes inside.
    blanks: Option<usize>,
}

impl Place<'_, '_> {
    /// The line in the document of a line of the text.
    fn line(&self, text: &str, line: usize) -> usize {
        let from = self.check.definition.line;
        if let Some(first) = self.first {
            return first + line - 1;
        }
        let found = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        // Quotes and indentation may differ; the first template on the line is as it was written.
        let wanted =
            actions(found).first().map_or_else(|| found.trim().to_owned(), |action| action.body.to_owned());
        if wanted.is_empty() { from } else { self.scene.line_of(&wanted, from, self.check.last) }
    }
}

fn report(text: &str, phase: Phase, place: &Place<'_, '_>, syntax: bool, findings: &mut Vec<Finding>) {
    let found = inspect(text, phase);
    // `hub` alone is a mark that went astray; what is wrong besides follows from it.
    let astray = found.unknown.contains("hub");
    for name in found.unknown.into_iter().filter(|name| syntax || name != "hub") {
        let word = Regex::new(&format!(r"\b{}\b", regex::escape(&name))).ok();
        let line = text
            .lines()
            .position(|line| line.contains("{{") && word.as_ref().is_some_and(|word| word.is_match(line)))
            .map_or(place.check.definition.line, |index| place.line(text, index + 1));
        let hint = if name == "hub" {
            "write {{hub without a blank between".to_owned()
        } else {
            "docs/reference/lint.md tells which functions there are; is it spelt right, upper and lower case too?".to_owned()
        };
        findings.push(Finding {
            rule: Rule::UnknownFunction,
            line,
            column: None,
            message: format!("there is no function {name:?}"),
            hint,
        });
    }
    let Some(message) = found.syntax.filter(|_| syntax && !astray) else { return };
    let inside = message.strip_prefix("template: tmpl:").unwrap_or(&message);
    let (line, cause) = inside.split_once(": ").unwrap_or(("1", inside));
    let line = line.split(':').next().and_then(|line| line.parse().ok()).unwrap_or(1);
    // The parser complains at the end of the text; the mistake is where it was opened.
    let line = if cause.contains("unexpected EOF") { unclosed(text, phase).unwrap_or(line) } else { line };
    if let Some(line) = place.blanks {
        findings.push(Finding {
            rule: Rule::TemplateSyntax,
            line,
            column: None,
            message: format!("{cause}: blanks at the end of this line put the whole text into double quotes"),
            hint: "take the blanks away".to_owned(),
        });
        return;
    }
    findings.push(Finding {
        rule: Rule::TemplateSyntax,
        line: place.line(text, line),
        column: None,
        message: cause.to_owned(),
        hint: match phase {
            Phase::Hub => "a template of the hub must be whole within one ConfigurationPolicy".to_owned(),
            Phase::Cluster => {
                "a template must be whole within one object template, or within object-templates-raw"
                    .to_owned()
            }
        },
    });
}

/// The line of the last `if`, `with` or `range` that has no end.
fn unclosed(text: &str, phase: Phase) -> Option<usize> {
    let mut open = Vec::new();
    for action in actions(text).iter().filter(|action| action.hub == (phase == Phase::Hub)) {
        match action.body.split_whitespace().next() {
            Some("if" | "with" | "range" | "define" | "block") => open.push(action.line + 1),
            Some("end") => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

/// The text as the cluster would see it, with something in the place of what the hub puts there.
fn without_hub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{hub") {
        out.push_str(&rest[..start]);
        let Some(end) = rest[start..].find("hub}}") else {
            rest = &rest[start + 2..];
            continue;
        };
        let action = &rest[start..start + end + "hub}}".len()];
        let body = action.trim_start_matches("{{hub").trim_start_matches(['-', ' ']);
        let prints = !["if ", "else", "end", "range ", "with ", "/*", "$", "define ", "template "]
            .iter()
            .any(|word| body.starts_with(word))
            || body.starts_with('$') && !body.contains('=');
        if prints {
            out.push('1');
        }
        // The lines must stay as they are, for their numbers.
        out.extend(action.matches('\n'));
        rest = &rest[start + end + "hub}}".len()..];
    }
    out.push_str(rest);
    out
}
