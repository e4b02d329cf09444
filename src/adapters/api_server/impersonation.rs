//! A connection that acts for a service account: the server applies that account's rights to every request.

use super::Connection;
use super::kubeconfig::KubeconfigError;

impl Connection {
    /// The same server, seen with the rights of a service account. It has caches of its own, and tells the same listener.
    pub fn as_service_account(&self, namespace: &str, name: &str) -> Result<Self, KubeconfigError> {
        let mut config = self.config.clone();
        config.auth_info.impersonate = Some(format!("system:serviceaccount:{namespace}:{name}"));
        config.auth_info.impersonate_groups = None;
        Self::new(config, self.listener.clone())
    }
}
