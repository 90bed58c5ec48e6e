//! What a terminal shows while the lab runs: how far it is, and who leads in the setting that ran last.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ringbench_lab::{CellOutcome, Event, rank};

/// So many leaders are named.
const NAMED: usize = 5;

/// Two lines of a terminal; nothing where there is none.
pub(super) struct Live {
    bar: ProgressBar,
}

impl Live {
    pub(super) fn new() -> Live {
        if !std::io::stderr().is_terminal() {
            return Live { bar: ProgressBar::hidden() };
        }
        // Only what is cut at the terminal's width can be repainted without a trace.
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} ETA {eta} {prefix}\n{wide_msg}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Live { bar }
    }

    pub(super) fn show(&mut self, event: &Event<'_>) {
        let Event::Ran { done, of, outcome, peers } = event;
        self.bar.set_length(*of as u64);
        self.bar.set_position(*done as u64);
        if self.bar.is_hidden() {
            return;
        }
        let last = outcome.samples.iter().rev().flatten().next();
        let score = last.map_or_else(|| "failed".to_owned(), |sample| format!("{:.0} MB/s", sample.mb_per_s()));
        self.bar.set_prefix(format!("{} {score}", outcome.cell.contestant.name()));
        self.bar.set_message(format!("{}: {}", outcome.cell.setting, leaders(peers)));
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// `pwritev = pwrite 98 % > mmap 61 %`: = where they are not distinguishable, and how close each comes to the best.
fn leaders(peers: &[CellOutcome]) -> String {
    let mut line = String::new();
    for ranking in rank(peers) {
        let best = ranking.ranked.first().map_or(f64::NAN, |best| best.score.median);
        for (place, ranked) in ranking.ranked.iter().take(NAMED).enumerate() {
            let name = peers.get(ranked.cell).map_or("", |outcome| outcome.cell.contestant.name());
            if place == 0 {
                line.push_str(name);
                continue;
            }
            let sign = if ranked.rank == place + 1 { '>' } else { '=' };
            // Where a rate was given less is better.
            let share = (ranked.score.median / best).min(best / ranked.score.median) * 100.0;
            line.push_str(&format!(" {sign} {name} {share:.0} %"));
        }
    }
    line
}
