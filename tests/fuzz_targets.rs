//! The functions of the fuzz targets run over their seeds, so that they compile and pass with the rest; `make fuzz` runs
//! them with libFuzzer.
#![expect(clippy::disallowed_methods, reason = "reads the seeds")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fault here is a failed test")]

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the package of the fuzz targets takes them from here")]
mod targets;

use std::path::Path;

fn seeds(target: &str, run: fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        run(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds for {target}");
}

#[test]
fn every_target_takes_its_seeds() {
    seeds("policy", targets::policy);
    seeds("compare", targets::compare);
    seeds("cron", targets::cron);
    seeds("config", targets::config);
    targets::template("a: '{{ 1 }}'");
}
