//! A report for those who read in a terminal or a pull request; its charts are files beside it.

use std::fmt::Write as _;

use super::{Block, Document, Table, Verdict, slug};

pub(super) fn render(document: &Document) -> String {
    let Verdict { summary, sayings, warnings } = &document.verdict;
    // Writing to a string can't fail.
    let mut out = format!("# {}\n\n**{}**\n", plain(&document.title), plain(summary));
    for warning in warnings {
        let _ = writeln!(out, "\n> **{}**", plain(warning));
    }
    for (about, sayings) in sayings {
        let _ = writeln!(out, "\n**{}**\n", plain(about));
        for saying in sayings {
            let _ = writeln!(out, "- {}", plain(saying));
        }
    }
    let _ = writeln!(out, "\n{}", plain(&document.about));
    for block in &document.blocks {
        out.push('\n');
        let _ = match block {
            Block::Section(title) => writeln!(out, "## {}", plain(title)),
            Block::Part(title) => writeln!(out, "### {}", plain(title)),
            Block::Text(text) => writeln!(out, "{}", plain(text)),
            Block::Command(what, command) => writeln!(out, "{}: `{command}`", plain(what)),
            Block::Table(table) => {
                self::table(&mut out, table);
                Ok(())
            }
            Block::Fold(title, table) => {
                let _ = writeln!(out, "{}\n", plain(title));
                self::table(&mut out, table);
                Ok(())
            }
            Block::Figures(figures) => {
                for figure in figures {
                    let title = plain(&figure.title);
                    let _ = writeln!(out, "#### {title}\n\n![{title}]({}.svg)\n", figure.name);
                    if !figure.caption.is_empty() {
                        let _ = writeln!(out, "{}\n", plain(&figure.caption));
                    }
                    self::table(&mut out, &figure.table);
                    out.push('\n');
                }
                Ok(())
            }
        };
    }
    out
}

/// The files of the charts that a report shows.
pub(super) fn charts(report: &str) -> impl Iterator<Item = String> {
    let targets = report.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let name = |target: &str| {
        target.strip_suffix(".svg").filter(|name| !name.is_empty() && slug(name) == *name).map(|_| target.to_owned())
    };
    targets.filter_map(name)
}

fn table(out: &mut String, table: &Table) {
    let line = |values: &mut dyn Iterator<Item = String>| format!("| {} |\n", values.collect::<Vec<_>>().join(" | "));
    out.push_str(&line(&mut table.head.iter().map(|name| plain(name))));
    let rule = |column: usize| if table.is_words(column) { "---" } else { "--:" };
    out.push_str(&line(&mut (0..table.head.len()).map(|column| rule(column).to_owned())));
    for row in &table.rows {
        out.push_str(&line(&mut row.iter().map(|value| plain(value))));
    }
}

/// What would be read as a mark is a letter again.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '*' | '_' | '`' | '<' | '[' | ']' | '\\' => out.extend(['\\', letter]),
            '\n' | '\r' => out.push(' '),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_charts_of_ones_own_are_found_again() {
        let report = "![a](run-order.svg) [b](../other.svg) ![c](/etc/x.svg) [d](notes.txt) ![e](.svg)";
        assert_eq!(charts(report).collect::<Vec<_>>(), ["run-order.svg"]);
    }

    #[test]
    fn a_name_can_not_break_a_table() {
        let table = Table::new(&["who", "what"], vec![vec!["a|b".to_owned(), "x\ny".to_owned()]]);
        let mut out = String::new();
        super::table(&mut out, &table);
        assert_eq!(out, "| who | what |\n| --- | --: |\n| a\\|b | x y |\n");
    }
}
