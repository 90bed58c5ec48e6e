//! The report of runs: what stands in it, in which order, and what never stands together.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;

use std::path::{Path, PathBuf};

use ringbench_report::results::{Durability, Kind, MaxRate, NoiseFloor, Objective, Run};
use ringbench_report::{Outcome, compare, verify, write_index, write_report};
use sample::{Random, Shown};

fn shown(per_s: f64) -> Shown {
    Shown { per_s, p50_us: 900.0, tail: 20.0 }
}

/// Two targets; two settings as fast as they go, one with acks=0, and a curve.
fn run(directory: &Path, seed: u64) -> Run {
    let mut run = sample::run(Kind::Sweep, "sweep-core");
    let mut random = Random(seed);
    for (target, per_s) in [("ringlog", 400_000.0), ("kafka", 250_000.0)] {
        for (batch, linger, compression, acks) in [
            ("16384", "0", "none", "all"),
            ("131072", "0", "none", "all"),
            ("16384", "5", "lz4", "all"),
            ("131072", "5", "lz4", "all"),
            ("16384", "0", "none", "0"),
        ] {
            let varied =
                [("batch.size", batch), ("linger.ms", linger), ("compression.type", compression), ("acks", acks)];
            sample::add(&mut run, sample::cell(target, &varied, None), shown(per_s), &mut random, directory);
        }
        for rate in [50_000.0, 100_000.0, 200_000.0, 300_000.0] {
            let varied = [("batch.size", "16384"), ("linger.ms", "0"), ("compression.type", "none"), ("acks", "all")];
            let at = Shown { per_s, p50_us: 400.0 + (rate / 1e4f64).powi(2), tail: 20.0 };
            sample::add(&mut run, sample::cell(target, &varied, Some(rate)), at, &mut random, directory);
        }
    }
    run
}

fn render(run: &Run, directory: &Path) -> (String, String) {
    let page = write_report(&[(run.clone(), directory.to_owned())], directory).unwrap();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    (text(&page), text(&directory.join("report.md")))
}

/// The rows of each table of a report, by the cells of their first column.
fn tables(markdown: &str) -> Vec<Vec<String>> {
    let mut tables: Vec<Vec<String>> = vec![Vec::new()];
    for line in markdown.lines() {
        match line.strip_prefix("| ").and_then(|row| row.split(" | ").next()) {
            Some(first) => tables.last_mut().unwrap().push(first.replace('\\', "")),
            None => tables.push(Vec::new()),
        }
    }
    tables.retain(|table| table.len() > 2);
    tables
}

#[test]
fn sections_stand_in_the_order_that_was_agreed() {
    let directory = tempfile::tempdir().unwrap();
    let (page, markdown) = render(&run(directory.path(), 1), directory.path());
    let mut from = 0;
    for section in [
        "Environment",
        "Side by side",
        "Throughput",
        "Latency at a rate",
        "Throughput and latency",
        "Batch size and linger",
        "Percentiles",
        "Course in time",
        "Cost",
        "Run order",
        "Ledger",
        "What this host does alone",
        "Repeat it",
    ] {
        let found =
            markdown[from..].find(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no {section} behind {from}"));
        from += found;
        assert!(page.contains(&format!(">{section}</h2>")), "{section}");
    }
}

#[test]
fn what_repeats_a_run_what_each_driver_declares_and_every_setting_stand_in_its_report() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    run.cells[0].client_config.insert("of.one".to_owned(), "its own".to_owned());
    let (page, markdown) = render(&run, directory.path());
    let host = &run.host;
    let card =
        [&host.cpu, &host.kernel, &host.mount, &host.filesystem, &host.scheduler, &host.write_cache, &host.commit];
    let declared = "| ringlog | native | in the page cache (survives kill -9) | 1 | nobody's | 5 | 2 |";
    for said in [run.command.as_str(), "of.one=its own", "log.segment.bytes", "JSON log events", declared]
        .into_iter()
        .chain(card.map(String::as_str))
    {
        assert!(markdown.contains(said), "{said}: {markdown}");
    }
    assert!(page.contains(&run.command));
    for name in run.cells.iter().flat_map(|cell| cell.client_config.keys()) {
        assert!(markdown.contains(name.as_str()), "{name}");
    }
}

