//! The rules of the OADP operator (`validator.go`, `bsl.go`, `vsl.go` of OADP 1.5) and of Velero for what is in a
//! specification: the operator would tell them on every cluster, one at a time.

use super::super::diagnostic::Fault;
use super::super::placeholder::has_placeholder;
use super::super::value::Subject;
use super::provider::Provider;
use crate::yaml::{Content, Located, Mark};

/// A part that is there and not null.
pub(super) fn set<'l>(part: &'l Located, path: &[&str]) -> Option<&'l Located> {
    part.at(path).filter(|part| !matches!(&part.content, Content::Scalar(value) if value.is_null()))
}

pub(super) fn text<'l>(part: &'l Located, path: &[&str]) -> &'l str {
    part.at(path).and_then(Located::text).unwrap_or_default()
}

pub(super) fn truth(part: &Located, path: &[&str]) -> Option<bool> {
    match &part.at(path)?.content {
        Content::Scalar(value) => value.as_bool(),
        Content::List(_) | Content::Mapping(_) => None,
    }
}

pub(super) fn entries<'l>(part: &'l Located, path: &[&str]) -> &'l [Located] {
    part.at(path).map(Located::entries).unwrap_or_default()
}

/// Where a field is, or where it would be.
fn place(part: &Located, path: &[&str]) -> Mark {
    let mut mark = part.mark();
    let mut part = part;
    for name in path {
        let Some(next) = part.field(name) else { break };
        part = next;
        mark = part.mark();
    }
    mark
}

/// A specification and what is found wrong with it.
pub(super) struct Rules<'s, 'a> {
    pub(super) spec: &'s Located,
    pub(super) subject: &'s mut Subject<'a>,
}

impl Rules<'_, '_> {
    fn report(&mut self, fault: Fault, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        let finding = self.subject.finding(fault, message).hint(hint).at(mark);
        self.subject.report(finding);
    }

