//! The steps of the demo: back up the app of c1, restore it on c2, and say what happens on the way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::files::{self, APP_FILE, APP_NAMESPACE, CONFIGURATION_FILE, NAMESPACE_FILE, POLICY_NAMESPACE};
use super::watching::{Watching, all};
use crate::adapters::api_server::{ApiError, Connection, Mode, Snapshot};
use crate::adapters::hub::HubKind;
use crate::api::object::{Manifest, ObjectKey};
use crate::cli::exit::Failure;
use crate::cli::hub_access::{api_failure, deaf};
use crate::cli::stand_in::StandIn;
use crate::cli::{output, status};
use crate::controller::prepare;
use crate::pipeline::sets;
use crate::sim::server::Server;
use crate::sim::stage::HUB;

const VELERO: &str = "velero.io/v1";
/// The kinds of the app, for `kubectl get` and for the check that all of it came back.
const APP_KINDS: [(&str, &str); 4] =
    [("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "ConfigMap"), ("v1", "PersistentVolumeClaim")];

/// The demo under way.
pub(super) struct Story<'a> {
    fleet: &'a StandIn,
    directory: &'a Path,
    timeout: Duration,
    began: Instant,
    /// What was said last of each thing, so that it is said once.
    said: RefCell<BTreeMap<String, String>>,
}

impl<'a> Story<'a> {
    pub(super) fn new(fleet: &'a StandIn, directory: &'a Path, timeout: Duration, began: Instant) -> Self {
        Self { fleet, directory, timeout, began, said: RefCell::default() }
    }

    /// All of it.
    pub(super) async fn tell(&self) -> Result<(), Failure> {
        let kinds = HubKind::ALL.map(HubKind::gvk).map(|gvk| (gvk.api_version(), gvk.kind));
        let kinds: Vec<(&str, &str)> =
            kinds.iter().map(|(api_version, kind)| (api_version.as_str(), kind.as_str())).collect();
        let hub = Watching::start(self.server(HUB)?, &kinds).await?;
        let velero = [(VELERO, "Schedule"), (VELERO, "Backup"), (VELERO, "Restore")];
        let c1 = Watching::start(self.server("c1")?, &velero).await?;
        let mut kinds = velero.to_vec();
        kinds.extend(APP_KINDS);
        let c2 = Watching::start(self.server("c2")?, &kinds).await?;

        output::line(&format!(
            "\nThe files and kubeconfigs of the demo:\n  $ cd {}",
            self.directory.display()
        ))?;
        gesture(
            "A namespace on the hub, which may use the clusters of the set `default`:",
            HUB,
            &format!("apply -f {NAMESPACE_FILE}"),
        )?;
        self.apply(&self.fleet.hub, &files::namespace()?).await?;
        gesture(
            "One ConfigMap says what is backed up, when and where to; the hub makes policies of it:",
            HUB,
            &format!("apply -f {CONFIGURATION_FILE}"),
        )?;
        self.apply(&self.fleet.hub, &files::configuration()?).await?;
        self.within(&hub, "the policies that the hub makes of the ConfigMap", self.rendered(&hub)).await?;

        gesture("An app runs on c1:", "c1", &format!("apply -f {APP_FILE}"))?;
        self.apply(&self.connect("c1").await?, &files::app()?).await?;

        gesture("c1 is to be backed up:", HUB, "label managedcluster c1 acm-pv-dr=backup")?;
        self.label("c1", "acm-pv-dr", "backup").await?;
        let backup =
            self.within(&hub, "the first completed backup on c1", self.first_backup(&hub, &c1)).await?;

        gesture(
            "c2 is to have what is in that backup:",
            HUB,
            &format!("label managedcluster c2 acm-app-restore={backup}"),
        )?;
        self.label("c2", "acm-app-restore", &backup).await?;
        self.within(&hub, "the restore on c2", self.restored(&hub, &c2, &backup)).await?;
        let took = self.began.elapsed();

        let names: Vec<String> = APP_KINDS.iter().map(|(_, kind)| kind.to_lowercase()).collect();
        gesture("The app is on c2:", "c2", &format!("get -n {APP_NAMESPACE} {}", names.join(",")))?;
        show_app(&c2)?;
        let text = self.within(&hub, "all policies to be compliant", self.compliant(&hub)).await?;
        show_status(&text)?;
        output::line(&format!("\nFrom nothing to the restored app in {:.1} s.", took.as_secs_f64()))
    }

    /// How to go on by hand.
    pub(super) fn invite(&self) -> Result<(), Failure> {
        let directory = self.directory.display();
        output::line(&format!(
            "\nThe fleet keeps running until Ctrl-C. Go on by hand in another shell:\n  \
             $ cd {directory}\n  \
             $ kubectl --kubeconfig hub.kubeconfig get managedclusters,policies,policysets -A\n  \
             $ kubectl --kubeconfig c1.kubeconfig get schedules,backups -n acm-app-backup\n  \
             $ kubectl --kubeconfig hub.kubeconfig label managedcluster c1 acm-pv-dr-\n  \
             $ flotilla status --watch --kubeconfig hub.kubeconfig\n\
             Kubeconfigs: {directory}/hub.kubeconfig, c1.kubeconfig, c2.kubeconfig, c3.kubeconfig"
        ))
    }

    fn server(&self, name: &str) -> Result<&Server, Failure> {
        if name == HUB {
            return Ok(self.fleet.stage.hub());
        }
        self.fleet
            .stage
            .cluster(name)
            .map(AsRef::as_ref)
            .ok_or_else(|| Failure::new(format!("failed to find cluster {name} in the stand-in fleet")))
    }

    async fn connect(&self, name: &str) -> Result<Connection, Failure> {
        Connection::from_file(Some(&self.fleet.kubeconfig(name)), deaf())
            .await
            .map_err(|error| Failure::new(error.to_string()))
    }

    /// Something that happened, when it is news.
    fn progress(&self, thing: &str, state: &str) -> Result<(), Failure> {
        let news =
            self.said.borrow_mut().insert(thing.to_owned(), state.to_owned()).as_deref() != Some(state);
        if !news {
            return Ok(());
        }
        output::line(&format!("  {:5.1} s  {thing}: {state}", self.began.elapsed().as_secs_f64()))
    }

    async fn apply(&self, server: &Connection, objects: &[Manifest]) -> Result<(), Failure> {
        for object in objects {
            match server.create(object, Mode::Real).await {
                Ok(_) => {
                    let kind = object.kind().to_lowercase();
                    output::line(&format!("  {kind}/{} created", object.name().unwrap_or_default()))?;
                }
                Err(ApiError::AlreadyExists { .. }) => {}
                Err(error) => {
                    let name = object.key().map(|key| key.to_string()).unwrap_or_default();
                    return Err(api_failure(&format!("failed to create {name}"), &error));
                }
            }
        }
        Ok(())
    }

    async fn label(&self, cluster: &str, key: &str, value: &str) -> Result<(), Failure> {
        let managed =
            ObjectKey { gvk: HubKind::ManagedCluster.gvk(), namespace: None, name: cluster.to_owned() };
        let patch = json!({"metadata": {"labels": {key: value}}});
        self.fleet
            .hub
            .merge(&managed, &patch, Mode::Real)
            .await
            .map_err(|error| api_failure(&format!("failed to label ManagedCluster {cluster}"), &error))?;
        output::line(&format!("  managedcluster/{cluster} labeled"))
    }

    /// Waits for a step; when it takes too long, says what was waited for and shows the status.
    async fn within<T>(
        &self,
        hub: &Watching,
        what: &str,
        step: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if let Ok(done) = tokio::time::timeout(self.timeout, step).await {
            return done;
        }
        show_status(&status::overview(&hub.snapshot()).text)?;
        Err(Failure::new(format!(
            "failed to finish the demo: waited {} s for {what}",
            self.timeout.as_secs_f64()
        ))
        .hint("the status above says which policy is not compliant, and why"))
    }

    /// What the policies say of a cluster.
    fn follow_policies(&self, hub: &Snapshot, cluster: &str) -> Result<(), Failure> {
        for (key, replica) in prepare::replicas(hub, cluster) {
            if let Some(state) = prepare::status_of(&replica).compliant {
                self.progress(&format!("{cluster} {}", key.name), &state.to_string())?;
            }
        }
        Ok(())
    }

    /// Waits until what is rendered from the ConfigMap is there: the bindings come last.
    async fn rendered(&self, hub: &Watching) -> Result<(), Failure> {
        let kinds = [HubKind::Policy, HubKind::PolicySet, HubKind::Placement, HubKind::PlacementBinding];
        hub.until(|snapshot| {
            let made = kinds.map(|kind| {
                let gvk = kind.gvk();
                let objects = all(snapshot, &gvk.api_version(), &gvk.kind, Some(POLICY_NAMESPACE));
                (gvk.kind, objects.iter().filter(|object| sets::is_rendered_by(object)).count())
            });
            let [.., (_, sets), (_, placements), (_, bindings)] = &made;
            if *sets == 0 || bindings < placements || placements < sets {
                return Ok(None);
            }
            let counted: Vec<String> = made.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            self.progress("made of it", &counted.join(", ")).map(Some)
        })
        .await
    }

    async fn first_backup(&self, hub: &Watching, c1: &Watching) -> Result<String, Failure> {
        let follow =
            async { hub.until(|snapshot| self.follow_policies(snapshot, "c1").map(|()| None::<()>)).await };
        let backup = c1.until(|snapshot| {
            for schedule in all(snapshot, VELERO, "Schedule", None) {
                self.progress_of("c1", &schedule)?;
            }
            let backups = all(snapshot, VELERO, "Backup", None);
            for backup in &backups {
                self.progress_of("c1", backup)?;
            }
            let completed =
                backups.iter().find(|backup| backup.text_at(&["status", "phase"]) == Some("Completed"));
            Ok(completed.and_then(|backup| backup.name().map(ToOwned::to_owned)))
        });
        tokio::select! {
            followed = follow => followed.map(|()| String::new()),
            backup = backup => backup,
        }
    }

    async fn restored(&self, hub: &Watching, c2: &Watching, backup: &str) -> Result<(), Failure> {
        let follow =
            async { hub.until(|snapshot| self.follow_policies(snapshot, "c2").map(|()| None::<()>)).await };
        let restored = c2.until(|snapshot| {
            for kind in ["Backup", "Restore"] {
                for object in all(snapshot, VELERO, kind, None) {
                    if kind == "Restore" || object.name() == Some(backup) {
                        self.progress_of("c2", &object)?;
                    }
                }
            }
            let completed = all(snapshot, VELERO, "Restore", None)
                .iter()
                .any(|restore| restore.text_at(&["status", "phase"]) == Some("Completed"));
            let whole = APP_KINDS
                .iter()
                .all(|(api_version, kind)| !all(snapshot, api_version, kind, Some(APP_NAMESPACE)).is_empty());
            Ok((completed && whole).then_some(()))
        });
        tokio::select! {
            followed = follow => followed,
            restored = restored => restored,
        }
    }

    fn progress_of(&self, cluster: &str, object: &Manifest) -> Result<(), Failure> {
        let phase = object.text_at(&["status", "phase"]).unwrap_or("New");
        self.progress(&format!("{cluster} {} {}", object.kind(), object.name().unwrap_or_default()), phase)
    }

    /// Waits for a moment in which all is well and shows the status of that moment. With minutes this short some backup is
    /// under way most of the time.
    async fn compliant(&self, hub: &Watching) -> Result<String, Failure> {
        hub.until(|snapshot| {
            for cluster in ["c1", "c2"] {
                self.follow_policies(snapshot, cluster)?;
            }
            let overview = status::overview(snapshot);
            Ok(overview.compliant.then_some(overview.text))
        })
        .await
    }
}

/// A command, as a user would type it.
fn gesture(why: &str, server: &str, arguments: &str) -> Result<(), Failure> {
    output::line(&format!("\n{why}\n  $ kubectl --kubeconfig {server}.kubeconfig {arguments}"))
}

fn show_app(c2: &Watching) -> Result<(), Failure> {
    let snapshot = c2.snapshot();
    for (api_version, kind) in APP_KINDS {
        for object in all(&snapshot, api_version, kind, Some(APP_NAMESPACE)) {
            output::line(&format!("  {}/{}", kind.to_lowercase(), object.name().unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn show_status(text: &str) -> Result<(), Failure> {
    output::line("\nThe fleet:\n  $ flotilla status --kubeconfig hub.kubeconfig")?;
    for line in text.lines() {
        output::line(format!("  {line}").trim_end())?;
    }
    Ok(())
}
