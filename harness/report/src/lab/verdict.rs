//! The verdict: who is best at what, by how much more than chance, in words.

use ringbench_stats::Interval;

use super::condition::{Condition, Setting, family, speed, unit};
use super::{LabCell, LabResults};
use crate::document::Verdict;
use crate::numbers::{digits, time, with_bounds};

/// Of more names than these only the number is said.
const NAMED: usize = 4;

/// What a run comes to.
pub(super) fn verdict(results: &LabResults, conditions: &[Condition<'_>]) -> Verdict {
    let sayings = first_of_each_level(conditions).into_iter().map(|condition| {
        let settings = condition.settings.iter();
        (about(condition), settings.map(|setting| format!("{}: {}.", setting.title(), saying(setting))).collect())
    });
    Verdict { summary: summary(conditions), sayings: sayings.collect(), warnings: warnings(results) }
}

/// The same in a sentence.
pub(crate) fn in_a_sentence(results: &LabResults) -> String {
    summary(&Condition::all(results))
}

/// The plan's first condition of each family and level; the others vary one thing about it.
fn first_of_each_level<'b, 'a>(conditions: &'b [Condition<'a>]) -> Vec<&'b Condition<'a>> {
    let mut first: Vec<&Condition<'_>> = Vec::new();
    for condition in conditions {
        let same = |known: &&&Condition<'_>| {
            let level = known.family == condition.family && known.sync() == condition.sync();
            // How many connections there are decides who is best: each number is a level of its own.
            level && (condition.family != "serve" || known.words == condition.words)
        };
        match first.iter().position(|known| same(&known)) {
            None => first.push(condition),
            // As fast as it goes says more than a rate, wherever both were run.
            Some(known) if first[known].is_open() && !condition.is_open() => first[known] = condition,
            Some(_) => {}
        }
    }
    first
}

fn summary(conditions: &[Condition<'_>]) -> String {
    let ranked = || conditions.iter().flat_map(|condition| &condition.settings).filter(|one| !one.best().is_empty());
    let compared = ranked().filter(|setting| contenders(setting) > 1).count();
    let alone = ranked().filter(|setting| contenders(setting) > 1 && setting.best().len() == 1).count();
    if ranked().count() == 0 {
        return "Nothing was measured to its end.".to_owned();
    }
    let mut families: Vec<String> = Vec::new();
    for condition in conditions.iter().map(|condition| family(condition.family).to_lowercase()) {
        if !families.contains(&condition) {
            families.push(condition);
        }
    }
    let found = match (alone, compared) {
        (_, 0) => "nobody to compare with".to_owned(),
        (0, _) => format!("in none of {compared} settings is one way best beyond chance"),
        _ if alone == compared => format!("in each of {compared} settings one way is best beyond chance"),
        _ => format!(
            "in {alone} of {compared} settings one way is best beyond chance; in the others the best are not distinguishable"
        ),
    };
    format!("{}: {found}.", capital(&families.join(", ")))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Who has a rank.
fn contenders(setting: &Setting<'_>) -> usize {
    setting.cells.iter().filter(|cell| cell.rank.is_some()).count()
}

/// `Writing, every append durable`.
fn about(condition: &Condition<'_>) -> String {
    let level = match condition.sync() {
        None => return condition.title(),
        Some("none") => "not synced".to_owned(),
        Some("every") => "each append durable before the next".to_owned(),
        Some("group") => "appends that wait made durable together".to_owned(),
        Some(interval) => format!("synced every {interval}"),
    };
    format!("{}, {level} ({})", family(condition.family), condition.words)
}

/// Who is best in a setting, with the interval, and how far ahead.
pub(super) fn saying(setting: &Setting<'_>) -> String {
    let best = setting.best();
    let Some(first) = best.first() else { return "nobody ran to the end".to_owned() };
    let score = score(setting, first);
    match (best.len(), contenders(setting)) {
        (1, 1) => format!("only {} ran, {score}", first.name),
        (1, _) => format!("{}, {score}{}", first.name, ahead_of_next(setting)),
        (shared, all) if shared == all => {
            format!("not distinguishable: {}; {score} for {}", listed(&best), first.name)
        }
        _ => format!("not distinguishable: {}; {score} for {}{}", listed(&best), first.name, ahead_of_next(setting)),
    }
}

/// `a, b and c`, or the first few and how many more.
pub(super) fn listed(cells: &[&LabCell]) -> String {
    let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] if names.len() <= NAMED => format!("{} and {last}", some.join(", ")),
        _ => {
            let (some, rest) = names.split_at(NAMED - 1);
            format!("{} and {} more", some.join(", "), rest.len())
        }
    }
}

/// What a cell is ranked by, with its bounds.
pub(super) fn score(setting: &Setting<'_>, cell: &LabCell) -> String {
    match (setting.rate, speed(cell)) {
        (Some(_), _) => format!("{} at the median", time(cell.latency_us.p50)),
        (None, Some(interval)) => format!("{} {}", with_bounds(&interval), unit(&cell.family)),
        (None, None) => "without a figure".to_owned(),
    }
}

/// `; 1.2 × pwrite (1.1–1.3)` where somebody is certainly behind.
fn ahead_of_next(setting: &Setting<'_>) -> String {
    let next = setting.cells.iter().find(|cell| cell.rank.is_some_and(|rank| rank > 1));
    next.and_then(|next| lead(setting, next)).map_or_else(String::new, |lead| format!("; {lead}"))
}

/// `1.2 × pwrite (1.1–1.3)`: how much better the best one is.
pub(super) fn lead(setting: &Setting<'_>, cell: &LabCell) -> Option<String> {
    let Interval { median, low, high, .. } = ahead(setting, cell)?;
    Some(format!("{} × {} ({}–{})", digits(median), cell.name, digits(low), digits(high)))
}

/// The best one's score as a multiple of this one's: above 1 the best one is better.
fn ahead(setting: &Setting<'_>, cell: &LabCell) -> Option<Interval> {
    let of_best = cell.of_best.filter(|of_best| of_best.low > 0.0)?;
    if setting.rate.is_some() {
        return Some(of_best);
    }
    Some(Interval { median: 1.0 / of_best.median, low: 1.0 / of_best.high, high: 1.0 / of_best.low, ..of_best })
}

fn warnings(results: &LabResults) -> Vec<String> {
    let mut warnings = Vec::new();
    let missing = results.cells.iter().filter(|cell| cell.runs < results.repeats).count();
    if results.interrupted {
        let (ran, of) = (results.order.len(), results.cells.len() * results.repeats);
        warnings.push(format!(
            "Interrupted after {ran} of {of} runs: {missing} of {} cells have fewer than {}.",
            results.cells.len(),
            results.repeats
        ));
    }
    let failed = results.cells.iter().filter(|cell| cell.failure.is_some()).count();
    if failed > 0 {
        warnings.push(format!("{failed} of {} cells failed: they are listed with the reason.", results.cells.len()));
    }
    if !results.unavailable.is_empty() {
        let names: Vec<&str> = results.unavailable.iter().map(|one| one.name.as_str()).collect();
        warnings.push(format!("Not available on this host: {}.", names.join(", ")));
    }
    if results.repeats < 3 {
        let runs = digits(results.repeats as f64);
        let runs = runs.trim_end_matches(".00");
        warnings
            .push(format!("{runs} run(s) of each cell can't tell a difference from chance: use --repeats 5 or more."));
    }
    warnings
}
