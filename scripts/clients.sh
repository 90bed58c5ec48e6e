#!/usr/bin/env bash
# Other people's Kafka clients, pinned, each walking through the same course against a broker:
# topics, keyed records with every codec, a group of three while one joins and one leaves, commit, resume, time look-up, lag.
#
#   scripts/clients.sh install [NAME ...]               fetch and build; all when none is named
#   scripts/clients.sh run NAME HOST:PORT [DATA-DIR]    the course of one client
#
# NAME: kcat java kafka-tools franz-go kafka-go kafka-python confluent kafkajs
# Status 3 of `install` and `run`: the client can't be had here; stderr says why. Packages stay in RINGLOG_INTEROP_CACHE.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
clients=$root/engine/interop/clients
cache=${RINGLOG_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ringlog-interop}
names=(kcat java kafka-tools franz-go kafka-go kafka-python confluent kafkajs)

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
unavailable() { echo "clients: $1 can't be had: $2" >&2; exit 3; }
stamp() { cat "$@" | cksum | cut -d' ' -f1; }

# Runs its arguments in a new folder that becomes $1 only when they succeed, one process at a time.
once() {
    local folder=$1
    shift
    mkdir -p "$cache"
    exec 8>"$folder.lock"
    flock 8
    if [ ! -e "$folder" ]; then
        rm -rf "$folder.part"
        mkdir "$folder.part"
        "$@" "$folder.part" >"$folder.log" 2>&1 || { tail -n 5 "$folder.log" >&2; unavailable "$name" "see $folder.log"; }
        mv "$folder.part" "$folder"
    fi
    exec 8>&-
}

need() { command -v "$1" >/dev/null || unavailable "$name" "no $1 here; ${2:-install it}"; }

install_kcat() {
    command -v kcat >/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || unavailable kcat "install it (Debian: kcat)"
    { apt-get update && apt-get install -y --no-install-recommends kcat; } >&2 || unavailable kcat "apt-get install kcat failed"
}

jars() { "$root/scripts/kafka.sh" install || unavailable "$name" "Maven could not fetch Kafka's jars"; }
install_java() {
    need javac "install a JDK 17 (Debian: openjdk-17-jdk-headless)"
    classpath=$(jars)/*
    folder=$cache/java-course-$(stamp "$clients/java/Course.java" "$clients/java/pom.xml")
    once "$folder" compile_java
}
compile_java() { javac -cp "$classpath" -d "$1" "$clients/java/Course.java"; }

install_go() {
    need go "install Go 1.26"
    folder=$cache/go-$1-$(stamp "$clients/go-$1"/*)
    source=$clients/go-$1
    once "$folder" build_go
}
build_go() { (cd "$source" && go build -trimpath -o "$1/course" .); }

# A venv holds absolute paths: its folder must not be renamed, so packages are installed to a target folder.
install_python() {
    need python3 "install Python 3.9 or later"
    folder=$cache/python-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$(stamp "$clients/python/requirements.txt")
    once "$folder" fetch_python
}
fetch_python() { python3 -m pip install --quiet --no-deps --only-binary=:all: --target "$1" --requirement "$clients/python/requirements.txt"; }

install_node() {
    need npm "install Node.js 18 or later"
    folder=$cache/node-$(stamp "$clients/node/package-lock.json")
    once "$folder" fetch_node
}
fetch_node() { cp "$clients/node"/package*.json "$1" && npm --prefix "$1" ci --ignore-scripts --no-audit --no-fund; }

prepare() {
    name=$1
    case "$name" in
        kcat) install_kcat ;;
        java) install_java ;;
        kafka-tools) jars >/dev/null ;;
        franz-go) install_go franz ;;
        kafka-go) install_go kafka-go ;;
        kafka-python | confluent) install_python ;;
        kafkajs) install_node ;;
        *) echo "clients: no client named $name" >&2; usage ;;
    esac
}

run() {
    [ $# -ge 2 ] || usage
    prepare "$1"
    local bootstrap=$2
    case "$1" in
        kcat) exec bash "$clients/shell/kcat.sh" "$bootstrap" ;;
        java) exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$folder:$classpath" Course "$bootstrap" ;;
        kafka-tools) exec bash "$clients/shell/kafka-tools.sh" "$bootstrap" ${3:+"$3"} ;;
        franz-go | kafka-go) exec "$folder/course" "$bootstrap" ;;
        kafka-python) PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$folder exec python3 "$clients/python/with_kafka_python.py" "$bootstrap" ;;
        confluent) PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$folder exec python3 "$clients/python/with_confluent.py" "$bootstrap" ;;
        kafkajs) KAFKAJS_NO_PARTITIONER_WARNING=1 NODE_PATH=$folder/node_modules exec node "$clients/node/course.js" "$bootstrap" ;;
    esac
}

[ $# -ge 1 ] || usage
command=$1
shift
case "$command" in
    install) [ $# -gt 0 ] || set -- "${names[@]}"; for each in "$@"; do prepare "$each"; echo "clients: $each is ready" >&2; done ;;
    run) run "$@" ;;
    *) usage ;;
esac
