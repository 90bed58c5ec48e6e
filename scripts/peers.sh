#!/usr/bin/env bash
# Brokers to compare with, each from its own package, alone in a directory on free ports of loopback.
#
#   scripts/peers.sh list                                               peers, packages, and what backs an acknowledgement
#   scripts/peers.sh install NAME                                       fetch it, once; prints its version
#   scripts/peers.sh start NAME [--profile default|durable] [--dir D]   start it in D, which is new; prints one line when it is ready
#   scripts/peers.sh stop NAME [--dir D]                                end what `start` started there, and remove D
#
# The line of `start`: peer=NAME version=V profile=P durability=D replication=1 pid=N url=U; U is what ringbench takes as a target.
# A broker with several kinds of queues has also=U,U behind it.
# Durability is what an acknowledgement has behind it: memory, page-cache, fsync, or fsync:TIME where it is on disk so much later at
# most; queue: the kind of queue decides (quorum, and classic before RabbitMQ 3.13: fsync; stream, and classic since: page-cache).
# D is /tmp/ringlog-peer-NAME unless named.
# Packages stay in RINGLOG_PEERS_CACHE; RINGLOG_PEER_HEAP is the heap of those in Java (768m).
# Status 3: the peer can't be had here; stderr says why.
set -euo pipefail
scripts=$(cd "$(dirname "$0")" && pwd)
cache=${RINGLOG_PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ringlog-peers}
heap=${RINGLOG_PEER_HEAP:-768m}
ready_limit_s=90

# The settings of the last column are what the durable profile adds to the defaults; "-" where the defaults are durable, or where
# the client decides.
peers() {
    cat <<'PEERS'
# name      from    package                                                                        default     durable  settings
kafka       kafka   -                                                                              page-cache  fsync    log.flush.interval.messages=1
redis       debian  redis-server                                                                   memory      fsync    --appendonly yes --appendfsync always
nats        go      github.com/nats-io/nats-server/v2@v2.15.2                                      fsync:120s  fsync    sync_interval: always
rabbitmq    debian  rabbitmq-server                                                                queue       queue    -
activemq    jars    org.apache.activemq:activemq-console,activemq-kahadb-store,activemq-stomp:6.3.1 fsync       fsync    -
artemis     jars    org.apache.activemq:artemis-cli,artemis-stomp-protocol:2.44.0                  fsync       fsync    -
rocketmq    jars    org.apache.rocketmq:rocketmq-broker:5.4.0                                      fsync:10s   fsync    flushDiskType=SYNC_FLUSH
pulsar      jars    org.apache.pulsar:pulsar-broker:4.0.7                                          page-cache  fsync    journalSyncData=true
PEERS
}

