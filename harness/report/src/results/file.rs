//! `results.json`: written whole or not at all, read with the place of what is wrong.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{NoiseFloor, Run, SCHEMA};
use crate::error::{ReportError, ResultFile};

/// Of its directory.
const NAME: &str = "results.json";

/// A run as it stands in its file: with what is derived from all of its cells, which nobody reads back but who doubts it.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    run: &'a Run,
    noise_floor: NoiseFloor,
}

impl Run {
    /// Reads `results.json` of a directory.
    ///
    /// # Errors
    /// [`ReportError::Read`] without one, [`ReportError::Json`] for one that was cut short, [`ReportError::Foreign`] for a file of
    /// something else, [`ReportError::Field`] for one that lacks a field, or names a target that is not in it.
    pub fn read(directory: &Path) -> Result<Run, ReportError> {
        let path = Run::path(directory);
        let run: Run = crate::file::read(&path, SCHEMA, ResultFile::Run)?;
        for (index, cell) in run.cells.iter().enumerate() {
            if run.target(cell).is_none() {
                let (field, reason) =
                    (format!("cells[{index}].target"), format!("no target is named `{}`", cell.target));
                return Err(ReportError::Field { path, field, reason, document: ResultFile::Run });
            }
        }
        Ok(run)
    }

    /// Writes `results.json` into a directory; gives its path. Who reads it meanwhile, or after a crash, finds this one or the one
    /// before.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn write(&self, directory: &Path) -> Result<PathBuf, ReportError> {
        let path = Run::path(directory);
        let written = std::fs::create_dir_all(directory)
            .and_then(|()| crate::file::write(&path, &serde_json::to_vec_pretty(&self.written())?));
        match written {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Write { path, source }),
        }
    }

    pub(crate) fn path(directory: &Path) -> PathBuf {
        directory.join(NAME)
    }

    fn written(&self) -> Written<'_> {
        Written { run: self, noise_floor: NoiseFloor::of(&[self]) }
    }
}

/// The noise floor that stands in a directory's file; `None` where nothing is said of it.
pub(crate) fn stated_noise_floor(directory: &Path) -> Option<NoiseFloor> {
    #[derive(Deserialize)]
    struct Stated {
        noise_floor: NoiseFloor,
    }
    let stated: Stated = serde_json::from_slice(&std::fs::read(Run::path(directory)).ok()?).ok()?;
    Some(stated.noise_floor)
}
