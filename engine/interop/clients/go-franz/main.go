// franz-go against the broker whose address is the first argument: one line per check, status 1 at the first failure.
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

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	partitions = 6
	perCodec   = 60
	patience   = 40 * time.Second
)

var codecs = []struct {
	name  string
	codec kgo.CompressionCodec
}{
	{"none", kgo.NoCompression()}, {"gzip", kgo.GzipCompression()}, {"snappy", kgo.SnappyCompression()},
	{"lz4", kgo.Lz4Compression()}, {"zstd", kgo.ZstdCompression()},
}

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

// member consumes in the group on its own goroutine and knows which partitions are its own.
type member struct {
	sync.Mutex
	client   *kgo.Client
	assigned map[int32]bool
	done     chan struct{}
}

func join(ctx context.Context, bootstrap, group, topic string, seen *seen) *member {
	m := &member{assigned: map[int32]bool{}, done: make(chan struct{})}
	change := func(own bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.Lock()
			defer m.Unlock()
			for _, p := range changed[topic] {
				if own {
					m.assigned[p] = true
				} else {
					delete(m.assigned, p)
				}
			}
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)))
	must("a member", err)
	m.client = client
	go func() {
		defer close(m.done)
		for {
			polling, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			fetches := client.PollFetches(polling)
			cancel()
			if fetches.IsClientClosed() {
				return
			}
			fetches.EachError(func(t string, p int32, err error) {
				if !errors.Is(err, context.DeadlineExceeded) {
					fail("fetch of %s-%d: %v", t, p, err)
				}
			})
			fetches.EachRecord(func(r *kgo.Record) {
				seen.Lock()
				defer seen.Unlock()
				if r.Key == nil {
					seen.later++
					return
				}
				if len(r.Headers) != 1 || r.Headers[0].Key != "codec" || string(r.Headers[0].Value) != strings.Split(string(r.Key), "-")[0] {
					fail("headers of %s: %v", r.Key, r.Headers)
				}
				seen.byKey[string(r.Key)] = string(r.Value)
			})
			// What a rebalance refuses is committed the next time, or read again by the partition's next owner.
			_ = client.CommitUncommittedOffsets(ctx)
		}
	}()
	return m
}

func (m *member) leave() {
	m.client.Close()
	<-m.done
}

