// kafka-go against the broker whose address is the first argument: one line per check, status 1 at the first failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	partitions = 6
	perCodec   = 60
	patience   = 40 * time.Second
)

var codecs = []struct {
	name  string
	codec kafka.Compression
}{{"none", 0}, {"gzip", kafka.Gzip}, {"snappy", kafka.Snappy}, {"lz4", kafka.Lz4}, {"zstd", kafka.Zstd}}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "FAILED: "+format+"\n", args...)
	os.Exit(1)
}

func must(what string, err error) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func check(what string, got, wanted any) {
	if !reflect.DeepEqual(got, wanted) {
		fail("%s: got %v, wanted %v", what, got, wanted)
	}
	fmt.Println("ok:", what)
}

func waitUntil(what string, condition func() bool) {
	for end := time.Now().Add(patience); !condition(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			fail("%s: not within %v", what, patience)
		}
	}
	fmt.Println("ok:", what)
}

// seen is what the members of the group have been given, by key; later is what came without a key.
type seen struct {
	sync.Mutex
	byKey map[string]string
	later int
}

func (s *seen) add(m kafka.Message) {
	s.Lock()
	defer s.Unlock()
	if m.Key == nil {
		s.later++
		return
	}
	if len(m.Headers) != 1 || m.Headers[0].Key != "codec" || string(m.Headers[0].Value) != strings.Split(string(m.Key), "-")[0] {
		fail("headers of %s: %v", m.Key, m.Headers)
	}
	s.byKey[string(m.Key)] = string(m.Value)
}

// member joins generation after generation, reads each partition it is assigned, and commits after every record.
type member struct {
	sync.Mutex
	group    *kafka.ConsumerGroup
	assigned map[int]bool
	done     chan struct{}
}

func join(bootstrap, group, topic string, seen *seen) *member {
	consumers, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: []string{bootstrap}, Topics: []string{topic}, StartOffset: kafka.FirstOffset,
		HeartbeatInterval: 300 * time.Millisecond, SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second,
		GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
	})
	must("a member", err)
	m := &member{group: consumers, assigned: map[int]bool{}, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for {
			generation, err := consumers.Next(context.Background())
			if errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			if err != nil {
				continue // A refused join is tried again by the library.
			}
			m.Lock()
			m.assigned = map[int]bool{}
			for _, a := range generation.Assignments[topic] {
				m.assigned[a.ID] = true
				generation.Start(func(ctx context.Context) { read(ctx, bootstrap, topic, a, generation, seen) })
			}
			m.Unlock()
		}
	}()
	return m
}

func read(ctx context.Context, bootstrap, topic string, a kafka.PartitionAssignment, generation *kafka.Generation, seen *seen) {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{bootstrap}, Topic: topic, Partition: a.ID, MaxWait: 100 * time.Millisecond})
	defer reader.Close()
	must("set the offset", reader.SetOffset(a.Offset))
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return // The generation is over.
		}
		seen.add(message)
		// A commit that a rebalance refuses is repeated by the next owner, who reads the record again.
		_ = generation.CommitOffsets(map[string]map[int]int64{topic: {a.ID: message.Offset + 1}})
	}
}

func (m *member) leave() {
	must("leave the group", m.group.Close())
	<-m.done
}

func share(members ...*member) bool {
	held := map[int]bool{}
	for _, m := range members {
		m.Lock()
		if len(m.assigned) != partitions/len(members) {
			m.Unlock()
			return false
		}
		for p := range m.assigned {
			held[p] = true
		}
		m.Unlock()
	}
	return len(held) == partitions
}

