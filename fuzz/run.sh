#!/usr/bin/env bash
# Runs each fuzz target for a bounded time. Needs nightly Rust and cargo-fuzz; the corpus begins with the seeds beside this
# file, the examples of docs/reference/functions.md and the policies of the project.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${FUZZ_SECONDS:-60}
if ! cargo +nightly fuzz --version > /dev/null 2>&1; then
  echo "needs nightly Rust and cargo-fuzz: rustup toolchain install nightly && cargo install --locked cargo-fuzz" >&2
  exit 1
fi
mkdir -p corpus/template corpus/policy corpus/compare corpus/cron corpus/config
cp seeds/policy/* ../policies/*.yaml corpus/policy/
cp seeds/compare/* corpus/compare/
cp seeds/cron/* corpus/cron/
cp seeds/config/* ../configmaps/*.yaml ../tests/fixtures/config/good.yaml corpus/config/
# Making keys and slow hashes takes seconds under the sanitizer, and finds nothing in our own code.
slow='gen[A-Z]|bcrypt|htpasswd|derivePassword'
number=0
while IFS= read -r line; do
  number=$((number + 1))
  printf "a: '%s'" "$line" > "corpus/template/example-$number"
done < <(sed -nE 's/^- `[A-Za-z0-9_]+`: `+(\{\{.*\}\}[^`]*)`+ (gives|fails).*/\1/p' ../docs/reference/functions.md | grep -vE "$slow")
# Two C libraries that we link have a table of the same name; the sanitizer would call that a fault before the first run.
export ASAN_OPTIONS=detect_odr_violation=0
for target in template policy compare cron config; do
  cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096
done
