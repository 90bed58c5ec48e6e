//! What a run comes to, in sentences that hold.

use super::noise_floor;
use super::rivals::{against, leader};
use super::shown::{Cell, Shown, Tier};
use crate::document::Verdict;
use crate::numbers::{digits, grouped, time, time_mark, with_bounds};
use crate::results::{MaxRate, Run, RunCell};

/// So many void cells are named.
const NAMED: usize = 5;
/// Fewer repeats than measurement asks for.
const ENOUGH: usize = 5;

pub(super) fn verdict(shown: &Shown<'_>) -> Verdict {
    let sentences: Vec<String> =
        [highest(shown), none_keeps(shown), leader(shown), highest_measured(shown), fastest(shown)]
            .into_iter()
            .flatten()
            .take(1)
            .collect();
    let summary = sentences.into_iter().chain([books(shown)]).collect::<Vec<_>>().join(" ");
    let mut sayings = Vec::new();
    let mut say = |about: &str, said: Vec<String>| {
        if !said.is_empty() {
            sayings.push((about.to_owned(), said))
        }
    };
    say("Highest rate that keeps the objective", highest_of_all(shown));
    say("Highest rate measured that keeps the objective", all_measured(shown));
    say("Against each other", against(shown));
    say("As fast as it goes, whatever the latency", fastest_of_tiers(shown));
    say("To keep in mind", to_keep_in_mind(shown));
    Verdict { summary, sayings, warnings: warnings(shown) }
}

/// Searches, each with the tier of the cell that confirmed it; those that found nothing last.
fn searches<'a>(shown: &'a Shown<'_>) -> Vec<(Option<Tier>, &'a Run, &'a MaxRate)> {
    let found = |run: &'a Run, search: &'a MaxRate| (run.confirming(search).map(Tier::of), run, search);
    let of = |(run, _): &(&'a Run, _)| run.max_rates.iter().map(move |search| found(run, search)).collect::<Vec<_>>();
    let mut all: Vec<_> = shown.runs.iter().flat_map(of).collect();
    let rate = |search: &MaxRate| search.rate_per_s.unwrap_or(0.0);
    all.sort_by(|a, b| {
        let tiers = (a.2.rate_per_s.is_none(), a.0).cmp(&(b.2.rate_per_s.is_none(), b.0));
        tiers.then(rate(b.2).total_cmp(&rate(a.2)))
    });
    all
}

fn objective(run: &Run) -> String {
    let said = run.objective.map(|objective| format!("p{} < {}", objective.percentile, time_mark(objective.limit_us)));
    said.unwrap_or_else(|| "the objective".to_owned())
}

/// The highest rate of the first tier beside the next one with the same settings, or alone.
fn highest(shown: &Shown<'_>) -> Option<String> {
    let found = searches(shown);
    let (tier, run, first) = *found.first()?;
    let rate = grouped(first.rate_per_s?.round() as u64);
    let cell = run.confirming(first);
    let is_rival = |(of_tier, of, other): &&(Option<Tier>, &Run, &MaxRate)| {
        let alike = cell.zip(of.confirming(other)).is_some_and(|(cell, other)| cell.is_like(other));
        let asked = other.settings == first.settings && of.objective == run.objective;
        *of_tier == tier && other.target != first.target && asked && alike
    };
    let rivals: Vec<(&Run, &MaxRate)> = found.iter().filter(is_rival).map(|(_, of, other)| (*of, *other)).collect();
    let next = rivals.first().and_then(|(of, second)| Some((*of, *second, second.rate_per_s?)));
    let Some((of, second, slower)) = next else {
        return Some(format!("{} keeps {} up to {rate} records/s.", first.target, objective(run)));
    };
    let repeats = |cell: Option<&RunCell>| cell.map_or(0, |cell| cell.whole().count());
    let times = first.times(second, repeats(cell).min(repeats(of.confirming(second))));
    let next = if rivals.len() > 1 { format!(", the next of {} targets,", rivals.len() + 1) } else { String::new() };
    Some(format!(
        "{} carries {} × the records of {}{next} with {}: {rate} against {} a second{}.",
        first.target,
        times.map_or_else(|| digits(first.rate_per_s.unwrap_or(0.0) / slower), |times| with_bounds(&times)),
        second.target,
        objective(run),
        grouped(slower.round() as u64),
        if times.is_some_and(|times| times.excludes(1.0)) { "" } else { ": not distinguishable" }
    ))
}

/// Where it was searched for, and no target has one.
fn none_keeps(shown: &Shown<'_>) -> Option<String> {
    let (_, run, _) = *searches(shown).first().filter(|(.., search)| search.rate_per_s.is_none())?;
    Some(format!("No rate was found that keeps {}.", objective(run)))
}

