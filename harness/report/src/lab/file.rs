//! `lab.json`: written once, read to render again.

use std::path::{Path, PathBuf};

use super::{LAB_SCHEMA, LabResults};
use crate::error::ReportError;

/// Of its directory.
const NAME: &str = "lab.json";

impl LabResults {
    /// Reads `lab.json` of a directory.
    ///
    /// # Errors
    /// [`ReportError::Read`] without one, [`ReportError::Foreign`] for a file of something else, [`ReportError::Field`] for one
    /// that lacks a field.
    pub fn read(directory: &Path) -> Result<LabResults, ReportError> {
        let path = directory.join(NAME);
        let json = match std::fs::read(&path) {
            Ok(json) => json,
            Err(source) => return Err(ReportError::Read { path, source }),
        };
        let field = |field: String, reason: String| ReportError::Field { path: path.clone(), field, reason };
        let value: serde_json::Value =
            serde_json::from_slice(&json).map_err(|error| field(".".to_owned(), error.to_string()))?;
        match value.get("schema") {
            Some(schema) if schema == LAB_SCHEMA => {}
            Some(schema) => {
                let found = format!("is {schema}, and this ringbench reads \"{LAB_SCHEMA}\"");
                return Err(ReportError::Foreign { path, found });
            }
            None => return Err(ReportError::Foreign { path, found: "is missing".to_owned() }),
        }
        serde_path_to_error::deserialize(value)
            .map_err(|error| field(error.path().to_string(), error.inner().to_string()))
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
