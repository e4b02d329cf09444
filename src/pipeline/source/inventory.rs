//! What a source has applied, and the steps from there to what it holds now.
//!
//! Creations are written ahead: an entry without uid is an object that was about to be created. What is not in the inventory
//! was applied by somebody else and is never taken over, changed or deleted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::contents::{Desired, rank};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// An inventory that cannot be read. Nothing is applied and nothing is taken away by it.
#[derive(Debug, Error)]
#[error("failed to read the inventory of the source: {source}")]
pub struct InventoryError {
    /// What serde found.
    #[from]
    pub source: serde_json::Error,
}

/// An object of the hub, whatever the version in which it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// API group, empty for core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Identity {
    /// Of an object that has a namespace and a name.
    pub fn of(manifest: &Manifest) -> Option<Self> {
        Some(Self {
            group: manifest.gvk().group,
            kind: manifest.kind().to_owned(),
            namespace: manifest.namespace()?.to_owned(),
            name: manifest.name()?.to_owned(),
        })
    }

    /// The same object in a version.
    pub fn key(&self, version: &str) -> ObjectKey {
        ObjectKey {
            gvk: GroupVersionKind {
                group: self.group.clone(),
                version: version.to_owned(),
                kind: self.kind.clone(),
            },
            namespace: Some(self.namespace.clone()),
            name: self.name.clone(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// What is known of an object that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The version in which it was applied.
    pub version: String,
    /// Its uid; `None` while the creation is intended but not confirmed.
    pub uid: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredEntry {
    #[serde(flatten)]
    identity: Identity,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
}

/// All objects that a source has applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// By object.
    pub entries: BTreeMap<Identity, Entry>,
}

impl Inventory {
    /// Reads what [`Self::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Self, InventoryError> {
        let stored: Vec<StoredEntry> = serde_json::from_str(text)?;
        let entries = stored
            .into_iter()
            .map(|entry| (entry.identity, Entry { version: entry.version, uid: entry.uid }))
            .collect();
        Ok(Self { entries })
    }

    /// As it is stored.
    pub fn to_text(&self) -> Result<String, InventoryError> {
        let stored: Vec<StoredEntry> = self
            .entries
            .iter()
            .map(|(identity, entry)| StoredEntry {
                identity: identity.clone(),
                version: entry.version.clone(),
                uid: entry.uid.clone(),
            })
            .collect();
        Ok(serde_json::to_string(&stored)?)
    }

    /// The same with the intention to create what is not there yet, and without what is gone.
    #[must_use]
    pub fn intended(&self, steps: &Steps) -> Self {
        let mut intended = self.clone();
        for identity in &steps.gone {
            intended.entries.remove(identity);
        }
        for (identity, manifest) in &steps.create {
            let entry = Entry { version: manifest.gvk().version, uid: None };
            intended.entries.insert(identity.clone(), entry);
        }
        intended
    }

    /// An object was applied.
    pub fn applied(&mut self, identity: &Identity, written: &Manifest) {
        let entry = Entry { version: written.gvk().version, uid: written.uid().map(ToOwned::to_owned) };
        self.entries.insert(identity.clone(), entry);
    }
}

/// Uids of the objects that are on the hub, of those that were asked for.
pub type Live = BTreeMap<Identity, String>;

/// An object to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Which.
    pub identity: Identity,
    /// The version in which it was applied.
    pub version: String,
    /// Only if it is this very object.
    pub uid: String,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps {
    /// Objects that are not there.
    pub create: Vec<(Identity, Manifest)>,
    /// Objects that the source has applied before, with their uids in the manifests: another object of the name is refused.
    pub update: Vec<(Identity, Manifest)>,
    /// Objects that somebody else has made: they are left alone, and the set cannot be applied.
    pub foreign: Vec<Identity>,
    /// Objects that the source no longer holds, in the order in which they are deleted.
    pub prune: Vec<Removal>,
    /// Entries of the inventory that stand for nothing any more.
    pub gone: Vec<Identity>,
}

/// The steps from what was applied and is there to what a source holds.
pub fn plan(desired: &Desired, inventory: &Inventory, live: &Live) -> Steps {
    let mut steps = Steps::default();
    for (identity, manifest) in desired.objects() {
        match (live.get(identity), inventory.entries.get(identity)) {
            (None, _) => steps.create.push((identity.clone(), manifest.clone())),
            (Some(uid), Some(entry)) if is_own(entry, uid) => {
                steps.update.push((identity.clone(), manifest.clone().with_uid(uid)));
            }
            (Some(_), _) => steps.foreign.push(identity.clone()),
        }
    }
    for (identity, entry) in inventory.entries.iter().filter(|(identity, _)| !desired.contains(identity)) {
        match live.get(identity) {
            Some(uid) if is_own(entry, uid) => steps.prune.push(Removal {
                identity: identity.clone(),
                version: entry.version.clone(),
                uid: uid.clone(),
            }),
            Some(_) | None => steps.gone.push(identity.clone()),
        }
    }
    // What binds goes first: a policy never lies there for a moment without its settings.
    steps.prune.sort_by_key(|removal| std::cmp::Reverse(rank(&removal.identity)));
    steps
}

/// An intention that was carried out before it could be confirmed: the object was not there when it was noted.
fn is_own(entry: &Entry, uid: &str) -> bool {
    entry.uid.as_deref().is_none_or(|known| known == uid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::contents::{SourceObject, validate};
    use super::*;

    fn identity(name: &str) -> Identity {
        Identity {
            group: String::new(),
            kind: "ConfigMap".to_owned(),
            namespace: "n".to_owned(),
            name: name.to_owned(),
        }
    }

    fn desired(names: &[&str]) -> Desired {
        if names.is_empty() {
            return Desired::default();
        }
        let objects = names.iter().map(|name| SourceObject {
            manifest: Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "n"}}))
            .unwrap(),
            place: String::new(),
        });
        validate(&[], objects.collect(), None).unwrap()
    }

    fn inventory(entries: &[(&str, Option<&str>)]) -> Inventory {
        let entry = |uid: Option<&str>| Entry { version: "v1".to_owned(), uid: uid.map(ToOwned::to_owned) };
        Inventory { entries: entries.iter().map(|(name, uid)| (identity(name), entry(*uid))).collect() }
    }

    /// Sign and name of each step.
    fn steps(wanted: &[&str], known: &[(&str, Option<&str>)], there: &[(&str, &str)]) -> Vec<String> {
        let live = there.iter().map(|(name, uid)| (identity(name), (*uid).to_owned())).collect();
        let steps = plan(&desired(wanted), &inventory(known), &live);
        let named = |sign: &'static str, names: Vec<&Identity>| {
            names.into_iter().map(move |identity| format!("{sign}{}", identity.name)).collect::<Vec<_>>()
        };
        [
            named("+", steps.create.iter().map(|(identity, _)| identity).collect()),
            named("~", steps.update.iter().map(|(identity, _)| identity).collect()),
            named("!", steps.foreign.iter().collect()),
            named("-", steps.prune.iter().map(|removal| &removal.identity).collect()),
            named("?", steps.gone.iter().collect()),
        ]
        .concat()
    }

    #[test]
    fn steps_follow_from_what_is_wanted_known_and_there() {
        for (wanted, known, there, expected) in [
            (&["a"][..], &[][..], &[][..], &["+a"][..]),
            // Applied before, and still the same object.
            (&["a"], &[("a", Some("1"))], &[("a", "1")], &["~a"]),
            // Somebody deleted it.
            (&["a"], &[("a", Some("1"))], &[], &["+a"]),
            // Somebody else made it, or made it anew.
            (&["a"], &[], &[("a", "1")], &["!a"]),
            (&["a"], &[("a", Some("1"))], &[("a", "2")], &["!a"]),
            // The process died between the intention and its confirmation: before and after the creation.
            (&["a"], &[("a", None)], &[], &["+a"]),
            (&["a"], &[("a", None)], &[("a", "1")], &["~a"]),
            // It left the source.
            (&["b"], &[("a", Some("1"))], &[("a", "1")], &["+b", "-a"]),
            (&["b"], &[("a", None)], &[("a", "1")], &["+b", "-a"]),
            (&["b"], &[("a", Some("1"))], &[("a", "2")], &["+b", "?a"]),
            (&["b"], &[("a", Some("1"))], &[], &["+b", "?a"]),
            (&["b"], &[], &[("a", "1")], &["+b"]),
        ] {
            assert_eq!(steps(wanted, known, there), expected, "{wanted:?} {known:?} {there:?}");
        }
    }

    #[test]
    fn an_update_names_the_object_that_it_is_for() {
        let live = [(identity("a"), "1".to_owned())].into_iter().collect();
        let steps = plan(&desired(&["a"]), &inventory(&[("a", Some("1"))]), &live);
        assert_eq!(steps.update[0].1.uid(), Some("1"));
    }

    #[test]
    fn what_is_intended_is_written_ahead() {
        let known = inventory(&[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]);
        let live = [(identity("a"), "1".to_owned()), (identity("c"), "3".to_owned())].into_iter().collect();
        let steps = plan(&desired(&["a", "d"]), &known, &live);
        assert_eq!(known.intended(&steps), inventory(&[("a", Some("1")), ("c", Some("3")), ("d", None)]));
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let known = inventory(&[("a", Some("1")), ("b", None)]);
        assert_eq!(Inventory::parse(&known.to_text().unwrap()).unwrap(), known);
        assert!(Inventory::parse("{").unwrap_err().to_string().starts_with("failed to read the inventory"));
    }

    proptest::proptest! {
        /// Whatever is there: nothing is deleted or changed that the inventory does not know by its uid.
        #[test]
        fn nothing_of_others_is_touched(
            wanted in proptest::collection::btree_set("[a-d]", 0..4),
            known in proptest::collection::btree_map("[a-d]", proptest::option::of("[12]"), 0..4),
            there in proptest::collection::btree_map("[a-d]", "[12]", 0..4),
        ) {
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let live: Live = there.iter().map(|(name, uid)| (identity(name), uid.clone())).collect();
            let known: Vec<(&str, Option<&str>)> = known.iter().map(|(name, uid)| (name.as_str(), uid.as_deref())).collect();
            let inventory = inventory(&known);
            let steps = plan(&desired(&wanted), &inventory, &live);
            for removal in &steps.prune {
                let entry = &inventory.entries[&removal.identity];
                proptest::prop_assert!(entry.uid.as_ref().is_none_or(|uid| live[&removal.identity] == *uid));
                proptest::prop_assert!(!wanted.contains(&removal.identity.name.as_str()));
            }
            for (identity, _) in &steps.update {
                let entry = &inventory.entries[identity];
                proptest::prop_assert!(entry.uid.as_ref().is_none_or(|uid| live[identity] == *uid));
            }
            proptest::prop_assert_eq!(steps.create.len() + steps.update.len() + steps.foreign.len(), wanted.len());
        }
    }
}