    fn refuse(&mut self, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Fault::Refused, mark, message, hint);
    }

    /// All of them.
    pub(super) fn check(&mut self) {
        self.configuration();
        self.backup_locations();
        for (index, location) in entries(self.spec, &["snapshotLocations"]).iter().enumerate() {
            self.snapshot_location(&format!("snapshotLocations[{index}]"), location);
        }
    }

    fn plugin(&self, name: &str) -> Option<Mark> {
        let plugins = entries(self.spec, &["configuration", "velero", "defaultPlugins"]);
        plugins.iter().find(|plugin| plugin.text() == Some(name)).map(Located::mark)
    }

    fn configuration(&mut self) {
        let spec = self.spec;
        if set(spec, &["configuration", "velero"]).is_none() {
            self.refuse(
                place(spec, &["configuration"]),
                "has no configuration.velero, which OADP requires",
                "add configuration.velero.defaultPlugins with openshift and the plugin of your cloud",
            );
        }
        self.node_agent();
        if let (Some(_), Some(mark)) = (self.plugin("aws"), self.plugin("legacy-aws")) {
            self.refuse(
                mark,
                "has the plugins aws and legacy-aws, which exclude each other",
                "keep one of the two",
            );
        }
        let mover = set(spec, &["features", "dataMover"]).map(Located::mark).or_else(|| self.plugin("vsm"));
        if let Some(mark) = mover {
            self.report(
                Fault::Obsolete,
                mark,
                "has the plugin vsm or features.dataMover, which OADP refuses since 1.3",
                "remove both and use defaultSnapshotMoveData: true in configuration.velero",
            );
        }
        let kind = text(spec, &["unsupportedOverrides", "operator-type"]);
        if !matches!(kind, "" | "mtc") {
            let mark = place(spec, &["unsupportedOverrides", "operator-type"]);
            self.refuse(mark, format!("has operator-type {kind:?}: OADP takes mtc only"), "remove it");
        }
    }

    fn node_agent(&mut self) {
        const MOVES: [&str; 3] = ["configuration", "velero", "defaultSnapshotMoveData"];
        const RESTIC: [&str; 2] = ["configuration", "restic"];
        const AGENT: [&str; 2] = ["configuration", "nodeAgent"];
        const TYPE: [&str; 3] = ["configuration", "nodeAgent", "uploaderType"];
        let spec = self.spec;
        match (set(spec, &RESTIC).is_some(), set(spec, &AGENT).is_some()) {
            (true, true) => self.report(
                Fault::Obsolete,
                place(spec, &RESTIC),
                "has both configuration.restic and configuration.nodeAgent: restic is left out",
                "remove configuration.restic",
            ),
            (true, false) => self.report(
                Fault::Obsolete,
                place(spec, &RESTIC),
                "has configuration.restic, which OADP 1.5 refuses: it is written as nodeAgent with uploaderType kopia",
                "write configuration.nodeAgent: {enable: ..., uploaderType: kopia}",
            ),
            (false, true | false) => {}
        }
        let agent = [AGENT, RESTIC]
            .iter()
            .any(|[first, second]| truth(spec, &[first, second, "enable"]) == Some(true));
        if truth(spec, &MOVES) == Some(true) && !agent {
            self.report(
                Fault::Doubtful,
                place(spec, &MOVES),
                "moves the data of snapshots and enables no node agent, which does it",
                "set configuration.nodeAgent: {enable: true, uploaderType: kopia}",
            );
        }
        if set(spec, &AGENT).is_some() {
            match text(spec, &TYPE) {
                "restic" => self.report(
                    Fault::Obsolete,
                    place(spec, &TYPE),
                    "has configuration.nodeAgent.uploaderType restic, which Velero 1.17 cannot back up with",
                    "use kopia",
                ),
                "" => self.refuse(
                    place(spec, &TYPE),
                    "has no configuration.nodeAgent.uploaderType, which OADP requires",
                    "use kopia",
                ),
                _ => {}
            }
        }
    }

    fn backup_locations(&mut self) {
        const NO_DEFAULT: [&str; 3] = ["configuration", "velero", "noDefaultBackupLocation"];
        let spec = self.spec;
        let locations = entries(spec, &["backupLocations"]);
        let images = truth(spec, &["backupImages"]) != Some(false);
        if truth(spec, &NO_DEFAULT) == Some(true) {
            let mark = place(spec, &NO_DEFAULT);
            if !locations.is_empty() {
                self.refuse(
                    mark,
                    "has backupLocations although noDefaultBackupLocation is set",
                    "remove one of the two",
                );
            }
            if images {
                self.refuse(
                    mark,
                    "must set backupImages to false with noDefaultBackupLocation",
                    "add backupImages: false",
                );
            }
            return;
        }
        if locations.is_empty() {
            let mark = place(spec, &["backupLocations"]);
            self.refuse(
                mark,
                "has no backupLocations",
                "add one with provider, bucket, prefix and default: true",
            );
            return;
        }
        self.defaults(locations);
        self.names(locations);
        for (index, location) in locations.iter().enumerate() {
            let path = format!("backupLocations[{index}]");
            match (set(location, &["velero"]), set(location, &["bucket"])) {
                (Some(velero), None) => self.backup_location(&path, velero, images),
                (None, Some(bucket)) => {
                    if images && text(bucket, &["prefix"]).is_empty() {
                        self.refuse(
                            place(bucket, &["prefix"]),
                            format!("{path}.bucket has no prefix, which backing up images needs"),
                            "set prefix, or backupImages: false",
                        );
                    }
                    if text(bucket, &["cloudStorageRef", "name"]).is_empty() {
                        self.refuse(
                            place(bucket, &["cloudStorageRef"]),
                            format!("{path}.bucket has no cloudStorageRef.name"),
                            "name the CloudStorage",
                        );
                    }
                    self.credential(&format!("{path}.bucket"), bucket);
                }
                (Some(_), Some(_)) => self.refuse(
                    location.mark(),
                    format!("{path} has both velero and bucket"),
                    "keep one of the two",
                ),
                (None, None) => self.refuse(
                    location.mark(),
                    format!("{path} has neither velero nor bucket"),
                    "add velero: {...}",
                ),
            }
        }
    }

    fn defaults(&mut self, locations: &[Located]) {
        let is_default = |location: &&Located| {
            truth(location, &["velero", "default"]) == Some(true)
                || truth(location, &["bucket", "default"]) == Some(true)
        };
        let mut defaults = locations.iter().filter(is_default);
        match (defaults.next(), defaults.next()) {
            (None, _) => self.refuse(
                place(self.spec, &["backupLocations"]),
                "has no default backup location",
                "set default: true on one of backupLocations",
            ),
            (Some(_), None) => {}
            (Some(_), Some(second)) => self.refuse(
                second.mark(),
                "has more than one default backup location",
                "set default: true on one of them only",
            ),
        }
        for location in locations.iter().filter(|location| text(location, &["name"]) == "default") {
            if !is_default(&location) {
                self.refuse(
                    place(location, &["name"]),
                    "has a location named default that is not the default one",
                    "set default: true on it, or give it another name",
                );
            }
        }
    }

    fn names(&mut self, locations: &[Located]) {
        for (index, location) in locations.iter().enumerate() {
            let name = text(location, &["name"]);
            let earlier = locations[..index].iter().any(|earlier| text(earlier, &["name"]) == name);
            if !name.is_empty() && earlier {
                let mark = place(location, &["name"]);
                self.refuse(
                    mark,
                    format!("has two backup locations named {name}"),
                    "give them different names",
                );
            }
        }
    }

    fn credential(&mut self, path: &str, location: &Located) {
        let Some(credential) = set(location, &["credential"]) else { return };
        for field in ["name", "key"] {
            if text(credential, &[field]).is_empty() {
                self.refuse(
                    place(credential, &[field]),
                    format!("{path}.credential has no {field}"),
                    "name the Secret and its key, for example cloud-credentials and cloud",
                );
            }
        }
    }

    fn backup_location(&mut self, path: &str, location: &Located, images: bool) {
        const BUCKET: [&str; 2] = ["objectStorage", "bucket"];
        const PREFIX: [&str; 2] = ["objectStorage", "prefix"];
        let bucket = text(location, &BUCKET);
        if bucket.is_empty() {
            self.refuse(
                place(location, &BUCKET),
                format!("{path} has no objectStorage.bucket"),
                "name the bucket",
            );
        } else if bucket.contains('/') && !has_placeholder(bucket) {
            self.refuse(
                place(location, &BUCKET),
                format!("{path} has a slash in objectStorage.bucket, which Velero refuses"),
                "put the folder into objectStorage.prefix",
            );
        }
        if images && text(location, &PREFIX).is_empty() {
            self.refuse(
                place(location, &PREFIX),
                format!("{path} has no objectStorage.prefix, which backing up images needs"),
                "name a folder in the bucket, or set backupImages: false",
            );
        }
        self.credential(path, location);
        let Some(provider) = self.provider(path, location) else { return };
        self.settings(path, location, provider);
        let plugins = provider.plugins();
        let own = !entries(self.spec, &["configuration", "velero", "customPlugins"]).is_empty();
        if !own && plugins.iter().all(|plugin| self.plugin(plugin).is_none()) {
            self.refuse(
                place(self.spec, &["configuration", "velero", "defaultPlugins"]),
                format!("{path} needs the plugin {} in configuration.velero.defaultPlugins", provider.name()),
                format!("add {}", provider.name()),
            );
        }
    }

    fn settings(&mut self, path: &str, location: &Located, provider: Provider) {
        match provider {
            Provider::Aws => self.aws(path, location),
            Provider::Azure => {
                for field in ["resourceGroup", "storageAccount"] {
                    if text(location, &["config", field]).is_empty() {
                        self.refuse(
                            place(location, &["config", field]),
                            format!("{path} has no config.{field}, which azure needs"),
                            format!("set config.{field}"),
                        );
                    }
                }
            }
            Provider::Gcp => {}
        }
    }

    fn aws(&mut self, path: &str, location: &Located) {
        const HINT: &str = "set the region of the bucket, for example us-east-1";
        let url = text(location, &["config", "s3Url"]);
        let is_url = url.starts_with("http://") || url.starts_with("https://");
        if !(url.is_empty() || is_url || has_placeholder(url)) {
            self.refuse(
                place(location, &["config", "s3Url"]),
                format!("{path} has config.s3Url {url:?}, which is no URL"),
                "begin it with https:// or http://",
            );
        }
        if !text(location, &["config", "region"]).is_empty() {
            return;
        }
        let mark = place(location, &["config"]);
        let path_style = text(location, &["config", "s3ForcePathStyle"]) == "true"
            || truth(location, &["config", "s3ForcePathStyle"]) == Some(true);
        if path_style || !url.is_empty() {
            let message = format!("{path} has no config.region, which s3Url and s3ForcePathStyle need");
            self.refuse(mark, message, HINT);
        } else {
            let message =
                format!("{path} has no config.region: OADP needs it when the bucket does not tell it");
            self.report(Fault::Doubtful, mark, message, HINT);
        }
    }

    /// The provider of a location, if OADP knows it.
    fn provider(&mut self, path: &str, location: &Located) -> Option<Provider> {
        let name = text(location, &["provider"]);
        let provider = Provider::parse(name);
        if provider.is_none() && !has_placeholder(name) {
            let mark = place(location, &["provider"]);
            if name.is_empty() {
                self.refuse(mark, format!("{path} has no provider"), "use aws, azure or gcp");
            } else {
                self.refuse(
                    mark,
                    format!("{path} has provider {name:?}, which OADP does not know"),
                    "use aws (for every S3 storage), azure or gcp",
                );
            }
        }
        provider
    }

    fn snapshot_location(&mut self, path: &str, location: &Located) {
        let Some(velero) = set(location, &["velero"]) else {
            let hint = "add velero: {provider: ..., config: {...}}";
            self.refuse(location.mark(), format!("{path} has no velero"), hint);
            return;
        };
        let Some(provider) = self.provider(path, velero) else { return };
        if provider == Provider::Aws && text(velero, &["config", "region"]).is_empty() {
            self.refuse(
                place(velero, &["config"]),
                format!("{path} has no config.region, which aws needs"),
                "set the region of the volumes",
            );
        }
        let allowed = provider.snapshot_fields();
        for (field, mark, _) in velero.field("config").map(Located::fields).unwrap_or_default() {
            if !allowed.contains(&field.as_str()) {
                self.refuse(
                    *mark,
                    format!("{path}.config has {field}, which OADP refuses for {}", provider.name()),
                    format!("allowed are {}", allowed.join(", ")),
                );
            }
        }
        if provider.plugins().iter().all(|plugin| self.plugin(plugin).is_none()) {
            self.refuse(
                place(self.spec, &["configuration", "velero", "defaultPlugins"]),
                format!("{path} needs the plugin {} in configuration.velero.defaultPlugins", provider.name()),
                format!("add {}", provider.name()),
            );
        }
    }
}
