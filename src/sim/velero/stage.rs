//! A small stage for tests: clusters as maps of objects, one object storage, a clock that moves when told.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Velero;
use super::edit::{at, key, remove, set, text, time};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};
use crate::sim::oadp::Oadp;
use crate::sim::simulator::{ObjectStorage, Simulator, Trigger, View, Write};
use crate::sim::workloads::Workloads;

/// The objects of one cluster, by group, kind, namespace and name.
#[derive(Default)]
pub(in crate::sim) struct Objects {
    by_identity: BTreeMap<(String, String, String, String), Arc<Manifest>>,
    counter: u64,
    /// Whether no kind of Velero's is served.
    bare: bool,
}

type Identity = (String, String, String, String);

fn identity(key: &ObjectKey) -> Identity {
    (key.gvk.group.clone(), key.gvk.kind.clone(), key.namespace.clone().unwrap_or_default(), key.name.clone())
}

impl View for Objects {
    fn get(&self, key: &ObjectKey) -> Option<Arc<Manifest>> {
        self.by_identity.get(&identity(key)).cloned()
    }

    fn list(&self, group: &str, kind: &str, namespace: Option<&str>) -> Vec<Arc<Manifest>> {
        let wanted = |(own_group, own_kind, own_namespace, _): &Identity| {
            own_group == group
                && own_kind == kind
                && namespace.is_none_or(|namespace| namespace == own_namespace)
        };
        self.by_identity
            .iter()
            .filter(|(identity, _)| wanted(identity))
            .map(|(_, object)| object.clone())
            .collect()
    }

    fn contents(&self, namespace: &str) -> Vec<Arc<Manifest>> {
        self.by_identity
            .iter()
            .filter(|((_, _, own, _), _)| own == namespace)
            .map(|(_, object)| object.clone())
            .collect()
    }

    fn serves(&self, _group: &str, _kind: &str) -> bool {
        !self.bare
    }
}

impl Objects {
    fn put(&mut self, mut object: Value) {
        self.counter += 1;
        set(&mut object, &["metadata", "resourceVersion"], self.counter.to_string());
        let finalizers =
            at(&object, &["metadata", "finalizers"]).and_then(Value::as_array).map_or(0, Vec::len);
        let manifest = Manifest::parse(object).unwrap();
        let identity = identity(&manifest.key().unwrap());
        if manifest.is_deleting() && finalizers == 0 {
            self.by_identity.remove(&identity);
        } else {
            self.by_identity.insert(identity, Arc::new(manifest));
        }
    }

    fn apply(&mut self, write: Write, now: Timestamp) {
        match write {
            Write::Create(mut object) => {
                let key = Manifest::parse(object.clone()).unwrap().key().unwrap();
                if self.get(&key).is_none() {
                    self.counter += 1;
                    set(&mut object, &["metadata", "uid"], format!("uid-{}", self.counter));
                    set(&mut object, &["metadata", "creationTimestamp"], time(now));
                    self.put(object);
                }
            }
            Write::Replace(object) => {
                let key = Manifest::parse(object.clone()).unwrap().key().unwrap();
                let current = self.get(&key);
                if current.is_some_and(|current| {
                    current.resource_version() == Some(text(&object, &["metadata", "resourceVersion"]))
                }) {
                    self.put(object);
                }
            }
            Write::Delete(key) => {
                if let Some(found) = self.get(&key) {
                    let mut object = found.to_value();
                    set(&mut object, &["metadata", "deletionTimestamp"], time(now));
                    self.put(object);
                }
            }
        }
    }
}

/// Clusters with all simulators on them.
pub(in crate::sim) struct Stage {
    clusters: BTreeMap<String, Objects>,
    pub(in crate::sim) storage: ObjectStorage,
    pub(in crate::sim) now: Timestamp,
    oadp: Oadp,
    workloads: Workloads,
    velero: Velero,
}

