"""What both Python clients walk through: names, the records that are produced, waiting, and members of a group as threads."""

import os
import sys
import threading
import time
import traceback

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 6
PER_CODEC = 60
PATIENCE_S = 90


def unique(client):
    return f"interop-{client}-{os.getpid()}-{time.time_ns() % 10**9}"


def records(codec):
    """Keyed records of some length, so that every codec has something to do."""
    return [(f"{codec}-{i}".encode(), f"{codec} record {i} ".encode() * 8) for i in range(PER_CODEC)]


EXPECTED = {key: value for codec in CODECS for key, value in records(codec)}


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAILED: {what}: got {got!r}, wanted {wanted!r}")
    print(f"ok: {what}", flush=True)


def wait_until(what, condition):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            print(f"ok: {what}", flush=True)
            return
        time.sleep(0.05)
    sys.exit(f"FAILED: {what}: not within {PATIENCE_S} s")


class Member(threading.Thread):
    """One member of a group. `poll(member)` stores what came in `seen` and its partitions in `assigned`, and gives whether
    anything came; `commit(consumer)` gives whether it was not refused."""

    def __init__(self, name, open_consumer, poll, commit):
        super().__init__(daemon=True)
        self.member = name
        self.open_consumer, self.poll, self.commit = open_consumer, poll, commit
        self.assigned, self.seen, self.is_behind = frozenset(), {}, False
        self.leaving = threading.Event()
        self.start()

    def run(self):
        try:
            self.consumer = self.open_consumer(self.member)
            while not self.leaving.is_set():
                self.is_behind = self.poll(self) or self.is_behind
                # What a rebalance refuses is committed at the next step, or read again by the partition's next owner.
                self.is_behind = self.is_behind and not self.commit(self.consumer)
            self.consumer.close()
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    def leave(self):
        self.leaving.set()
        self.join(PATIENCE_S)


def walk_through_a_group(open_consumer, poll, commit, lag):
    """Two members, a third joins, the second leaves; the others stay until the group has seen and committed every record."""

    def shares(*members):
        """Whether these members hold every partition between them, each once and evenly."""
        held = [p for m in members for p in m.assigned]
        even = all(len(m.assigned) == PARTITIONS // len(members) for m in members)
        return even and len(held) == len(set(held)) == PARTITIONS

    first, second = (Member(name, open_consumer, poll, commit) for name in ("first", "second"))
    wait_until("two members share six partitions", lambda: shares(first, second))
    third = Member("third", open_consumer, poll, commit)
    wait_until("a third joins and each has two", lambda: shares(first, second, third))
    second.leave()
    wait_until("one leaves and the others have three each", lambda: shares(first, third))
    members = (first, second, third)
    wait_until("the group has seen every record", lambda: len({k for m in members for k in list(m.seen)}) == len(EXPECTED))
    seen = {**first.seen, **second.seen, **third.seen}
    check("keys and values came back as they were produced, whatever the codec", seen, EXPECTED)
    wait_until("the group commits all it saw: no lag", lambda: lag() == 0)
    first.leave()
    third.leave()
