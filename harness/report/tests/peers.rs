//! Many targets in one report: nine of them, in two tiers of durability that never mix.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;

use std::collections::BTreeSet;
use std::path::Path;

use ringbench_report::results::{Durability, Kind, Run};
use ringbench_report::write_report;
use sample::{Random, Shown};

/// Name, product, and median latency in microseconds; whoever has none for a synced write does not offer it.
const PEERS: [(&str, &str, f64, Option<f64>); 9] = [
    ("ringlog", "ringlog 0.1.0", 310.0, Some(1_400.0)),
    ("kafka", "Apache Kafka 4.3.1", 905.0, Some(2_600.0)),
    ("rabbitmq", "RabbitMQ 3.10.8", 1_450.0, Some(9_800.0)),
    ("redis", "Redis 7.0.15", 140.0, Some(1_380.0)),
    ("nats", "NATS JetStream 2.9.10", 205.0, None),
    ("activemq", "ActiveMQ Classic 6.1.2", 2_300.0, Some(21_000.0)),
    ("artemis", "ActiveMQ Artemis 2.41.0", 1_460.0, Some(4_100.0)),
    ("rocketmq", "RocketMQ 5.3.2", 1_900.0, Some(5_050.0)),
    ("pulsar", "Apache Pulsar 4.0.4", 1_120.0, Some(3_300.0)),
];

/// Each peer in each tier that it offers, at these rates.
fn run(rates: &[f64], directory: &Path) -> Run {
    let mut run = sample::run(Kind::Run, "peers-common");
    run.max_rates.clear();
    run.targets = PEERS.map(|(name, product, ..)| sample::target(name, product)).into();
    let mut random = Random(9);
    for (tier, durability) in [("page-cache", Durability::PageCache), ("fsync", Durability::Synced)] {
        for (name, _, cached, synced) in PEERS {
            let median = if durability == Durability::Synced { synced } else { Some(cached) };
            for (rate, p50_us) in rates.iter().filter_map(|rate| Some((*rate, median?))) {
                let mut cell = sample::cell(name, &[("durability", tier), ("acks", "all")], Some(rate));
                cell.declared.durability = durability;
                let per_s = 80_000.0;
                let p50_us = p50_us * (1.0 + (rate / per_s).powi(2) * 3.0);
                sample::add(&mut run, cell, Shown { per_s, p50_us, tail: 12.0 }, &mut random, directory);
            }
        }
    }
    run
}

fn render(run: &Run, directory: &Path) -> (String, String) {
    let page = write_report(&[(run.clone(), directory.to_owned())], directory).unwrap();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    (text(&page), text(&directory.join("report.md")).replace('\\', ""))
}

#[test]
fn the_verdict_names_the_best_of_each_tier_and_where_the_first_named_stands() {
    let directory = tempfile::tempdir().unwrap();
    let (_, markdown) = render(&run(&[5_000.0], directory.path()), directory.path());
    let head = markdown.split("\n## ").next().unwrap();
    assert!(head.starts_with("# peers-common: 9 targets\n"), "{head}");
    for said in [
        "in the page cache (survives kill -9): redis has the lowest 99th percentile of 9 targets at ",
        "; ringlog comes 3rd with ",
        "on disk before the acknowledgement: ",
        " of 8 targets at ",
    ] {
        assert!(head.contains(said), "{said}: {head}");
    }
}

#[test]
fn every_target_has_its_row_in_the_ranking_of_its_tier_and_no_table_mixes_tiers() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(&[5_000.0], directory.path());
    run.cells[2].repeats[1].ledger.lost = 3;
    run.cells[2].derive(None, directory.path()).unwrap();
    let (page, markdown) = render(&run, directory.path());
    let tables: Vec<Vec<&str>> = markdown
        .split("\n\n")
        .map(|part| part.lines().filter(|line| line.starts_with("| ")).collect::<Vec<_>>())
        .filter(|table| table.len() > 2)
        .collect();
    let rankings: Vec<_> = tables.iter().filter(|table| table[0].starts_with("| target | rank |")).collect();
    assert_eq!(rankings.iter().map(|table| table.len() - 2).collect::<Vec<_>>(), [9, 8]);
    let last = rankings[0].last().unwrap();
    assert!(
        last.starts_with("| VOID rabbitmq | – |") && last.contains("lost 3"),
        "void is last, with the reason: {last}"
    );
    for table in &tables {
        let has = |word: &str| table.iter().skip(2).any(|row| row.split(" | ").next().unwrap().contains(word));
        assert!(!(has("page-cache") && has("fsync")), "{table:?}");
    }
    assert!(page.contains("1 of 17 cells are void.") && page.contains("class=\"verdict bad\""));
}

#[test]
fn curves_of_nine_targets_are_each_named_and_told_apart_without_colour() {
    let directory = tempfile::tempdir().unwrap();
    let run = run(&[5_000.0, 20_000.0, 60_000.0], directory.path());
    render(&run, directory.path());
    for chart in ["throughput-latency-acked-page-cache.svg", "percentiles-acked-page-cache.svg"] {
        let chart = std::fs::read_to_string(directory.path().join(chart)).unwrap();
        // A mark stands before each name: its element and colour, how many corners it has, and on how many columns these lie.
        let marks: BTreeSet<String> = chart
            .match_indices("<text class=\"note f")
            .filter_map(|(at, _)| {
                let mark = &chart[..at];
                let mark = &mark[mark.rfind("</").and_then(|close| mark[..close].rfind('<'))?..];
                let points = mark.split("points=\"").nth(1).map_or("", |points| points.split('"').next().unwrap());
                let columns: BTreeSet<&str> = points.split(' ').filter_map(|point| point.split(',').next()).collect();
                let class = mark.split("\" ").next()?;
                Some(format!("{class}, {} corners in {} columns", points.split(' ').count(), columns.len()))
            })
            .collect();
        assert_eq!(marks.len(), 9, "{marks:?}");
        for (name, ..) in PEERS {
            assert!(chart.contains(&format!(">{name}")), "{name}");
        }
    }
}
