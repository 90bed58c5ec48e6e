"""kafka-python against the broker whose address is the first argument: one line per check, status 1 at the first failure."""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CommitFailedError, RebalanceInProgressError

from course import CODECS, EXPECTED, PARTITIONS, check, records, unique, walk_through_a_group

bootstrap = sys.argv[1]
topic, group, clock = unique("kafka-python"), unique("group"), unique("clock")
partitions = [TopicPartition(topic, p) for p in range(PARTITIONS)]

admin = KafkaAdminClient(bootstrap_servers=bootstrap)
admin.create_topics({topic: {"num_partitions": PARTITIONS, "replication_factor": 1}}, wait_for_metadata=True)
check("a created topic is listed", topic in admin.list_topics(), True)

for codec in CODECS:
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec, linger_ms=20)
    sent = [producer.send(topic, key=k, value=v, headers=[("codec", codec.encode())]) for k, v in records(codec)]
    producer.close()
    check(f"{codec}: every record is acknowledged with its offset", all(s.get(10).offset >= 0 for s in sent), True)


def consumer(member=None, **settings):
    return KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, client_id=member or "alone", enable_auto_commit=False,
        auto_offset_reset="earliest", heartbeat_interval_ms=300, session_timeout_ms=10000, **settings)


def open_member(name):
    c = consumer(name)
    c.subscribe([topic])
    return c


def poll(member):
    got = member.consumer.poll(timeout_ms=500)
    member.assigned = frozenset(p.partition for p in member.consumer.assignment())
    for r in (r for rs in got.values() for r in rs):
        check_header(r)
        member.seen[r.key] = r.value
    return bool(got)


def commit(consumer):
    try:
        consumer.commit()
    except (CommitFailedError, RebalanceInProgressError):
        return False
    return True


def check_header(record):
    if record.headers != [("codec", record.key.split(b"-")[0])]:
        sys.exit(f"FAILED: headers of {record.key}: {record.headers}")


ends_reader = KafkaConsumer(bootstrap_servers=bootstrap)


def lag():
    committed = admin.list_group_offsets({group: partitions})[group]
    ends = ends_reader.end_offsets(partitions)
    return sum(ends[p] - max(committed[p].offset, 0) for p in partitions)


walk_through_a_group(open_member, poll, commit, lag)

producer = KafkaProducer(bootstrap_servers=bootstrap)
for p in range(PARTITIONS):
    producer.send(topic, value=b"later", partition=p)
producer.flush()
check("the group lags by what came later", lag(), PARTITIONS)

alone = open_member("again")
resumed = []
for _ in range(100):
    resumed += [r.value for rs in alone.poll(timeout_ms=200).values() for r in rs]
    if len(resumed) >= PARTITIONS:
        break
check("the group resumes where it had committed", resumed, [b"later"] * PARTITIONS)
described = admin.describe_groups([group])[group]
check("the group is stable with one member", (described["group_state"], len(described["members"])), ("Stable", 1))
alone.close()

admin.create_topics({clock: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
for i in range(10):
    producer.send(clock, value=b"tick", partition=0, timestamp_ms=1_000_000 + 100 * i)
producer.flush()
at = TopicPartition(clock, 0)
found = KafkaConsumer(bootstrap_servers=bootstrap).offsets_for_times({at: 1_000_350})[at]
check("a timestamp finds the first record not before it", (found.offset, found.timestamp), (4, 1_000_400))
after = KafkaConsumer(bootstrap_servers=bootstrap).offsets_for_times({at: 2_000_000})[at]
check("a timestamp after the last record finds none", after, None)

admin.delete_groups([group])
check("a deleted group has no offsets", [o.offset for o in admin.list_group_offsets({group: [partitions[0]]})[group].values()], [-1])
admin.delete_topics([topic, clock])
check("deleted topics are gone", {topic, clock} & set(admin.list_topics()), set())
