//! A user of one API server: reads, writes and watches through the Kubernetes API, as `kubectl` would.

use std::collections::BTreeMap;

use flotilla::api::object::GroupVersionKind;
use flotilla::yaml;
use futures::StreamExt;
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::stage;

#[derive(Clone)]
pub struct User {
    client: Client,
    pub kubeconfig: String,
}

/// Plural, kind and apiVersion of what the scenarios touch.
pub fn resource(kind: &str) -> (ApiResource, bool) {
    let (api_version, plural, namespaced) = match kind {
        "Namespace" => ("v1", "namespaces", false),
        "Node" => ("v1", "nodes", false),
        "ServiceAccount" => ("v1", "serviceaccounts", true),
        "ClusterRole" => ("rbac.authorization.k8s.io/v1", "clusterroles", false),
        "ClusterRoleBinding" => ("rbac.authorization.k8s.io/v1", "clusterrolebindings", false),
        "Role" => ("rbac.authorization.k8s.io/v1", "roles", true),
        "RoleBinding" => ("rbac.authorization.k8s.io/v1", "rolebindings", true),
        "ConfigMap" => ("v1", "configmaps", true),
        "Secret" => ("v1", "secrets", true),
        "Pod" => ("v1", "pods", true),
        "Service" => ("v1", "services", true),
        "Event" => ("v1", "events", true),
        "ValidatingWebhookConfiguration" => {
            ("admissionregistration.k8s.io/v1", "validatingwebhookconfigurations", false)
        }
        "Lease" => ("coordination.k8s.io/v1", "leases", true),
        "Deployment" => ("apps/v1", "deployments", true),
        "DaemonSet" => ("apps/v1", "daemonsets", true),
        "ManagedCluster" => ("cluster.open-cluster-management.io/v1", "managedclusters", false),
        "ManagedClusterSetBinding" => {
            ("cluster.open-cluster-management.io/v1beta2", "managedclustersetbindings", true)
        }
        "MultiClusterHub" => ("operator.open-cluster-management.io/v1", "multiclusterhubs", true),
        "Placement" => ("cluster.open-cluster-management.io/v1beta1", "placements", true),
        "PlacementDecision" => ("cluster.open-cluster-management.io/v1beta1", "placementdecisions", true),
        "PlacementBinding" => ("policy.open-cluster-management.io/v1", "placementbindings", true),
        "Policy" => ("policy.open-cluster-management.io/v1", "policies", true),
        "PolicySet" => ("policy.open-cluster-management.io/v1beta1", "policysets", true),
        "OperatorGroup" => ("operators.coreos.com/v1", "operatorgroups", true),
        "Schedule" => ("velero.io/v1", "schedules", true),
        "Backup" => ("velero.io/v1", "backups", true),
        "Restore" => ("velero.io/v1", "restores", true),
        "BackupStorageLocation" => ("velero.io/v1", "backupstoragelocations", true),
        "VolumeSnapshotLocation" => ("velero.io/v1", "volumesnapshotlocations", true),
        "ServerStatusRequest" => ("velero.io/v1", "serverstatusrequests", true),
        "PodVolumeBackup" => ("velero.io/v1", "podvolumebackups", true),
        "DeleteBackupRequest" => ("velero.io/v1", "deletebackuprequests", true),
        "ClusterServiceVersion" => ("operators.coreos.com/v1alpha1", "clusterserviceversions", true),
        "Subscription" => ("operators.coreos.com/v1alpha1", "subscriptions", true),
        "DataProtectionApplication" => ("oadp.openshift.io/v1alpha1", "dataprotectionapplications", true),
        "CustomResourceDefinition" => ("apiextensions.k8s.io/v1", "customresourcedefinitions", false),
        other => panic!("the scenarios do not know {other}"),
    };
    let gvk = GroupVersionKind::new(api_version, kind);
    let resource = ApiResource {
        group: gvk.group,
        version: gvk.version,
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    };
    (resource, namespaced)
}

