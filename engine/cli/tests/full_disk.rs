//! A disk that is full: producers are refused, readers and whoever makes room are not, and producing resumes unaided.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ringlog_client::{
    Admin, Client, ClientError, ClientOptions, Consumer, ConsumerOptions, NewTopic, OffsetSpec, Producer,
    ProducerOptions, ProducerRecord, TopicPartition,
};

/// A broker on a file system of its own, of this size (0: without a limit); `None` where nobody may mount one.
fn serve_on_a_disk_of(size: &str, mount: &Path) -> Option<(Child, String)> {
    let script = "mount -t tmpfs -o size=$2 tmpfs \"$0\" && exec \"$1\" serve --data \"$0/data\" --listen 127.0.0.1:0";
    let mut child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(mount)
        .arg(env!("CARGO_BIN_EXE_ringlog"))
        .arg(size)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let address = ready.strip_prefix("ringlog ready: kafka://").and_then(|rest| rest.split(' ').next());
    match address {
        Some(address) => Some((child, address.to_owned())),
        None => {
            child.wait().unwrap();
            None
        }
    }
}

/// `course` is given the broker's address, and where its file system is seen from here.
fn on_a_disk_of(size: &str, course: impl AsyncFnOnce(String, PathBuf)) {
    let mount = tempfile::tempdir().unwrap();
    let Some((mut broker, address)) = serve_on_a_disk_of(size, mount.path()) else {
        eprintln!("!!! NOT TESTED: no file system can be mounted here (unshare --user --mount)");
        return;
    };
    let root = format!("/proc/{}/root{}", broker.id(), mount.path().display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(course(address, root.into()));
    broker.kill().unwrap();
    broker.wait().unwrap();
}

async fn connect(address: &str) -> Client {
    Client::connect(ClientOptions::new(address).unwrap()).await.unwrap()
}

async fn produce_one(producer: &Producer, topic: &str, value: &[u8]) -> Result<(), ClientError> {
    let record = ProducerRecord { topic, partition: Some(0), value: Some(value), ..Default::default() };
    producer.send(record).await?.await.map(drop)
}

#[test]
fn producers_are_refused_while_the_disk_is_full_and_nobody_else_is() {
    on_a_disk_of("24m", async |address, root| {
        let admin = Admin::new(connect(&address).await);
        for name in ["full", "other"] {
            let topic = NewTopic { name: name.into(), partitions: Some(1), ..Default::default() };
            admin.create_topic(&topic, false).await.unwrap();
        }
        let options =
            ProducerOptions { delivery_timeout: Duration::from_secs(2), linger: Duration::ZERO, ..Default::default() };
        let producer = Producer::new(connect(&address).await, options).unwrap();
        let value = vec![7; 256 << 10];
        let mut acknowledged = 0;
        let refused = loop {
            match produce_one(&producer, "full", &value).await {
                Ok(()) => acknowledged += 1,
                Err(error) => break error.to_string(),
            }
            assert!(acknowledged < 24 << 2, "a disk of 24 MiB took {acknowledged} records of 256 KiB");
        };
        assert!(acknowledged > 40, "{acknowledged} records, then {refused}");
        // Everybody is refused, before anything is written, and told why.
        assert!(produce_one(&producer, "other", b"x").await.is_err());

        let options = ConsumerOptions { auto_commit: None, ..Default::default() };
        let mut consumer = Consumer::new(connect(&address).await, options).unwrap();
        let partition = TopicPartition { topic: "full".into(), partition: 0 };
        consumer.assign([partition.clone()]);
        consumer.seek_to(&partition, OffsetSpec::Earliest).unwrap();
        let mut read = 0;
        while read < acknowledged {
            let records = consumer.poll(Duration::from_secs(5)).await.unwrap();
            assert!(!records.is_empty(), "{read} of {acknowledged} records could be read");
            records
                .try_for_each(|_, record| {
                    assert_eq!(record.value, Some(&value[..]));
                    read += 1;
                    Ok::<_, ClientError>(())
                })
                .unwrap();
        }
        admin.delete_topic("full").await.unwrap();
        while produce_one(&producer, "other", b"x").await.is_err() {}

        // Somebody else takes the last block, and nobody produces: the reserve is given up all the same.
        let mut filler = std::fs::File::create(root.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        let mut tries = 0;
        while filler.write_all(&[0; 4096]).is_err() {
            tries += 1;
            assert!(tries < 200, "nobody noticed that the disk is full");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let late = NewTopic { name: "late".into(), partitions: Some(1), ..Default::default() };
        admin.create_topic(&late, false).await.unwrap();
    });
}

#[test]
fn a_topic_that_meets_a_full_disk_half_way_leaves_nothing_and_can_be_made_later() {
    on_a_disk_of("24m", async |address, root| {
        // A refusal is final: the next try would come too late.
        let late = Duration::from_secs(600);
        let options =
            ClientOptions { retry_backoff: late, retry_backoff_max: late, ..ClientOptions::new(&address).unwrap() };
        let admin = Admin::new(Client::connect(options).await.unwrap());
        let mut filler = std::fs::File::create(root.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        filler.set_len(filler.metadata().unwrap().len() - (256 << 10)).unwrap();
        // More than what is left and the reserve hold together.
        let topic = |partitions| NewTopic { name: "t".into(), partitions: Some(partitions), ..Default::default() };
        admin.create_topic(&topic(1500), false).await.unwrap_err();
        let left: Vec<_> =
            std::fs::read_dir(root.join("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("t-")), "{left:?}");
        admin.create_topic(&topic(2), false).await.unwrap();
        admin.create_partitions("t", 1500).await.unwrap_err();
        admin.create_partitions("t", 3).await.unwrap();
    });
}

#[test]
fn a_file_system_that_knows_no_size_is_not_taken_for_a_full_one() {
    on_a_disk_of("0", async |address, _| {
        let admin = Admin::new(connect(&address).await);
        let topic = NewTopic { name: "t".into(), partitions: Some(1), ..Default::default() };
        admin.create_topic(&topic, false).await.unwrap();
        let options = ProducerOptions { delivery_timeout: Duration::from_secs(2), ..Default::default() };
        let producer = Producer::new(connect(&address).await, options).unwrap();
        produce_one(&producer, "t", b"x").await.unwrap();
    });
}
