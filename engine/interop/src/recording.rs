//! What a broker answered, as files to keep: one per API, and the comparison with what another broker answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::Exchange;

/// Answers by API; by case (`v5: the same again`); lines of `path = value`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recording {
    apis: BTreeMap<String, BTreeMap<String, Lines>>,
}

type Lines = Vec<(String, String)>;

impl Recording {
    /// The answers of a conversation.
    #[must_use]
    pub fn of(exchanges: &[Exchange]) -> Recording {
        let mut recording = Recording::default();
        for e in exchanges {
            let cases = recording.apis.entry(e.api.name().to_owned()).or_default();
            let lines =
                e.answer.lines().into_iter().map(|(p, v)| (unversioned(&p, e.version), unversioned(&v, e.version)));
            cases.insert(format!("v{:02}: {}", e.version, e.title), lines.collect());
        }
        recording
    }

    /// Reads the files that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn load(directory: &Path) -> io::Result<Recording> {
        let mut recording = Recording::default();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let (Some(api), Some("txt")) =
                (path.file_stem().and_then(|s| s.to_str()), path.extension().and_then(|e| e.to_str()))
            else {
                continue;
            };
            let cases = recording.apis.entry(api.to_owned()).or_default();
            let mut titles: Vec<String> = Vec::new();
            for line in fs::read_to_string(&path)?.lines() {
                if let Some(title) = line.strip_prefix("## ") {
                    titles = expand(title);
                    titles.iter().for_each(|t| drop(cases.insert(t.clone(), Lines::new())));
                } else if let Some((path, value)) = line.split_once(" = ") {
                    for title in &titles {
                        cases.entry(title.clone()).or_default().push((path.to_owned(), value.to_owned()));
                    }
                }
            }
        }
        Ok(recording)
    }

    /// Writes a file for each API into `directory`, and removes those of APIs that there are no answers of. Versions whose
    /// answers are equal share one section.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn save(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "txt") {
                fs::remove_file(path)?;
            }
        }
        for (api, cases) in &self.apis {
            let mut sections: BTreeMap<(&str, &Lines), Vec<&str>> = BTreeMap::new();
            for (case, lines) in cases {
                let (version, title) = case.split_once(": ").unwrap_or(("", case));
                sections.entry((title, lines)).or_default().push(version);
            }
            let mut text = String::new();
            for ((title, lines), versions) in sections {
                let _ = writeln!(text, "## {}: {title}", versions.join(" "));
                for (path, value) in lines {
                    let _ = writeln!(text, "{path} = {value}");
                }
                text.push('\n');
            }
            fs::write(directory.join(format!("{api}.txt")), text)?;
        }
        Ok(())
    }

    /// Where `ours` differs, but for what `differences` says is on purpose. Versions that we do not serve are not compared;
    /// a case of ours that is not recorded is a difference.
    #[must_use]
    pub fn compare(&self, ours: &Recording, differences: &Differences) -> Vec<String> {
        let mut found = Vec::new();
        let mut used = BTreeSet::new();
        for (api, cases) in &ours.apis {
            for (case, our_lines) in cases {
                let Some(lines) = self.apis.get(api).and_then(|c| c.get(case)) else {
                    found.push(format!("{api} {case}: not recorded"));
                    continue;
                };
                let (theirs, ours) = (by_path(lines), by_path(our_lines));
                for path in theirs.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
                    let (their, our) = (theirs.get(path), ours.get(path));
                    if their == our {
                        continue;
                    }
                    match differences.reason(api, case, path) {
                        Some(line) => drop(used.insert(line)),
                        None => found.push(format!(
                            "{api} {case}: {path}: Kafka {}, we {}",
                            their.map_or("nothing", String::as_str),
                            our.map_or("nothing", String::as_str)
                        )),
                    }
                }
            }
        }
        found.extend(differences.stale(&used).map(|entry| format!("listed as different, but is not: {entry}")));
        found
    }
}

/// Names that a case of this version made up end in `-v*`, so that the answers of different versions can be equal.
fn unversioned(text: &str, version: i16) -> String {
    let suffix = format!("-v{version}");
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(&suffix) {
        out.push_str(before);
        out.push_str(if after.starts_with(|c: char| c.is_ascii_digit()) { &suffix } else { "-v*" });
        rest = after;
    }
    out + rest
}

