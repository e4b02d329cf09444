//! The status of the fleet for people.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::report::{DecidedBy, PlacementReport, Report, SourceReport};
use crate::api::ocm::policy::ComplianceState;
use crate::cli::output::Table;

/// With more policies than these, each has a line instead of a column.
const COLUMNS: usize = 6;
/// With more clusters than these, reasons are shown on demand only.
const REASONS: usize = 10;

/// The text, all parts one below the other.
pub(super) fn text(report: &Report, why: bool) -> String {
    let parts = [
        compliance(report),
        messages(report),
        sets(report),
        placements(report, why),
        configurations(report),
        sources(report),
        malformed(report),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn word(state: Option<ComplianceState>) -> String {
    state.map_or_else(|| "Unknown".to_owned(), |state| state.to_string())
}

fn compliance(report: &Report) -> String {
    if report.clusters.is_empty() {
        return "no managed clusters; `flotilla cluster join` adds one\n".to_owned();
    }
    let policies: BTreeSet<&str> = report
        .policies
        .iter()
        .map(|policy| policy.policy.as_str())
        .chain(
            report
                .clusters
                .iter()
                .flat_map(|cluster| cluster.policies.iter().map(|placed| placed.policy.as_str())),
        )
        .collect();
    if policies.len() > COLUMNS { by_line(report) } else { by_column(report, &policies) }
}

fn by_column(report: &Report, policies: &BTreeSet<&str>) -> String {
    let mut table = Table::new(["CLUSTER"].into_iter().chain(headings(policies)));
    for cluster in &report.clusters {
        let cells = policies.iter().map(|policy| {
            let placed = cluster.policies.iter().find(|placed| placed.policy == *policy);
            placed.map_or_else(|| "-".to_owned(), |placed| state(placed.compliant, placed.placed))
        });
        table.row([cluster.name.clone()].into_iter().chain(cells));
    }
    table.text()
}

/// Names without namespaces where that is clear enough.
fn headings<'a>(policies: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let short = |policy: &&'a str| policy.split_once('/').map_or(*policy, |(_, name)| name);
    let names: BTreeSet<&str> = policies.iter().map(short).collect();
    if names.len() == policies.len() {
        policies.iter().map(short).collect()
    } else {
        policies.iter().copied().collect()
    }
}

fn by_line(report: &Report) -> String {
    let mut table = Table::new(["CLUSTER", "POLICY", "COMPLIANCE"]);
    for cluster in &report.clusters {
        for placed in &cluster.policies {
            table.row([cluster.name.clone(), placed.policy.clone(), state(placed.compliant, placed.placed)]);
        }
        if cluster.policies.is_empty() {
            table.row([cluster.name.clone(), "-".to_owned(), "-".to_owned()]);
        }
    }
    table.text()
}

fn state(compliant: Option<ComplianceState>, placed: bool) -> String {
    if placed { word(compliant) } else { "Leaving".to_owned() }
}

fn messages(report: &Report) -> String {
    let mut text = String::new();
    for cluster in &report.clusters {
        for placed in &cluster.policies {
            for said in &placed.messages {
                let message = said.message.split_whitespace().collect::<Vec<_>>().join(" ");
                let checks = said.checks.join(", ");
                let _written = writeln!(text, "{}  {}  {checks}: {message}", cluster.name, placed.policy);
            }
        }
    }
    text
}

fn sets(report: &Report) -> String {
    if report.policy_sets.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["POLICY SET", "COMPLIANCE", "MESSAGE"]);
    for set in &report.policy_sets {
        table.row([set.policy_set.clone(), word(set.compliant), set.message.clone()]);
    }
    table.text()
}

fn placements(report: &Report, why: bool) -> String {
    report.placements.iter().map(|placement| one_placement(placement, why)).collect()
}

fn one_placement(placement: &PlacementReport, why: bool) -> String {
    let selected = placement.clusters.iter().filter(|verdict| verdict.selected).count();
    let decided_by = match placement.decided_by {
        DecidedBy::Flotilla => "",
        DecidedBy::AnotherController => ", decided by another controller",
    };
    let mut text =
        format!("{}: {selected} of {} clusters{decided_by}\n", placement.placement, placement.clusters.len());
    if why || placement.clusters.len() <= REASONS {
        let width = placement.clusters.iter().map(|verdict| verdict.cluster.len()).max().unwrap_or_default();
        for verdict in &placement.clusters {
            let sign = if verdict.selected { "in " } else { "out" };
            let _written = writeln!(text, "  {:width$}  {sign}  {}", verdict.cluster, verdict.reason);
        }
    } else {
        text.push_str("  (--why shows the reason for each cluster)\n");
    }
    text
}

fn configurations(report: &Report) -> String {
    let mut text = String::new();
    for configuration in &report.configurations {
        let _written = writeln!(text, "{}", configuration.sentence());
        for finding in configuration.findings.iter().chain(&configuration.warnings) {
            let finding = finding.split_whitespace().collect::<Vec<_>>().join(" ");
            let _written = writeln!(text, "    {finding}");
        }
    }
    text
}

fn sources(report: &Report) -> String {
    let mut text = String::new();
    for SourceReport { name, record } in &report.sources {
        let applied = if record.revision.is_empty() { "nothing yet" } else { &record.revision };
        let signed =
            if record.signer.is_empty() { String::new() } else { format!(", signed by {}", record.signer) };
        let _written = writeln!(text, "source {name} ({}): {applied}{signed}", record.address);
        if !record.error.is_empty() {
            let _written = if record.seen == record.revision {
                writeln!(text, "  not applied as it is:")
            } else {
                writeln!(text, "  not applied: {}", record.seen)
            };
            for finding in record.error.lines() {
                let _written = writeln!(text, "    {finding}");
            }
        }
    }
    text
}

fn malformed(report: &Report) -> String {
    let mut text = String::new();
    for error in &report.malformed {
        let _written = writeln!(text, "left out: {error}");
    }
    text
}
