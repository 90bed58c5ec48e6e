//! Workload files as people write them: what they come to, and what is said of their mistakes.
#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use std::path::Path;
use std::time::Duration;

use ringbench_load::LoadError;
use ringbench_load::workload::{Arrival, CellSpec, Durability, Keys, Payload, Workload, schema_md};

fn parse(text: &str) -> Result<Workload, LoadError> {
    Workload::parse(Path::new("dir/some.yaml"), text)
}

fn cell(text: &str) -> CellSpec {
    let workload = parse(text).unwrap();
    assert_eq!(workload.cells.len(), 1);
    workload.cells.into_iter().next().unwrap()
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// As in OpenMessaging Benchmark's workloads/1-topic-16-partitions-1kb.yaml.
const OMB_FIXED_RATE: &str = r#"# a comment in front
name: 1 producer / 1 consumers on 1 topic

topics: 1
partitionsPerTopic: 16
messageSize: 1024
payloadFile: "payload/payload-1Kb.data"
subscriptionsPerTopic: 1
consumerPerSubscription: 1
producersPerTopic: 1
producerRate: 50000
consumerBacklogSizeGB: 0
testDurationMinutes: 15
"#;

/// As in its workloads/max-rate-1-topic-100-partitions-100p-100c-64kb.yaml.
const OMB_MAXIMUM: &str = "name: max-rate-1-topic-100-partitions-100p-100c-64kb\ntopics: 1\npartitionsPerTopic: 100\nmessageSize: 65536\n\
useRandomizedPayloads: true\nrandomBytesRatio: 0.5\nrandomizedPayloadPoolSize: 1000\nsubscriptionsPerTopic: 1\n\
consumerPerSubscription: 100\nproducersPerTopic: 100\n# Discover max-sustainable rate\nproducerRate: 10000000\n\
consumerBacklogSizeGB: 0\ntestDurationMinutes: 5";

/// As in its workloads/backlog-1-topic-16-partitions-1kb.yaml, with the fields that its Workload.java has beside those.
const OMB_BACKLOG: &str = "name: 1 producer / 1 consumers on 1 topic\ntopics: 1\npartitionsPerTopic: 16\nmessageSize: 1024\n\
payloadFile: \"payload/payload-1Kb.data\"\nsubscriptionsPerTopic: 1\nconsumerPerSubscription: 1\nproducersPerTopic: 1\n\
producerRate: 100000\nconsumerBacklogSizeGB: 100\nbacklogDrainRatio: 0.99\nkeyDistributor: \"KEY_ROUND_ROBIN\"\ntestDurationMinutes: 5\n\
warmupDurationMinutes: 0\n";

#[test]
fn a_file_of_openmessaging_benchmark_at_a_fixed_rate_is_taken_as_it_is() {
    let workload = parse(OMB_FIXED_RATE).unwrap();
    assert_eq!((&*workload.name, workload.repeats), ("1 producer / 1 consumers on 1 topic", 1));
    let cell = cell(OMB_FIXED_RATE);
    assert_eq!((cell.topics, cell.partitions_per_topic, cell.message_bytes), (1, 16, 1024));
    assert_eq!((cell.producers(), cell.consumers()), (1, 1));
    assert_eq!(cell.arrival, Arrival::Uniform { per_second: 50_000.0 });
    assert_eq!((cell.warm_up, cell.duration), (Duration::from_secs(60), Duration::from_secs(900)));
    assert_eq!(cell.settings["acks"], "all");
    // The payload is not beside it: that is said, and no reason not to run.
    assert_eq!(cell.payload, Payload::Random { ratio: 0.5, pool: 0 });
    assert!(workload.notes.iter().any(|note| note.key == "payloadFile" && note.line == 7), "{:?}", workload.notes);
}

#[test]
fn a_file_of_openmessaging_benchmark_that_asks_for_all_there_is_gets_the_maximum() {
    let cell = cell(OMB_MAXIMUM);
    assert_eq!(cell.arrival, Arrival::Maximum);
    assert_eq!(cell.payload, Payload::Random { ratio: 0.5, pool: 1000 });
    assert_eq!((cell.producers(), cell.consumers(), cell.message_bytes), (100, 100, 65_536));
    let zero = OMB_MAXIMUM.replace("10000000", "0");
    assert_eq!(parse(&zero).unwrap().cells[0].key(), cell.key());
}

#[test]
fn a_file_of_openmessaging_benchmark_with_a_backlog_keeps_its_size() {
    let cell = cell(OMB_BACKLOG);
    assert_eq!(cell.backlog_bytes, 100 << 30);
    assert_eq!((cell.keys, cell.warm_up), (Keys::RoundRobin, Duration::ZERO));
}

#[test]
fn our_keys_stand_beside_theirs() {
    let cell = cell(
        "messageSize: 100\nproducerRate: 1_000\narrival: poisson\ntestDuration: 15s\nwarmupDuration: 500ms\n\
        batch.size: 64k\nacks: -1\ncompression.type: LZ4\ndurability: fsync:1s\ntopic: {retention.bytes: 1000000}\n\
        broker: {num.io.threads: 2}\npayload: text\n",
    );
    assert_eq!(cell.arrival, Arrival::Poisson { per_second: 1_000.0 });
    assert_eq!((cell.warm_up, cell.duration), (Duration::from_millis(500), Duration::from_secs(15)));
    assert_eq!((&*cell.settings["batch.size"], &*cell.settings["acks"]), ("65536", "all"));
    assert_eq!((&*cell.settings["compression.type"], &*cell.settings["enable.idempotence"]), ("lz4", "true"));
    assert_eq!(cell.durability, Durability::FsyncEvery(Duration::from_secs(1)));
    assert_eq!((&*cell.topic_settings["flush.ms"], &*cell.topic_settings["retention.bytes"]), ("1000", "1000000"));
    assert_eq!((&*cell.broker_settings["num.io.threads"], cell.payload), ("2", Payload::Text));
}

#[test]
fn a_cell_that_is_larger_than_memory_ends_by_what_is_written_and_a_time_that_is_set_ends_it_by_that() {
    let workload = parse("timesMemory: 1.25\nfinalSync: true\nproducerRate: 1000\nwarmupDuration: 10s\n").unwrap();
    let cell = &workload.cells[0];
    let bytes = ringbench_stats::memory_bytes().unwrap() as f64 * 1.25;
    assert!((cell.write_bytes.unwrap() as f64 - bytes).abs() < 2.0 && cell.final_sync);
    let load = cell.warm_up + cell.duration;
    assert!((load.as_secs_f64() - bytes / 1_024_000.0).abs() < 0.001, "{load:?}");
    let faster = cell.at(Arrival::Uniform { per_second: 2_000.0 });
    assert!((faster.duration + faster.warm_up).as_secs_f64() < load.as_secs_f64() / 1.9);
    let by_time = workload.with("testDuration", "5s").unwrap();
    assert_eq!((by_time.cells[0].write_bytes, by_time.cells[0].duration), (None, Duration::from_secs(5)));
    let by_bytes = by_time.with("timesMemory", "2").unwrap();
    assert!(by_bytes.cells[0].write_bytes.is_some());
}

#[test]
fn a_sweep_is_every_combination_and_a_cover_fewer() {
    let text = "sweep:\n  batch.size: [1k, 16k, 64k]\n  linger.ms: [0, 5, 10]\n  acks: [0, 1, all]\n";
    let full = parse(text).unwrap();
    assert_eq!(full.cells.len(), 27);
    assert_eq!(full.cells[1].name, "batch.size=1k linger.ms=0 acks=1");
    assert_eq!((&*full.axes[0].key, &*full.axes[0].values[1]), ("batch.size", "16384"));
    let mut keys: Vec<String> = full.cells.iter().map(CellSpec::key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 27);
    let pairs = parse(&format!("cover: pairs\n{text}")).unwrap();
    assert!((9..12).contains(&pairs.cells.len()), "{}", pairs.cells.len());
    assert!(pairs.cells.iter().all(|cell| keys.contains(&cell.key())));
}

#[test]
fn equal_cells_have_equal_keys_whatever_they_are_called_and_however_they_are_written() {
    let key = |text: &str| cell(text).key();
    let one = key("name: a\nbatch.size: 16k\ntestDuration: 2m\nrepeats: 3\n");
    assert_eq!(one, key("{testDurationMinutes: 2.0, batch.size: 16384, name: b}"));
    assert_eq!(one.len(), 16);
    for other in [
        "batch.size: 16383",
        "acks: 1",
        "topics: 2",
        "producerRate: 1",
        "durability: fsync",
        "broker: {a: b}",
        "finalSync: true",
    ] {
        assert_ne!(one, key(&format!("testDuration: 2m\n{other}\n")), "{other}");
    }
}

#[test]
fn a_payload_is_known_by_what_is_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let workloads = directory.path().join("workloads");
    std::fs::create_dir(&workloads).unwrap();
    std::fs::write(directory.path().join("some.data"), "what is sent").unwrap();
    let read = |name: &str| {
        let file = workloads.join(name);
        std::fs::write(&file, "payloadFile: some.data\n").unwrap();
        Workload::read(&file).unwrap().cells.remove(0)
    };
    let above = read("a.yaml");
    assert!(matches!(&above.payload, Payload::File { path, .. } if path.ends_with("some.data")));
    std::fs::copy(directory.path().join("some.data"), workloads.join("some.data")).unwrap();
    assert_eq!(read("b.yaml").key(), above.key());
    std::fs::write(workloads.join("some.data"), "something else").unwrap();
    assert_ne!(read("b.yaml").key(), above.key());
}

