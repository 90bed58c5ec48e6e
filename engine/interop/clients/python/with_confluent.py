"""confluent-kafka-python against the broker whose address is the first argument: one line per check, status 1 at the first failure."""

import sys

from confluent_kafka import (
    Consumer, ConsumerGroupTopicPartitions, ElectionType, KafkaError, KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import (
    AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
    ResourcePatternType, ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion,
    UserScramCredentialUpsertion)

from course import CODECS, PARTITIONS, check, records, unique, wait_until, walk_through_a_group

bootstrap = sys.argv[1]
topic, group, clock = unique("confluent"), unique("group"), unique("clock")
partitions = [TopicPartition(topic, p) for p in range(PARTITIONS)]

admin = AdminClient({"bootstrap.servers": bootstrap})
for name, count in ((topic, PARTITIONS - 2), (clock, 1)):
    admin.create_topics([NewTopic(name, count, 1, config={"retention.ms": "-1"})])[name].result(20)
admin.create_partitions([NewPartitions(topic, PARTITIONS)])[topic].result(20)
wait_until("a created topic has the partitions that were added", lambda: len(admin.list_topics(topic, 10).topics[topic].partitions) == PARTITIONS)
resource = ConfigResource(ResourceType.TOPIC, topic)
check("its configuration is described", admin.describe_configs([resource])[resource].result(20)["retention.ms"].value, "-1")


def produce(settings, messages):
    failures, offsets = [], []
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, **settings})
    for message in messages:
        producer.produce(on_delivery=lambda e, m: failures.append(e) if e else offsets.append(m.offset()), **message)
    check("every record is acknowledged", (producer.flush(20), failures, len(offsets)), (0, [], len(messages)))


for codec in CODECS:
    print(f"ok: producing with {codec}")
    produce(
        {"compression.type": codec, "enable.idempotence": True},
        [dict(topic=topic, key=k, value=v, headers={"codec": codec.encode()}) for k, v in records(codec)])


def consumer(settings={}):
    return Consumer({
        "bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest",
        "heartbeat.interval.ms": 300, "session.timeout.ms": 10000, **settings})


def open_member(name):
    c = consumer({"client.id": name, "partition.assignment.strategy": "cooperative-sticky"})
    c.subscribe([topic])
    return c


def poll(member):
    got = member.consumer.consume(100, timeout=0.1)
    member.assigned = frozenset(p.partition for p in member.consumer.assignment())
    for m in got:
        if m.error():
            sys.exit(f"FAILED: a member was given {m.error()}")
        if m.headers() != [("codec", m.key().split(b"-")[0])]:
            sys.exit(f"FAILED: headers of {m.key()}: {m.headers()}")
        member.seen[m.key()] = m.value()
    return bool(got)


def commit(consumer):
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as refused:
        if refused.args[0].code() in (KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS):
            return False
        if refused.args[0].code() != KafkaError._NO_OFFSET:
            raise
    return True


def lag():
    request = ConsumerGroupTopicPartitions(group, partitions)
    committed = admin.list_consumer_group_offsets([request])[group].result(20).topic_partitions
    ends = admin.list_offsets({p: OffsetSpec.latest() for p in partitions})
    return sum(ends[p].result(20).offset - max(c.offset, 0) for p, c in zip(partitions, committed))


walk_through_a_group(open_member, poll, commit, lag)
produce({}, [dict(topic=topic, value=b"later", partition=p) for p in range(PARTITIONS)])
check("the group lags by what came later", lag(), PARTITIONS)

alone, resumed = open_member("again"), []
wait_until("the group resumes", lambda: resumed.extend(m.value() for m in alone.consume(100, timeout=0.2)) or len(resumed) >= PARTITIONS)
check("exactly where it had committed", resumed, [b"later"] * PARTITIONS)
described = admin.describe_consumer_groups([group])[group].result(20)
check("the group is stable with one member", (described.state.name, len(described.members)), ("STABLE", 1))
alone.commit(asynchronous=False)
alone.close()

produce({}, [dict(topic=clock, value=b"tick", partition=0, timestamp=1_000_000 + 100 * i) for i in range(10)])
reader = consumer()
check("a timestamp finds the first record not before it", reader.offsets_for_times([TopicPartition(clock, 0, 1_000_350)], 10)[0].offset, 4)
check("a timestamp after the last record finds the end", reader.offsets_for_times([TopicPartition(clock, 0, 2_000_000)], 10)[0].offset, -1)
check("low and high watermark", reader.get_watermark_offsets(TopicPartition(clock, 0), 10), (0, 10))
reader.close()



def code(outcome):
    try:
        outcome.result(20)
    except KafkaException as refused:
        return refused.args[0].code()


elected = admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition(clock, 0)]).result(20)
check("the leader need not be elected", [e.code() for e in elected.values()], [KafkaError.ELECTION_NOT_NEEDED])
every_rule = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
deleted_rules = admin.delete_acls([every_rule])[every_rule]
check("without an authorizer there are no access rules", code(deleted_rules), KafkaError.SECURITY_DISABLED)
user, info = unique("user"), ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, info, b"a password")])[user].result(20)
described_user = lambda: admin.describe_user_scram_credentials([user])[user]
wait_until("a user's credential is described", lambda: code(described_user()) is None)
check("as it was set", [(i.mechanism, i.iterations) for i in described_user().result(20).scram_credential_infos], [(info.mechanism, 4096)])
removal = [UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512)]
admin.alter_user_scram_credentials(removal)[user].result(20)
check("a deleted credential's deletion is refused", code(admin.alter_user_scram_credentials(removal)[user]), KafkaError.RESOURCE_NOT_FOUND)

at = TopicPartition(clock, 0, 4)
check("records before an offset are deleted", admin.delete_records([at])[at].result(20).low_watermark, 4)
admin.delete_consumer_groups([group])[group].result(20)
check("a deleted group is not listed", group in [g.group_id for g in admin.list_consumer_groups().result(20).valid], False)
for deleted in admin.delete_topics([topic, clock]).values():
    deleted.result(20)
wait_until("deleted topics are gone", lambda: not {topic, clock} & set(admin.list_topics(timeout=10).topics))
