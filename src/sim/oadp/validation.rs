//! What OADP refuses in a `DataProtectionApplication`, in its order and its words.
//!
//! Takes the object and the namespace it lives in, gives the first fault. The texts are those of OADP 1.5's
//! validator.

use serde_json::Value;
use thiserror::Error;

use crate::sim::simulator::View;
use crate::sim::velero::edit::{at, items, key, text, texts, truth};

/// The Secret that the plugins of the cloud providers read unless a location names another.
const DEFAULT_SECRET: (&str, &str) = ("cloud-credentials", "cloud");

/// The first thing that is wrong; its text becomes the message of the condition.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("only one DPA CR can exist per OADP installation namespace")]
    SecondApplication,
    #[error("DPA CR Velero configuration cannot be nil")]
    NoVeleroConfiguration,
    #[error("DPA CR Velero configuration cannot have backup locations if noDefaultBackupLocation is set")]
    UnwantedLocations,
    #[error("backupImages needs to be set to false when noDefaultBackupLocation is set")]
    ImagesWithoutLocation,
    #[error(
        "no backupstoragelocations configured, ensure a backupstoragelocation has been configured or use the \
         noDefaultBackupLocation flag"
    )]
    NoLocations,
    #[error("backup location name '{name}' is duplicated. Backup location names must be unique")]
    DuplicateName { name: String },
    #[error("BackupLocation must have velero or bucket configuration")]
    EmptyLocation,
    #[error("cannot have both backupstoragelocations and bucket provided for a single StorageLocation")]
    AmbiguousLocation,
    #[error("must provide a valid credential secret name")]
    NoSecretName,
    #[error("must provide a valid credential secret key")]
    NoSecretKey,
    #[error("Secret {name:?} not found")]
    NoSecret { name: String },
    #[error("Secret name {name} is missing data for key {key}")]
    NoSecretData { name: String, key: String },
    #[error("Storage location named 'default' must be set as default")]
    NamedDefault,
    #[error("no provider specified for one of the backupstoragelocations configured")]
    NoProvider,
    #[error("invalid provider")]
    UnknownProvider,
    #[error("object storage configuration for {provider} backupstoragelocation cannot be nil")]
    NoObjectStorage { provider: &'static str },
    #[error("bucket name for {provider} backupstoragelocation cannot be empty")]
    NoBucket { provider: &'static str },
    #[error(
        "prefix for {provider} backupstoragelocation object storage cannot be empty. {it} is required for \
         backing up images"
    )]
    NoPrefix { provider: &'static str, it: &'static str },
    #[error(
        "region for AWS backupstoragelocation not automatically discoverable. Please set the region in the \
         backupstoragelocation config"
    )]
    NoRegion,
    #[error("{setting} for Azure backupstoragelocation config cannot be empty")]
    NoAzureSetting { setting: &'static str },
    #[error("Only one Storage Location be set as default")]
    ManyDefaults,
    #[error(
        "no default backupstoragelocations configured, ensure that one backupstoragelocation has been \
         configured as the default location"
    )]
    NoDefault,
    #[error("snapshotLocation velero configuration cannot be nil")]
    EmptySnapshotLocation,
    #[error("DPA {path}.provider {provider} is invalid: only aws, gcp and azure are supported")]
    SnapshotProvider { path: String, provider: String },
    #[error(
        "region for aws VSL in DPA {path}.config is not configured, please ensure a region is configured"
    )]
    NoSnapshotRegion { path: String },
    #[error("DPA {path}.config key {key} is not a valid {provider} config key")]
    SnapshotSetting { path: String, key: String, provider: String },
    #[error(
        "to use VSL for {provider} specified in DPA {path}, {provider} plugin must be present in \
         spec.configuration.velero.defaultPlugins"
    )]
    NoSnapshotPlugin { path: String, provider: String },
    #[error(
        "Delete vsm from spec.configuration.velero.defaultPlugins and dataMover object from spec.features. \
         Use Velero Built-in Data Mover instead"
    )]
    OldDataMover,
    #[error("Delete restic object from spec.configuration, use spec.configuration.nodeAgent instead")]
    OldRestic,
    #[error("restic is no longer supported in spec.configuration.nodeAgent.uploaderType, use kopia instead")]
    ResticUploader,
    #[error("only mtc operator type override is supported")]
    OperatorType,
    #[error("aws and legacy-aws can not be both specified in DPA spec.configuration.velero.defaultPlugins")]
    TwoAwsPlugins,
}

