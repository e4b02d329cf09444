//! The admission webhook: what an API server asks is answered over TLS, and a real one refuses what it is told to.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use flotilla::yaml;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::plane::process::free_port;
use crate::support::stage::{Kind, kind, patience};
use crate::support::{POLICIES, User, World, input};

const NAMESPACE: &str = "flotilla";

fn config_map(time_to_live: &str) -> Value {
    let mut config_map =
        yaml::read_documents(&input::project_file("configmaps/demo.yaml")).unwrap().remove(0);
    config_map["metadata"] = json!({"name": "hdr-app-configmap", "namespace": POLICIES});
    config_map["data"]["backupTTL"] = json!(time_to_live);
    config_map
}

/// Waits for something of an object of the hub, in a namespace or (`""`) of the cluster.
async fn text_of(hub: &User, kind: &str, namespace: &str, name: &str, path: &str, not: &str) -> String {
    let namespace = (!namespace.is_empty()).then_some(namespace);
    hub.wait(&format!("{path} of {kind} {name}"), kind, namespace, |objects| {
        let text = objects.get(name)?.pointer(path)?.as_str()?;
        (!text.is_empty() && text != not).then(|| text.to_owned())
    })
    .await
}

/// The authorities by which the webhook is to be trusted, in PEM and base64, once they are others than `not`.
async fn authorities(world: &World, not: &str) -> String {
    text_of(&world.hub, "Secret", NAMESPACE, "flotilla-webhook", "/data/ca.crt", not).await
}

/// Connects once the certificate of this authority is served with: that is after it stands in the Secret.
async fn connected(port: u16, connector: &tokio_rustls::TlsConnector) -> TlsStream<TcpStream> {
    let served = async {
        let mut rounds = tokio::time::interval(Duration::from_millis(50));
        loop {
            rounds.tick().await;
            let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let name = ServerName::try_from("flotilla-webhook.flotilla.svc").unwrap();
            if let Ok(stream) = connector.connect(name, tcp).await {
                return stream;
            }
        }
    };
    tokio::time::timeout(patience(), served).await.expect("the certificate is never served with")
}

/// Posts a review as an API server would, trusting the authority in the Secret alone.
async fn post(port: u16, authorities: &str, review: &Value) -> (u16, Value) {
    let pem = base64::engine::general_purpose::STANDARD.decode(authorities).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut stream = connected(port, &tokio_rustls::TlsConnector::from(Arc::new(config))).await;
    let body = review.to_string();
    let head = format!(
        "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, serde_json::from_str(body).unwrap_or_else(|_| json!(body)))
}

fn review(object: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1",
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"}, "operation": "CREATE", "object": object}})
}

async fn start(arguments: &[String]) -> World {
    let mut world = World::start_unjoined(&[&[]]).await.remove(0);
    for name in [NAMESPACE, POLICIES] {
        world
            .hub
            .apply(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}), "")
            .await;
    }
    world.start_hub_program_with(arguments);
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_is_answered_over_tls_and_the_certificate_can_be_replaced() {
    let port = free_port();
    let world = start(&[format!("--webhook=127.0.0.1:{port}")]).await;
    let first = authorities(&world, "").await;
    answers(port, &first).await;

    // Somebody takes it away: the next one is made at once, and served with.
    world.hub.delete("Secret", NAMESPACE, "flotilla-webhook").await;
    let second = authorities(&world, &first).await;
    answers(port, &second).await;
    world.stop().await;
}

async fn answers(port: u16, authorities: &str) {
    let (code, answer) = post(port, authorities, &review(&config_map("240h0m0s"))).await;
    assert_eq!((code, &answer["response"]), (200, &json!({"uid": "1", "allowed": true})));
    let (code, answer) = post(port, authorities, &review(&config_map("ten days"))).await;
    assert_eq!((code, &answer["response"]["allowed"]), (200, &json!(false)));
    let (code, answer) = post(port, authorities, &json!({"kind": "Pod"})).await;
    assert_eq!(code, 400);
    assert!(answer.as_str().unwrap().starts_with("failed to read the review"), "{answer}");
}

/// The stand-in plays no webhooks: nothing to see there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_refuses_a_broken_config_map() {
    if kind() == Kind::StandIn {
        println!("skipped: the stand-in asks no webhooks");
        return;
    }
    let port = free_port();
    let mut world = start(&[format!("--webhook=127.0.0.1:{port}")]).await;
    let (good, broken) = (config_map("240h0m0s"), config_map("ten days"));
    world.hub.try_create(&broken, POLICIES, true).await.expect("nobody asks the webhook yet");

    // As shipped, but for the way to it: there is no network of Services here.
    let mut configuration =
        yaml::read_documents(&input::project_file("kustomize/components/webhook/configuration.yaml"))
            .unwrap()
            .remove(0);
    configuration["webhooks"][0]["clientConfig"] =
        json!({"url": format!("https://127.0.0.1:{port}/validate")});
    world.hub.apply(configuration, "").await;
    let path = "/webhooks/0/clientConfig/caBundle";
    let bundle = text_of(&world.hub, "ValidatingWebhookConfiguration", "", "flotilla", path, "").await;
    let refusal = refused(&world.hub, &broken).await;
    assert!(
        refusal.starts_with(
            "admission webhook \"configuration.flotilla.dev\" denied the request: ConfigMap hdr-app-configmap has 1 mistake:\n  \
             error: backupTTL"
        ),
        "{refusal}"
    );
    let mut other = broken.clone();
    other["metadata"]["name"] = json!("other");
    world.hub.try_create(&other, POLICIES, false).await.expect("other ConfigMaps are none of its business");
    world.hub.try_create(&good, POLICIES, false).await.expect("there is nothing wrong with it");

    // The certificate changes, and the configuration follows.
    world.hub.delete("Secret", NAMESPACE, "flotilla-webhook").await;
    text_of(&world.hub, "ValidatingWebhookConfiguration", "", "flotilla", path, &bundle).await;
    world.hub.delete("ConfigMap", POLICIES, "hdr-app-configmap").await;
    refused(&world.hub, &broken).await;

    // A hub that is down locks nobody's ConfigMap, not even this one.
    world.kill_hub().await;
    world.hub.try_create(&broken, POLICIES, false).await.expect("the policy on failure is to let it through");
    world.stop().await;
}

/// Waits until the API server asks the webhook: it learns of configurations by a watch of its own, which nothing tells of.
async fn refused(hub: &User, broken: &Value) -> String {
    let asked = async {
        let mut rounds = tokio::time::interval(Duration::from_millis(200));
        loop {
            rounds.tick().await;
            if let Err(message) = hub.try_create(broken, POLICIES, true).await {
                return message;
            }
        }
    };
    tokio::time::timeout(patience(), asked).await.expect("the webhook is never asked")
}
