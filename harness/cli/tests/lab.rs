//! `ringbench lab` as a user runs it, with few and short cells.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringbench")).arg("lab").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_list_names_every_contestant_and_why_one_can_not_run() {
    let listed = lab(&["list", "--json"]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let listed = listed.as_array().unwrap();
    for (name, family) in [("pwrite", "write"), ("sendfile", "transfer"), ("epoll-tokio", "serve")] {
        assert!(listed.iter().any(|one| one["name"] == name && one["family"] == family && one["available"] == true));
    }
    let families = ["write", "transfer", "serve"];
    for one in listed {
        assert!(families.iter().any(|family| one["family"] == *family), "{one}");
        assert_eq!(one["reason"].is_null(), one["available"].as_bool().unwrap(), "{one}");
    }
    // procfs takes no files at all, from nobody.
    let nowhere = text(&lab(&["list", "--dir", "/proc"]).stdout);
    assert!(nowhere.contains("not available here") && nowhere.contains("--dir"), "{nowhere}");
}

#[test]
fn a_run_measures_what_was_asked_for_and_leaves_nothing_behind() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir_path, out_path) = (dir.path().display().to_string(), out.path().display().to_string());
    let only = ["--quick", "--only", "pwrite,pwritev", "--sizes", "4KiB", "--repeats", "2", "--seed", "7"];
    let run = lab(&[&["run", "--dir", &dir_path, "--out", &out_path], &only[..]].concat());
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    let results = json(&out.path().join("lab.json"));
    assert!(results["command"].as_str().unwrap().ends_with("--repeats 2 --seed 7"), "{}", results["command"]);
    let cells = results["cells"].as_array().unwrap();
    assert!(cells.iter().any(|cell| cell["name"] == "pwrite") && cells.iter().any(|cell| cell["sync"] == "group"));
    for cell in cells {
        assert_eq!((cell["size_bytes"].as_u64(), cell["runs"].as_u64()), (Some(4096), Some(2)), "{cell}");
        let moved = &cell["mb_per_s"];
        let (low, high) = (moved["low"].as_f64().unwrap(), moved["high"].as_f64().unwrap());
        assert!(low > 0.0 && low <= moved["median"].as_f64().unwrap() && high >= low, "{moved}");
        assert!(cell["rank"].as_u64().unwrap() >= 1 && cell["latency_us"]["max"].as_f64().unwrap() > 0.0, "{cell}");
        assert_eq!(cell["sync"] == "none", cell["syncs"] == 0, "{cell}");
    }
    assert!(text(&run.stdout).contains("4 KiB · sync none · extend") && text(&run.stdout).contains("report.html"));
    let page = || std::fs::read_to_string(out.path().join("report.html")).unwrap();
    let first = page();
    std::fs::remove_file(out.path().join("report.html")).unwrap();
    assert!(lab(&["report", &out_path]).status.success());
    assert_eq!(page(), first, "lab.json is all that it takes");
    let nothing = lab(&["report", &dir_path]);
    assert!(!nothing.status.success() && text(&nothing.stderr).contains("lab.json: No such file"));
    let order = results["order"].as_array().unwrap();
    assert_eq!(order.len(), 2 * cells.len());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "files were left behind");
}

#[test]
fn so_many_bytes_of_one_block_are_written_in_each_run_when_that_is_asked_for() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir_path, out_path) = (dir.path().display().to_string(), out.path().display().to_string());
    let only = ["--quick", "--only", "pwrite", "--sizes", "4KiB", "--repeats", "1", "--bytes", "4MiB", "--same-block"];
    let run = lab(&[&["run", "--dir", &dir_path, "--out", &out_path], &only[..]].concat());
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    let results = json(&out.path().join("lab.json"));
    assert!(results["command"].as_str().unwrap().contains("--bytes 4194304 --same-block"), "{}", results["command"]);
    for cell in results["cells"].as_array().unwrap() {
        assert_eq!((cell["whole_bytes"].as_u64(), cell["offered_per_s"].as_f64()), (Some(4 << 20), None), "{cell}");
        assert!(cell["setting"].as_str().unwrap().ends_with("4 MiB in all · the same block"), "{cell}");
    }
    let refused = lab(&["run", "--dir", &dir_path, "--out", &out_path, "--bytes", "0"]);
    assert!(text(&refused.stderr).contains("a number of bytes is needed"), "{}", text(&refused.stderr));
}

#[test]
fn a_transfer_is_measured_warm_and_cold_by_a_receiver_that_reads_and_one_that_discards() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir_path, out_path) = (dir.path().display().to_string(), out.path().display().to_string());
    let only = ["--quick", "--only", "sendfile,pread-send", "--sizes", "64KiB", "--repeats", "1"];
    let run = lab(&[&["run", "--dir", &dir_path, "--out", &out_path], &only[..]].concat());
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    let results = json(&out.path().join("lab.json"));
    let cells = results["cells"].as_array().unwrap();
    let of = |cell: &serde_json::Value| [&cell["name"], &cell["pages"], &cell["receiver"]].map(|name| name.to_string());
    for asked in [["warm", "reads"], ["warm", "discards"], ["cold", "reads"]] {
        for name in ["sendfile", "pread-send"] {
            let asked = [name, asked[0], asked[1]].map(|name| format!("{name:?}"));
            let cell = cells.iter().find(|cell| of(cell) == asked).unwrap();
            assert_eq!((&cell["family"], cell["size_bytes"].as_u64()), (&"transfer".into(), Some(65536)), "{cell}");
            assert!(cell["sync"].is_null() && cell["writers"].is_null(), "{cell}");
            // A filesystem in memory has no cold pages, and says so.
            let refused = asked[1] == "\"cold\"" && cell["failure"].as_str().is_some_and(|why| why.contains("--dir"));
            assert!(refused || cell["mb_per_s"]["median"].as_f64().unwrap() > 0.0, "{cell}");
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "files were left behind");
}

