//! A cell's share of the host's roofline: how much is left between a strategy and what its parts do alone.

use ringbench_stats::Roofline;

use crate::setting::{Load, Pages, Preparation, Setting, SyncPolicy, WriteSetting};

/// What a cell moved a second as a share of what the host's parts would allow; `None` where the rate was given, or the device is
/// what it waits for.
///
/// | cells | are held against |
/// |---|---|
/// | written, not durable | an append of 64 KiB into the page cache, by as many threads as there are writers and processors |
/// | written, durable | the same append, and behind it one fdatasync of a pre-written page |
/// | moved | the faster of loopback and sendfile |
/// | answered | loopback |
///
/// 64 KiB at a time are no upper limit: what moves more at a time may pass 1.
#[must_use]
pub fn roofline_share(setting: &Setting, bytes_per_s: f64, roofline: &Roofline, cpus: usize) -> Option<f64> {
    let most = match setting {
        Setting::Write(setting) => most_written(setting, roofline, cpus)?,
        Setting::Transfer(setting) if setting.pages == Pages::Cold => return None,
        Setting::Transfer(_) => roofline.loopback.median.max(roofline.sendfile.median),
        Setting::Serve(_) => roofline.loopback.median,
    };
    Some(bytes_per_s / most.max(f64::MIN_POSITIVE))
}

fn most_written(setting: &WriteSetting, roofline: &Roofline, cpus: usize) -> Option<f64> {
    if setting.load != Load::Saturated {
        return None;
    }
    let append = match setting.prepare {
        Preparation::Extend | Preparation::Allocate => roofline.page_cache_write.median,
        Preparation::Prewritten => roofline.page_cache_rewrite.median,
    };
    let threads = setting.writers.min(cpus) as f64;
    Some(match setting.sync {
        SyncPolicy::None | SyncPolicy::Interval(_) => append * threads,
        SyncPolicy::Every | SyncPolicy::Group => {
            let bytes = (setting.size_bytes * setting.queued) as f64;
            bytes / (bytes / append + roofline.fdatasync_p50_us.median / 1e6)
        }
    })
}

#[cfg(test)]
mod tests {
    use ringbench_stats::Interval;

    use super::*;

    #[test]
    fn what_is_durable_is_held_against_an_append_and_a_sync_and_the_rest_against_its_part() {
        let part = |median| Interval { median, low: median, high: median, confidence: 0.95, runs: 7 };
        let roofline = Roofline {
            memcpy: part(9e9),
            crc32c: part(9e9),
            page_cache_write: part(2e9),
            page_cache_rewrite: part(4e9),
            loopback: part(5e9),
            sendfile: part(3e9),
            receive_crc_write: part(1e9),
            fdatasyncs: part(10_000.0),
            fdatasync_p50_us: part(100.0),
        };
        let share = |setting, bytes_per_s| roofline_share(&Setting::Write(setting), bytes_per_s, &roofline, 2);
        let plain = WriteSetting { size_bytes: 200_000, ..crate::write::PLAIN };
        assert_eq!(share(plain, 1e9), Some(0.5));
        assert_eq!(share(WriteSetting { writers: 16, ..plain }, 1e9), Some(0.25));
        assert_eq!(share(WriteSetting { prepare: Preparation::Prewritten, ..plain }, 1e9), Some(0.25));
        // 100 µs to append, 100 µs to sync.
        assert_eq!(share(WriteSetting { sync: SyncPolicy::Every, ..plain }, 0.5e9), Some(0.5));
        assert_eq!(share(WriteSetting { load: Load::PerSecond(5.0), ..plain }, 1e6), None);
        let answered = crate::ServeSetting { size_bytes: 100, connections: 1, pipelined: 1 };
        assert_eq!(roofline_share(&Setting::Serve(answered), 1e9, &roofline, 2), Some(0.2));
    }
}
