//! Whole ConfigurationPolicies, step by step, against API servers: the stand-in, or with `FLOTILLA_STAGE=plane` real ones.
//!
//! The cases apply ConfigurationPolicies to a managed cluster. With Flotilla they come inside of Policies: the [`driver`]
//! wraps each in one, runs the evaluation, the push and the assessment that a worker runs, and writes the status where the
//! cases look for it. What OCM deletes and decision 7 of the design holds back is opted in to by the annotation
//! `flotilla.dev/allow-destructive`.

mod driver;
mod expect;
mod ground;
mod objects;
mod steps;

use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;
use serde_json::Value;

use self::ground::Grounds;
use crate::cases;
use crate::support::stage::{Kind, kind};

/// How many cases run at a time.
const AT_A_TIME: usize = 3;

/// Name of the group in `judged.rs`.
const GROUP: &str = "configuration_policies";

/// A case.
pub(crate) struct Case {
    id: String,
    folder: PathBuf,
    content: Value,
}

/// Some cases are about what only a real API server does; the stand-in keeps zero values as they are written.
fn can_stand_here(case: &Case) -> bool {
    let real = case.content["needs"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|need| need.as_str().is_some_and(|need| need.contains("real API server")));
    let can = kind() == Kind::Plane || !real;
    if !can {
        println!("{}: only on real servers", case.id);
    }
    can
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_configuration_policy_case_agrees() {
    let wanted = std::env::var("FLOTILLA_CASE").unwrap_or_default();
    let found: Vec<Case> = cases::folders("configpolicy", "api-")
        .into_iter()
        .filter(|folder| cases::name(folder).contains(&wanted))
        .map(|folder| {
            let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
            let content: Value = serde_json::from_str(&text).unwrap();
            Case { id: cases::name(&folder), folder, content }
        })
        .filter(can_stand_here)
        .collect();
    if found.is_empty() {
        return;
    }
    let grounds = Arc::new(Grounds::start(AT_A_TIME).await);
    let mut results: Vec<(String, Result<(), String>)> = futures::stream::iter(found)
        .map(|case| {
            let grounds = Arc::clone(&grounds);
            tokio::spawn(async move {
                let began = std::time::Instant::now();
                let ground = grounds.take().await;
                let result = steps::run(&case, &ground).await;
                let cleaned = ground.clean_up().await;
                grounds.give_back(ground, cleaned.is_ok()).await;
                println!("{}: {:.1} s", case.id, began.elapsed().as_secs_f32());
                (case.id, result)
            })
        })
        .buffer_unordered(AT_A_TIME)
        .map(|result| result.unwrap())
        .collect()
        .await;
    results.sort();
    cases::all_agree(GROUP, &results);
}