#[test]
fn no_table_mixes_durability_nor_acknowledged_cells_with_others() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    for cell in run.cells.iter_mut().filter(|cell| cell.settings["batch.size"] == "131072") {
        cell.declared.durability = Durability::Synced;
    }
    let (_, markdown) = render(&run, directory.path());
    let cells = tables(&markdown).into_iter().filter(|table| table.iter().any(|name| name.contains("acks=")));
    let mut seen = 0;
    for table in cells {
        let has = |part: &str| table.iter().any(|name| name.contains(part));
        assert!(!(has("acks=0") && has("acks=all")), "{table:?}");
        assert!(!(has("128 KiB") && has("16 KiB")), "{table:?}");
        seen += 1;
    }
    assert!(seen >= 10, "{seen} tables of cells");
    assert!(markdown.contains("on disk before the acknowledgement") && markdown.contains("Not acknowledged (acks=0)"));
    for (cell, ms) in run.cells.iter_mut().zip([1_000, 120_000].into_iter().cycle()) {
        (cell.declared.durability, cell.declared.sync_every_ms) = (Durability::SyncedInIntervals, Some(ms));
    }
    let (_, markdown) = render(&run, directory.path());
    for every in ["1 s", "120 s"] {
        assert!(markdown.contains(&format!("# Acknowledged, in the page cache, synced every {every}\n")), "{every}");
    }
}

#[test]
fn the_page_needs_nothing_but_itself_and_every_chart_has_its_table_and_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let (page, markdown) = render(&run(directory.path(), 1), directory.path());
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a figure that is none was drawn");
    assert_eq!(page.matches("<figure").count(), page.matches("<summary>Table</summary>").count());
    let charts: Vec<&str> = markdown.split("](").skip(1).filter_map(|rest| Some(rest.split_once(".svg)")?.0)).collect();
    assert_eq!(charts.len(), page.matches("<svg").count());
    for chart in charts {
        let file = std::fs::read_to_string(directory.path().join(format!("{chart}.svg"))).unwrap();
        assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && file.ends_with("</svg>\n"), "{chart}");
    }
    assert!(page.contains("&lt;b&gt;&amp;&quot;text&quot;"), "text from a file is escaped");
}

#[test]
fn charts_of_an_earlier_report_do_not_stay() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    render(&run, directory.path());
    let charts = || {
        let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name());
        files.filter(|name| name.to_string_lossy().ends_with(".svg")).count()
    };
    std::fs::write(directory.path().join("mine.svg"), "<svg/>").unwrap();
    let before = charts();
    run.cells.truncate(1);
    let (_, markdown) = render(&run, directory.path());
    assert_eq!(charts(), markdown.matches(".svg)").count() + 1, "of {before}; one is somebody else's");
}

#[test]
fn what_is_not_distinguishable_is_grey_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = sample::run(Kind::Run, "same");
    run.max_rates.clear();
    let mut random = Random(9);
    for target in ["ringlog", "kafka"] {
        let cell = sample::cell(target, &[("acks", "all")], None);
        sample::add(&mut run, cell, shown(300_000.0), &mut random, directory.path());
    }
    let (page, markdown) = render(&run, directory.path());
    assert!(markdown.contains(": not distinguishable.") && page.contains("<tr class=\"grey\">"), "{markdown}");
}

