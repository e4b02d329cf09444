//! One rendering: what its functions may see, what they asked for, and which values must not show.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::lookup::{Answer, Lookup, Reference};
use super::protect::token;
use super::{Asked, ProtectedValues};
use crate::api::object::{GroupVersionKind, Manifest};

/// How many bytes the functions of one rendering may produce together.
const MAX_WORK: usize = 64 << 20;

/// What error texts say in place of a reason that could hold a secret.
const WITHHELD: &str = "the reason is withheld because the template read a secret value";

/// What the hub phase may look up: the policy's namespace and the target's ManagedCluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restriction<'s> {
    /// The root policy's namespace.
    pub(crate) namespace: &'s str,
    /// Name of the target cluster.
    pub(crate) cluster: &'s str,
}

/// The state of one rendering.
pub(crate) struct Session<'s> {
    lookup: &'s dyn Lookup,
    /// Set in the hub phase.
    restriction: Option<Restriction<'s>>,
    /// Set in the cluster phase.
    claims: Option<&'s BTreeMap<String, String>>,
    /// Everything that was looked up.
    pub(crate) asked: Asked,
    /// Values behind the tokens that the hub phase put in their place.
    pub(crate) protected: ProtectedValues,
    /// Whether a plain value of a Secret got into the template.
    pub(crate) sensitive: bool,
    /// By how many spaces `indent` shifts further: hub templates stand deeper in the policy than in what is resolved.
    pub(crate) additional_indentation: usize,
    /// Whether `skipObject` was called.
    pub(crate) skipped: bool,
    secrets: Vec<Arc<SecretString>>,
    work: usize,
}

impl<'s> Session<'s> {
    /// A rendering on the hub.
    pub(crate) fn on_hub(lookup: &'s dyn Lookup, restriction: Option<Restriction<'s>>) -> Self {
        Self::new(lookup, restriction, None)
    }

    /// A rendering for a cluster.
    pub(crate) fn on_cluster(lookup: &'s dyn Lookup, claims: &'s BTreeMap<String, String>) -> Self {
        Self::new(lookup, None, Some(claims))
    }

    fn new(
        lookup: &'s dyn Lookup,
        restriction: Option<Restriction<'s>>,
        claims: Option<&'s BTreeMap<String, String>>,
    ) -> Self {
        Self {
            lookup,
            restriction,
            claims,
            asked: Asked::default(),
            protected: ProtectedValues::default(),
            sensitive: false,
            additional_indentation: if claims.is_none() { super::HUB_ADDITIONAL_INDENTATION } else { 0 },
            skipped: false,
            secrets: Vec::new(),
            work: 0,
        }
    }

    /// Whether this is the hub phase.
    pub(crate) fn is_hub(&self) -> bool {
        self.claims.is_none()
    }

