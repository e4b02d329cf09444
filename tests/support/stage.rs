//! What a scenario stands on: the stand-in, or real servers. `FLOTILLA_STAGE=plane` chooses the latter.
//!
//! Here is everything that is done differently on the two: how time passes, and how servers fail and come back.

use std::sync::Arc;
use std::time::Duration;

use flotilla::adapters::cluster::access;
use flotilla::sim::clock::ClockMode;
use flotilla::sim::faults::Fault;
use flotilla::sim::server::Server;
use flotilla::sim::stage::{Stage as StandIn, StageOptions, operators};
use flotilla::sim::velero::edit::OUTCOME;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::plane::Plane;
use super::user::User;
use super::{VELERO, input};

/// Namespace of the service account as which the hub enters a managed cluster.
const ACCESS: &str = "flotilla-access";

/// Which stage the scenarios of this process stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In-memory servers and simulators.
    StandIn,
    /// Real servers.
    Plane,
}

/// From the environment.
pub fn kind() -> Kind {
    match std::env::var("FLOTILLA_STAGE").as_deref() {
        Err(_) | Ok("stand-in") => Kind::StandIn,
        Ok("plane") => Kind::Plane,
        Ok(other) => panic!("FLOTILLA_STAGE is {other:?}; it may be stand-in or plane"),
    }
}

/// How long a condition may take to come true. Real Velero looks for work every minute.
pub fn patience() -> Duration {
    match kind() {
        Kind::StandIn => Duration::from_secs(20),
        Kind::Plane => Duration::from_secs(150),
    }
}

/// A running stage.
pub enum Stage {
    /// In-memory servers and simulators.
    StandIn(StandIn),
    /// Real servers.
    Plane(Plane),
}

impl Stage {
    /// Starts the kind that is asked for, with one hub or two. Bare clusters have no OLM, no OADP and no Velero, nor their kinds.
    pub async fn start(hubs: usize, clusters: &[String], bare: &[String]) -> Self {
        match kind() {
            Kind::Plane => Self::Plane(Plane::start(hubs, clusters, bare).await),
            Kind::StandIn => {
                let options = StageOptions {
                    clusters: clusters.to_vec(),
                    bare: bare.to_vec(),
                    other_hubs: (1..hubs).map(hub_name).collect(),
                    clock: ClockMode::Manual { start: "2026-01-05T10:30:20Z".parse().unwrap() },
                    simulators: operators(),
                    ..StageOptions::default()
                };
                Self::StandIn(StandIn::start(options).await.unwrap())
            }
        }
    }

    /// The stand-in; panics on the real stage.
    pub fn stand_in(&self) -> &StandIn {
        match self {
            Self::StandIn(stage) => stage,
            Self::Plane(_) => {
                panic!("this test stands on the stand-in alone; FLOTILLA_STAGE must not be set")
            }
        }
    }

    /// The real servers; panics on the stand-in.
    pub fn plane(&self) -> &Plane {
        match self {
            Self::Plane(plane) => plane,
            Self::StandIn(_) => panic!("this test needs real servers: `make e2e`"),
        }
    }

