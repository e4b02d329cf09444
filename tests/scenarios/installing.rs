//! What `kubectl apply -k` brings is taken by real API servers, on a hub with Open Cluster Management and on one without.

use std::path::Path;

use serde_json::json;

use crate::support::World;
use crate::support::stage::{Kind, kind};

/// Stock kubectl with the rights of an administrator.
struct Kubectl {
    home: tempfile::TempDir,
}

impl Kubectl {
    fn new(kubeconfig: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config"), kubeconfig).unwrap();
        Self { home }
    }

    /// Applies a directory of the project, or any other; panics with what kubectl says when it is refused.
    async fn apply(&self, directory: &Path) -> String {
        let output = tokio::process::Command::new("kubectl")
            .args(["apply", "-k"])
            .arg(directory)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.home.path().join("config"))
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {complaint}", directory.display());
        said.into_owned()
    }
}

/// The stand-in does not know all of these kinds, and there is nothing to be learnt from it here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_servers_take_everything_that_is_applied() {
    if kind() == Kind::StandIn {
        println!("skipped: the stand-in proves nothing here");
        return;
    }
    if std::process::Command::new("kubectl").arg("help").output().is_err() {
        println!("skipped: kubectl is not installed");
        return;
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let worlds = World::start_unjoined(&[&["c1"], &[]]).await;
    let [one, bare] = worlds.try_into().unwrap_or_else(|_| panic!("two hubs were asked for"));

    // With Open Cluster Management, and with everything that can be added.
    let own = tempfile::Builder::new().prefix("kustomization").tempdir_in(project.join("target")).unwrap();
    let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": ["../../kustomize/overlays/ocm"],
        "components": ["../../kustomize/components/webhook", "../../kustomize/components/source"]});
    std::fs::write(own.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let hub = Kubectl::new(&one.hub.kubeconfig);
    let said = hub.apply(own.path()).await;
    for object in [
        "deployment.apps/flotilla",
        "service/flotilla-webhook",
        "validatingwebhookconfiguration.admissionregistration.k8s.io/flotilla",
        "managedclustersetbinding.cluster.open-cluster-management.io/default",
    ] {
        assert!(said.contains(&format!("{object} created")), "{object} in {said}");
    }
    assert!(!hub.apply(own.path()).await.contains("created"));

    // Without it: the kinds, then everything in one step.
    let hub = Kubectl::new(&bare.hub.kubeconfig);
    hub.apply(&project.join("kustomize/crds")).await;
    let said = hub.apply(&project.join("kustomize")).await;
    assert!(said.contains("deployment.apps/flotilla created"), "{said}");

    let cluster = Kubectl::new(&one.clusters["c1"].kubeconfig);
    let said = cluster.apply(&project.join("kustomize/managed-cluster")).await;
    assert!(said.contains("serviceaccount/flotilla-hub created"), "{said}");
    one.stop().await;
    bare.stop().await;
}
