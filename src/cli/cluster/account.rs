//! The objects that make the hub's account on a managed cluster: those of `kustomize/managed-cluster`, in the binary.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::adapters::source::{Gathered, read_stream};
use crate::api::object::Manifest;
use crate::cli::exit::Failure;
use crate::pipeline::velero::role_binding_name;

const ACCOUNT: &str = include_str!("../../../kustomize/managed-cluster/account.yaml");
const ROLES: &str = include_str!("../../../kustomize/managed-cluster/roles.yaml");
const VELERO_NAMESPACE: &str = include_str!("../../../kustomize/managed-cluster/velero-namespace.yaml");

/// What the account has besides where the hub installs Velero by itself.
const INSTALL_ROLES: &str = include_str!("../../../kustomize/components/install-velero/roles.yaml");
const INSTALL_NAMESPACE: &str =
    include_str!("../../../kustomize/components/install-velero/velero-namespace.yaml");

/// What the hub may do about Velero on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// To configure one that an operator or somebody else installs.
    Configure,
    /// To install it too, for which it may bind the role of an administrator.
    Install,
}

/// The account with its rights, also in these namespaces of Velero, in the order in which they are made.
pub(super) fn objects(
    velero_namespaces: &BTreeSet<String>,
    rights: Rights,
) -> Result<Vec<Manifest>, Failure> {
    let mut objects = read("account.yaml", ACCOUNT)?;
    objects.extend(read("roles.yaml", ROLES)?);
    if rights == Rights::Install {
        let roles = read("roles.yaml", INSTALL_ROLES)?;
        objects.extend(roles.into_iter().map(|object| for_bindings_of(object, velero_namespaces)));
    }
    for namespace in velero_namespaces {
        let mut of_namespace = read("velero-namespace.yaml", VELERO_NAMESPACE)?;
        if rights == Rights::Install {
            of_namespace.extend(read("velero-namespace.yaml", INSTALL_NAMESPACE)?);
        }
        objects.extend(of_namespace.into_iter().map(|object| {
            if object.kind() == "Namespace" {
                object.with_name(namespace)
            } else {
                object.with_namespace(Some(namespace))
            }
        }));
    }
    Ok(objects)
}

/// The role with the names of the bindings that Velero gets in these namespaces, where it names bindings.
fn for_bindings_of(role: Manifest, velero_namespaces: &BTreeSet<String>) -> Manifest {
    let Some(rules) = role.at(&["rules"]).and_then(Value::as_array) else { return role };
    let names: Vec<String> = velero_namespaces.iter().map(|namespace| role_binding_name(namespace)).collect();
    let names_bindings = |rule: &Value| {
        rule["resources"] == json!(["clusterrolebindings"]) && !rule["resourceNames"].is_null()
    };
    let rules = rules
        .iter()
        // A rule without names would be for all of them.
        .filter(|rule| !(names.is_empty() && names_bindings(rule)))
        .map(|rule| {
            let mut rule = rule.clone();
            if names_bindings(&rule) {
                rule["resourceNames"] = json!(names);
            }
            rule
        })
        .collect();
    role.with_field("rules", Some(Value::Array(rules)))
}

fn read(file: &str, text: &str) -> Result<Vec<Manifest>, Failure> {
    let mut gathered = Gathered::default();
    read_stream(file, text, &mut gathered);
    match gathered.errors.first() {
        Some(error) => Err(Failure::new(error.to_string())),
        None => Ok(gathered.objects.into_iter().map(|found| found.manifest).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::cluster::access::{ACCESS_NAMESPACE, ACCOUNT};

    #[test]
    fn the_account_is_bound_in_the_namespaces_of_velero_and_nowhere_else() {
        let namespaces = ["one", "two"].map(ToOwned::to_owned).into();
        let objects = objects(&namespaces, Rights::Configure).unwrap();
        let names: Vec<String> =
            objects.iter().filter_map(Manifest::key).map(|key| key.to_string()).collect();
        assert_eq!(
            names,
            [
                "Namespace flotilla-access",
                "ServiceAccount flotilla-access/flotilla-hub",
                "Secret flotilla-access/flotilla-hub",
                "ClusterRole flotilla-access",
                "ClusterRole flotilla-access-velero",
                "ClusterRole flotilla-access-additional",
                "ClusterRoleBinding flotilla-access",
                "ClusterRoleBinding flotilla-access-additional",
                "Namespace one",
                "RoleBinding one/flotilla-access",
                "Namespace two",
                "RoleBinding two/flotilla-access",
            ]
        );
        for object in objects.iter().filter(|object| object.kind().ends_with("Binding")) {
            let subject = &object.at(&["subjects"]).unwrap()[0];
            assert_eq!(subject["name"], ACCOUNT);
            assert_eq!(subject["namespace"], ACCESS_NAMESPACE);
        }
    }

    #[test]
    fn who_installs_velero_may_bind_the_administrator_and_change_only_its_bindings() {
        let objects = objects(&["one", "velero"].map(ToOwned::to_owned).into(), Rights::Install).unwrap();
        let names: Vec<String> =
            objects.iter().filter_map(Manifest::key).map(|key| key.to_string()).collect();
        for expected in [
            "ClusterRole flotilla-access-install-velero",
            "ClusterRoleBinding flotilla-access-install-velero",
            "RoleBinding one/flotilla-access-install-velero",
            "RoleBinding velero/flotilla-access-install-velero",
        ] {
            assert!(names.iter().any(|name| name == expected), "{names:?}");
        }
        let role = |objects: &[Manifest]| {
            let role = objects.iter().find(|object| object.name() == Some("flotilla-access-install-velero"));
            role.unwrap().at(&["rules"]).unwrap().clone()
        };
        let rules = role(&objects);
        assert_eq!(rules[0]["verbs"], json!(["bind"]));
        assert_eq!(rules[0]["resourceNames"], json!(["cluster-admin"]));
        assert_eq!(rules[2]["verbs"], json!(["update", "delete"]));
        assert_eq!(rules[2]["resourceNames"], json!(["velero-one", "velero"]));
        let none = super::objects(&BTreeSet::new(), Rights::Install).unwrap();
        assert_eq!(role(&none).as_array().unwrap().len(), rules.as_array().unwrap().len() - 1);
    }
}
