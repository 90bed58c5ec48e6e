# What both shell courses use: checks that print a line or end the course, and patience. Sourced.

work=$(mktemp -d)
members=()
trap 'for pid in "${members[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

check() { # WHAT GOT WANTED
    [ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"
    echo "ok: $1"
}

wait_until() { # WHAT COMMAND...
    local what=$1
    shift
    for _ in $(seq 400); do
        "$@" && { echo "ok: $what"; return; }
        sleep 0.1
    done
    tail -n 5 "$work"/*.err >&2 2>/dev/null || true
    fail "$what: not within 40 s"
}
