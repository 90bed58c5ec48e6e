//! Producer ids: numbers that no other producer of the cluster has had.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ringlog_io::Disk;

use crate::MetaError;

/// Ids are set aside on disk in blocks, as Kafka does: a start skips what is left of one, a request costs no sync.
const BLOCK: i64 = 1000;
const FILE: &str = "producer-ids";

/// Gives out producer ids, each once, over restarts and crashes too.
#[derive(Debug)]
pub struct ProducerIds {
    path: PathBuf,
    block: Mutex<Block>,
}

#[derive(Debug)]
struct Block {
    next: i64,
    /// The first id that is not set aside yet; what the file says.
    end: i64,
}

impl ProducerIds {
    /// Goes on behind the last block that was set aside in `directory`.
    ///
    /// # Errors
    /// [`MetaError::Io`]; [`MetaError::Malformed`] when the file holds no number: starting again from 0 could give an id twice.
    pub fn open(directory: &Path) -> Result<Self, MetaError> {
        let path = directory.join(FILE);
        let end = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().ok().filter(|end| *end >= 0).ok_or_else(|| MetaError::Malformed {
                path: path.clone(),
                reason: "it holds no number from 0 on".to_owned(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(source) => return Err(MetaError::Io { path, source }),
        };
        Ok(Self { path, block: Mutex::new(Block { next: end, end }) })
    }

    /// An id that nobody has. Once in a block it is set aside on disk first, which blocks for the sync.
    ///
    /// # Errors
    /// [`MetaError::Io`]: no id is given.
    pub fn next(&self, disk: &Disk) -> Result<i64, MetaError> {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if block.next == block.end {
            let end = block.end + BLOCK;
            let written = disk.write_atomic(&self.path, format!("{end}\n").as_bytes());
            written.map_err(|source| MetaError::Io { path: self.path.clone(), source })?;
            block.end = end;
        }
        let id = block.next;
        block.next += 1;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_id_is_given_twice_whenever_the_process_ends() {
        let (dir, disk) = (tempfile::tempdir().unwrap(), Disk::syscall());
        let mut given = HashSet::new();
        for lifetime in [0, 1, 999, 1000, 1001, 5] {
            let ids = ProducerIds::open(dir.path()).unwrap();
            for _ in 0..lifetime {
                assert!(given.insert(ids.next(&disk).unwrap()));
            }
        }
    }

    #[test]
    fn a_damaged_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "12x").unwrap();
        assert!(ProducerIds::open(dir.path()).unwrap_err().to_string().contains(FILE));
    }
}
