#!/usr/bin/env bash
# The whole test suite: layers, formatting, lints, other people's clients, unit and scenario tests.
# A client, peer or browser that can't be had on this machine is skipped; the skips are listed and counted.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

scripts/check-layers.sh
cargo fmt --all --check
# The default build; the driver that it leaves out comes with the tests.
cargo clippy --workspace --all-targets --quiet -- --deny warnings
cargo build --release --quiet

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export RINGLOG_SKIPS=$scratch/skips
touch "$RINGLOG_SKIPS"

scripts/quick.sh --cells 1 --seconds 0.3 --out "$scratch/quick"
# What the default build leaves out it names, with what it takes.
grep -- '--features librdkafka' <(target/release/ringbench run --target kafka+librdkafka://127.0.0.1:1 --out "$scratch/unbuilt" 2>&1)

# All tests are of one set of features: what they depend on, librdkafka's C among it, is compiled once.
with_librdkafka=(--workspace --features ringbench-cli/librdkafka)
cargo clippy "${with_librdkafka[@]}" --all-targets --quiet -- --deny warnings

# RINGBENCH_PEERS=all walks every peer, not Redis alone.
cargo test "${with_librdkafka[@]}"

# The disk has two backends, and these run on one at a time.
RINGLOG_TEST_BACKEND=uring cargo test "${with_librdkafka[@]}" --test append_and_read --test compaction \
    --test golden_files --test random_model --test recovery_cases --test retention_and_truncation --test operations

echo "test.sh: $(grep -c . "$RINGLOG_SKIPS" || true) clients, peers and browsers skipped"
cat "$RINGLOG_SKIPS"
