//! Pages in a browser: headless Chromium opens them from a file, without a network, and asks for nothing else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ringbench_report::results::{Kind, Run};
use ringbench_report::{LabResults, write_index, write_lab_report, write_report};
use sample::{Random, Shown};
use serde_json::Value;

/// Status of `scripts/chromium.sh` where there is none to be had.
const UNAVAILABLE: i32 = 3;

/// A browser, or a line for who counts what was skipped.
fn chromium() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/chromium.sh");
    let found = Command::new(script).stderr(Stdio::piped()).output().unwrap();
    if found.status.code() == Some(UNAVAILABLE) {
        let reason = String::from_utf8_lossy(&found.stderr);
        let line = format!("SKIPPED: pages in a browser: {}\n", reason.trim().lines().last().unwrap_or_default());
        // Not through `eprintln!`, which the test harness keeps to itself when a test passes.
        let _ = std::io::stderr().write_all(line.as_bytes());
        if let Some(list) = std::env::var_os("RINGLOG_SKIPS") {
            let _ =
                OpenOptions::new().create(true).append(true).open(list).and_then(|mut f| f.write_all(line.as_bytes()));
        }
        return None;
    }
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    Some(String::from_utf8(found.stdout).unwrap().trim().into())
}

/// What a page was when its script had run, what it asked for besides itself, and what stood on its console.
struct Opened {
    dom: String,
    requests: Vec<String>,
    console: Vec<String>,
}

fn open(browser: &Path, page: &Path, fragment: &str) -> Opened {
    open_wide(browser, page, fragment, 1_400)
}

fn open_wide(browser: &Path, page: &Path, fragment: &str, width: u32) -> Opened {
    let profile = tempfile::tempdir().unwrap();
    let log = profile.path().join("net.json");
    // A namespace of its own has no network; where that is refused, every name and address leads nowhere.
    let alone = Command::new("unshare").args(["--net", "--", "true"]).stderr(Stdio::null()).status();
    let mut command = match alone.is_ok_and(|status| status.success()) {
        true => {
            let mut command = Command::new("unshare");
            command.args(["--net", "--"]).arg(browser);
            command
        }
        false => Command::new(browser),
    };
    let url = format!("file://{}{fragment}", page.canonicalize().unwrap().display());
    let opened = command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-default-apps"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr"])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--window-size={width},1000"))
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(&url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&opened.stderr).into_owned();
    assert!(opened.status.success(), "{said}");
    // The browser has pages of its own, which may speak, too.
    let of_the_page = |line: &&str| line.contains(":CONSOLE") && !line.contains("source: chrome://");
    let console = said.lines().filter(of_the_page).map(str::to_owned).collect();
    Opened { dom: String::from_utf8(opened.stdout).unwrap(), requests: requests(&log, &url), console }
}