usage() { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }
unavailable() { echo "peers: $name can't be had: $*" >&2; exit 3; }
failed() { echo "peers: $name: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || unavailable "no $1 here: install ${2:-it}"; }

# --- How a package is fetched: each fills the folder $home.

install() {
    home=$cache/$name-$(printf '%s\n' "$package" | tr -c 'A-Za-z0-9.\n' -)
    mkdir -p "$cache"
    exec 8>"$home.lock"
    flock 8
    if [ ! -e "$home/.complete" ]; then
        rm -rf "$home"
        mkdir "$home"
        ("from_$from") >"$home.log" 2>&1 8>&- || { tail -n 5 "$home.log" >&2; unavailable "the end of $home.log is above"; }
        touch "$home/.complete"
    fi
    exec 8>&-
    version=$("version_$from")
}

from_kafka() { "$scripts/kafka.sh" install; }
version_kafka() { sed -n '/kafka-tools/{n;s/.*>\(.*\)<.*/\1/p}' "$scripts/../engine/interop/clients/java/pom.xml"; }

# Unpacked, not installed: no root needed, and no service of the package is started. What is installed already serves as it is.
from_debian() {
    need apt-get "a Debian or Ubuntu"
    mkdir -p "$home/debs/partial"
    apt-get --yes --no-install-recommends --reinstall --download-only -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
        -o Dir::Cache::archives="$home/debs" install "$package"
    for deb in "$home"/debs/*.deb; do dpkg-deb --extract "$deb" "$home"; done
}
version_debian() { dpkg-deb --field "$home/debs/$package"_*.deb Version | sed 's/^[0-9]*://'; }

from_go() {
    need go "Go 1.25 or later"
    GOBIN=$home go install -trimpath "$package"
}
version_go() { echo "${package##*@v}"; }

# group:artifact,artifact:version
from_jars() {
    need java "a JRE 17 (Debian: openjdk-17-jre-headless)" && need mvn "Maven (Debian: maven)"
    local group artifacts artifact
    IFS=: read -r group artifacts _ <<<"$package"
    cat >"$home/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion><groupId>ringlog</groupId><artifactId>peer</artifactId><version>1</version>
  <dependencies>
$(for artifact in ${artifacts//,/ }; do
        echo "    <dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>${package##*:}</version></dependency>"
    done)
  </dependencies>
</project>
POM
    mvn --batch-mode --file "$home/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$home"
}
version_jars() { echo "${package##*:}"; }

# --- How each is started: sets $url, and launches its processes; the last one launched is the broker. It is ready when its port is
# open, and it has said what is in $says.

serve_kafka() {
    # shellcheck disable=SC2086 # one setting a word
    url=kafka://$(RINGLOG_KAFKA_PORT=$port RINGLOG_KAFKA_HEAP=$heap "$scripts/kafka.sh" start "$dir/kafka" $settings)
    keep "$(cat "$dir/kafka/kafka.pid")"
}

serve_redis() {
    url="redis://127.0.0.1:$port?durability=$durability"
    # shellcheck disable=SC2086 # one argument a word
    LD_LIBRARY_PATH=$(echo "$home"/usr/lib/*-linux-*) launch "$home/usr/bin/redis-server" \
        --bind 127.0.0.1 --port "$port" --dir "$dir" $settings
}

serve_nats() {
    url="nats://127.0.0.1:$port?durability=$durability"
    printf 'listen: "127.0.0.1:%s"\njetstream { store_dir: "%s", %s }\n' "$port" "$dir/data" "$settings" >"$dir/nats.conf"
    launch "$home/nats-server" --config "$dir/nats.conf"
}

serve_rabbitmq() {
    local erlang=$home/usr/lib/erlang streams
    streams=$("$scripts/free-port.sh")
    url="amqp://127.0.0.1:$port also=amqp+quorum://127.0.0.1:$port,rabbitmq-stream://127.0.0.1:$streams"
    printf '%s\n' "listeners.tcp.1 = 127.0.0.1:$port" "stream.listeners.tcp.1 = 127.0.0.1:$streams" >"$dir/rabbitmq.conf"
    echo '[rabbitmq_stream].' >"$dir/plugins"
    # Erlang's start script holds the path at which its package would be installed.
    sed -i "s|ROOTDIR=/.*|ROOTDIR=$erlang|" "$erlang/bin/erl"
    ERL_EPMD_PORT=$("$scripts/free-port.sh")
    export ERL_EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1 HOME=$dir PATH=$erlang/bin:$PATH
    export RABBITMQ_NODENAME=ringlog@localhost RABBITMQ_DIST_PORT=$((ERL_EPMD_PORT + 1)) RABBITMQ_CONFIG_FILE=$dir/rabbitmq
    export RABBITMQ_MNESIA_BASE=$dir/data RABBITMQ_LOG_BASE=$dir/log RABBITMQ_ENABLED_PLUGINS_FILE=$dir/plugins
    export RABBITMQ_PID_FILE=$dir/broker.pid RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
    launch "$erlang/bin/epmd"
    launch "$home"/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server
}

serve_activemq() {
    url=activemq://127.0.0.1:$port
    launch java "-Xmx$heap" -Dactivemq.home="$dir" -Dactivemq.base="$dir" -cp "$home/*" org.apache.activemq.console.Main start \
        "broker:(stomp+nio://127.0.0.1:$port)?brokerName=ringlog&persistent=true&useJmx=false&dataDirectory=$dir/data"
}

serve_artemis() {
    url=artemis://127.0.0.1:$port
    local main=org.apache.activemq.artemis.cli.Artemis at=(-Dartemis.home="$dir" -cp "$home/*")
    java "${at[@]}" $main create "$dir/broker" --silent --user ringlog --password ringlog --allow-anonymous --no-web --no-autotune \
        --no-amqp-acceptor --no-hornetq-acceptor --no-mqtt-acceptor --no-stomp-acceptor --host 127.0.0.1 --default-port "$port" \
        >"$dir/log.txt" 2>&1 || { tail -n 5 "$dir/log.txt" >&2; return; }
    # Its guard against a full disk refuses records from 90 % on.
    sed -i 's|<max-disk-usage>.*<|<max-disk-usage>99<|' "$dir/broker/etc/broker.xml"
    launch java "-Xmx$heap" "${at[@]}" -Dartemis.instance="$dir/broker" -Dartemis.instance.etc="$dir/broker/etc" \
        -Djava.security.auth.login.config="$dir/broker/etc/login.config" $main run
}

serve_rocketmq() {
    url="rocketmq://127.0.0.1:$port?durability=$durability"
    printf '%s\n' brokerName=ringlog brokerIP1=127.0.0.1 bindAddress=127.0.0.1 "listenPort=$port" "storePathRootDir=$dir/store" \
        "storePathCommitLog=$dir/store/commitlog" "$settings" >"$dir/broker.conf"
    # Clients come to the broker itself: it needs no name server.
    ROCKETMQ_HOME=$dir launch java "-Xmx$heap" -Drocketmq.log.root.dir="$dir" -Duser.home="$dir" -cp "$home/*" \
        --add-exports=java.base/jdk.internal.ref=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED \
        org.apache.rocketmq.broker.BrokerStartup -c "$dir/broker.conf"
}

serve_pulsar() {
    local web bookie
    web=$("$scripts/free-port.sh") bookie=$("$scripts/free-port.sh")
    url="pulsar://127.0.0.1:$port?durability=$durability"
    says='Created namespace public/default'
    # What the standalone.conf of Pulsar's own archive says of its bookie, which the jars do not have; but its guard against a full
    # disk takes no topics from 95 % on.
    printf '%s\n' "brokerServicePort=$port" "webServicePort=$web" bindAddress=127.0.0.1 advertisedAddress=127.0.0.1 \
        clusterName=standalone allowAutoTopicCreation=true managedLedgerDefaultEnsembleSize=1 managedLedgerDefaultWriteQuorum=1 \
        managedLedgerDefaultAckQuorum=1 ledgerStorageClass=org.apache.bookkeeper.bookie.storage.ldb.DbLedgerStorage \
        journalMaxGroupWaitMSec=1 flushInterval=60000 diskUsageThreshold=0.99 "${settings:-journalSyncData=false}" >"$dir/standalone.conf"
    launch java "-Xmx$heap" "-XX:MaxDirectMemorySize=$heap" -cp "$home/*" \
        --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/jdk.internal.misc=ALL-UNNAMED \
        --add-opens=java.base/sun.net=ALL-UNNAMED --add-opens=java.management/sun.management=ALL-UNNAMED \
        -Dpulsar.allocator.exit_on_oom=true -Dio.netty.tryReflectionSetAccessible=true \
        org.apache.pulsar.PulsarStandaloneStarter --config "$dir/standalone.conf" --bookkeeper-dir "$dir/bookkeeper" \
        --metadata-dir "$dir/metadata" --bookkeeper-port "$bookie" --advertised-address 127.0.0.1 \
        --no-functions-worker --no-stream-storage --num-bookies 1
}

# --- Processes: each leads a session of its own. `stop` knows it again by its number and the tick at which it began.

launch() {
    (cd "$dir" && exec setsid "$@") >>"$dir/log.txt" 2>&1 </dev/null &
    keep $!
}

keep() { echo "$1 $(born "$1")" >>"$dir/pids"; }

# The tick at which a process began; nothing when it has ended.
born() { sed -n 's/.*) [^ZX]\( [^ ]*\)\{18\} \([^ ]*\).*/\2/p' "/proc/$1/stat" 2>/dev/null || true; }

start() {
    [ ! -e "$dir" ] || failed "$dir is there already: stop the one in it (scripts/peers.sh stop $name --dir $dir), or name another with --dir"
    install
    mkdir -p "$dir"
    touch "$dir/ringlog-peer"
    local port pid says='' until=$((SECONDS + ready_limit_s))
    port=$("$scripts/free-port.sh")
    "serve_$name"
    pid=$(tail -n 1 "$dir/pids" 2>/dev/null | cut -d' ' -f1) || true
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && { [ -z "$says" ] || grep -q "$says" "$dir/log.txt"; }; do
        if [ -z "$pid" ] || [ -z "$(born "$pid")" ] || [ $SECONDS -ge $until ]; then
            tail -n 20 "$dir/log.txt" >&2
            stop
            failed "it did not come up; the end of what it said is above"
        fi
        sleep 0.2
    done
    [ ! -e "$dir/broker.pid" ] || pid=$(cat "$dir/broker.pid")
    echo "peer=$name version=$version profile=$profile durability=$durability replication=1 pid=$pid url=$url"
}

stop() {
    [ -e "$dir/ringlog-peer" ] || failed "no peer was started in $dir"
    local pid tick until=$((SECONDS + 20))
    while read -r pid tick; do
        [ "$(born "$pid")" = "$tick" ] || continue
        kill -- "-$pid" 2>/dev/null || true
        while [ "$(born "$pid")" = "$tick" ] && [ $SECONDS -lt $until ]; do sleep 0.1; done
        kill -9 -- "-$pid" 2>/dev/null || true
    done < <(tac "$dir/pids" 2>/dev/null)
    rm -rf "$dir"
}

command=${1:-}
[ "$command" != list ] || { peers; exit; }
[ $# -ge 2 ] || usage
name=$2 profile=default dir=
shift 2
while [ $# -ge 2 ]; do
    case "$1" in
        --profile) profile=$2 ;;
        --dir) dir=$2 ;;
        *) usage ;;
    esac
    shift 2
done
[ $# = 0 ] || usage
dir=$(realpath --canonicalize-missing "${dir:-${TMPDIR:-/tmp}/ringlog-peer-$name}")
read -r _ from package default durable settings < <(peers | grep "^$name ") || { echo "peers: no peer named $name" >&2; usage; }
[ "$settings" != - ] || settings=
case "$profile" in
    default) durability=$default settings= ;;
    durable) durability=$durable ;;
    *) usage ;;
esac
case "$command" in
    install) install; echo "$version" ;;
    start | stop) "$command" ;;
    *) usage ;;
esac
