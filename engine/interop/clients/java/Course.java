import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterClientQuotasOptions;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.BrokerIdNotRegisteredException;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.InvalidUpdateVersionException;
import org.apache.kafka.common.errors.LogDirNotFoundException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.ResourceNotFoundException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnacceptableCredentialException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The Java client against the broker whose address is the first argument: one line per check, status 1 at the first failure. */
public final class Course {
    static final int PARTITIONS = 6;
    static final int PER_CODEC = 60;
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    static String bootstrap;
    static final String topic = unique("topic");
    static final String clock = unique("clock");
    static final String group = unique("group");
    static final List<TopicPartition> partitions =
            IntStream.range(0, PARTITIONS).mapToObj(p -> new TopicPartition(topic, p)).toList();

    /** What the members of the group have been given, by key; `later` counts what came without a key. */
    static final Map<String, String> seen = new ConcurrentHashMap<>();
    static final AtomicInteger later = new AtomicInteger();

    public static void main(String[] args) {
        bootstrap = args[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            topics(admin);
            Map<String, String> expected = produce();
            groupOfThree(admin, expected);
            resume(admin);
            timestamps(admin);
            operators(admin);
            credentials(admin);
            quotas(admin);
            deletions(admin);
        } catch (Throwable failure) {
            System.err.println("FAILED: " + failure);
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
        Runtime.getRuntime().halt(0);
    }

    static void topics(Admin admin) throws Exception {
        NewTopic described = new NewTopic(topic, PARTITIONS - 2, (short) 1).configs(Map.of("retention.ms", "-1"));
        admin.createTopics(List.of(described, new NewTopic(clock, 1, (short) 1))).all().get();
        check("the id of a created topic is not zero", admin.describeTopics(List.of(clock)).allTopicNames().get().get(clock).topicId().toString().equals("AAAAAAAAAAAAAAAAAAAAAA"), false);
        refused("a second topic of that name", TopicExistsException.class, admin.createTopics(List.of(new NewTopic(clock, 1, (short) 1))).all());
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(PARTITIONS))).all().get();
        waitUntil("a created topic has the partitions that were added",
                () -> admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == PARTITIONS);
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
                new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), AlterConfigOp.OpType.SET)))).all().get();
        waitUntil("its configuration is altered and described", () -> {
            var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            return config.get("retention.ms").value().equals("-1") && config.get("max.message.bytes").value().equals("2000000");
        });
        check("the cluster has one node", admin.describeCluster().nodes().get().size(), 1);
    }

    /** Idempotent, as Java producers are; gives what was produced. */
    static Map<String, String> produce() throws Exception {
        Map<String, String> expected = new HashMap<>();
        for (String codec : CODECS) {
            try (var producer = producer(Map.of("compression.type", codec, "linger.ms", "20"))) {
                List<Future<RecordMetadata>> acks = new ArrayList<>();
                for (int i = 0; i < PER_CODEC; i++) {
                    var record = new ProducerRecord<>(topic, codec + "-" + i, (codec + " record " + i + " ").repeat(8));
                    record.headers().add("codec", codec.getBytes());
                    expected.put(record.key(), record.value());
                    acks.add(producer.send(record));
                }
                for (var ack : acks) ack.get();
                System.out.println("ok: " + codec + ": every record is acknowledged");
            }
        }
        return expected;
    }

    static void groupOfThree(Admin admin, Map<String, String> expected) throws Exception {
        Member first = new Member("first"), second = new Member("second");
        waitUntil("two members share six partitions", () -> share(first, second));
        Member third = new Member("third");
        waitUntil("a third joins and each has two", () -> share(first, second, third));
        second.leave();
        waitUntil("one leaves and the others have three each", () -> share(first, third));
        waitUntil("the group has seen every record", () -> seen.size() == expected.size());
        check("keys and values came back as they were produced, whatever the codec", Map.copyOf(seen), expected);
        waitUntil("the group commits all it saw: no lag", () -> lag(admin) == 0);
        first.leave();
        third.leave();
    }

    static void resume(Admin admin) throws Exception {
        try (var producer = producer(Map.of())) {
            for (TopicPartition p : partitions) producer.send(new ProducerRecord<>(topic, p.partition(), null, "later")).get();
        }
        check("the group lags by what came later", lag(admin), (long) PARTITIONS);
        Member again = new Member("again");
        waitUntil("the group resumes", () -> later.get() >= PARTITIONS);
        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        check("the group is stable with one member", List.of(described.groupState(), described.members().size()), List.of(GroupState.STABLE, 1));
        again.leave();
        check("exactly where it had committed", later.get(), PARTITIONS);
    }

    static void timestamps(Admin admin) throws Exception {
        try (var producer = producer(Map.of("linger.ms", "50"))) {
            for (long i = 0; i < 10; i++) producer.send(new ProducerRecord<>(clock, 0, 1_000_000 + 100 * i, null, "tick"));
        }
        TopicPartition at = new TopicPartition(clock, 0);
        try (var consumer = consumer("alone")) {
            var found = consumer.offsetsForTimes(Map.of(at, 1_000_350L)).get(at);
            check("a timestamp finds the first record not before it", List.of(found.offset(), found.timestamp()), List.of(4L, 1_000_400L));
            check("a timestamp after the last record finds none", consumer.offsetsForTimes(Map.of(at, 2_000_000L)).get(at), null);
        }
        var newest = admin.listOffsets(Map.of(at, OffsetSpec.maxTimestamp())).all().get().get(at);
        check("the record of the newest timestamp is found", List.of(newest.offset(), newest.timestamp()), List.of(9L, 1_000_900L));
    }

    static void operators(Admin admin) throws Exception {
        TopicPartition at = new TopicPartition(clock, 0);
        int broker = admin.describeCluster().controller().get().id();
        check("the leader need not be elected", admin.electLeaders(ElectionType.PREFERRED, Set.of(at)).partitions().get().get(at).get().getClass(), ElectionNotNeededException.class);
        check("of all partitions none was elected", admin.electLeaders(ElectionType.UNCLEAN, null).partitions().get(), Map.of());
        var quorum = admin.describeMetadataQuorum().quorumInfo().get();
        check("the quorum is its leader", List.of(quorum.leaderId(), quorum.voters().size(), quorum.nodes().containsKey(broker)), List.of(broker, 1, true));
        check("the leader has all of the metadata log", quorum.voters().get(0).logEndOffset() >= quorum.highWatermark() && quorum.highWatermark() > 0, true);
        var replica = new TopicPartitionReplica(clock, 0, broker);
        String here = admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir();
        admin.alterReplicaLogDirs(Map.of(replica, here)).all().get();
        System.out.println("ok: a partition moves to where it is");
        refused("a partition's move to nowhere", LogDirNotFoundException.class, admin.alterReplicaLogDirs(Map.of(replica, "/nowhere")).all());
        var update = new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE);
        refused("an unknown feature", InvalidUpdateVersionException.class, admin.updateFeatures(Map.of("no.such.feature", update), new UpdateFeaturesOptions()).all());
        refused("an unknown broker's end", BrokerIdNotRegisteredException.class, admin.unregisterBroker(77).all());
    }

    static void credentials(Admin admin) throws Exception {
        var rule = new AclBinding(new ResourcePattern(ResourceType.TOPIC, clock, PatternType.LITERAL), new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
        refused("a question for access rules", SecurityDisabledException.class, admin.describeAcls(AclBindingFilter.ANY).values());
        refused("an access rule", SecurityDisabledException.class, admin.createAcls(List.of(rule)).all());
        refused("an access rule's deletion", SecurityDisabledException.class, admin.deleteAcls(List.of(rule.toFilter())).all());
        String user = unique("user");
        var info = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096);
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(user, info, "a password"))).all().get();
        waitUntil("a user's credential is described", () -> {
            var described = admin.describeUserScramCredentials().all().get().get(user);
            return described != null && described.credentialInfos().equals(List.of(info));
        });
        var weak = new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4095), "a password");
        refused("a credential of too few iterations", UnacceptableCredentialException.class, admin.alterUserScramCredentials(List.of(weak)).all());
        var deletion = List.<UserScramCredentialAlteration>of(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256));
        admin.alterUserScramCredentials(deletion).all().get();
        refused("a deleted credential's deletion", ResourceNotFoundException.class, admin.alterUserScramCredentials(deletion).all());
        waitUntil("a deleted credential is not described", () -> !admin.describeUserScramCredentials().users().get().contains(user));
    }

    static void quotas(Admin admin) throws Exception {
        String slow = unique("slow");
        var entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, slow));
        var filter = ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.CLIENT_ID, slow)));
        var set = new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 150.0), new ClientQuotaAlteration.Op("controller_mutation_rate", 0.5)));
        admin.alterClientQuotas(List.of(set), new AlterClientQuotasOptions().validateOnly(true)).all().get();
        check("a validated quota is not set", admin.describeClientQuotas(filter).entities().get(), Map.of());
        admin.alterClientQuotas(List.of(set)).all().get();
        waitUntil("a client's quotas are described", () ->
                admin.describeClientQuotas(filter).entities().get().equals(Map.of(entity, Map.of("producer_byte_rate", 150.0, "controller_mutation_rate", 0.5))));
        try (var producer = producer(Map.of("client.id", slow))) {
            producer.send(new ProducerRecord<>(topic, 0, null, "x".repeat(2000))).get();
            double throttled = producer.metrics().entrySet().stream().filter(m -> m.getKey().name().equals("produce-throttle-time-max"))
                    .mapToDouble(m -> (double) m.getValue().metricValue()).max().getAsDouble();
            check("who uses up a quota is throttled", throttled > 0, true);
        }
        refused("an unknown quota", InvalidRequestException.class, admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("no_such_rate", 1.0))))).all());
        var removal = List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null), new ClientQuotaAlteration.Op("controller_mutation_rate", null));
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, removal))).all().get();
        waitUntil("removed quotas are not described", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().isEmpty());
    }

    static void deletions(Admin admin) throws Exception {
        TopicPartition at = new TopicPartition(clock, 0);
        long low = admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(at).get().lowWatermark();
        check("records before an offset are deleted", low, 4L);
        check("the log directory holds the topic", admin.describeLogDirs(List.of(admin.describeCluster().controller().get().id())).allDescriptions().get()
                .values().stream().flatMap(dirs -> dirs.values().stream()).anyMatch(d -> d.replicaInfos().containsKey(at)), true);
        check("the partition's producer is described", admin.describeProducers(List.of(at)).all().get().get(at).activeProducers().size(), 1);
        admin.deleteConsumerGroupOffsets(group, Set.of(partitions.get(0))).all().get();
        check("a deleted offset is gone", admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().containsKey(partitions.get(0)), false);
        admin.deleteConsumerGroups(List.of(group)).all().get();
        check("a deleted group is not listed", admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group)), false);
        admin.deleteTopics(List.of(topic, clock)).all().get();
        waitUntil("deleted topics are gone", () -> {
            Set<String> names = admin.listTopics().names().get();
            return !names.contains(topic) && !names.contains(clock);
        });
    }

    /** One member of the group on a thread of its own. */
    static final class Member extends Thread {
        volatile Set<Integer> assigned = Set.of();
        volatile boolean leaving;

        Member(String name) {
            super(name);
            start();
        }

        @Override
        public void run() {
            try (var consumer = consumer(getName())) {
                consumer.subscribe(List.of(topic));
                while (!leaving) {
                    var records = consumer.poll(Duration.ofMillis(100));
                    assigned = consumer.assignment().stream().map(TopicPartition::partition).collect(Collectors.toSet());
                    records.forEach(Course::take);
                    try {
                        consumer.commitSync();
                    } catch (RebalanceInProgressException | CommitFailedException again) {
                        // What was seen is committed by the next call, or read again by the next owner.
                    }
                }
            } catch (Throwable failure) {
                System.err.println("FAILED: member " + getName() + ": " + failure);
                Runtime.getRuntime().halt(1);
            }
        }

        void leave() throws InterruptedException {
            leaving = true;
            join();
        }
    }

    static void take(ConsumerRecord<String, String> record) {
        if (record.key() == null) {
            later.incrementAndGet();
            return;
        }
        String codec = new String(record.headers().lastHeader("codec").value());
        if (!record.key().startsWith(codec + "-")) throw new AssertionError("header of " + record.key() + " is " + codec);
        seen.put(record.key(), record.value());
    }

    static boolean share(Member... members) {
        Set<Integer> held = new HashSet<>();
        for (Member m : members) {
            if (m.assigned.size() != PARTITIONS / members.length) return false;
            held.addAll(m.assigned);
        }
        return held.size() == PARTITIONS;
    }

    static long lag(Admin admin) throws Exception {
        var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        var ends = admin.listOffsets(partitions.stream().collect(Collectors.toMap(p -> p, p -> OffsetSpec.latest()))).all().get();
        return partitions.stream().mapToLong(p -> ends.get(p).offset() - (committed.get(p) == null ? 0 : committed.get(p).offset())).sum();
    }

    static KafkaProducer<String, String> producer(Map<String, Object> settings) {
        Map<String, Object> all = new HashMap<>(settings);
        all.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String name) {
        return new KafkaConsumer<>(Map.of(
                "bootstrap.servers", bootstrap, "group.id", group, "client.id", name, "enable.auto.commit", "false",
                "auto.offset.reset", "earliest", "heartbeat.interval.ms", "300", "session.timeout.ms", "10000",
                "partition.assignment.strategy", CooperativeStickyAssignor.class.getName()),
                new StringDeserializer(), new StringDeserializer());
    }

    static String unique(String what) {
        return "interop-java-" + what + "-" + ProcessHandle.current().pid() + "-" + System.nanoTime() % 1_000_000_000L;
    }

    static void refused(String what, Class<? extends Exception> why, Future<?> outcome) throws Exception {
        try {
            outcome.get();
        } catch (java.util.concurrent.ExecutionException e) {
            check(what + " is refused", e.getCause().getClass(), why);
            return;
        }
        throw new AssertionError(what + " was not refused");
    }

    static void check(String what, Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError(what + ": got " + got + ", wanted " + wanted);
        System.out.println("ok: " + what);
    }

    static void waitUntil(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + 40_000_000_000L;
        while (!condition.call()) {
            if (System.nanoTime() > end) throw new AssertionError(what + ": not within 40 s");
            Thread.sleep(50);
        }
        System.out.println("ok: " + what);
    }
}
