//! Connections to the hub that act for service accounts of policies (`hubTemplateOptions.serviceAccountName`).
//!
//! One per account, made when a policy first names it and kept: its watches are what templates of that policy see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Hub;
use crate::adapters::api_server::Connection;

/// The connections by namespace and name of the account.
#[derive(Default)]
pub(super) struct ServiceAccounts(Mutex<BTreeMap<(String, String), Arc<Connection>>>);

impl Hub {
    /// The hub as a service account may see it. The error is a sentence for a status.
    pub fn as_service_account(&self, namespace: &str, name: &str) -> Result<Arc<Connection>, String> {
        let key = (namespace.to_owned(), name.to_owned());
        let mut known = self.service_accounts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = known.get(&key) {
            return Ok(Arc::clone(connection));
        }
        let made =
            self.connection().as_service_account(namespace, name).map_err(|error| error.to_string())?;
        let connection = Arc::new(made);
        known.insert(key, Arc::clone(&connection));
        Ok(connection)
    }
}