#[test]
fn a_value_that_is_set_replaces_what_the_file_says_and_what_it_sweeps() {
    let workload = parse("acks: 1\nsweep: {linger.ms: [0, 5]}\n").unwrap();
    let set = workload.clone().with("linger.ms", "7").unwrap().with("acks", "0").unwrap();
    assert_eq!((set.cells.len(), &*set.cells[0].settings["linger.ms"], &*set.cells[0].settings["acks"]), (1, "7", "0"));
    let shorter = parse(OMB_FIXED_RATE).unwrap().with("testDuration", "10s").unwrap();
    assert_eq!(shorter.cells[0].duration, Duration::from_secs(10));
    let error = workload.with("lingerms", "7").unwrap_err().to_string();
    assert_eq!(error, "dir/some.yaml:lingerms: 7: there is no such key: did you mean linger.ms?");
}

#[test]
fn a_mistake_is_named_by_file_line_key_value_and_remedy() {
    assert_eq!(
        refusal("topics: 1\npartitionPerTopic: 16\n"),
        "dir/some.yaml:2: partitionPerTopic: 16: there is no such key: did you mean partitionsPerTopic?"
    );
    for (text, said) in [
        ("partitionsPerTopic: 0", "1: partitionsPerTopic: 0: an integer from 1 to 2147483647 is needed"),
        ("producerRate: -5", "1: producerRate: -5: a number from 0 to 1000000000 is needed"),
        ("producerRate: 1e12", "1: producerRate: 1e12: a number from 0"),
        ("\nproducerRate: ${rate:-5}", "2: producerRate: ${rate:-5}: it is a place in a template"),
        ("arrival: poisson", "1: arrival: poisson: it needs a rate"),
        ("arrival: maximum\nproducerRate: 5", "2: producerRate: 5: there is no rate with `arrival: maximum`"),
        ("inFlight: 3", "1: inFlight: 3: only a closed loop"),
        ("testDuration: 0s", "1: testDuration: 0s: nothing can be measured in no time"),
        ("testDuration: 5s\ntestDurationMinutes: 5", "2: testDurationMinutes: 5: testDuration is given as well"),
        ("messageSize: 10", "1: messageSize: 10: the ledger's stamp takes"),
        ("messageSize: 2M", "1: messageSize: 2M: a record of it is larger than a request"),
        ("acks: 1\nenable.idempotence: true", "2: enable.idempotence: true: it needs acks=all"),
        ("max.in.flight.requests.per.connection: 6", "with idempotence at most 5"),
        ("buffer.memory: 1k", "1: buffer.memory: 1k: it must hold one request"),
        ("payloadFile: nowhere.json", "1: payloadFile: nowhere.json: there is no dir/nowhere.json and no nowhere.json"),
        ("payload: text\nuseRandomizedPayloads: true", "1: payload: text: payloads come from elsewhere"),
        ("randomBytesRatio: 0.2", "1: randomBytesRatio: 0.2: payloads are not random"),
        ("consumerBacklogSizeGB: 1\nsubscriptionsPerTopic: 0", "1: consumerBacklogSizeGB: 1: nobody consumes"),
        ("durability: fsync\ntopic: {flush.ms: 3}", "2: topic.flush.ms: 3: durability decides it"),
        ("testDuration: 5s\ntimesMemory: 2", "1: testDuration: 5s: timesMemory decides when it ends"),
        ("timesMemory: 2\ncompression.type: lz4", "1: timesMemory: 2: what is compressed is smaller than memory"),
        (
            "timesMemory: 0.000001\nproducerRate: 1000",
            "1: timesMemory: 0.000001: backlog and warm-up alone write as much",
        ),
        (
            "subscriptionsPerTopic: 0\ntopic: {retention.bytes: 1000}",
            "2: topic.retention.bytes: 1000: what is deleted before the end",
        ),
        ("acks:", "1: acks: it has no value"),
        ("acks: [0, 1]", "1: acks: it is a list: write `acks: VALUE`, or name the values below `sweep:`"),
        ("sweeps:\n  acks: [0]", "1: sweeps: there is no such key: did you mean sweep?"),
        ("sweep: 3", "1: sweep: it is a single value: a mapping"),
        ("sweep:\n  repeats: [3, 4]", "2: repeats: it is about the whole workload"),
        ("sweep:\n  acks: 0", "2: acks: an axis is a list of values"),
        ("sweep:\n  acks: []", "2: acks: the axis has no values"),
        ("sweep:\n  acks: [all, -1]", "2: acks: -1: it is there twice"),
        ("acks: 1\nsweep:\n  acks: [0]", "3: acks: it is swept, and given in line 1 as well"),
        ("sweep:\n  acks: [0, 2]", "2: acks: 2: 0, 1, all are allowed"),
        ("sweep:\n  partitionsPerTopic: [1,\n    0]", "3: partitionsPerTopic: 0: an integer"),
        ("- topics", "1: it is a list: a mapping of keys to values is needed"),
        ("slo: p99", "1: slo: p99: an objective such as p99<10ms is needed"),
    ] {
        let refused = refusal(text);
        assert!(refused.starts_with("dir/some.yaml:") && refused.contains(said), "{text:?}: {refused}");
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let refused = refusal("topics: 0\nacks: 7\nsweep:\n  linger.ms: [0, x]\n  nonsense: [1]\n");
    assert_eq!(refused.lines().count(), 4, "{refused}");
}

#[test]
fn a_sweep_that_nobody_waits_for_is_refused() {
    let values = (0..101).map(|value| value.to_string()).collect::<Vec<_>>().join(", ");
    let refused = refusal(&format!("sweep:\n  linger.ms: [{values}]\n  max.block.ms: [{values}]\n"));
    assert!(refused.contains("spans more than 10000 cells"), "{refused}");
}

#[test]
fn the_schema_page_is_the_table_of_keys() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/WORKLOADS.md");
    if std::env::var_os("RINGLOG_BLESS").is_some() {
        std::fs::write(page, schema_md()).unwrap();
    }
    assert!(
        std::fs::read_to_string(page).unwrap() == schema_md(),
        "{page} is stale: RINGLOG_BLESS=1 cargo test -p ringbench-load"
    );
}
