//! The metadata log: one file of lines, each a CRC and a list of changes.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ringlog_io::{Disk, File, Mode};
use ringlog_record::crc32c;

use crate::{Change, Image, MetaError};

/// A plain file: Kafka takes every directory beside it for a partition's.
const FILE: &str = "ringlog-metadata.log";
const HEADER: &str = "ringlog-metadata 1\n";
/// The log is written anew when it is larger than this, and several times larger than what it says.
const REWRITE_FROM_BYTES: usize = 1 << 20;
const REWRITE_FACTOR: usize = 4;
/// Hexadecimal digits of a CRC-32C, and the blank behind it.
const CRC_DIGITS: usize = 8;

/// The image and the file that it is kept in. One caller changes it at a time.
#[derive(Debug)]
pub struct MetadataLog {
    path: PathBuf,
    file: Arc<File>,
    /// Where the next line goes.
    end: u64,
    image: Arc<Image>,
    /// A sync has failed, or a failed write could not be undone: what the file says is not known any more.
    fenced: bool,
}

/// What opening found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Bytes of an unfinished line that were cut off its end: a change that was never acknowledged.
    pub truncated_bytes: u64,
}

impl MetadataLog {
    /// Reads the log in `directory`; an empty one is made when there is none.
    ///
    /// # Errors
    /// [`MetaError::Io`]; [`MetaError::Malformed`] for a log that is damaged anywhere but in an unfinished last line: nothing
    /// that was acknowledged is guessed at.
    pub async fn open(disk: &Disk, directory: &Path) -> Result<(MetadataLog, OpenReport), MetaError> {
        let path = directory.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.write_atomic(&path, HEADER.as_bytes()).map_err(in_file(&path))?;
                HEADER.into()
            }
            Err(error) => return Err(in_file(&path)(error)),
        };
        let malformed = |reason: String| MetaError::Malformed { path: path.clone(), reason };
        let Some(mut rest) = text.strip_prefix(HEADER.as_bytes()) else {
            return Err(malformed(format!("it does not begin with {HEADER:?}")));
        };
        let mut image = Image::default();
        while let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
            let position = text.len() - rest.len();
            let (line, next) = rest.split_at(length);
            if next.len() == 1 && line.windows(2).any(|pair| pair == [0, 0]) {
                // The last line reaches over a block that the device never got before the power went. A single zero would be a
                // damaged byte.
                break;
            }
            let changes = decode(line).map_err(|reason| malformed(format!("at byte {position}: {reason}")))?;
            for change in &changes {
                image.apply(change).map_err(|reason| malformed(format!("at byte {position}: {reason}")))?;
            }
            rest = &next[1..];
        }
        // A zero there is a block that the device never got, not a damaged line end.
        if rest.last() != Some(&0) && decode(&rest[..rest.len().saturating_sub(1)]).is_ok() {
            return Err(malformed("its last byte is no line end, though the line before it is whole".to_owned()));
        }
        let file = disk.open_file(&path, Mode::Write).map_err(in_file(&path))?;
        let end = (text.len() - rest.len()) as u64;
        if !rest.is_empty() {
            disk.truncate(&file, end).map_err(in_file(&path))?;
        }
        // A line that a killed process had written but not synced is shown from here on: it has to last.
        disk.sync_data(&file).await.map_err(in_file(&path))?;
        let report = OpenReport { truncated_bytes: rest.len() as u64 };
        Ok((MetadataLog { path, file, end, image: Arc::new(image), fenced: false }, report))
    }

    /// The image as of the last change.
    #[must_use]
    pub fn image(&self) -> Arc<Image> {
        self.image.clone()
    }

    /// Makes changes: all of them or, on an error, none. Durable on return.
    ///
    /// # Errors
    /// [`MetaError::Io`]: nothing has changed; a full disk is worth another try. [`MetaError::Fenced`] after a sync has failed,
    /// until the process starts anew. [`MetaError::Malformed`] for a change that does not fit.
    pub async fn apply(&mut self, disk: &Disk, changes: &[Change]) -> Result<Arc<Image>, MetaError> {
        if self.fenced {
            return Err(MetaError::Fenced { path: self.path.clone() });
        }
        let mut image = Image::clone(&self.image);
        for change in changes {
            image.apply(change).map_err(|reason| MetaError::Malformed { path: self.path.clone(), reason })?;
        }
        let line = encode(changes).map_err(|reason| MetaError::Malformed { path: self.path.clone(), reason })?;
        let length = line.len() as u64;
        // Fenced from here until it is known how it went, also when this future is dropped on the way.
        self.fenced = true;
        if let Err(error) = disk.write_all_at(&self.file, vec![Bytes::from(line)], self.end).await {
            // A half line would be taken for the next one's beginning.
            self.fenced = disk.truncate(&self.file, self.end).is_err();
            return Err(in_file(&self.path)(error));
        }
        disk.sync_data(&self.file).await.map_err(in_file(&self.path))?;
        self.end += length;
        self.image = Arc::new(image);
        self.fenced = false;
        self.rewrite_if_long(disk);
        Ok(self.image())
    }

    /// Leaves out what later changes have undone. Should it fail the long log is as good.
    fn rewrite_if_long(&mut self, disk: &Disk) {
        if self.end < REWRITE_FROM_BYTES as u64 {
            return;
        }
        let Ok(line) = encode(&self.image.changes()) else { return };
        if self.end < (REWRITE_FACTOR * (HEADER.len() + line.len())) as u64 {
            return;
        }
        let text = [HEADER.as_bytes(), &line].concat();
        let before = inode(&self.path);
        let rewritten = disk.write_atomic(&self.path, &text).and_then(|()| disk.open_file(&self.path, Mode::Write));
        match rewritten {
            Ok(file) => {
                self.file = file;
                self.end = text.len() as u64;
            }
            Err(error) => {
                // If the new file has taken the name, it is not sure to keep it: nothing may be added to either.
                self.fenced = inode(&self.path).is_none() || inode(&self.path) != before;
                tracing::error!(path = %self.path.display(), %error, restart = self.fenced, "the metadata log could not be rewritten");
            }
        }
    }
}