    /// The cluster's claims; `None` in the hub phase.
    pub(crate) fn claims(&self) -> Option<&'s BTreeMap<String, String>> {
        self.claims
    }

    /// Counts bytes that a function is about to produce, or has produced.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), String> {
        self.work = self.work.saturating_add(bytes);
        if self.work > MAX_WORK {
            return Err(format!("the functions of the template produce more than {MAX_WORK} bytes"));
        }
        Ok(())
    }

    /// Remembers that a value of a Secret is in the template, as it stands and decoded.
    pub(crate) fn note_secret(&mut self, value: &str) {
        self.sensitive = true;
        self.secrets.push(Arc::new(SecretString::from(value)));
        let decoded = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(decoded) = decoded.filter(|decoded| !decoded.is_empty()) {
            self.secrets.push(Arc::new(SecretString::from(decoded)));
        }
    }

    /// Puts a token in the place of a value. The empty text needs no protection.
    pub(crate) fn wrap(&mut self, plain: &str) -> String {
        if plain.is_empty() || self.protected.0.contains_key(plain) {
            return plain.to_owned();
        }
        let token = token(self.protected.0.len() + 1);
        let secret = Arc::new(SecretString::from(plain));
        self.secrets.push(Arc::clone(&secret));
        self.protected.0.insert(token.clone(), secret);
        token
    }

    /// The value behind a token of this rendering.
    pub(crate) fn behind(&self, token: &str) -> Option<Arc<SecretString>> {
        self.protected.0.get(token).cloned()
    }

    /// A reason as it may be shown. Only one that names just what was looked up can be, once a Secret was read.
    pub(crate) fn censor(&self, reason: String, names_only: bool) -> String {
        let leaks = self.secrets.iter().any(|secret| reason.contains(secret.expose_secret()));
        if leaks || self.sensitive && !names_only { WITHHELD.to_owned() } else { reason }
    }

    /// Go's `getNamespace`: the restriction replaces an empty argument and refuses another one.
    pub(crate) fn namespace<'a>(&self, argument: &'a str) -> Result<&'a str, String>
    where
        's: 'a,
    {
        match self.restriction {
            None => Ok(argument),
            Some(restriction) if argument.is_empty() || argument == restriction.namespace => {
                Ok(restriction.namespace)
            }
            Some(restriction) => {
                Err(format!("the namespace argument is restricted to {}", restriction.namespace))
            }
        }
    }

    /// The namespace to look in; `None` for cluster-scoped kinds and for all namespaces.
    fn scope(&self, gvk: &GroupVersionKind, argument: &str, name: &str) -> Result<Option<String>, String> {
        if self.lookup.is_namespaced(gvk) == Some(false) {
            self.check_cluster_scoped(gvk, name)?;
            return Ok(None);
        }
        let namespace = self.namespace(argument)?;
        Ok((!namespace.is_empty()).then(|| namespace.to_owned()))
    }

    fn check_cluster_scoped(&self, gvk: &GroupVersionKind, name: &str) -> Result<(), String> {
        let Some(restriction) = self.restriction else { return Ok(()) };
        let own = gvk.same_kind("cluster.open-cluster-management.io", "ManagedCluster")
            && name == restriction.cluster;
        if own {
            return Ok(());
        }
        Err(format!("lookup of cluster-scoped resource '{}/{name}' is not allowed", gvk.kind))
    }

    /// Records what was asked and sorts the answer. `Ok(None)`: not there, or not known yet.
    fn record<T>(&mut self, reference: Reference, answer: Answer<T>) -> Result<Option<T>, String> {
        self.asked.references.insert(reference.clone());
        match answer {
            Answer::Found(found) => Ok(Some(found)),
            Answer::NotFound => {
                if reference.name.is_some() {
                    self.asked.not_found.insert(reference);
                }
                Ok(None)
            }
            Answer::KindNotInstalled => {
                Err("one or more API resources are not installed on the API server".to_owned())
            }
            Answer::NotYetKnown => {
                self.asked.not_yet_known.insert(reference);
                Ok(None)
            }
            Answer::Denied(words) => Err(words),
        }
    }

    /// One object. `Ok(None)`: it is not there, or not known yet.
    pub(crate) fn get(
        &mut self,
        gvk: &GroupVersionKind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Manifest>>, String> {
        let scope = self.scope(gvk, namespace, name)?;
        if scope.is_none() && self.lookup.is_namespaced(gvk) == Some(true) {
            return Err("an empty namespace may not be set when a resource name is provided".to_owned());
        }
        let answer = self.lookup.get(gvk, scope.as_deref(), name);
        let reference = Reference { gvk: gvk.clone(), namespace: scope, name: Some(name.to_owned()) };
        let found = self.record(reference, answer)?;
        if let Some(object) = &found {
            self.check_found(gvk, object)?;
        }
        Ok(found)
    }

    /// All objects of a kind. `Ok(None)`: not known yet.
    pub(crate) fn list(
        &mut self,
        gvk: &GroupVersionKind,
        namespace: &str,
    ) -> Result<Option<Vec<Arc<Manifest>>>, String> {
        let scope = self.scope(gvk, namespace, "")?;
        let answer = self.lookup.list(gvk, scope.as_deref());
        let reference = Reference { gvk: gvk.clone(), namespace: scope, name: None };
        let found = self.record(reference, answer)?;
        if let Some(first) = found.as_ref().and_then(|objects| objects.first()) {
            self.check_found(gvk, first)?;
        }
        Ok(found)
    }

    /// A snapshot may not have known the scope beforehand; what it found shows it.
    fn check_found(&self, gvk: &GroupVersionKind, object: &Manifest) -> Result<(), String> {
        match self.restriction {
            Some(restriction) if object.namespace() != Some(restriction.namespace) => {
                self.check_cluster_scoped(gvk, object.name().unwrap_or_default())
            }
            _ => Ok(()),
        }
    }

    /// Whether this very reference is still to be watched.
    pub(crate) fn is_pending(&self) -> bool {
        !self.asked.not_yet_known.is_empty()
    }
}
