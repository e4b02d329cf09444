//! From a plan to what came of it: the plan of one check is pushed, what was written is recorded, and the status is
//! assessed. The same for the hub's workers and for the conformance tests.

use crate::adapters::api_server::Connection;
use crate::adapters::cluster::{self, Pushed};
use crate::pipeline::compliance::status::Assessment;
use crate::pipeline::plan::CheckPlan;
use crate::pipeline::plan::assess::{self, Occasion};
use crate::pipeline::plan::inventory::{self, Inventory};
use crate::pipeline::policy::checks::Check;

/// What came of a check.
pub struct CarriedOut {
    /// Step by step.
    pub pushed: Pushed,
    /// What is on the cluster now.
    pub inventory: Inventory,
    /// What is said of it.
    pub assessment: Assessment,
}

/// Pushes the plan of a check. `intended` is the inventory in which its intentions already stand.
pub async fn carry_out(
    connection: &Connection,
    check: &Check,
    plan: &CheckPlan,
    intended: &Inventory,
    occasion: &Occasion<'_>,
) -> CarriedOut {
    let pushed = cluster::push(connection, plan).await;
    let inventory = inventory::recorded(intended, check, plan, &pushed.results, &pushed.pruned);
    let assessment = assess::assess(check, plan, &pushed.results, occasion);
    CarriedOut { pushed, inventory, assessment }
}