/// Name of the location at an index (from 0): its own, or the application's with a number from 1.
pub(super) fn location_name(application: &str, location: &Value, index: usize) -> String {
    match text(location, &["name"]) {
        "" => format!("{application}-{}", index + 1),
        name => name.to_owned(),
    }
}

/// The Secret and key that a location uses.
pub(super) fn credential(location: &Value) -> (String, String) {
    match at(location, &["credential"]) {
        Some(own) => (text(own, &["name"]).to_owned(), text(own, &["key"]).to_owned()),
        None => (DEFAULT_SECRET.0.to_owned(), DEFAULT_SECRET.1.to_owned()),
    }
}

/// Checks the whole application.
pub(super) fn check(view: &dyn View, namespace: &str, application: &Value) -> Result<(), Fault> {
    if view.list("oadp.openshift.io", "DataProtectionApplication", Some(namespace)).len() > 1 {
        return Err(Fault::SecondApplication);
    }
    let spec = at(application, &["spec"]).unwrap_or(&Value::Null);
    let velero = at(spec, &["configuration", "velero"])
        .filter(|velero| !velero.is_null())
        .ok_or(Fault::NoVeleroConfiguration)?;
    let locations = items(spec, &["backupLocations"]);
    let images = truth(spec, &["backupImages"]).unwrap_or(true);
    let none_wanted = truth(velero, &["noDefaultBackupLocation"]).unwrap_or(false);
    match (none_wanted, locations.is_empty()) {
        (true, false) => return Err(Fault::UnwantedLocations),
        (true, true) if images => return Err(Fault::ImagesWithoutLocation),
        (false, true) => return Err(Fault::NoLocations),
        (true, true) | (false, false) => {}
    }
    let secrets_needed = !texts(velero, &["featureFlags"]).iter().any(|flag| flag == "no-secret");
    let checks = Checks { view, namespace, images, secrets_needed };
    checks.backup_locations(text(application, &["metadata", "name"]), locations, none_wanted)?;
    let plugins = texts(velero, &["defaultPlugins"]);
    for (index, location) in items(spec, &["snapshotLocations"]).iter().enumerate() {
        checks.snapshot_location(location, &format!("spec.snapshotLocations[{index}]"), &plugins)?;
    }
    check_retired(spec, &plugins)
}

fn check_retired(spec: &Value, plugins: &[String]) -> Result<(), Fault> {
    let has_plugin = |name: &str| plugins.iter().any(|plugin| plugin == name);
    if at(spec, &["features", "dataMover"]).is_some_and(|mover| !mover.is_null()) || has_plugin("vsm") {
        return Err(Fault::OldDataMover);
    }
    if at(spec, &["configuration", "restic"]).is_some_and(|restic| !restic.is_null()) {
        return Err(Fault::OldRestic);
    }
    if text(spec, &["configuration", "nodeAgent", "uploaderType"]) == "restic" {
        return Err(Fault::ResticUploader);
    }
    let kind = text(spec, &["unsupportedOverrides", "operator-type"]);
    if !kind.is_empty() && kind != "mtc" {
        return Err(Fault::OperatorType);
    }
    if has_plugin("aws") && has_plugin("legacy-aws") {
        return Err(Fault::TwoAwsPlugins);
    }
    Ok(())
}

struct Checks<'a> {
    view: &'a dyn View,
    namespace: &'a str,
    images: bool,
    secrets_needed: bool,
}