/// Which file has the name.
fn inode(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|metadata| metadata.ino())
}

/// `crc32c-of-the-json json\n`.
fn encode(changes: &[Change]) -> Result<Vec<u8>, String> {
    let json = serde_json::to_string(changes).map_err(|error| error.to_string())?;
    Ok(format!("{:08x} {json}\n", crc32c(json.as_bytes())).into_bytes())
}

fn decode(line: &[u8]) -> Result<Vec<Change>, String> {
    let (crc, json) = line.split_at_checked(CRC_DIGITS + 1).ok_or("the line is too short")?;
    let claimed = std::str::from_utf8(crc).ok().and_then(|crc| crc.strip_suffix(' '));
    let claimed =
        claimed.and_then(|crc| u32::from_str_radix(crc, 16).ok()).ok_or("the line does not begin with a CRC")?;
    let found = crc32c(json);
    if found != claimed {
        return Err(format!("the CRC is {found:08x}, the line says {claimed:08x}"));
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

fn in_file(path: &Path) -> impl Fn(io::Error) -> MetaError {
    move |source| MetaError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringlog_io::{Fault, Faults, OperationKind, Unsynced};
    use ringlog_protocol::Uuid;

    use super::*;
    use crate::{ConfigScope, EntityType, QuotaKey, ScramCredential, ScramMechanism};

    fn wait<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, work)
    }

    fn id(number: u8) -> Uuid {
        Uuid([number; 16])
    }

    fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// For a user in every client-id that has none of its own.
    fn quotas(values: &[(QuotaKey, f64)]) -> Change {
        let entity = [(EntityType::User, Some("u".to_owned())), (EntityType::ClientId, None)];
        Change::Quotas { entity: entity.into(), quotas: values.iter().copied().collect() }
    }

    fn created(name: &str, number: u8) -> Change {
        Change::TopicCreated { name: name.into(), id: id(number), partitions: 3, configs: configs(&[]) }
    }

    /// One of each kind.
    fn story() -> Vec<Change> {
        vec![
            created("a", 1),
            created("b", 2),
            Change::PartitionsAdded { id: id(1), total: 5 },
            Change::Configs { scope: ConfigScope::Topic(id(2)), configs: configs(&[("retention.ms", "1")]) },
            Change::Configs { scope: ConfigScope::Broker, configs: configs(&[("log.retention.ms", "2")]) },
            Change::Configs { scope: ConfigScope::Brokers, configs: configs(&[("message.max.bytes", "3")]) },
            quotas(&[(QuotaKey::ProducerByteRate, 1e6), (QuotaKey::ControllerMutationRate, 0.1 + 0.2)]),
            Change::TopicDeleted { id: id(1) },
            created("a", 3),
            Change::TopicRemoved { id: id(1) },
            credential("alice", ScramMechanism::Sha256),
            credential("alice", ScramMechanism::Sha512),
            credential("bob", ScramMechanism::Sha256),
            Change::ScramCredentialRemoved { user: "alice".into(), mechanism: ScramMechanism::Sha256 },
            Change::ScramCredentialRemoved { user: "bob".into(), mechanism: ScramMechanism::Sha256 },
        ]
    }

    fn credential(user: &str, mechanism: ScramMechanism) -> Change {
        let credential = ScramCredential::derive(mechanism, b"salt", b"salted password", 4096);
        Change::ScramCredentialSet { user: user.into(), mechanism, credential }
    }

    fn images(changes: &[Change]) -> Vec<Image> {
        let mut images = vec![Image::default()];
        for change in changes {
            let mut next = images.last().unwrap().clone();
            next.apply(change).unwrap();
            images.push(next);
        }
        images
    }

    fn reopened(directory: &Path) -> Result<Image, MetaError> {
        wait(MetadataLog::open(&Disk::syscall(), directory)).map(|(log, _)| Image::clone(&log.image()))
    }

    #[test]
    fn what_was_changed_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let story = story();
        for (change, expected) in story.iter().zip(&images(&story)[1..]) {
            wait(async {
                let disk = Disk::syscall();
                let (mut log, report) = MetadataLog::open(&disk, dir.path()).await.unwrap();
                assert_eq!(report, OpenReport::default());
                assert_eq!(&*log.apply(&disk, std::slice::from_ref(change)).await.unwrap(), expected);
            });
            assert_eq!(&reopened(dir.path()).unwrap(), expected);
        }
    }

    #[test]
    fn the_file_has_the_bytes_that_format_md_draws() {
        let dir = tempfile::tempdir().unwrap();
        wait(async {
            let (mut log, _) = MetadataLog::open(&Disk::syscall(), dir.path()).await.unwrap();
            let change = Change::TopicCreated {
                name: "orders".into(),
                id: Uuid([0; 16]),
                partitions: 2,
                configs: configs(&[("retention.ms", "1000")]),
            };
            log.apply(&Disk::syscall(), &[change, quotas(&[(QuotaKey::ProducerByteRate, 1000.0)])]).await.unwrap();
        });
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let json = "[{\"topic_created\":{\"name\":\"orders\",\"id\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"partitions\":2,\
            \"configs\":{\"retention.ms\":\"1000\"}}},\
            {\"quotas\":{\"entity\":{\"user\":\"u\",\"client-id\":null},\"quotas\":{\"producer_byte_rate\":1000.0}}}]";
        assert_eq!(text, format!("ringlog-metadata 1\n{:08x} {json}\n", crc32c(json.as_bytes())));
    }

    #[test]
    fn every_prefix_of_the_file_gives_the_image_of_its_whole_lines() {
        let (dir, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let story = story();
        wait(async {
            let (mut log, _) = MetadataLog::open(&Disk::syscall(), dir.path()).await.unwrap();
            for change in &story {
                log.apply(&Disk::syscall(), std::slice::from_ref(change)).await.unwrap();
            }
        });
        let text = std::fs::read(dir.path().join(FILE)).unwrap();
        let images = images(&story);
        for length in HEADER.len()..=text.len() {
            std::fs::write(cut.path().join(FILE), &text[..length]).unwrap();
            let lines = text[HEADER.len()..length].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(reopened(cut.path()).unwrap(), images[lines], "cut at {length}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused_or_was_never_acknowledged() {
        let (dir, bad) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let story = story();
        wait(async {
            let (mut log, _) = MetadataLog::open(&Disk::syscall(), dir.path()).await.unwrap();
            for change in &story {
                log.apply(&Disk::syscall(), std::slice::from_ref(change)).await.unwrap();
            }
        });
        let text = std::fs::read(dir.path().join(FILE)).unwrap();
        for position in 0..text.len() {
            for bit in [0, 5, 7] {
                let mut flipped = text.clone();
                flipped[position] ^= 1 << bit;
                std::fs::write(bad.path().join(FILE), &flipped).unwrap();
                match reopened(bad.path()) {
                    Err(error) => assert!(error.to_string().contains(FILE), "{error}"),
                    // Upper and lower case digits of a CRC say the same.
                    Ok(image) => assert_eq!(Some(&image), images(&story).last(), "bit {bit} of byte {position}"),
                }
            }
        }
    }

    #[test]
    fn a_crash_at_any_operation_leaves_the_image_before_or_after() {
        let story = story();
        let images = images(&story);
        for operation in 0.. {
            let (dir, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let faults = Faults::with_seed(dir.path(), operation).unwrap();
            faults.at(operation, Fault::PowerCut);
            let acknowledged = wait(async {
                let disk = Disk::faulty(faults.clone());
                let Ok((mut log, _)) = MetadataLog::open(&disk, dir.path()).await else { return 0 };
                for (number, change) in story.iter().enumerate() {
                    if log.apply(&disk, std::slice::from_ref(change)).await.is_err() {
                        return number;
                    }
                }
                story.len()
            });
            let survived = faults.operations() <= operation;
            faults.power_cut(after.path(), Unsynced::Lost).unwrap();
            let found = reopened(after.path()).unwrap();
            let next = &images[(acknowledged + 1).min(story.len())];
            assert!(
                found == images[acknowledged] || found == *next,
                "operation {operation}: {acknowledged} acknowledged"
            );
            if survived {
                return;
            }
        }
    }

    #[test]
    fn a_failed_sync_fences_the_log_and_a_full_disk_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::new(dir.path()).unwrap();
        wait(async {
            let disk = Disk::faulty(faults.clone());
            let (mut log, _) = MetadataLog::open(&disk, dir.path()).await.unwrap();
            faults.next(OperationKind::Write, Fault::Enospc);
            assert!(matches!(log.apply(&disk, &[created("a", 1)]).await, Err(MetaError::Io { .. })));
            log.apply(&disk, &[created("a", 1)]).await.unwrap();
            faults.next(OperationKind::Sync, Fault::Eio);
            assert!(matches!(log.apply(&disk, &[created("b", 2)]).await, Err(MetaError::Io { .. })));
            assert!(log.image().topic("b").is_none());
            assert!(matches!(log.apply(&disk, &[created("b", 2)]).await, Err(MetaError::Fenced { .. })));
        });
    }

    #[test]
    fn a_rewrite_that_finds_the_disk_full_leaves_the_log_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::new(dir.path()).unwrap();
        let image = wait(async {
            let disk = Disk::faulty(faults.clone());
            let (mut log, _) = MetadataLog::open(&disk, dir.path()).await.unwrap();
            let long = configs(&[("x", &"y".repeat(REWRITE_FROM_BYTES))]);
            log.apply(&disk, &[Change::Configs { scope: ConfigScope::Broker, configs: long }]).await.unwrap();
            // The change itself is written; then the rewrite is due, and fails.
            let operations = faults.operations();
            faults.at(operations + 2, Fault::Enospc);
            let short = Change::Configs { scope: ConfigScope::Broker, configs: configs(&[("x", "y")]) };
            log.apply(&disk, std::slice::from_ref(&short)).await.unwrap();
            Image::clone(&*log.apply(&disk, &[created("after", 1)]).await.unwrap())
        });
        assert_eq!(reopened(dir.path()).unwrap(), image);
    }

    #[test]
    fn a_log_of_much_that_was_undone_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let image = wait(async {
            let disk = Disk::syscall();
            let (mut log, _) = MetadataLog::open(&disk, dir.path()).await.unwrap();
            let (set, unset) = (quotas(&[(QuotaKey::ConsumerByteRate, 5.0)]), quotas(&[]));
            let alice = credential("alice", ScramMechanism::Sha512);
            log.apply(&disk, &[created("kept", 1), alice, created("gone", 2), Change::TopicDeleted { id: id(2) }])
                .await
                .unwrap();
            log.apply(&disk, &[set.clone(), unset, set]).await.unwrap();
            let long = configs(&[("x", &"y".repeat(REWRITE_FROM_BYTES / 2))]);
            for configs in [long.clone(), long, configs(&[("x", "y")])] {
                log.apply(&disk, &[Change::Configs { scope: ConfigScope::Broker, configs }]).await.unwrap();
            }
            assert!(std::fs::metadata(dir.path().join(FILE)).unwrap().len() < 1000);
            Image::clone(&*log.apply(&disk, &[created("gone", 3)]).await.unwrap())
        });
        assert_eq!((image.removing().len(), image.quotas().len()), (1, 1));
        assert_eq!((image.scram_credentials().len(), image.offset()), (1, 11));
        assert_eq!(reopened(dir.path()).unwrap(), image);
    }
}
