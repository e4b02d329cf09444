//! Writes: each preconditioned, each named with the field manager, none repeated by itself.

#![expect(clippy::disallowed_types, reason = "adapters hold the client")]

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, ValidationDirective};
use kube::core::DynamicObject;
use serde_json::Value;

use super::{ApiError, Connection, FIELD_MANAGER};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// Whether a write is for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Real,
    /// The server answers what would come of it.
    DryRun,
}

/// The object as the server has it after a write.
pub type Written = Manifest;

impl Connection {
    pub(super) async fn api(
        &self,
        gvk: &GroupVersionKind,
        namespace: Option<&str>,
    ) -> Result<Api<DynamicObject>, ApiError> {
        let Some(kind) = self.served(gvk).await? else {
            return Err(ApiError::NotFound { message: format!("the server does not serve {gvk}") });
        };
        Ok(match namespace.filter(|_| kind.namespaced) {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &kind.resource),
            None => Api::all_with(self.client.clone(), &kind.resource),
        })
    }

    pub(super) fn written(
        &self,
        gvk: &GroupVersionKind,
        object: &DynamicObject,
    ) -> Result<Written, ApiError> {
        let malformed = |message: String| ApiError::Malformed { server: self.server.clone(), message };
        let mut value = serde_json::to_value(object).map_err(|error| malformed(error.to_string()))?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("apiVersion".to_owned(), gvk.api_version().into());
            fields.insert("kind".to_owned(), gvk.kind.clone().into());
        }
        Manifest::parse(value).map_err(|error| malformed(error.to_string()))
    }

    /// What a write came to; the caches know it at once.
    fn taken(
        &self,
        gvk: &GroupVersionKind,
        mut object: DynamicObject,
        mode: Mode,
    ) -> Result<Written, ApiError> {
        object.metadata.managed_fields = None;
        let written = self.written(gvk, &object)?;
        match mode {
            Mode::Real => self.absorb(&written),
            Mode::DryRun => {}
        }
        Ok(written)
    }

    /// Reads one object past every cache.
    pub async fn get(&self, key: &ObjectKey) -> Result<Option<Manifest>, ApiError> {
        let api = self.api(&key.gvk, key.namespace.as_deref()).await?;
        match self.within_limit(api.get_opt(&key.name)).await? {
            Some(mut object) => {
                object.metadata.managed_fields = None;
                Ok(Some(self.written(&key.gvk, &object)?))
            }
            None => Ok(None),
        }
    }

    /// When the data of an object was last written (RFC 3339), as the server notes it for the managers of its fields; where it
    /// notes none, when the object was made. `None` where there is no such object. The caches do not keep these notes.
    pub async fn data_written(&self, key: &ObjectKey) -> Result<Option<String>, ApiError> {
        let api = self.api(&key.gvk, key.namespace.as_deref()).await?;
        let Some(found) = self.within_limit(api.get_metadata_opt(&key.name)).await? else { return Ok(None) };
        let managers = found.metadata.managed_fields.unwrap_or_default().into_iter();
        let written = managers
            .filter(|manager| {
                manager.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:data").is_some())
            })
            .filter_map(|manager| manager.time)
            .max();
        Ok(written.or(found.metadata.creation_timestamp).map(|time| time.0.to_string()))
    }

    /// Reads one object past every cache, and sets the caches right: what they hold turned out to be old.
    pub async fn refresh(&self, key: &ObjectKey) -> Result<(), ApiError> {
        let before = self.cached_version(key);
        match (self.get(key).await?, before) {
            (Some(found), _) => self.absorb(&found),
            (None, Some(before)) => self.absorb_absence(key, &before),
            (None, None) => {}
        }
        Ok(())
    }

    /// Creates an object; unknown fields are refused.
    pub async fn create(&self, manifest: &Manifest, mode: Mode) -> Result<Written, ApiError> {
        let gvk = manifest.gvk();
        let api = self.api(&gvk, manifest.namespace()).await?;
        let malformed = |message: String| ApiError::Invalid { message };
        let body = serde_json::to_vec(manifest).map_err(|error| malformed(error.to_string()))?;
        let parameters =
            PostParams { dry_run: mode == Mode::DryRun, field_manager: Some(FIELD_MANAGER.to_owned()) };
        let mut request = kube::core::Request::new(api.resource_url())
            .create(&parameters, body)
            .map_err(|error| malformed(error.to_string()))?;
        strictly(&mut request)?;
        let created = self.within_limit(self.client.request::<DynamicObject>(request)).await?;
        self.taken(&gvk, created, mode)
    }

    /// Replaces an object by one that carries the `resourceVersion` it is based on; unknown fields are refused.
    pub async fn replace(&self, manifest: &Manifest, mode: Mode) -> Result<Written, ApiError> {
        let gvk = manifest.gvk();
        let api = self.api(&gvk, manifest.namespace()).await?;
        let malformed = |message: String| ApiError::Invalid { message };
        let body = serde_json::to_vec(manifest).map_err(|error| malformed(error.to_string()))?;
        let parameters =
            PostParams { dry_run: mode == Mode::DryRun, field_manager: Some(FIELD_MANAGER.to_owned()) };
        let name = manifest.name().unwrap_or_default();
        let mut request = kube::core::Request::new(api.resource_url())
            .replace(name, &parameters, body)
            .map_err(|error| malformed(error.to_string()))?;
        strictly(&mut request)?;
        let replaced = self.within_limit(self.client.request::<DynamicObject>(request)).await?;
        self.taken(&gvk, replaced, mode)
    }

    /// Applies an object in the name of a field manager, without force: what another writer has set otherwise is a conflict.
    /// Unknown fields are refused.
    pub async fn apply(&self, manifest: &Manifest, manager: &str, mode: Mode) -> Result<Written, ApiError> {
        let gvk = manifest.gvk();
        let api = self.api(&gvk, manifest.namespace()).await?;
        let parameters = PatchParams {
            dry_run: mode == Mode::DryRun,
            force: false,
            field_manager: Some(manager.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let name = manifest.name().unwrap_or_default();
        let applied = self.within_limit(api.patch(name, &parameters, &Patch::Apply(manifest))).await?;
        self.taken(&gvk, applied, mode)
    }

    /// Sends a merge patch; unknown fields are refused. The patch carries the `resourceVersion` that it is based on.
    pub async fn merge(&self, key: &ObjectKey, patch: &Value, mode: Mode) -> Result<Written, ApiError> {
        let api = self.api(&key.gvk, key.namespace.as_deref()).await?;
        let parameters = PatchParams {
            dry_run: mode == Mode::DryRun,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let patched = self.within_limit(api.patch(&key.name, &parameters, &Patch::Merge(patch))).await?;
        self.taken(&key.gvk, patched, mode)
    }

    /// Merges into the status subresource.
    pub async fn merge_status(&self, key: &ObjectKey, status: &Value) -> Result<Written, ApiError> {
        let api = self.api(&key.gvk, key.namespace.as_deref()).await?;
        let patch = serde_json::json!({ "status": status });
        let parameters =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patched =
            self.within_limit(api.patch_status(&key.name, &parameters, &Patch::Merge(&patch))).await?;
        self.taken(&key.gvk, patched, Mode::Real)
    }

    /// Replaces the whole status subresource of an object.
    pub async fn replace_status(&self, manifest: &Manifest) -> Result<Written, ApiError> {
        let gvk = manifest.gvk();
        let api = self.api(&gvk, manifest.namespace()).await?;
        let object: DynamicObject = serde_json::from_value(manifest.to_value())
            .map_err(|error| ApiError::Invalid { message: error.to_string() })?;
        let parameters =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let name = manifest.name().unwrap_or_default();
        let replaced = self.within_limit(api.replace_status(name, &parameters, &object)).await?;
        self.taken(&gvk, replaced, Mode::Real)
    }

    /// Deletes an object, only if it still is the one with this uid. One that is gone already is a success.
    pub async fn delete(&self, key: &ObjectKey, uid: Option<&str>) -> Result<(), ApiError> {
        let api = self.api(&key.gvk, key.namespace.as_deref()).await?;
        let parameters = DeleteParams {
            preconditions: uid.map(|uid| Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::background()
        };
        match self.within_limit(api.delete(&key.name, &parameters)).await {
            // It may be gone, or wait for finalizers: only the server knows.
            Ok(_) | Err(ApiError::NotFound { .. }) => self.refresh(key).await,
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind, read past every cache, page by page.
    pub async fn list(
        &self,
        gvk: &GroupVersionKind,
        namespace: Option<&str>,
    ) -> Result<Vec<Manifest>, ApiError> {
        self.pages(gvk, namespace, kube::api::ListParams::default()).await
    }

    /// All objects of a kind with one name, in whatever namespace, read past every cache.
    pub async fn namesakes(&self, gvk: &GroupVersionKind, name: &str) -> Result<Vec<Manifest>, ApiError> {
        let parameters = kube::api::ListParams::default().fields(&format!("metadata.name={name}"));
        self.pages(gvk, None, parameters).await
    }

    async fn pages(
        &self,
        gvk: &GroupVersionKind,
        namespace: Option<&str>,
        parameters: kube::api::ListParams,
    ) -> Result<Vec<Manifest>, ApiError> {
        let api = match self.api(gvk, namespace).await {
            Ok(api) => api,
            Err(ApiError::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut objects = Vec::new();
        let mut parameters = parameters.limit(500);
        loop {
            let page = self.within_limit(api.list(&parameters)).await?;
            for object in &page.items {
                objects.push(self.written(gvk, object)?);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters.continue_token = Some(token),
                None => return Ok(objects),
            }
        }
    }
}

/// Has unknown fields refused: the client's parameters for creations and replacements cannot ask for that.
fn strictly(request: &mut http::Request<Vec<u8>>) -> Result<(), ApiError> {
    let uri = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = uri
        .parse()
        .map_err(|error: http::uri::InvalidUri| ApiError::Invalid { message: error.to_string() })?;
    Ok(())
}