impl Checks<'_> {
    fn backup_locations(
        &self,
        application: &str,
        locations: &[Value],
        none_wanted: bool,
    ) -> Result<(), Fault> {
        let names: Vec<String> = locations
            .iter()
            .enumerate()
            .map(|(index, location)| location_name(application, location, index))
            .collect();
        if let Some((_, name)) = names.iter().enumerate().find(|&(index, name)| names[..index].contains(name))
        {
            return Err(Fault::DuplicateName { name: name.clone() });
        }
        let mut defaults = 0;
        for location in locations {
            let bucket = at(location, &["bucket"]).filter(|bucket| !bucket.is_null());
            let velero = at(location, &["velero"]).filter(|velero| !velero.is_null());
            let chosen = match (velero, bucket) {
                (None, None) => return Err(Fault::EmptyLocation),
                (Some(_), Some(_)) => return Err(Fault::AmbiguousLocation),
                (Some(velero), None) => velero,
                (None, Some(bucket)) => bucket,
            };
            self.secret(chosen)?;
            if truth(chosen, &["default"]).unwrap_or(false) {
                defaults += 1;
            } else if text(location, &["name"]) == "default" {
                return Err(Fault::NamedDefault);
            }
            if let Some(velero) = velero {
                self.provider(velero)?;
            }
        }
        match defaults {
            0 if !none_wanted => Err(Fault::NoDefault),
            0 | 1 => Ok(()),
            _ => Err(Fault::ManyDefaults),
        }
    }

    fn secret(&self, location: &Value) -> Result<(), Fault> {
        if !self.secrets_needed {
            return Ok(());
        }
        let (name, data_key) = credential(location);
        if name.is_empty() {
            return Err(Fault::NoSecretName);
        }
        if data_key.is_empty() {
            return Err(Fault::NoSecretKey);
        }
        let secret = self
            .view
            .get(&key("v1", "Secret", Some(self.namespace), &name))
            .ok_or_else(|| Fault::NoSecret { name: name.clone() })?;
        match secret.text_at(&["data", &data_key]) {
            None | Some("") => Err(Fault::NoSecretData { name, key: data_key }),
            Some(_) => Ok(()),
        }
    }

    fn provider(&self, location: &Value) -> Result<(), Fault> {
        let provider = text(location, &["provider"]);
        let (label, it) = match provider.strip_prefix("velero.io/").unwrap_or(provider) {
            "" => return Err(Fault::NoProvider),
            "aws" => ("AWS", "It"),
            "azure" => ("Azure", "it"),
            "gcp" => ("GCP", "it"),
            _ => return Err(Fault::UnknownProvider),
        };
        if at(location, &["objectStorage"]).is_none_or(Value::is_null) {
            return Err(Fault::NoObjectStorage { provider: label });
        }
        if text(location, &["objectStorage", "bucket"]).is_empty() {
            return Err(Fault::NoBucket { provider: label });
        }
        if label == "Azure" {
            for setting in ["resourceGroup", "storageAccount"] {
                if text(location, &["config", setting]).is_empty() {
                    return Err(Fault::NoAzureSetting { setting });
                }
            }
        }
        if text(location, &["objectStorage", "prefix"]).is_empty() && self.images {
            return Err(Fault::NoPrefix { provider: label, it });
        }
        // The operator asks AWS for the region of a bucket; no bucket of the simulation is known there.
        if label == "AWS" && text(location, &["config", "region"]).is_empty() {
            return Err(Fault::NoRegion);
        }
        Ok(())
    }

    fn snapshot_location(&self, location: &Value, path: &str, plugins: &[String]) -> Result<(), Fault> {
        let velero = at(location, &["velero"])
            .filter(|velero| !velero.is_null())
            .ok_or(Fault::EmptySnapshotLocation)?;
        let own_path = format!("{path}.velero");
        let provider = text(velero, &["provider"]).to_owned();
        let settings: &[&str] = match provider.as_str() {
            "aws" => &["profile", "region", "credentialsFile", "enableSharedConfig"],
            "gcp" => &["project", "snapshotLocation"],
            "azure" => &["apiTimeout", "incremental", "subscriptionId", "resourceGroup"],
            _ => return Err(Fault::SnapshotProvider { path: own_path, provider }),
        };
        if provider == "aws" && text(velero, &["config", "region"]).is_empty() {
            return Err(Fault::NoSnapshotRegion { path: own_path });
        }
        let written = at(velero, &["config"]).and_then(Value::as_object);
        if let Some(unknown) =
            written.into_iter().flatten().map(|(key, _)| key).find(|key| !settings.contains(&key.as_str()))
        {
            return Err(Fault::SnapshotSetting { path: own_path, key: unknown.clone(), provider });
        }
        let serves = |plugin: &String| *plugin == provider || (plugin == "legacy-aws" && provider == "aws");
        if !plugins.iter().any(serves) {
            return Err(Fault::NoSnapshotPlugin { path: path.to_owned(), provider });
        }
        self.secret(velero)
    }
}