/// A client with the kubeconfig of a server.
pub async fn client(kubeconfig: &str) -> Client {
    let parsed = kube::config::Kubeconfig::from_yaml(kubeconfig).unwrap();
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(parsed, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

impl User {
    /// With the kubeconfig of a server.
    pub async fn new(kubeconfig: String) -> Self {
        Self { client: client(&kubeconfig).await, kubeconfig }
    }

    fn api(&self, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
        let (resource, namespaced) = resource(kind);
        match namespace.filter(|_| namespaced) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Creates an object, or merges into the one that exists, as `kubectl apply` would.
    pub async fn apply(&self, mut manifest: Value, namespace: &str) {
        let kind = manifest["kind"].as_str().unwrap().to_owned();
        let (_, namespaced) = resource(&kind);
        if namespaced && manifest["metadata"]["namespace"].is_null() {
            manifest["metadata"]["namespace"] = json!(namespace);
        }
        let namespace = manifest["metadata"]["namespace"].as_str().map(ToOwned::to_owned);
        let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
        let api = self.api(&kind, namespace.as_deref());
        let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {
                api.patch(&name, &PatchParams::default(), &Patch::Merge(&manifest)).await.unwrap();
            }
            Err(error) => panic!("failed to apply {kind} {name}: {error}"),
        }
    }

    /// Tries to create an object; the error is the server's words.
    pub async fn try_create(&self, manifest: &Value, namespace: &str, dry_run: bool) -> Result<(), String> {
        let api = self.api(manifest["kind"].as_str().unwrap(), Some(namespace));
        let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
        let parameters = PostParams { dry_run, ..PostParams::default() };
        match api.create(&parameters, &object).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Whether this user may do something, by the server's own word: verb, group, resource, namespace.
    pub async fn may(&self, verb: &str, group: &str, resource: &str, namespace: &str) -> bool {
        let review: SelfSubjectAccessReview = serde_json::from_value(json!({"spec": {"resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "namespace": namespace}}}))
        .unwrap();
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        answer.status.unwrap().allowed
    }

    /// Applies every document of a YAML text.
    pub async fn apply_text(&self, text: &str, namespace: &str) {
        for document in yaml::read_documents(text).unwrap() {
            self.apply(document, namespace).await;
        }
    }

    /// Sets labels; `None` removes one.
    pub async fn label(&self, kind: &str, name: &str, labels: &[(&str, Option<&str>)]) {
        let labels: BTreeMap<&str, Option<&str>> = labels.iter().copied().collect();
        let patch = json!({"metadata": {"labels": labels}});
        self.api(kind, None).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }

    /// Merges into an object.
    pub async fn merge(&self, kind: &str, namespace: &str, name: &str, patch: &Value) {
        let api = self.api(kind, Some(namespace));
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Merges into the status of an object, through the subresource.
    pub async fn merge_status(&self, kind: &str, namespace: &str, name: &str, patch: &Value) {
        let api = self.api(kind, Some(namespace));
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// The client itself, for what has no name here.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.api(kind, Some(namespace)).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// One object, if it is there.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let found = self.api(kind, Some(namespace)).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// All objects of a kind in a namespace (or everywhere), by name.
    pub async fn list(&self, kind: &str, namespace: Option<&str>) -> BTreeMap<String, Value> {
        let listed = self.api(kind, namespace).list(&kube::api::ListParams::default()).await.unwrap();
        listed
            .items
            .into_iter()
            .map(|object| (object.metadata.name.clone().unwrap(), serde_json::to_value(object).unwrap()))
            .collect()
    }

    /// Watches a kind until the objects are as they should be; panics with what was there when they never are.
    pub async fn wait<T>(
        &self,
        what: &str,
        kind: &str,
        namespace: Option<&str>,
        condition: impl Fn(&BTreeMap<String, Value>) -> Option<T>,
    ) -> T {
        let mut objects = BTreeMap::new();
        let mut events =
            std::pin::pin!(watcher(self.api(kind, namespace), watcher::Config::default()).default_backoff());
        let patience = stage::patience();
        let outcome = tokio::time::timeout(patience, async {
            let mut listed = false;
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Init) => objects.clear(),
                    Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                        let name = object.metadata.name.clone().unwrap();
                        objects.insert(name, serde_json::to_value(object).unwrap());
                    }
                    Ok(watcher::Event::InitDone) => listed = true,
                    Ok(watcher::Event::Delete(object)) => {
                        objects.remove(object.metadata.name.as_deref().unwrap());
                    }
                    Err(error) => eprintln!("watch of {kind}: {error}"),
                }
                if listed && let Some(found) = condition(&objects) {
                    return found;
                }
            }
            panic!("the watch of {kind} ended");
        })
        .await;
        let Ok(found) = outcome else {
            panic!("waited {patience:?} for {what}; there was: {:#}", json!(objects));
        };
        found
    }
}
