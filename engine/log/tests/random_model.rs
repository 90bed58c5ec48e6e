//! Random appends, reads, truncations, deletions, with stops of all kinds, beside a plain vector.
#![allow(clippy::unwrap_used, reason = "test code")]

mod fixture;

use std::{sync::Arc, time::SystemTime};

use fixture::*;
use ringlog_log::*;

/// xorshift64*: enough to choose operations, and the seed is the whole state.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }
}

/// What the log should hold: values by offset from the start offset on.
#[derive(Default)]
struct Model {
    start: i64,
    records: Vec<(i64, i64, String)>,
    end: i64,
}

impl Model {
    fn visible(&self) -> Vec<(i64, String)> {
        self.records
            .iter()
            .filter(|(offset, ..)| *offset >= self.start)
            .map(|(offset, _, value)| (*offset, value.clone()))
            .collect()
    }
}

#[test]
fn a_log_behaves_like_a_vector_whatever_is_done_to_it() {
    let seed = std::env::var("RINGLOG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1);
    eprintln!("RINGLOG_SEED={seed} replays this");
    for round in 0..5u64 {
        run(play(Random(seed.wrapping_add(round * 2) | 1)));
    }
}

fn config(random: &mut Random) -> LogConfig {
    LogConfig {
        segment_bytes: 500 + random.below(4_000),
        index_interval_bytes: random.below(600),
        segment_ms: 50,
        retention_ms: None,
        flush_messages: if random.below(2) == 0 { 1 } else { u64::MAX },
        preallocate: random.below(2) == 0,
        ..Default::default()
    }
}

async fn play(mut random: Random) {
    let (disk, dir) = (disk(), tempfile::tempdir().unwrap());
    let mut model = Model::default();
    let config = config(&mut random);
    let reopened = async |shutdown, log_start| -> Arc<Log> {
        let recovery = Recovery { log_start: Some(log_start), ..after(shutdown) };
        open_with(&disk, dir.path(), config.clone(), recovery).await.unwrap().0
    };
    let mut log = reopened(Shutdown::HostDied, 0).await;
    let mut now_ms = 1_000;
    for _ in 0..150 {
        match random.below(20) {
            0..=9 => {
                let mut pending = Vec::new();
                for _ in 0..=random.below(6) {
                    now_ms += random.below(8) as i64;
                    let timestamp_ms = now_ms - random.below(5) as i64;
                    let count = 1 + random.below(4);
                    let values: Vec<String> = (0..count)
                        .map(|n| format!("{timestamp_ms}.{n} {}", "x".repeat(random.below(200) as usize)))
                        .collect();
                    let refs: Vec<&str> = values.iter().map(String::as_str).collect();
                    pending.push(log.append(&disk, batch_at(timestamp_ms, &refs)));
                    for value in values {
                        model.records.push((model.end, timestamp_ms, value));
                        model.end += 1;
                    }
                }
                for append in pending {
                    append.await.unwrap();
                }
            }
            10..=12 if model.end > model.start => {
                let from = model.start + random.below((model.end - model.start) as u64) as i64;
                let expected: Vec<_> = model.visible().into_iter().filter(|(offset, _)| *offset >= from).collect();
                let max_bytes = 1 + random.below(3_000) as usize;
                assert_eq!(read_from(&log, from, max_bytes, Visible::HighWatermark), expected);
            }
            13 => {
                let timestamp_ms = 1_000 + random.below((now_ms - 990) as u64) as i64;
                let found =
                    log.offset_for_timestamp(TimestampQuery::AtOrAfter(timestamp_ms), Visible::HighWatermark).unwrap();
                let mut visible = model.records.iter().filter(|(offset, ..)| *offset >= model.start);
                let expected =
                    visible.find(|(_, known, _)| *known >= timestamp_ms).map(|(offset, known, _)| (*offset, *known));
                assert_eq!(found.map(|found| (found.offset, found.timestamp_ms)), expected);
            }
            14 if model.end > model.start => {
                let to = model.start + 1 + random.below((model.end - model.start) as u64) as i64;
                model.end = log.truncate_to(&disk, to).await.unwrap();
                assert!(model.end <= to);
                model.records.retain(|(offset, ..)| *offset < model.end);
                model.start = model.start.min(model.end);
            }
            15 => {
                let before = model.start + random.below((model.end - model.start + 1) as u64) as i64;
                assert_eq!(log.delete_records_before(before).unwrap(), before);
                model.start = before;
            }
            16 => {
                log.apply_retention(&disk, now_ms).await.unwrap();
            }
            17 => {
                log.close(&disk).await.unwrap();
                log = reopened(Shutdown::Clean, model.start).await;
            }
            18 => log = reopened(Shutdown::ProcessDied, model.start).await,
            _ => log = reopened(Shutdown::HostDied, model.start).await,
        }
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (model.start, model.end));
        assert_eq!(log.high_watermark(), model.end);
    }
    assert_eq!(contents(&log, Visible::HighWatermark), model.visible());
}
