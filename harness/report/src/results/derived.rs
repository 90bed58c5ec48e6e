//! What is said of a cell as a whole: made from its repeats alone.

use std::path::Path;

use ringbench_stats::{Interval, Latencies, Roofline};

use super::histograms::SERIES;
use super::{Intervals, LatencyUs, Ledger, Repeat, RunCell};
use crate::error::ReportError;
use crate::numbers::{grouped, time};

/// A client that is busier than this is measured together with the target.
const CLIENT_BOUND: f64 = 0.8;
/// A generator that comes later than this share of the latency has a part in it.
const LATE: f64 = 0.1;

impl RunCell {
    /// Makes everything that is said of the cell as a whole from its repeats, and from their histograms in `directory`, which are
    /// merged, never averaged. Called again after each repeat that is added.
    ///
    /// # Errors
    /// Those of [`super::LogFile::read`].
    pub fn derive(&mut self, roofline: Option<&Roofline>, directory: &Path) -> Result<(), ReportError> {
        // One that was made up for later stands where it belongs: cells are compared repeat by repeat.
        self.repeats.sort_by_key(|repeat| repeat.order);
        let mut merged: [Latencies; SERIES.len()] = Default::default();
        for log in self.whole().filter_map(|repeat| repeat.histograms.as_ref()) {
            let log = log.read(directory)?;
            for (all, series) in merged.iter_mut().zip(SERIES) {
                all.merge(&log.merged(series));
            }
        }
        let quoted = [0, 1, 2, 3].map(|series: usize| LatencyUs::of(&merged[series]));
        [self.latency_us, self.service_us, self.end_to_end_us, self.generator_lag_us] = quoted;
        self.ledger = Ledger::default();
        for at in 0..self.repeats.len() {
            self.ledger.add(&self.repeats[at].ledger);
        }
        self.intervals = Intervals {
            achieved_per_s: self.interval(|repeat| Some(repeat.achieved_per_s())),
            mb_per_s: self.interval(|repeat| Some(repeat.mb_per_s())),
            received_mb_per_s: self.interval(Repeat::received_mb_per_s),
            p50_us: self.interval(|repeat| repeat.latency_us.p50),
            p99_us: self.interval(|repeat| repeat.latency_us.p99),
            broker_cpu_s_per_million: self.interval(Repeat::broker_cpu_s_per_million),
            client_cpu_s_per_million: self.interval(Repeat::client_cpu_s_per_million),
        };
        let median = |interval: Option<Interval>| interval.map(|interval| interval.median);
        self.achieved_per_s = median(self.intervals.achieved_per_s);
        self.mb_per_s = median(self.intervals.mb_per_s);
        self.received_mb_per_s = median(self.intervals.received_mb_per_s);
        self.synced_mb_per_s = median(self.interval(|repeat| repeat.synced_mb_per_s));
        self.broker_cpu_s = median(self.interval(|repeat| Some(repeat.broker_cost?.cpu_s())));
        self.client_cpu_s = median(self.interval(|repeat| Some(repeat.client_cost.cpu_s())));
        let wire = self.interval(|repeat| Some(repeat.wire_bytes? as f64 / repeat.seconds));
        self.roofline_share = median(wire).zip(roofline).map(|(wire, host)| wire / host.receive_crc_write.median);
        self.why = self.why_void();
        self.valid = self.why.is_none();
        self.flags = self.flags();
        Ok(())
    }

    /// Over repeats that ran to their end; `None` where one of them does not have it.
    fn interval(&self, of: impl Fn(&Repeat) -> Option<f64>) -> Option<Interval> {
        Interval::of(&self.whole().map(of).collect::<Option<Vec<f64>>>()?)
    }

    fn why_void(&self) -> Option<String> {
        if self.repeats.is_empty() {
            // Or why it could not, which is said once.
            return self.why.clone().or_else(|| Some("it did not run".to_owned()));
        }
        let failure = self.repeats.iter().find_map(|repeat| repeat.failure.clone());
        let faults = Some(self.ledger.faults()).filter(|faults| !faults.is_empty());
        let deleted: u64 = self.repeats.iter().filter_map(|repeat| repeat.deleted_records).sum();
        let outran = (self.ledger.lost > 0 && deleted > 0).then(|| {
            format!("retention deleted {} records, which consumers may not have had by then", grouped(deleted))
        });
        let reasons: Vec<String> = faults.into_iter().chain(outran).chain(failure).collect();
        if !reasons.is_empty() {
            return Some(reasons.join("; "));
        }
        self.whole().any(|repeat| repeat.acked_records == 0).then(|| "nothing was acknowledged in a repeat".to_owned())
    }

    fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let busiest = self.whole().map(|repeat| repeat.client_busy_share).fold(0.0, f64::max);
        if busiest > CLIENT_BOUND {
            flags.push(format!("a thread of the client was {:.0} % busy: the target can do more", busiest * 100.0));
        }
        let late = self.offered_per_s.and(self.generator_lag_us.p99).zip(self.latency_us.p99);
        if let Some((lag, p99)) = late.filter(|(lag, p99)| *lag > LATE * p99) {
            let (lag, p99) = (time(Some(lag)), time(Some(p99)));
            flags.push(format!("the generator came late: by {lag} at the 99th percentile, of a latency of {p99}"));
        }
        if !self.kept_rate() {
            flags.push(format!("{:.1} % of the rate was achieved", 100.0 * self.share_of_due().unwrap_or(0.0)));
        }
        if self.backlog_grew() {
            flags.push("records piled up while it was measured".to_owned());
        }
        let negative: u64 = self.whole().map(|repeat| repeat.negative_latencies).sum();
        if negative > 0 {
            flags.push(format!("{} latencies were negative: the clock is not to be believed", grouped(negative)));
        }
        let retains = self.topic_config.get("retention.bytes").is_some_and(|bytes| bytes != "-1");
        if retains && self.whole().any(|repeat| repeat.deleted_records == Some(0)) {
            flags.push("retention has deleted nothing in a repeat: it is not past it".to_owned());
        }
        let mut regimes: Vec<&str> = self.whole().filter_map(|repeat| repeat.regime.as_deref()).collect();
        regimes.sort_unstable();
        regimes.dedup();
        if regimes.len() > 1 {
            flags.push(format!("repeats ran in several regimes of write-back: {}", regimes.join(", ")));
        }
        flags
    }
}
