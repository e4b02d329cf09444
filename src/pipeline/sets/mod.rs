//! One ConfigMap to the objects of Open Cluster Management that put it into force: policy sets, placements, bindings, policies.
//!
//! Takes what stands in a namespace (the ConfigMap, the copy that was last accepted, the user's templates, what was rendered
//! before); gives the objects that should be there, those that should go, and what is wrong. Must not touch: clients, clock,
//! files. No value of a credential comes into what is rendered, nor into a finding.

mod block;
mod decide;
mod engine;
mod fault;
mod limits;
mod parameters;
#[cfg(test)]
mod prefix_tests;
mod prefixes;
mod rendering;
pub mod seal;
mod settings;
mod templates;
#[cfg(test)]
mod tests;
mod velero;

pub use decide::{
    ACCEPTED_NAME, Decision, Neighbourhood, Owner, decide, is_protected, is_rendered_by, is_rendered_from,
};
pub use fault::TemplateFault;
pub use parameters::Parameters;
pub use rendering::{KINDS, render, shipped_texts};
pub use templates::{Overrides, SHIPPED, install_policy, is_of_another_mode, is_replaced};
