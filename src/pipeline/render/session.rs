//! One rendering: what its functions may see, what they asked for, and which values must not show.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use secrecy::{ExposeSecret, SecretString};

use super::encryption::Encryption;
use super::lookup::{Answer, Lookup, Reference};
use super::protect::token;
use super::{Ambient, Asked, ProtectedValues};
use crate::api::object::{GroupVersionKind, Manifest};

/// How many bytes the functions of one rendering may produce together.
const MAX_WORK: usize = 64 << 20;

/// What error texts say in place of a reason that could hold a secret.
const WITHHELD: &str = "the reason is withheld because the template read a secret value";

/// What a rendering may look up: one namespace and some cluster-scoped objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restriction<'s> {
    /// The namespace: the root policy's, in the hub phase.
    pub(crate) namespace: &'s str,
    /// The cluster-scoped objects.
    pub(crate) cluster_scoped: &'s [ClusterScoped],
}

/// A cluster-scoped object that may be looked up in spite of a restriction; `*` stands for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterScoped {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
}

impl ClusterScoped {
    /// The target of a policy: what hub templates may see beside their namespace.
    pub fn managed_cluster(name: &str) -> Self {
        Self {
            group: "cluster.open-cluster-management.io".to_owned(),
            kind: "ManagedCluster".to_owned(),
            name: name.to_owned(),
        }
    }

    fn allows(&self, gvk: &GroupVersionKind, name: &str) -> bool {
        let fits = |allowed: &str, asked: &str| allowed == "*" || allowed == asked;
        fits(&self.group, &gvk.group) && fits(&self.kind, &gvk.kind) && fits(&self.name, name)
    }
}

/// What becomes of values that `protect` and `fromSecret` give.
#[derive(Debug, Clone, Default)]
pub(crate) enum Protection {
    /// `protect` is refused, values of Secrets come as they are.
    #[default]
    Off,
    /// They leave tokens, and the values stay in memory.
    Tokens,
    /// They are encrypted.
    Encrypted(Encryption),
}

/// What holds for one rendering.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules<'s> {
    /// What may be looked up; everything, if nothing is said.
    pub(crate) restriction: Option<Restriction<'s>>,
    /// Claims of the cluster; without them they are looked up.
    pub(crate) claims: Option<&'s BTreeMap<String, String>>,
    /// What becomes of secret values.
    pub(crate) protection: Protection,
    /// What decrypts values in the text, or why nothing can.
    pub(crate) decryption: Option<Result<Encryption, String>>,
    /// By how many spaces `indent` shifts further: hub templates stand deeper in the policy than in what is resolved.
    pub(crate) additional_indentation: usize,
    /// Functions that may not be used, beside those that never may.
    pub(crate) denied: &'s [String],
    /// The moment and the randomness.
    pub(crate) ambient: Ambient,
}

/// The state of one rendering.
pub(crate) struct Session<'s> {
    lookup: &'s dyn Lookup,
    /// What holds for it.
    pub(crate) rules: Rules<'s>,
    /// Everything that was looked up.
    pub(crate) asked: Asked,
    /// Values behind the tokens that the hub phase put in their place.
    pub(crate) protected: ProtectedValues,
    /// Whether a plain value of a Secret got into the template.
    pub(crate) sensitive: bool,
    /// Whether `skipObject` was called.
    pub(crate) skipped: bool,
    secrets: Vec<Arc<SecretString>>,
    work: usize,
    /// Random numbers, from the first that is asked for on.
    chance: Option<ChaCha20Rng>,
}

impl<'s> Session<'s> {
    /// A rendering that begins.
    pub(crate) fn new(lookup: &'s dyn Lookup, rules: Rules<'s>) -> Self {
        Self {
            lookup,
            rules,
            asked: Asked::default(),
            protected: ProtectedValues::default(),
            sensitive: false,
            skipped: false,
            secrets: Vec::new(),
            work: 0,
            chance: None,
        }
    }

    /// The cluster's claims; `None` in the hub phase.
    pub(crate) fn claims(&self) -> Option<&'s BTreeMap<String, String>> {
        self.rules.claims
    }

    /// Random numbers. They follow from the seed, so that a rendering can be repeated.
    pub(crate) fn chance(&mut self) -> &mut ChaCha20Rng {
        let seed = self.rules.ambient.seed;
        self.chance.get_or_insert_with(|| ChaCha20Rng::from_seed(seed))
    }

    /// Whether a function may not be used here.
    pub(crate) fn denies(&self, function: &str) -> bool {
        self.rules.denied.iter().any(|denied| denied == function)
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

    /// What stands for a value of a Secret in the text.
    pub(crate) fn secret(&mut self, value: &str) -> Result<String, String> {
        match &self.rules.protection {
            Protection::Off => {
                self.sensitive = true;
                if !value.is_empty() {
                    self.note_secret(value);
                }
                Ok(value.to_owned())
            }
            Protection::Tokens | Protection::Encrypted(_) => self.protect(value),
        }
    }

    /// What `protect` leaves of a value.
    pub(crate) fn protect(&mut self, plain: &str) -> Result<String, String> {
        match &self.rules.protection {
            Protection::Off => Err("the protect template function is not enabled in this mode".to_owned()),
            Protection::Tokens => Ok(self.wrap(plain)),
            Protection::Encrypted(encryption) => {
                let encrypted = encryption.encrypt(plain).map_err(|error| error.to_string())?;
                if !plain.is_empty() {
                    self.secrets.push(Arc::new(SecretString::from(plain)));
                }
                Ok(encrypted)
            }
        }
    }

    /// The text with its encrypted values decrypted, where there is a key for them.
    pub(crate) fn decrypted<'t>(&mut self, text: &'t str) -> Result<Cow<'t, str>, String> {
        let Some(encryption) = self.rules.decryption.clone().transpose()? else {
            return Ok(Cow::Borrowed(text));
        };
        let mut found = Vec::new();
        let decrypted = encryption.decrypt_all(text, &mut found)?;
        if found.is_empty() {
            return Ok(Cow::Borrowed(text));
        }
        self.sensitive = true;
        for value in found.iter().filter(|value| !value.is_empty()) {
            self.note_secret(value);
        }
        Ok(Cow::Owned(decrypted))
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
        match self.rules.restriction {
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
        let namespace = self.namespace(argument)?;
        if self.lookup.is_namespaced(gvk) == Some(false) {
            self.check_cluster_scoped(gvk, name)?;
            return Ok(None);
        }
        Ok((!namespace.is_empty()).then(|| namespace.to_owned()))
    }

    fn check_cluster_scoped(&self, gvk: &GroupVersionKind, name: &str) -> Result<(), String> {
        let Some(restriction) = self.rules.restriction else { return Ok(()) };
        if restriction.cluster_scoped.iter().any(|allowed| allowed.allows(gvk, name)) {
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
        match self.rules.restriction {
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
