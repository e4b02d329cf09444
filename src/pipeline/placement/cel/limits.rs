//! What an expression may cost: bounds on its text, so that neither parser nor evaluation runs out of stack, and on its loops, so
//! that it ends soon.

use serde_json::Value as Json;

use super::functions::ScoreList;
use super::inspect::Findings;

/// Bytes of an expression.
const LENGTH: usize = 4096;
/// Operators, selections and brackets: each may be one level of recursion.
const OPERATORS: usize = 500;
/// Brackets inside each other.
const NESTING: usize = 40;
/// Loops (`exists`, `all`, `map`, `filter`) inside each other.
const LOOPS: u32 = 4;
/// Steps of one evaluation, a little beyond what upstream allows.
const STEPS: u64 = 2_000_000;

/// Refuses a text that the parser must not see.
pub(super) fn check_text(text: &str) -> Result<(), String> {
    if text.len() > LENGTH {
        return Err(format!("the expression has {} bytes, more than {LENGTH}", text.len()));
    }
    let operators =
        text.bytes().filter(u8::is_ascii_punctuation).filter(|byte| !b"\"'_,".contains(byte)).count();
    if operators > OPERATORS {
        return Err(format!("the expression has more than {OPERATORS} operators"));
    }
    // Brackets in strings count too: nobody needs so many of them there.
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING {
            return Err(format!("the expression has more than {NESTING} brackets inside each other"));
        }
    }
    Ok(())
}

/// Refuses loops that are nested too deeply.
pub(super) fn check_loops(loops: u32) -> Result<(), String> {
    if loops > LOOPS {
        return Err(format!("the expression has more than {LOOPS} loops inside each other"));
    }
    Ok(())
}

/// Refuses an evaluation that may take too many steps: each loop may run over the longest thing there is.
pub(super) fn check_cost(
    findings: &Findings,
    cluster: &Json,
    scores: &[(String, ScoreList)],
) -> Result<(), String> {
    let longest = longest(cluster, findings.makes_lists)
        .max(scores.iter().map(|(_, scores)| scores.len()).max().unwrap_or_default())
        .max(findings.nodes);
    let rounds = u64::try_from(longest).unwrap_or(u64::MAX).saturating_pow(findings.loops);
    let steps = rounds.saturating_mul(u64::try_from(findings.nodes).unwrap_or(u64::MAX));
    if findings.loops > 0 && steps > STEPS {
        return Err(format!("it may take {steps} steps, more than {STEPS}"));
    }
    Ok(())
}

/// The length of the longest list or map, and of the longest text where texts become lists.
fn longest(value: &Json, texts: bool) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
        Json::String(text) => {
            if texts {
                text.len()
            } else {
                0
            }
        }
        Json::Array(items) => {
            items.len().max(items.iter().map(|item| longest(item, texts)).max().unwrap_or_default())
        }
        Json::Object(fields) => {
            fields.len().max(fields.values().map(|field| longest(field, texts)).max().unwrap_or_default())
        }
    }
}
