//! A run of which nothing ran yet: what was asked for, of whom, and on which host.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ringbench_load::workload::{Slo, Workload};
use ringbench_load::{Described, STAMP_BYTES, Stop};
use ringbench_report::digits;
use ringbench_report::results::{self, Calibration, Kind, Objective, Run, RunCell, SCHEMA};
use ringbench_stats::{Depth, DirtyLimits, Host, Roofline, SystemCalls};

use crate::calibrate::to_nowhere;
use crate::kept_run::KeptRun;

/// How long the generator is measured without a target.
const CALIBRATED: Duration = Duration::from_millis(500);

/// How many times more it may do than was measured in so short a time.
const DOUBT: f64 = 2.0;

/// What a run is of.
pub(crate) struct Fresh<'a> {
    pub(crate) kind: Kind,
    pub(crate) workload: &'a Workload,
    /// Its file's text.
    pub(crate) workload_yaml: Option<String>,
    pub(crate) command: String,
    /// Where the target has its files: the host is looked at from there.
    pub(crate) data: &'a Path,
    pub(crate) targets: Vec<results::Target>,
    /// Those that are known before.
    pub(crate) cells: Vec<RunCell>,
}

impl Fresh<'_> {
    pub(crate) fn run(self) -> Run {
        let Fresh { kind, workload, workload_yaml, command, data, targets, cells } = self;
        Run {
            schema: SCHEMA.to_owned(),
            kind,
            workload: workload.name.clone(),
            workload_yaml,
            command,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_unix_ms: unix_ms(),
            took_seconds: 0.0,
            seed: workload.seed,
            repeats: workload.repeats as usize,
            interrupted: true,
            objective: workload.slo.map(objective),
            host: Host::here(data),
            roofline: None,
            dirty_limits: DirtyLimits::here(),
            calibration: None,
            system_calls_uncounted: SystemCalls::count().err(),
            targets,
            cells,
            max_rates: Vec::new(),
        }
    }
}

/// Measures what generator and host do alone, unless an earlier part of this run has. A null sink has no host below it.
///
/// # Errors
/// A sentence, when the host's files can't be written, a rate is more than the generator can offer, or somebody wished to stop.
pub(crate) fn measure_floor(
    kept: &mut KeptRun,
    workload: &Workload,
    threads: usize,
    is_null: bool,
    data: &Path,
    stop: &Stop,
) -> Result<(), String> {
    if kept.run().calibration.is_none() {
        kept.run_mut().calibration = Some(calibrated(workload, stop)?);
    }
    if let Some(calibration) = &kept.run().calibration {
        is_possible(kept.run().kind, workload, threads, calibration)?;
    }
    if kept.run().roofline.is_none() && !is_null {
        kept.run_mut().roofline = Some(
            Roofline::measure(data, Depth::Full)
                .map_err(|error| format!("{error}: make room there, or keep the target's files elsewhere"))?,
        );
    }
    Ok(())
}

/// Refuses a rate at which the generator, and not the target, would be measured.
fn is_possible(kind: Kind, workload: &Workload, threads: usize, alone: &Calibration) -> Result<(), String> {
    let remedy = match kind {
        Kind::Run => "say less, or more --threads",
        Kind::Sweep => "say less",
        // Their rates are what they find out.
        Kind::Curve | Kind::MaxRate | Kind::Quick => return Ok(()),
    };
    let most = alone.records_per_s * threads as f64 * DOUBT;
    let highest = workload.cells.iter().filter_map(|cell| cell.arrival.per_second()).fold(0.0, f64::max);
    if highest <= most {
        return Ok(());
    }
    let [highest, alone_per_s] = [highest, alone.records_per_s].map(digits);
    Err(format!(
        "{}: producerRate: {highest} a second is impossible: the generator alone, without a target, does {alone_per_s} a second with \
         each of its {threads} threads: {remedy}",
        workload.name
    ))
}

/// What the generator does without a target, with values as large as the smallest of the workload.
fn calibrated(workload: &Workload, stop: &Stop) -> Result<Calibration, String> {
    let bytes = workload.cells.iter().map(|cell| cell.message_bytes).min().unwrap_or(0).max(STAMP_BYTES);
    let records_per_s = to_nowhere(bytes, None, CALIBRATED, stop)?.achieved_per_second();
    let record_bytes = bytes as f64;
    Ok(Calibration { records_per_s, mb_per_s: records_per_s * record_bytes / 1e6, record_bytes })
}

