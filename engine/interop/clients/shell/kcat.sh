#!/usr/bin/env bash
# kcat (librdkafka 2.x of the distribution) against the broker whose address is the first argument: one line per check,
# status 1 at the first failure. kcat cannot create topics: producing to them does, with one partition each.
set -euo pipefail
. "$(dirname "$0")/checks.sh"
bootstrap=$1
name=interop-kcat-$$-$RANDOM
topics=("$name-a" "$name-b" "$name-c")
codecs=(none gzip snappy lz4 zstd)
per_codec=40

records() { # CODEC [SUFFIX] : key:value lines
    awk -v c="$1" -v n="$per_codec" -v s="${2:-}" 'BEGIN { for (i = 1; i <= n; i++) printf "%s-%d:%s record %d, with words that repeat, that repeat%s\n", c, i, c, i, s }'
}

kcat -b "$bootstrap" -X allow.auto.create.topics=true -L -t "${topics[0]}" >/dev/null 2>&1 || true
for topic in "${topics[@]}"; do
    for codec in "${codecs[@]}"; do
        records "$codec" | kcat -b "$bootstrap" -P -t "$topic" -K: -z "$codec" -H "codec=$codec" \
            -X linger.ms=20 -X enable.idempotence=true
    done
done
echo "ok: keyed records with every codec to topics that come into being"
check "metadata lists a topic with one partition" \
    "$(kcat -b "$bootstrap" -L -t "${topics[0]}" | grep -c "topic \"${topics[0]}\" with 1 partitions")" 1

wanted() { for codec in "${codecs[@]}"; do records "$codec" " codec=$codec"; done; }
check "what was produced comes back in order, with keys and headers" \
    "$(kcat -b "$bootstrap" -C -t "${topics[0]}" -o beginning -e -q -f '%k:%s %h\n' | cksum)" "$(wanted | cksum)"

join() { # FILE
    kcat -b "$bootstrap" -G "$name" -X partition.assignment.strategy=roundrobin -X auto.offset.reset=earliest -X heartbeat.interval.ms=300 \
        -X session.timeout.ms=10000 -X topic.metadata.refresh.interval.ms=500 -u -f '%t %k\n' "${topics[@]}" >"$work/$1.out" 2>"$work/$1.err" &
    members+=($!)
}
# How many partitions the member's last assignment named ("assigned: a [0], b [0]"); 0 between assignments.
owned() { grep -E 'rebalanced|assigned|revoked' "$work/$1.err" 2>/dev/null | tail -n 1 | sed -n 's/.*assigned: //p' | grep -o '\[[0-9]*\]' | wc -l; }
share() { # FILES... : the sorted counts are the first argument
    local counts=$1
    shift
    [ "$(for file in "$@"; do owned "$file"; done | sort -n | tr '\n' ' ')" = "$counts" ]
}
join first
join second
wait_until "two members share three partitions" share "1 2 " first second
join third
wait_until "a third joins and each has one" share "1 1 1 " first second third
kill "${members[1]}"
wait_until "one leaves and the others share again" share "1 2 " first third
everything() { [ "$(cat "$work"/{first,second,third}.out | sort -u | wc -l)" = $((3 * ${#codecs[@]} * per_codec)) ]; }
wait_until "the group has seen every record" everything
kill "${members[0]}" "${members[2]}"
wait "${members[@]}" 2>/dev/null || true

for topic in "${topics[@]}"; do echo "later" | kcat -b "$bootstrap" -P -t "$topic"; done
join again
resumed() { [ "$(wc -l <"$work/again.out")" -ge 3 ]; }
wait_until "the group resumes" resumed
kill "${members[3]}"
wait "${members[3]}" 2>/dev/null || true
check "exactly where it had committed" "$(sort "$work/again.out")" "$(printf '%s \n' "${topics[@]}")"

check "the newest offset" "$(kcat -b "$bootstrap" -Q -t "${topics[0]}:0:-1")" "${topics[0]} [0] offset $((${#codecs[@]} * per_codec + 1))"
second_codec=$(kcat -b "$bootstrap" -C -t "${topics[0]}" -o "$per_codec" -c 1 -q -f '%T')
check "a timestamp finds the first record not before it" "$(kcat -b "$bootstrap" -Q -t "${topics[0]}:0:$second_codec")" \
    "${topics[0]} [0] offset $(kcat -b "$bootstrap" -C -t "${topics[0]}" -o beginning -e -q -f '%T %o\n' | awk -v at="$second_codec" '$1 >= at { print $2; exit }')"
