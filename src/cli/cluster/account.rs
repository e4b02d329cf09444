//! The objects that make the hub's account on a managed cluster: those of `kustomize/managed-cluster`, in the binary.

use std::collections::BTreeSet;

use crate::adapters::source::{Gathered, read_stream};
use crate::api::object::Manifest;
use crate::cli::exit::Failure;

const ACCOUNT: &str = include_str!("../../../kustomize/managed-cluster/account.yaml");
const ROLES: &str = include_str!("../../../kustomize/managed-cluster/roles.yaml");
const VELERO_NAMESPACE: &str = include_str!("../../../kustomize/managed-cluster/velero-namespace.yaml");

/// The account with its rights, also in these namespaces of Velero, in the order in which they are made.
pub(super) fn objects(velero_namespaces: &BTreeSet<String>) -> Result<Vec<Manifest>, Failure> {
    let mut objects = read("account.yaml", ACCOUNT)?;
    objects.extend(read("roles.yaml", ROLES)?);
    for namespace in velero_namespaces {
        objects.extend(read("velero-namespace.yaml", VELERO_NAMESPACE)?.into_iter().map(|object| {
            if object.kind() == "Namespace" {
                object.with_name(namespace)
            } else {
                object.with_namespace(Some(namespace))
            }
        }));
    }
    Ok(objects)
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
        let objects = objects(&namespaces).unwrap();
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
}
