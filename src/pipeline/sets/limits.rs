//! What a user's template may not do: grow without end. Handlebars has no limits of its own, so that the shape of a template is
//! judged before it is carried out.

use handlebars::Template;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};

use super::fault::TemplateFault;

/// Longest template, in bytes.
const LONGEST: usize = 256 * 1024;
/// Deepest nesting of blocks.
const DEEPEST: usize = 8;
/// Loops inside each other.
const LOOPS: usize = 2;
/// Most brackets in one expression.
const BRACKETS: usize = 32;

/// Judges the text before it is parsed: what would make the parser itself go too deep.
pub(super) fn of_text(name: &str, text: &str) -> Result<(), TemplateFault> {
    if text.len() > LONGEST {
        return Err(TemplateFault::new(name, format!("is longer than {LONGEST} bytes")));
    }
    let mut open_blocks = 0_usize;
    let mut offset = 0;
    while let Some(found) = text[offset..].find("{{") {
        let at = offset + found;
        offset = at + 2;
        if text[..at].ends_with('\\') {
            continue;
        }
        let rest = &text[offset..];
        let inside = &rest[..rest.find("}}").unwrap_or(rest.len())];
        let fault = |message: String| {
            let line = text[..at].matches('\n').count() + 1;
            TemplateFault::new(name, message).line(u64::try_from(line).ok())
        };
        let word = inside.trim_start_matches(['~', '{']).trim_start();
        match word.chars().next() {
            Some('#' | '^') => open_blocks += 1,
            Some('/') => open_blocks = open_blocks.saturating_sub(1),
            Some(_) | None => {}
        }
        if open_blocks > DEEPEST {
            return Err(fault(format!("blocks are nested more than {DEEPEST} deep")));
        }
        if inside.matches(['(', '[', '{']).count() > BRACKETS {
            return Err(fault(format!("an expression has more than {BRACKETS} brackets")));
        }
    }
    Ok(())
}

/// Judges the parsed template: no partials, which may call themselves, and no loops deeper than two.
pub(super) fn of_template(name: &str, template: &Template) -> Result<(), TemplateFault> {
    elements(name, template, 0)
}

fn elements(name: &str, template: &Template, loops: usize) -> Result<(), TemplateFault> {
    for (index, element) in template.elements.iter().enumerate() {
        let line = template.mapping.get(index).and_then(|mapping| u64::try_from(mapping.0).ok());
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                block(name, helper, loops, line)?;
            }
            TemplateElement::HelperBlock(helper) => block(name, helper, loops, line)?,
            // Partials, decorators, and what the crate may add.
            _ => {
                return Err(TemplateFault::new(name, "partials and decorators are not available")
                    .line(line)
                    .hint("write out what they hold"));
            }
        }
    }
    Ok(())
}

fn block(name: &str, helper: &HelperTemplate, loops: usize, line: Option<u64>) -> Result<(), TemplateFault> {
    let is_loop = !matches!(&helper.name, Parameter::Name(word) if word != "each");
    let inner = loops + usize::from(helper.block && is_loop);
    if inner > LOOPS {
        return Err(TemplateFault::new(name, format!("more than {LOOPS} loops inside each other")).line(line));
    }
    for part in [&helper.template, &helper.inverse].into_iter().flatten() {
        elements(name, part, inner)?;
    }
    Ok(())
}
