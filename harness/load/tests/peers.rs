//! A cell on each peer that can be had, as `scripts/peers.sh` starts it: what is acknowledged comes back, once, in order; what is declared
//! is what happens; and a connection that breaks, or a peer that is killed, is in the books.
//!
//! Redis by default; `RINGBENCH_PEERS` names others (`nats artemis`, or `all`). A peer whose packages can't be had is skipped: the
//! terminal says so, and the file that `RINGLOG_SKIPS` names.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it is wrong")]

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ringbench_load::driver::{Ack, Evidence};
use ringbench_load::workload::{CellSpec, Durability, Workload};
use ringbench_load::{Conditions, LoadError, Outcome, Pool, Stop, Target, Verdict};

/// Status of `scripts/peers.sh` when a peer can't be had on this machine.
const UNAVAILABLE: i32 = 3;

/// So many were before: a broker of STOMP keeps its queues, and what nobody has read.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Drivers of peers that tell what an acknowledgement has behind it.
const TOLD: [&str; 5] = ["native", "redis", "amqp", "artemis", "rocketmq"];

/// Records come and go at the same time; then they are all read back after the last acknowledgement.
const CELLS: [&str; 2] = ["consumerPerSubscription: 2\nsubscriptionsPerTopic: 1", "subscriptionsPerTopic: 0"];

#[test]
fn kafka_gives_back_what_it_acknowledged() {
    let Some(peer) = Running::start("kafka", "default") else { return };
    peer.gives_back("native");
    // Its topics are asked for what a cell wants; but not for a sync every second, by which it does not look.
    let synced = run(&peer.target, &cell(CELLS[1], "fsync")).unwrap().declaration;
    assert_eq!((synced.durability, synced.replication), (Durability::Fsync, 1));
    let refused = run(&peer.target, &cell(CELLS[1], "fsync:1s")).unwrap_err().to_string();
    assert!(refused.contains("log.flush.scheduler.interval.ms"), "{refused}");
}

#[test]
fn kafka_that_syncs_gives_back_what_it_acknowledged() {
    if let Some(peer) = Running::start("kafka", "durable") {
        peer.gives_back("native");
    }
}

#[test]
fn redis_gives_back_what_it_acknowledged() {
    holds("redis", "default");
}

#[test]
fn redis_that_syncs_gives_back_what_it_acknowledged() {
    holds("redis", "durable");
}

#[test]
fn nats_gives_back_what_it_acknowledged() {
    holds("nats", "default");
}

#[test]
fn nats_that_syncs_gives_back_what_it_acknowledged() {
    holds("nats", "durable");
}

#[test]
fn activemq_gives_back_what_it_acknowledged() {
    holds("activemq", "default");
}

#[test]
fn artemis_gives_back_what_it_acknowledged() {
    holds("artemis", "default");
}

#[test]
fn queues_of_rabbitmq_give_back_what_they_acknowledged() {
    let Some(mut peer) = Running::start("rabbitmq", "default") else { return };
    for target in std::iter::once(peer.target.clone()).chain(peer.also.clone()) {
        let driver = target.to_string().split_once(':').unwrap().0.to_owned();
        let mut numbers = peer.version.split('.').map_while(|number| number.parse::<u32>().ok());
        let classic_syncs = (numbers.next(), numbers.next()) < (Some(3), Some(13));
        let syncs = driver == "amqp+quorum" || driver == "amqp" && classic_syncs;
        peer.durability = if syncs { "fsync" } else { "page-cache" }.to_owned();
        peer.target = target;
        peer.gives_back(&driver);
        peer.outlives_its_connections();
    }
    assert_eq!(peer.also.len(), 2);
    let refused = run(&peer.target, &cell(CELLS[1], "fsync")).unwrap_err().to_string();
    assert!(refused.contains("fsync is asked for"), "{refused}");
    peer.target = peer.also.remove(0);
    peer.is_killed();
}

#[test]
fn rocketmq_gives_back_what_it_acknowledged() {
    holds("rocketmq", "default");
}

