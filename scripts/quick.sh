#!/usr/bin/env bash
# Builds the broker and the benchmark, and runs a first sweep against a broker of its own: under three minutes after the build.
# Needs a Rust toolchain and a C compiler. Arguments go to `ringbench quick`; the report is in results/.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --package ringlog-cli --package ringbench-cli
exec target/release/ringbench quick "$@"
