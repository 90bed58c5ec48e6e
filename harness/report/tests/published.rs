//! The index of results/ is that of the runs that are published there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use ringbench_report::write_index;

/// Files that runs are read from, as far as they are published: whoever measures leaves runs of their own beside them.
fn published(results: &Path) -> Vec<PathBuf> {
    let listed = Command::new("git").arg("-C").arg(results).args(["ls-files", "*results.json", "*lab.json"]).output();
    let listed =
        listed.ok().filter(|listed| listed.status.success()).map(|listed| String::from_utf8(listed.stdout).unwrap());
    let files: Vec<PathBuf> = listed.unwrap_or_default().lines().map(PathBuf::from).collect();
    if !files.is_empty() {
        return files;
    }
    // Without git: what the index has links to.
    let index = std::fs::read_to_string(results.join("index.md")).unwrap();
    let folders = index.split("](").skip(1).filter_map(|link| Some(link.split_once("/report.md)")?.0.to_owned()));
    let files = folders.flat_map(|folder| ["results.json", "lab.json"].map(|name| Path::new(&folder).join(name)));
    files.filter(|file| results.join(file).exists()).collect()
}

#[test]
fn the_index_of_published_runs_is_up_to_date() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results");
    let copy = tempfile::tempdir().unwrap();
    for file in published(&results) {
        std::fs::create_dir_all(copy.path().join(&file).parent().unwrap()).unwrap();
        std::fs::copy(results.join(&file), copy.path().join(&file)).unwrap();
    }
    write_index(copy.path()).unwrap();
    for name in ["index.html", "index.md"] {
        let text = |root: &Path| std::fs::read_to_string(root.join(name)).unwrap_or_default();
        assert!(
            text(copy.path()) == text(&results),
            "results/{name}: write it with `ringbench report --index results`"
        );
    }
}
