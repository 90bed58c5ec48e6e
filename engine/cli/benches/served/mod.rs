//! A server in a process of its own, seen from outside: its address, its processor time, its memory.

pub mod clients;
pub mod rounds;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ringlog_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringlog_protocol::{Blob, Records, encode_request};
use ringlog_record::{BatchBuilder, Compression};

pub const TOPIC: &str = "bench";
/// Produce with topic names.
const VERSION: i16 = 9;

/// Killed when it is dropped.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to its first line.
    pub ready_after: Duration,
}

impl Served {
    /// Starts a process whose first line has its address behind `mark`.
    pub fn start(command: &mut Command, mark: &str) -> Served {
        let begun = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready_after = begun.elapsed();
        let address = line.split(mark).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        Served { child, address, ready_after }
    }

    /// A broker on a free port.
    pub fn broker(data: &Path) -> Served {
        Served::ringlog(env!("CARGO_BIN_EXE_ringlog").as_ref(), data, &[])
    }

    /// The same by another build of it.
    pub fn build(data: &Path, ringlog: &Path) -> Served {
        Served::ringlog(ringlog, data, &[])
    }

    /// A broker that goes by this host profile.
    pub fn profiled(data: &Path, profile: &Path) -> Served {
        let setting = format!("io.profile={}", profile.display());
        Served::ringlog(env!("CARGO_BIN_EXE_ringlog").as_ref(), data, &["--set", &setting])
    }

    fn ringlog(ringlog: &Path, data: &Path, arguments: &[&str]) -> Served {
        let mut serve = Command::new(ringlog);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        Served::start(serve.args(arguments).env("RINGLOG_LOG", "warn"), "kafka://")
    }

    /// User and system time: fields 14 and 15 of proc(5)'s stat, in hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        Duration::from_millis(10) * (fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap())
    }

    /// Resident memory.
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// SIGTERM, and the wait for its end.
    pub fn stop(mut self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Produce request with one such batch, whole with its length.
pub fn frame(partition: usize, batch_bytes: usize) -> Vec<u8> {
    let (batch, _) = batch(batch_bytes);
    let records = Some(Records::Here(Blob::Borrowed(&batch)));
    let partition_data = vec![PartitionProduceData { index: partition as i32, records }];
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data };
    encode_request(&request, VERSION, 1, Some("bench")).unwrap().to_vec()
}

/// A batch of records of a kilobyte or less, and how many they are.
pub fn batch(batch_bytes: usize) -> (Vec<u8>, usize) {
    let value = vec![b'x'; batch_bytes.min(1000)];
    let mut batch = BatchBuilder::new(Compression::None);
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut records = 0;
    while batch.is_empty() || batch.fits(batch_bytes, None, Some(&value), &[]) {
        batch.append(now_ms, None, Some(&value), &[]).unwrap();
        records += 1;
    }
    (batch.build().unwrap().to_vec(), records)
}
