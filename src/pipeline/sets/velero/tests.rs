//! The workloads against what `velero install --dry-run -o json` of Velero 1.18.3 printed, recorded in `tests/fixtures/velero`
//! with the command of each.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn version(minor: u32) -> VeleroVersion {
    VeleroVersion { major: 1, minor, patch: 3 }
}

fn wanted(specification: &Value, minor: u32) -> Wanted<'_> {
    Wanted {
        version: version(minor),
        release: Release::of(1, minor).unwrap(),
        specification,
        namespace: "acm-app-backup",
        credentials: "cloud-credentials",
    }
}

/// Without what is null or an empty rule of its own, which the program prints and nobody means.
fn plain(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, value| {
                    let idle = matches!(name.as_str(), "strategy" | "updateStrategy") && *value == json!({});
                    !value.is_null() && !idle
                });
                fields.values_mut().for_each(strip);
            }
            Value::Array(entries) => entries.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    strip(&mut value);
    value
}

#[rstest]
#[case::plain(include_str!("../../../../tests/fixtures/velero/plain.json"))]
#[case::node_agent(include_str!("../../../../tests/fixtures/velero/node-agent.json"))]
#[case::clouds(include_str!("../../../../tests/fixtures/velero/clouds.json"))]
#[case::own_image(include_str!("../../../../tests/fixtures/velero/own-image.json"))]
fn the_workloads_are_those_of_velero_install(#[case] fixture: &str) {
    let fixture: Value = serde_json::from_str(fixture).unwrap();
    let wanted = wanted(&fixture["dpaSpec"], 18);
    assert_eq!(plain(server::spec(&wanted)), plain(fixture["deployment"].clone()));
    let node_agent = parameters(&wanted)["nodeAgent"].is_object().then(|| plain(node_agent::spec(&wanted)));
    assert_eq!(node_agent.unwrap_or_default(), plain(fixture["daemonSet"].clone()));
}

#[test]
fn the_role_binding_is_named_as_velero_install_names_it() {
    let specification = json!({});
    for (namespace, expected) in [("velero", "velero"), ("acm-app-backup", "velero-acm-app-backup")] {
        let wanted = Wanted { namespace, ..wanted(&specification, 18) };
        assert_eq!(parameters(&wanted)["roleBinding"], expected);
    }
}

/// `velero install` has no flag for these; Velero's server and its node agent have.
#[test]
fn settings_of_the_server_become_flags() {
    let specification = json!({"logFormat": "json", "configuration": {
        "velero": {"logLevel": "debug", "itemOperationSyncFrequency": "30s", "defaultItemOperationTimeout": "2h",
            "resourceTimeout": "15m", "client-burst": 200, "client-qps": 100},
        "nodeAgent": {"enable": true, "dataMoverPrepareTimeout": "40m", "resourceTimeout": "5m",
            "supplementalGroups": [1000]}}});
    let parameters = parameters(&wanted(&specification, 18));
    let container = |workload: &str| parameters[workload]["template"]["spec"]["containers"][0].clone();
    assert_eq!(
        container("server")["args"],
        json!([
            "server",
            "--features=",
            "--uploader-type=kopia",
            "--log-level=debug",
            "--log-format=json",
            "--item-operation-sync-frequency=30s",
            "--default-item-operation-timeout=2h",
            "--resource-timeout=15m",
            "--client-burst=200",
            "--client-qps=100"
        ])
    );
    assert_eq!(
        container("nodeAgent")["args"],
        json!([
            "node-agent",
            "server",
            "--features=",
            "--data-mover-prepare-timeout=40m",
            "--resource-timeout=5m",
            "--log-level=debug",
            "--log-format=json"
        ])
    );
    let security = &parameters["nodeAgent"]["template"]["spec"]["securityContext"];
    assert_eq!(*security, json!({"runAsUser": 0, "supplementalGroups": [1000]}));
}

#[test]
fn pods_go_where_the_specification_says() {
    let specification = json!({"podDnsPolicy": "Default", "imagePullPolicy": "Always", "configuration": {"velero": {
        "podConfig": {"nodeSelector": {"infra": "yes"}, "tolerations": [{"key": "infra", "operator": "Exists"}],
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy"}]}}}});
    let parameters = parameters(&wanted(&specification, 18));
    let pod = &parameters["server"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"], json!({"infra": "yes"}));
    assert_eq!(pod["tolerations"], json!([{"key": "infra", "operator": "Exists"}]));
    assert_eq!(pod["dnsPolicy"], "Default");
    let container = &pod["containers"][0];
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(
        container["env"].as_array().unwrap().last(),
        Some(&json!({"name": "HTTPS_PROXY", "value": "http://proxy"}))
    );
    assert_eq!(parameters["nodeAgent"], Value::Null);
}

/// Read off `pkg/install` of Velero 1.17.2.
#[test]
fn one_version_moves_images_plugins_and_what_differs() {
    let specification = json!({"configuration": {"velero": {"defaultPlugins": ["aws", "csi"],
        "podConfig": {"nodeSelector": {"infra": "yes"}}}, "nodeAgent": {"enable": true}}});
    let parameters = parameters(&wanted(&specification, 17));
    let server = &parameters["server"]["template"]["spec"];
    assert_eq!(server["containers"][0]["image"], "velero/velero:v1.17.3");
    assert_eq!(server["initContainers"][0]["image"], "velero/velero-plugin-for-aws:v1.13.0");
    assert_eq!(server["initContainers"].as_array().unwrap().len(), 1, "csi is built in");
    assert_eq!(server["nodeSelector"], json!({"infra": "yes", "kubernetes.io/os": "linux"}));
    assert_eq!(server["affinity"], Value::Null);
    let agent = &parameters["nodeAgent"]["template"]["spec"];
    assert_eq!(agent["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
    assert_eq!(agent["os"], json!({"name": "linux"}));
}
