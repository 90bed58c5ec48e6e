//! A short ranking for a terminal.

use super::LabResults;
use super::condition::Condition;
use super::verdict::{listed, score};

/// The best of every setting, a line each, columns lined up.
#[must_use]
pub fn lab_ranking(results: &LabResults) -> String {
    let head = ["setting", "best", "", "not distinguishable from it"].map(str::to_owned);
    let mut rows = vec![head];
    for condition in Condition::all(results) {
        for setting in &condition.settings {
            let best = setting.best();
            let (name, figure, others) = match best.split_first() {
                Some((first, others)) => (first.name.clone(), score(setting, first), listed(others)),
                None => ("–".to_owned(), "nobody ran to the end".to_owned(), String::new()),
            };
            rows.push([format!("{} · {}", setting.title(), condition.words), name, figure, others]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |[setting, name, figure, others]: &[String; 4]| {
        let [a, b, c] = widths;
        format!("{setting:<a$}  {name:<b$}  {figure:<c$}  {others}").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
