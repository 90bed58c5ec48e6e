//! The lab's report, made from a file as `ringbench lab run` writes it: two families, rates, a cell that failed, an interrupt.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documented;

use std::path::Path;

use ringbench_report::{LabResults, lab_ranking, write_lab_report};

const EXAMPLE: &str = include_str!("lab.json");

fn read(text: &str) -> Result<LabResults, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("lab.json"), text).unwrap();
    LabResults::read(directory.path()).map_err(|error| error.to_string())
}

fn render(results: &LabResults, directory: &Path) -> (String, String) {
    let page = write_lab_report(results, directory).unwrap();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    (text(&page), text(&directory.join("report.md")))
}

#[test]
fn every_field_that_is_written_is_documented_and_the_other_way_round() {
    let written = serde_json::to_value(read(EXAMPLE).unwrap()).unwrap();
    documented::compare(&written, include_str!("../LAB.md"), &|_, _| false);
}

#[test]
fn what_was_written_is_what_is_read() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    read(EXAMPLE).unwrap().write(first.path()).unwrap();
    LabResults::read(first.path()).unwrap().write(second.path()).unwrap();
    let bytes = |directory: &Path| std::fs::read(directory.join("lab.json")).unwrap();
    assert_eq!(bytes(first.path()), bytes(second.path()));
}

#[test]
fn a_file_that_can_not_be_read_is_named_with_the_field() {
    let nowhere = LabResults::read(Path::new("/nowhere")).unwrap_err().to_string();
    assert!(nowhere.contains("/nowhere/lab.json") && nowhere.contains("No such file"), "{nowhere}");
    for (from, to, said) in [
        ("\"schema\"", "\"scheme\"", "field `schema` is missing"),
        ("ringbench-lab/1", "ringbench-lab/0", "field `schema` is \"ringbench-lab/0\", and this ringbench reads"),
        ("\"seed\"", "\"seeds\"", "missing field `seed`"),
        ("\"low\"", "\"lowest\"", "missing field `low`"),
        ("\"repeats\": 3", "\"repeats\": \"3\"", "field `repeats`: invalid type: string \"3\""),
        ("\"order\"", "order", "key must be a string"),
    ] {
        let error = read(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains("lab.json: ") && error.contains(said), "{from} as {to}: {error}");
    }
    let nested = read(&EXAMPLE.replacen("\"low\"", "\"lowest\"", 1)).unwrap_err();
    assert!(nested.contains("field `roofline[0]`"), "{nested}");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (page, _) = render(&read(EXAMPLE).unwrap(), directory.path());
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf\""), "a figure that is none was drawn");
    assert_eq!(page.matches("<figure").count(), page.matches("<details").count(), "every chart has its table");
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
}

#[test]
fn the_page_and_the_markdown_say_the_same_and_every_chart_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let (page, markdown) = render(&read(EXAMPLE).unwrap(), directory.path());
    let mut charts = 0;
    for file in markdown.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
        let chart = std::fs::read_to_string(directory.path().join(file.0)).unwrap();
        assert!(chart.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && chart.ends_with("</svg>\n"));
        charts += 1;
    }
    assert_eq!(charts, page.matches("<svg").count());
    for said in [
        "Interrupted after",
        "Not available on this host",
        "kernel.io_uring_disabled=0",
        "not distinguishable",
        "Moving to a socket",
        "What this host does alone",
        "Latency under load",
        "Run order",
        "2 of 3",
    ] {
        let plain = markdown.replace('\\', "");
        assert!(page.contains(said) && plain.contains(said), "{said}");
    }
    assert!(page.contains("&lt;No space left&gt; &amp; &quot;more&quot;"), "text from a file is escaped");
}

#[test]
fn a_run_of_which_nothing_is_left_is_reported_as_that() {
    let mut results = read(EXAMPLE).unwrap();
    (results.cells, results.order) = (Vec::new(), Vec::new());
    let directory = tempfile::tempdir().unwrap();
    let (page, _) = render(&results, directory.path());
    assert!(page.contains("Nothing was measured to its end."));
    results = read(EXAMPLE).unwrap();
    for cell in &mut results.cells {
        (cell.runs, cell.rank, cell.of_best, cell.mb_per_s, cell.cpu_s_per_gb) = (0, None, None, None, None);
        (cell.latency_us, cell.mb_per_s_by_round) = (ringbench_report::LabLatency::default(), vec![None; 3]);
    }
    let (page, _) = render(&results, directory.path());
    assert!(page.contains("Nothing was measured to its end.") && !page.contains("NaN"));
}

#[test]
fn the_terminals_ranking_has_a_line_for_each_setting() {
    let ranking = lab_ranking(&read(EXAMPLE).unwrap());
    let line = ranking.lines().find(|line| line.starts_with("64 KiB · warm pages · receiver reads")).unwrap();
    assert!(
        line.contains("sendfile") && line.contains("3,000 (2,850–3,150) MB/s") && line.ends_with("splice"),
        "{line}"
    );
}