impl Stage {
    pub(in crate::sim) fn new(clusters: &[&str]) -> Self {
        Self {
            clusters: clusters.iter().map(|name| ((*name).to_owned(), Objects::default())).collect(),
            storage: ObjectStorage::default(),
            now: "2026-11-21T10:00:30Z".parse().unwrap(),
            oadp: Oadp::new(),
            workloads: Workloads::new(),
            velero: Velero::new(),
        }
    }

    /// Whether a cluster serves Velero's kinds from now on.
    pub(in crate::sim) fn serve(&mut self, cluster: &str, served: bool) {
        self.clusters.get_mut(cluster).unwrap().bare = !served;
    }

    fn objects(&self, cluster: &str) -> &Objects {
        &self.clusters[cluster]
    }

    /// Creates an object without letting the simulators act.
    pub(in crate::sim) fn create(&mut self, cluster: &str, object: Value) {
        let now = self.now;
        self.clusters.get_mut(cluster).unwrap().apply(Write::Create(object), now);
    }

    /// Creates each document of a YAML stream.
    pub(in crate::sim) fn create_all(&mut self, cluster: &str, text: &str) {
        for object in crate::yaml::read_documents(text).unwrap() {
            self.create(cluster, object);
        }
    }

    pub(in crate::sim) fn delete(&mut self, cluster: &str, key: ObjectKey) {
        let now = self.now;
        self.clusters.get_mut(cluster).unwrap().apply(Write::Delete(key), now);
    }

    pub(in crate::sim) fn edit(&mut self, cluster: &str, key: &ObjectKey, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(cluster, key).expect("the object to edit exists");
        change(&mut object);
        self.clusters.get_mut(cluster).unwrap().put(object);
    }

    pub(in crate::sim) fn get(&self, cluster: &str, key: &ObjectKey) -> Option<Value> {
        Some(self.objects(cluster).get(key)?.to_value())
    }

    pub(in crate::sim) fn list(&self, cluster: &str, api_version: &str, kind: &str) -> Vec<Value> {
        let gvk = GroupVersionKind::new(api_version, kind);
        self.objects(cluster).list(&gvk.group, kind, None).iter().map(|object| object.to_value()).collect()
    }

    /// One step of all simulators on one cluster; the writes are applied and given back.
    pub(in crate::sim) fn step(&mut self, cluster: &str, trigger: Trigger) -> Vec<Write> {
        let writes = self.step_in_vain(cluster, trigger);
        let objects = self.clusters.get_mut(cluster).unwrap();
        for write in writes.clone() {
            objects.apply(write, self.now);
        }
        writes
    }

    /// One step whose writes are lost, as when all objects changed meanwhile.
    pub(in crate::sim) fn step_in_vain(&mut self, cluster: &str, trigger: Trigger) -> Vec<Write> {
        let objects = &self.clusters[cluster];
        let mut writes = self.oadp.step(cluster, objects, &mut self.storage, self.now, trigger);
        writes.extend(self.workloads.step(cluster, objects, &mut self.storage, self.now, trigger));
        writes.extend(self.velero.step(cluster, objects, &mut self.storage, self.now, trigger));
        writes
    }

    /// Steps all clusters until nothing changes any more, and proves that nothing does.
    pub(in crate::sim) fn settle(&mut self) {
        let names: Vec<String> = self.clusters.keys().cloned().collect();
        for _ in 0..60 {
            let writes: usize = names.iter().map(|name| self.step(name, Trigger::Change).len()).sum();
            if writes == 0 {
                return;
            }
        }
        let left: Vec<_> = names.iter().map(|name| self.step(name, Trigger::Change)).collect();
        panic!("no fixed point: {left:?}");
    }

    /// Lets a minute pass on all clusters.
    pub(in crate::sim) fn minute(&mut self) {
        self.pass(SignedDuration::from_mins(1));
    }

    /// Lets time pass, with one tick of the minute at its end.
    pub(in crate::sim) fn pass(&mut self, duration: SignedDuration) {
        self.now += duration;
        let names: Vec<String> = self.clusters.keys().cloned().collect();
        for name in names {
            self.step(&name, Trigger::Minute);
        }
        self.settle();
    }

