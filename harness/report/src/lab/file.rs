//! `lab.json`: written once, read to render again.

use std::path::{Path, PathBuf};

use super::{LAB_SCHEMA, LabResults};
use crate::error::{ReportError, ResultFile};

/// Of its directory.
const NAME: &str = "lab.json";

impl LabResults {
    /// Reads `lab.json` of a directory.
    ///
    /// # Errors
    /// [`ReportError::Read`] without one, [`ReportError::Foreign`] for a file of something else, [`ReportError::Field`] for one
    /// that lacks a field.
    pub fn read(directory: &Path) -> Result<LabResults, ReportError> {
        crate::file::read(&directory.join(NAME), LAB_SCHEMA, ResultFile::Lab)
    }

    /// Writes `lab.json` into a directory; gives its path.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn write(&self, directory: &Path) -> Result<PathBuf, ReportError> {
        let path = directory.join(NAME);
        let written = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        match written.and_then(|json| std::fs::write(&path, json)) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Write { path, source }),
        }
    }
}
