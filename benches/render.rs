//! How long both template phases take: the three policies of `acm-app-pv-backup` for one cluster after the other.
//!
//! The aim is 2,000 clusters a second on one core. Says that it skips when the shared data are absent.

#![expect(clippy::print_stdout, reason = "says that it skips")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flotilla::api::object::{GroupVersionKind, Manifest};
use flotilla::pipeline::render::lookup::{Answer, Lookup};
use flotilla::pipeline::render::{ClusterContext, HubContext, ProtectedValues, Renderer};
use flotilla::yaml::{self, Dialect};
use serde_json::{Value, json};

const NAMESPACE: &str = "policies";

/// Text of a shared file.
#[expect(clippy::disallowed_methods, reason = "input of the benchmark")]
fn shared(path: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/acm-app-pv-backup");
    std::fs::read_to_string(root.join(path)).ok()
}

/// One object that is found, whatever else is not.
struct One(Option<Arc<Manifest>>);

impl Lookup for One {
    fn get(&self, gvk: &GroupVersionKind, _: Option<&str>, _: &str) -> Answer<Arc<Manifest>> {
        match &self.0 {
            Some(object) if object.kind() == gvk.kind => Answer::Found(Arc::clone(object)),
            _ => Answer::NotFound,
        }
    }

    fn list(&self, _: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        Answer::Found(Vec::new())
    }

    fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
        Some(true)
    }
}

fn definitions() -> Option<Vec<Value>> {
    let mut definitions = Vec::new();
    for policy in ["install", "backup", "restore"] {
        let text = shared(&format!("resources/policies/oadp-hdr-app-{policy}.yaml"))?;
        let policy = yaml::read(&text, Dialect::Kubernetes).ok()?;
        let templates = policy["spec"]["policy-templates"].as_array()?;
        definitions.extend(templates.iter().map(|template| template["objectDefinition"].clone()));
    }
    Some(definitions)
}

fn hub() -> Option<One> {
    let text = shared("input/restic/hdr-app-configmap.txt")?;
    let mut object = yaml::read(&text, Dialect::Kubernetes).ok()?;
    object["metadata"]["namespace"] = json!(NAMESPACE);
    Some(One(Some(Arc::new(Manifest::parse(object).ok()?))))
}

fn hub_context(cluster: &str) -> HubContext {
    HubContext {
        cluster: cluster.to_owned(),
        labels: BTreeMap::from([("acm-pv-dr".to_owned(), "backup".to_owned())]),
        policy_metadata: json!({"name": "oadp-hdr-app-backup", "namespace": NAMESPACE}),
        policy_namespace: NAMESPACE.to_owned(),
        ..HubContext::default()
    }
}

fn cluster_context(cluster: &str, protected: ProtectedValues) -> ClusterContext {
    let claims = [("name", cluster), ("id.openshift.io", "id"), ("acm-app-restore", "backup-1")];
    let claims = claims.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    ClusterContext { claims, protected, ..ClusterContext::default() }
}

fn render(criterion: &mut Criterion) {
    let (Some(definitions), Some(hub)) = (definitions(), hub()) else {
        println!("skipped: the shared data are not there");
        return;
    };
    let cluster_objects = One(None);
    let clusters: Vec<String> = (0..2000).map(|number| format!("cluster-{number}")).collect();
    let renderer = Renderer::new();
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(1));

    // What the machine does in this minute: the same policies read from JSON and written back.
    let texts: Vec<String> = definitions.iter().map(Value::to_string).collect();
    group.bench_function("baseline: JSON round trip of the three policies", |bencher| {
        bencher.iter(|| {
            for text in &texts {
                if let Ok(value) = serde_json::from_str::<Value>(text) {
                    black_box(value.to_string());
                }
            }
        });
    });

    let mut next = clusters.iter().cycle();
    group.bench_function("hub phase of one cluster", |bencher| {
        bencher.iter(|| {
            let context = hub_context(next.next().map_or("", String::as_str));
            for definition in &definitions {
                black_box(renderer.hub_phase(definition, &context, &hub).0.is_ok());
            }
        });
    });

    let mut next = clusters.iter().cycle();
    group.bench_function("both phases of one cluster", |bencher| {
        bencher.iter(|| {
            let cluster = next.next().map_or("", String::as_str);
            let context = hub_context(cluster);
            for definition in &definitions {
                if let Ok(rendered) = renderer.hub_phase(definition, &context, &hub).0 {
                    let context = cluster_context(cluster, rendered.protected);
                    black_box(
                        renderer.cluster_phase(&rendered.definition, &context, &cluster_objects).0.is_ok(),
                    );
                }
            }
        });
    });
    group.finish();
}

/// 500 kB of `object-templates-raw`: a loop over entries, and as much text without templates around it.
fn large(criterion: &mut Criterion) {
    let mut raw = String::from("{{ range $i := until 1000 }}\n");
    raw.push_str(
        "- complianceType: musthave\n  objectDefinition:\n    apiVersion: v1\n    kind: ConfigMap\n    metadata:\n      \
         name: looped-{{ $i }}\n      namespace: default\n    data:\n      number: '{{ $i }}'\n{{ end }}\n",
    );
    let mut number = 0;
    while raw.len() < 500_000 {
        // Writing to a String cannot fail.
        write!(
            raw,
            "- complianceType: musthave\n  objectDefinition:\n    apiVersion: v1\n    kind: ConfigMap\n    metadata:\n      \
             name: plain-{number}\n      namespace: default\n    data:\n      cluster: '{{{{ fromClusterClaim \"name\" }}}}'\n"
        )
        .unwrap_or_default();
        number += 1;
    }
    let policy = json!({"metadata": {"name": "large"}, "spec": {"object-templates-raw": raw}});
    let renderer = Renderer::new();
    let context = cluster_context("c1", ProtectedValues::default());
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Bytes(raw.len() as u64));
    group.sample_size(20);
    let text = policy.to_string();
    group.bench_function("baseline: JSON round trip of the 500 kB", |bencher| {
        bencher.iter(|| {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                black_box(value.to_string());
            }
        });
    });
    group.bench_function("cluster phase of 500 kB of object-templates-raw", |bencher| {
        bencher.iter(|| black_box(renderer.cluster_phase(&policy, &context, &One(None)).0.is_ok()));
    });
    group.finish();
}

criterion_group!(benches, render, large);
criterion_main!(benches);
