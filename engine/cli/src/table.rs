//! Tables: aligned for people, JSON for programs, from the same rows.

use std::fmt;
use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::failure::Failure;

/// Rows under named columns.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

/// A value in a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Number(i64),
    Real(f64),
    Numbers(Vec<i32>),
    Flag(bool),
    /// Shown as `-`, and as `null`.
    Missing,
}

impl Table {
    /// A table without rows. Columns are in capitals; in JSON they become keys, as `LOG-END` becomes `log_end`.
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn push<const N: usize>(&mut self, row: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "a cell for each column");
        self.rows.push(row.into());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it to the standard output.
    pub(crate) fn print(&self, json: bool) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if json { print_json(&mut out, self) } else { Ok(write!(out, "{self}")?) }
    }
}

/// Writes any value as indented JSON, and ends the line.
pub(crate) fn print_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(|error| Failure::from(io::Error::from(error)))?;
    Ok(writeln!(out)?)
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = self.columns.iter().map(|&name| Cell::Text(name.to_owned())).collect();
        let lines: Vec<Vec<(String, bool)>> = std::iter::once(&header)
            .chain(&self.rows)
            .map(|row| {
                row.iter().map(|cell| (cell.to_string(), matches!(cell, Cell::Number(_) | Cell::Real(_)))).collect()
            })
            .collect();
        let column = |at: usize| lines.iter().filter_map(move |line| line.get(at));
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| column(at).map(|(text, _)| text.chars().count()).max().unwrap_or(0))
            .collect();
        // A heading stands over its numbers, at the right.
        let right: Vec<bool> = (0..self.columns.len()).map(|at| column(at).any(|&(_, number)| number)).collect();
        for line in &lines {
            let mut shown = String::new();
            for ((text, _), (&width, &right)) in line.iter().zip(widths.iter().zip(&right)) {
                shown += &if right { format!("{text:>width$}  ") } else { format!("{text:<width$}  ") };
            }
            writeln!(out, "{}", shown.trim_end())?;
        }
        Ok(())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Number(number) => write!(out, "{number}"),
            Self::Real(number) => write!(out, "{number}"),
            Self::Numbers(numbers) => {
                let shown: Vec<_> = numbers.iter().map(i32::to_string).collect();
                out.write_str(&shown.join(","))
            }
            Self::Flag(flag) => out.write_str(if *flag { "yes" } else { "no" }),
            Self::Missing => out.write_str("-"),
        }
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| Row { columns: self.columns, cells: row }))
    }
}

struct Row<'a> {
    columns: &'a [&'a str],
    cells: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(&column.to_lowercase().replace('-', "_"), cell)?;
        }
        map.end()
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Real(number) => serializer.serialize_f64(*number),
            Self::Numbers(numbers) => serializer.collect_seq(numbers),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Missing => serializer.serialize_none(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["TOPIC", "LOG-END", "IN-SYNC"]);
        table.push(["orders".into(), 12_345i64.into(), Cell::Numbers(vec![1, 2])]);
        table.push(["x".into(), 7i64.into(), Cell::Missing]);
        table
    }

    #[test]
    fn text_is_left_aligned_and_numbers_are_right_aligned() {
        let lines = ["TOPIC   LOG-END  IN-SYNC", "orders    12345  1,2", "x             7  -", ""];
        assert_eq!(table().to_string(), lines.join("\n"));
    }

    #[test]
    fn json_has_the_same_rows_under_the_same_names() {
        let json = serde_json::to_string(&table()).unwrap();
        let rows =
            [r#"{"topic":"orders","log_end":12345,"in_sync":[1,2]}"#, r#"{"topic":"x","log_end":7,"in_sync":null}"#];
        assert_eq!(json, format!("[{}]", rows.join(",")));
    }
}
