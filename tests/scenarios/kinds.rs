//! Kinds that a cluster does not have yet, or not any more.

use serde_json::{Value, json};

use crate::support::{User, World, config_map};
use crate::{BACKUP, INSTALL};

async fn create_definition(user: &User, definition: &Value) {
    let mut definition = definition.clone();
    for field in ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"] {
        definition["metadata"].as_object_mut().unwrap().remove(field);
    }
    definition.as_object_mut().unwrap().remove("status");
    definition["apiVersion"] = json!("apiextensions.k8s.io/v1");
    definition["kind"] = json!("CustomResourceDefinition");
    user.apply(definition, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_kind_is_told_and_its_arrival_brings_the_policy_back() {
    let config = config_map("pv-snap");
    let world = World::start().await;
    let c2 = &world.clusters["c2"];
    let definitions = c2.list("CustomResourceDefinition", None).await;
    let taken = ["dataprotectionapplications.oadp.openshift.io", "schedules.velero.io"];
    for name in taken {
        c2.delete("CustomResourceDefinition", "", name).await;
    }
    world.apply_policies(&config).await;
    world.label_for_backup("c2").await;
    let said = world.template_says(INSTALL, "c2", "create-oadp-dpa-resource", "mapping").await;
    assert_eq!(
        said,
        "NonCompliant; violation - couldn't find mapping resource with kind DataProtectionApplication in API version \
         oadp.openshift.io/v1alpha1, please check if you have CRD deployed"
    );
    world.protect("c1").await;
    for name in taken {
        create_definition(c2, &definitions[name]).await;
    }
    world.protect("c2").await;

    // The kind goes while it is in use, and comes back.
    c2.delete("CustomResourceDefinition", "", "schedules.velero.io").await;
    world.template_says(BACKUP, "c2", "create-schedule-resource", "couldn't find mapping").await;
    create_definition(c2, &definitions["schedules.velero.io"]).await;
    world.protect("c2").await;
    world.stop().await;
}
