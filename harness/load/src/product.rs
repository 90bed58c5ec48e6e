//! What a broker that speaks Kafka's protocol is, and in which version: the protocol has no field for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringlog_client::Feature;

/// The release whose highest `metadata.version` this is (MetadataVersion.java); levels are never used again.
const RELEASES: [(i16, &str); 13] = [
    (1, "3.0"),
    (2, "3.1"),
    (3, "3.2"),
    (7, "3.3"),
    (8, "3.4"),
    (11, "3.5"),
    (14, "3.6"),
    (19, "3.7"),
    (20, "3.8"),
    (21, "3.9"),
    (25, "4.0"),
    (27, "4.1"),
    (29, "4.2"),
];
/// The newest that is known, and its first level.
const NEWEST: (i16, &str) = (30, "4.3");
/// A setting that no other broker has.
pub(crate) const RINGLOG_ONLY: &str = "io.backend";

/// By the command of its process, where that is on this host; else by what it says of itself.
pub(crate) fn product(
    pid: Option<u32>,
    command: &[String],
    features: &BTreeMap<String, Feature>,
    config: &BTreeMap<String, String>,
) -> String {
    let program = || {
        let name = Path::new(command.first()?).file_name()?.to_string_lossy().into_owned();
        Some(name).filter(|name| !name.is_empty())
    };
    let ringlog = || {
        // A port that is passed on belongs to another program.
        let pid = pid.filter(|_| program().is_some_and(|name| name == "ringlog"));
        config.contains_key(RINGLOG_ONLY).then(|| pid.and_then(ringlog_version).unwrap_or_else(|| "ringlog".to_owned()))
    };
    kafka_of_command(command)
        .or_else(ringlog)
        .or_else(|| kafka_of_features(features))
        .or_else(program)
        .unwrap_or_else(|| "a broker that speaks Kafka's protocol".to_owned())
}

/// Kafka's class path has its own library, whose name ends with the version; or a directory that has it.
fn kafka_of_command(command: &[String]) -> Option<String> {
    let places = command.iter().flat_map(|word| word.split(':')).flat_map(|place| match place.strip_suffix("/*") {
        Some(directory) => files(Path::new(directory)),
        None => vec![place.into()],
    });
    places.into_iter().find_map(|place| {
        let version = place.file_name()?.to_str()?.strip_prefix("kafka_")?.strip_suffix(".jar")?.split_once('-')?.1;
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| format!("Apache Kafka {version}"))
    })
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// What the software can do, not what its cluster was told to: that may stay behind after an upgrade.
fn kafka_of_features(features: &BTreeMap<String, Feature>) -> Option<String> {
    let level = *features.get("metadata.version")?.supported.end();
    let known = RELEASES.iter().find(|(highest, _)| level <= *highest).map(|(_, release)| *release);
    Some(match known {
        Some(release) => format!("Apache Kafka {release}"),
        None if level == NEWEST.0 => format!("Apache Kafka {}", NEWEST.1),
        None => format!("Apache Kafka {}+", NEWEST.1),
    })
}

/// What its program says, also when the file has been replaced since it was started.
fn ringlog_version(pid: u32) -> Option<String> {
    let said = Command::new(format!("/proc/{pid}/exe")).arg("--version").output().ok()?;
    let version = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    version.starts_with("ringlog ").then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_command(command: &[&str]) -> String {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        product(None, &command, &BTreeMap::new(), &BTreeMap::new())
    }

    fn of_level(level: i16) -> String {
        let feature = Feature { supported: 1..=level, finalized: Some(1) };
        let features = BTreeMap::from([("metadata.version".to_owned(), feature)]);
        product(None, &["java".to_owned()], &features, &BTreeMap::new())
    }

    #[test]
    fn kafka_is_known_by_its_library_even_if_the_command_names_only_its_directory() {
        let library = "/opt/kafka/libs/jackson-2.1.jar:/opt/kafka/libs/kafka_2.13-3.9.1.jar";
        assert_eq!(of_command(&["java", "-cp", library, "kafka.Kafka"]), "Apache Kafka 3.9.1");
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("kafka_2.13-4.3.1.jar"), "").unwrap();
        let all = format!("{}/*", directory.path().display());
        assert_eq!(of_command(&["java", "-cp", &all, "kafka.Kafka"]), "Apache Kafka 4.3.1");
    }

    #[test]
    fn kafka_far_away_is_known_by_its_features() {
        for (level, release) in [(1, "3.0"), (7, "3.3"), (15, "3.7"), (21, "3.9"), (22, "4.0"), (30, "4.3")] {
            assert_eq!(of_level(level), format!("Apache Kafka {release}"));
        }
        assert_eq!(of_level(31), "Apache Kafka 4.3+");
    }

    #[test]
    fn others_are_known_by_a_setting_or_by_their_program() {
        let config = BTreeMap::from([(RINGLOG_ONLY.to_owned(), "auto".to_owned())]);
        assert_eq!(product(None, &[], &BTreeMap::new(), &config), "ringlog");
        assert_eq!(of_command(&["/opt/redpanda/bin/redpanda", "--smp=1"]), "redpanda");
        assert_eq!(of_command(&[]), "a broker that speaks Kafka's protocol");
    }
}
