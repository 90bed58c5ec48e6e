//! Real text to send: something large that a machine has anyway, never generated filler.

use std::fs;
use std::path::{Path, PathBuf};

use ringlog_record::{Compression, decompress};

use crate::LoadError;

const FEWEST_BYTES: usize = 1 << 20;
const MOST_DECOMPRESSED_BYTES: usize = 512 << 20;

/// Text that the machine has, at most so many bytes, and where it is from: Debian's package index, a dictionary, the sources of the
/// libraries that this program was built from.
///
/// # Errors
/// [`LoadError::NoText`].
pub(crate) fn corpus(most_bytes: usize) -> Result<(String, Vec<u8>), LoadError> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).unwrap_or_default();
    let registry = cargo.join("registry/src");
    let found = package_index("/var/lib/apt/lists".as_ref())
        .or_else(|| text_files("/usr/share/dict".as_ref(), &[""], most_bytes))
        .or_else(|| text_files(&registry, &["md", "rs"], most_bytes));
    let Some((source, mut text)) = found else {
        let looked = format!("/var/lib/apt/lists, /usr/share/dict and {}", registry.display());
        return Err(LoadError::NoText { looked });
    };
    text.truncate(most_bytes);
    Ok((source, text))
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
    let name = largest.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (text.len() >= FEWEST_BYTES).then(|| (format!("Debian's package index ({name})"), text))
}

/// Files with these extensions below a directory, one after the other, until there is enough.
fn text_files(directory: &Path, extensions: &[&str], enough_bytes: usize) -> Option<(String, Vec<u8>)> {
    let mut text = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop().filter(|_| text.len() < enough_bytes) {
        let mut entries: Vec<PathBuf> = fs::read_dir(&next).ok()?.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for path in entries {
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                directories.push(path);
            } else if extensions.contains(&&*extension) && text.len() < enough_bytes {
                text.extend(fs::read(&path).unwrap_or_default());
            }
        }
    }
    (text.len() >= FEWEST_BYTES).then(|| (format!("text files below {}", directory.display()), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_files_are_taken_in_order_until_there_is_enough() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("b.rs", "second"), ("a.rs", "first"), ("c.txt", "another"), ("d.rs", "third")] {
            fs::write(directory.path().join(name), format!("{text} ").repeat(FEWEST_BYTES / 8)).unwrap();
        }
        let (source, text) = text_files(directory.path(), &["rs"], FEWEST_BYTES).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("first ") && text.contains("second "), "{source}");
        assert!(!text.contains("another") && !text.contains("third"), "{source}");
        assert!(text_files(directory.path(), &["md"], FEWEST_BYTES).is_none(), "too little is none");
    }
}
