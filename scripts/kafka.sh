#!/usr/bin/env bash
# Apache Kafka beside us: one broker of the real thing for tests and comparisons, and its command-line tools.
#
#   scripts/kafka.sh install                     fetch the jars from Maven, once
#   scripts/kafka.sh start DIR [key=value ...]   format DIR, start a broker on free loopback ports, print its bootstrap address
#   scripts/kafka.sh stop DIR                    end that broker; DIR stays
#   scripts/kafka.sh tool NAME [ARG ...]         run one of Kafka's tools: topics, console-consumer, dump-log, ...
#
# RINGLOG_KAFKA_PORT fixes the port of `start`; RINGLOG_KAFKA_HEAP is its heap (768m). The jars stay in RINGLOG_INTEROP_CACHE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${RINGLOG_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ringlog-interop}
pom=$here/../engine/interop/clients/java/pom.xml

# The versions stand in one place, the pom of the Java client; its checksum names the folder of its jars.
jars=$cache/java-$(cksum <"$pom" | cut -d' ' -f1)
classpath="$jars/*"

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

install() {
    [ -e "$jars/.complete" ] && return
    command -v java >/dev/null || { echo "kafka: no java: install a JRE 17 (Debian: openjdk-17-jre-headless)" >&2; exit 3; }
    command -v mvn >/dev/null || { echo "kafka: no mvn: install Maven (Debian: maven)" >&2; exit 3; }
    mkdir -p "$jars"
    mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies -DoutputDirectory="$jars" >&2
    touch "$jars/.complete"
}

start() {
    [ $# -ge 1 ] || usage
    local dir=$1 port controller pid
    shift
    install
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    port=${RINGLOG_KAFKA_PORT:-$("$here/free-port.sh")}
    controller=$("$here/free-port.sh")
    cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
    printf '%s\n' "$@" >>"$dir/server.properties"
    if [ ! -e "$dir/data/meta.properties" ]; then
        java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$classpath" kafka.tools.StorageTool \
            format -t cmluZ2xvZy1pbnRlcm9wMQ -c "$dir/server.properties" >"$dir/format.log" 2>&1 ||
            { cat "$dir/format.log" >&2; exit 1; }
    fi
    # The flags of Kafka's own start script, with a smaller heap.
    setsid java -Xms256m "-Xmx${RINGLOG_KAFKA_HEAP:-768m}" -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
        -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true \
        -cp "$classpath" kafka.Kafka "$dir/server.properties" >"$dir/kafka.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$dir/kafka.pid"
    for _ in $(seq 600); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && { echo "127.0.0.1:$port"; return; }
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    echo "kafka: it did not come up; the end of $dir/kafka.log:" >&2
    tail -n 20 "$dir/kafka.log" >&2
    kill "$pid" 2>/dev/null
    exit 1
}

stop() {
    [ $# -eq 1 ] && [ -e "$1/kafka.pid" ] || usage
    local pid
    pid=$(cat "$1/kafka.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 150); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$1/kafka.pid"
}

tool() {
    [ $# -ge 1 ] || usage
    local name=$1 class
    shift
    case "$name" in
        topics) class=org.apache.kafka.tools.TopicCommand ;;
        console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
        console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
        consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
        configs) class=kafka.admin.ConfigCommand ;;
        get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
        producer-perf-test) class=org.apache.kafka.tools.ProducerPerformance ;;
        consumer-perf-test) class=org.apache.kafka.tools.ConsumerPerformance ;;
        dump-log) class=org.apache.kafka.tools.DumpLogSegments ;;
        *) echo "kafka: no tool named $name" >&2; usage ;;
    esac
    install
    # Short-lived: the first compiler only, and the small collector.
    exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$classpath" "$class" "$@"
}

[ $# -ge 1 ] || usage
command=$1
shift
case "$command" in
    install) install; echo "$jars" ;;
    start | stop | tool) "$command" "$@" ;;
    *) usage ;;
esac