/// A target beside those that are taken already.
pub(crate) fn target(described: Described, url: String, taken: &[results::Target]) -> results::Target {
    let Described { product, config, command, ready_after, .. } = described;
    results::Target {
        name: free_name(&product, &url, taken),
        url,
        product,
        command,
        config,
        ready_ms: ready_after.map(|time| time.as_secs_f64() * 1e3),
        resident_bytes: None,
    }
}

/// The product's name in small letters, with the driver where that is not the usual one, and with a number where another target has it
/// already.
fn free_name(product: &str, url: &str, taken: &[results::Target]) -> String {
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let words: Vec<&str> = product.split_whitespace().take_while(|word| !is_version(word)).collect();
    let name = match &words[..] {
        ["null", ..] => "null".to_owned(),
        ["Apache", words @ ..] | words if (1..=3).contains(&words.len()) => {
            words.join("-").replace(['(', ')'], "").to_lowercase()
        }
        _ => "target".to_owned(),
    };
    let driver = url.split_once("kafka+").and_then(|(_, rest)| rest.split([':', '&']).next());
    let name = driver.map_or_else(|| name.clone(), |driver| format!("{name}+{driver}"));
    let is_free = |name: &String| taken.iter().all(|target| target.name != *name);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or(name)
}

/// As results have it.
pub(crate) fn objective(slo: Slo) -> Objective {
    Objective { percentile: slo.percent, limit_us: slo.below.as_secs_f64() * 1e6 }
}

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_the_generator_alone_does_not_do_is_impossible() {
        let alone = Calibration { records_per_s: 1e6, mb_per_s: 100.0, record_bytes: 100.0 };
        let at = |kind, rate: &str, threads| {
            let text = format!("name: a\nproducerRate: {rate}\narrival: uniform\n");
            is_possible(kind, &Workload::parse("a.yaml".as_ref(), &text).unwrap(), threads, &alone)
        };
        assert!(at(Kind::Run, "1900000", 1).is_ok() && at(Kind::Run, "3000000", 2).is_ok());
        let refused = at(Kind::Run, "900000000", 2).unwrap_err();
        assert!(refused.starts_with("a: producerRate: 900,000,000 a second is impossible: the generator"), "{refused}");
        assert!(refused.contains("does 1,000,000 a second with each of its 2 threads"), "{refused}");
        assert!(refused.ends_with(": say less, or more --threads"), "{refused}");
        // A sweep has no such option; and a curve and a search never offer the rate that the workload says.
        assert!(at(Kind::Sweep, "900000000", 2).is_err_and(|refused| refused.ends_with("threads: say less")));
        assert!([Kind::Curve, Kind::MaxRate].map(|kind| at(kind, "900000000", 2)).iter().all(Result::is_ok));
    }

    #[test]
    fn a_target_is_named_after_what_it_is_with_a_number_where_there_are_two() {
        let mut taken = Vec::new();
        for (product, url, name) in [
            ("ringlog 0.1.0", "serve", "ringlog"),
            ("ringlog 0.1.0", "serve", "ringlog-2"),
            ("Apache Kafka 4.3.1", "start://kafka", "kafka"),
            ("RabbitMQ (quorum queues) 3.10.8", "amqp+quorum://a:1", "rabbitmq-quorum-queues"),
            ("ActiveMQ Artemis 2.44.0", "artemis://a:1", "activemq-artemis"),
            ("a broker that speaks Kafka's protocol", "kafka://a:1", "target"),
            ("null sink", "null://", "null"),
            ("Apache Kafka 4.3.1", "kafka+librdkafka://a:1", "kafka+librdkafka"),
            ("Apache Kafka 4.3.1", "start://kafka?scheme=kafka+librdkafka&profile=default", "kafka+librdkafka-2"),
        ] {
            let described = Described { product: product.to_owned(), ..Described::default() };
            taken.push(target(described, url.to_owned(), &taken));
            assert_eq!(taken.last().map(|target| &*target.name), Some(name));
        }
    }
}
