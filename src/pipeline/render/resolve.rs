//! Resolves one text: rewriting, Go's engine, then YAML into a value.
//!
//! Source: `ResolveTemplate` of go-template-utils. A parsed template is kept for the next cluster: between the clusters of a
//! fleet only contexts and look-ups differ.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use super::engine::go::{Availability, Template, Value};
use super::rewrite::{CLUSTER, Delimiters, HUB};
use super::session::Session;
use super::{HUB_ADDITIONAL_INDENTATION, RenderError, functions, go_json};
use crate::yaml::{self, Dialect};

/// How many parsed templates one generation of the store holds.
const GENERATION: usize = 8192;

/// Which language a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    /// `{{hub … hub}}`.
    Hub,
    /// `{{ … }}` in an entry of `object-templates`.
    ObjectTemplate,
    /// `{{ … }}` in `object-templates-raw`.
    Raw,
}

impl Language {
    pub(crate) fn delimiters(self) -> &'static Delimiters {
        match self {
            Self::Hub => &HUB,
            Self::ObjectTemplate | Self::Raw => &CLUSTER,
        }
    }

    /// By how many spaces its `indent` shifts further.
    fn additional_indentation(self) -> usize {
        match self {
            Self::Hub => HUB_ADDITIONAL_INDENTATION,
            Self::ObjectTemplate | Self::Raw => 0,
        }
    }

    fn parse(self, text: &str) -> Result<Template, String> {
        let delimiters = self.delimiters();
        let processed = delimiters.rewrite(text, self.additional_indentation());
        Template::parse(&processed, (&delimiters.left, &delimiters.right), &|name| {
            functions::find(name).filter(|function| match function.availability {
                Availability::Everywhere => true,
                Availability::ObjectTemplates => self == Self::ObjectTemplate,
            })
        })
    }
}

type Parsed = HashMap<Arc<str>, Arc<Result<Template, String>>>;

/// Parsed templates by language and text, in two generations: what the older one held and nobody asked for is forgotten.
#[derive(Default)]
pub(crate) struct Templates {
    generations: Mutex<HashMap<Language, [Parsed; 2]>>,
}

impl Templates {
    fn get(&self, language: Language, text: &str) -> Arc<Result<Template, String>> {
        let mut all = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let [young, old] = all.entry(language).or_default();
        if let Some(template) = young.get(text) {
            return Arc::clone(template);
        }
        let (key, template) = if let Some(kept) = old.remove_entry(text) {
            kept
        } else {
            drop(all);
            let template = Arc::new(language.parse(text));
            all = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
            (Arc::from(text), template)
        };
        let [young, old] = all.entry(language).or_default();
        if young.len() >= GENERATION {
            *old = std::mem::take(young);
        }
        young.insert(key, Arc::clone(&template));
        template
    }
}

/// What a text is resolved from; error texts show it as it came.
pub(crate) enum Source<'a> {
    /// JSON, which becomes YAML before its templates are looked for.
    Json(&'a Json),
    /// YAML as it stands (`object-templates-raw`).
    Text(&'a str),
}

impl Source<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Json(value) => go_json::encode(value, true),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

/// Carries out the templates of a text and reads the result.
pub(crate) fn resolve(
    templates: &Templates,
    source: &Source<'_>,
    language: Language,
    context: &Value,
    session: &mut Session<'_>,
) -> Result<Json, RenderError> {
    let owned;
    let text = match source {
        Source::Json(value) => {
            owned = yaml::template_text(value);
            owned.as_str()
        }
        Source::Text(text) => text,
    };
    let template = match session.decrypted(text).map_err(RenderError::Template)? {
        Cow::Borrowed(text) => templates.get(language, text),
        // A text with plain values of Secrets is not kept.
        Cow::Owned(text) => Arc::new(language.parse(&text)),
    };
    carry_out(template.as_ref(), source, context, session).map(|(value, _)| value)
}

/// Carries out a parsed template; gives the value and its text.
pub(crate) fn carry_out(
    template: &Result<Template, String>,
    source: &Source<'_>,
    context: &Value,
    session: &mut Session<'_>,
) -> Result<(Json, String), RenderError> {
    let template = template.as_ref().map_err(|reason| {
        let reason = session.censor(reason.clone(), false);
        RenderError::Template(format!(
            "failed to parse the template JSON string {}: {reason}",
            source.shown()
        ))
    })?;
    let resolved = template.execute(context, session).map_err(|failure| {
        RenderError::Template(format!("failed to resolve the template {}: {}", source.shown(), failure.0))
    })?;
    let value = yaml::read(&resolved, Dialect::Template).map_err(|error| {
        let reason = session.censor(error.to_string(), false);
        RenderError::Result(format!("failed to convert the resolved template to JSON: {reason}"))
    })?;
    Ok((value, resolved))
}
