//! Which kinds an API server serves, learnt per API version and forgotten when its CustomResourceDefinitions change.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use kube::core::ApiResource;

use super::ApiError;
use crate::api::object::GroupVersionKind;
use crate::pipeline::render::lookup::{Answer, KindFacts};

/// A kind that the server serves.
#[derive(Debug, Clone)]
pub(super) struct ServedKind {
    pub(super) resource: ApiResource,
    pub(super) namespaced: bool,
}

/// Kinds by `apiVersion`.
#[derive(Default)]
pub(super) struct Kinds {
    versions: RwLock<BTreeMap<String, BTreeMap<String, ServedKind>>>,
}

impl Kinds {
    /// What is known of a kind, without asking the server.
    pub(super) fn known(&self, gvk: &GroupVersionKind) -> Answer<ServedKind> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        match versions.get(&gvk.api_version()) {
            None => Answer::NotYetKnown,
            Some(kinds) => match kinds.get(&gvk.kind) {
                Some(kind) => Answer::Found(kind.clone()),
                None => Answer::KindNotInstalled,
            },
        }
    }

    /// The same for templates and plans.
    pub(super) fn facts(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        match self.known(gvk) {
            Answer::Found(kind) => {
                Answer::Found(KindFacts { plural: kind.resource.plural, namespaced: kind.namespaced })
            }
            Answer::NotYetKnown => Answer::NotYetKnown,
            _ => Answer::KindNotInstalled,
        }
    }

    /// Asks the server once per API version.
    #[expect(clippy::disallowed_types, reason = "adapters hold the client")]
    pub(super) async fn learn(
        &self,
        client: &kube::Client,
        server: &str,
        gvk: &GroupVersionKind,
    ) -> Result<Answer<ServedKind>, ApiError> {
        let known = self.known(gvk);
        if !matches!(known, Answer::NotYetKnown) {
            return Ok(known);
        }
        let api_version = gvk.api_version();
        let listed = if gvk.group.is_empty() {
            client.list_core_api_resources(&api_version).await
        } else {
            client.list_api_group_resources(&api_version).await
        };
        let kinds = match listed.map_err(|error| ApiError::from_kube(server, &error)) {
            Ok(list) => list
                .resources
                .into_iter()
                .filter(|resource| !resource.name.contains('/'))
                .map(|resource| {
                    let served = ServedKind {
                        resource: ApiResource {
                            group: gvk.group.clone(),
                            version: gvk.version.clone(),
                            api_version: api_version.clone(),
                            kind: resource.kind.clone(),
                            plural: resource.name,
                        },
                        namespaced: resource.namespaced,
                    };
                    (resource.kind, served)
                })
                .collect(),
            Err(ApiError::NotFound { .. }) => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        self.versions.write().unwrap_or_else(PoisonError::into_inner).insert(api_version, kinds);
        Ok(match self.known(gvk) {
            Answer::NotYetKnown => Answer::KindNotInstalled,
            known => known,
        })
    }

    /// Forgets the versions in which a kind was looked for, so that they are asked for again.
    pub(super) fn forget_group(&self, group: &str) {
        self.versions
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|api_version, _| api_version.split_once('/').map_or("", |(group, _)| group) != group);
    }
}
