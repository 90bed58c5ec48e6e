//! From the values of keys to a cell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ringlog_record::crc32c;

use super::key::{self, KEYS, Origin};
use super::problem::Problem;
use super::{Arrival, CellSpec, Consumption, Durability, Keys, Payload};
use crate::STAMP_BYTES;

/// From here on OpenMessaging Benchmark's files mean: as fast as it goes.
const UNREACHABLE_PER_SECOND: f64 = 1e7;
/// What a cell says of its producers, whether its file does or not.
const ALWAYS_SAID: [&str; 4] = ["acks", "batch.size", "linger.ms", "compression.type"];
/// What a record has beside its value, and a batch beside its records.
const MOST_OVERHEAD_BYTES: u64 = 256;

/// A value and where it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    /// In the one way that it can be written.
    pub(super) text: String,
    /// As it was written.
    pub(super) written: String,
    /// From 1; 0 on a command line.
    pub(super) line: usize,
}

/// The values that a file gives, by key; those of `topic` and `broker` with that and a dot in front.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Values(BTreeMap<String, Given>);

impl Values {
    pub(super) fn insert(&mut self, key: &str, given: Given) {
        self.0.insert(key.to_owned(), given);
    }

    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.0.retain(|key, _| is_kept(key));
    }

    pub(super) fn given(&self, key: &str) -> Option<&Given> {
        self.0.get(key)
    }

    /// The keys that were set on a command line.
    pub(super) fn set(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, given)| given.line == 0).map(|(key, _)| &**key)
    }

    /// As given, or by default.
    pub(super) fn text(&self, key: &str) -> &str {
        self.given(key).map_or_else(|| key::find(key).map_or("", |key| key.default), |given| &given.text)
    }

    /// The same as a number: what a key of another kind has none of.
    pub(super) fn number<T: FromStr + Default>(&self, key: &str) -> T {
        self.text(key).parse().unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.text(key) == "true"
    }

    /// The values of `topic` or `broker`.
    fn of_map(&self, map: &str) -> BTreeMap<String, String> {
        let inner = |(key, given): (&String, &Given)| {
            Some((key.strip_prefix(map)?.strip_prefix('.')?.to_owned(), given.text.clone()))
        };
        self.0.iter().filter_map(inner).collect()
    }

    fn problem(&self, key: &str, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let (line, written) = self.given(key).map_or((0, self.text(key)), |given| (given.line, &*given.written));
        Problem::at(line, key, written, what, remedy)
    }

    /// Refuses a key that is given while another one is not as it needs it.
    fn needs(&self, key: &str, met: bool, what: &str, remedy: &str) -> Result<(), Problem> {
        match self.given(key) {
            Some(_) if !met => Err(self.problem(key, what, remedy)),
            _ => Ok(()),
        }
    }
}

/// The cell that these values stand for. What is no error goes to the notes.
pub(super) fn resolve(values: &Values, directory: &Path, notes: &mut Vec<Problem>) -> Result<CellSpec, Problem> {
    let verify = values.flag("verify");
    let message_bytes: usize = values.number("messageSize");
    if verify && message_bytes < STAMP_BYTES {
        let what = format!("the ledger's stamp takes {STAMP_BYTES} bytes of each record");
        return Err(values.problem("messageSize", what, "make records larger, or say `verify: false`"));
    }
    let backlog_gib: f64 = values.number("consumerBacklogSizeGB");
    let subscriptions = values.number("subscriptionsPerTopic");
    let consumed = "nobody consumes: subscriptionsPerTopic is 0";
    values.needs("consumerBacklogSizeGB", backlog_gib == 0.0 || subscriptions > 0, consumed, "make it 1 or more")?;
    let (durability, topic_settings) = durability(values)?;
    let write_bytes = write_bytes(values)?;
    let cell = CellSpec {
        name: String::new(),
        varied: BTreeMap::new(),
        settings: settings(values)?,
        topics: values.number("topics"),
        partitions_per_topic: values.number("partitionsPerTopic"),
        producers_per_topic: values.number("producersPerTopic"),
        subscriptions_per_topic: subscriptions,
        consumers_per_subscription: values.number("consumerPerSubscription"),
        consumption: consumption(values, subscriptions)?,
        message_bytes,
        payload: payload(values, directory, notes)?,
        keys: match values.text("keyDistributor") {
            "KEY_ROUND_ROBIN" => Keys::RoundRobin,
            "RANDOM_NANO" => Keys::Random,
            _ => Keys::None,
        },
        arrival: arrival(values, notes)?,
        backlog_bytes: (backlog_gib * f64::from(1 << 30)) as u64,
        write_bytes,
        final_sync: values.flag("finalSync"),
        durability,
        topic_settings,
        broker_settings: values.of_map("broker"),
        verify,
        warm_up: time(values, "warmupDuration", "warmupDurationMinutes")?,
        duration: match time(values, "testDuration", "testDurationMinutes")? {
            Duration::ZERO if values.given("testDuration").is_some() => {
                return Err(values.problem("testDuration", NO_TIME, ""));
            }
            Duration::ZERO => return Err(values.problem("testDurationMinutes", NO_TIME, "")),
            duration => duration,
        },
    };
    let cell = cell.at(cell.arrival);
    if cell.duration.is_zero() {
        let what = "backlog and warm-up alone write as much";
        return Err(values.problem("timesMemory", what, "make it larger, or those smaller"));
    }
    if verify && cell.consumers() == 0 && cell.passes_retention() {
        let what = "what is deleted before the end can't be read back then, and would count as lost";
        return Err(values.problem("topic.retention.bytes", what, "have it read meanwhile (subscriptionsPerTopic: 1)"));
    }
    Ok(cell)
}

