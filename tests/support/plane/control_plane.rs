//! One real cluster without nodes: an etcd and a kube-apiserver.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use kube::Client;

use super::process::{ASK, RunDirectory, START, ServerProcess, free_port, program};

/// The keys with which service account tokens are signed, one pair for a whole stage.
#[derive(Debug)]
pub struct SigningKeys {
    private: PathBuf,
    public: PathBuf,
}

impl SigningKeys {
    /// Writes a new pair.
    pub fn new(run: &RunDirectory) -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let keys = Self { private: run.file("service-account.key"), public: run.file("service-account.pub") };
        std::fs::write(&keys.private, pair.serialize_pem()).unwrap();
        std::fs::write(&keys.public, pair.public_key_pem()).unwrap();
        keys
    }
}

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    name: String,
    port: u16,
    token: String,
    certificates: PathBuf,
    api_server: Mutex<Option<ServerProcess>>,
    arguments: Vec<String>,
    log: PathBuf,
    _etcd: ServerProcess,
    _run: Arc<RunDirectory>,
}

impl ControlPlane {
    /// Starts etcd and the API server, and waits until it is ready.
    pub async fn start(name: &str, run: &Arc<RunDirectory>, keys: &SigningKeys) -> Self {
        let (clients, peers, port) = (free_port(), free_port(), free_port());
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let etcd = ServerProcess::start(
            &program("etcd"),
            &[
                format!("--data-dir={}", run.folder(&format!("{name}-etcd")).display()),
                format!("--listen-client-urls={}", url(clients)),
                format!("--advertise-client-urls={}", url(clients)),
                format!("--listen-peer-urls={}", url(peers)),
                format!("--initial-advertise-peer-urls={}", url(peers)),
                format!("--initial-cluster=default={}", url(peers)),
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ],
            &[],
            &run.file(&format!("{name}-etcd.log")),
        );
        let certificates = run.folder(&format!("{name}-certificates"));
        let token = uuid::Uuid::new_v4().simple().to_string();
        let tokens = run.file(&format!("{name}-tokens.csv"));
        std::fs::write(&tokens, format!("{token},admin,admin,system:masters\n")).unwrap();
        let arguments = vec![
            format!("--etcd-servers={}", url(clients)),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--cert-dir={}", certificates.display()),
            "--service-account-issuer=https://flotilla.test".to_owned(),
            format!("--service-account-key-file={}", keys.public.display()),
            format!("--service-account-signing-key-file={}", keys.private.display()),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            format!("--token-auth-file={}", tokens.display()),
            "--authorization-mode=RBAC".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ];
        let plane = Self {
            name: name.to_owned(),
            port,
            token,
            certificates,
            api_server: Mutex::new(None),
            arguments,
            log: run.file(&format!("{name}-apiserver.log")),
            _etcd: etcd,
            _run: Arc::clone(run),
        };
        plane.start_api_server().await;
        plane
    }

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts the API server where it was before, and waits until it is ready.
    pub async fn start_api_server(&self) {
        let process = ServerProcess::start(&program("kube-apiserver"), &self.arguments, &[], &self.log);
        *self.api_server.lock().unwrap() = Some(process);
        let ready = async {
            let mut asked = tokio::time::interval(ASK);
            loop {
                asked.tick().await;
                self.api_server.lock().unwrap().as_mut().unwrap().assert_runs();
                // Its certificate is made at its first start.
                if self.certificate().exists() && self.answers().await {
                    return;
                }
            }
        };
        tokio::time::timeout(START, ready)
            .await
            .unwrap_or_else(|_| panic!("the API server of {} was not ready within {START:?}", self.name));
    }

    async fn answers(&self) -> bool {
        let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
        self.client().await.request_text(request).await.is_ok()
    }

    /// Kills the API server; etcd keeps what it stored.
    pub fn kill_api_server(&self) {
        *self.api_server.lock().unwrap() = None;
    }

    fn certificate(&self) -> PathBuf {
        self.certificates.join("apiserver.crt")
    }

    /// The kubeconfig of one who may do everything.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_with(&self.token)
    }

    /// A kubeconfig with another token.
    pub fn kubeconfig_with(&self, token: &str) -> String {
        use base64::Engine as _;
        let certificate = std::fs::read(self.certificate()).unwrap();
        let certificate = base64::engine::general_purpose::STANDARD.encode(certificate);
        let (name, port) = (&self.name, self.port);
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {name}\n\
             clusters:\n- name: {name}\n  cluster:\n    server: https://127.0.0.1:{port}\n    \
             certificate-authority-data: {certificate}\n\
             users:\n- name: {name}\n  user:\n    token: {token}\n\
             contexts:\n- name: {name}\n  context:\n    cluster: {name}\n    user: {name}\n    namespace: default\n"
        )
    }

    /// A client that may do everything.
    pub async fn client(&self) -> Client {
        crate::support::user::client(&self.kubeconfig()).await
    }
}
