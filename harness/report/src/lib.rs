//! Results to HTML, SVG, Markdown and JSON.
//!
//! [`Results`] is what `ringbench quick` measured, [`LabResults`] what the I/O lab did. From either a `document` is made, and from
//! that `report.html`, which needs nothing but itself, and `report.md` with its charts in `*.svg` files beside it.
#![forbid(unsafe_code)]

mod chart;
mod compare;
mod document;
mod environment;
mod error;
mod file;
mod index;
mod lab;
mod numbers;
mod quick;
pub mod results;
mod run;
mod sweep;
mod utc;
mod verify;

pub use compare::{Compared, Comparison, Measure, Outcome, compare};
pub use environment::FloorPart;
pub use error::{ReportError, ResultFile};
pub use index::write_index;
pub use lab::{
    LAB_SCHEMA, LabCell, LabLatency, LabOverhead, LabResults, LabUnavailable, lab_ranking, write_lab_report,
};
pub use quick::{BrokerCard, CellResult, CorpusCard, Ledger, Results};
pub use run::{verdict, write_report};
pub use verify::{Verified, verify};

use std::path::Path;

/// Writes `results.json` and the report made of it into a directory.
///
/// # Errors
/// [`ReportError::Write`].
pub fn write(results: &Results, directory: &Path) -> Result<(), ReportError> {
    document::write(&sweep::document(results), directory)?;
    let path = directory.join("results.json");
    let json = serde_json::to_vec(results).map_err(std::io::Error::from);
    json.and_then(|json| std::fs::write(&path, json)).map_err(|source| ReportError::Write { path, source })
}
