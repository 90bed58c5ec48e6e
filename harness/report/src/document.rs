//! A report as one value, from which the page and the Markdown are made: what one says the other says, too.

mod html;
mod markdown;

use std::path::{Path, PathBuf};

use crate::chart::Chart;
use crate::error::ReportError;
use crate::numbers::DASH;

pub(crate) use html::{escape, page};

/// A report.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// When, where and how long.
    pub(crate) about: String,
    /// What it comes to.
    pub(crate) verdict: Verdict,
    pub(crate) blocks: Vec<Block>,
}

/// What a report comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    /// In a sentence or two.
    pub(crate) summary: String,
    /// What it is about, and what is said of it.
    pub(crate) sayings: Vec<(String, Vec<String>)>,
    /// What keeps it from being believed as it stands.
    pub(crate) warnings: Vec<String>,
}

/// A part of a report.
#[derive(Debug, Clone)]
pub(crate) enum Block {
    Section(String),
    Part(String),
    Text(String),
    Table(Table),
    /// Beside each other where there is room.
    Figures(Vec<Figure>),
    /// What it is, and what to type.
    Command(String, String),
    /// Shown when it is asked for.
    Fold(String, Table),
}

/// A chart with its table.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Name of its file, without `.svg`.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) chart: Chart,
    /// How to read it; may be empty.
    pub(crate) caption: String,
    pub(crate) table: Table,
}

/// Rows of text. The first column is what a row is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Columns that hold words, which are read from the left. The first one always does.
    pub(crate) words: Vec<usize>,
    /// Rows that say nothing for certain.
    pub(crate) grey: Vec<usize>,
    /// A column of sentences: a page has each below its row, where there is room.
    pub(crate) remarks: Option<usize>,
}

impl Table {
    /// Without the columns in which no row has anything.
    pub(crate) fn new(head: &[&str], rows: Vec<Vec<String>>) -> Table {
        let empty = |value: &String| value.is_empty() || value == DASH;
        let kept: Vec<bool> = (0..head.len())
            .map(|column| rows.is_empty() || rows.iter().any(|row| row.get(column).is_some_and(|value| !empty(value))))
            .collect();
        let keep = |row: Vec<String>| {
            row.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(value, _)| value).collect::<Vec<_>>()
        };
        Table {
            head: keep(head.iter().map(|name| (*name).to_owned()).collect()),
            rows: rows.into_iter().map(keep).collect(),
            ..Table::default()
        }
    }

    /// These columns hold words.
    pub(crate) fn with_words(mut self, names: &[&str]) -> Table {
        self.words = (0..self.head.len()).filter(|&column| names.contains(&self.head[column].as_str())).collect();
        self
    }

    /// This column holds sentences; nothing where it was left out.
    pub(crate) fn with_remarks(mut self, name: &str) -> Table {
        self.remarks = self.head.iter().position(|head| head == name);
        self.words.extend(self.remarks);
        self
    }

    /// These rows say nothing for certain.
    pub(crate) fn with_grey(mut self, rows: Vec<usize>) -> Table {
        self.grey = rows;
        self
    }

    /// Names and values, without a head.
    pub(crate) fn card(rows: Vec<(&str, String)>) -> Table {
        let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
        Table { head: vec![String::new(), String::new()], rows, words: vec![1], ..Table::default() }
    }

    fn is_words(&self, column: usize) -> bool {
        column == 0 || self.words.contains(&column)
    }
}

/// A name for a file: letters and digits of the words, with dashes between them.
pub(crate) fn slug(words: &str) -> String {
    let words = words.to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// Writes `report.html`, `report.md` and the charts of the latter; gives the path of the page. Charts that an earlier `report.md`
/// shows are removed first.
pub(crate) fn write(document: &Document, directory: &Path) -> Result<PathBuf, ReportError> {
    let put = |name: &str, text: &str| {
        let path = directory.join(name);
        match std::fs::write(&path, text) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Write { path, source }),
        }
    };
    let create = |source| ReportError::Write { path: directory.to_owned(), source };
    std::fs::create_dir_all(directory).map_err(create)?;
    for chart in markdown::charts(&std::fs::read_to_string(directory.join("report.md")).unwrap_or_default()) {
        // It may be gone, which is what is wanted; one that stays does not keep the new ones away.
        let _ = std::fs::remove_file(directory.join(chart));
    }
    for block in &document.blocks {
        let Block::Figures(figures) = block else { continue };
        for figure in figures {
            put(&format!("{}.svg", figure.name), &figure.chart.file())?;
        }
    }
    put("report.md", &markdown::render(document))?;
    put("report.html", &html::render(document))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_without_a_figure_is_left_out() {
        let row = |a: &str, b: &str, c: &str| vec![a.to_owned(), b.to_owned(), c.to_owned()];
        let table = Table::new(&["who", "what", "how"], vec![row("a", DASH, "1"), row("b", "", DASH)]);
        assert_eq!(table.with_words(&["how"]).words, [1]);
        assert_eq!(Table::new(&["who", "what"], Vec::new()).head.len(), 2);
    }

    #[test]
    fn names_of_files_need_no_quoting() {
        assert_eq!(slug("Rank write: 4 KiB · sync none / extend"), "rank-write-4-kib-sync-none-extend");
    }
}
