//! Functions of Sprig that are refused because they would show what the host keeps.

use super::super::engine::go::Parameter::Any;
use super::super::engine::go::{Call, Function, variadic};

/// A function that fails with Open Cluster Management's words.
macro_rules! denied {
    ($name:literal) => {
        variadic($name, &[], Any, {
            let call: Call = |_, _| {
                Err(concat!(
                    "use of denylisted template function: function '",
                    $name,
                    "' is considered a security risk"
                )
                .to_owned())
            };
            call
        })
    };
}

pub(super) const FUNCTIONS: &[Function] = &[denied!("env"), denied!("expandenv")];