    /// Steps one cluster until nothing changes and gives the phases that the object went through.
    pub(in crate::sim) fn phases(&mut self, cluster: &str, key: &ObjectKey) -> Vec<String> {
        let mut phases: Vec<String> = Vec::new();
        for _ in 0..60 {
            let phase = self
                .get(cluster, key)
                .map_or("gone".to_owned(), |object| text(&object, &["status", "phase"]).to_owned());
            if phases.last() != Some(&phase) {
                phases.push(phase);
            }
            if self.step(cluster, Trigger::Change).is_empty() {
                return phases;
            }
        }
        panic!("no fixed point: {phases:?}");
    }
}

/// The key of a Velero object in the namespace of the tests.
pub(in crate::sim) fn velero(kind: &str, name: &str) -> ObjectKey {
    key("velero.io/v1", kind, Some("velero-ns"), name)
}

/// Everything that installs OADP and Velero, as the install policy does.
pub(in crate::sim) const INSTALL: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: velero-ns}
---
apiVersion: operators.coreos.com/v1
kind: OperatorGroup
metadata: {name: redhat-oadp-operator-group, namespace: velero-ns}
spec: {targetNamespaces: [velero-ns]}
---
apiVersion: operators.coreos.com/v1alpha1
kind: Subscription
metadata: {name: redhat-oadp-operator-subscription, namespace: velero-ns}
spec: {name: redhat-oadp-operator, channel: stable-1.1, source: redhat-operators, sourceNamespace: market}
---
apiVersion: v1
kind: Secret
metadata: {name: cloud-credentials, namespace: velero-ns}
data: {cloud: W2RlZmF1bHRd}
---
apiVersion: oadp.openshift.io/v1alpha1
kind: DataProtectionApplication
metadata: {name: dpa, namespace: velero-ns}
spec:
  backupLocations:
  - velero:
      provider: aws
      default: true
      config: {profile: default, region: us-east-1}
      credential: {name: cloud-credentials, key: cloud}
      objectStorage: {bucket: flotilla-demo, prefix: apps}
  configuration:
    nodeAgent: {enable: true, uploaderType: kopia}
    velero: {defaultPlugins: [openshift, aws]}
  snapshotLocations:
  - velero: {provider: aws, config: {profile: default, region: us-east-1}}
";

/// The app of the tests: a database with a volume.
pub(in crate::sim) const PACMAN: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: pacman, annotations: {openshift.io/sa.scc.mcs: "s0:c26,c5"}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-mongo}
spec:
  storageClassName: gp3
  persistentVolumeReclaimPolicy: Delete
  claimRef: {namespace: pacman, name: mongo-storage, uid: old}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: mongo-storage, namespace: pacman, annotations: {pv.kubernetes.io/bind-completed: "yes"}}
spec: {storageClassName: gp3, volumeName: pv-mongo}
status: {phase: Bound}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: scores, namespace: pacman}
data: {players: "3"}
---
apiVersion: v1
kind: Secret
metadata: {name: mongo-users, namespace: pacman}
data: {password: c2VjcmV0}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: mongo, namespace: pacman, labels: {app: mongo}}
spec: {replicas: 1}
status: {readyReplicas: 1}
---
apiVersion: v1
kind: Pod
metadata:
  name: mongo-0
  namespace: pacman
  labels: {app: mongo}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: mongo, uid: x}]
spec:
  nodeName: node-1
  volumes: [{name: data, persistentVolumeClaim: {claimName: mongo-storage}}]
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: migrate, namespace: pacman}
status: {phase: Succeeded}
---
apiVersion: v1
kind: Service
metadata: {name: mongo, namespace: pacman}
spec: {clusterIP: 10.0.0.7, ports: [{port: 27017, nodePort: 31000}]}
---
apiVersion: v1
kind: Event
metadata: {name: noise, namespace: pacman}
"#;

/// Removes the fields that the server writes, for comparisons.
pub(in crate::sim) fn plain(mut object: Value) -> Value {
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        remove(&mut object, &["metadata", field]);
    }
    object
}
