//! Our sockets with those of libzmq, as Python's pyzmq brings it: records go from our PUSH through its PULL and PUSH to our PULL.
//!
//! Where pyzmq can't be had the test is skipped: the terminal says so, and the file that `RINGLOG_SKIPS` names.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::*;
use crate::workload::Workload;

const PACKAGE: &str = "pyzmq==27.1.0";
/// Far more than it takes.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// Connects to the PULL socket that it is given, and passes on what comes to one of its own, whose port it prints.
const PASSES_ON: &str = r#"
import sys, zmq
context = zmq.Context()
pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
push.connect("tcp://" + sys.argv[1])
print(pull.bind_to_random_port("tcp://127.0.0.1"), flush=True)
zmq.proxy(pull, push)
"#;

#[tokio::test]
async fn libzmq_takes_what_we_push_and_gives_it_back_to_whom_we_pull_with() {
    let Some(packages) = installed() else { return };
    let peer = Peer::of_url("zeromq", "127.0.0.1:0").unwrap().unwrap();
    let text = "name: a\npartitionsPerTopic: 1\nmessageSize: 100\nproducerRate: 1\ndurability: memory\n";
    let cell = Workload::parse(Path::new("a.yaml"), text).unwrap().cells.remove(0);
    let driver = ZeromqDriver::new(&peer, &cell).unwrap();
    let layout = Layout { topics: vec!["t".to_owned()], partitions: 1 };
    let mut consumer = driver.consumer(&layout, 0, &[0]).await.unwrap();
    let libzmq = Libzmq::start(&packages, &driver.pull(0).unwrap().local_addr().unwrap().to_string());
    let pushes = vec![push(&Peer { address: libzmq.address.clone(), ..peer.clone() }).await.unwrap()];
    let mut producer = ZeromqProducer { peer, first_slot: 0, pushes };
    // On both sides of where a frame's length takes eight bytes, and of what one read brings.
    let sizes = [0, 1, 24, 255, 256, 1_024, 70_000, 1 << 20].iter().cycle().take(200);
    let sent: Vec<Vec<u8>> = sizes.zip(0..).map(|(&bytes, byte)| vec![byte; bytes]).collect();
    for value in &sent {
        drop(producer.send(Record { slot: 0, key: None, value }).await.unwrap());
    }
    producer.idle();
    let (mut come, deadline) = (Vec::new(), Instant::now() + LIMIT);
    while come.len() < sent.len() {
        assert!(Instant::now() < deadline, "{} of {} came within {LIMIT:?}", come.len(), sent.len());
        consumer.poll(LOOK, |record| come.push(record.value.to_vec())).await.unwrap();
    }
    assert!(come == sent, "what came is not what was sent");
}

/// The folder with pyzmq in it, which is kept.
fn installed() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = path("RINGLOG_PEERS_CACHE").or_else(|| {
        let caches = path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache")))?;
        Some(caches.join("ringlog-peers"))
    })?;
    let said = |command: &mut Command| match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().lines().last().unwrap_or_default().to_owned()),
        Err(error) => Err(format!("python3: {error}")),
    };
    let folder = said(Command::new("python3").args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]));
    let folder = folder.and_then(|version| {
        let folder = cache.join(format!("{PACKAGE}-python{version}"));
        if folder.exists() {
            return Ok(folder);
        }
        // It counts as there when it is whole.
        let part = folder.with_extension(std::process::id().to_string());
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--retries=1", "--no-deps", "--only-binary=:all:", PACKAGE]);
        said(pip.arg("--target").arg(&part))?;
        match std::fs::rename(&part, &folder) {
            Err(error) if !folder.exists() => Err(error.to_string()),
            _ => Ok(folder),
        }
    });
    folder.map_err(|reason| skip(&reason)).ok()
}

fn skip(reason: &str) {
    let line = format!("SKIPPED: ZeroMQ against libzmq ({PACKAGE}): {reason}\n");
    // Not through `eprintln!`, which the test harness keeps to itself when a test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("RINGLOG_SKIPS") {
        let file = OpenOptions::new().create(true).append(true).open(list);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// The process that passes records on. Dropping it ends it.
struct Libzmq {
    process: Child,
    /// Of its PULL socket.
    address: String,
}

impl Libzmq {
    fn start(packages: &Path, to: &str) -> Libzmq {
        let mut python = Command::new("python3");
        python.args(["-c", PASSES_ON, to]).env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut process = python.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Libzmq { process, address: format!("127.0.0.1:{}", port.trim()) }
    }
}

impl Drop for Libzmq {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
