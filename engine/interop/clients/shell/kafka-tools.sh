#!/usr/bin/env bash
# Apache Kafka's own tools against the broker whose address is the first argument: one line per check, status 1 at the first
# failure. With a second argument, the broker's data directory, dump-log reads its files.
set -euo pipefail
. "$(dirname "$0")/checks.sh"
bootstrap=$1
data=${2:-}
kafka=$(cd "$(dirname "$0")/../../../.." && pwd)/scripts/kafka.sh
topic=interop-tools-$$-$RANDOM
group=$topic-group

tool() { # NAME ARGS... : what the tool says of its logger goes aside
    "$kafka" tool "$@" --bootstrap-server "$bootstrap" 2>"$work/tool.err" || { cat "$work/tool.err" >&2; fail "kafka's $1 ended with an error"; }
}

tool topics --create --topic "$topic" --partitions 2 --config retention.ms=86400000 >/dev/null
check "topics describes what it created" "$(tool topics --describe --topic "$topic" | grep -c "PartitionCount: 2.*retention.ms=86400000")" 1
tool configs --alter --entity-type topics --entity-name "$topic" --add-config max.message.bytes=2000000 >/dev/null
check "configs describes what it altered" "$(tool configs --describe --entity-type topics --entity-name "$topic" | grep -c 'max.message.bytes=2000000')" 1
tool configs --alter --entity-type users --entity-name "$topic" --entity-type clients --entity-default --add-config consumer_byte_rate=1000000 >/dev/null
quota() { tool configs --describe --entity-type users --entity-name "$topic" --entity-type clients --entity-default | grep -c 'consumer_byte_rate=1000000' >/dev/null; }
wait_until "configs describes a user's quota" quota
tool configs --alter --entity-type users --entity-name "$topic" --entity-type clients --entity-default --delete-config consumer_byte_rate >/dev/null

for i in $(seq 20); do echo "key-$i:value $i"; done >"$work/lines"
tool console-producer --topic "$topic" --reader-property parse.key=true --reader-property key.separator=: --compression-codec zstd <"$work/lines" >/dev/null
tool console-consumer --topic "$topic" --from-beginning --max-messages 20 --group "$group" \
    --formatter-property print.key=true --formatter-property key.separator=: >"$work/consumed"
check "console-consumer prints what console-producer read" "$(sort "$work/consumed" | cksum)" "$(sort "$work/lines" | cksum)"
check "get-offsets sums to what was produced" "$(tool get-offsets --topic "$topic" | awk -F: '{ n += $3 } END { print n }')" 20

"$kafka" tool producer-perf-test --topic "$topic" --num-records 2000 --record-size 200 --throughput -1 \
    --command-property "bootstrap.servers=$bootstrap" compression.type=lz4 >"$work/perf" 2>"$work/tool.err" || { cat "$work/tool.err" >&2; fail "producer-perf-test"; }
check "producer-perf-test sends all of its records" "$(grep -c '^2000 records sent' "$work/perf")" 1
check "consumer-groups describes the lag" "$(tool consumer-groups --describe --group "$group" | awk -v t="$topic" '$2 == t { n += $6 } END { print n }')" 2000
tool consumer-groups --reset-offsets --to-earliest --topic "$topic" --group "$group" --execute >/dev/null
check "reset offsets lag by everything" "$(tool consumer-groups --describe --group "$group" | awk -v t="$topic" '$2 == t { n += $6 } END { print n }')" 2020
check "consumer-perf-test reads all there is" "$(tool consumer-perf-test --topic "$topic" --num-records 2020 --timeout 20000 | awk -F', ' 'END { print $5 }')" 2020
tool consumer-groups --delete --group "$group" >/dev/null

if [ -n "$data" ]; then
    for log in "$data/$topic"-[01]/00000000000000000000.log; do
        "$kafka" tool dump-log --files "$log" --deep-iteration >"$work/dump" 2>"$work/tool.err" || { cat "$work/tool.err" >&2; fail "dump-log of $log"; }
        "$kafka" tool dump-log --files "${log%.log}.index,${log%.log}.timeindex" >"$work/dump-index" 2>&1 || fail "dump-log of the indexes beside $log"
        grep -q -i -E 'invalid|mismatch|corrupt|exception' <(grep -v 'isvalid: true' "$work/dump" | grep -v '^|') "$work/dump-index" && fail "dump-log objects to $log: $(cat "$work/dump-index")"
        grep '^| offset' "$work/dump" | wc -l >>"$work/dumped"
        check "every batch of $(basename "$(dirname "$log")") is valid to dump-log" "$(grep -c 'isvalid: false' "$work/dump")" 0
    done
    check "dump-log counts the records" "$(awk '{ n += $1 } END { print n }' "$work/dumped")" 2020
fi
tool topics --delete --topic "$topic" >/dev/null
gone() { ! tool topics --list | grep -qx "$topic"; }
wait_until "a deleted topic is gone" gone
