//! The operator's tools: the same walk with our broker and, with `RINGLOG_INTEROP_BOOTSTRAP`, with Apache Kafka.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Output;
use std::time::{Duration, Instant};

use ringlog_interop::Broker;
use serde_json::{Value, json};

/// Kafka's brokers hear some moments later what their controller has acknowledged.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tools and one broker.
struct Tools(Broker);

impl Tools {
    /// What a tool says that does what it was told.
    fn says(&self, line: &str) -> String {
        self.says_of(line, "")
    }

    fn says_of(&self, line: &str, input: &str) -> String {
        let Output { status, stdout, stderr } = self.0.tool(line, input);
        assert!(status.success(), "ringlog {line}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.says(&format!("{line} --json"))).unwrap()
    }

    /// What a tool says that can't: status 1, and nothing on the standard output.
    fn refuses(&self, line: &str) -> String {
        let Output { status, stdout, stderr } = self.0.tool(line, "");
        assert_eq!((status.code(), String::from_utf8(stdout).unwrap().as_str()), (Some(1), ""), "ringlog {line}");
        String::from_utf8(stderr).unwrap()
    }

    fn until(&self, line: &str, expected: impl Fn(&Value) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let said = self.json(line);
            if expected(&said) {
                return;
            }
            assert!(Instant::now() < end, "ringlog {line} still says {said} after {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The row in which `column` is `value`.
fn row<'a>(table: &'a Value, column: &str, value: impl Into<Value>) -> &'a Value {
    let value = value.into();
    table.as_array().unwrap().iter().find(|row| row[column] == value).unwrap_or(&Value::Null)
}

#[test]
fn every_tool_does_what_it_is_told_or_says_why_not() {
    let tools = Tools(Broker::start());
    let topic = format!("tools-{}", std::process::id());
    let created = tools.says(&format!("topics create {topic} --partitions 2"));
    assert_eq!(created, format!("created topic {topic} with 2 partitions\n"));
    settings(&tools, &topic);
    records(&tools, &topic);
    group(&tools, &topic);
    access(&tools, &topic);
    places(&tools, &topic);
    transactions(&tools, &topic);
    assert_eq!(tools.says(&format!("topics delete {topic}")), format!("deleted topic {topic}\n"));
    tools.0.stop();
}

fn settings(tools: &Tools, topic: &str) {
    assert_eq!(row(&tools.json("topics list"), "topic", topic)["partitions"], 2);
    tools.says(&format!("topics alter {topic} --partitions 3 --config retention.ms=86400000"));
    let altered = |said: &Value| {
        said["partitions"].as_array().unwrap().len() == 3
            && row(&said["configs"], "setting", "retention.ms")["value"] == "86400000"
    };
    tools.until(&format!("topics describe {topic}"), altered);
    tools.says(&format!("configs alter --topic {topic} --set max.message.bytes=2000000 --delete retention.ms"));
    let altered = |said: &Value| {
        row(said, "setting", "max.message.bytes")["value"] == "2000000"
            && row(said, "setting", "retention.ms").is_null()
    };
    tools.until(&format!("configs describe --topic {topic}"), altered);
    assert_eq!(tools.json(&format!("topics describe {topic} --under-replicated"))["partitions"], json!([]));
    assert_eq!(tools.json(&format!("topics describe {topic} --unavailable"))["partitions"], json!([]));
    assert_eq!(row(&tools.json("configs list"), "name", topic)["kind"], "topic");
    let loggers = format!("configs describe --broker-logger {} --all", tools.json("log-dirs")[0]["broker"]);
    if tools.0.data().is_some() {
        assert!(tools.refuses(&loggers).contains("RINGLOG_LOG"), "ours are set at the start");
    } else {
        assert_eq!(row(&tools.json(&loggers), "setting", "root")["set_by"], "broker logger");
    }
    let refused = tools.refuses(&format!("configs alter --topic {topic} --set no.such.setting=1"));
    assert!(refused.starts_with(&format!("ringlog: topic {topic}: INVALID_CONFIG")), "{refused}");
}

fn records(tools: &Tools, topic: &str) {
    tools.says_of(&format!("produce {topic} --partition 1"), "one\ntwo\nthree\n");
    let consume = format!("consume {topic} --partition 1 --from-beginning --exit-at-end");
    assert_eq!(tools.says(&consume), "one\ntwo\nthree\n");
    tools.says_of(&format!("produce {topic} --partition 2 --key-separator : --null none"), "a:none\nb:some\n");
    let kept = tools.says(&format!("consume {topic} --partition 2 --from-beginning --exit-at-end --json"));
    let values: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = [[json!("a"), Value::Null], [json!("b"), json!("some")]];
    assert_eq!(values.iter().map(|said| [said["key"].clone(), said["value"].clone()]).collect::<Vec<_>>(), expected);
    tools.says(&format!("delete-records {topic} --partition 2 --before latest"));
    let deleted = tools.says(&format!("delete-records {topic} --partition 1 --before 1"));
    assert_eq!(deleted, format!("{topic}-1 begins at offset 1\n"));
    assert_eq!(tools.says(&consume), "two\nthree\n");
    let beyond = tools.refuses(&format!("delete-records {topic} --partition 1 --before 7"));
    assert!(beyond.contains("OFFSET_OUT_OF_RANGE"), "{beyond}");
}

fn group(tools: &Tools, topic: &str) {
    let group = format!("{topic}-group");
    assert_eq!(tools.says(&format!("consume {topic} --group {group} --from-beginning --exit-at-end")), "two\nthree\n");
    assert_eq!(row(&tools.json("groups list"), "group", &*group)["state"], "Empty");
    let lag = |said: &Value| row(&said[0]["offsets"], "partition", 1)["lag"].clone();
    assert_eq!(lag(&tools.json(&format!("groups describe {group}"))), 0);
    assert_eq!(row(&tools.json("groups describe"), "group", &*group)["state"], "Empty", "it is one of all");
    tools.says(&format!("groups reset-offsets {group} --topic {topic} --to-earliest --execute"));
    assert_eq!(lag(&tools.json(&format!("groups describe {group}"))), 2);
    let moved = tools.json(&format!("groups reset-offsets {group} --all-topics --to-latest"));
    assert_eq!(row(&moved, "partition", 1)["new_offset"], 3);
    let moved = tools.json(&format!("groups reset-offsets {group} --topic {topic} --by-duration 1h"));
    assert_eq!(row(&moved, "partition", 1)["new_offset"], 1);
    assert_eq!(tools.json(&format!("groups members {group}")), json!([]));
    let forgotten = tools.says(&format!("groups delete-offsets {group} --topic {topic} --partition 0"));
    assert_eq!(forgotten, format!("deleted: offset of {topic}-0 in group {group}\n"));
    let nothing = tools.refuses(&format!("groups delete-offsets {group} --topic {topic}-not"));
    assert!(nothing.contains("has committed nothing there"), "{nothing}");
    assert_eq!(tools.says(&format!("groups delete {group}")), format!("deleted group {group}\n"));
    let gone = tools.refuses(&format!("groups delete {group}"));
    assert!(gone.contains("GROUP_ID_NOT_FOUND"), "{gone}");
}

/// Neither broker enforces access rules unless it is told to.
fn access(tools: &Tools, topic: &str) {
    let quota = |said: &Value| row(said, "client_id", topic)["value"].clone();
    let of = format!("--default-user --client-id {topic}");
    tools.says(&format!("quotas alter {of} --set controller_mutation_rate=1500.5"));
    tools.until(&format!("quotas list {of}"), |said| quota(said) == 1500.5);
    assert_eq!(row(&tools.json("quotas list"), "client_id", topic)["user"], "(default)");
    tools.says(&format!("quotas alter {of} --delete controller_mutation_rate"));
    tools.until(&format!("quotas list --client-id {topic}"), |said| quota(said).is_null());

    let said = tools.says_of(&format!("credentials set {topic} --iterations 8192"), "pencil\n");
    assert_eq!(said, format!("set the SCRAM-SHA-512 password of user {topic}\n"));
    tools.until("credentials list", |said| row(said, "user", topic)["iterations"] == 8192);
    tools.says(&format!("credentials delete {topic}"));
    tools.until("credentials list", |said| row(said, "user", topic).is_null());
    let gone = tools.refuses(&format!("credentials delete {topic} --mechanism scram-sha-256"));
    assert!(gone.starts_with(&format!("ringlog: user {topic}: RESOURCE_NOT_FOUND")), "{gone}");

    let rule = format!("--resource topic --name {topic} --principal User:alice --operation read");
    for line in [format!("acls add {rule}"), format!("acls list --name {topic}"), format!("acls delete --name {topic}")]
    {
        let refused = tools.refuses(&line);
        assert!(refused.contains("SECURITY_DISABLED"), "{refused}");
    }
}

fn places(tools: &Tools, topic: &str) {
    let dirs = tools.json(&format!("log-dirs --topic {topic}"));
    let (broker, here) = (&dirs[0]["broker"], &dirs[0]["log_dir"]);
    assert_eq!(dirs.as_array().unwrap().len(), 1);
    assert_eq!(dirs[0]["partitions"], 3);
    let placed = row(&tools.json(&format!("log-dirs --partitions --topic {topic}")), "partition", 2).clone();
    assert_eq!(&placed["log_dir"], here);

    for which in [topic, &format!("{topic} --partition 0 --unclean"), "--all"] {
        assert_eq!(tools.json(&format!("elect-leaders {which}")), json!([]));
    }
    let missing = tools.refuses(&format!("elect-leaders {topic} --partition 3"));
    assert!(missing.contains("there is no partition 3"), "{missing}");

    let spread = tools.says(&format!("reassign plan {topic}"));
    assert_eq!(spread, tools.says(&format!("reassign plan {topic} --current")), "there is one broker to spread over");
    let mut plan: Value = serde_json::from_str(&spread).unwrap();
    assert_eq!(plan["partitions"][2], json!({"topic": topic, "partition": 2, "replicas": [broker]}));
    plan["partitions"][2]["log_dirs"] = json!([here]);
    let plan = plan.to_string();
    tools.says_of("reassign execute - --throttle 1000", &plan);
    let verified: Value = serde_json::from_str(&tools.says_of("reassign verify - --json", &plan)).unwrap();
    for partition in 0..3 {
        assert_eq!(row(&verified, "partition", partition)["status"], "done", "{verified}");
    }
    assert_eq!(tools.json("reassign list"), json!([]));
    for lifting in ["verify", "cancel"] {
        throttled(tools, topic, broker);
        tools.says_of(&format!("reassign {lifting} -"), &plan);
        tools.until(&format!("configs describe --topic {topic}"), |said| row(said, "setting", THROTTLED).is_null());
        if tools.0.data().is_none() {
            let rate = |said: &Value| row(said, "setting", RATE).clone();
            tools.until(&format!("configs describe --broker {broker}"), |said| rate(said).is_null());
        }
    }
    assert_eq!(tools.says_of("reassign cancel -", &plan), "");
    let there = format!("{topic}-there");
    tools.says(&format!("topics create {there} --replica-assignment {broker},{broker}"));
    let described = tools.json(&format!("topics describe {there}"));
    assert_eq!(row(&described["partitions"], "partition", 1)["replicas"], json!([broker]));
    tools.says(&format!("topics delete {there}"));
    tools.until("topics list", |said| row(said, "topic", &*there).is_null());
    let gone = tools.says_of("reassign verify -", &plan.replace(topic, &there));
    assert!(gone.contains("there is no such partition"), "{gone}");
    let nowhere = tools.refuses(&format!("reassign execute --topic {topic} --partition 0 --replicas 1001"));
    assert!(nowhere.contains(&format!("partition {topic}-0: INVALID_REPLICA_ASSIGNMENT")), "{nowhere}");
    let missing = tools.refuses(&format!("reassign execute --topic {topic} --partition 3 --replicas {broker}"));
    assert!(missing.contains(&format!("there is no partition {topic}-3")), "{missing}");
    let elsewhere = plan.replace(here.as_str().unwrap(), "/nowhere");
    let verified = tools.says_of("reassign verify -", &elsewhere);
    assert!(verified.contains("not in its log directories yet"), "{verified}");
}

const THROTTLED: &str = "leader.replication.throttled.replicas";
const RATE: &str = "leader.replication.throttled.rate";

/// As a plan leaves it whose moves are done. Ours moves nothing, and has no rate.
fn throttled(tools: &Tools, topic: &str, broker: &Value) {
    tools.says(&format!("configs alter --topic {topic} --set {THROTTLED}=0:{broker}"));
    tools.until(&format!("configs describe --topic {topic}"), |said| !row(said, "setting", THROTTLED).is_null());
    if tools.0.data().is_none() {
        tools.says(&format!("configs alter --broker {broker} --set {RATE}=1000"));
        tools.until(&format!("configs describe --broker {broker}"), |said| !row(said, "setting", RATE).is_null());
    }
}

/// Ours has none yet: it says so, and knows the idempotent producers.
fn transactions(tools: &Tools, topic: &str) {
    let remembered = tools.json(&format!("transactions producers {topic} --partition 1"));
    assert_eq!(remembered[0]["last_sequence"], 2);
    assert_eq!(remembered[0]["start_offset"], Value::Null);
    assert_eq!(tools.json(&format!("transactions find-hanging {topic}")), json!([]));
    assert_eq!(tools.json("transactions find-hanging"), json!([]));
    let none = tools.refuses(&format!("transactions abort {topic} --partition 1 --start-offset 1"));
    assert!(none.contains(&format!("no open transaction of {topic}-1 begins at offset 1")), "{none}");
    let lines = ["transactions list", "transactions describe nobody", "transactions terminate nobody"];
    if tools.0.data().is_some() {
        for line in lines {
            let refused = tools.refuses(line);
            assert!(refused.contains("does not serve") && refused.contains("its versions are none"), "{refused}");
        }
    } else {
        assert_eq!(tools.json("transactions list --pattern nobody --state Ongoing --running-for 1"), json!([]));
        for line in &lines[1..] {
            let missing = tools.refuses(line);
            assert!(missing.starts_with("ringlog: transactional id nobody: TRANSACTIONAL_ID_NOT_FOUND"), "{missing}");
        }
    }
}
