//! Real text to send: something large that a machine has anyway, never generated filler.

use std::fs;
use std::path::{Path, PathBuf};

use ringlog_record::{Compression, crc32c, decompress};

use crate::LoadError;

/// Enough that no codec's window holds it.
const WANTED_BYTES: usize = 16 << 20;
const MOST_DECOMPRESSED_BYTES: usize = 512 << 20;
/// Records are paragraphs, cut to these lengths: what a log event or a package's entry has.
const RECORD_BYTES: std::ops::RangeInclusive<usize> = 100..=2_000;

/// Text, cut into records.
#[derive(Debug)]
pub struct Corpus {
    /// Where it is from.
    pub source: String,
    /// Its bytes.
    pub bytes: usize,
    /// CRC-32C of all of it: two results with the same one sent the same text.
    pub crc32c: u32,
    records: Vec<Box<[u8]>>,
}

impl Corpus {
    /// The text in `file`, or what the machine has: Debian's package index, a dictionary, the sources of the libraries that
    /// this program was built from.
    ///
    /// # Errors
    /// [`LoadError::NoText`], [`LoadError::File`].
    pub fn find(file: Option<&Path>) -> Result<Corpus, LoadError> {
        if let Some(path) = file {
            let text = fs::read(path).map_err(LoadError::file(path))?;
            return Corpus::of(path.display().to_string(), &text)
                .ok_or_else(|| LoadError::NoText { looked: path.display().to_string() });
        }
        let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo = cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).unwrap_or_default();
        let registry = cargo.join("registry/src");
        let found = package_index("/var/lib/apt/lists".as_ref())
            .or_else(|| text_files("/usr/share/dict".as_ref(), &[""]))
            .or_else(|| text_files(&registry, &["md", "rs"]));
        found.and_then(|(source, text)| Corpus::of(source, &text)).ok_or_else(|| LoadError::NoText {
            looked: format!("/var/lib/apt/lists, /usr/share/dict and {}", registry.display()),
        })
    }

    fn of(source: String, text: &[u8]) -> Option<Corpus> {
        let text = &text[..text.len().min(4 * WANTED_BYTES)];
        let mut records: Vec<Box<[u8]>> = Vec::new();
        let mut rest = text;
        while rest.len() >= *RECORD_BYTES.start() {
            let longest = &rest[..rest.len().min(*RECORD_BYTES.end())];
            // To the end of a paragraph, else of a line, else as long as it may be.
            let end = |mark: &[u8]| {
                let from = *RECORD_BYTES.start();
                let places = longest.get(from..)?.windows(mark.len()).position(|window| window == mark)?;
                Some(from + places + mark.len())
            };
            let length = end(b"\n\n").or_else(|| end(b"\n")).unwrap_or(longest.len());
            records.push(rest[..length].into());
            rest = &rest[length..];
        }
        (!records.is_empty()).then(|| Corpus { source, bytes: text.len(), crc32c: crc32c(text), records })
    }

    /// All of it, record after record.
    pub(crate) fn text(&self) -> impl Iterator<Item = u8> {
        self.records.iter().flat_map(|record| record.iter().copied())
    }
}

/// The largest package index of apt, which may be compressed.
fn package_index(lists: &Path) -> Option<(String, Vec<u8>)> {
    let entries = fs::read_dir(lists).ok()?.flatten().map(|entry| entry.path());
    let is_index = |path: &PathBuf| {
        path.to_string_lossy().ends_with("Packages") || path.to_string_lossy().ends_with("Packages.lz4")
    };
    let largest =
        entries.filter(is_index).max_by_key(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()))?;
    let bytes = fs::read(&largest).ok()?;
    let text = match largest.extension().is_some_and(|extension| extension == "lz4") {
        true => decompress(Compression::Lz4, &bytes, MOST_DECOMPRESSED_BYTES).ok()?,
        false => bytes,
    };
    (text.len() >= 1 << 20).then(|| {
        (format!("Debian's package index ({})", largest.file_name().unwrap_or_default().to_string_lossy()), text)
    })
}

/// Files with these extensions below a directory, one after the other, until there is enough.
fn text_files(directory: &Path, extensions: &[&str]) -> Option<(String, Vec<u8>)> {
    let mut text = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop().filter(|_| text.len() < WANTED_BYTES) {
        let mut entries: Vec<PathBuf> = fs::read_dir(&next).ok()?.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for path in entries {
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                directories.push(path);
            } else if extensions.contains(&&*extension) && text.len() < WANTED_BYTES {
                text.extend(fs::read(&path).unwrap_or_default());
            }
        }
    }
    (text.len() >= 1 << 20).then(|| (format!("text files below {}", directory.display()), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_the_text_in_order_and_of_bounded_length() {
        let text: String =
            (0..2_000).map(|n| format!("line {n} of a text\n{}", if n % 9 == 0 { "\n" } else { "" })).collect();
        let corpus = Corpus::of("test".into(), text.as_bytes()).unwrap();
        let all: Vec<u8> = corpus.records.concat();
        assert!(text.as_bytes().starts_with(&all) && all.len() > text.len() - 100);
        assert!(corpus.records.iter().all(|record| RECORD_BYTES.contains(&record.len())));
    }

    #[test]
    fn a_file_without_text_is_refused_by_name() {
        let error = Corpus::find(Some("/nonexistent/text".as_ref())).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/text: "));
    }
}
