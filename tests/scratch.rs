use flotilla::api::object::*;
use flotilla::pipeline::render::lookup::*;
use flotilla::pipeline::render::*;
use std::sync::Arc;
struct L(serde_json::Value);
impl Lookup for L {
    fn get(&self, g: &GroupVersionKind, ns: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        println!("get {g} {ns:?} {name}");
        if g.kind == "Backup" {
            Answer::Found(Arc::new(Manifest::parse(self.0.clone()).unwrap()))
        } else {
            Answer::NotFound
        }
    }
    fn list(&self, g: &GroupVersionKind, ns: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        println!("list {g} {ns:?}");
        Answer::Found(vec![])
    }
    fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
        Some(true)
    }
}
#[test]
fn scratch() {
    let backup = serde_json::json!({"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"b","namespace":"n"}});

    for raw in [
        "{{ $known := (lookup \"velero.io/v1\" \"Backup\" \"n\" \"b\") }}\n- a: {{ $known.metadata.name }}\n  b: {{ if $known }}1{{ else }}2{{ end }}\n  c: {{ with $known }}1{{ else }}2{{ end }}\n  d: {{ not $known }}\n  e: {{ if (lookup \"velero.io/v1\" \"Backup\" \"n\" \"b\") }}1{{ else }}2{{ end }}\n",
    ] {
        let policy = serde_json::json!({"kind":"ConfigurationPolicy","metadata":{"name":"a"},"spec":{"object-templates-raw": raw}});
        let (r, asked) =
            Renderer::default().cluster_phase(&policy, &ClusterContext::default(), &L(backup.clone()));
        println!("{r:?}");
    }
    panic!();
}