/// What it has to write, where that decides when it ends.
fn write_bytes(values: &Values) -> Result<Option<u64>, Problem> {
    let times: f64 = values.number("timesMemory");
    if times == 0.0 {
        return Ok(None);
    }
    for key in ["testDuration", "testDurationMinutes"] {
        values.needs(key, false, "timesMemory decides when it ends", "take one of them away")?;
    }
    if values.text("compression.type") != "none" {
        let what = "what is compressed is smaller than memory all the same, by nobody knows how much";
        return Err(values.problem("timesMemory", what, "say `compression.type: none`"));
    }
    let memory = ringbench_stats::memory_bytes();
    let memory = memory.ok_or_else(|| {
        values.problem("timesMemory", "this host does not say how much memory it has", "use testDuration")
    })?;
    Ok(Some((memory as f64 * times) as u64))
}

const NO_TIME: &str = "nothing can be measured in no time: give it some seconds";

/// Of two keys for one time, the one that is given.
fn time(values: &Values, with_unit: &str, minutes: &str) -> Result<Duration, Problem> {
    if values.given(with_unit).is_none() {
        return Ok(Duration::from_secs_f64(values.number::<f64>(minutes) * 60.0));
    }
    values.needs(minutes, false, &format!("{with_unit} is given as well"), "take one of them away")?;
    Ok(Duration::from_millis(values.number(with_unit)))
}

fn arrival(values: &Values, notes: &mut Vec<Problem>) -> Result<Arrival, Problem> {
    let per_second: f64 = values.number("producerRate");
    let wanted = values.text("arrival");
    values.needs(
        "inFlight",
        wanted == "closed",
        "only a closed loop counts what is on its way",
        "say `arrival: closed`",
    )?;
    match wanted {
        "uniform" | "poisson" if per_second == 0.0 => {
            Err(values.problem("arrival", "it needs a rate", "say how many records a second with producerRate"))
        }
        "uniform" => Ok(Arrival::Uniform { per_second }),
        "poisson" => Ok(Arrival::Poisson { per_second }),
        "maximum" | "closed" if per_second > 0.0 => {
            let what = format!("there is no rate with `arrival: {wanted}`");
            Err(values.problem("producerRate", what, "take it away, or say `arrival: uniform`"))
        }
        "closed" => Ok(Arrival::Closed { in_flight: values.number("inFlight") }),
        "" if per_second >= UNREACHABLE_PER_SECOND => {
            let note = "taken as: as fast as it goes";
            notes.push(values.problem("producerRate", note, "say `arrival: uniform` to have it offered"));
            Ok(Arrival::Maximum)
        }
        "" if per_second > 0.0 => Ok(Arrival::Uniform { per_second }),
        _ => Ok(Arrival::Maximum),
    }
}

/// Groups, where the words for them are used. Where nobody consumes there are none.
fn consumption(values: &Values, subscriptions: u32) -> Result<Consumption, Problem> {
    let nobody = "nobody consumes: subscriptionsPerTopic is 0";
    values.needs("consumption", subscriptions > 0, nobody, "make it 1 or more, or take this away")?;
    let speaks_of_groups =
        ["subscriptionsPerTopic", "consumerPerSubscription"].iter().any(|key| values.given(key).is_some());
    Ok(match values.text("consumption") {
        "group" => Consumption::Group,
        "" if subscriptions > 0 && speaks_of_groups => Consumption::Group,
        _ => Consumption::Assigned,
    })
}

