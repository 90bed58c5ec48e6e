#!/usr/bin/env bash
# Fails when a crate depends on its own layer or a higher one, or when engine/ depends on harness/.
# The layers are those drawn in engine/ARCHITECTURE.md.
set -euo pipefail
cd "$(dirname "$0")/.."

layer() {
    case "$1" in
        ringlog-io | ringlog-record | ringlog-settings) echo 1 ;;
        ringlog-protocol | ringlog-log | ringlog-coordinator) echo 2 ;;
        ringlog-metadata | ringlog-client) echo 3 ;;
        ringlog-broker) echo 4 ;;
        ringlog-cli) echo 5 ;;
        ringlog-interop) echo 6 ;;
        ringbench-stats) echo 11 ;;
        ringbench-lab | ringbench-load | ringbench-report) echo 12 ;;
        ringbench-cli) echo 13 ;;
        *) return 1 ;;
    esac
}

failed=0
for manifest in engine/*/Cargo.toml harness/*/Cargo.toml; do
    [ "$manifest" = engine/fuzz/Cargo.toml ] && continue
    crate=$(sed -n 's/^name = "\(ring[a-z-]*\)"$/\1/p' "$manifest" | head -n 1)
    own=$(layer "$crate") || { echo "check-layers: $crate ($manifest) has no layer: add it here and to engine/ARCHITECTURE.md"; failed=1; continue; }
    # Normal dependencies only: a test may look upward. `cargo tree` prints the crate itself first.
    while read -r used; do
        used_layer=$(layer "$used") || { echo "check-layers: $crate uses $used, which has no layer"; failed=1; continue; }
        if [ "$used_layer" -ge "$own" ]; then
            echo "check-layers: $crate (layer $own) must not use $used (layer $used_layer)"
            failed=1
        fi
    done < <(cargo tree --package "$crate" --edges normal,build --depth 1 --prefix none --format '{p}' | sed 1d |
        sed -n 's/^\(ring\(log\|bench\)-[a-z]*\) .*/\1/p' | sort -u)
done
[ "$failed" = 0 ] && echo "check-layers: every crate uses lower layers only"
exit "$failed"
