//! What a comparison says on a terminal.

use std::fmt;

use super::{Compared, Comparison, Measure, Missing, Outcome};
use crate::numbers::{digits, time, with_bounds};
use crate::run::floor_percent;

/// A table, and a line that counts.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || self.figures.iter().chain(&self.overall);
        let width = all().map(|figure| figure.name.chars().count()).max().unwrap_or(0).max(4);
        writeln!(
            f,
            "{:<width$}  {:<14} {:>12} {:>12}  {:<22} so",
            "cell", "figure", "first", "second", "second ÷ first"
        )?;
        for Compared { name, measure, medians, times, outcome } in all() {
            let value = |value: f64| match measure {
                Measure::P99 => time(Some(value).filter(|value| value.is_finite())),
                _ => digits(value),
            };
            let times = times.map_or_else(|| "–".to_owned(), |times| with_bounds(&times));
            let (first, second) = (value(medians.0), value(medians.1));
            writeln!(f, "{name:<width$}  {:<14} {first:>12} {second:>12}  {times:<22} {outcome}", measure.to_string())?;
        }
        let [better, same, worse, broken] =
            [Outcome::Better, Outcome::NotDistinguishable, Outcome::Worse, Outcome::Broken].map(|one| self.count(one));
        write!(f, "{} figures: {better} better, {same} not distinguishable, {worse} worse", self.figures.len())?;
        if broken > 0 {
            write!(f, ", {broken} void or not achieved in the second run alone")?;
        }
        let no_base = self.count(Outcome::NoBase);
        if no_base > 0 {
            write!(f, ", {no_base} void in the first")?;
        }
        writeln!(f)?;
        for line in self.floors().into_iter().chain(self.missing.sentences()) {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl Comparison {
    /// What a difference had to exceed, beside its interval.
    fn floors(&self) -> Vec<String> {
        let mut measures: Vec<Measure> = self.figures.iter().map(|figure| figure.measure).collect();
        measures.retain(|measure| *measure != Measure::HighestRate);
        measures.sort_unstable();
        measures.dedup();
        let said = |measure: Measure| match measure.floor(&self.noise_floor) {
            Some(floor) => format!("{measure} {} ({} A/A pairs)", floor_percent(&floor), floor.pairs),
            None => format!("{measure} not known, so that nothing counts: fewer than two cells have two repeats"),
        };
        let floors: Vec<String> = measures.into_iter().map(said).collect();
        let line = || format!("noise floor, beyond which a difference counts: {}", floors.join(", "));
        (!floors.is_empty()).then(line).into_iter().collect()
    }
}

impl Missing {
    /// What nothing is said of, and why.
    fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        let Missing { interrupted, alone, not_run, shorter, searches } = *self;
        let ended = [(interrupted.0, "first"), (interrupted.1, "second")];
        said.extend(ended.iter().filter(|ended| ended.0).map(|(_, which)| {
            format!("the {which} run ended before its end: what both have is compared; finish the sweep, or measure it again")
        }));
        let mut say = |(first, second): (usize, usize), what: &str| {
            if first + second > 0 {
                said.push(format!("{what}: {first} in the first run, {second} in the second"));
            }
        };
        say(not_run, "cells of both plans that did not run, of which nothing is said");
        say(shorter, "cells with fewer repeats than the other run has, compared by those that both have");
        say(alone, "cells of one plan only, of which nothing is said");
        say(searches, "searches for a highest rate that only one run has, of which nothing is said");
        said
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Measure::RecordsPerS => "records/s",
            Measure::ReceivedMbPerS => "received MB/s",
            Measure::P99 => "p99",
            Measure::HighestRate => "highest rate/s",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Better => "better",
            Outcome::NotDistinguishable => "not distinguishable",
            Outcome::Worse => "WORSE",
            Outcome::Broken => "WORSE: void, or no rate was achieved",
            Outcome::NoBase => "void in the first run",
        })
    }
}
