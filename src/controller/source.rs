//! The loop of one source: looks at it, checks the whole of it, applies it, takes away what left it, and keeps the record.
//!
//! It goes beside the hub loop and never holds it up. What does not validate is not applied at all: what was applied before
//! stays, and the record says why. Must not hold rules: which objects and steps, `pipeline::source` decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use thiserror::Error;
use tokio::sync::watch;

use super::retry::{Backoff, REFUSED};
use super::worker::Shared;
use crate::adapters::api_server::{ApiError, Mode};
use crate::adapters::hub::SecretFault;
use crate::adapters::source::git::{self, Checkout, Fetched, GitError, Limits, Signed, TrustedSigners};
use crate::adapters::source::{Gathered, directory, read_stream};
use crate::api::object::{GroupVersionKind, Manifest};
use crate::pipeline::source::{
    CredentialsError, Desired, GitCredentials, Identity, Inventory, InventoryError, Live, Origin, Record,
    SourceAddress, SourceObject, Steps, is_template, plan, record_name, validate,
};

/// The least time between two looks, however often somebody asks.
const BREATH: Duration = Duration::from_secs(1);

/// A source and how it is looked at.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Where it is.
    pub address: SourceAddress,
    /// Namespace on the hub of its record and its credentials.
    pub namespace: String,
    /// How often it is looked at.
    pub interval: Duration,
    /// How much of it is read.
    pub limits: Limits,
}

/// Asks all sources to be looked at now. Pulled often, it counts once.
#[derive(Debug, Clone, Default)]
pub struct Trigger(Arc<watch::Sender<u64>>);