func main() {
	bootstrap, ctx := os.Args[1], context.Background()
	unique := func(what string) string {
		return fmt.Sprintf("interop-kafka-go-%s-%d-%d", what, os.Getpid(), time.Now().UnixNano()%1e9)
	}
	topic, clock, group := unique("topic"), unique("clock"), unique("group")
	client := &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: 20 * time.Second}

	created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: topic, NumPartitions: partitions - 2, ReplicationFactor: 1, ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "-1"}}},
		{Topic: clock, NumPartitions: 1, ReplicationFactor: 1},
	}})
	must("create topics", err)
	check("both topics are created", []error{created.Errors[topic], created.Errors[clock]}, []error{nil, nil})
	added, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: partitions}}})
	must("add partitions", err)
	must("add partitions", added.Errors[topic])
	waitUntil("a created topic has the partitions that were added", func() bool {
		metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		must("metadata", err)
		return len(metadata.Topics[0].Partitions) == partitions
	})
	configs, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"retention.ms"}}}})
	must("describe its configuration", err)
	check("its configuration is described", configs.Resources[0].ConfigEntries[0].ConfigValue, "-1")

	expected := map[string]string{}
	for _, c := range codecs {
		writer := &kafka.Writer{Addr: kafka.TCP(bootstrap), Topic: topic, Balancer: &kafka.Murmur2Balancer{}, Compression: c.codec,
			RequiredAcks: kafka.RequireAll, BatchTimeout: 20 * time.Millisecond}
		var messages []kafka.Message
		for i := range perCodec {
			key, value := fmt.Sprintf("%s-%d", c.name, i), strings.Repeat(fmt.Sprintf("%s record %d ", c.name, i), 8)
			expected[key] = value
			messages = append(messages, kafka.Message{Key: []byte(key), Value: []byte(value), Headers: []kafka.Header{{Key: "codec", Value: []byte(c.name)}}})
		}
		check(c.name+": every record is acknowledged", writer.WriteMessages(ctx, messages...), nil)
		must("close", writer.Close())
	}

	seen := &seen{byKey: map[string]string{}}
	first, second := join(bootstrap, group, topic, seen), join(bootstrap, group, topic, seen)
	waitUntil("two members share six partitions", func() bool { return share(first, second) })
	third := join(bootstrap, group, topic, seen)
	waitUntil("a third joins and each has two", func() bool { return share(first, second, third) })
	second.leave()
	waitUntil("one leaves and the others have three each", func() bool { return share(first, third) })
	waitUntil("the group has seen every record", func() bool { seen.Lock(); defer seen.Unlock(); return len(seen.byKey) == len(expected) })
	check("keys and values came back as they were produced, whatever the codec", seen.byKey, expected)

	all := make([]int, partitions)
	latest := make([]kafka.OffsetRequest, partitions)
	for p := range partitions {
		all[p], latest[p] = p, kafka.LastOffsetOf(p)
	}
	lag := func() int64 {
		committed, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: all}})
		must("fetch the committed offsets", err)
		ends, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: latest}})
		must("list the ends", err)
		var lag int64
		for _, end := range ends.Topics[topic] {
			lag += end.LastOffset
		}
		for _, p := range committed.Topics[topic] {
			lag -= max(p.CommittedOffset, 0)
		}
		return lag
	}
	waitUntil("the group commits all it saw: no lag", func() bool { return lag() == 0 })
	first.leave()
	third.leave()
	for p := range partitions {
		produced, err := client.Produce(ctx, &kafka.ProduceRequest{Topic: topic, Partition: p, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("later"))})})
		must("produce later", err)
		must("produce later", produced.Error)
	}
	check("the group lags by what came later", lag(), int64(partitions))
	again := join(bootstrap, group, topic, seen)
	waitUntil("the group resumes", func() bool { seen.Lock(); defer seen.Unlock(); return seen.later >= partitions })
	described, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	must("describe the group", err)
	check("the group is stable with one member", []any{described.Groups[0].GroupState, len(described.Groups[0].Members)}, []any{"Stable", 1})
	waitUntil("and has committed again", func() bool { return lag() == 0 })
	again.leave()
	check("exactly where it had committed", seen.later, partitions)

	var ticks []kafka.Record
	for i := range int64(10) {
		ticks = append(ticks, kafka.Record{Value: kafka.NewBytes([]byte("tick")), Time: time.UnixMilli(1_000_000 + 100*i)})
	}
	produced, err := client.Produce(ctx, &kafka.ProduceRequest{Topic: clock, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(ticks...)})
	must("produce ticks", err)
	must("produce ticks", produced.Error)
	conn, err := kafka.DialLeader(ctx, "tcp", bootstrap, clock, 0)
	must("dial the leader", err)
	at, err := conn.ReadOffset(time.UnixMilli(1_000_350))
	must("look up by timestamp", err)
	check("a timestamp finds the first record not before it", at, int64(4))
	low, high, err := conn.ReadOffsets()
	must("read the offsets", err)
	check("the partition's first and last offset", []int64{low, high}, []int64{0, 10})
	must("close", conn.Close())

	elected, err := client.ElectLeaders(ctx, &kafka.ElectLeadersRequest{Topic: clock, Partitions: []int{0, 7}, Timeout: 10 * time.Second})
	must("elect leaders", err)
	must("elect leaders", elected.Error)
	outcomes := map[int]bool{}
	for _, p := range elected.PartitionResults {
		outcomes[p.Partition] = errors.Is(p.Error, map[int]kafka.Error{0: kafka.ElectionNotNeeded, 7: kafka.UnknownTopicOrPartition}[p.Partition])
	}
	check("a leader need not be elected, a missing partition can't have one", outcomes, map[int]bool{0: true, 7: true})
	rules, err := client.DescribeACLs(ctx, &kafka.DescribeACLsRequest{Filter: kafka.ACLFilter{ResourceTypeFilter: kafka.ResourceTypeAny,
		ResourcePatternTypeFilter: kafka.PatternTypeAny, Operation: kafka.ACLOperationTypeAny, PermissionType: kafka.ACLPermissionTypeAny}})
	must("describe access rules", err)
	check("without an authorizer there are no access rules", errors.Is(rules.Error, kafka.SecurityDisabled), true)
	user := unique("user")
	alter := func(what string, deletions []kafka.UserScramCredentialsDeletion, upsertions ...kafka.UserScramCredentialsUpsertion) error {
		altered, err := client.AlterUserScramCredentials(ctx, &kafka.AlterUserScramCredentialsRequest{Deletions: deletions, Upsertions: upsertions})
		must(what, err)
		return altered.Results[0].Error
	}
	credential := kafka.UserScramCredentialsUpsertion{Name: user, Mechanism: kafka.ScramMechanismSha512, Iterations: 15000, Salt: []byte("salt"), SaltedPassword: []byte("salted")}
	must("set a credential", alter("set a credential", nil, credential))
	describe := func() kafka.DescribeUserScramCredentialsResponseResult {
		described, err := client.DescribeUserScramCredentials(ctx, &kafka.DescribeUserScramCredentialsRequest{Users: []kafka.UserScramCredentialsUser{{Name: user}}})
		must("describe credentials", err)
		return described.Results[0]
	}
	kept := []kafka.DescribeUserScramCredentialsCredentialInfo{{Mechanism: kafka.ScramMechanismSha512, Iterations: 15000}}
	waitUntil("a user's credential is described", func() bool { return reflect.DeepEqual(describe().CredentialInfos, kept) })
	credential.Iterations = 16385
	check("a credential of too many iterations is refused", errors.Is(alter("too many iterations", nil, credential), kafka.UnacceptableCredential), true)
	must("delete the credential", alter("delete the credential", []kafka.UserScramCredentialsDeletion{{Name: user, Mechanism: kafka.ScramMechanismSha512}}))
	waitUntil("a deleted credential is not found", func() bool { return errors.Is(describe().Error, kafka.ResourceNotFound) })

	slow := unique("slow")
	quota := func(what string, ops ...kafka.AlterClientQuotaOps) error {
		altered, err := client.AlterClientQuotas(ctx, &kafka.AlterClientQuotasRequest{Entries: []kafka.AlterClientQuotaEntry{
			{Entities: []kafka.AlterClientQuotaEntity{{EntityType: "client-id", EntityName: slow}}, Ops: ops}}})
		must(what, err)
		return altered.Entries[0].Error
	}
	quotas := func() []kafka.DescribeClientQuotasResponseQuotas {
		described, err := client.DescribeClientQuotas(ctx, &kafka.DescribeClientQuotasRequest{Strict: true,
			Components: []kafka.DescribeClientQuotasRequestComponent{{EntityType: "client-id", MatchType: 0, Match: slow}}})
		must("describe quotas", err)
		must("describe quotas", described.Error)
		return described.Entries
	}
	must("set a quota", quota("set a quota", kafka.AlterClientQuotaOps{Key: "producer_byte_rate", Value: 100}))
	bounds := []kafka.DescribeClientQuotasResponseQuotas{{Entities: []kafka.DescribeClientQuotasEntity{{EntityType: "client-id", EntityName: slow}},
		Values: []kafka.DescribeClientQuotasValue{{Key: "producer_byte_rate", Value: 100}}}}
	waitUntil("a client's quota is described", func() bool { return reflect.DeepEqual(quotas(), bounds) })
	throttled := func(id string) bool {
		client := &kafka.Client{Addr: client.Addr, Transport: &kafka.Transport{ClientID: id}}
		produced, err := client.Produce(ctx, &kafka.ProduceRequest{Topic: topic, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes(make([]byte, 2000))})})
		must("produce with a quota", err)
		must("produce with a quota", produced.Error)
		return produced.Throttle > 0
	}
	check("who uses up the quota is throttled, others are not", []bool{throttled(slow), throttled(slow + "-not")}, []bool{true, false})
	check("an unknown quota is refused", errors.Is(quota("no quota", kafka.AlterClientQuotaOps{Key: "no_such_rate", Value: 1}), kafka.InvalidRequest), true)
	must("remove a quota", quota("remove a quota", kafka.AlterClientQuotaOps{Key: "producer_byte_rate", Remove: true}))
	waitUntil("a removed quota is not described", func() bool { return len(quotas()) == 0 })

	deletion, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	must("delete the group", err)
	must("delete the group", deletion.Errors[group])
	groups, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	must("list groups", err)
	for _, g := range groups.Groups {
		if g.GroupID == group {
			fail("a deleted group is listed")
		}
	}
	_, err = client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic, clock}})
	must("delete topics", err)
	waitUntil("deleted topics are gone", func() bool {
		metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		must("metadata", err)
		for _, t := range metadata.Topics {
			if t.Name == topic || t.Name == clock {
				return false
			}
		}
		return true
	})
}
