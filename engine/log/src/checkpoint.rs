//! Kafka's checkpoint files: a version line, a count, and as many rows.

use std::{collections::BTreeMap, io, path::Path};

use ringlog_io::Disk;

use crate::{LogError, TopicPartition, error::IoContext};

const VERSION: &str = "0";

/// The offset checkpoints of a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetCheckpoint {
    /// Everything below is on the device.
    RecoveryPoint,
    /// First offset that is served: above the first segment's base after DeleteRecords.
    LogStart,
    /// High watermarks.
    Replication,
    /// Everything below has been compacted.
    Cleaner,
}

impl OffsetCheckpoint {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::RecoveryPoint, Self::LogStart, Self::Replication, Self::Cleaner];

    /// The file's name in the data directory.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::RecoveryPoint => "recovery-point-offset-checkpoint",
            Self::LogStart => "log-start-offset-checkpoint",
            Self::Replication => "replication-offset-checkpoint",
            Self::Cleaner => "cleaner-offset-checkpoint",
        }
    }

    /// Replaces the file with these rows. Durable on return; blocks for the syncs.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`]: the old file is still there.
    pub fn write(self, disk: &Disk, dir: &Path, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        let path = dir.join(self.file_name());
        let rows = offsets.iter().map(|(name, offset)| format!("{} {} {offset}", name.topic, name.partition));
        disk.write_atomic(&path, encode(rows).as_bytes()).context("write", &path)
    }

    /// The file's rows; none without a file. A damaged file counts as none, which a warning says: every checkpoint can be
    /// done without, at the price of scanning more.
    ///
    /// # Errors
    /// [`LogError::Io`] when it can't be read.
    pub fn read(self, dir: &Path) -> Result<BTreeMap<TopicPartition, i64>, LogError> {
        let path = dir.join(self.file_name());
        let text = match std::fs::read(&path) {
            // Kafka makes the file before it has anything to write.
            Ok(bytes) if bytes.is_empty() => return Ok(BTreeMap::new()),
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(LogError::io("read", &path, error)),
        };
        let row = |row: &str| -> Option<(TopicPartition, i64)> {
            let mut fields = row.split(' ');
            let (topic, partition, offset) = (fields.next()?, fields.next()?, fields.next()?);
            let row = (TopicPartition::new(topic, partition.parse().ok()?), offset.parse().ok()?);
            fields.next().is_none().then_some(row)
        };
        let rows = decode(&text).and_then(|rows| rows.into_iter().map(row).collect());
        if rows.is_none() {
            tracing::warn!(path = %path.display(), "the checkpoint is damaged and is not used");
        }
        Ok(rows.unwrap_or_default())
    }
}

/// A checkpoint of these rows.
pub(crate) fn encode(rows: impl Iterator<Item = String>) -> String {
    let rows: Vec<String> = rows.collect();
    let mut text = format!("{VERSION}\n{}\n", rows.len());
    for row in rows {
        text.push_str(&row);
        text.push('\n');
    }
    text
}

/// The rows of a checkpoint; `None` when version or count are not right.
pub(crate) fn decode(text: &str) -> Option<Vec<&str>> {
    let mut lines = text.lines();
    let version_is_known = lines.next()? == VERSION;
    let count: usize = lines.next()?.parse().ok()?;
    let rows: Vec<&str> = lines.collect();
    (version_is_known && rows.len() == count).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_checkpoint_has_kafkas_lines_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let offsets = BTreeMap::from([(TopicPartition::new("a.b", 10), 5), (TopicPartition::new("c", 0), 1 << 40)]);
        OffsetCheckpoint::RecoveryPoint.write(&Disk::syscall(), dir.path(), &offsets).unwrap();
        let text = std::fs::read_to_string(dir.path().join("recovery-point-offset-checkpoint")).unwrap();
        assert_eq!(text, "0\n2\na.b 10 5\nc 0 1099511627776\n");
        assert_eq!(OffsetCheckpoint::RecoveryPoint.read(dir.path()).unwrap(), offsets);
    }

    #[test]
    fn a_missing_or_damaged_checkpoint_counts_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        for content in
            [None, Some(&b""[..]), Some(b"0\n3\na 0 1\n"), Some(b"9\n0\n"), Some(b"0\n1\na 0 x\n"), Some(b"\xff\xfe\0")]
        {
            if let Some(content) = content {
                std::fs::write(dir.path().join(OffsetCheckpoint::LogStart.file_name()), content).unwrap();
            }
            assert!(OffsetCheckpoint::LogStart.read(dir.path()).unwrap().is_empty(), "{content:?}");
        }
    }
}
