//! A histogram log: latencies slice by slice in the text format of HdrHistogram, which its own tools plot and merge.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, LogEntry, Tag};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use crate::Latencies;

/// Latencies of one stretch of time.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// When it began, after the log's start.
    pub begin: Duration,
    /// How long it was.
    pub length: Duration,
    /// Those that belong to it.
    pub latencies: Latencies,
}

/// Slices by what they are of, such as `latency` and `service`. Values are nanoseconds.
#[derive(Debug, Clone, Default)]
pub struct HdrLog {
    /// From the first slice to the last; a name has no blank and no comma in it.
    pub series: BTreeMap<String, Vec<Slice>>,
}

impl HdrLog {
    /// The file's bytes. Slices without a sample are written, too: a stall is seen.
    ///
    /// # Errors
    /// A sentence, for a name with a blank or a comma.
    pub fn encode(&self, started_unix_ms: u64) -> Result<Vec<u8>, String> {
        let (mut out, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
        let started = UNIX_EPOCH + Duration::from_millis(started_unix_ms);
        let mut log = IntervalLogWriterBuilder::new();
        log.add_comment("[Histogram log format version 1.3]").with_start_time(started).with_base_time(started);
        let mut log = log.begin_log_with(&mut out, &mut serializer).map_err(|error| error.to_string())?;
        for (name, slices) in &self.series {
            let tag =
                Tag::new(name).ok_or_else(|| format!("`{name}` is no name for a series: it has a blank or a comma"))?;
            for Slice { begin, length, latencies } in slices {
                log.write_histogram(latencies.histogram(), *begin, *length, Some(tag))
                    .map_err(|error| error.to_string())?;
            }
        }
        Ok(out)
    }

    /// Reads what [`HdrLog::encode`] or another writer of the format wrote.
    ///
    /// # Errors
    /// A sentence that says where it is broken.
    pub fn decode(bytes: &[u8]) -> Result<HdrLog, String> {
        let mut log = HdrLog::default();
        for (number, entry) in IntervalLogIterator::new(bytes).enumerate() {
            let LogEntry::Interval(interval) = entry.map_err(|error| format!("it is no histogram log: {error:?}"))?
            else {
                continue;
            };
            let wrong = |why: String| format!("entry {}: {why}", number + 1);
            let encoded = STANDARD.decode(interval.encoded_histogram()).map_err(|error| wrong(error.to_string()))?;
            let histogram =
                Deserializer::new().deserialize(&mut &*encoded).map_err(|error| wrong(error.to_string()))?;
            let name = interval.tag().map_or_else(String::new, |tag| tag.as_str().to_owned());
            log.series.entry(name).or_default().push(Slice {
                begin: interval.start_timestamp(),
                length: interval.duration(),
                latencies: Latencies::from(histogram),
            });
        }
        Ok(log)
    }

    /// All slices of one series together; nothing of one that is not there.
    #[must_use]
    pub fn merged(&self, name: &str) -> Latencies {
        let mut all = Latencies::default();
        self.series.get(name).into_iter().flatten().for_each(|slice| all.merge(&slice.latencies));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> HdrLog {
        let slice = |second: u64, microseconds: &[u64]| {
            let mut latencies = Latencies::default();
            microseconds.iter().for_each(|us| latencies.record(Duration::from_micros(*us)));
            Slice { begin: Duration::from_secs(second), length: Duration::from_secs(1), latencies }
        };
        let series = [
            ("latency".to_owned(), vec![slice(0, &[100, 250]), slice(1, &[]), slice(2, &[2_000_000, 7])]),
            ("service".to_owned(), vec![slice(0, &[90])]),
        ];
        HdrLog { series: BTreeMap::from(series) }
    }

    #[test]
    fn what_was_written_is_read_to_the_last_sample() {
        let bytes = log().encode(1_795_240_380_123).unwrap();
        let read = HdrLog::decode(&bytes).unwrap();
        assert_eq!(read.series.keys().collect::<Vec<_>>(), ["latency", "service"]);
        for (name, slices) in &log().series {
            for (written, read) in slices.iter().zip(&read.series[name]) {
                assert_eq!((written.begin, written.length), (read.begin, read.length));
                assert_eq!(written.latencies.buckets(), read.latencies.buckets());
            }
            assert_eq!(read.merged(name).max_ms(), log().merged(name).max_ms());
        }
        assert_eq!((read.merged("latency").count(), read.merged("nothing").count()), (4, 0));
        assert!(
            bytes.starts_with(b"#[Histogram log format version 1.3]\n#[StartTime: 1795240380.123 "),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }

    #[test]
    fn a_broken_log_says_where() {
        let bytes = log().encode(0).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let cut = HdrLog::decode(&text.as_bytes()[..text.len() - 1]).unwrap_err();
        assert!(cut.contains("no histogram log"), "{cut}");
        let garbled = HdrLog::decode(text.replacen(",HIST", ",AAAA", 1).as_bytes()).unwrap_err();
        assert!(garbled.starts_with("entry "), "{garbled}");
        let named = HdrLog { series: BTreeMap::from([("a b".to_owned(), vec![Slice::default()])]) };
        assert!(named.encode(0).unwrap_err().contains("`a b`"));
    }
}