impl Trigger {
    /// Asks.
    pub fn pull(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Why a source is not applied as it is.
#[derive(Debug, Error)]
enum Fault {
    #[error(transparent)]
    Fetch(#[from] GitError),
    #[error(transparent)]
    Secret(#[from] SecretFault),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    #[error("failed to look at the hub's objects: {0}")]
    Look(ApiError),
    #[error("failed to keep the record of the source: {0}")]
    Record(ApiError),
    /// Each one a text. The source itself must change.
    #[error("the source does not validate")]
    Invalid(Vec<String>),
    /// Each one a text. The hub must change, or may have done so.
    #[error("the source cannot be applied")]
    Refused(Vec<String>),
}

impl Fault {
    fn unless_empty(refused: Vec<String>) -> Result<(), Self> {
        if refused.is_empty() { Ok(()) } else { Err(Self::Refused(refused)) }
    }

    fn findings(&self) -> Vec<String> {
        match self {
            Self::Invalid(findings) | Self::Refused(findings) => findings.clone(),
            other => vec![other.to_string()],
        }
    }
}

/// What was looked at last.
struct Seen {
    revision: String,
    /// The keys that its signature was held against.
    signers: Option<TrustedSigners>,
    /// Who signed it; empty where that was not asked.
    signer: String,
    set: Result<Desired, Vec<String>>,
}

/// Runs until it is dropped.
pub(super) async fn run(shared: Arc<Shared>, options: SourceOptions, trigger: Trigger) {
    let mut asked = trigger.0.subscribe();
    let mut source = Source { shared, options, seen: None, good: None, settled: BTreeMap::new() };
    let mut backoff = Backoff::default();
    loop {
        let interval = source.options.interval;
        let wait = match source.look().await {
            Ok(()) => {
                backoff.succeeded();
                interval
            }
            // The same commit is not better in a second.
            Err(Fault::Invalid(_)) => interval,
            Err(_) => backoff.failed(REFUSED).min(interval),
        };
        tokio::time::sleep(BREATH.min(wait)).await;
        tokio::select! {
            () = tokio::time::sleep(wait.saturating_sub(BREATH)) => {}
            Ok(()) = asked.changed() => {}
        }
    }
}

struct Source {
    shared: Arc<Shared>,
    options: SourceOptions,
    seen: Option<Seen>,
    /// What this process has applied last as a whole.
    good: Option<(String, Desired)>,
    /// The `resourceVersion` of each object as it was after that: what has not changed since is not sent again.
    settled: BTreeMap<Identity, String>,
}

impl Source {
    /// One look: from the source to the hub, and the record of it.
    async fn look(&mut self) -> Result<(), Fault> {
        let name = record_name(&self.options.address.name);
        let hub = &self.shared.hub;
        let stored = hub.source_record(&self.options.namespace, &name).await.map_err(Fault::Record)?;
        let mut record = stored.as_ref().map(Record::read).unwrap_or_default();
        let before = record.clone();
        record.address = self.options.address.to_string();
        let mut ledger = Ledger { stored, inventory: Inventory::default() };
        let done = match ledger.stored.as_ref().map(Record::inventory).transpose() {
            Ok(inventory) => {
                ledger.inventory = inventory.unwrap_or_default();
                self.bring(&mut record, &mut ledger).await
            }
            // It stays as it is, for a person to look at: the record is not written over.
            Err(error) => Err(error.into()),
        };
        record.error = done.as_ref().err().map(|fault| Record::told(&fault.findings())).unwrap_or_default();
        self.tell(&before, &record);
        if !matches!(done, Err(Fault::Inventory(_) | Fault::Record(_))) {
            self.keep(&record, &mut ledger).await?;
        }
        done
    }

    /// Logs what changed, and only that.
    fn tell(&self, before: &Record, record: &Record) {
        let name = &self.options.address.name;
        if record.error != before.error && !record.error.is_empty() {
            tracing::warn!(
                source = name,
                seen = record.seen,
                error = record.error,
                "a source is not applied"
            );
        } else if record.revision != before.revision || record.error != before.error {
            tracing::info!(source = name, revision = record.revision, "a source is applied");
        }
    }

    async fn bring(&mut self, record: &mut Record, ledger: &mut Ledger) -> Result<(), Fault> {
        let signers = self.signers().await?;
        // Whoever is trusted now decides, on the same commit too.
        let known = self.seen.as_ref().filter(|seen| seen.signers == signers);
        let known = known.map(|seen| seen.revision.clone());
        if let Fetched::Changed(checkout) = self.fetch(signers.as_ref(), known.as_deref()).await? {
            let namespace = self.options.address.namespace.as_deref();
            let (signer, set) = match &checkout.signed {
                Signed::NotAsked => (String::new(), desired(&checkout, namespace)),
                Signed::By(signer) => (signer.clone(), desired(&checkout, namespace)),
                Signed::Refused(why) => (String::new(), Err(vec![why.clone()])),
            };
            self.seen = Some(Seen { revision: checkout.revision, signers, signer, set });
        }
        let Some(seen) = &self.seen else { return Ok(()) };
        record.seen.clone_from(&seen.revision);
        match &seen.set {
            Ok(set) => {
                let (revision, signer, set) = (seen.revision.clone(), seen.signer.clone(), set.clone());
                self.apply(&revision, &set, record, ledger).await?;
                record.revision.clone_from(&revision);
                record.signer = signer;
                self.good = Some((revision, set));
                Ok(())
            }
            Err(findings) => {
                let invalid = Fault::Invalid(findings.clone());
                // The last good one stays in force: what was deleted or changed of it comes back.
                if let Some((revision, set)) = self.good.clone() {
                    self.apply(&revision, &set, record, ledger).await?;
                }
                Err(invalid)
            }
        }
    }

    /// The keys, one of which must have signed a commit; `None` where that is not asked.
    async fn signers(&self) -> Result<Option<TrustedSigners>, Fault> {
        let Some(secret) = &self.options.address.verify else { return Ok(None) };
        let namespace = &self.options.namespace;
        let mut texts = self.shared.hub.secret_texts(namespace, secret, &[TrustedSigners::KEY]).await?;
        match texts.remove(TrustedSigners::KEY) {
            // Public keys: nothing here is a secret.
            Some(lines) => Ok(Some(TrustedSigners::read(lines.expose_secret())?)),
            None => Err(CredentialsError::Keys {
                secret: format!("{namespace}/{secret}"),
                expected: "it needs `allowed_signers`, the keys that may sign commits",
            }
            .into()),
        }
    }

    async fn fetch(&self, signers: Option<&TrustedSigners>, known: Option<&str>) -> Result<Fetched, Fault> {
        let limits = &self.options.limits;
        match &self.options.address.origin {
            Origin::Directory(path) => Ok(directory::look(path, known, limits).await?),
            Origin::Git(place) => {
                let credentials = match &self.options.address.secret {
                    None => GitCredentials::default(),
                    Some(secret) => {
                        let namespace = &self.options.namespace;
                        let texts =
                            self.shared.hub.secret_texts(namespace, secret, &GitCredentials::KEYS).await?;
                        GitCredentials::read(&format!("{namespace}/{secret}"), texts, &place.transport)?
                    }
                };
                Ok(git::fetch(place, credentials, signers, known, limits).await?)
            }
        }
    }

    /// Brings the hub to a set. One that is not in force yet is tried as a whole before anything is written.
    async fn apply(
        &mut self,
        revision: &str,
        set: &Desired,
        record: &Record,
        ledger: &mut Ledger,
    ) -> Result<(), Fault> {
        let found = self.found(set, &ledger.inventory).await.map_err(Fault::Look)?;
        let mut steps = plan(set, &ledger.inventory, &found.live);
        if !steps.foreign.is_empty() {
            let told = |identity: &Identity| {
                format!(
                    "{identity} is on the hub already and was not applied from this source: it is left alone"
                )
            };
            return Err(Fault::Refused(steps.foreign.iter().map(told).collect()));
        }
        if record.revision == revision {
            let is_settled = |identity: &Identity| {
                self.settled
                    .get(identity)
                    .is_some_and(|version| found.versions.get(identity) == Some(version))
            };
            steps.update.retain(|(identity, _)| !is_settled(identity));
        } else {
            self.settled.clear();
            self.send(&steps, Mode::DryRun).await?;
        }
        let intended = ledger.inventory.intended(&steps);
        if intended != ledger.inventory {
            ledger.inventory = intended;
            self.keep(record, ledger).await?;
        }
        let (written, refused) = self.send_all(&steps, Mode::Real).await;
        for (identity, written) in written {
            ledger.inventory.applied(&identity, &written);
            let version = written.resource_version().unwrap_or_default().to_owned();
            self.settled.insert(identity, version);
        }
        refused?;
        self.prune(&steps, &mut ledger.inventory).await
    }

    async fn send(&self, steps: &Steps, mode: Mode) -> Result<(), Fault> {
        self.send_all(steps, mode).await.1
    }

    /// Sends every object; what was written, and all that is refused.
    async fn send_all(&self, steps: &Steps, mode: Mode) -> (Vec<(Identity, Manifest)>, Result<(), Fault>) {
        let (mut written, mut refused) = (Vec::new(), Vec::new());
        for (identity, manifest) in steps.update.iter().chain(&steps.create) {
            match self.shared.hub.apply_from_source(manifest, mode).await {
                Ok(object) => written.push((identity.clone(), object)),
                Err(error) if error.concerns_connection() => return (written, Err(Fault::Look(error))),
                Err(error) => refused.push(format!("{identity}: {error}")),
            }
        }
        (written, Fault::unless_empty(refused))
    }

    async fn prune(&self, steps: &Steps, inventory: &mut Inventory) -> Result<(), Fault> {
        let mut refused = Vec::new();
        for removal in &steps.prune {
            let key = removal.identity.key(&removal.version);
            match self.shared.hub.connection().delete(&key, Some(&removal.uid)).await {
                Ok(()) => {
                    tracing::info!(object = %removal.identity, "it left its source and is deleted");
                    inventory.entries.remove(&removal.identity);
                }
                Err(error) => refused.push(format!("failed to delete {}: {error}", removal.identity)),
            }
        }
        Fault::unless_empty(refused)
    }

    /// What is on the hub of a set and of what was applied before.
    async fn found(&self, set: &Desired, inventory: &Inventory) -> Result<Found, ApiError> {
        let wanted = set.objects().map(|(identity, manifest)| (manifest.gvk(), identity.namespace.clone()));
        let known = inventory
            .entries
            .iter()
            .map(|(identity, entry)| (identity.key(&entry.version).gvk, identity.namespace.clone()));
        let places: BTreeSet<(GroupVersionKind, String)> = wanted.chain(known).collect();
        let mut found = Found { live: Live::new(), versions: BTreeMap::new() };
        for (gvk, namespace) in places {
            for object in self.shared.hub.connection().list(&gvk, Some(&namespace)).await? {
                if let (Some(identity), Some(uid)) = (Identity::of(&object), object.uid()) {
                    let version = object.resource_version().unwrap_or_default();
                    found.versions.insert(identity.clone(), version.to_owned());
                    found.live.insert(identity, uid.to_owned());
                }
            }
        }
        Ok(found)
    }

    /// Writes the record, if it differs, and reads it again for the next write.
    async fn keep(&self, record: &Record, ledger: &mut Ledger) -> Result<(), Fault> {
        let source = &self.options.address.name;
        let place = (self.options.namespace.as_str(), &*record_name(source));
        let data = record.data(&ledger.inventory)?;
        let hub = &self.shared.hub;
        hub.write_source_record(ledger.stored.as_ref(), place, &Record::labels(source), &data)
            .await
            .map_err(Fault::Record)?;
        ledger.stored = hub.source_record(place.0, place.1).await.map_err(Fault::Record)?;
        Ok(())
    }
}

/// Uids and `resourceVersion`s of objects of the hub.
struct Found {
    live: Live,
    versions: BTreeMap<Identity, String>,
}

/// The record as the hub has it, and the inventory as it is now.
struct Ledger {
    stored: Option<Manifest>,
    inventory: Inventory,
}

/// The whole set that a checkout holds, or all that is wrong with it.
fn desired(checkout: &Checkout, namespace: Option<&str>) -> Result<Desired, Vec<String>> {
    let mut gathered = Gathered::default();
    for file in checkout.files.iter().filter(|file| !is_template(&file.path)) {
        read_stream(&file.path, &file.text, &mut gathered);
    }
    let mut findings: Vec<String> = gathered.errors.iter().map(ToString::to_string).collect();
    let objects = gathered
        .objects
        .into_iter()
        .map(|found| SourceObject { manifest: found.manifest, place: found.place.to_string() })
        .collect();
    match validate(&checkout.files, objects, namespace) {
        Ok(set) if findings.is_empty() => Ok(set),
        Ok(_) => Err(findings),
        Err(more) => {
            // Without a document that could be read, that there are none says nothing new.
            findings.extend(more);
            Err(findings)
        }
    }
}
