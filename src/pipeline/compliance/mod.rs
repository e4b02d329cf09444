//! What to say of what was found: takes findings of objects, messages of templates and states of clusters, gives
//! verdicts, histories and the statuses of Policy and PolicySet in the format of Open Cluster Management.
//!
//! Time is an argument; nothing here knows of clusters or clients. The rules are upstream's (`spec/ocm-semantics.md`
//! sections 2.6, 2.7 and 3.4).

mod history;
mod message;
mod policy;
mod policy_set;
pub mod status;

pub use history::{HISTORY_LENGTH, Recorded, TemplateMessage, compliance_of_message, event_name, record};
pub use message::{
    Finding, MESSAGE_LENGTH, Reason, TemplateVerdict, event_message, final_message, template_verdict,
    truncated,
};
pub use policy::{ClusterReport, RootTally, replicated_compliance, root_status, update_cluster};
pub use policy_set::{PolicyInSet, policy_set_status};
