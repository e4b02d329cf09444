//! Where the simulator is known to differ from real Velero, and why that is left so.

use crate::expected::Difference;
use crate::support::input::project_file;

/// One known difference.
struct Known {
    /// The area in which it is seen.
    area: &'static str,
    /// Beginning of the paths that differ.
    path: &'static str,
    /// What differs and why it is left, as `docs/stand-in.md` says it.
    reason: &'static str,
}

/// Which object storage is there is not played.
const ANY_STORAGE: &str = "Every bucket is there and every credential opens it; `sim.flotilla.dev/outcome: Unavailable` \
                           plays the opposite.";
/// Nobody reads it.
const PLUGINS: &str = "A ServerStatusRequest is answered with a short list of plugins.";

const KNOWN: &[Known] = &[
    Known { area: "backups", path: "/BackupStorageLocation no-such-bucket/", reason: ANY_STORAGE },
    Known { area: "backups", path: "/BackupStorageLocation stale-credentials/", reason: ANY_STORAGE },
    Known {
        area: "shared_storage",
        path: "/ServerStatusRequest status/object/status/plugins",
        reason: PLUGINS,
    },
    Known {
        area: "shared_storage",
        path: "/ServerStatusRequest behind-unreadable/object/status/plugins",
        reason: PLUGINS,
    },
];

/// Takes out what is known. A row that no difference fits any more is a fault: it must go.
pub(crate) fn leave_out_known(area: &str, found: &mut Vec<Difference>) {
    for known in KNOWN.iter().filter(|known| known.area == area) {
        let before = found.len();
        found.retain(|difference| !difference.path.starts_with(known.path));
        assert!(found.len() < before, "{} no longer differs: {}", known.path, known.reason);
    }
}

#[test]
fn the_document_lists_them() {
    let text = project_file("docs/stand-in.md");
    let section =
        text.split("Known differences of the Velero simulator").nth(1).expect("the section is there");
    let section = section.split("\n#").next().unwrap();
    let listed: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    let mut reasons: Vec<&str> = KNOWN.iter().map(|known| known.reason).collect();
    reasons.dedup();
    assert_eq!(listed, reasons);
}
