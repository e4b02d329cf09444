//! One stand-in server: its store, its token, its faults, and how clients reach it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::SimulatedClock;
use super::faults::Faults;
use super::kinds::Role;
use super::store::{OnChange, Seed, Store};

/// Real time between the deletion of a namespace by a client and that of its contents.
const SWEEP_DELAY: Duration = Duration::from_millis(300);

/// One in-memory Kubernetes API server.
pub struct Server {
    name: String,
    role: Role,
    url: String,
    token: RwLock<String>,
    store: Store,
    faults: Faults,
    clock: SimulatedClock,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Server")
            .field("name", &self.name)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

fn new_token() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// What the servers of a stage share.
pub(super) struct Surroundings<'a> {
    pub(super) base_url: &'a str,
    pub(super) clock: &'a SimulatedClock,
    pub(super) stop: &'a CancellationToken,
    pub(super) tasks: &'a TaskTracker,
}

impl Server {
    pub(super) fn new(
        name: &str,
        role: Role,
        seed: &Seed,
        around: &Surroundings<'_>,
        on_change: OnChange,
    ) -> Self {
        Self {
            name: name.to_owned(),
            role,
            url: format!("{}/clusters/{name}", around.base_url),
            token: RwLock::new(new_token()),
            store: Store::new(seed, name, on_change),
            faults: Faults::default(),
            clock: around.clock.clone(),
            stop: around.stop.clone(),
            tasks: around.tasks.clone(),
        }
    }

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hub or managed cluster.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where clients find it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bearer token that it asks for.
    pub fn token(&self) -> String {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for another token from now on: all kubeconfigs so far are worthless. Watches that stand go on, as with a real
    /// server.
    pub fn renew_token(&self) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = new_token();
    }

    /// Its objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The stage's clock.
    pub fn clock(&self) -> &SimulatedClock {
        &self.clock
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Deletes the contents of namespaces in deletion after a while, as the namespace controller does. Until then a
    /// client that deletes a namespace and what is in it, one by one, finds everything still there.
    pub(super) fn sweep_soon(self: &Arc<Self>) {
        let server = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::select! {
                () = server.stop.cancelled() => {}
                () = tokio::time::sleep(SWEEP_DELAY) => server.store.sweep(),
            }
        });
    }

    /// Ends all watches with 410 Gone and makes every resource version so far too old.
    pub fn expire_watches(&self) {
        self.store.forget_history();
        self.faults.expire();
    }

    /// A kubeconfig with the token, for clients that send it over plain HTTP (kube-rs does, kubectl does not).
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_with(&self.url)
    }

    /// A kubeconfig for kubectl. It ignores tokens of a server without TLS, so the token is in the address as well.
    pub fn kubectl_config(&self) -> String {
        self.kubeconfig_with(&self.url.replacen("://", &format!("://stand-in:{}@", self.token()), 1))
    }

    fn kubeconfig_with(&self, url: &str) -> String {
        let (name, token) = (&self.name, self.token());
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {name}\n\
             clusters:\n- name: {name}\n  cluster:\n    server: {url}\n\
             users:\n- name: {name}\n  user:\n    token: {token}\n\
             contexts:\n- name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n    namespace: default\n"
        )
    }

    /// Whether an `Authorization` header carries the token, as a bearer or as the password of an address.
    pub(super) fn admits(&self, authorization: Option<&str>) -> bool {
        let Some((scheme, credentials)) = authorization.and_then(|header| header.split_once(' ')) else {
            return false;
        };
        let token = self.token();
        match scheme {
            "Bearer" => credentials.trim() == token,
            "Basic" => STANDARD
                .decode(credentials.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .is_some_and(|text| text.split_once(':').is_some_and(|(_, password)| password == token)),
            _ => false,
        }
    }
}