fn highest_of_all(shown: &Shown<'_>) -> Vec<String> {
    let several = shown.tiers().len() > 1;
    let said = |(tier, run, search): (Option<Tier>, &Run, &MaxRate)| {
        let settings: Vec<String> =
            search.settings.iter().map(|(name, value)| super::shown::said(name, value)).collect();
        let who = std::iter::once(search.target.clone()).chain(settings).collect::<Vec<_>>().join(" · ");
        let tier = tier.filter(|_| several).map_or_else(String::new, |tier| format!("{}: ", tier.title()));
        match search.rate_per_s {
            Some(rate) => {
                let rate = grouped(rate.round() as u64);
                format!("{tier}{who}: {rate} records/s with {} ({})", objective(run), search.why)
            }
            None => format!("{tier}{who}: none: {}", search.why),
        }
    };
    searches(shown).into_iter().map(said).collect()
}

/// Of each tier and target, where an objective was set and nobody searched: the highest of the rates that were tried, highest first.
fn kept<'a, 'b>(shown: &'b Shown<'a>) -> Vec<(Tier, &'b Cell<'a>)> {
    if shown.runs.iter().any(|(run, _)| !run.max_rates.is_empty()) {
        return Vec::new();
    }
    let keeps = |cell: &&&Cell<'_>| cell.run.objective.is_some_and(|objective| objective.is_kept_by(cell.of));
    let rate = |cell: &Cell<'_>| cell.of.offered_per_s.unwrap_or(0.0);
    let mut found = Vec::new();
    for (tier, cells) in shown.tiers() {
        let highest = |target: &str| {
            let own = || cells.iter().filter(|cell| cell.target == target && cell.of.offered_per_s.is_some());
            // One rate is no highest.
            let several = own().any(|cell| own().any(|other| rate(other) > rate(cell)));
            own().filter(keeps).filter(|_| several).copied().max_by(|a, b| rate(a).total_cmp(&rate(b)))
        };
        let mut of_tier: Vec<&Cell<'_>> = shown.targets().into_iter().filter_map(highest).collect();
        of_tier.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
        found.extend(of_tier.into_iter().map(|cell| (tier, cell)));
    }
    found
}

/// The highest rate of the first tier that was measured and keeps the objective, and the next target's.
fn highest_measured(shown: &Shown<'_>) -> Option<String> {
    let found = kept(shown);
    let (tier, first) = *found.first()?;
    let objective = objective(first.run);
    let next = found.get(1).filter(|next| next.0 == tier);
    let next = next.map_or_else(String::new, |(_, next)| format!("; the next target's: {}", next.label()));
    Some(format!("Highest rate measured that keeps {objective}: {}{next}.", first.label()))
}

fn all_measured(shown: &Shown<'_>) -> Vec<String> {
    let several = shown.tiers().len() > 1;
    let said = |(tier, cell): (Tier, &Cell<'_>)| {
        let tier = if several { format!("{}: ", tier.title()) } else { String::new() };
        format!("{tier}{}, p99 {}", cell.label(), time(cell.of.latency_us.p99))
    };
    kept(shown).into_iter().map(said).collect()
}

fn best<'a, 'b>(cells: &[&'b Cell<'a>]) -> Option<&'b Cell<'a>> {
    let counts = cells.iter().copied().filter(|cell| cell.of.valid && cell.of.offered_per_s.is_none());
    counts.max_by(|a, b| a.of.mb_per_s.unwrap_or(0.0).total_cmp(&b.of.mb_per_s.unwrap_or(0.0)))
}

/// How many others as fast as they go can't be told from the best by their repeats.
fn like(best: &Cell<'_>, cells: &[&Cell<'_>]) -> usize {
    let others = cells.iter().filter(|cell| !std::ptr::eq(cell.of, best.of));
    let counts = others.filter(|cell| cell.of.valid && cell.of.offered_per_s.is_none());
    counts.filter(|cell| cell.times(best).is_some_and(|times| !times.excludes(1.0))).count()
}

/// The fastest that waits for an answer: acks=0 promises nothing. At a rate, the highest that was kept.
fn fastest(shown: &Shown<'_>) -> Option<String> {
    let tiers = shown.tiers();
    let (_, cells) = tiers.iter().find(|(_, cells)| cells.iter().any(|cell| cell.of.tier().2))?;
    if let Some(best) = best(cells) {
        let alike = match like(best, cells) {
            0 => String::new(),
            1 => ", not distinguishable from another cell".to_owned(),
            others => format!(", not distinguishable from {others} others"),
        };
        let (speed, label) = (speed(best.of), best.label());
        return Some(format!("Fastest: {speed} at {label}{alike}; no objective was set for its latency."));
    }
    let rate = |cell: &&Cell<'_>| cell.of.offered_per_s.unwrap_or(0.0);
    let kept_up = cells.iter().copied().filter(|cell| cell.of.valid && cell.of.kept_rate());
    let cell = kept_up.max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    Some(match cell.of.latency_us.p99 {
        Some(p99) => format!("At {} the 99th percentile is {}.", cell.label(), time(Some(p99))),
        None => format!("At {} there are too few records for a 99th percentile.", cell.label()),
    })
}

