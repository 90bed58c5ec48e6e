//! What values are made of: a pool of text larger than any codec's window, from which records are cut one after the other.

use std::io::Write;

use ringlog_record::crc32c;

use crate::LoadError;
use crate::corpus::corpus;
use crate::workload::{CellSpec, Payload};

/// More than the window of every codec at every level that Kafka's clients offer: zstd's is 8 MiB at level 19.
const POOL_BYTES: usize = 16 << 20;

/// The text of one workload. The same seed makes the same text.
#[derive(Debug)]
pub struct Pool {
    /// Where it is from.
    pub source: String,
    /// CRC-32C of all of it: two results with the same one sent the same text.
    pub crc32c: u32,
    /// Share of its bytes that is random, where the workload sets it.
    pub random_share: Option<f64>,
    text: Vec<u8>,
    /// Where a value may begin; 0: anywhere.
    stride: usize,
}

impl Pool {
    /// The pool for values of `message_bytes`.
    ///
    /// # Errors
    /// [`LoadError::File`], [`LoadError::NoText`].
    pub fn new(payload: &Payload, message_bytes: usize, seed: u64) -> Result<Pool, LoadError> {
        let mut random = fastrand::Rng::with_seed(seed);
        let (source, text, stride, random_share) = match payload {
            Payload::Json => (format!("log events in JSON, seed {seed}"), events(&mut random), 0, None),
            Payload::Text => {
                let (source, text) = corpus(POOL_BYTES)?;
                (source, text, 0, None)
            }
            Payload::Random { ratio, pool } => {
                let values = match *pool {
                    0 => POOL_BYTES / message_bytes.max(1) + 1,
                    values => values as usize,
                };
                let random_bytes = (message_bytes as f64 * ratio).round() as usize;
                let mut text = vec![0; values * message_bytes];
                for value in text.chunks_mut(message_bytes.max(1)) {
                    random.fill(&mut value[..random_bytes]);
                }
                let source = format!("{values} values, {:.0} % of each random, seed {seed}", ratio * 100.0);
                (source, text, message_bytes, Some(*ratio))
            }
            Payload::File { path, .. } => {
                let bytes = std::fs::read(path).map_err(LoadError::file(path))?;
                if bytes.is_empty() {
                    return Err(LoadError::NoText { looked: path.display().to_string() });
                }
                // A file that is longer than a value is a text to cut from; a shorter one is the value.
                let stride = if bytes.len() <= message_bytes { message_bytes } else { 0 };
                let text = bytes.iter().copied().cycle().take(bytes.len().max(message_bytes)).collect();
                (path.display().to_string(), text, stride, None)
            }
        };
        Ok(Pool { source, crc32c: crc32c(&text), random_share, text, stride })
    }

    /// Refuses a cell whose codec would find in a batch what it has seen before, and make little of anything.
    ///
    /// # Errors
    /// [`LoadError::Repetitive`].
    pub(crate) fn suits(&self, cell: &CellSpec) -> Result<(), LoadError> {
        let Some(codec) = cell.settings.get("compression.type").filter(|codec| *codec != "none") else { return Ok(()) };
        let batch = cell.settings.get("batch.size").and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
        let window = window(codec).min(batch);
        let bytes = if self.is_constant() { self.stride } else { self.bytes() };
        if bytes >= window && !self.is_constant() {
            return Ok(());
        }
        Err(LoadError::Repetitive { payload: self.source.clone(), bytes, codec: codec.clone(), window })
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether all values are the same.
    fn is_constant(&self) -> bool {
        let mut values = self.text.chunks(self.stride.max(1));
        let first = values.next();
        self.stride > 0 && values.all(|value| Some(value) == first)
    }
}

/// How far back a codec looks for what it has seen, at the highest level that Kafka's clients offer. Bytes.
fn window(codec: &str) -> usize {
    match codec {
        "gzip" => 32 << 10,
        "snappy" | "lz4" => 64 << 10,
        _ => 8 << 20,
    }
}

/// One producer's way through a pool.
#[derive(Debug, Clone)]
pub(crate) struct Cutter {
    at: usize,
    bytes: usize,
}

impl Cutter {
    /// Cuts texts of `bytes`, beginning elsewhere in the pool for each producer.
    pub(crate) fn new(pool: &Pool, producer: u32, bytes: usize) -> Cutter {
        let places = pool.text.len() / pool.stride.max(1);
        let at = (producer as usize).wrapping_mul(7_919_317) % places.max(1) * pool.stride.max(1);
        Cutter { at, bytes }
    }

    /// The next text. Round after round the cuts lie elsewhere, unless the pool has values of its own.
    pub(crate) fn next<'a>(&mut self, pool: &'a Pool) -> &'a [u8] {
        if pool.text.len() - self.at < self.bytes {
            self.at = if pool.stride > 0 { 0 } else { (self.at + 1) % self.bytes.max(1) };
        }
        let end = (self.at + self.bytes).min(pool.text.len());
        let text = &pool.text[self.at.min(end)..end];
        self.at += if pool.stride > 0 { pool.stride } else { self.bytes };
        text
    }
}

