//! Waiting for one object, by a watch of it alone.

use futures::StreamExt;
use kube::runtime::watcher;

use super::{ApiError, Connection};
use crate::api::object::{Manifest, ObjectKey};

impl Connection {
    /// Watches one object until `look` finds in it what is waited for. An error of the watch ends it.
    pub async fn until<T>(
        &self,
        key: &ObjectKey,
        look: impl Fn(&Manifest) -> Option<T>,
    ) -> Result<T, ApiError> {
        let api = self.api(&key.gvk, key.namespace.as_deref()).await?;
        let mut seen = std::pin::pin!(watcher::watch_object(api, &key.name));
        while let Some(object) = seen.next().await {
            let object = object.map_err(|error| self.watch_failed(&error))?;
            let manifest = object.map(|object| self.written(&key.gvk, &object)).transpose()?;
            if let Some(found) = manifest.as_ref().and_then(&look) {
                return Ok(found);
            }
        }
        Err(ApiError::NotFound { message: format!("the watch of {key} ended") })
    }

    fn watch_failed(&self, error: &watcher::Error) -> ApiError {
        match error {
            watcher::Error::InitialListFailed(inner)
            | watcher::Error::WatchStartFailed(inner)
            | watcher::Error::WatchFailed(inner) => ApiError::from_kube(&self.server, inner),
            watcher::Error::WatchError(status) => ApiError::Invalid { message: status.message.clone() },
            watcher::Error::NoResourceVersion => ApiError::Malformed {
                server: self.server.clone(),
                message: "a list has no resourceVersion".to_owned(),
            },
        }
    }
}
