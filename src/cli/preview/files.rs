//! The files of `-f`: what of them would be applied to the hub, and what is wrong with them.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::adapters::hub::HubKind;
use crate::adapters::source::{Gathered, Text, read_stream, read_trees};
use crate::api::object::Manifest;
use crate::cli::exit::Failure;
use crate::cli::{lint as lint_command, output};
use crate::pipeline::lint::{self, Finding, Level};

/// Standard input among the files.
const STANDARD_INPUT: &str = "-";

/// Options of commands that look ahead.
#[derive(Debug, Args)]
pub(in crate::cli) struct Files {
    /// A ConfigMap as it is to be applied to the hub, and policies, sets, placements and bindings beside it; a file, a
    /// directory, or - for standard input; may be given several times
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Namespace on the hub of objects in the files that name none, as with kubectl
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default", requires = "files")]
    namespace: String,
}

/// What the files hold.
pub(super) enum Applied {
    /// No file was named.
    Nothing,
    /// A ConfigMap has mistakes, which were told.
    Invalid,
    /// These would be applied.
    Objects(Vec<Manifest>),
}

impl Files {
    /// Whether none is named.
    pub(in crate::cli) fn are_none(&self) -> bool {
        self.files.is_empty()
    }

    /// Reads and checks them; findings are told on stderr.
    pub(super) fn read(&self) -> Result<Applied, Failure> {
        if self.files.is_empty() {
            return Ok(Applied::Nothing);
        }
        let texts = self.texts()?;
        if has_mistakes(&texts) {
            return Ok(Applied::Invalid);
        }
        let mut gathered = Gathered::default();
        for text in &texts {
            read_stream(&text.path, &text.text, &mut gathered);
        }
        if let Some(error) = gathered.errors.first() {
            return Err(Failure::new(error.to_string()));
        }
        let read = gathered.objects.len();
        let objects: Vec<Manifest> = gathered
            .objects
            .into_iter()
            .filter(|found| decides(&found.manifest))
            .map(|found| match found.manifest.namespace() {
                Some(_) => found.manifest,
                None => found.manifest.with_namespace(Some(&self.namespace)),
            })
            .collect();
        if objects.is_empty() {
            return Err(Failure::new("failed to read the files: nothing in them decides what the hub does")
                .hint("name a file with the ConfigMap hdr-app-configmap"));
        }
        if objects.len() < read {
            output::note(&format!(
                "{} of the files are passed over: only ConfigMaps, Policies, PolicySets, Placements and bindings are looked at",
                read - objects.len()
            ));
        }
        Ok(Applied::Objects(objects))
    }

    fn texts(&self) -> Result<Vec<Text>, Failure> {
        let is_stdin = |path: &&PathBuf| path.as_path() == Path::new(STANDARD_INPUT);
        let named = self.files.iter().filter(|path| !is_stdin(path)).map(PathBuf::as_path);
        let mut texts =
            read_trees(named).map_err(|error| Failure::new(format!("failed to read the files: {error}")))?;
        if self.files.iter().any(|path| is_stdin(&path)) {
            let text = std::io::read_to_string(std::io::stdin())
                .map_err(|error| Failure::new(format!("failed to read standard input: {error}")))?;
            texts.push(Text { path: STANDARD_INPUT.to_owned(), text });
        }
        Ok(texts)
    }
}

/// Tells what is wrong with the ConfigMaps; answers whether it keeps them from being used.
fn has_mistakes(texts: &[Text]) -> bool {
    let options = lint::Options::default();
    let findings = |text: &Text| {
        let found = lint::lint(&text.text, &options).into_iter();
        let path = text.path.clone();
        found.filter(|finding| finding.rule.is_of_settings()).map(move |finding| (path.clone(), finding))
    };
    let found: Vec<(String, Finding)> = texts.iter().flat_map(findings).collect();
    output::ahead(&lint_command::text(&found));
    found.iter().any(|(_, finding)| finding.level() == Level::Error)
}

/// Whether an object is one that a preview can imagine on the hub.
fn decides(object: &Manifest) -> bool {
    let gvk = object.gvk();
    if gvk.same_kind("", "ConfigMap") {
        return true;
    }
    match HubKind::of(&gvk) {
        Some(
            HubKind::ManagedClusterSetBinding
            | HubKind::Placement
            | HubKind::PlacementBinding
            | HubKind::Policy
            | HubKind::PolicySet,
        ) => true,
        Some(
            HubKind::ManagedCluster
            | HubKind::ManagedClusterSet
            | HubKind::PlacementDecision
            | HubKind::AddOnPlacementScore,
        )
        | None => false,
    }
}
