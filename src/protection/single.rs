//! What Velero or OADP understands only once in a namespace, and which objects mean something only as a whole.

use std::fmt;

use serde_json::Value;

use crate::api::object::{GroupVersionKind, Manifest};

use super::{OADP_GROUP, VELERO_GROUP};

/// Label of a ConfigMap that configures a plugin of Velero.
const PLUGIN_LABEL: &str = "velero.io/plugin-config";
/// Label of the ConfigMap with which Velero maps storage classes in a restore.
const STORAGE_CLASS_LABEL: &str = "velero.io/change-storage-class";

/// Name of the Deployment that is Velero.
const VELERO: &str = "velero";

/// What there may be only one of in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Single {
    /// Velero's `GetPluginConfig` fails every restore of a volume: "found more than one ConfigMap matching label selector".
    StorageClassMap,
    /// OADP refuses both: "only one DPA CR can exist per OADP installation namespace". What it makes is a Deployment `velero`,
    /// which nobody else may make beside it.
    Application,
    /// Velero works with the default location of its namespace where a backup names none; of two defaults its server takes one.
    DefaultLocation,
}

impl fmt::Display for Single {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::StorageClassMap => {
                "Velero fails restores of volumes where a namespace has two ConfigMaps with the label velero.io/change-storage-class"
            }
            Self::Application => {
                "a namespace has one Velero, made of one DataProtectionApplication or of one Deployment"
            }
            Self::DefaultLocation => "a namespace has one default BackupStorageLocation",
        })
    }
}

/// The same of an object of which only the kind is known; `None` where its content decides.
pub fn by_kind(gvk: &GroupVersionKind) -> Option<Single> {
    gvk.same_kind(OADP_GROUP, "DataProtectionApplication").then_some(Single::Application)
}

/// Whether an object is of what there may be only one.
pub fn single(object: &Manifest) -> Option<Single> {
    let gvk = object.gvk();
    let makes_velero = gvk.same_kind(OADP_GROUP, "DataProtectionApplication")
        || (gvk.same_kind("apps", "Deployment") && object.name() == Some(VELERO));
    if makes_velero {
        Some(Single::Application)
    } else if gvk.same_kind(VELERO_GROUP, "BackupStorageLocation")
        && object.at(&["spec", "default"]) == Some(&Value::Bool(true))
    {
        Some(Single::DefaultLocation)
    } else if gvk.same_kind("", "ConfigMap") && object.label(STORAGE_CLASS_LABEL).is_some() {
        Some(Single::StorageClassMap)
    } else {
        None
    }
}

/// Whether an object says one thing with all its fields together: a Schedule whose lists or selectors were joined from two
/// sources would back up what neither of them means.
pub fn is_whole(object: &Manifest) -> bool {
    let gvk = object.gvk();
    ["Schedule", "Backup", "Restore"].iter().any(|kind| gvk.same_kind(VELERO_GROUP, kind))
        || gvk.same_kind(OADP_GROUP, "DataProtectionApplication")
        || (gvk.same_kind("", "ConfigMap")
            && [PLUGIN_LABEL, STORAGE_CLASS_LABEL].iter().any(|label| object.label(label).is_some()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_alone_and_what_is_whole() {
        let config_map =
            |labels| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": labels}});
        for (value, expected, whole) in [
            (
                json!({"apiVersion": "oadp.openshift.io/v1alpha1", "kind": "DataProtectionApplication"}),
                Some(Single::Application),
                true,
            ),
            (
                config_map(json!({"velero.io/change-storage-class": "RestoreItemAction"})),
                Some(Single::StorageClassMap),
                true,
            ),
            (config_map(json!({"velero.io/plugin-config": ""})), None, true),
            (config_map(json!({})), None, false),
            (json!({"apiVersion": "velero.io/v1", "kind": "Schedule"}), None, true),
            (json!({"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation"}), None, false),
            (
                json!({"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation", "spec": {"default": true}}),
                Some(Single::DefaultLocation),
                false,
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "velero"}}),
                Some(Single::Application),
                false,
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}),
                None,
                false,
            ),
            (json!({"apiVersion": "v1", "kind": "Secret"}), None, false),
        ] {
            let object = Manifest::parse(value).unwrap();
            assert_eq!((single(&object), is_whole(&object)), (expected, whole), "{object:?}");
        }
    }
}
