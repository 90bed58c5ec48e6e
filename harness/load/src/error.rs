//! Why a measurement can't be had.

use std::io;
use std::path::{Path, PathBuf};

use ringlog_client::ClientError;
use ringlog_log::LogError;

use crate::STAMP_BYTES;
use crate::workload::{Durability, Problem};

/// What ends a measurement. Each names the value and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The broker's binary can't be started.
    #[error("{path}: {source}: build it (cargo build --release -p ringlog-cli), or name it with --ringlog", path = path.display())]
    Binary {
        /// The binary.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The broker did not say that it is ready.
    #[error("{program} did not start a broker; it said: {said}: see that it does by itself, or name another one", program = program.display())]
    NotReady {
        /// The program, or the script.
        program: PathBuf,
        /// The end of what it logged.
        said: String,
    },
    /// No text was found to send.
    #[error("no text was found in {looked}: name a file with --corpus")]
    NoText {
        /// Where it was looked for.
        looked: String,
    },
    /// A file or directory can't be used.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A target takes no more while its backlog is made.
    #[error(
        "the backlog has {acked} of {records} records: {why}: make room on the target, or the backlog smaller (consumerBacklogSizeGB)"
    )]
    Backlog {
        /// So many make it.
        records: u64,
        /// So many are there.
        acked: u64,
        /// What was said, or seen.
        why: String,
    },
    /// What a target writes can't be synced by us.
    #[error("finalSync: {why}: run ringbench as the target's user on its host, or take finalSync away")]
    FinalSync {
        /// What stands in the way.
        why: String,
    },
    /// A workload can't be taken.
    #[error("{}", listed(file, problems))]
    Workload {
        /// The file.
        file: PathBuf,
        /// Everything that is wrong with it; at least one thing.
        problems: Vec<Problem>,
    },
    /// The broker refused, or is gone.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A peer refused, or is gone.
    #[error("{name}://{address}: {said}")]
    Peer {
        /// Which.
        name: &'static str,
        /// `host:port`
        address: String,
        /// What it said, or what the operating system said of it.
        said: String,
    },
    /// More than an acknowledgement has behind it.
    #[error(
        "{name}://{address}: its acknowledgement has {has} behind it, and {wanted} is asked for: start it with --profile durable \
         where scripts/peers.sh list says that it helps, as start://NAME?profile=durable, or ask for {has}"
    )]
    NotOffered {
        /// Which peer.
        name: &'static str,
        /// `host:port`
        address: String,
        /// What it has.
        has: Durability,
        /// What it should have.
        wanted: Durability,
    },
    /// A target that does not say what it is, or not in its protocol.
    #[error(
        "{url}: {said}: is a broker running there, of the kind that the scheme says? start it (scripts/peers.sh start NAME), or write the \
         scheme of what listens there"
    )]
    Unanswered {
        /// As it was written.
        url: String,
        /// What came instead, or what the operating system said.
        said: String,
    },
    /// A target that no driver goes to.
    #[error(
        "--target {url}: {reason}: write kafka://HOST:PORT (several brokers with commas; kafka+librdkafka:// for that \
         client), redis://, nats://, amqp://, amqp+quorum://, rabbitmq-stream://, rocketmq://, pulsar://, \
         activemq:// or artemis://HOST:PORT, zeromq://HOST:PORT to be bound by the driver itself, or null:// for the generator alone; \
         serve starts a ringlog for each run, start://NAME a peer"
    )]
    Target {
        /// As it was written.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A broker that can't be started for a run.
    #[error(
        "--target {text}: {reason}: write serve, or start://NAME?profile=default (or durable) with a name that scripts/peers.sh list \
         has; &scheme=amqp+quorum behind it takes another one of its URLs"
    )]
    Start {
        /// As it was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A driver that this program was built without.
    #[error(
        "kafka+{driver}:// is not in this ringbench, since it takes a C compiler and make: build one that has it with \
         cargo build --release --features {driver}"
    )]
    NotBuilt {
        /// The driver, and the feature of the crate.
        driver: &'static str,
    },
    /// A log in this process failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record, or the batch that it is in, was refused.
    #[error("{said}")]
    Refused {
        /// The words of who refused it.
        said: String,
    },
    /// A setting that the driver does not have, or not with this value.
    #[error("{name}={value}: {allowed}")]
    Setting {
        /// Its name, as Kafka has it.
        name: String,
        /// What it was to be.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A setting of Kafka's is swept, or set, on a target of another kind.
    #[error(
        "{setting} is Kafka's and does not reach {target}: every value of it would measure the same; take it out of `sweep` and `--set`, \
         or measure it on kafka://HOST:PORT"
    )]
    OutOfReach {
        /// Its name, as Kafka has it.
        setting: String,
        /// Its URL.
        target: String,
    },
    /// A value that has no room for the ledger's stamp.
    #[error(
        "records of {bytes} bytes have no room for sequence and checksum, which take {STAMP_BYTES}: make them larger, or set verify to \
         false"
    )]
    TooShort {
        /// Bytes of a value.
        bytes: usize,
    },
    /// Values that come again within what a codec looks back over: it finds them, and the figure says nothing.
    #[error(
        "compression.type={codec}: the values come again after {bytes} bytes ({payload}), and it looks back over {window} of a batch: \
         name a longer payloadFile, or random values (useRandomizedPayloads), with randomizedPayloadPoolSize 0 or a larger one"
    )]
    Repetitive {
        /// Where the values are from.
        payload: String,
        /// After how many bytes they come again.
        bytes: usize,
        /// Which codec.
        codec: String,
        /// How far it looks back. Bytes.
        window: usize,
    },
    /// The kernel's timer refused.
    #[error("the timer that says when a record is due: {0}")]
    Timer(#[source] io::Error),
    /// A thread can't wait for sockets and timers.
    #[error("a load thread can't begin: {0}: raise its limit of open files (ulimit -n)")]
    Runtime(#[source] io::Error),
    /// A load thread went home because another one could not begin.
    #[error("a load thread did not begin, since another one could not")]
    NotBegun,
    /// A load thread panicked: a fault of ringbench.
    #[error("a load thread panicked, which is a fault of ringbench: its words stand above; please report them")]
    Panicked,
}

impl LoadError {
    /// Whether a target does not offer what a cell asks for: no fault of it, and nothing is said of the next cell.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        use LoadError::{NotOffered, Repetitive, Setting, TooShort};
        matches!(self, NotOffered { .. } | Setting { .. } | TooShort { .. } | Repetitive { .. })
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> LoadError {
        let path = path.into();
        move |source| LoadError::File { path, source }
    }

    pub(crate) fn refused(said: impl std::fmt::Display) -> LoadError {
        LoadError::Refused { said: said.to_string() }
    }

    pub(crate) fn workload(file: &Path, problems: Vec<Problem>) -> LoadError {
        LoadError::Workload { file: file.to_owned(), problems }
    }
}

/// A line for each, as compilers write them.
fn listed(file: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", file.display())).collect();
    lines.join("\n")
}