#[test]
fn the_noise_floor_is_said_and_a_difference_within_it_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    let (_, markdown) = render(&run, directory.path());
    let floor = NoiseFloor::of(&[&run]).achieved_per_s.unwrap();
    assert_eq!((floor.pairs, floor.runs), (10, 5), "two targets in five settings");
    let percent = format!("{:.1} %", (floor.times - 1.0) * 100.0);
    for said in [
        format!("equals differ by up to {percent} in records a second (95 of 100 cases, by 10 A/A pairs)"),
        format!("| records/s, as fast as it goes | 10 | less than {percent} |"),
    ] {
        assert!(markdown.contains(&said), "{said}: {markdown}");
    }
    assert!(markdown.contains("| ringlog does more |"), "400,000 against 250,000 lies beyond it");
    // Kafka's cells half as fast in every other repeat: then 1.6 × is nothing that equals do not show.
    for cell in run.cells.iter_mut().filter(|cell| cell.offered_per_s.is_none()) {
        for repeat in cell.repeats.iter_mut().skip(1).step_by(2) {
            repeat.acked_records /= 2;
        }
        cell.derive(run.roofline.as_ref(), directory.path()).unwrap();
    }
    assert!(NoiseFloor::of(&[&run]).achieved_per_s.unwrap().times > 1.6);
    let (_, markdown) = render(&run, directory.path());
    assert!(!markdown.contains("ringlog does more |"), "{markdown}");
}

#[test]
fn a_product_that_runs_twice_raises_the_floor_to_what_its_processes_differ_by() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = sample::run(Kind::Sweep, "twice");
    let twin = sample::target("ringlog-2", &run.targets[0].product);
    run.targets = vec![run.targets[0].clone(), twin, run.targets[1].clone()];
    run.targets[1].url = "kafka://127.0.0.1:9093".to_owned();
    run.targets[1].config.insert("log.dirs".to_owned(), "/elsewhere".to_owned());
    run.max_rates.clear();
    let mut random = Random(3);
    for (target, per_s) in [("ringlog", 300_000.0), ("ringlog-2", 350_000.0), ("kafka", 330_000.0)] {
        for linger in ["0", "1", "5", "10"] {
            let cell = sample::cell(target, &[("linger.ms", linger)], None);
            sample::add(&mut run, cell, shown(per_s), &mut random, directory.path());
        }
    }
    let floor = |run: &Run| NoiseFloor::of(&[run]).achieved_per_s.unwrap();
    let known = floor(&run);
    assert!(known.pairs == 16 && known.times > 350.0 / 300.0, "{known:?}");
    let (_, markdown) = render(&run, directory.path());
    assert!(!markdown.contains("ringlog does less |"), "10 % is what two of one product differ by: {markdown}");
    run.targets[1].config.insert("log.segment.bytes".to_owned(), "1048576".to_owned());
    assert!(floor(&run).pairs == 12 && floor(&run).times < 1.1, "with other settings it is another contestant");
    run.targets[1].url = run.targets[0].url.clone();
    assert_eq!(floor(&run).pairs, 16, "one broker named twice");
}

#[test]
fn without_two_pairs_there_is_no_floor_and_nothing_counts() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = sample::run(Kind::Run, "once");
    (run.repeats, run.max_rates) = (1, Vec::new());
    for (target, per_s) in [("ringlog", 300_000.0), ("kafka", 30_000.0)] {
        let cell = sample::cell(target, &[("acks", "all")], None);
        sample::add(&mut run, cell, shown(per_s), &mut Random(5), directory.path());
    }
    assert_eq!(NoiseFloor::of(&[&run]), NoiseFloor::default());
    let (_, markdown) = render(&run, directory.path());
    assert!(markdown.contains(": not distinguishable.") && !markdown.contains("does more |"), "{markdown}");
}

#[test]
fn a_void_cell_and_an_interrupt_are_said_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    run.interrupted = true;
    run.cells[0].repeats[1].ledger.lost = 7;
    run.cells[0].derive(run.roofline.as_ref(), directory.path()).unwrap();
    let (page, markdown) = render(&run, directory.path());
    let head = markdown.split("\n## ").next().unwrap();
    assert!(
        head.contains("1 of 18 cells are void.") && head.contains("lost 7") && head.contains("ended before its end"),
        "{head}"
    );
    assert!(page.contains("class=\"verdict bad\""));
}

