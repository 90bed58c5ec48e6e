//! `ringlog serve` on a free port, with a directory that goes with it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The broker's binary, beside this test's own; built now where a test of this crate alone is run.
pub(crate) fn ringlog() -> PathBuf {
    let ringbench = Path::new(env!("CARGO_BIN_EXE_ringbench"));
    let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "ringlog-cli"]).status().unwrap();
    assert!(built.success(), "ringlog-cli does not build");
    ringbench.with_file_name("ringlog")
}

pub(crate) struct Broker {
    child: Child,
    address: String,
    _data: tempfile::TempDir,
}

impl Broker {
    pub(crate) fn start(settings: &[&str]) -> Broker {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(ringlog());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path().join("data"));
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("kafka://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("it said {line:?}")).to_owned();
        Broker { child, address, _data: data }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
