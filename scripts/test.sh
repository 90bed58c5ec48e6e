#!/usr/bin/env bash
# The whole test suite: layers, formatting, lints, unit and scenario tests.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

scripts/check-layers.sh
cargo fmt --all --check
cargo clippy --workspace --all-targets --quiet -- --deny warnings
cargo build --release --quiet
cargo test --workspace