#[test]
fn a_run_that_was_stopped_is_partial_at_the_top_and_what_did_not_run_is_missing_not_void() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    run.interrupted = true;
    for cell in &mut run.cells[4..] {
        cell.repeats.clear();
        cell.derive(None, directory.path()).unwrap();
    }
    let (page, markdown) = render(&run, directory.path());
    let head = markdown.split("\n## ").next().unwrap();
    assert!(head.starts_with("# sweep-core: ringlog (partial)\n"), "{head}");
    let said = ringbench_report::verdict(&run, directory.path());
    assert!(said.starts_with("Partial: ") && said.contains("14 did not run. "), "{said}");
    assert!(head.contains("4 of 18 cells have all their repeats, 14 did not run") && !head.contains("void"), "{head}");
    assert!(!page.contains("VOID") && markdown.contains("| kafka · 16 KiB · 0 ms · none · acks=0 | it did not run |"));
}

/// Of every part of the order: it is there, or it is said why not.
#[test]
fn what_is_not_in_a_report_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let whole = run(directory.path(), 1);
    let mut alone = whole.clone();
    alone.cells.truncate(1);
    alone.cells[0].repeats.truncate(1);
    (alone.objective, alone.roofline) = (None, None);
    alone.max_rates.clear();
    let cost = &mut alone.cells[0].repeats[0];
    (cost.broker_cost, cost.disk_bytes, cost.client_cost.system_calls) = (None, None, None);
    alone.cells[0].derive(None, directory.path()).unwrap();
    let nothing = sample::run(Kind::Run, "nothing");
    for (run, lacking) in [(&whole, 0), (&alone, 10), (&nothing, 10)] {
        let (_, markdown) = render(run, directory.path());
        let said = markdown.split("\n## Not in this report\n").nth(1).unwrap_or_default();
        let said = said.split("\n## ").next().unwrap();
        for part in [
            "Side by side",
            "Throughput",
            "Latency at a rate",
            "Throughput and latency",
            "Batch size and linger",
            "Percentiles",
            "Course in time",
            "Cost",
            "Run order",
            "Ledger",
            "What this host does alone",
        ] {
            let (there, missing) = (format!("\n## {part}\n"), format!("\n| {part} | "));
            assert!(markdown.contains(&there) != said.contains(&missing), "{part}: {said}");
        }
        assert_eq!(said.lines().filter(|line| line.starts_with("| ")).count().saturating_sub(2), lacking, "{said}");
    }
    let (_, markdown) = render(&alone, directory.path());
    for said in
        ["| Cost of the target: ringlog | its process is not known", "| System calls: ringlog | ", "| An objective | "]
    {
        assert!(markdown.contains(said), "{said}: {markdown}");
    }
}

#[test]
fn a_page_can_be_used_with_the_keyboard_and_nothing_in_it_moves() {
    let directory = tempfile::tempdir().unwrap();
    let (page, _) = render(&run(directory.path(), 1), directory.path());
    let scrolled = page.matches("class=\"scroll\"").count();
    assert_eq!(page.matches("class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"").count(), scrolled);
    assert!(page.contains(":focus-visible{outline:") && !page.contains("outline:none"));
    for moving in ["transition", "animation", "scroll-behavior", "<animate", "<marquee"] {
        assert!(!page.contains(moving), "{moving}: there is nothing that prefers-reduced-motion could ask to be still");
    }
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
}

#[test]
fn a_report_without_histograms_or_without_cells_says_what_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let run = run(directory.path(), 1);
    std::fs::remove_dir_all(directory.path().join("hdr")).unwrap();
    let (_, markdown) = render(&run, directory.path());
    assert!(markdown.contains("Not shown: the raw histograms can't be read: "), "{markdown}");
    let (page, _) = render(&sample::run(Kind::Run, "nothing"), directory.path());
    assert!(page.contains("Nothing was measured to its end.") && !page.contains("NaN"));
}

#[test]
fn the_table_for_other_tools_has_a_line_for_each_cell() {
    let directory = tempfile::tempdir().unwrap();
    let run = run(directory.path(), 1);
    render(&run, directory.path());
    let csv = std::fs::read_to_string(directory.path().join("cells.csv")).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), run.cells.len() + 1);
    assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    let column = |name: &str| lines[0].iter().position(|found| *found == name).unwrap();
    assert_eq!(lines[1][column("batch.size")], "16384");
    assert_eq!(lines[1][column("mb_per_s")].parse::<f64>().unwrap(), run.cells[0].mb_per_s.unwrap());
    assert_eq!((lines[1][column("durability")], lines[1][column("ack")]), ("page-cache", "all"));
}

