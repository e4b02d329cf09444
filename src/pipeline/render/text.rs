//! One text with templates, without a policy around it: the language itself, with everything that can be set about it.
//!
//! For what looks at templates rather than policies: the checks of `flotilla lint`, the test cases of others, fuzzing.
//! Policies are resolved by [`Renderer`](super::Renderer).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::encryption::Encryption;
use super::engine::go::{Availability, Template, Value};
use super::lookup::Lookup;
use super::resolve::{Source, carry_out};
use super::rewrite::Delimiters;
pub use super::session::ClusterScoped;
use super::session::{Protection, Restriction, Rules, Session};
use super::{
    Ambient, Asked, HubContext, ObjectVariables, RenderError, encryption, functions, hub, not_yet_known,
    variables,
};
use crate::yaml;

/// The text to be resolved.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A value, which becomes YAML first, as objects in policies do.
    Value(&'a Json),
    /// YAML as it stands, as in `object-templates-raw`.
    Yaml(&'a str),
}

/// What is to hold for a text.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What opens a template.
    pub left: String,
    /// What closes it.
    pub right: String,
    /// By how many spaces `indent` shifts further.
    pub additional_indentation: usize,
    /// The one namespace in which may be looked up.
    pub namespace: Option<String>,
    /// Cluster-scoped objects that may be looked up where there is such a namespace.
    pub cluster_scoped: Vec<ClusterScoped>,
    /// Functions that may not be used, beside those that never may.
    pub denied: Vec<String>,
    /// With what `protect` and `fromSecret` encrypt.
    pub encrypt: Option<Encryption>,
    /// What decrypts values in the text.
    pub decrypt: Option<Encryption>,
    /// The claims of the cluster; without them `ClusterClaim`s are looked up.
    pub claims: Option<BTreeMap<String, String>>,
    /// What the dot is. If nothing is said, it is what the hub phase knows, then the names of an object, then a struct
    /// without fields.
    pub context: Option<Json>,
    /// What the hub phase knows.
    pub hub: Option<HubContext>,
    /// The object that the text is resolved for.
    pub object: Option<ObjectVariables>,
    /// Whether `skipObject` may be used.
    pub is_object_template: bool,
    /// The moment and the randomness.
    pub ambient: Ambient,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            left: "{{".to_owned(),
            right: "}}".to_owned(),
            additional_indentation: 0,
            namespace: None,
            cluster_scoped: Vec::new(),
            denied: Vec::new(),
            encrypt: None,
            decrypt: None,
            claims: None,
            context: None,
            hub: None,
            object: None,
            is_object_template: false,
            ambient: Ambient::default(),
        }
    }
}

/// What came of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Its value.
    pub value: Json,
    /// The text that the value was read from.
    pub text: String,
    /// Whether a value of a Secret went into it.
    pub sensitive: bool,
    /// Whether it called `skipObject`.
    pub skipped: bool,
}

impl Settings {
    fn rules(&self) -> Rules<'_> {
        Rules {
            restriction: self
                .namespace
                .as_deref()
                .map(|namespace| Restriction { namespace, cluster_scoped: &self.cluster_scoped }),
            claims: self.claims.as_ref(),
            protection: self.encrypt.clone().map_or(Protection::Off, Protection::Encrypted),
            decryption: self.decrypt.clone().map(Ok),
            additional_indentation: self.additional_indentation,
            denied: &self.denied,
            ambient: self.ambient,
        }
    }

    fn parse(&self, text: &str) -> Result<Template, String> {
        let delimiters = Delimiters::new(&self.left, &self.right).map_err(|error| error.to_string())?;
        let rewritten = delimiters.rewrite(text, self.additional_indentation);
        Template::parse(&rewritten, (&self.left, &self.right), &|name| {
            functions::find(name).filter(|function| match function.availability {
                Availability::Everywhere => true,
                Availability::ObjectTemplates => self.is_object_template,
            })
        })
    }

    fn dot(&self) -> Value {
        match (&self.context, &self.hub, &self.object) {
            (Some(context), _, _) => Value::from_yaml(context),
            (None, Some(context), _) => hub::struct_of(context),
            (None, None, Some(object)) => variables::names_of(object),
            (None, None, None) => variables::no_fields(),
        }
    }
}