fn fastest_of_tiers(shown: &Shown<'_>) -> Vec<String> {
    let tiers = shown.tiers();
    let has_objective = shown.runs.iter().any(|(run, _)| run.objective.is_some());
    // Of one tier without an objective the summary says it, of several targets their ranking does.
    if shown.targets().len() > 1 || (tiers.len() == 1 && !has_objective) {
        return Vec::new();
    }
    let said = |(name, cells): &(Tier, Vec<&Cell<'_>>)| {
        best(cells).map(|best| format!("{}: {} at {}", name.title(), speed(best.of), best.label()))
    };
    tiers.iter().filter_map(said).collect()
}

fn speed(cell: &RunCell) -> String {
    let (megabytes, records) = (digits(cell.mb_per_s.unwrap_or(0.0)), digits(cell.achieved_per_s.unwrap_or(0.0)));
    format!("{megabytes} MB/s ({records} records/s, p99 {})", time(cell.latency_us.p99))
}

fn books(shown: &Shown<'_>) -> String {
    let void = shown.cells.iter().filter(|cell| !cell.of.valid).count();
    if void > 0 {
        return format!("{void} of {} cells are void.", shown.cells.len());
    }
    let (checked, others): (Vec<&Cell<'_>>, _) = shown.cells.iter().partition(|cell| cell.of.is_checked());
    let received: u64 = checked.iter().map(|cell| cell.of.ledger.received).sum();
    let unchecked =
        format!("What {} of {} cells wrote was not held against the books.", others.len(), shown.cells.len());
    let clean = format!("{} records were read back: none lost, duplicated, reordered or corrupt.", grouped(received));
    match (checked.is_empty(), others.is_empty()) {
        (true, true) => "Nothing was measured to its end.".to_owned(),
        (true, false) => unchecked,
        (false, true) => clean,
        (false, false) => format!("{clean} {unchecked}"),
    }
}

fn to_keep_in_mind(shown: &Shown<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let cells = shown.cells.len();
    let few = shown.runs.iter().map(|(run, _)| run.repeats).min().unwrap_or(0);
    match few {
        0..3 => said.push(format!(
            "{}: no difference can be told from chance.",
            if few == 1 { "Each cell ran once".to_owned() } else { format!("Each cell ran {few} times") }
        )),
        3..ENOUGH => said.push(format!("{few} repeats of each cell: only large differences can be told from chance.")),
        _ => {}
    }
    if few >= 3 {
        said.extend(noise_floor::to_keep_in_mind(shown));
    }
    let flagged =
        |word: &str| shown.cells.iter().filter(|cell| cell.of.flags.iter().any(|flag| flag.contains(word))).count();
    for (word, sentence) in [
        ("the client was", "a thread of the client was nearly all busy: the target can do more"),
        ("generator came late", "the generator came late"),
        ("of the rate was achieved", "the rate was not achieved"),
        ("piled up", "records piled up while it was measured"),
        ("were negative", "the clock gave negative latencies"),
        ("not past it", "retention deleted nothing while it was measured"),
        ("several regimes", "repeats ran in several regimes of write-back"),
    ] {
        let count = flagged(word);
        if count > 0 {
            said.push(format!("In {count} of {cells} cells {sentence}."));
        }
    }
    said
}

fn warnings(shown: &Shown<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for (run, directory) in shown.runs.iter().filter(|(run, _)| run.interrupted) {
        warnings.push(format!(
            "Partial: {} ended before its end: {} of {} cells have all their repeats, {} did not run.",
            directory.display(),
            run.whole_cells(),
            run.cells.len(),
            run.cells.iter().filter(|cell| !cell.ran()).count()
        ));
    }
    let void: Vec<&Cell<'_>> = shown.cells.iter().filter(|cell| !cell.of.valid).collect();
    for cell in void.iter().take(NAMED) {
        warnings.push(format!("{}: {}.", cell.label(), cell.of.why.as_deref().unwrap_or("no reason was given")));
    }
    if void.len() > NAMED {
        warnings.push(format!("And {} more that are void.", void.len() - NAMED));
    }
    warnings
}
