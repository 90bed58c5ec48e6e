//! What can go wrong with a report's files.

use std::path::PathBuf;
use std::{fmt, io};

/// What can go wrong with a report's files.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file can't be read.
    #[error("{path}: {source}: name a directory that ringbench has written results to", path = .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("{path}: {source}", path = .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else than its name says.
    #[error("{path}: it is not what `{document}` writes: field `schema` {found}; name the directory that --out named", path = .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What the field is.
        found: String,
        /// What it should hold.
        document: ResultFile,
    },
    /// A file is no JSON.
    #[error("{path}: it is no JSON: {reason}: it was cut short or changed since it was written; copy it again, or measure again with `{document}`", path = .path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Where it breaks off.
        reason: String,
        /// What it should hold.
        document: ResultFile,
    },
    /// A field is missing or has another type.
    #[error("{path}: field `{field}`: {reason}; another version of ringbench wrote it, or somebody changed it: use that version, or measure again with `{document}`", path = .path.display())]
    Field {
        /// Of which file.
        path: PathBuf,
        /// Where, such as `cells[3].mb_per_s`.
        field: String,
        /// What is wrong with it.
        reason: String,
        /// What it should hold.
        document: ResultFile,
    },
    /// A file that `results.json` names can't be read.
    #[error("{path}: {source}, and results.json names it: copy it from where it was measured, or measure again", path = .path.display())]
    Named {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file was changed since it was written.
    #[error("{path}: its SHA-256 is {found}, and results.json says {expected}: it was changed since it was measured; measure again", path = .path.display())]
    Hash {
        /// Which.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// What it was.
        expected: String,
    },
    /// Two runs have no cell of the same key.
    #[error("{first} and {second} have no cell in common: compare runs of the same workload with the same settings", first = .first.display(), second = .second.display())]
    NothingInCommon {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Two runs have cells of the same key, and none that ran in both.
    #[error("none of the {cells} cells that {first} and {second} have in common ran in both: finish the sweep, or measure again, and compare then", first = .first.display(), second = .second.display())]
    NothingRan {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// How many they have in common.
        cells: usize,
    },
    /// Two runs promised different things.
    #[error("{cell} is not the same in {first} and {second}: {durability}; compare runs of the same durability and acks", first = .first.display(), second = .second.display())]
    Tiers {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// In which cell.
        cell: String,
        /// What they promised.
        durability: String,
    },
    /// A histogram log can't be read.
    #[error("{path}: {reason}", path = .path.display())]
    Log {
        /// Which.
        path: PathBuf,
        /// Where it is broken.
        reason: String,
    },
}

/// What a file holds: shown as the command that writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFile {
    /// `results.json`.
    Run,
    /// `lab.json`.
    Lab,
}

impl fmt::Display for ResultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ResultFile::Run => "ringbench run",
            ResultFile::Lab => "ringbench lab run",
        })
    }
}
