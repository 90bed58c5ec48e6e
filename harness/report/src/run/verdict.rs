//! What a run comes to, in sentences that hold.

use ringbench_stats::{Interval, ratio};

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
        [highest(shown), leader(shown), fastest(shown)].into_iter().flatten().take(1).collect();
    let summary = sentences.into_iter().chain([books(shown)]).collect::<Vec<_>>().join(" ");
    let mut sayings = Vec::new();
    let mut say = |about: &str, said: Vec<String>| {
        if !said.is_empty() {
            sayings.push((about.to_owned(), said))
        }
    };
    say("Highest rate that keeps the objective", highest_of_all(shown));
    say("Against each other", against(shown));
    say("Fastest of each kind", fastest_of_tiers(shown));
    say("To keep in mind", to_keep_in_mind(shown));
    Verdict { summary, sayings, warnings: warnings(shown) }
}

fn searches<'a>(shown: &'a Shown<'_>) -> Vec<(&'a Run, &'a MaxRate)> {
    shown.runs.iter().flat_map(|(run, _)| run.max_rates.iter().map(move |found| (*run, found))).collect()
}

fn objective(run: &Run) -> String {
    let said = run.objective.map(|objective| format!("p{} < {}", objective.percentile, time_mark(objective.limit_us)));
    said.unwrap_or_else(|| "the objective".to_owned())
}

/// The two highest rates against each other, or the one there is.
fn highest(shown: &Shown<'_>) -> Option<String> {
    let mut found: Vec<(&Run, &MaxRate, f64)> =
        searches(shown).into_iter().filter_map(|(run, search)| Some((run, search, search.rate_per_s?))).collect();
    found.sort_by(|a, b| b.2.total_cmp(&a.2));
    let (run, first, rate) = *found.first()?;
    let other = found.iter().find(|other| other.1.target != first.target && other.1.settings == first.settings);
    let rate = grouped(rate.round() as u64);
    let Some((_, second, slower)) = other else {
        return Some(format!("{} keeps {} up to {rate} records/s.", first.target, objective(run)));
    };
    let times = confirmed(shown, first).zip(confirmed(shown, second)).and_then(|(a, b)| ratio(&a, &b));
    let times = times.map_or_else(|| digits(first.rate_per_s.unwrap_or(0.0) / slower), |times| with_bounds(&times));
    Some(format!(
        "{} carries {times} × the records of {} with {}: {rate} against {} a second.",
        first.target,
        second.target,
        objective(run),
        grouped(slower.round() as u64)
    ))
}

/// What each repeat of the confirming cell achieved.
fn confirmed(shown: &Shown<'_>, search: &MaxRate) -> Option<Vec<f64>> {
    let key = search.confirmed_by.as_ref()?;
    let cell = shown.cells.iter().find(|cell| cell.of.key == *key && cell.of.target == search.target)?;
    Some(cell.by_repeat(|repeat| Some(repeat.achieved_per_s())))
}

fn highest_of_all(shown: &Shown<'_>) -> Vec<String> {
    let said = |(run, search): (&Run, &MaxRate)| {
        let settings: Vec<String> =
            search.settings.iter().map(|(name, value)| super::shown::said(name, value)).collect();
        let who = if settings.is_empty() {
            search.target.clone()
        } else {
            format!("{} · {}", search.target, settings.join(" · "))
        };
        match search.rate_per_s {
            Some(rate) => {
                format!("{who}: {} records/s with {} ({})", grouped(rate.round() as u64), objective(run), search.why)
            }
            None => format!("{who}: none: {}", search.why),
        }
    };
    searches(shown).into_iter().map(said).collect()
}

/// How a target stands against another one, over the settings that both ran.
struct Standing {
    more: usize,
    less: usize,
    same: usize,
    middle: f64,
    lowest: Option<Interval>,
    highest: Option<Interval>,
}

