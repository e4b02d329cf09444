//! A look-up that gives the ConfigMap with the settings in both spellings of its keys, so that policies find the one they read.

use std::sync::Arc;

use serde_json::Value;

use crate::api::object::{GroupVersionKind, Manifest};
use crate::pipeline::config;
use crate::pipeline::render::lookup::{Answer, KindFacts, Lookup};

/// Around the hub's objects.
pub(super) struct BothSpellings<'a>(pub(super) &'a dyn Lookup);

impl Lookup for BothSpellings<'_> {
    fn kind(&self, gvk: &GroupVersionKind) -> Answer<KindFacts> {
        self.0.kind(gvk)
    }

    fn get(&self, gvk: &GroupVersionKind, namespace: Option<&str>, name: &str) -> Answer<Arc<Manifest>> {
        match self.0.get(gvk, namespace, name) {
            Answer::Found(object) if name == config::CONFIG_MAP_NAME && gvk.same_kind("", "ConfigMap") => {
                Answer::Found(filled(object))
            }
            answer => answer,
        }
    }

    fn list(&self, gvk: &GroupVersionKind, namespace: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
        self.0.list(gvk, namespace)
    }

    fn is_namespaced(&self, gvk: &GroupVersionKind) -> Option<bool> {
        self.0.is_namespaced(gvk)
    }
}

/// The same object where nothing is to be filled in.
fn filled(object: Arc<Manifest>) -> Arc<Manifest> {
    let Some(data) = object.at(&["data"]).and_then(Value::as_object) else { return object };
    let texts =
        data.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    let added: Vec<(String, String)> =
        config::with_aliases(&texts).into_iter().filter(|(key, _)| !data.contains_key(key)).collect();
    if added.is_empty() {
        return object;
    }
    let mut data = data.clone();
    data.extend(added.into_iter().map(|(key, value)| (key, Value::String(value))));
    Arc::new(Manifest::clone(&object).with_field("data", Some(Value::Object(data))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct One(Arc<Manifest>);

    impl Lookup for One {
        fn get(&self, _: &GroupVersionKind, _: Option<&str>, _: &str) -> Answer<Arc<Manifest>> {
            Answer::Found(Arc::clone(&self.0))
        }

        fn list(&self, _: &GroupVersionKind, _: Option<&str>) -> Answer<Vec<Arc<Manifest>>> {
            Answer::NotYetKnown
        }

        fn is_namespaced(&self, _: &GroupVersionKind) -> Option<bool> {
            Some(true)
        }
    }

    #[test]
    fn the_settings_have_both_spellings_and_other_config_maps_their_own() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"},
            "data": {"restore.mappings": "{a: b}"}});
        let one = One(Arc::new(Manifest::parse(object).unwrap()));
        let read = |name: &str| {
            let gvk = GroupVersionKind::new("v1", "ConfigMap");
            let Answer::Found(found) = BothSpellings(&one).get(&gvk, Some("ns"), name) else { return None };
            found.text_at(&["data", "restoreStorageConfigMappings"]).map(ToOwned::to_owned)
        };
        assert_eq!(read("hdr-app-configmap").as_deref(), Some("{a: b}"));
        assert_eq!(read("other"), None);
    }
}
