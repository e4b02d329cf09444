//! `flotilla dryrun`: policies tried on files or on a cluster, as Open Cluster Management's `policytools dryrun` does it.

mod expected;
mod live;
mod log;
mod options;
mod policies;
mod report;
mod standard_input;
mod target;
mod trial;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use self::live::Cluster;
use self::log::Log;
use self::options::Form;
pub(crate) use self::options::Options;
use self::policies::{Subject, Subjects};
use self::report::{Colours, Trial};
use self::standard_input::Piped;
use self::target::{Description, Target};
use self::trial::{Prepared, Surroundings};
use super::exit::{Exit, Failure, Outcome};
use super::output;
use crate::adapters::source::{FileCluster, Found, Mappings, Text, plain, read_text, read_texts};
use crate::clock;
use crate::pipeline::render::Renderer;
use crate::pipeline::render::lookup::Recording;
use crate::yaml::{self, Dialect};

/// How standard input is named among the inputs.
const STANDARD_INPUT: &str = "-";

/// Why the command ends.
enum End {
    /// A policy or an input cannot be used, in the words of the known command.
    Unable(String),
    /// The output cannot be written.
    Failure(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// `unable to <what>: <cause>`.
fn unable(what: &str) -> impl FnOnce(&dyn std::fmt::Display) -> End {
    let what = what.to_owned();
    move |cause| End::Unable(format!("unable to {what}: {cause}"))
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> Outcome {
    match tried(&options).await {
        Ok(true) => Ok(Exit::Success),
        Ok(false) => {
            output::plain_error("policy is NonCompliant");
            Ok(Exit::Findings)
        }
        Err(End::Unable(message)) => {
            output::plain_error(&message);
            Ok(Exit::Findings)
        }
        Err(End::Failure(failure)) => Err(failure),
    }
}

/// Whether all policies are compliant.
async fn tried(options: &Options) -> Result<bool, End> {
    let subjects = policies::read(&options.policies, options.all)
        .map_err(|error| unable("read input policy")(&error))?;
    let expected = options.desired_status.as_deref().map(expected_status).transpose()?;
    let mut log = Log::default();
    let mappings = Arc::new(mappings(options.mappings_file.as_deref())?);
    let target = Target::read(&Description {
        name: options.cluster.as_deref(),
        labels: &options.labels,
        claims: options.claims.as_ref(),
        hub_inputs: &options.hub_inputs,
        namespace: &options.namespace,
    })
    .map_err(|error| unable("read the description of the cluster")(&error))?;
    let cluster = if options.from_cluster {
        if !options.inputs.is_empty() {
            output::warning("the inputs are not looked at: --from-cluster looks at the cluster");
        }
        Cluster::connect(options.kubeconfig.as_deref())
            .await
            .map_err(|message| unable("reach the cluster")(&message))?
    } else {
        Cluster::Imagined(imagined(options, &mappings, &mut log).await?)
    };
    let mut trials = Vec::new();
    for subject in &subjects.all {
        trials.push(one(subject, &target, &cluster, &mappings, options, &mut log).await?);
    }
    print(&subjects, &trials, expected.as_ref(), options)?;
    if let Some(path) = &options.log {
        write(path, log.text(), "write the log")?;
    }
    Ok(trials.iter().all(|trial| trial.compliant))
}

fn mappings(path: Option<&Path>) -> Result<Mappings, End> {
    let Some(path) = path else { return Ok(Mappings::built_in()) };
    let unable = || unable("setup the dryrun reconciler");
    let text = read_text(path).map_err(|error| unable()(&error))?;
    Mappings::read(&text.text).map_err(|error| unable()(&format!("{}: {error}", path.display())))
}

fn expected_status(path: &Path) -> Result<Map<String, Value>, End> {
    let unable = || unable("compare desired status");
    let text = read_text(path).map_err(|error| unable()(&error))?;
    match yaml::read(&text.text, Dialect::Template).map_err(|error| unable()(&error))? {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        _ => Err(unable()(&format!("{}: a status is a mapping", path.display()))),
    }
}

/// The cluster that the inputs describe.
async fn imagined(options: &Options, mappings: &Arc<Mappings>, log: &mut Log) -> Result<FileCluster, End> {
    let unable_to_read = |error: &dyn std::fmt::Display| unable("read input resources")(error);
    let mut found: Vec<Found> = Vec::new();
    for text in input_texts(options).await? {
        let objects = text.objects().map_err(|error| unable_to_read(&error))?;
        log.read(&text.path, objects.len());
        found.extend(objects);
    }
    let cluster = FileCluster::new(mappings.clone(), found, None)
        .map_err(|error| unable("apply input resources")(&error))?;
    for ignored in cluster.ignored() {
        output::warning(ignored);
    }
    Ok(cluster)
}

/// The inputs: what is piped in first, then files and directories in their order.
async fn input_texts(options: &Options) -> Result<Vec<Text>, End> {
    let unable = || unable("read input resources");
    let is_named = |path: &PathBuf| path == Path::new(STANDARD_INPUT);
    let named = options.inputs.iter().any(is_named);
    let piped = standard_input::read(named)
        .await
        .map_err(|error| unable()(&format!("could not read stdin: {error}")))?;
    let mut texts = Vec::new();
    match piped {
        Piped::Text(text) => texts.push(text),
        Piped::Nothing => {}
        Piped::Silent => output::note(
            "standard input is a pipe in which nothing arrives, and is not waited for; name `-` to wait for it",
        ),
    }
    let files = options.inputs.iter().filter(|path| !is_named(path)).map(PathBuf::as_path);
    texts.extend(read_texts(files).map_err(|error| unable()(&error))?);
    Ok(texts)
}

/// Tries one policy; on a cluster as often as its look-ups need.
async fn one(
    subject: &Subject,
    target: &Target,
    cluster: &Cluster,
    mappings: &Arc<Mappings>,
    options: &Options,
    log: &mut Log,
) -> Result<Trial, End> {
    let unable = || unable("complete the dryrun reconcile");
    let renderer = Renderer::default();
    let now = clock::now();
    let ambient = live::ambient(now);
    let namespace = subject.namespace(target.name());
    let (rendered, note) =
        target.hub_phase(subject, &renderer, mappings, ambient).map_err(|error| unable()(&error))?;
    if let Some(note) = note {
        output::note(&note);
    }
    cluster.ensure_basics(&namespace).await.map_err(|message| unable()(&message))?;
    for _ in 0..live::ROUNDS {
        let observed = Recording::new(cluster.observed());
        let surroundings = Surroundings {
            renderer: &renderer,
            cluster: target.name(),
            claims: target.claims(&observed),
            ambient,
            encryption: live::encryption_keys(&observed, &namespace),
            observed: &observed,
            full_diffs: options.full_diffs,
            show_secrets: options.show_secrets,
            now,
        };
        let prepared = trial::prepare(&rendered, subject, &surroundings).map_err(|error| unable()(&error))?;
        let outcome = match prepared {
            Prepared::Waiting(references) => {
                cluster.ensure(&references).await.map_err(|message| unable()(&message))?;
                continue;
            }
            Prepared::Failed { check, message } => trial::failed(subject, &check, &message, &surroundings),
            Prepared::Planned { check, plan } => {
                let results = cluster.results(&plan).await.map_err(|message| unable()(&message))?;
                log.planned(&subject.title(), &plan);
                trial::tried(subject, &check, &plan, &results, &surroundings)
            }
        };
        let trial = outcome.map_err(|error| unable()(&error))?;
        log.looked_up(&subject.title(), &observed.asked());
        log.tried(&trial);
        return Ok(trial);
    }
    Err(unable()(&format!("{} asks for ever more look-ups", subject.title())))
}

fn print(
    subjects: &Subjects,
    trials: &[Trial],
    expected: Option<&Map<String, Value>>,
    options: &Options,
) -> Result<(), End> {
    let colours = if options.no_colors { Colours::Off } else { Colours::On };
    let mut text = String::new();
    for _ in 0..subjects.ignored {
        text.push_str("Ignoring additional ConfigurationPolicy in input policy\n");
    }
    if options.output == Form::Json && subjects.ignored > 0 {
        output::note("only the first ConfigurationPolicy of each Policy is tried; --all tries every one");
    }
    let (mut statuses, mut messages) = (Vec::new(), Vec::new());
    for trial in trials {
        if trials.len() > 1 {
            let _written = writeln!(text, "# Policy: {}", trial.policy);
        }
        for note in &trial.notes {
            output::note(note);
        }
        if let Some(expected) = expected {
            text.push_str(&report::compared(&expected::compare(expected, &trial.status), colours));
        }
        if options.print_diffs {
            text.push_str(&report::diffs(&trial.diffs, colours));
        }
        if options.messages_path.is_none() {
            text.push_str(&report::messages(&trial.messages));
        }
        statuses.push(report::status(&trial.status));
        messages.extend(trial.messages.iter().cloned());
    }
    if let Some(path) = &options.status_path {
        write(path, &statuses.join("---\n"), "save the resulting policy state")?;
    }
    if let Some(path) = &options.messages_path {
        write(path, &report::lines(&messages), "save the compliance messages")?;
    }
    match options.output {
        Form::Text => output::data(&text)?,
        Form::Json => output::document(&trials, output::Structured::Json)?,
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "files are written in src/cli")]
fn write(path: &Path, text: &str, what: &str) -> Result<(), End> {
    std::fs::write(path, text)
        .map_err(|error| unable(what)(&format!("open {}: {}", path.display(), plain(&error))))
}
