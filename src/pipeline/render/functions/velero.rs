//! `veleroDefinitions`: the CustomResourceDefinitions of a release of Velero, which the program holds. A policy that names the
//! version stays small on a hub that keeps a copy of it for every cluster.

use super::super::engine::go::Parameter::Text;
use super::super::engine::go::{Function, Value, fixed};
use super::text;
use crate::pipeline::velero::{Release, definitions};

pub(super) const FUNCTIONS: &[Function] = &[fixed("veleroDefinitions", &[Text], |_, a| {
    let release = Release::of_text(text(a, 0)).ok_or_else(|| {
        let known: Vec<String> = Release::ALL.iter().map(ToString::to_string).collect();
        format!("the definitions of this version of Velero are not known; known are {}", known.join(", "))
    })?;
    let definitions = definitions(release)?;
    Ok(Value::list(definitions.iter().map(|definition| Value::Object(definition.clone())).collect()))
})];