#[test]
fn several_runs_make_one_report_and_targets_of_one_name_are_told_apart() {
    let (first, second, out) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runs: Vec<(Run, PathBuf)> =
        [&first, &second].map(|directory| (run(directory.path(), 1), directory.path().to_owned())).into();
    let page = std::fs::read_to_string(write_report(&runs, out.path()).unwrap()).unwrap();
    for directory in [&first, &second] {
        let name = directory.path().file_name().unwrap().to_str().unwrap();
        assert!(page.contains(&format!("ringlog ({name})")), "{name}");
    }
    assert!(out.path().join("cells.csv").exists());
}

#[test]
fn a_run_that_became_slower_is_worse_and_the_same_run_is_not() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, mut b) = (run(first.path(), 1), run(second.path(), 2));
    let same = compare((&a, first.path()), (&b, second.path())).unwrap();
    assert!(!same.is_worse(), "{same}");
    assert!(same.to_string().contains("0 worse") && same.count(Outcome::NotDistinguishable) >= 25, "{same}");
    for repeat in &mut b.cells[1].repeats {
        repeat.acked_records = repeat.acked_records * 6 / 10;
    }
    let slower = compare((&a, first.path()), (&b, second.path())).unwrap();
    assert!(slower.is_worse() && slower.count(Outcome::Worse) == 1 && slower.to_string().contains("WORSE"), "{slower}");
    let faster = compare((&b, second.path()), (&a, first.path())).unwrap();
    assert!(!faster.is_worse() && faster.count(Outcome::Better) == 1, "{faster}");
    b.cells[3].valid = false;
    let lossy = compare((&a, first.path()), (&b, second.path())).unwrap();
    assert_eq!(lossy.count(Outcome::Broken), 2, "records and what was received: {lossy}");
}

/// A run of searches: who found which rate, and where it failed.
fn searched(found: &[(&str, Option<f64>, f64)], directory: &Path) -> Run {
    let mut run = sample::run(Kind::MaxRate, "max-rate");
    run.max_rates.clear();
    for &(target, rate_per_s, failed) in found {
        let cell = sample::cell(target, &[("acks", "all")], rate_per_s);
        run.max_rates.push(MaxRate {
            target: target.to_owned(),
            settings: cell.settings.clone(),
            rate_per_s,
            failed_per_s: rate_per_s.map(|_| failed),
            confirmed_by: rate_per_s.map(|_| cell.key.clone()),
            why: format!("at {failed}/s p99 was 31 ms"),
        });
        if rate_per_s.is_some() {
            sample::add(&mut run, cell, shown(1e9), &mut Random(3), directory);
        }
    }
    run
}