fn payload(values: &Values, directory: &Path, notes: &mut Vec<Problem>) -> Result<Payload, Problem> {
    let random = values.flag("useRandomizedPayloads");
    for key in ["randomBytesRatio", "randomizedPayloadPoolSize"] {
        values.needs(key, random, "payloads are not random", "say `useRandomizedPayloads: true`")?;
    }
    let is_own = !random && values.given("payloadFile").is_none();
    values.needs(
        "payload",
        is_own,
        "payloads come from elsewhere",
        "take it away, or payloadFile and useRandomizedPayloads",
    )?;
    if random {
        let (ratio, pool) = (values.number("randomBytesRatio"), values.number("randomizedPayloadPoolSize"));
        return Ok(Payload::Random { ratio, pool });
    }
    let Some(file) = values.given("payloadFile") else {
        return Ok(if values.text("payload") == "text" { Payload::Text } else { Payload::Json });
    };
    let above = directory.parent().map(|above| above.join(&file.text));
    let places: Vec<PathBuf> = [Some(directory.join(&file.text)), above].into_iter().flatten().collect();
    let Some((path, bytes)) = places.iter().find_map(|path| Some((path, std::fs::read(path).ok()?))) else {
        if file.text.starts_with("payload/payload-") {
            notes.push(values.problem(
                "payloadFile",
                "it is not there",
                "values of random bytes and zeros, half and half, stand in for it",
            ));
            return Ok(Payload::Random { ratio: 0.5, pool: 0 });
        }
        let looked: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        return Err(values.problem(
            "payloadFile",
            format!("there is no {}", looked.join(" and no ")),
            "name a file that can be read",
        ));
    };
    match bytes.is_empty() {
        true => {
            Err(values.problem("payloadFile", format!("{} is empty", path.display()), "name a file with some text"))
        }
        false => Ok(Payload::File { path: path.clone(), crc32c: crc32c(&bytes) }),
    }
}

/// The level, and the topics' settings with those that it takes.
fn durability(values: &Values) -> Result<(Durability, BTreeMap<String, String>), Problem> {
    let durability = values.text("durability").parse().unwrap_or(Durability::PageCache);
    let mut settings = values.of_map("topic");
    let never = i64::MAX.to_string();
    let (messages, ms) = match durability {
        Durability::Memory | Durability::PageCache => (never.clone(), never),
        Durability::FsyncEvery(period) => (never, period.as_millis().to_string()),
        Durability::Fsync => ("1".to_owned(), never),
    };
    for (key, value) in [("flush.messages", messages), ("flush.ms", ms)] {
        values.needs(
            &format!("topic.{key}"),
            false,
            "durability decides it",
            "say what an acknowledgement must have behind it with `durability`",
        )?;
        settings.insert(key.to_owned(), value);
    }
    Ok((durability, settings))
}

/// What is given of Kafka's keys, and what is always said; refused where a producer would.
fn settings(values: &Values) -> Result<BTreeMap<String, String>, Problem> {
    let all = values.text("acks") == "all";
    let idempotence = values.given("enable.idempotence").map_or(all, |given| given.text == "true");
    values.needs("enable.idempotence", !idempotence || all, "it needs acks=all", "say `acks: all`, or false")?;
    let in_flight: u64 = values.number("max.in.flight.requests.per.connection");
    let five = "with idempotence at most 5 are allowed: brokers remember five batches";
    values.needs(
        "max.in.flight.requests.per.connection",
        !idempotence || in_flight <= 5,
        five,
        "say 5, or `enable.idempotence: false`",
    )?;
    let (message, request, buffer): (u64, u64, u64) =
        (values.number("messageSize"), values.number("max.request.size"), values.number("buffer.memory"));
    if message + MOST_OVERHEAD_BYTES > request {
        let what = format!("a record of it is larger than a request, which has {request} bytes");
        return Err(values.problem("messageSize", what, "raise max.request.size"));
    }
    if buffer < request {
        let what = format!("it must hold one request, which has {request} bytes");
        return Err(values.problem("buffer.memory", what, "raise it, or lower max.request.size"));
    }
    let kafka = KEYS.iter().filter(|key| key.origin == Origin::Kafka);
    let said = kafka.filter(|key| ALWAYS_SAID.contains(&key.name) || values.given(key.name).is_some());
    let mut settings: BTreeMap<String, String> =
        said.map(|key| (key.name.to_owned(), values.text(key.name).to_owned())).collect();
    settings.insert("enable.idempotence".to_owned(), idempotence.to_string());
    Ok(settings)
}