#[test]
fn rocketmq_that_syncs_gives_back_what_it_acknowledged() {
    holds("rocketmq", "durable");
}

#[test]
fn pulsar_gives_back_what_it_acknowledged() {
    holds("pulsar", "default");
}

#[test]
fn pulsar_that_syncs_gives_back_what_it_acknowledged() {
    holds("pulsar", "durable");
}

/// It needs no package.
#[test]
fn zeromq_carries_every_record_from_each_producer_to_its_one_reader() {
    let target: Target = "zeromq://127.0.0.1:0".parse().unwrap();
    let outcome = run(&target, &cell(CELLS[0], "memory")).unwrap();
    let (verdict, declaration) = (&outcome.verdict, &outcome.declaration);
    assert!(verdict.is_clean() && outcome.failure.is_none(), "{verdict:?} {:?}", outcome.trouble);
    assert!(verdict.acked > 100 && verdict.read == verdict.acked, "{verdict:?}");
    assert_eq!((declaration.ack, declaration.durability), (Ack::None, Durability::Memory));
    for (consumers, durability, said) in [
        (CELLS[0], "page-cache", "page-cache is asked for"),
        (CELLS[1], "memory", "subscriptionsPerTopic must be 1"),
        ("subscriptionsPerTopic: 2", "memory", "subscriptionsPerTopic must be 1"),
    ] {
        let refused = run(&target, &cell(consumers, durability)).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}

fn holds(name: &str, profile: &str) {
    let Some(peer) = Running::start(name, profile) else { return };
    peer.gives_back(name);
    if profile != "default" {
        return;
    }
    if name != "activemq" && name != "artemis" {
        let refused = run(&peer.target, &cell(CELLS[1], "fsync")).unwrap_err().to_string();
        assert!(refused.contains("fsync is asked for"), "{name}: {refused}");
    }
    peer.outlives_its_connections();
    peer.is_killed();
}

fn cell(consumers: &str, durability: &str) -> CellSpec {
    let text = format!(
        "name: peer\ntopics: 1\npartitionsPerTopic: 4\nproducersPerTopic: 2\n{consumers}\nmessageSize: 200\nproducerRate: 2000\n\
         keyDistributor: RANDOM_NANO\ndurability: {durability}\nwarmupDuration: 0s\ntestDuration: 1s\n"
    );
    Workload::parse(Path::new("peer.yaml"), &text).unwrap().cells.remove(0)
}

fn run(target: &Target, cell: &CellSpec) -> Result<Outcome, LoadError> {
    run_for(target, cell, Duration::from_secs(20))
}

/// `patience`: how long what is missing may still come.
fn run_for(target: &Target, cell: &CellSpec, patience: Duration) -> Result<Outcome, LoadError> {
    let pool = Arc::new(Pool::new(&cell.payload, cell.message_bytes, 1).unwrap());
    let conditions = Conditions {
        run: std::process::id() + RUNS.fetch_add(1, Ordering::Relaxed),
        seed: 1,
        threads: 1,
        target_pid: None,
        pool,
        patience,
        reads_back: true,
        stop: Stop::default(),
    };
    target.run(cell, &conditions)
}

/// A peer of this test's own. Dropping it stops it and removes its directory.
struct Running {
    name: String,
    dir: PathBuf,
    target: Target,
    /// Other ways to it.
    also: Vec<Target>,
    durability: String,
    version: String,
    pid: i32,
}

impl Running {
    fn start(name: &str, profile: &str) -> Option<Running> {
        let asked_for = std::env::var("RINGBENCH_PEERS").unwrap_or_else(|_| "redis".to_owned());
        if !asked_for.split_whitespace().any(|asked| asked == name || asked == "all") {
            say(&format!("not asked for: {name} ({profile}): name it in RINGBENCH_PEERS\n"));
            return None;
        }
        // First the packages: fetching them is not part of the peer's time.
        let installed = peers(&["install", name]);
        if installed.status.code() == Some(UNAVAILABLE) {
            skip(name, String::from_utf8_lossy(&installed.stderr).trim());
            return None;
        }
        let dir = std::env::temp_dir().join(format!("ringbench-peer-{name}-{profile}-{}", std::process::id()));
        let started = peers(&["start", name, "--profile", profile, "--dir", &dir.to_string_lossy()]);
        let line = String::from_utf8_lossy(&started.stdout).into_owned();
        let said = String::from_utf8_lossy(&started.stderr);
        assert!(started.status.success(), "{name} did not start: {said}");
        let word =
            |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key)).unwrap_or_default().to_owned();
        Some(Running {
            name: name.to_owned(),
            dir,
            target: word("url=").parse().unwrap(),
            also: word("also=").split_terminator(',').map(|url| url.parse().unwrap()).collect(),
            durability: word("durability="),
            version: word("version="),
            pid: word("pid=").parse().unwrap(),
        })
    }

    fn gives_back(&self, driver: &str) {
        let product = self.target.describe().unwrap().product;
        let version = product.split_whitespace().next_back().unwrap();
        assert!(self.version.starts_with(version), "{product} of package {}", self.version);
        for consumers in CELLS {
            let connections = Connections::count(self.port());
            let outcome = run(&self.target, &cell(consumers, &self.durability)).unwrap();
            let connections = connections.most();
            let (verdict, trouble, declared) = (&outcome.verdict, &outcome.trouble, &outcome.declaration);
            // RocketMQ refuses what waits for the disk for 200 ms.
            let is_busy = trouble.as_ref().is_some_and(|trouble| trouble.contains("broker busy"));
            let counts = Verdict { failed: if is_busy { 0 } else { verdict.failed }, ..*verdict };
            assert!(
                counts.is_clean() && outcome.failure.is_none(),
                "{driver}: {verdict:?} {trouble:?} {:?}",
                outcome.failure
            );
            assert!(verdict.acked > 100 && verdict.read == verdict.acked, "{driver}: {verdict:?} {trouble:?}");
            assert_eq!((declared.driver, declared.durability), (driver, self.durability.parse().unwrap()));
            let is_told = matches!(declared.evidence, Evidence::Told(_));
            assert_eq!(is_told, TOLD.contains(&driver), "{driver}: {}", declared.evidence);
            // Those that read everything back come later.
            if outcome.received_records.is_some() {
                // A client of Kafka's protocol has others, for metadata and its group.
                let wanted = declared.connections as usize;
                assert!(connections == wanted || connections > wanted && driver == "native", "{driver}: {connections}");
            }
        }
    }

    fn port(&self) -> u16 {
        self.address().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    fn address(&self) -> String {
        let url = self.target.to_string();
        url.split_once("://").unwrap().1.split('?').next().unwrap().to_owned()
    }

    /// What runs into `then` after some records.
    fn meets(&self, consumers: &str, patience: Duration, then: impl Fn(&Proxy) + Send + 'static) -> Outcome {
        let proxy = Proxy::start(self.address(), then);
        let through: Target = self.target.to_string().replace(&self.address(), &proxy.address).parse().unwrap();
        run_for(&through, &cell(consumers, &self.durability), patience).unwrap()
    }

    /// What was not acknowledged when connections broke has failed, and the rest comes back.
    fn outlives_its_connections(&self) {
        let outcome = self.meets(CELLS[0], Duration::from_secs(5), Proxy::cut);
        let (name, verdict) = (&self.target, &outcome.verdict);
        assert!(outcome.trouble.is_some() && verdict.corrupt == 0, "{name}: {verdict:?}");
        assert!(verdict.acked > verdict.failed, "{name}: {verdict:?} {:?}", outcome.trouble);
        // To a broker of STOMP what is under way to a reader has been read.
        let is_stomp = ["activemq", "artemis"].contains(&&*self.name);
        assert!(verdict.lost == 0 || is_stomp, "{name}: {verdict:?} {:?}", outcome.trouble);
        assert_eq!(outcome.failure, None);
    }

    /// What was acknowledged is lost with it: nobody has read it. Nobody says that it is gone, either: its process is not watched, as that
    /// of another host is not.
    fn is_killed(&self) {
        let pid = self.pid;
        let outcome =
            self.meets(CELLS[1], Duration::from_secs(1), move |_| kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap());
        let (name, verdict) = (&self.target, &outcome.verdict);
        assert!(verdict.failed > 0 && verdict.acked > 0, "{name}: {verdict:?}");
        assert_eq!((verdict.lost, verdict.read), (verdict.acked, 0), "{name}");
        let scheme = name.to_string().split_once("://").unwrap().0.to_owned();
        assert!(outcome.trouble.as_ref().is_some_and(|trouble| trouble.starts_with(&scheme)), "{:?}", outcome.trouble);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        peers(&["stop", &self.name, "--dir", &self.dir.to_string_lossy()]);
    }
}