#[test]
fn highest_rates_differ_where_one_fails_at_less_than_the_other_keeps_and_not_by_their_steps() {
    let directory = tempfile::tempdir().unwrap();
    let run = |rate, failed| searched(&[("ringlog", rate, failed)], directory.path());
    let outcome = |a: &Run, b: &Run| {
        let compared = compare((a, directory.path()), (b, directory.path())).unwrap();
        compared.figures.last().unwrap().outcome
    };
    let base = run(Some(400_000.0), 420_000.0);
    for (rate, failed, expected) in [
        (380_952.0, 404_000.0, Outcome::NotDistinguishable),
        (415_000.0, 436_000.0, Outcome::NotDistinguishable),
        (360_000.0, 380_000.0, Outcome::Worse),
        (441_000.0, 470_000.0, Outcome::Better),
    ] {
        assert_eq!(outcome(&base, &run(Some(rate), failed)), expected, "{rate}");
    }
    assert_eq!(outcome(&base, &run(None, 9.0)), Outcome::Broken, "a rate that is lost is no silence");
    assert_eq!(outcome(&run(None, 9.0), &base), Outcome::NoBase);
    let mut few = run(Some(100_000.0), 105_000.0);
    few.cells[0].repeats.truncate(2);
    assert_eq!(outcome(&base, &few), Outcome::NotDistinguishable, "two repeats may be chance");
    let mut other = run(Some(200_000.0), 210_000.0);
    other.objective = Some(Objective { percentile: 99.0, limit_us: 1_000.0 });
    let error = compare((&base, directory.path()), (&other, directory.path())).unwrap_err().to_string();
    assert!(error.contains("have no cell in common"), "{error}");
}

#[test]
fn the_headline_has_the_bounds_of_both_searches_and_never_holds_tiers_or_objectives_against_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let found = [("ringlog", Some(400_000.0), 420_000.0), ("kafka", Some(200_000.0), 210_000.0)];
    let said = |run: &Run| ringbench_report::verdict(run, directory.path());
    let mut run = searched(&found, directory.path());
    assert!(
        said(&run).contains("ringlog carries 2.00 (1.90–2.10) × the records of kafka with p99 < 10 ms"),
        "{}",
        said(&run)
    );
    run.max_rates[1].failed_per_s = Some(410_000.0);
    assert!(said(&run).contains(": not distinguishable."), "{}", said(&run));
    let mut durable = run.clone();
    durable.cells[1].declared.durability = Durability::Synced;
    assert!(said(&durable).contains("ringlog keeps p99 < 10 ms up to 400,000 records/s."), "{}", said(&durable));
    let mut larger = run.clone();
    larger.cells[1].payload.record_bytes = 1_024.0;
    assert!(said(&larger).contains("ringlog keeps"), "{}", said(&larger));
    let (mut one, mut other) = (run.clone(), run.clone());
    one.max_rates.truncate(1);
    other.max_rates.remove(0);
    other.objective = Some(Objective { percentile: 50.0, limit_us: 1_000.0 });
    let runs = [one, other].map(|run| (run, directory.path().to_owned()));
    let page = std::fs::read_to_string(write_report(&runs, directory.path()).unwrap()).unwrap();
    assert!(!page.contains(" × the records of "), "p99 < 10 ms is not p50 < 1 ms");
}

#[test]
fn a_cell_whose_records_nobody_checked_is_not_said_to_be_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    run.cells[0].verified = false;
    run.cells[1].ledger.received = 0;
    let (_, markdown) = render(&run, directory.path());
    assert!(markdown.contains("What 2 of 18 cells wrote was not held against the books."), "{markdown}");
    let ledger = markdown.split("\n## Ledger\n").nth(1).unwrap();
    assert_eq!([" counted only ", " not read back ", " in order "].map(|so| ledger.matches(so).count()), [1, 1, 16]);
}

#[test]
fn what_a_million_records_cost_is_the_median_of_both_parts_together() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    let cell = &mut run.cells[0];
    for (repeat, (user_s, system_s)) in cell.repeats.iter_mut().zip([(1.0, 9.0), (9.0, 1.0), (5.0, 2.0)].iter().cycle())
    {
        repeat.acked_records = 1_000_000;
        let cost = repeat.broker_cost.as_mut().unwrap();
        (cost.user_s, cost.system_s) = (*user_s, *system_s);
    }
    cell.derive(run.roofline.as_ref(), directory.path()).unwrap();
    assert_eq!(cell.intervals.broker_cpu_s_per_million.unwrap().median, 10.0);
    let (_, markdown) = render(&run, directory.path());
    assert!(markdown.lines().any(|line| line.contains("| 10.0 | 5.00 | 2.00 |")));
}

