//! The page that describes workload files, made from the keys' table.

use super::key::{KEYS, Key, MAPS, Origin};

/// `harness/load/WORKLOADS.md`; a test compares the two.
#[must_use]
pub fn schema_md() -> String {
    let mut page = HEAD.to_owned();
    for (origin, title) in [
        (Origin::Omb, "## OpenMessaging Benchmark's"),
        (Origin::Ours, "## Ours, of a cell"),
        (Origin::Kafka, "## Kafka's, of producers and consumers"),
        (Origin::Whole, "## Ours, of the workload"),
    ] {
        page += &format!("\n{title}\n\n| key | value | default | |\n|---|---|---|---|\n");
        for key in KEYS.iter().filter(|key| key.origin == origin) {
            page += &row(key);
        }
        if origin == Origin::Ours {
            for (map, about) in MAPS {
                page += &format!("| `{map}` | mapping | – | {about} |\n");
            }
        }
    }
    page
}

fn row(Key { name, kind, default, about, .. }: &Key) -> String {
    let default = if default.is_empty() { "–".to_owned() } else { format!("`{default}`") };
    format!("| `{name}` | {} | {default} | {about} |\n", kind.describe())
}

const HEAD: &str = "\
# Workload files

A workload is a YAML file with the field names of [OpenMessaging Benchmark](https://github.com/openmessaging/benchmark), whose own files
parse unchanged, and keys of ours and Kafka's beside them. `ringbench workloads check FILE…` says what is wrong with one, by file, line,
key and value, and what it comes to; `ringbench sweep FILE --target serve --out OUT` runs it. The table `KEYS` in
`src/workload/key.rs` makes this page, and a test compares them.

```yaml
# What it costs to wait: small batches at a fixed rate.
name: waiting
topics: 1
partitionsPerTopic: 6
messageSize: 100
producerRate: 50000
testDuration: 15s
warmupDuration: 3s
acks: all
repeats: 5
sweep:
  linger.ms: [0, 1, 5]
  batch.size: [1k, 16k]
```

Below `sweep` each key is an axis, a list of values; the cells are their combinations. Every key but those of the last table can be
swept, `topic.retention.bytes` and `broker.num.io.threads` as well. A cell is known by its key, sixteen digits of a SHA-256 of everything
that decides what is measured: equal cells of different files have equal keys, and a sweep resumes by them.

Bytes take the units k, M and G (1024 and its powers; KiB, MiB and GiB say the same), times ms, s, m and h. Underscores in numbers are skipped.
Anchors, aliases, tags and a second document are refused, and so is a key that is not in these tables.
";