fn peers(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/peers.sh");
    Command::new(script).args(arguments).output().expect("scripts/peers.sh")
}

fn skip(name: &str, reason: &str) {
    let line = format!("SKIPPED: the peer {name}: {reason}\n");
    say(&line);
    if let Some(list) = std::env::var_os("RINGLOG_SKIPS") {
        let _ = OpenOptions::new()
            .create(true)
            .append(true)
            .open(list)
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// Connections to a port of loopback, looked at until they are asked for.
struct Connections {
    looks: Arc<AtomicBool>,
    most: JoinHandle<usize>,
}

/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(20);

impl Connections {
    fn count(port: u16) -> Connections {
        // Those of a proxy before may still be there.
        for _ in 0..500 {
            if established(port) == 0 {
                break;
            }
            std::thread::sleep(LOOK);
        }
        let looks = Arc::new(AtomicBool::new(true));
        let goes_on = Arc::clone(&looks);
        let most = std::thread::spawn(move || {
            let mut most = 0;
            while goes_on.load(Ordering::Relaxed) {
                most = most.max(established(port));
                std::thread::sleep(LOOK);
            }
            most
        });
        Connections { looks, most }
    }

    fn most(self) -> usize {
        self.looks.store(false, Ordering::Relaxed);
        self.most.join().unwrap()
    }
}

fn established(port: u16) -> usize {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (there, established) = (format!(":{port:04X}"), "01");
    let is_one = |line: &&str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        fields.len() > 3 && fields[2].ends_with(&there) && fields[3] == established
    };
    sockets.lines().filter(is_one).count()
}

/// Passes bytes on to a peer, and does something once, after some.
struct Proxy {
    address: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

/// Of some 400,000 a second.
const PASSED_BYTES: usize = 200_000;

impl Proxy {
    fn start(upstream: String, then: impl Fn(&Proxy) + Send + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy { address: listener.local_addr().unwrap().to_string(), open: Arc::default() };
        let own = Proxy { address: proxy.address.clone(), open: Arc::clone(&proxy.open) };
        let (passed, passes) = mpsc::channel();
        std::thread::spawn(move || {
            let mut all = 0;
            while all < PASSED_BYTES {
                let Ok(bytes) = passes.recv() else { return };
                all += bytes;
            }
            then(&own);
        });
        let open = Arc::clone(&proxy.open);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                // Who comes when the peer is gone is sent away.
                let Ok(peer) = TcpStream::connect(&upstream) else { continue };
                open.lock().unwrap().extend([client.try_clone().unwrap(), peer.try_clone().unwrap()]);
                let (back_from, back_to) = (peer.try_clone().unwrap(), client.try_clone().unwrap());
                let (passed, nobody) = (passed.clone(), mpsc::channel().0);
                std::thread::spawn(move || pass(client, peer, &passed));
                std::thread::spawn(move || pass(back_from, back_to, &nobody));
            }
        });
        proxy
    }

    fn cut(&self) {
        self.open.lock().unwrap().drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, passed: &mpsc::Sender<usize>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
        let _ = passed.send(count);
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// Not through `eprintln!`, which the test harness keeps to itself when a test passes.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}