/// Resolves a text.
pub fn resolve(
    input: Input<'_>,
    settings: &Settings,
    lookup: &dyn Lookup,
) -> (Result<Resolved, RenderError>, Asked) {
    let mut session = Session::new(lookup, settings.rules());
    let (source, text) = match input {
        Input::Value(value) => (Source::Json(value), yaml::template_text(value)),
        Input::Yaml(text) => (Source::Text(text), text.to_owned()),
    };
    let decrypted = session.decrypted(&text).map_err(RenderError::Template);
    let result = decrypted
        .and_then(|text| carry_out(&settings.parse(&text), &source, &settings.dot(), &mut session))
        .map(|(value, text)| Resolved {
            value,
            text,
            sensitive: session.sensitive,
            skipped: session.skipped,
        });
    if session.is_pending() {
        return (Err(not_yet_known(&session.asked)), session.asked);
    }
    (result, session.asked)
}

/// Carries out a template and gives the text as it comes, which need not be YAML.
pub fn print(template: &str, settings: &Settings, lookup: &dyn Lookup) -> Result<String, RenderError> {
    let mut session = Session::new(lookup, settings.rules());
    let parsed = settings.parse(template).map_err(RenderError::Template)?;
    parsed.execute(&settings.dot(), &mut session).map_err(|failure| RenderError::Template(failure.0))
}

/// Whether a text is a template at all; the error is Go's.
pub fn check(template: &str, settings: &Settings) -> Result<(), RenderError> {
    settings.parse(template).map(|_| ()).map_err(RenderError::Template)
}

/// Calls one function. The result comes with whether a value of a Secret went into it.
pub fn call(
    function: &str,
    arguments: &[Json],
    settings: &Settings,
    lookup: &dyn Lookup,
) -> Result<(Json, bool), RenderError> {
    let fault = RenderError::Template;
    let found =
        functions::find(function).ok_or_else(|| fault(format!("function {function:?} not defined")))?;
    let mut session = Session::new(lookup, settings.rules());
    let arguments: Vec<Value> = arguments.iter().map(Value::from_yaml).collect();
    let value = found.checked_call(&mut session, &arguments).map_err(fault)?;
    let json = value.to_json(&mut 1_000_000).map_err(|_| fault("the value is too large".to_owned()))?;
    Ok((json, session.sensitive))
}

/// The names of all functions, in order.
pub fn function_names() -> Vec<&'static str> {
    functions::names()
}

/// Whether a text holds a template, or, if that is asked for, an encrypted value.
pub fn has_template(text: &str, left: &str, encrypted_too: bool) -> bool {
    let left = if left.is_empty() { "{{" } else { left };
    text.contains(left) || encrypted_too && text.contains(encryption::PREFIX)
}

/// Whether a string or key of a value holds a text.
pub fn holds(value: &Json, wanted: &str) -> bool {
    hub::holds(value, wanted)
}

/// Takes the quotes from values that must keep their type, as is done before templates are looked for.
pub fn strip_quotes(text: &str, left: &str, right: &str) -> String {
    Delimiters::new(left, right)
        .map_or_else(|_| text.to_owned(), |delimiters| delimiters.strip_quotes(text).into_owned())
}

/// The namespace that a look-up goes to, or why it may not.
pub fn namespace(argument: &str, settings: &Settings, lookup: &dyn Lookup) -> Result<String, RenderError> {
    let session = Session::new(lookup, settings.rules());
    session.namespace(argument).map(ToOwned::to_owned).map_err(RenderError::Template)
}

/// A value as YAML in the way in which objects are written before their templates are looked for.
pub fn yaml(value: &Json) -> String {
    yaml::template_text(value)
}
