//! Results to HTML, SVG, Markdown and JSON.
//!
//! [`Results`] is the one value that everything is made from; [`write`] puts `results.json`, `report.md` and `report.html` into a
//! directory. The HTML needs nothing but itself.
#![forbid(unsafe_code)]

mod chart;
mod html;
mod lab;
mod markdown;
mod results;
mod utc;

pub use lab::{LabCell, LabLatency, LabOverhead, LabResults, LabUnavailable};
pub use results::{BrokerCard, CellResult, CorpusCard, FloorPart, Ledger, Results};

use std::io;
use std::path::Path;

/// Writes the three files.
///
/// # Errors
/// Those of the file system.
pub fn write(results: &Results, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("results.json"), serde_json::to_vec(results)?)?;
    std::fs::write(directory.join("report.md"), markdown::render(results))?;
    std::fs::write(directory.join("report.html"), html::render(results))
}
