#!/usr/bin/env bash
# One scenario of requests to a fresh Apache Kafka and to us; the answers are compared field by field.
#
#   scripts/beside-kafka.sh             ask both
#   scripts/beside-kafka.sh --record    and keep Kafka's answers in engine/interop/recorded/
#
# Without Java the recorded answers serve: cargo test --package ringlog-interop --test beside_kafka
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
recorded=engine/interop/recorded
end() { [ ! -e "$work/kafka/kafka.pid" ] || scripts/kafka.sh stop "$work/kafka"; rm -rf "$work"; }
trap end EXIT
ask() { cargo test --quiet --package ringlog-interop --test beside_kafka; }

cargo test --quiet --no-run --package ringlog-interop --test beside_kafka
bootstrap=$(scripts/kafka.sh start "$work/kafka")
RINGLOG_INTEROP_BOOTSTRAP=$bootstrap RINGLOG_INTEROP_RECORD=$work/answers ask
scripts/kafka.sh stop "$work/kafka"

if [ "${1:-}" = --record ]; then
    rm -rf "$recorded"
    cp -r "$work/answers" "$recorded"
    echo "beside-kafka: recorded $(cat "$recorded"/*.txt | grep -c '^## ') answers"
else
    diff -r "$recorded" "$work/answers" || { echo "beside-kafka: Kafka's answers are not those recorded (above): --record keeps them"; exit 1; }
fi
RINGLOG_INTEROP_RECORDED=$work/answers ask
