//! A data directory: its partitions, its checkpoints, and how its last user ended.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use ringlog_io::{Disk, HostEpoch};

use crate::{Log, LogError, OffsetCheckpoint, Recovery, TopicPartition, error::IoContext};

/// Written as the last act of a clean shutdown, removed as the first of the next start. Kafka's name and content.
const CLEAN_MARK: &str = ".kafka_cleanshutdown";
const CLEAN_MARK_CONTENT: &[u8] = b"{\"version\":0,\"brokerEpoch\":-1}";
/// Which boot and mount the last user ran under.
const HOST_EPOCH_FILE: &str = ".ringlog_host_epoch";
/// Kafka's suffix of a partition's directory that is being deleted.
const DELETED_SUFFIX: &str = "-delete";

/// How the last user of a data directory ended: what recovery may trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Everything was synced and written out.
    Clean,
    /// The process ended, the page cache lived on: every completed write is there.
    ProcessDied,
    /// The host may have gone down: only what was synced is sure to be there.
    HostDied,
}

/// A data directory in use by this process; the caller holds its lock.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
    shutdown: Shutdown,
    recovery_points: BTreeMap<TopicPartition, i64>,
    log_starts: BTreeMap<TopicPartition, i64>,
    cleaned: BTreeMap<TopicPartition, i64>,
}

impl LogDir {
    /// Takes the directory into use: makes it if it is missing, reads its checkpoints, finds out how its last user ended, and
    /// removes the mark of a clean shutdown and what half-deleted partitions left. The mark's absence is durable on return.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`].
    pub fn open(disk: &Disk, path: impl AsRef<Path>) -> Result<Self, LogError> {
        let path = path.as_ref().to_owned();
        disk.create_dir_all(&path).context("create", &path)?;
        let (mark, epoch_file) = (path.join(CLEAN_MARK), path.join(HOST_EPOCH_FILE));
        let epoch = HostEpoch::of(&path).context("stat", &path)?;
        let stored = std::fs::read_to_string(&epoch_file).unwrap_or_default();
        let is_clean = mark.try_exists().context("stat", &mark)?;
        let shutdown = match HostEpoch::stored(&stored) == epoch {
            _ if is_clean => Shutdown::Clean,
            true => Shutdown::ProcessDied,
            false => Shutdown::HostDied,
        };
        let opened = Self {
            recovery_points: OffsetCheckpoint::RecoveryPoint.read(&path)?,
            log_starts: OffsetCheckpoint::LogStart.read(&path)?,
            cleaned: OffsetCheckpoint::Cleaner.read(&path)?,
            shutdown,
            path,
        };
        for name in opened.directories()?.iter().filter(|name| name.ends_with(DELETED_SUFFIX)) {
            let leftover = opened.path.join(name);
            disk.remove_dir_all(&leftover).context("remove", &leftover)?;
        }
        // In this order: until the mark is gone, the directory is as the clean shutdown left it.
        disk.write_atomic(&epoch_file, epoch.to_string().as_bytes()).context("write", &epoch_file)?;
        if is_clean {
            disk.remove_file(&mark).context("remove", &mark)?;
            disk.sync_dir(&opened.path).context("sync", &opened.path)?;
        }
        Ok(opened)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How its last user ended.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown
    }

    /// The partitions that have a directory here, in order.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn partitions(&self) -> Result<Vec<TopicPartition>, LogError> {
        let names = self.directories()?;
        let mut partitions: Vec<_> = names.iter().filter_map(|name| TopicPartition::from_dir_name(name)).collect();
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// The directory of a partition, whether it exists or not.
    #[must_use]
    pub fn partition_path(&self, name: &TopicPartition) -> PathBuf {
        self.path.join(name.to_string())
    }

    /// What recovery of this partition may trust. One without a directory is new, whatever the checkpoints say of an older
    /// one of that name.
    #[must_use]
    pub fn recovery_for(&self, name: &TopicPartition) -> Recovery {
        let is_there = self.partition_path(name).exists();
        let row = |offsets: &BTreeMap<TopicPartition, i64>| offsets.get(name).copied().filter(|_| is_there);
        Recovery {
            shutdown: self.shutdown,
            recovery_point: row(&self.recovery_points),
            log_start: row(&self.log_starts),
            cleaned_to: row(&self.cleaned),
        }
    }

