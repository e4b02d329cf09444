//! Where the stand-in answers differently from a real server, and why it may.

use crate::record;

/// A known difference.
pub struct Difference {
    /// What differs, as `docs/stand-in.md` lists it.
    pub what: &'static str,
    /// Why it is not cured, as the document says.
    pub why: &'static str,
    /// The steps that show it: subject, test and step.
    pub steps: &'static [&'static str],
}

/// All known differences. A step that is not named here must be the same on both stages; one that is must not.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        what: "A right is never refused; whoever has the token may do everything, also in another's name.",
        why: "Roles and bindings are objects here, no rules: the scenarios about rights run on real servers.",
        steps: &[
            "errors/rights/a stranger may not read",
            "errors/rights/a stranger is told so",
            "errors/rights/also when writing",
            "kubectl/reads/auth can-i --list --no-headers",
        ],
    },
    Difference {
        what: "Dependents are deleted, or forget their owner, in the same breath as the owner.",
        why: "That is the garbage collector's work: a whole cluster does it some seconds later, the API server that the answers come from runs without it.",
        steps: &[
            "deletion/foreground/the owner",
            "deletion/foreground/the dependent",
            "deletion/background/the dependent",
            "deletion/orphan/the owner",
            "deletion/orphan/the dependent",
        ],
    },
    Difference {
        what: "There are no OpenAPI schemas and no `kubectl explain`.",
        why: "Nothing in Flotilla reads them, and kubectl leaves checking to the server without them.",
        steps: &["kubectl/reads/explain ships.spec"],
    },
    Difference {
        what: "Fields below the first level of built-in kinds are not checked: an unknown one is kept, a wrong type accepted.",
        why: "It would take the types of all built-in kinds; the kinds that Flotilla writes are custom, or as flat as a ConfigMap.",
        steps: &["schema/strictness/a field deep in a Pod: Strict"],
    },
    Difference {
        what: "The schema in a CustomResourceDefinition is not checked for being structural, and a refused definition shows its versions as they were sent.",
        why: "The definitions come from upstream and passed a real server before.",
        steps: &[
            "schema/definitions/no stored version",
            "schema/definitions/a schema that is not structural",
        ],
    },
    Difference {
        what: "Answers are JSON, also for a client that asks for YAML.",
        why: "kubectl and kube-rs ask for JSON and print YAML themselves.",
        steps: &["lists/forms/YAML"],
    },
    Difference {
        what: "What is wrong with a YAML body is told in the words of another parser.",
        why: "It is refused all the same, with the same code and reason.",
        steps: &["apply/owners/broken YAML"],
    },
    Difference {
        what: "`kubectl get --raw` needs the server's prefix, `/clusters/<name>`.",
        why: "All servers of a stage share one address.",
        steps: &[
            "kubectl/reads/get --raw /apis/agreement.flotilla.dev/v1/namespaces/kubectl-reads/ships/none",
        ],
    },
];

#[test]
fn every_difference_is_shown_by_a_step() {
    if record::records() {
        println!("skipped: the expected answers are being written");
        return;
    }
    for difference in DIFFERENCES {
        assert!(!difference.steps.is_empty(), "{} is shown by no step", difference.what);
        for step in difference.steps {
            let mut parts = step.splitn(3, '/');
            let (subject, test, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let file = record::folder().join(subject).join(format!("{test}.txt"));
            let text =
                std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let found = record::steps_of(&text).iter().any(|(found, _)| found == name);
            assert!(found, "{} has no step {name:?}", file.display());
        }
    }
}

#[test]
fn the_document_lists_every_difference_and_no_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/stand-in.md");
    let document = std::fs::read_to_string(path).unwrap();
    let below = document.split_once("\n## Known differences\n").expect("the section").1;
    let section = below.split("\n## ").next().unwrap();
    let listed: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let expected: Vec<String> = DIFFERENCES
        .iter()
        .map(|difference| format!("| {} | {} |", difference.what, difference.why))
        .collect();
    assert_eq!(listed, expected);
}