#[test]
fn runs_that_can_not_be_compared_say_why() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, mut b) = (run(first.path(), 1), run(second.path(), 2));
    b.cells[0].declared.durability = Durability::Synced;
    let error = compare((&a, first.path()), (&b, second.path())).unwrap_err().to_string();
    assert!(error.contains("compare runs of the same durability"), "{error}");
    b.cells.iter_mut().for_each(|cell| cell.key.push('x'));
    b.max_rates.clear();
    let error = compare((&a, first.path()), (&b, second.path())).unwrap_err().to_string();
    assert!(error.contains("have no cell in common"), "{error}");
}

#[test]
fn a_run_as_it_was_written_is_verified_and_what_was_changed_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = run(directory.path(), 1).write(directory.path()).unwrap();
    let run = Run::read(directory.path()).unwrap();
    let verified = verify(&run, directory.path());
    assert_eq!((verified.wrong.clone(), verified.histograms), (Vec::<String>::new(), 18 * 5));
    type Change = fn(&mut Run);
    let changes: [(Change, &str); 9] = [
        (|run| run.cells[0].repeats[0].latency_us.p99 = Some(1.0), "differs in p99 (1.0 is written, it is "),
        (|run| run.cells[0].achieved_per_s = Some(9e9), "differs in achieved_per_s (9000000000.0 is written, it is "),
        (|run| run.cells[0].latency_us.p50 = Some(1.0), "differs in latency_us"),
        (|run| run.cells[0].repeats[0].due_records = Some(1), "1 records were due, its histogram has 3000"),
        (|run| run.cells[0].repeats[0].timeline[0].acked += 1, "acknowledged records are counted, its timeline has"),
        (|run| run.cells[0].repeats[0].ledger = Default::default(), "are counted, the ledger has 0 of the warm-up"),
        (|run| run.cells[0].repeats[2].ledger.received -= 5, "read back and only 0 lost"),
        (|run| run.cells[0].repeats[2].histograms = None, "it has no raw histograms"),
        (|run| run.cells[0].repeats[1].histograms.as_mut().unwrap().sha256.replace_range(..1, "x"), "its SHA-256 is"),
    ];
    for (change, said) in changes {
        let mut changed = run.clone();
        change(&mut changed);
        let wrong = verify(&changed, directory.path()).wrong;
        let file = path.display().to_string();
        let is_named = |wrong: &String| wrong.starts_with(&file) || wrong.contains(".hlog: ");
        assert!(wrong.iter().any(|wrong| wrong.contains(said)) && wrong.iter().all(is_named), "{said}: {wrong:?}");
    }
    let interrupted = verify(&Run { interrupted: true, ..run.clone() }, directory.path());
    let whole = "18 of 18 cells have all their repeats";
    assert!(interrupted.unfinished.is_some_and(|said| said.ends_with(whole)) && verified.unfinished.is_none());
    // What nobody read back is neither there nor lost.
    let mut unread = run.clone();
    let cell = &mut unread.cells[0];
    cell.repeats.iter_mut().for_each(|repeat| repeat.ledger.received = 0);
    cell.derive(unread.roofline.as_ref(), directory.path()).unwrap();
    let unread = verify(&unread, directory.path());
    assert_eq!((unread.wrong, unread.records + unread.unread), (Vec::new(), verified.records));
    assert_eq!(unread.unread, run.cells[0].ledger.acked);
    let text = std::fs::read_to_string(&path).unwrap();
    let (cells, floor) = text.split_once("\"noise_floor\"").unwrap();
    std::fs::write(&path, format!("{cells}\"noise_floor\"{}", floor.replacen("\"pairs\": 1", "\"pairs\": 2", 1)))
        .unwrap();
    let wrong = verify(&run, directory.path()).wrong;
    assert!(wrong.iter().any(|wrong| wrong.contains("results.json: noise_floor: made anew")), "{wrong:?}");
}