    /// Writes the offset checkpoints of all partitions here. Durable on return; blocks for the syncs. Call it after
    /// DeleteRecords, every minute or so, and before [`Self::mark_clean`].
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`].
    pub fn write_checkpoints<'a>(
        &self,
        disk: &Disk,
        logs: impl Iterator<Item = &'a Arc<Log>> + Clone,
    ) -> Result<(), LogError> {
        let offsets = |of: fn(&Log) -> i64| logs.clone().map(|log| (log.name().clone(), of(log))).collect();
        OffsetCheckpoint::RecoveryPoint.write(disk, &self.path, &offsets(Log::recovery_point))?;
        OffsetCheckpoint::LogStart.write(disk, &self.path, &offsets(Log::log_start_offset))?;
        let mut cleaned: BTreeMap<_, _> = offsets(Log::cleaned_to);
        cleaned.retain(|_, cleaned_to| *cleaned_to > 0);
        OffsetCheckpoint::Cleaner.write(disk, &self.path, &cleaned)?;
        OffsetCheckpoint::Replication.write(disk, &self.path, &offsets(Log::high_watermark))
    }

    /// Marks the directory clean: every log in it has been [closed](Log::close) without an error.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`]: the next start recovers.
    pub fn mark_clean(&self, disk: &Disk) -> Result<(), LogError> {
        let mark = self.path.join(CLEAN_MARK);
        disk.write_atomic(&mark, CLEAN_MARK_CONTENT).context("write", &mark)
    }

    /// Deletes partitions: takes them out of the checkpoints, which would else speak of them to later ones of the same name,
    /// renames their directories so that no half of one is ever seen, then removes these. The logs must be
    /// [closed](Log::close) or dropped; readers that hold their files may go on. Durable on return; blocks for the syncs.
    ///
    /// # Errors
    /// [`LogError::Io`], [`LogError::DiskFull`]; directories that were renamed are removed at the next start.
    pub fn delete(&self, disk: &Disk, names: &[TopicPartition]) -> Result<(), LogError> {
        for kind in OffsetCheckpoint::ALL {
            let mut offsets = kind.read(&self.path)?;
            let before = offsets.len();
            offsets.retain(|name, _| !names.contains(name));
            if offsets.len() != before {
                kind.write(disk, &self.path, &offsets)?;
            }
        }
        let id = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        let doomed = |name: &TopicPartition| self.path.join(format!("{name}.{id:032x}{DELETED_SUFFIX}"));
        for name in names {
            let path = self.partition_path(name);
            disk.rename(&path, doomed(name)).context("rename", &path)?;
        }
        disk.sync_dir(&self.path).context("sync", &self.path)?;
        for path in names.iter().map(doomed) {
            disk.remove_dir_all(&path).context("remove", &path)?;
        }
        Ok(())
    }

    fn directories(&self) -> Result<Vec<String>, LogError> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).context("list", &self.path)? {
            let entry = entry.context("list", &self.path)?;
            if entry.file_type().context("stat", &entry.path())?.is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_users_end_is_told_from_the_mark_and_the_host_epoch() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::syscall();
        let open = || LogDir::open(&disk, dir.path()).unwrap();
        assert_eq!(open().shutdown(), Shutdown::HostDied, "a directory of unknown origin");
        let second = open();
        assert_eq!(second.shutdown(), Shutdown::ProcessDied);
        second.mark_clean(&disk).unwrap();
        assert_eq!(open().shutdown(), Shutdown::Clean);
        assert_eq!(open().shutdown(), Shutdown::ProcessDied, "the mark holds once");
        std::fs::write(dir.path().join(HOST_EPOCH_FILE), "another boot").unwrap();
        assert_eq!(open().shutdown(), Shutdown::HostDied);
    }

    #[test]
    fn half_deleted_partitions_are_removed_and_strangers_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["topic-1", "a-b-0", "topic-2.0000-delete", "lost+found"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let opened = LogDir::open(&Disk::syscall(), dir.path()).unwrap();
        assert_eq!(opened.partitions().unwrap(), [TopicPartition::new("a-b", 0), TopicPartition::new("topic", 1)]);
        assert!(!dir.path().join("topic-2.0000-delete").exists());
        assert!(dir.path().join("lost+found").exists());
    }

    #[test]
    fn a_partition_that_comes_after_a_deleted_one_of_its_name_inherits_nothing() {
        let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::syscall());
        let (doomed, other) = (TopicPartition::new("topic", 1), TopicPartition::new("topic", 2));
        let offsets = BTreeMap::from([(doomed.clone(), 99), (other.clone(), 5)]);
        OffsetCheckpoint::ALL.iter().for_each(|kind| kind.write(&disk, dir.path(), &offsets).unwrap());
        for name in [&doomed, &other] {
            std::fs::create_dir(dir.path().join(name.to_string())).unwrap();
        }
        let opened = LogDir::open(&disk, dir.path()).unwrap();
        assert_eq!(opened.recovery_for(&doomed).log_start, Some(99));
        opened.delete(&disk, std::slice::from_ref(&doomed)).unwrap();
        assert_eq!(opened.partitions().unwrap(), std::slice::from_ref(&other));
        assert_eq!(opened.recovery_for(&doomed).log_start, None, "in this process");
        std::fs::create_dir(dir.path().join(doomed.to_string())).unwrap();
        let opened = LogDir::open(&disk, dir.path()).unwrap();
        assert_eq!(opened.recovery_for(&doomed).log_start, None, "in the next");
        assert_eq!(opened.recovery_for(&other).cleaned_to, Some(5));
    }
}
