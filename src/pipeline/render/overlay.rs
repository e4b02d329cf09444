//! A snapshot with some objects put over it and some taken away: what an API server would hold after a change.
//!
//! Takes objects; gives a [`Lookup`] over another one. What may not be read, or is not known yet, stays so.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lookup::{Answer, KindFacts, Lookup};
use crate::api::object::{GroupVersionKind, Manifest, ObjectKey};

/// Group, kind, namespace and name: every version of a kind holds the same objects.
type Identity = (String, String, Option<String>, String);

/// Objects that are imagined, and objects that are imagined away.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// `None`: gone.
    objects: Arc<BTreeMap<Identity, Option<Arc<Manifest>>>>,
}

fn identity(gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Identity {
    (gvk.group.clone(), gvk.kind.clone(), namespace.map(ToOwned::to_owned), name.to_owned())
}

impl Overlay {
    /// Puts an object over what is there. One without a name changes nothing.
    pub fn put(&mut self, object: Manifest) {
        if let Some(key) = object.key() {
            let identity = identity(&key.gvk, key.namespace.as_deref(), &key.name);
            Arc::make_mut(&mut self.objects).insert(identity, Some(Arc::new(object)));
        }
    }

    /// Takes an object away.
    pub fn remove(&mut self, key: &ObjectKey) {
        let identity = identity(&key.gvk, key.namespace.as_deref(), &key.name);
        Arc::make_mut(&mut self.objects).insert(identity, None);
    }

    /// Another look-up with these changes.
    pub fn over(&self, inner: Arc<dyn Lookup>) -> Arc<dyn Lookup> {
        if self.objects.is_empty() { inner } else { Arc::new(Overlaid { overlay: self.clone(), inner }) }
    }
}

struct Overlaid {
    overlay: Overlay,
    inner: Arc<dyn Lookup>,
}

impl Overlaid {
    fn namespace<'a>(&self, gvk: &GroupVersionKind, namespace: Option<&'a str>) -> Option<&'a str> {
        namespace.filter(|_| self.inner.is_namespaced(gvk) != Some(false))
    }
}

impl Lookup for Overlaid {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        self.inner.kind(gvk)
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        let there = self.inner.get(gvk, namespace, name);
        match there {
            Answer::Found(_) | Answer::NotFound => {
                match self.overlay.objects.get(&identity(gvk, self.namespace(gvk, namespace), name)) {
                    Some(Some(imagined)) => Answer::Found(imagined.clone()),
                    Some(None) => Answer::NotFound,
                    None => there,
                }
            }
            Answer::KindNotInstalled | Answer::NotYetKnown | Answer::Denied(_) => there,
        }
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        let there = match self.inner.list(gvk, namespace) {
            Answer::Found(there) => there,
            other => return other,
        };
        let namespace = self.namespace(gvk, namespace);
        let mut objects: BTreeMap<(Option<String>, String), Arc<Manifest>> = there
            .into_iter()
            .filter_map(|object| {
                Some(((object.namespace().map(ToOwned::to_owned), object.name()?.to_owned()), object))
            })
            .collect();
        for ((group, kind, own, name), imagined) in self.overlay.objects.iter() {
            if !gvk.same_kind(group, kind) || namespace.is_some_and(|wanted| own.as_deref() != Some(wanted)) {
                continue;
            }
            let place = (own.clone(), name.clone());
            match imagined {
                Some(imagined) => objects.insert(place, imagined.clone()),
                None => objects.remove(&place),
            };
        }
        Answer::Found(objects.into_values().collect())
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        self.inner.is_namespaced(gvk)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config_map(namespace: &str, name: &str, value: &str) -> Manifest {
        Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"key": value},
            "metadata": {"name": name, "namespace": namespace}}))
        .unwrap()
    }

    /// Holds two ConfigMaps of namespace `a`; Secrets may not be read, Pods are not known yet.
    struct Hub;

    impl Lookup for Hub {
        fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
            match self.list(gvk, namespace) {
                Answer::Found(all) => all
                    .into_iter()
                    .find(|object| object.name() == Some(name))
                    .map_or(Answer::NotFound, Answer::Found),
                Answer::Denied(reason) => Answer::Denied(reason),
                _ => Answer::NotYetKnown,
            }
        }

        fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
            let all = [config_map("a", "x", "1"), config_map("a", "z", "1")];
            match gvk.kind.as_str() {
                "ConfigMap" => Answer::Found(
                    all.into_iter()
                        .filter(|object| namespace.is_none_or(|wanted| object.namespace() == Some(wanted)))
                        .map(Arc::new)
                        .collect(),
                ),
                "Secret" => Answer::Denied("no".to_owned()),
                _ => Answer::NotYetKnown,
            }
        }

        fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
            Some(true)
        }
    }

    #[test]
    fn imagined_objects_are_seen_and_the_rest_as_it_is() {
        let mut overlay = Overlay::default();
        overlay.put(config_map("a", "x", "2"));
        overlay.put(config_map("b", "y", "2"));
        overlay.remove(&config_map("a", "z", "").key().unwrap());
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "a"}});
        overlay.put(Manifest::parse(secret).unwrap());
        let hub = overlay.over(Arc::new(Hub));
        let gvk = GroupVersionKind::new("v1", "ConfigMap");
        let value = |namespace: &str, name: &str| match hub.get(&gvk, Some(namespace), name) {
            Answer::Found(found) => found.text_at(&["data", "key"]).unwrap().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!((value("a", "x"), value("b", "y")), ("2".to_owned(), "2".to_owned()));
        assert_eq!(value("a", "z"), "NotFound");
        let names = |namespace| match hub.list(&gvk, namespace) {
            Answer::Found(all) => all.iter().map(|one| one.name().unwrap().to_owned()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (names(None), names(Some("a"))),
            (vec!["x".to_owned(), "y".to_owned()], vec!["x".to_owned()])
        );
        let secrets = GroupVersionKind::new("v1", "Secret");
        assert_eq!(
            hub.get(&secrets, Some("a"), "s"),
            Answer::Denied("no".to_owned()),
            "no right is imagined"
        );
        let pods = GroupVersionKind::new("v1", "Pod");
        assert_eq!(hub.list(&pods, None), Answer::NotYetKnown);
    }
}
