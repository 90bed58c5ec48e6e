//! What the README shows is what happens: its example is run as it stands, on a free port and in a directory of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const RINGLOG: &str = env!("CARGO_BIN_EXE_ringlog");

/// The fenced blocks of this language, in order.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    readme.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A broker that ends with the test.
struct Broker {
    process: Child,
    address: String,
    ready: String,
}

impl Broker {
    fn start(data: &Path) -> Broker {
        let mut process = Command::new(RINGLOG)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.split("kafka://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        Broker { process, address, ready: ready.trim_end().to_owned() }
    }
}

impl Drop for Broker {
    /// kill -9: nothing is written out on the way.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a line of the README against `broker`, and gives what it printed.
fn run(line: &str, broker: &str) -> String {
    let line = format!("{} --bootstrap {broker}", line.replace("target/release/ringlog", RINGLOG));
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_example_of_the_readme_prints_what_the_readme_says() {
    let readme = include_str!("../../../README.md");
    let example = blocks(readme, "sh").into_iter().find(|block| block.contains("serve")).unwrap();
    let lines: Vec<&str> = example.lines().collect();
    assert_eq!(lines[0], "target/release/ringlog serve --data demo-data &");
    let said = blocks(readme, "text").remove(0);

    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo-data");
    let broker = Broker::start(&data);
    let mut printed = broker.ready.clone() + "\n";
    for line in &lines[1..] {
        printed += &run(line, &broker.address);
    }
    let expected = said.replace("127.0.0.1:9092", &broker.address).replace("demo-data", &data.display().to_string());
    // Where io_uring is not to be had the ready line says so.
    assert_eq!(printed.replace("io=syscall", "io=uring"), expected);
}

#[test]
fn acknowledged_records_survive_kill_9_and_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = String::new();
    for round in 0..5 {
        let broker = Broker::start(dir.path());
        let lines: String = (0..2000).map(|n| format!("round {round} record {n}\n")).collect();
        let mut producer = Command::new(RINGLOG)
            .args(["produce", "ledger", "--bootstrap", &broker.address])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        producer.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        // Exit 0 is the acknowledgement of every line.
        assert!(producer.wait().unwrap().success());
        acknowledged += &lines;
    }
    let broker = Broker::start(dir.path());
    let consume = format!("{RINGLOG} consume ledger --partition 0 --from-beginning --exit-at-end");
    let stored = run(&consume, &broker.address);
    assert!(stored == acknowledged, "{} bytes stored of {} acknowledged", stored.len(), acknowledged.len());
}
