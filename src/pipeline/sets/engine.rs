//! Handlebars: one template with its parameters to text. Strict: what is not there is an error. Nothing is escaped for HTML.

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
    Template, TemplateErrorReason, no_escape,
};
use serde_json::Value;

use super::block;
use super::fault::TemplateFault;
use super::limits;

/// Longest result, in bytes.
const LONGEST_RESULT: usize = 1024 * 1024;

/// How Go templates stand in a template.
const ESCAPE_HINT: &str =
    "Go templates that the policy is to keep are written with a backslash: \\{{hub ... hub}}";

/// Renders a template.
pub(super) fn render(name: &str, text: &str, parameters: &Value) -> Result<String, TemplateFault> {
    limits::of_text(name, text)?;
    let template = Template::compile(text).map_err(|error| {
        let line = error.pos().and_then(|(line, _)| u64::try_from(line).ok());
        let message = match error.reason() {
            TemplateErrorReason::InvalidSyntax(_) => "is no Handlebars expression".to_owned(),
            other => other.to_string(),
        };
        TemplateFault::new(name, message).line(line).hint(ESCAPE_HINT)
    })?;
    limits::of_template(name, &template)?;
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(no_escape);
    engine.unregister_helper("log");
    engine.register_helper("block", Box::new(write_block));
    engine.register_template(name, template);
    let text = engine.render(name, parameters).map_err(|error| fault(name, &error, parameters))?;
    if text.len() > LONGEST_RESULT {
        return Err(TemplateFault::new(name, format!("renders more than {LONGEST_RESULT} bytes")));
    }
    Ok(text)
}

fn fault(name: &str, error: &RenderError, parameters: &Value) -> TemplateFault {
    let line = error.line_no.and_then(|line| u64::try_from(line).ok());
    match error.reason() {
        RenderErrorReason::MissingVariable(variable) => {
            let known: Vec<&str> =
                parameters.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let variable = variable.as_deref().unwrap_or("a parameter");
            TemplateFault::new(name, format!("{variable} is not known"))
                .line(line)
                .hint(format!("there are {}; {ESCAPE_HINT}", known.join(", ")))
        }
        RenderErrorReason::HelperNotFound(helper) => {
            TemplateFault::new(name, format!("there is no helper {helper}")).line(line).hint(ESCAPE_HINT)
        }
        other => TemplateFault::new(name, other.to_string()).line(line),
    }
}

/// `{{block VALUE COLUMN}}`: the value as YAML behind a key, its lines from that column on.
fn write_block(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let missing = |index| RenderErrorReason::ParamNotFoundForIndex("block", index);
    let value = helper.param(0).ok_or_else(|| missing(0))?;
    let column = helper.param(1).ok_or_else(|| missing(1))?;
    let column = column
        .value()
        .as_u64()
        .and_then(|column| usize::try_from(column).ok())
        .filter(|column| *column <= 80)
        .ok_or(RenderErrorReason::InvalidParamType("a column from 0 to 80"))?;
    let text = block::after_key(value.value(), column)
        .map_err(|error| RenderErrorReason::Other(format!("cannot be written as YAML: {error}")))?;
    out.write(&text)?;
    Ok(())
}