#[test]
fn fewer_than_five_repeats_are_said_before_any_figure() {
    let directory = tempfile::tempdir().unwrap();
    let whole = run(directory.path(), 1);
    for (repeats, said) in [
        (1, Some("Each cell ran once: no difference")),
        (2, Some("Each cell ran 2 times: no difference")),
        (4, Some("4 repeats of each cell: only large differences")),
        (5, None),
    ] {
        let (_, markdown) = render(&Run { repeats, ..whole.clone() }, directory.path());
        let head = markdown.split("\n## ").next().unwrap();
        let expected = said.is_none_or(|said| head.contains(said));
        assert!(expected && head.contains("told from chance") == said.is_some(), "{repeats}: {head}");
    }
}

#[test]
fn the_fastest_is_said_with_how_many_it_can_not_be_told_from() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = sample::run(Kind::Sweep, "sweep-core");
    (run.objective, run.max_rates) = (None, Vec::new());
    run.targets.truncate(1);
    for (linger, per_s) in [("0", 200_000.0), ("1", 100_000.0), ("5", 200_000.0), ("10", 200_000.0)] {
        let shown = Shown { per_s, p50_us: 900.0, tail: 20.0 };
        sample::add(
            &mut run,
            sample::cell("ringlog", &[("linger.ms", linger)], None),
            shown,
            &mut Random(5),
            directory.path(),
        );
        let verdict = ringbench_report::verdict(&run, directory.path());
        let alike = match linger {
            "0" | "1" => "; no objective",
            "5" => ", not distinguishable from another cell; no objective",
            _ => ", not distinguishable from 2 others; no objective",
        };
        assert!(verdict.contains(&format!(" ms{alike}")), "{linger}: {verdict}");
    }
}

#[test]
fn settings_of_kafka_are_named_where_they_reached_the_target_and_a_percentile_of_too_few_records_is_not_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let mut run = run(directory.path(), 1);
    run.objective = None;
    run.max_rates.clear();
    run.cells.truncate(1);
    (run.cells[0].offered_per_s, run.cells[0].latency_us.p99) = (Some(500.0), None);
    run.cells[0].client_config.insert("acks".to_owned(), "all".to_owned());
    let kafka = ringbench_report::verdict(&run, directory.path());
    assert!(kafka.starts_with("At ") && kafka.contains("acks=") && kafka.contains("too few records"), "{kafka}");
    run.cells[0].client_config = [("in.flight".to_owned(), "1024".to_owned())].into();
    let peer = ringbench_report::verdict(&run, directory.path());
    assert!(peer.starts_with("At 500/s there are too few records for a 99th percentile. "), "{peer}");
}

#[test]
fn the_index_lists_every_run_the_latest_first_and_names_what_it_can_not_read() {
    let root = tempfile::tempdir().unwrap();
    for (folder, workload, started) in [("old", "sweep-core", 0), ("host/new", "curve", 86_400_000)] {
        let mut run = sample::run(Kind::Run, workload);
        run.started_unix_ms = started;
        run.write(&root.path().join(folder)).unwrap();
    }
    std::fs::create_dir(root.path().join("broken")).unwrap();
    std::fs::write(root.path().join("broken/results.json"), "{").unwrap();
    let page = std::fs::read_to_string(write_index(root.path()).unwrap()).unwrap();
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(place("host/new/report.html") < place("old/report.html"));
    assert!(place("broken/results.json: it is no JSON: EOF") > place("old/report.html"));
    let markdown = std::fs::read_to_string(root.path().join("index.md")).unwrap();
    let first = markdown.lines().find(|line| line.starts_with("| [")).unwrap();
    assert!(
        first.starts_with("| [1970-01-02 00:00 UTC](host/new/report.md) | ") && first.contains(" | curve | "),
        "{first}"
    );
    assert!(write_index(&root.path().join("nowhere")).unwrap_err().to_string().contains("nowhere"));
}