/// `v01 v02: title` is two cases.
fn expand(heading: &str) -> Vec<String> {
    let (versions, title) = heading.split_once(": ").unwrap_or(("", heading));
    versions.split(' ').map(|version| format!("{version}: {title}")).collect()
}

/// A path that comes twice is numbered.
fn by_path(lines: &Lines) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for (path, value) in lines {
        let mut key = path.clone();
        while map.contains_key(&key) {
            key.push('\'');
        }
        map.insert(key, value.clone());
    }
    map
}

/// The differences on purpose: lines of `API | case | path | reason`, each of the first three a pattern with `*`.
#[derive(Debug, Default)]
pub struct Differences {
    entries: Vec<[String; 4]>,
}

impl Differences {
    /// Reads the list; lines that begin with `#` are remarks.
    ///
    /// # Panics
    /// When a line does not have its four parts.
    #[must_use]
    pub fn parse(text: &str) -> Differences {
        let lines = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#'));
        let entry = |line: &str| {
            let parts: Vec<String> = line.splitn(4, " | ").map(|p| p.trim().to_owned()).collect();
            <[String; 4]>::try_from(parts).unwrap_or_else(|_| panic!("not `API | case | path | reason`: {line}"))
        };
        Differences { entries: lines.map(entry).collect() }
    }

    fn reason(&self, api: &str, case: &str, path: &str) -> Option<usize> {
        // What differs on purpose does so in every version.
        let case = case.split_once(": ").map_or(case, |(_, title)| title);
        self.entries.iter().position(|[a, c, p, _]| matches(a, api) && matches(c, case) && matches(p, path))
    }

    fn stale<'a>(&'a self, used: &'a BTreeSet<usize>) -> impl Iterator<Item = String> + 'a {
        self.entries.iter().enumerate().filter(|(i, _)| !used.contains(i)).map(|(_, e)| e.join(" | "))
    }
}

/// Whether `text` is what `pattern` says, in which `*` is any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|i| rest.is_char_boundary(*i))
                .any(|i| matches(after, rest.get(i..).unwrap_or_default()))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_another_version_keeps_its_number() {
        assert_eq!(
            unversioned("topics[made-v1].name = made-v1, made-v10, v1", 1),
            "topics[made-v*].name = made-v*, made-v10, v1"
        );
    }

    fn recording(lines: &[(&str, &str, &str)]) -> Recording {
        let mut recording = Recording::default();
        for (case, path, value) in lines {
            let cases = recording.apis.entry("Fetch".to_owned()).or_default();
            cases.entry((*case).to_owned()).or_default().push(((*path).to_owned(), (*value).to_owned()));
        }
        recording
    }

    #[test]
    fn what_is_saved_is_what_is_loaded_and_equal_versions_share_a_section() {
        let kept =
            recording(&[("v04: a", "x", "1"), ("v05: a", "x", "1"), ("v06: a", "x", "2"), ("v04: b", "y", "= 3")]);
        let directory = tempfile::tempdir().unwrap();
        kept.save(directory.path()).unwrap();
        assert_eq!(Recording::load(directory.path()).unwrap(), kept);
        let text = fs::read_to_string(directory.path().join("Fetch.txt")).unwrap();
        assert!(text.starts_with("## v04 v05: a\nx = 1\n\n## v06: a\n"), "{text}");
    }

    #[test]
    fn a_difference_counts_unless_it_is_listed_and_a_listed_one_must_exist() {
        let kafka = recording(&[("v04: a", "x", "1"), ("v04: a", "y", "1"), ("v05: a", "x", "1")]);
        let ours = recording(&[("v04: a", "x", "2"), ("v04: a", "y", "1")]);
        let none = Differences::parse("# nothing\n");
        assert_eq!(kafka.compare(&ours, &none), ["Fetch v04: a: x: Kafka 1, we 2"]);
        let listed = Differences::parse("Fetch | a | x | because\n");
        assert!(kafka.compare(&ours, &listed).is_empty());
        let stale = Differences::parse("Fetch | * | x | because\nFetch | * | y | because\n");
        assert_eq!(kafka.compare(&ours, &stale), ["listed as different, but is not: Fetch | * | y | because"]);
        let more = recording(&[("v09: a", "x", "1")]);
        assert_eq!(kafka.compare(&more, &none), ["Fetch v09: a: not recorded"]);
    }
}
