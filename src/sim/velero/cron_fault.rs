//! What is wrong with a cron expression, in the words of Velero 1.18.3, which reads it with netresearch/go-cron.
//!
//! The expression itself is read by [`crate::pipeline::config::cron`], whose own texts are those of robfig/cron, the
//! reader of earlier versions. What only the new one accepts (`12-2`, Sunday as 7) is refused here all the same.

use crate::pipeline::config::cron::Problem;

/// The text that Velero writes behind `invalid schedule: `.
pub(super) fn text(problem: &Problem) -> String {
    match problem {
        Problem::Empty | Problem::FieldCount { .. } => problem.to_string(),
        Problem::Descriptor { descriptor } => format!("unrecognized descriptor: {descriptor:?}"),
        Problem::Every { descriptor, source } => {
            format!("failed to parse duration {descriptor:?}: {source}")
        }
        Problem::Zone { zone } => format!("unknown time zone {zone:?}: unknown time zone {zone}"),
        Problem::ZoneAlone => "missing fields after timezone".to_owned(),
        Problem::Number { text } => {
            format!("failed to parse int from {text:?}: strconv.Atoi: parsing {text:?}: invalid syntax")
        }
        Problem::Hyphens { text } => format!("too many hyphens: {text:?}"),
        Problem::Slashes { text } => format!("too many slashes: {text:?}"),
        Problem::BelowMinimum { start, minimum, text } => {
            format!("beginning of range ({start}) below minimum ({minimum}): {text:?}")
        }
        Problem::AboveMaximum { end, maximum, text } => {
            format!("end of range ({end}) above maximum ({maximum}): {text:?}")
        }
        Problem::Backwards { start, end, text } => {
            format!("beginning of range ({start}) beyond end of range ({end}): {text:?}")
        }
        Problem::ZeroStep { text } => format!("step of range must be a positive number: {text:?}"),
    }
}
