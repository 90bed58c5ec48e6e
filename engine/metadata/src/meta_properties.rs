//! `meta.properties`: which cluster and which broker a data directory belongs to. Kafka's file, version 1.

use std::io;
use std::path::{Path, PathBuf};

use ringlog_io::Disk;

const FILE: &str = "meta.properties";

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A line is missing or can't be read.
    #[error("{path}: {reason}; restore the file, or start with an empty directory", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A sync has failed: what the file holds is not known.
    #[error("{path} takes no changes since a sync of it failed; check the disk, then restart", path = path.display())]
    Fenced {
        /// The file.
        path: PathBuf,
    },
    /// The directory is another broker's.
    #[error("{path} belongs to node.id={found}, not {expected}: use that node.id or another directory", path = path.display())]
    OtherNode {
        /// The file.
        path: PathBuf,
        /// The node that the directory belongs to.
        found: i32,
        /// The node that wants it.
        expected: i32,
    },
}

/// The identity of a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    /// 22 characters of URL-safe base64, the same on every broker of a cluster.
    pub cluster_id: String,
    /// The broker.
    pub node_id: i32,
    /// This directory among the broker's (KIP-858).
    pub directory_id: String,
}

impl MetaProperties {
    /// The identity in `directory`; where there is none yet, one is made with fresh ids, durable on return.
    ///
    /// # Errors
    /// [`MetaError::OtherNode`] for another broker's directory; see there for the others.
    pub fn open(disk: &Disk, directory: &Path, node_id: i32, fresh_id: impl Fn() -> String) -> Result<Self, MetaError> {
        let path = directory.join(FILE);
        let failed = |source| MetaError::Io { path: path.clone(), source };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let found = parse(&text).map_err(|reason| MetaError::Malformed { path: path.clone(), reason })?;
                if found.node_id != node_id {
                    return Err(MetaError::OtherNode { path, found: found.node_id, expected: node_id });
                }
                Ok(found)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self { cluster_id: fresh_id(), node_id, directory_id: fresh_id() };
                disk.write_atomic(&path, made.to_text().as_bytes()).map_err(failed)?;
                Ok(made)
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn to_text(&self) -> String {
        let Self { cluster_id, node_id, directory_id } = self;
        format!("version=1\ncluster.id={cluster_id}\nnode.id={node_id}\ndirectory.id={directory_id}\n")
    }
}

fn parse(text: &str) -> Result<MetaProperties, String> {
    let value = |key: &str| {
        let lines = text.lines().filter_map(|line| line.trim().split_once('='));
        let found = lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned()).next_back();
        found.ok_or_else(|| format!("{key} is missing"))
    };
    let version = value("version")?;
    if version != "1" {
        return Err(format!("version={version}, where 1 is understood"));
    }
    let node_id = value("node.id")?;
    Ok(MetaProperties {
        cluster_id: value("cluster.id")?,
        node_id: node_id.parse().map_err(|_| format!("node.id={node_id} is not a number"))?,
        directory_id: value("directory.id").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path, node_id: i32) -> Result<MetaProperties, MetaError> {
        MetaProperties::open(&Disk::syscall(), directory, node_id, || "AAAAAAAAAAAAAAAAAAAAAQ".to_owned())
    }

    #[test]
    fn an_identity_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let made = open(dir.path(), 1).unwrap();
        assert_eq!(open(dir.path(), 1).unwrap(), made);
    }

    #[test]
    fn another_brokers_directory_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), 1).unwrap();
        let error = open(dir.path(), 2).unwrap_err().to_string();
        assert!(error.contains("node.id=1") && error.contains("not 2"), "{error}");
    }

    #[test]
    fn a_file_of_kafkas_own_is_read_with_its_comments() {
        let text = "#\n#Sat Nov 21 00:00:00 UTC 2026\ncluster.id=abc\ndirectory.id=d\nnode.id=7\nversion=1\n";
        assert_eq!(parse(text).unwrap().node_id, 7);
        assert_eq!(parse("version=0\nbroker.id=1\n").unwrap_err(), "version=0, where 1 is understood");
    }
}