#[test]
fn servers_are_measured_by_requests_over_one_and_many_connections() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir_path, out_path) = (dir.path().display().to_string(), out.path().display().to_string());
    let only = ["--quick", "--only", "threads,epoll-tokio", "--repeats", "1"];
    let run = lab(&[&["run", "--dir", &dir_path, "--out", &out_path], &only[..]].concat());
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    let results = json(&out.path().join("lab.json"));
    let cells = results["cells"].as_array().unwrap();
    for connections in [1, 50, 1000] {
        for name in ["threads", "epoll-tokio"] {
            let asked = |cell: &&serde_json::Value| cell["name"] == name && cell["connections"] == connections;
            let cell = cells.iter().find(asked).unwrap();
            // A host that allows few descriptors says how many are needed.
            let refused = cell["failure"].as_str().is_some_and(|why| why.contains("RLIMIT_NOFILE"));
            assert!(refused || cell["requests_per_s"]["median"].as_f64().unwrap() > 0.0, "{cell}");
            assert!(refused || cell["cpu_s_per_million_requests"].as_f64().unwrap() > 0.0, "{cell}");
            assert!(cell["family"] == "serve" && cell["pipelined"] == 1 && cell["pages"].is_null(), "{cell}");
        }
    }
}

#[test]
fn what_can_not_be_run_is_refused_with_the_value_and_the_remedy() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir, out) = (dir.path().display().to_string(), out.path().display().to_string());
    for (arguments, said) in [
        (&["--dir", &dir, "--only", "pwrit"][..], "pwrit is no contestant; there are: pwrite, "),
        (&["--dir", &dir, "--sizes", "3000"], "powers of two from 512 B to 1 MiB"),
        (&["--dir", &dir, "--sizes", "4GB"], "gb is no unit"),
        (&["--dir", &dir, "--only", "direct", "--sizes", "512"], "the plan has no cell"),
        (&["--dir", "/nowhere/at/all"], "/nowhere/at/all: No such file or directory"),
        (&["--dir", "/proc"], "--dir"),
        (&["--dir", &dir, "--repeats", "0"], "0 is not in 1..=1000"),
        // A filesystem in memory is smaller than memory.
        (&["--dir", "/dev/shm", "--larger-than-memory", "--only", "pwrite"], "MiB free and the lab needs"),
    ] {
        let refused = lab(&[&["run", "--quick", "--out", &out], arguments].concat());
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(text(&refused.stderr).contains(said), "{arguments:?}: {}", text(&refused.stderr));
    }
}

#[test]
fn what_was_measured_before_an_interrupt_is_kept_and_nothing_is_left_behind() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir_path, out_path) = (dir.path().display().to_string(), out.path().display().to_string());
    let mut run = Command::new(env!("CARGO_BIN_EXE_ringbench"))
        .args(["lab", "run", "--only", "pwrite", "--repeats", "1000", "--dir", &dir_path, "--out", &out_path])
        .spawn()
        .unwrap();
    while std::fs::read_dir(dir.path()).unwrap().next().is_none() {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let id = nix::unistd::Pid::from_raw(run.id().cast_signed());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(!run.wait().unwrap().success());
    assert_eq!(json(&out.path().join("lab.json"))["interrupted"], true);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "files were left behind");
}

#[test]
fn contestants_run_against_themselves_and_the_differences_are_said_instead_of_results() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (dir_path, out_path) = (dir.path().display().to_string(), out.path().display().to_string());
    let only = ["--aa", "--quick", "--only", "pwrite", "--sizes", "4KiB", "--repeats", "1"];
    let run = lab(&[&["run", "--dir", &dir_path, "--out", &out_path], &only[..]].concat());
    assert!(run.status.success(), "{}{}", text(&run.stdout), text(&run.stderr));
    // One pair of runs can't tell two contestants apart.
    assert!(text(&run.stdout).contains("a difference in 0 of 3 cells"), "{}", text(&run.stdout));
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0, "what is no result was kept as one");
}

#[test]
fn a_profile_holds_for_this_host_says_what_it_is_made_from_and_is_read_back() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = out.path().join("host.profile");
    let (dir_path, file_path) = (dir.path().display().to_string(), file.display().to_string());
    let made = lab(&["profile", "--dir", &dir_path, "--out", &file_path, "--seed", "5"]);
    assert!(made.status.success(), "{}{}", text(&made.stdout), text(&made.stderr));
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("# ringbench lab profile --dir") && written.contains("times as fast"), "{written}");
    let profile = ringlog_settings::HostProfile::parse(&written).unwrap();
    let here = ringlog_io::Place::of(dir.path()).unwrap();
    assert_eq!(profile.check(&here.kernel, &here.filesystem), Ok(()));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count() + std::fs::read_dir(out.path()).unwrap().count(), 1);

    let refused = lab(&["profile", "--dir", "/nowhere/at/all", "--out", &file_path]);
    assert!(text(&refused.stderr).contains("/nowhere/at/all"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written, "the old profile stays");
    let refused = lab(&["profile", "--dir", &dir_path, "--out", "/nowhere/host.profile"]);
    assert!(text(&refused.stderr).contains("--out /nowhere/host.profile"), "{}", text(&refused.stderr));
}