/// What a service logs: few shapes, few names, many numbers. gzip makes it about a fifth.
fn events(random: &mut fastrand::Rng) -> Vec<u8> {
    const LEVELS: [&str; 8] = ["INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR"];
    const SERVICES: [&str; 7] = ["checkout", "cart", "catalog", "payments", "search", "identity", "shipping"];
    const VERBS: [&str; 5] = ["GET", "GET", "GET", "POST", "PUT"];
    const PATHS: [&str; 6] = ["orders", "items", "sessions", "quotes", "addresses", "reviews"];
    const STATUS: [u16; 8] = [200, 200, 200, 201, 204, 304, 404, 503];
    const MESSAGES: [&str; 6] = [
        "request served",
        "cache miss, read from the database",
        "retry after a timeout of the upstream",
        "token refreshed",
        "connection returned to the pool",
        "slow query",
    ];
    let (mut text, mut now_ms) = (Vec::with_capacity(POOL_BYTES + 512), 1_767_225_600_000_u64);
    while text.len() < POOL_BYTES {
        now_ms += random.u64(0..40);
        let mut pick = |words: &[&'static str]| words[random.usize(..words.len())];
        let (level, service, verb, path, message) =
            (pick(&LEVELS), pick(&SERVICES), pick(&VERBS), pick(&PATHS), pick(&MESSAGES));
        let (trace, status, took_us) = (random.u128(..), STATUS[random.usize(..STATUS.len())], random.u32(80..90_000));
        let (host, user, id, bytes) = (random.u8(..), random.u32(..5_000_000), random.u32(..), random.u32(200..60_000));
        // Writing to memory does not fail.
        let _ = writeln!(
            text,
            r#"{{"ts":{now_ms},"level":"{level}","service":"{service}","host":"ip-10-0-{}-{host}","trace":"{trace:032x}","msg":"{message}","http":{{"verb":"{verb}","path":"/v1/{path}/{id}","status":{status},"bytes":{bytes}}},"user":{user},"took_us":{took_us}}}"#,
            host % 8
        );
    }
    text.truncate(POOL_BYTES);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringlog_record::{Compression, compress};

    fn cuts(pool: &Pool, producer: u32, bytes: usize, count: usize) -> Vec<&[u8]> {
        let mut cutter = Cutter::new(pool, producer, bytes);
        std::iter::repeat_with(|| cutter.next(pool)).take(count).collect()
    }

    #[test]
    fn events_are_json_and_compress_as_logs_do() {
        let pool = Pool::new(&Payload::Json, 1_000, 7).unwrap();
        assert_eq!(pool.bytes(), POOL_BYTES);
        let first = pool.text.split(|byte| *byte == b'\n').next().unwrap();
        assert!(first.starts_with(b"{\"ts\":") && first.ends_with(b"}"));
        let batch = cuts(&pool, 0, 1_000, 100).concat();
        let ratio = compress(Compression::Gzip, None, &batch).unwrap().len() as f64 / batch.len() as f64;
        assert!((0.1..0.4).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_pool_is_longer_than_a_window_and_its_cuts_are_all_different() {
        let pool = Pool::new(&Payload::Json, 1_000, 7).unwrap();
        let rounds = 2 * POOL_BYTES / 1_000;
        let all = cuts(&pool, 3, 1_000, rounds);
        assert!(all.iter().all(|cut| cut.len() == 1_000));
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), rounds);
    }

    #[test]
    fn the_share_of_random_bytes_is_kept_in_every_value() {
        let pool = Pool::new(&Payload::Random { ratio: 0.25, pool: 10 }, 400, 7).unwrap();
        for value in cuts(&pool, 5, 400, 30) {
            assert!(value[100..].iter().all(|byte| *byte == 0) && value[..100].iter().any(|byte| *byte != 0));
        }
        assert!(!pool.is_constant());
        // With a stamp in front the text is shorter than the value that it stands for.
        assert!(cuts(&pool, 5, 376, 30).iter().all(|value| value[100..].iter().all(|byte| *byte == 0)));
    }

    #[test]
    fn a_short_file_is_one_value_and_a_missing_one_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "payload").unwrap();
        let pool = Pool::new(&Payload::File { path: file.path().into(), crc32c: 0 }, 10, 7).unwrap();
        assert!(pool.is_constant());
        assert_eq!(cuts(&pool, 1, 10, 2), [b"payloadpay", b"payloadpay"]);
        assert!(Pool::new(&Payload::Random { ratio: 0.0, pool: 0 }, 100, 7).unwrap().is_constant(), "all zeros");
        let missing = Pool::new(&Payload::File { path: "/nonexistent/payload".into(), crc32c: 0 }, 10, 7).unwrap_err();
        assert!(missing.to_string().starts_with("/nonexistent/payload: "), "{missing}");
    }

    #[test]
    fn a_seed_makes_one_text_and_another_seed_another() {
        let crc = |seed| Pool::new(&Payload::Random { ratio: 1.0, pool: 100 }, 100, seed).unwrap().crc32c;
        assert_eq!(crc(1), crc(1));
        assert_ne!(crc(1), crc(2));
    }
}
