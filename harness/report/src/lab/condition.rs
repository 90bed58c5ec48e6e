//! A condition: what was asked of a family but for size and rate. Its settings are the points of its curves.

use ringbench_stats::Interval;

use super::{LabCell, LabResults};
use crate::numbers;

/// What was asked, but for size and rate.
#[derive(Debug)]
pub(super) struct Condition<'a> {
    pub(super) family: &'a str,
    /// What is left of the setting's words, such as `sync none · extend`.
    pub(super) words: String,
    /// Small ones first; at one size low rates first.
    pub(super) settings: Vec<Setting<'a>>,
}

/// The cells that were ranked against each other.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) size_bytes: usize,
    /// Appends a second; `None`: as fast as it goes.
    pub(super) rate: Option<f64>,
    /// Best first; whoever has no rank comes last.
    pub(super) cells: Vec<&'a LabCell>,
}

impl<'a> Condition<'a> {
    /// Of a whole run, in the order of their first cells.
    pub(super) fn all(results: &'a LabResults) -> Vec<Condition<'a>> {
        let mut conditions: Vec<Condition<'a>> = Vec::new();
        for cell in &results.cells {
            let words = words(cell);
            let known = conditions.iter().position(|known| known.is(cell, &words));
            let index = known.unwrap_or(conditions.len());
            if known.is_none() {
                conditions.push(Condition { family: &cell.family, words, settings: Vec::new() });
            }
            if let Some(condition) = conditions.get_mut(index) {
                condition.add(cell);
            }
        }
        for condition in &mut conditions {
            condition.settings.sort_by(|a, b| {
                let rate = |setting: &Setting<'_>| setting.rate.unwrap_or(0.0);
                a.size_bytes.cmp(&b.size_bytes).then(rate(a).total_cmp(&rate(b)))
            });
            condition.settings.iter_mut().for_each(Setting::sort);
        }
        conditions
    }

    fn is(&self, cell: &LabCell, words: &str) -> bool {
        // A condition at given rates stands apart from the same one as fast as it goes.
        let open = self.settings.first().is_some_and(|setting| setting.rate.is_some());
        self.family == cell.family && self.words == words && open == cell.offered_per_s.is_some()
    }

    fn add(&mut self, cell: &'a LabCell) {
        let (size_bytes, rate) = (cell.size_bytes, cell.offered_per_s);
        let same = |setting: &&mut Setting<'a>| setting.size_bytes == size_bytes && setting.rate == rate;
        match self.settings.iter_mut().find(same) {
            Some(setting) => setting.cells.push(cell),
            None => self.settings.push(Setting { size_bytes, rate, cells: vec![cell] }),
        }
    }

    /// Whether rates were given (open loop).
    pub(super) fn is_open(&self) -> bool {
        self.settings.iter().any(|setting| setting.rate.is_some())
    }

    /// The durability that was asked for, where the family knows one.
    pub(super) fn sync(&self) -> Option<&'a str> {
        self.settings.first()?.cells.first()?.sync.as_deref()
    }

    /// `Writing · sync none · extend`.
    pub(super) fn title(&self) -> String {
        let family = family(self.family);
        if self.words.is_empty() { family } else { format!("{family} · {}", self.words) }
    }

    /// Everybody who was in any of its settings, in the order of the plan.
    pub(super) fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for cell in self.settings.iter().flat_map(|setting| &setting.cells) {
            if !names.contains(&cell.name.as_str()) {
                names.push(&cell.name);
            }
        }
        names
    }

    /// Those names by how close they come to the best over all settings, closest first (geometric mean of their shares; a setting
    /// that one has no figure in doesn't count).
    pub(super) fn names_by_merit(&self) -> Vec<&'a str> {
        let merit = |name: &str| {
            let shares: Vec<f64> = self
                .settings
                .iter()
                .filter_map(|setting| setting.share_of_best(setting.cell(name)?))
                .map(|share| share.max(1e-9).ln())
                .collect();
            if shares.is_empty() { f64::MIN } else { shares.iter().sum::<f64>() / shares.len() as f64 }
        };
        let mut names = self.names();
        names.sort_by(|a, b| merit(b).total_cmp(&merit(a)));
        names
    }
}

impl<'a> Setting<'a> {
    /// `4 KiB`, and the rate where one was given.
    pub(super) fn title(&self) -> String {
        let size = numbers::bytes(self.size_bytes);
        self.rate.map_or_else(|| size.clone(), |rate| format!("{size}, {}/s", numbers::digits(rate)))
    }

    pub(super) fn cell(&self, name: &str) -> Option<&'a LabCell> {
        self.cells.iter().copied().find(|cell| cell.name == name)
    }

    /// Those that nobody is certainly better than.
    pub(super) fn best(&self) -> Vec<&'a LabCell> {
        self.cells.iter().copied().filter(|cell| cell.rank == Some(1)).collect()
    }

    /// How good a cell is beside the best one: 1 is as good.
    pub(super) fn share_of_best(&self, cell: &LabCell) -> Option<f64> {
        let best = self.score(self.cells.first()?)?;
        let own = self.score(cell)?;
        Some(if self.rate.is_some() { best / own } else { own / best })
    }

    /// What a cell is ranked by: the median latency in microseconds where a rate was given, else its speed.
    pub(super) fn score(&self, cell: &LabCell) -> Option<f64> {
        let score = if self.rate.is_some() { cell.latency_us.p50 } else { Some(speed(cell)?.median) };
        score.filter(|score| *score > 0.0)
    }

    fn sort(&mut self) {
        let mut cells = std::mem::take(&mut self.cells);
        let worth = |cell: &LabCell| match self.score(cell) {
            None => f64::MAX,
            Some(score) if self.rate.is_some() => score,
            Some(score) => -score,
        };
        cells.sort_by(|a, b| {
            let rank = |cell: &LabCell| cell.rank.unwrap_or(usize::MAX);
            rank(a).cmp(&rank(b)).then(worth(a).total_cmp(&worth(b)))
        });
        self.cells = cells;
    }
}

/// Requests a second where requests were answered, else megabytes a second.
pub(super) fn speed(cell: &LabCell) -> Option<Interval> {
    cell.requests_per_s.or(cell.mb_per_s)
}

/// What a family's speed is counted in.
pub(super) fn unit(family: &str) -> &'static str {
    if family == "serve" { "requests/s" } else { "MB/s" }
}

/// What a family does.
pub(super) fn family(name: &str) -> String {
    match name {
        "write" => "Writing".to_owned(),
        "transfer" => "Moving to a socket".to_owned(),
        "serve" => "Serving requests".to_owned(),
        other => other.to_owned(),
    }
}

/// The setting's words without those that say size and rate: these are axes.
fn words(cell: &LabCell) -> String {
    let size = numbers::bytes(cell.size_bytes);
    let rate = cell.offered_per_s.map(|rate| format!("{rate:.0}/s"));
    let others = cell.setting.split(" · ").filter(|word| *word != size && Some(*word) != rate.as_deref());
    others.collect::<Vec<_>>().join(" · ")
}