func share(members ...*member) bool {
	held := map[int32]bool{}
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
		return fmt.Sprintf("interop-franz-%s-%d-%d", what, os.Getpid(), time.Now().UnixNano()%1e9)
	}
	topic, clock, group := unique("topic"), unique("clock"), unique("group")

	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	must("a client", err)
	admin := kadm.NewClient(client)
	infinite := "-1"
	_, err = admin.CreateTopic(ctx, partitions-2, 1, map[string]*string{"retention.ms": &infinite}, topic)
	must("create the topic", err)
	_, err = admin.CreateTopic(ctx, 1, 1, nil, clock)
	must("create the clock", err)
	added, err := admin.UpdatePartitions(ctx, partitions, topic)
	must("add partitions", err)
	must("add partitions", added.Error())
	waitUntil("a created topic has the partitions that were added", func() bool {
		topics, err := admin.ListTopics(ctx, topic)
		must("list the topic", err)
		return len(topics[topic].Partitions) == partitions
	})
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	must("describe its configuration", err)
	for _, config := range configs[0].Configs {
		if config.Key == "retention.ms" {
			check("its configuration is described", config.MaybeValue(), infinite)
		}
	}

	expected := map[string]string{}
	for _, c := range codecs {
		producer, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ProducerBatchCompression(c.codec), kgo.ProducerLinger(20*time.Millisecond))
		must("a producer", err)
		var records []*kgo.Record
		for i := range perCodec {
			key, value := fmt.Sprintf("%s-%d", c.name, i), strings.Repeat(fmt.Sprintf("%s record %d ", c.name, i), 8)
			expected[key] = value
			header := kgo.RecordHeader{Key: "codec", Value: []byte(c.name)}
			records = append(records, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value), Headers: []kgo.RecordHeader{header}})
		}
		check(c.name+": every record is acknowledged", producer.ProduceSync(ctx, records...).FirstErr(), nil)
		producer.Close()
	}

	seen := &seen{byKey: map[string]string{}}
	count := func(wanted int) func() bool {
		return func() bool {
			seen.Lock()
			defer seen.Unlock()
			return len(seen.byKey) == wanted
		}
	}
	first, second := join(ctx, bootstrap, group, topic, seen), join(ctx, bootstrap, group, topic, seen)
	waitUntil("two members share six partitions", func() bool { return share(first, second) })
	third := join(ctx, bootstrap, group, topic, seen)
	waitUntil("a third joins and each has two", func() bool { return share(first, second, third) })
	second.leave()
	waitUntil("one leaves and the others have three each", func() bool { return share(first, third) })
	waitUntil("the group has seen every record", count(len(expected)))
	check("keys and values came back as they were produced, whatever the codec", seen.byKey, expected)

	lag := func() int64 {
		lags, err := admin.Lag(ctx, group)
		must("describe lag", err)
		described := lags[group]
		must("describe lag", described.Error())
		return described.Lag.Total()
	}
	waitUntil("the group commits all it saw: no lag", func() bool { return lag() == 0 })
	first.leave()
	third.leave()
	byHand, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must("a producer", err)
	for p := range int32(partitions) {
		must("produce later", byHand.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: p, Value: []byte("later")}).FirstErr())
	}
	check("the group lags by what came later", lag(), int64(partitions))
	again := join(ctx, bootstrap, group, topic, seen)
	waitUntil("the group resumes", func() bool { seen.Lock(); defer seen.Unlock(); return seen.later >= partitions })
	described, err := admin.DescribeGroups(ctx, group)
	must("describe the group", err)
	check("the group is stable with one member", []any{described[group].State, len(described[group].Members)}, []any{"Stable", 1})
	again.leave()
	check("exactly where it had committed", []int{seen.later, len(seen.byKey)}, []int{partitions, len(expected)})

	for i := range int64(10) {
		tick := &kgo.Record{Topic: clock, Value: []byte("tick"), Timestamp: time.UnixMilli(1_000_000 + 100*i)}
		byHand.Produce(ctx, tick, func(_ *kgo.Record, err error) { must("produce a tick", err) })
	}
	must("flush", byHand.Flush(ctx))
	at := func(ms int64) int64 {
		listed, err := admin.ListOffsetsAfterMilli(ctx, ms, clock)
		must("look up by timestamp", err)
		offset, _ := listed.Lookup(clock, 0)
		must("look up by timestamp", offset.Err)
		return offset.Offset
	}
	check("a timestamp finds the first record not before it", at(1_000_350), int64(4))
	check("a timestamp after the last record finds the end", at(2_000_000), int64(10))
	below := kadm.Offsets{}
	below.Add(kadm.Offset{Topic: clock, Partition: 0, At: 4, LeaderEpoch: -1})
	deleted, err := admin.DeleteRecords(ctx, below)
	must("delete records", err)
	must("delete records", deleted.Error())
	starts, err := admin.ListStartOffsets(ctx, clock)
	must("list the start", err)
	start, _ := starts.Lookup(clock, 0)
	check("records before an offset are deleted", start.Offset, int64(4))

	_, err = admin.DeleteGroup(ctx, group)
	must("delete the group", err)
	groups, err := admin.ListGroups(ctx)
	must("list groups", err)
	_, listed := groups[group]
	check("a deleted group is not listed", listed, false)
	_, err = admin.DeleteTopics(ctx, topic, clock)
	must("delete topics", err)
	waitUntil("deleted topics are gone", func() bool {
		topics, err := admin.ListTopics(ctx)
		must("list topics", err)
		return !topics.Has(topic) && !topics.Has(clock)
	})
	byHand.Close()
	client.Close()
}
