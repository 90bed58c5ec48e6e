//! Files that are written whole or not at all, and JSON that says by its field `schema` what it is.

use std::io::Write as _;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{ReportError, ResultFile};

/// Reads one; what is wrong is named with its place.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, expected: &str, document: ResultFile) -> Result<T, ReportError> {
    let json = std::fs::read(path).map_err(|source| ReportError::Read { path: path.to_owned(), source })?;
    let field = |field: String, reason: String| ReportError::Field { path: path.to_owned(), field, reason, document };
    let broken = |error: serde_json::Error| {
        let reason = error.to_string();
        ReportError::Json { path: path.to_owned(), reason, document }
    };
    let value: serde_json::Value = serde_json::from_slice(&json).map_err(broken)?;
    let foreign = |found: String| ReportError::Foreign { path: path.to_owned(), found, document };
    match value.get("schema") {
        Some(schema) if schema == expected => {}
        Some(schema) => return Err(foreign(format!("is {schema}, and this ringbench reads \"{expected}\""))),
        None => return Err(foreign("is missing".to_owned())),
    }
    serde_path_to_error::deserialize(value).map_err(|error| field(error.path().to_string(), error.inner().to_string()))
}

/// Writes one and syncs it: who reads it meanwhile, or after a crash, finds this one or the one before.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&part, path)
}
