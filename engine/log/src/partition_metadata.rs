//! `partition.metadata`: the topic's id, kept with each of its partitions.

use std::{io, path::Path};

use ringlog_io::Disk;

use crate::{LogError, error::IoContext};

const FILE_NAME: &str = "partition.metadata";

/// Writes the id of the topic whose partition lives in `dir`. In the page cache on return, not on disk: the id also stands in
/// the metadata log.
///
/// # Errors
/// [`LogError::Io`], [`LogError::DiskFull`].
pub async fn write(disk: &Disk, dir: &Path, topic_id: [u8; 16]) -> Result<(), LogError> {
    let path = dir.join(FILE_NAME);
    let text = format!("version: 0\ntopic_id: {}", base64(topic_id));
    crate::segment::write_derived(disk, &path, text.into_bytes()).await
}

/// The topic id in `dir`; `None` without the file.
///
/// # Errors
/// [`LogError::BadDirectory`] when the file holds something else; [`LogError::Io`].
pub fn read(dir: &Path) -> Result<Option<[u8; 16]>, LogError> {
    let path = dir.join(FILE_NAME);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.context("read", &path)?,
    };
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    match (field("version"), field("topic_id").and_then(from_base64)) {
        (Some("0"), Some(topic_id)) => Ok(Some(topic_id)),
        _ => Err(LogError::BadDirectory { path, reason: "it holds no `version: 0` and `topic_id: …`".into() }),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 16 bytes are 22 characters without padding, the last one of four bits' worth.
const CHARACTERS: usize = 22;

/// Kafka's form of an id: base64 for URLs, without padding.
fn base64(id: [u8; 16]) -> String {
    let number = u128::from_be_bytes(id);
    let digit = |index: usize| match 128usize.checked_sub(6 * (index + 1)) {
        Some(shift) => number >> shift & 63,
        None => number << 4 & 63,
    };
    (0..CHARACTERS).filter_map(|index| ALPHABET.get(digit(index) as usize)).map(|&byte| char::from(byte)).collect()
}

fn from_base64(text: &str) -> Option<[u8; 16]> {
    let digits: Option<Vec<u128>> =
        text.bytes().map(|byte| ALPHABET.iter().position(|&known| known == byte).map(|digit| digit as u128)).collect();
    let digits = digits.filter(|digits| digits.len() == CHARACTERS)?;
    let (last, first) = digits.split_last()?;
    let number = first.iter().fold(0, |number, digit| number << 6 | digit) << 2 | last >> 4;
    (last & 15 == 0).then_some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_has_kafkas_lines_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        for id in [[0; 16], [255; 16], *b"0123456789abcdef"] {
            write(&Disk::syscall(), dir.path(), id).await.unwrap();
            assert_eq!(read(dir.path()).unwrap(), Some(id));
        }
        let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(text, "version: 0\ntopic_id: MDEyMzQ1Njc4OWFiY2RlZg");
        std::fs::write(dir.path().join(FILE_NAME), "version: 0\ntopic_id: short\n").unwrap();
        assert!(matches!(read(dir.path()), Err(LogError::BadDirectory { .. })));
    }
}
