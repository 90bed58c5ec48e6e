//! Results to HTML, SVG, Markdown and JSON.
//!
//! [`results::Run`] is what a command measured, [`LabResults`] what the I/O lab did. From either a `document` is made, and from that
//! `report.html`, which needs nothing but itself, and `report.md` with its charts in `*.svg` files beside it.
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
pub mod results;
mod run;
mod utc;
mod verify;

pub use compare::{Compared, Comparison, Measure, Missing, Outcome, compare};
pub use environment::FloorPart;
pub use error::{ReportError, ResultFile};
pub use index::write_index;
pub use lab::{
    LAB_SCHEMA, LabCell, LabLatency, LabOverhead, LabResults, LabUnavailable, lab_ranking, write_lab_report,
};
pub use numbers::{digits, grouped};
pub use run::{verdict, write_report};
pub use verify::{Verified, verify};