/// Every address that a page asked for, in the browser's log of its network. The browser's own requests, for updates and the time,
/// come from no page: the log has no origin for them.
fn requests(log: &Path, page: &str) -> Vec<String> {
    let log: Value = serde_json::from_slice(&std::fs::read(log).unwrap()).unwrap();
    let own = page.split('#').next();
    let asked = |event: &Value| {
        let params = &event["params"];
        let from_a_page = params["initiator"].as_str().is_some_and(|origin| origin != "not an origin");
        let url = params["url"].as_str().filter(|url| from_a_page && url.split('#').next() != own)?;
        (!url.starts_with("data:")).then(|| url.to_owned())
    };
    log["events"].as_array().unwrap().iter().filter_map(asked).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A sweep of two targets with rates, as `sample` makes it.
fn report(directory: &Path) -> Run {
    let mut run = sample::run(Kind::Sweep, "sweep-core");
    let mut random = Random(4);
    for target in ["ringlog", "kafka"] {
        for (batch, linger) in [("16384", "0"), ("16384", "5"), ("131072", "0"), ("131072", "5")] {
            let cell = sample::cell(target, &[("batch.size", batch), ("linger.ms", linger), ("acks", "all")], None);
            let shown = Shown { per_s: 200_000.0, p50_us: 900.0, tail: 20.0 };
            sample::add(&mut run, cell, shown, &mut random, directory);
        }
        for rate in [50_000.0, 100_000.0, 150_000.0, 180_000.0] {
            let cell =
                sample::cell(target, &[("batch.size", "16384"), ("linger.ms", "5"), ("acks", "all")], Some(rate));
            let shown = Shown { per_s: 170_000.0, p50_us: 700.0 + rate / 100.0, tail: 20.0 };
            sample::add(&mut run, cell, shown, &mut random, directory);
        }
    }
    run.write(directory).unwrap();
    write_report(&[(run.clone(), directory.to_owned())], directory).unwrap();
    run
}

#[test]
fn a_page_that_asks_for_something_or_fails_is_found_out() {
    let Some(browser) = chromium() else { return };
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let guilty = "<!doctype html><img src=\"http://127.0.0.1:9/a.png\"><link rel=stylesheet href=\"http://127.0.0.1:9/b.css\"><script>fetch('https://c.invalid/');gone()</script>";
    std::fs::write(&page, guilty).unwrap();
    let Opened { requests, console, .. } = open(&browser, &page, "");
    for asked in ["/a.png", "/b.css", "c.invalid"] {
        assert!(requests.iter().any(|url| url.contains(asked)), "{asked}: {requests:?}");
    }
    assert!(console.iter().any(|line| line.contains("gone is not defined")), "{console:?}");
}

#[test]
fn a_report_opens_without_a_network_asks_for_nothing_and_has_no_error() {
    let Some(browser) = chromium() else { return };
    let directory = tempfile::tempdir().unwrap();
    report(directory.path());
    let Opened { dom, requests, console } = open(&browser, &directory.path().join("report.html"), "");
    assert_eq!((requests, console), (Vec::<String>::new(), Vec::<String>::new()));
    assert!(dom.contains("Throughput and latency") && dom.matches("<svg").count() >= 8, "{}", dom.len());
}

#[test]
fn a_page_is_never_wider_than_its_window_and_what_is_can_be_scrolled_with_the_keyboard() {
    let Some(browser) = chromium() else { return };
    let directory = tempfile::tempdir().unwrap();
    report(directory.path());
    write_index(directory.path()).unwrap();
    // Asks the page itself: how much wider than the window it is, and what can be scrolled sideways but not focused.
    let script = "<script>document.querySelectorAll('details').forEach(d=>d.open=true);document.title=[document.documentElement.scrollWidth-innerWidth,[...document.querySelectorAll('main *')].filter(e=>e.scrollWidth>e.clientWidth+1&&getComputedStyle(e).overflowX==='auto'&&e.tabIndex<0).length].join()</script>";
    for name in ["report.html", "index.html"] {
        let page = directory.path().join(name);
        std::fs::write(&page, std::fs::read_to_string(&page).unwrap() + script).unwrap();
        for width in [1_400, 800, 500] {
            let dom = open_wide(&browser, &page, "", width).dom;
            let found = dom.split("<title>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
            let (over, unreachable) = found.split_once(',').unwrap();
            assert!(over.parse::<i32>().unwrap() <= 0, "{name} is {over} pixels wider than {width}");
            assert_eq!(unreachable, "0", "{name} at {width}");
        }
    }
}

#[test]
fn the_report_of_the_lab_opens_without_a_network_too() {
    let Some(browser) = chromium() else { return };
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab.json"), directory.path().join("lab.json")).unwrap();
    let page = write_lab_report(&LabResults::read(directory.path()).unwrap(), directory.path()).unwrap();
    let Opened { requests, console, .. } = open(&browser, &page, "");
    assert_eq!((requests, console), (Vec::<String>::new(), Vec::<String>::new()));
}

#[test]
fn the_index_filters_by_what_its_address_says() {
    let Some(browser) = chromium() else { return };
    let root = tempfile::tempdir().unwrap();
    for (folder, workload, host) in [("one", "sweep-core", "AMD"), ("two", "curve", "AMD"), ("three", "curve", "Intel")]
    {
        let mut run = sample::run(Kind::Run, workload);
        run.host.cpu = host.to_owned();
        std::fs::create_dir(root.path().join(folder)).unwrap();
        run.write(&root.path().join(folder)).unwrap();
    }
    let page = write_index(root.path()).unwrap();
    let all = open(&browser, &page, "");
    assert_eq!((all.requests, all.console), (Vec::<String>::new(), Vec::<String>::new()));
    assert!(all.dom.contains(">3 runs<") && all.dom.matches("<select").count() == 3, "{}", all.dom);
    let curves = open(&browser, &page, "#workload=curve");
    assert!(curves.dom.contains(">2 of 3 runs<"), "{}", curves.dom);
}
