//! The raw histograms of a repeat: a histogram log beside `results.json`, of which every percentile can be made anew.

use std::path::Path;

use ringbench_stats::HdrLog;
use sha2::{Digest, Sha256};

use super::{LatencyUs, LogFile, Repeat, RunCell};
use crate::document::slug;
use crate::error::ReportError;

/// Below the directory of `results.json`.
const FOLDER: &str = "hdr";

/// Names of the series of such a log: from when a record was due to its acknowledgement, from when it was sent, from when it was
/// due until a consumer had it, and until it was sent.
pub const SERIES: [&str; 4] = ["latency", "service", "end_to_end", "generator_lag"];

impl Repeat {
    /// Writes the histograms of this repeat of a cell beside `results.json`, and quotes from them. On return they are in the page cache:
    /// a sync would disturb what is measured next. A file of that name is one that no `results.json` names, left by a crash, and is
    /// replaced.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn keep(&mut self, log: &HdrLog, cell: &RunCell, directory: &Path) -> Result<(), ReportError> {
        let file = format!("{FOLDER}/{}-{}-{}.hlog", slug(&cell.target), slug(&cell.key), self.order);
        let path = directory.join(&file);
        let failed = |source| ReportError::Write { path: path.clone(), source };
        let bytes = log.encode(self.started_unix_ms).map_err(|why| failed(std::io::Error::other(why)))?;
        std::fs::create_dir_all(directory.join(FOLDER)).map_err(failed)?;
        std::fs::write(&path, &bytes).map_err(failed)?;
        self.histograms = Some(LogFile { file, sha256: sha256(&bytes) });
        let quoted = SERIES.map(|series| LatencyUs::of(&log.merged(series)));
        [self.latency_us, self.service_us, self.end_to_end_us, self.generator_lag_us] = quoted;
        Ok(())
    }

    /// Those of [`SERIES`], as they are quoted.
    #[must_use]
    pub fn quoted(&self) -> [LatencyUs; 4] {
        [self.latency_us, self.service_us, self.end_to_end_us, self.generator_lag_us]
    }
}

impl LogFile {
    /// Reads it.
    ///
    /// # Errors
    /// [`ReportError::Named`], [`ReportError::Hash`] where it is not what was written, [`ReportError::Log`].
    pub fn read(&self, directory: &Path) -> Result<HdrLog, ReportError> {
        let path = directory.join(&self.file);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(ReportError::Named { path, source }),
        };
        let found = sha256(&bytes);
        if found != self.sha256 {
            return Err(ReportError::Hash { path, found, expected: self.sha256.clone() });
        }
        HdrLog::decode(&bytes).map_err(|reason| ReportError::Log { path, reason })
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
