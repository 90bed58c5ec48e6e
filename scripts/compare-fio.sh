#!/usr/bin/env bash
# The lab beside fio: patterns that both can do, one after the other, in rounds whose order alternates.
#
#   scripts/compare-fio.sh DIR     on the disk that DIR lies on; under four minutes after the build; everything is removed again
#
# Same on both sides: one thread, a fresh file that every append extends (fallocate=none), bytes for each run, the same random block
# again and again (fio's scramble_buffers off, the lab's --same-block on), memory touched before, no sync that was not asked for, one
# processor. The last matters to io_uring where the filesystem has no asynchronous writes (ext4): each append goes to a worker of the
# kernel, and whether that runs on the other processor decides how long it takes (engine/decisions/0007-rings-and-processors.md).
# What fio does between two calls, its clock and books, is a tenth of a run of 4 KiB appends and more; the lab times one of 32. So where
# fio makes one call after the other its MB/s are those of the time in its calls.
# Status 0: all that can run here agree within 10 %. 1: some do not (a line for each says what is known), or none can run.
# 2: DIR is of no use. 3: no fio.
set -euo pipefail
# A round begins if it is likely to be over by then.
seconds=200
rounds=25

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
refuse() { echo "compare-fio: $1" >&2; exit "$2"; }
[ $# = 1 ] && [ "${1#-}" = "$1" ] || usage
[ -d "$1" ] || refuse "$1: no such directory: name a directory on the disk that is to be measured" 2
directory=$(cd "$1" && pwd)
own=$(mktemp -d "$directory/compare-fio.XXXXXX" 2>/dev/null) || refuse "$1: nothing can be written there: name a directory that you may write to" 2
results=$(mktemp -d)
trap 'rm -rf "$own" "$results"' EXIT
trap 'exit 130' INT TERM
free_mib=$(($(stat --file-system --format '%a * %S' "$own") >> 20))
[ "$free_mib" -ge 512 ] || refuse "$1: $free_mib MiB are free and 512 are needed: make room or name another directory" 2

if ! command -v fio >/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || refuse "no fio here: install it (Debian: fio)" 3
    { apt-get update && apt-get install -y --no-install-recommends fio; } >&2 || refuse "fio can't be had: apt-get install fio failed" 3
fi
command -v taskset >/dev/null || refuse "no taskset here, which keeps both on one processor: install it (Debian: util-linux)" 3
command -v python3 >/dev/null || refuse "no python3 here, which reads both reports: install it (Debian: python3)" 3
cd "$(dirname "$0")/.."
cargo build --release --quiet --package ringbench-cli
SECONDS=0

# The last one: the first is where devices most often interrupt.
one_processor="taskset --cpu-list $(taskset --cpu-list --pid $$ | grep -o '[0-9]*$')"

# Free memory that a virtual machine gave back to its host is dear to write for the first time: the lab touches it by itself.
touch_memory() { dd if=/dev/zero of="$own/touched" bs=64k count=$(($1 * 16)) status=none && rm "$own/touched"; }

lab() { # NAME MIB CONTESTANT SIZE
    $one_processor target/release/ringbench lab run --dir "$own" --out "$results/lab" --quick --no-roofline --repeats 1 --same-block \
        --only "$3" --sizes "$4" --bytes "$2MiB" >"$results/lab.log" 2>&1 || { tail -n 3 "$results/lab.log" >&2; exit 1; }
    mv "$results/lab/lab.json" "$results/$1.$round.lab"
}

fio_run() { # NAME MIB ARGUMENT ...
    local name=$1 mib=$2
    shift 2
    touch_memory "$mib"
    # What fio can't do here, the lab can't either and says why.
    $one_processor fio --name=pattern --directory="$own" --size="${mib}m" --rw=write --unlink=1 --fallocate=none --scramble_buffers=0 --thread=1 \
        --lat_percentiles=1 --output-format=json --output="$results/$name.$round.fio" "$@" 2>"$results/fio.log" || true
}

queue="--iodepth=16 --iodepth_batch=16 --iodepth_batch_complete_min=16"
registered="--direct=1 --fixedbufs=1 --registerfiles=1"

# Runs its arguments, from the last to the first in even rounds: what is compared is measured a second or two apart.
both() {
    local turn
    for turn in $(if [ $((round % 2)) = 0 ]; then seq $# -1 1; else seq $#; fi); do
        # shellcheck disable=SC2086  # words of a command
        ${!turn}
    done
}

for round in $(seq "$rounds"); do
    [ "$round" = 1 ] || [ $((SECONDS + SECONDS / (round - 1))) -le "$seconds" ] || break
    both "lab pwrite-4k 128 pwrite 4KiB" "fio_run pwrite-4k 128 --ioengine=psync --bs=4k"
    both "lab pwrite-64k 256 pwrite 64KiB" "fio_run pwrite-64k 256 --ioengine=psync --bs=64k"
    both "lab fdatasync-4k 2 pwrite-fdatasync 4KiB" "fio_run fdatasync-4k 2 --ioengine=psync --bs=4k --fdatasync=1"
    both "lab direct-64k 64 direct 64KiB" "fio_run direct-64k 64 --ioengine=psync --bs=64k --direct=1"
    # fio's rings have DEFER_TASKRUN too: the lab's plain one is no match for them.
    both "fio_run uring-64k 64 --ioengine=io_uring --bs=64k" "lab uring-64k 64 uring-defer 64KiB" \
        "fio_run uring-64k-16 64 --ioengine=io_uring --bs=64k $queue"
    both "fio_run uring-direct-64k 32 --ioengine=io_uring --bs=64k $registered" "lab uring-direct-64k 32 uring-direct 64KiB" \
        "fio_run uring-direct-64k-16 32 --ioengine=io_uring --bs=64k $registered $queue"
    echo "compare-fio: round $round, after $SECONDS s; load $(cut -d' ' -f1 /proc/loadavg)" >&2
done

python3 - "$results" <<'PYTHON'
import glob, json, math, os, statistics, sys

# Name of the pattern, of the lab's results, contestant, sync, appends that are queued together.
PATTERNS = [
    ("pwrite 4 KiB", "pwrite-4k", "pwrite-4k", "none", 1),
    ("pwrite 64 KiB", "pwrite-64k", "pwrite-64k", "none", 1),
    ("pwrite+fdatasync 4 KiB", "fdatasync-4k", "fdatasync-4k", "every", 1),
    ("O_DIRECT 64 KiB", "direct-64k", "direct-64k", "none", 1),
    ("io_uring 64 KiB", "uring-64k", "uring-64k", "none", 1),
    ("io_uring 64 KiB x 16", "uring-64k-16", "uring-64k", "none", 16),
    ("io_uring O_DIRECT 64 KiB", "uring-direct-64k", "uring-direct-64k", "none", 1),
    ("io_uring O_DIRECT 64 KiB x 16", "uring-direct-64k-16", "uring-direct-64k", "none", 16),
]
# What makes a pattern scatter.
SHARED = {
    "fdatasync-4k": "it shares flushes and the filesystem's journal with everything else that writes to the disk",
    "direct-64k": "it waits for the disk",
    "uring-direct-64k": "it waits for the disk",
    "uring-64k-16": "workers of the kernel (io-wq) do it where the filesystem has no asynchronous writes, and need a free processor",
    "uring-direct-64k-16": "appends that extend a file take turns, in workers of the kernel, and wait for the disk",
}
NEAR = 0.10

def of_lab(name, sync, queued, round):
    results = json.load(open(f"{sys.argv[1]}/{name}.{round}.lab"))
    for missing in results["unavailable"]:
        return f"{missing['reason']}: {missing['remedy']}"
    for cell in results["cells"]:
        if (cell["sync"], cell["queued"], cell["prepare"], cell["writers"]) == (sync, queued, "extend", 1):
            return cell["failure"] or (cell["latency_us"]["p50"], cell["mb_per_s"]["median"])

def of_fio(name, round):
    try:
        job = json.load(open(f"{sys.argv[1]}/{name}.{round}.fio"))["jobs"][0]
    except (OSError, ValueError):
        return "fio did not run"
    if job["error"] or not job["write"]["total_ios"]:
        return f"fio: error {job['error']}"
    median = lambda what: what["lat_ns"].get("percentile", {}).get("50.000000", 0) / 1e3
    # fio tells a write from the sync behind it: the lab's append is both.
    mean_s = sum(job[what]["lat_ns"].get("mean", 0) for what in ("write", "sync")) / 1e9
    one_by_one = job["job options"]["ioengine"] == "psync"
    rate = job["write"]["io_bytes"] / (mean_s * job["write"]["total_ios"]) if one_by_one else job["write"]["bw_bytes"]
    return median(job["write"]) + median(job["sync"]), rate / 1e6

def interval(ratios):
    """The median, and two ratios with the true one between them in 93 % of all cases or more, from five pairs on (fewer: their range)."""
    ratios = sorted(ratios)
    # The true median lies beyond the k-th smallest as often as a fair coin shows fewer than k heads.
    beyond = lambda k: 2 * sum(math.comb(len(ratios), heads) for heads in range(k)) / 2 ** len(ratios)
    cut = max((k - 1 for k in range(1, len(ratios) // 2 + 1) if beyond(k) <= 0.07), default=0)
    return statistics.median(ratios), ratios[cut], ratios[-1 - cut]

rounds = range(1, 1 + len(glob.glob(f"{sys.argv[1]}/pwrite-4k.*.lab")))
print(f"\n{'':30} {'median of one append, µs':^45}   {'MB/s':^45}")
print(f"{'pattern':30} {'lab':>8} {'fio':>8}  {'lab/fio':<26}   {'lab':>8} {'fio':>8}  {'lab/fio':<26} within 10 %")
why, failed, compared = [], False, 0
for title, name, lab_name, sync, queued in PATTERNS:
    pairs = [(of_lab(lab_name, sync, queued, round), of_fio(name, round)) for round in rounds]
    said = next((side for pair in pairs for side in pair if not isinstance(side, tuple)), None)
    if said:
        print(f"{title:30} not compared: {said}")
        continue
    compared += 1
    line, found = f"{title:30}", []
    for figure in (0, 1):
        lab, fio = ([pair[side][figure] for pair in pairs] for side in (0, 1))
        found.append(interval([l / f for l, f in zip(lab, fio)]))
        median, low, high = found[-1]
        ratio = f"{median:.2f} ({low:.2f} to {high:.2f})"
        line += f" {statistics.median(lab):8.1f} {statistics.median(fio):8.1f}  {ratio:<26}  "
    (time, time_low, time_high), (rate, rate_low, rate_high) = found
    # What a run moves in a second depends on what else the host does meanwhile: it counts where its rounds agree on a difference.
    time_differs = abs(time - 1) > NEAR
    rate_differs = rate_low > 1 + NEAR or rate_high < 1 - NEAR
    print(line + ("no" if time_differs or rate_differs else "yes"))
    failed |= time_differs or rate_differs
    if time_differs and time_low <= 1 + NEAR and time_high >= 1 - NEAR:
        why.append(f"{title}: the rounds themselves differ by a factor of {time_high / time_low:.1f} in the ratio, and reach "
                   "within 10 %: the host or its disk was busy with something else; try again when it is quiet")
        why[-1] += f"; {SHARED[name]}" if name in SHARED else ""
    elif time_differs:
        why.append(f"{title}: all rounds agree that one append takes {time:.2f} times as long in the lab: "
                   + SHARED.get(name, "not explained"))
    elif rate_differs:
        why.append(f"{title}: one append takes the same ({time:.2f}), but {rate:.2f} times the bytes go in a second: what lies "
                   "between two appends, or few that take very long")
print(f"\n{len(rounds)} rounds; lab/fio is the median over pairs of runs of one round, with the range that it lies in. "
      "An append counts by\nits median time; MB/s, which whatever else runs on the host disturbs, where all that range lies outside of 10 %.")
load, cpus = os.getloadavg()[0], os.cpu_count()
if why and load > 1.5:
    # The comparison itself is one.
    print(f"The load average was {load:.1f} on {cpus} processors, of which the comparison makes 1: the host was not quiet.")
print("\n".join(why) if compared else "nothing was compared")
sys.exit(failed or not compared)
PYTHON
