//! What the tests stand on: one API server for all that run at the same time, and requests to it whose answers are
//! recorded step by step.

use std::sync::{Arc, Weak};
use std::time::Duration;

use flotilla::sim::clock::ClockMode;
use flotilla::sim::stage::{Stage as StandIn, StageOptions};
use futures::{AsyncBufReadExt, StreamExt};
use http::{Method, Request};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::record::{Recorder, Step};
use crate::support::plane::control_plane::{ControlPlane, SigningKeys};
use crate::support::plane::definitions;
use crate::support::plane::process::RunDirectory;
use crate::support::stage;

/// A client that shows every answer: by default it would try again for minutes where a server answers 504.
async fn client(kubeconfig: &str) -> Client {
    let config = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let mut config =
        kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

/// What no answer may take longer than.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two questions whether something has come about that no watch tells.
const ASK: Duration = Duration::from_millis(100);

/// Collections in the namespace of the test.
pub const CONFIG_MAPS: &str = "/api/v1/namespaces/{ns}/configmaps";
pub const SECRETS: &str = "/api/v1/namespaces/{ns}/secrets";
pub const PODS: &str = "/api/v1/namespaces/{ns}/pods";
/// Custom kinds: the first has a status subresource, the second has none, the third has no namespace.
pub const SHIPS: &str = "/apis/agreement.flotilla.dev/v1/namespaces/{ns}/ships";
pub const BUOYS: &str = "/apis/agreement.flotilla.dev/v1/namespaces/{ns}/buoys";
pub const OCEANS: &str = "/apis/agreement.flotilla.dev/v1/oceans";

/// A running API server of the stage that is asked for.
pub struct Ground {
    server: Server,
}

enum Server {
    Plane(ControlPlane),
    StandIn { stage: StandIn, runtime: Option<tokio::runtime::Runtime> },
}

impl Ground {
    /// The server that other tests use now, or a new one. It ends with the last test that holds it, also when that fails:
    /// a static would outlive the process' last chance to kill it.
    async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Ground>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(ground) = shared.upgrade() {
            return ground;
        }
        let ground = Arc::new(Self::start().await);
        *shared = Arc::downgrade(&ground);
        ground
    }

    async fn start() -> Self {
        let server = match stage::kind() {
            stage::Kind::Plane => {
                let run = Arc::new(RunDirectory::new());
                let keys = SigningKeys::new(&run);
                Server::Plane(ControlPlane::start("agreement", &run, &keys).await)
            }
            stage::Kind::StandIn => {
                // Its tasks must outlive the test that happened to start it.
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()
                    .unwrap();
                let options = StageOptions {
                    clusters: vec!["agreement".to_owned()],
                    clock: ClockMode::Real { minute: Duration::from_secs(60) },
                    ..StageOptions::default()
                };
                let stage = runtime.spawn(StandIn::start(options)).await.unwrap().unwrap();
                Server::StandIn { stage, runtime: Some(runtime) }
            }
        };
        let ground = Self { server };
        let client = client(&ground.kubeconfig()).await;
        definitions::install(&client, &crate::definition::all()).await;
        ground
    }

    fn kubeconfig(&self) -> String {
        match &self.server {
            Server::Plane(plane) => plane.kubeconfig(),
            Server::StandIn { stage, .. } => stage.cluster("agreement").unwrap().kubeconfig(),
        }
    }

    /// The one for kubectl.
    pub fn kubectl_config(&self) -> String {
        match &self.server {
            Server::Plane(plane) => plane.kubeconfig(),
            Server::StandIn { stage, .. } => stage.cluster("agreement").unwrap().kubectl_config(),
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Server::StandIn { runtime, .. } = &mut self.server
            && let Some(runtime) = runtime.take()
        {
            // A test's runtime may not wait for another to end.
            runtime.shutdown_background();
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Method,
    path: String,
    content_type: &'static str,
    accept: &'static str,
    body: String,
    token: Option<&'static str>,
    user: Option<&'static str>,
    shown: &'static [&'static str],
}

fn ask(method: Method, path: &str, body: String) -> Ask {
    Ask {
        method,
        path: path.to_owned(),
        content_type: "application/json",
        accept: "application/json",
        body,
        token: None,
        user: None,
        shown: &[],
    }
}

pub fn get(path: &str) -> Ask {
    ask(Method::GET, path, String::new())
}

pub fn post(path: &str, body: &Value) -> Ask {
    ask(Method::POST, path, body.to_string())
}

pub fn put(path: &str, body: &Value) -> Ask {
    ask(Method::PUT, path, body.to_string())
}

pub fn delete(path: &str) -> Ask {
    ask(Method::DELETE, path, String::new())
}

pub fn delete_with(path: &str, options: &Value) -> Ask {
    ask(Method::DELETE, path, options.to_string())
}

fn patch(content_type: &'static str, path: &str, body: &Value) -> Ask {
    ask(Method::PATCH, path, body.to_string()).content_type(content_type)
}

pub fn merge(path: &str, body: &Value) -> Ask {
    patch("application/merge-patch+json", path, body)
}

pub fn strategic(path: &str, body: &Value) -> Ask {
    patch("application/strategic-merge-patch+json", path, body)
}

pub fn json_patch(path: &str, body: &Value) -> Ask {
    patch("application/json-patch+json", path, body)
}

/// Server-side apply; the query names the field manager.
pub fn apply(path: &str, body: &Value) -> Ask {
    patch("application/apply-patch+yaml", path, body)
}

impl Ask {
    pub fn content_type(mut self, content_type: &'static str) -> Self {
        self.content_type = content_type;
        self
    }

    pub fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// The body as it is, well formed or not.
    pub fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub fn token(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    /// As another user, whom the administrator may play.
    pub fn impersonating(mut self, user: &'static str) -> Self {
        self.user = Some(user);
        self
    }

    /// Records these places of the answer alone, as JSON pointers: for kinds whose defaults the stand-in does not set.
    pub fn showing(mut self, pointers: &'static [&'static str]) -> Self {
        self.shown = pointers;
        self
    }
}

/// A test in a namespace of its own.
pub struct Case {
    pub ground: Arc<Ground>,
    client: Client,
    pub namespace: String,
    pub recorder: Recorder,
}

impl Case {
    /// `subject` and `name` make the namespace and the place of the expected answers.
    pub async fn start(subject: &str, name: &str) -> Self {
        let ground = Ground::shared().await;
        let client = client(&ground.kubeconfig()).await;
        let namespace = format!("{subject}-{name}");
        let recorder = Recorder::new(subject, name);
        let case = Self { ground, client, namespace, recorder };
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.namespace}});
        case.prepare(post("/api/v1/namespaces", &body)).await;
        case
    }

    fn request(&self, ask: &Ask) -> Request<Vec<u8>> {
        let path = ask.path.replace("{ns}", &self.namespace).replace(' ', "%20");
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(path)
            .header("accept", ask.accept)
            .header("user-agent", "agreement/1");
        if let Some(user) = ask.user {
            request = request.header("impersonate-user", user);
        }
        if !ask.body.is_empty() {
            request = request.header("content-type", ask.content_type);
        }
        request.body(ask.body.replace("{ns}", &self.namespace).into_bytes()).unwrap()
    }

    async fn answer(&self, ask: &Ask) -> (http::response::Parts, String) {
        if ask.path.contains("resourceVersion=0") {
            self.catch_up(&ask.path).await;
        }
        self.answer_now(ask).await
    }

    /// Waits until the server's cache holds what is stored: what is asked for at version 0 may be older.
    pub async fn catch_up(&self, path: &str) {
        let path = path.split('?').next().unwrap().replace("/watch/", "/");
        let (parts, body) = self.answer_now(&get(&path)).await;
        if parts.status.is_success() {
            let stored: Value = serde_json::from_str(&body).unwrap();
            let version = stored["metadata"]["resourceVersion"].as_str().unwrap();
            self.answer_now(&get(&format!("{path}?resourceVersion={version}"))).await;
        }
    }

    async fn answer_now(&self, ask: &Ask) -> (http::response::Parts, String) {
        let request = self.request(ask);
        let client = match ask.token {
            None => self.client.clone(),
            Some(token) => self.client_with(token).await,
        };
        let answer = async {
            let response = client.send(request.map(Into::into)).await;
            let response = response.unwrap_or_else(|error| panic!("{ask:?}: {error}"));
            let (parts, body) = response.into_parts();
            let bytes = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX).await.unwrap();
            (parts, String::from_utf8(bytes.to_vec()).unwrap())
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("no answer to {ask:?}"))
    }

    async fn client_with(&self, token: &str) -> Client {
        let config = self.ground.kubeconfig();
        let own = regex::Regex::new("token: .*").unwrap();
        client(&own.replace(&config, format!("token: {token}"))).await
    }

    /// Does something that is no part of the agreement; it must succeed.
    pub async fn prepare(&self, ask: Ask) -> Value {
        let (parts, body) = self.answer(&ask).await;
        assert!(parts.status.is_success(), "{ask:?}: {} {body}", parts.status);
        serde_json::from_str(&body).unwrap()
    }

    /// Creates an object of a kind that is new: its endpoint may come a moment after its definition.
    pub async fn created(&self, collection: &str, body: &Value) {
        let created = async {
            let mut asked = tokio::time::interval(ASK);
            loop {
                asked.tick().await;
                if self.answer(&post(collection, body)).await.0.status == 201 {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, created)
            .await
            .unwrap_or_else(|_| panic!("{collection} is not served"));
    }

    /// Waits until something is not there any more.
    pub async fn gone(&self, path: &str) {
        let gone = async {
            let mut asked = tokio::time::interval(ASK);
            loop {
                asked.tick().await;
                if self.answer(&get(path)).await.0.status == 404 {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("{path} does not go"));
    }

    /// Asks and records the answer as a step of the test.
    pub async fn step(&mut self, name: &str, ask: Ask) -> Value {
        let (parts, body) = self.answer(&ask).await;
        let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        let mut step = Step::new(name, &self.recorder.path(&format!("{} {}", ask.method, ask.path)));
        step.line(&format!("-> {}", parts.status.as_u16()));
        for header in ["content-type", "warning", "retry-after", "www-authenticate"] {
            for value in parts.headers.get_all(header) {
                let value = value.to_str().unwrap();
                if value != "application/json" {
                    step.line(&format!("{header}: {value}"));
                }
            }
        }
        if value.is_null() {
            step.line(&self.recorder.text(&body));
        } else if ask.shown.is_empty() || !parts.status.is_success() {
            step.value(&self.recorder.normalised(&value));
        } else {
            let shown = ask.shown.iter().map(|pointer| {
                let found = value.pointer(pointer).cloned().unwrap_or_else(|| json!("<absent>"));
                ((*pointer).to_owned(), self.recorder.normalised(&found))
            });
            let shown: serde_json::Map<String, Value> = shown.collect();
            step.value(&Value::Object(shown));
        }
        self.recorder.push(step);
        value
    }

    /// Begins to watch.
    pub async fn watch(&self, path: &str) -> Watch {
        self.watch_as(path, "application/json").await
    }

    /// Begins to watch in another form.
    pub async fn watch_as(&self, path: &str, accept: &'static str) -> Watch {
        if path.contains("resourceVersion=0") {
            self.catch_up(path).await;
        }
        let request = self.request(&get(path).accept(accept));
        let lines = self.client.request_stream(request).await.unwrap();
        let lines: futures::stream::BoxStream<'static, std::io::Result<String>> = lines.lines().boxed();
        Watch { path: self.recorder.path(path), lines }
    }

    /// Reads the next events of a watch and records them.
    pub async fn events(&mut self, name: &str, watch: &mut Watch, count: usize) {
        let mut step = Step::new(name, &format!("WATCH {}", watch.path));
        let mut told = 0;
        while told < count {
            let next = tokio::time::timeout(PATIENCE, watch.lines.next()).await;
            let Ok(Some(Ok(line))) = next else {
                panic!("{name}: {next:?} after {told} of {count} events:\n{}", step.text())
            };
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["type"] == "BOOKMARK" && !line.contains("k8s.io/initial-events-end") {
                // They come when time has passed.
                continue;
            }
            told += 1;
            step.line(&format!("-> {}", event["type"].as_str().unwrap()));
            step.value(&self.recorder.normalised(&event["object"]));
        }
        self.recorder.push(step);
    }

    /// Reads the rest of a watch that is to end by itself, and records it.
    pub async fn rest(&mut self, name: &str, mut watch: Watch) {
        let mut step = Step::new(name, &format!("WATCH {}", watch.path));
        loop {
            let next = tokio::time::timeout(PATIENCE, watch.lines.next()).await;
            let next = next.unwrap_or_else(|_| panic!("{name}: the watch does not end:\n{}", step.text()));
            let Some(line) = next else { break };
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            step.line(&format!("-> {}", event["type"].as_str().unwrap()));
            step.value(&self.recorder.normalised(&event["object"]));
        }
        step.line("-> end");
        self.recorder.push(step);
    }

    /// A version or token that is different in every run and is not to be recorded as part of a path.
    pub fn recorder_hides(&mut self, text: &str) {
        self.recorder.hidden.push(text.to_owned());
    }

    /// The client of the test, for calls of kube-rs.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Records what such calls told.
    pub fn told(&mut self, name: &str, lines: &[String]) {
        let mut step = Step::new(name, "kube-rs");
        for line in lines {
            step.line(line);
        }
        self.recorder.push(step);
    }

    /// Compares all steps with the expected answers.
    pub fn finish(self) {
        self.recorder.finish();
    }
}

/// An open watch.
pub struct Watch {
    path: String,
    lines: futures::stream::BoxStream<'static, std::io::Result<String>>,
}

/// A ConfigMap of one key.
pub fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

/// A ConfigMap with labels.
pub fn labelled(name: &str, labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}})
}

/// A Ship.
pub fn ship(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "agreement.flotilla.dev/v1", "kind": "Ship", "metadata": {"name": name}, "spec": spec})
}

/// A Buoy.
pub fn buoy(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "agreement.flotilla.dev/v1", "kind": "Buoy", "metadata": {"name": name}, "spec": spec})
}

/// A path below another.
pub fn at(collection: &str, rest: &str) -> String {
    format!("{collection}/{rest}")
}