    fn server<'a>(stage: &'a StandIn, name: &str) -> &'a Arc<Server> {
        stage.server(name).unwrap_or_else(|| panic!("there is no {name} on the stage"))
    }

    /// A kubeconfig with which everything may be done, of a hub or a cluster.
    pub fn kubeconfig(&self, name: &str) -> String {
        match self {
            Self::StandIn(stage) => Self::server(stage, name).kubeconfig(),
            Self::Plane(plane) => plane.control_plane(name).kubeconfig(),
        }
    }

    /// The same for kubectl.
    pub fn kubectl_config(&self, name: &str) -> String {
        match self {
            Self::StandIn(stage) => Self::server(stage, name).kubectl_config(),
            Self::Plane(plane) => plane.control_plane(name).kubeconfig(),
        }
    }

    /// The kubeconfig of the Flotilla process: on real servers it may do no more than `kustomize/` says, with the webhook.
    pub async fn hub_kubeconfig(&self, name: &str) -> String {
        match self {
            Self::StandIn(stage) => Self::server(stage, name).kubeconfig(),
            Self::Plane(plane) => {
                let control_plane = plane.control_plane(name);
                let admin = User::new(control_plane.kubeconfig()).await;
                for file in ["base/namespace.yaml", "base/rbac.yaml", "components/webhook/rbac.yaml"] {
                    admin.apply_text(&input::project_file(&format!("kustomize/{file}")), "flotilla").await;
                }
                control_plane.kubeconfig_with(&token(&admin, "flotilla", "flotilla").await)
            }
        }
    }

    /// A kubeconfig with credentials of its own for the hub to enter a cluster, which can be revoked.
    pub async fn credentials(&self, cluster: &str) -> String {
        match self {
            Self::StandIn(stage) => Self::server(stage, cluster).kubeconfig(),
            Self::Plane(plane) => {
                let control_plane = plane.control_plane(cluster);
                let admin = User::new(control_plane.kubeconfig()).await;
                let subject = json!([{"kind": "ServiceAccount", "name": "flotilla", "namespace": ACCESS}]);
                for object in [
                    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ACCESS}}),
                    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "flotilla"}}),
                    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                        "metadata": {"name": ACCESS}, "subjects": subject,
                        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
                ] {
                    admin.apply(object, ACCESS).await;
                }
                control_plane.kubeconfig_with(&token(&admin, ACCESS, "flotilla").await)
            }
        }
    }

    /// Plays the controller that fills in the token of the account that joining makes; the stand-in plays it by itself.
    pub async fn fill_in_token(&self, cluster: &str) {
        let Self::Plane(plane) = self else { return };
        let admin = User::new(plane.control_plane(cluster).kubeconfig()).await;
        let (namespace, account) = (access::ACCESS_NAMESPACE, access::ACCOUNT);
        let secret = admin
            .wait("the account's Secret", "Secret", Some(namespace), |secrets| secrets.get(account).cloned())
            .await;
        if secret["data"]["token"].is_string() {
            return;
        }
        let token = token(&admin, namespace, account).await;
        admin.merge("Secret", namespace, account, &json!({"stringData": {"token": token}})).await;
    }

    /// Makes all credentials of a cluster that were given out so far worthless.
    pub async fn revoke(&self, cluster: &str) {
        match self {
            Self::StandIn(stage) => Self::server(stage, cluster).renew_token(),
            Self::Plane(plane) => {
                let admin = User::new(plane.control_plane(cluster).kubeconfig()).await;
                admin.delete("ServiceAccount", ACCESS, "flotilla").await;
            }
        }
    }

    /// Lets a Schedule become due: an hour passes there, or here it believes that it last ran hours ago.
    pub async fn strike(&self, cluster: &User, schedule: &str) {
        match self {
            Self::StandIn(stage) => stage.advance_minutes(60).await,
            Self::Plane(_) => {
                let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(3);
                let long_ago = long_ago.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                let patch = json!({"status": {"lastBackup": long_ago}});
                cluster.merge("Schedule", VELERO, schedule, &patch).await;
            }
        }
    }

    /// Gives Velero the minutes in which it notices what it looks for from time to time: synced backups, among others.
    pub async fn let_velero_look(&self) {
        match self {
            Self::StandIn(stage) => stage.advance_minutes(2).await,
            // It has a clock of its own, and whoever waits for it is patient.
            Self::Plane(_) => {}
        }
    }

    /// The bucket of the demo is no longer there for the Velero of a cluster.
    pub async fn lose_bucket(&self, cluster: &User) {
        match self {
            Self::StandIn(_) => {
                let outage = json!({"metadata": {"annotations": {OUTCOME: "Unavailable"}}});
                cluster.merge("BackupStorageLocation", VELERO, "dpa-1", &outage).await;
            }
            Self::Plane(plane) => plane.storage.lose("flotilla-demo"),
        }
    }

    /// A server stops to answer.
    pub fn disconnect(&self, name: &str) {
        match self {
            Self::StandIn(stage) => Self::server(stage, name).faults().set(Fault::Refuse),
            Self::Plane(plane) => plane.control_plane(name).kill_api_server(),
        }
    }

    /// It answers again, with all that it had stored.
    pub async fn reconnect(&self, name: &str) {
        match self {
            Self::StandIn(stage) => Self::server(stage, name).faults().set(Fault::None),
            Self::Plane(plane) => plane.control_plane(name).start_api_server().await,
        }
    }

    /// A server restarts: all its watches end, and none of the resource versions so far can be watched from (410 Gone).
    pub async fn restart(&self, name: &str) {
        match self {
            Self::StandIn(stage) => Self::server(stage, name).expire_watches(),
            Self::Plane(plane) => {
                let control_plane = plane.control_plane(name);
                control_plane.kill_api_server();
                control_plane.start_api_server().await;
            }
        }
    }

    /// The ConfigMap as it must be for this stage's object storage: real Velero is told where that is.
    pub fn with_storage(&self, text: &str) -> String {
        let Self::Plane(plane) = self else {
            return text.to_owned();
        };
        // In the first `config` of the dpaSpec, the backup location's, in front of its region; quotes may be escaped.
        let (at, quote) = match (text.find("\\\"region\\\""), text.find("\"region\"")) {
            (Some(at), _) => (at, "\\\""),
            (None, Some(at)) => (at, "\""),
            (None, None) => panic!("no region in {text}"),
        };
        let entry = |key: &str, value: &str| format!("{quote}{key}{quote}: {quote}{value}{quote}, ");
        let mut told = text.to_owned();
        told.insert_str(at, &(entry("s3ForcePathStyle", "true") + &entry("s3Url", &plane.storage.url())));
        told
    }

    /// The same for a ConfigMap that names other credentials.
    pub fn tell_storage(&self, config_map: &mut Value) {
        if let Self::Plane(_) = self {
            let spec = self.with_storage(config_map["data"]["dpaSpec"].as_str().unwrap());
            config_map["data"]["dpaSpec"] = json!(spec);
            config_map["data"]["dpaAwsBackupCloudCredentials"] = json!(input::CREDENTIALS);
        }
    }

    /// Stops everything in order.
    pub async fn shutdown(self) {
        if let Self::StandIn(stage) = self {
            stage.shutdown().await;
        }
    }
}

/// Name of a hub by its number.
pub fn hub_name(number: usize) -> String {
    if number == 0 { "hub".to_owned() } else { format!("hub-{}", number + 1) }
}

async fn token(admin: &User, namespace: &str, account: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.client(), namespace);
    let request: TokenRequest =
        serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 3600}})).unwrap();
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
    answer.status.and_then(|status| status.token).unwrap()
}
