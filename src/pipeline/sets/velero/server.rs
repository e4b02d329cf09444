//! The Deployment of Velero's server (upstream: `pkg/install/deployment.go`).

use serde_json::{Map, Value, json};

use super::Wanted;
use super::part::Part;
use super::pods;
use crate::pipeline::velero::Plugin;

/// Longest name of a container.
const LONGEST_NAME: usize = 63;

/// Its spec, as `velero install` writes it.
pub(super) fn spec(wanted: &Wanted<'_>) -> Value {
    let velero = wanted.specification().at(&["configuration", "velero"]);
    let pod_config = velero.at(&["podConfig"]);
    let image = wanted.image();
    let pull_policy = wanted.pull_policy(&image);
    let mut variables = vec![
        json!({"name": "VELERO_SCRATCH_DIR", "value": "/scratch"}),
        pods::field_variable("VELERO_NAMESPACE", "metadata.namespace"),
        json!({"name": "LD_LIBRARY_PATH", "value": "/plugins"}),
    ];
    variables.extend(pods::further_variables(pod_config));
    let usual =
        json!({"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "500m", "memory": "128Mi"}});
    let container = json!({
        "name": "velero",
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": ["/velero"],
        "args": arguments(wanted),
        "ports": pods::ports(),
        "env": variables,
        "resources": pods::resources(pod_config, usual),
        "volumeMounts": [
            {"name": "plugins", "mountPath": "/plugins"},
            {"name": "scratch", "mountPath": "/scratch"},
            pods::credentials_mount(),
        ],
    });
    let mut pod = Map::from_iter([
        ("restartPolicy".to_owned(), json!("Always")),
        ("serviceAccountName".to_owned(), json!("velero")),
        ("os".to_owned(), json!({"name": "linux"})),
        ("containers".to_owned(), json!([container])),
        (
            "volumes".to_owned(),
            json!([
                {"name": "plugins", "emptyDir": {}},
                {"name": "scratch", "emptyDir": {}},
                pods::credentials_volume(wanted),
            ]),
        ),
    ]);
    let plugins = plugins(wanted, velero, &pull_policy);
    if !plugins.is_empty() {
        pod.insert("initContainers".to_owned(), Value::Array(plugins));
    }
    pods::place(&mut pod, wanted, pod_config);
    let mut annotations = Map::from_iter([
        ("prometheus.io/scrape".to_owned(), json!("true")),
        ("prometheus.io/port".to_owned(), json!("8085")),
        ("prometheus.io/path".to_owned(), json!("/metrics")),
    ]);
    pods::overlay(&mut annotations, wanted.specification().at(&["podAnnotations"]));
    json!({
        "selector": {"matchLabels": {"deploy": "velero"}},
        "template": {
            "metadata": {"labels": pods::labels(pod_config, &[("deploy", "velero")]), "annotations": annotations},
            "spec": pod,
        },
    })
}

/// The flags of the server: in the order of `velero install` those that it writes too.
fn arguments(wanted: &Wanted<'_>) -> Vec<String> {
    let specification = wanted.specification();
    let velero = specification.at(&["configuration", "velero"]);
    let mut arguments = vec!["server".to_owned(), wanted.features()];
    let mut push = |flag: &str, value: Option<String>| {
        arguments.extend(value.map(|value| format!("--{flag}={value}")));
    };
    let truth = |part: Part<'_>| part.is_true().then(|| "true".to_owned());
    let text = |part: Part<'_>| part.text().map(ToOwned::to_owned);
    let whole = |part: Part<'_>| part.whole().map(|number| number.to_string());
    push("default-volumes-to-fs-backup", truth(velero.at(&["defaultVolumesToFSBackup"])));
    push("default-snapshot-move-data", truth(velero.at(&["defaultSnapshotMoveData"])));
    push("disable-informer-cache", truth(velero.at(&["disableInformerCache"])));
    // Restic is read by no release that is known here.
    push("uploader-type", Some("kopia".to_owned()));
    push("fs-backup-timeout", text(specification.at(&["configuration", "nodeAgent", "timeout"])));
    push("item-block-worker-count", whole(velero.at(&["itemBlockWorkerCount"])));
    push("log-level", text(velero.at(&["logLevel"])));
    push("log-format", text(specification.at(&["logFormat"])));
    push("item-operation-sync-frequency", text(velero.at(&["itemOperationSyncFrequency"])));
    push("default-item-operation-timeout", text(velero.at(&["defaultItemOperationTimeout"])));
    push("resource-timeout", text(velero.at(&["resourceTimeout"])));
    push("client-burst", whole(velero.at(&["client-burst"])));
    push("client-qps", whole(velero.at(&["client-qps"])));
    arguments
}

/// One init container for each plugin; `csi` needs none.
fn plugins(wanted: &Wanted<'_>, velero: Part<'_>, pull_policy: &str) -> Vec<Value> {
    let container = |name: &str, image: &str| {
        json!({"name": name, "image": image, "imagePullPolicy": pull_policy, "resources": {},
            "volumeMounts": [{"name": "plugins", "mountPath": "/target"}]})
    };
    let known =
        velero.at(&["defaultPlugins"]).texts().into_iter().filter_map(Plugin::of_name).map(|plugin| {
            let other = wanted.specification().at(&["unsupportedOverrides", plugin.override_key()]).text();
            let image = other.unwrap_or_else(|| wanted.release.plugin_image(plugin));
            container(&container_name(image), image)
        });
    let custom = velero.at(&["customPlugins"]).entries().iter().filter_map(|plugin| {
        let plugin = Part(Some(plugin));
        Some(container(plugin.at(&["name"]).text()?, plugin.at(&["image"]).text()?))
    });
    known.chain(custom).collect()
}

/// The name that `velero install` gives to the container of an image: without registry, tag and digest.
fn container_name(image: &str) -> String {
    let slash = image.find('/');
    let deep = slash.is_some_and(|slash| slash == 0 || image[slash..].matches('/').count() > 1);
    let start = slash.filter(|_| deep).map_or(0, |slash| slash + 1);
    let end = image.rfind('@').or_else(|| image.rfind(':')).filter(|end| *end > start).unwrap_or(image.len());
    let mut name = image[start..end].replace(['/', '_', '.'], "-");
    name.truncate(LONGEST_NAME);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::container_name;

    /// The cases of upstream's `container_builder_test.go`, and a registry with a port.
    #[test]
    fn containers_are_named_after_their_images() {
        for (image, expected) in [
            ("velero/velero-plugin-for-aws:v1.14.0", "velero-velero-plugin-for-aws"),
            ("velero-plugin-for-aws", "velero-plugin-for-aws"),
            ("registry.example/velero/plugin_for.aws@sha256:abc", "velero-plugin-for-aws"),
            ("registry.example:5000/velero/plugin:v1", "velero-plugin"),
            ("/velero/plugin:v1", "velero-plugin"),
        ] {
            assert_eq!(container_name(image), expected, "{image}");
        }
    }
}