fn standing(cells: &[&Cell<'_>], a: &str, b: &str) -> Option<Standing> {
    let mut ratios: Vec<Interval> = Vec::new();
    let at_most_speed = |cell: &&&Cell<'_>| cell.of.offered_per_s.is_none() && cell.of.valid;
    for cell in cells.iter().filter(at_most_speed).filter(|cell| cell.target == a) {
        let same = |other: &&&Cell<'_>| other.target == b && other.of.key == cell.of.key;
        ratios.extend(cells.iter().filter(at_most_speed).find(same).and_then(|other| cell.times(other)));
    }
    ratios.sort_by(|a, b| a.median.total_cmp(&b.median));
    let sure = |more: bool| ratios.iter().filter(|times| times.excludes(1.0) && (times.median > 1.0) == more).count();
    let (more, less) = (sure(true), sure(false));
    Some(Standing {
        more,
        less,
        same: ratios.len() - more - less,
        middle: ratios.get(ratios.len() / 2)?.median,
        lowest: ratios.first().copied(),
        highest: ratios.last().copied(),
    })
}

/// The first two targets against each other in one sentence.
fn leader(shown: &Shown<'_>) -> Option<String> {
    let targets = shown.targets();
    let (a, b) = (*targets.first()?, *targets.get(1)?);
    let tiers = shown.tiers();
    let (_, cells) = tiers.first()?;
    let standing = standing(cells, a, b)?;
    let Standing { more, less, same, middle, lowest, .. } = standing;
    Some(match more + less + same {
        1 => format!(
            "{a} does {} × the records of {b}{}.",
            lowest.map_or_else(String::new, |all| with_bounds(&all)),
            if same == 1 { ": not distinguishable" } else { "" }
        ),
        all => format!(
            "{a} does {} × the records of {b} (median of {all} settings): more in {more}, less in {less}, not distinguishable in {same}.",
            digits(middle)
        ),
    })
}

fn against(shown: &Shown<'_>) -> Vec<String> {
    let targets = shown.targets();
    let Some((base, others)) = targets.split_first() else { return Vec::new() };
    let mut said = Vec::new();
    for (tier, cells) in shown.tiers() {
        for other in others {
            let Some(Standing { more, less, same, lowest, highest, .. }) = standing(&cells, base, other) else {
                continue;
            };
            if more + less + same == 1 {
                continue;
            }
            let bound = |interval: Option<Interval>| interval.map_or_else(String::new, |times| with_bounds(&times));
            said.push(format!(
                "{}: {base} does more than {other} in {more} settings, less in {less}, not distinguishable in {same}; from {} × to {} ×",
                tier.title(),
                bound(lowest),
                bound(highest)
            ));
        }
    }
    said
}

fn best<'a, 'b>(cells: &[&'b Cell<'a>]) -> Option<&'b Cell<'a>> {
    let counts = cells.iter().copied().filter(|cell| cell.of.valid && cell.of.offered_per_s.is_none());
    counts.max_by(|a, b| a.of.mb_per_s.unwrap_or(0.0).total_cmp(&b.of.mb_per_s.unwrap_or(0.0)))
}

/// The fastest that waits for an answer: acks=0 promises nothing.
fn fastest(shown: &Shown<'_>) -> Option<String> {
    let tiers = shown.tiers();
    let (_, cells) = tiers.iter().find(|(_, cells)| cells.iter().any(|cell| cell.of.tier().1))?;
    if let Some(best) = best(cells) {
        return Some(format!("Fastest: {} at {}.", speed(best.of), best.label()));
    }
    let kept = |cell: &&&Cell<'_>| cell.run.objective.is_some_and(|objective| objective.is_kept_by(cell.of));
    let rate = |cell: &&Cell<'_>| cell.of.offered_per_s.unwrap_or(0.0);
    let highest = cells.iter().filter(kept).copied().max_by(|a, b| rate(a).total_cmp(&rate(b)));
    if let Some(cell) = highest {
        return Some(format!("{} is the highest rate measured that keeps {}.", cell.label(), objective(cell.run)));
    }
    let kept_up = cells.iter().copied().filter(|cell| cell.of.valid && cell.of.kept_rate());
    let cell = kept_up.max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    Some(format!("At {} the 99th percentile is {}.", cell.label(), time(cell.of.latency_us.p99)))
}

fn fastest_of_tiers(shown: &Shown<'_>) -> Vec<String> {
    let tiers = shown.tiers();
    if tiers.len() < 2 {
        return Vec::new();
    }
    let said = |(name, cells): &(Tier, Vec<&Cell<'_>>)| {
        best(cells).map(|best| format!("{}: {} at {}", name.title(), speed(best.of), best.label()))
    };
    tiers.iter().filter_map(said).collect()
}

fn speed(cell: &RunCell) -> String {
    format!("{} MB/s ({} records/s)", digits(cell.mb_per_s.unwrap_or(0.0)), digits(cell.achieved_per_s.unwrap_or(0.0)))
}

fn books(shown: &Shown<'_>) -> String {
    let void = shown.cells.iter().filter(|cell| !cell.of.valid).count();
    if void > 0 {
        return format!("{void} of {} cells are void.", shown.cells.len());
    }
    let received: u64 = shown.cells.iter().map(|cell| cell.of.ledger.received).sum();
    match received {
        0 => "Nothing was measured to its end.".to_owned(),
        _ => format!("{} records were read back: none lost, duplicated, reordered or corrupt.", grouped(received)),
    }
}

fn to_keep_in_mind(shown: &Shown<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let cells = shown.cells.len();
    let few = shown.runs.iter().map(|(run, _)| run.repeats).min().unwrap_or(0);
    match few {
        0..3 => said.push(format!(
            "{}: no difference can be told from chance.",
            if few == 1 { "each cell ran once".to_owned() } else { format!("each cell ran {few} times") }
        )),
        3..ENOUGH => said.push(format!("{few} repeats of each cell: only large differences can be told from chance.")),
        _ => {}
    }
    let flagged =
        |word: &str| shown.cells.iter().filter(|cell| cell.of.flags.iter().any(|flag| flag.contains(word))).count();
    for (word, sentence) in [
        ("the client was", "a thread of the client was nearly all busy: the target can do more"),
        ("generator came late", "the generator came late"),
        ("of the rate was achieved", "the rate was not achieved"),
        ("piled up", "records piled up while it was measured"),
        ("were negative", "the clock gave negative latencies"),
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
        let whole = run.cells.iter().filter(|cell| cell.repeats.len() >= run.repeats).count();
        warnings.push(format!(
            "{} ended before its end: {whole} of {} cells have all their repeats.",
            directory.display(),
            run.cells.len()
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
