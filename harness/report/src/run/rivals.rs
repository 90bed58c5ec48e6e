//! How targets stand against each other, in sentences.

use ringbench_stats::Interval;

use super::contest::Contest;
use super::shown::{Cell, Shown, Tier};
use crate::numbers::{digits, time, with_bounds};

/// The first tier in which targets meet, in one sentence.
pub(super) fn leader(shown: &Shown<'_>) -> Option<String> {
    let tiers = shown.tiers();
    let sentence = |(tier, cells): &(Tier, Vec<&Cell<'_>>)| {
        let sentence = of_tier(shown, cells)?;
        Some(if tiers.len() > 1 { format!("{}: {sentence}", tier.title()) } else { sentence })
    };
    tiers.iter().find_map(sentence)
}

/// Each tier for itself.
pub(super) fn against(shown: &Shown<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let tiers = shown.tiers();
    for (tier, cells) in &tiers {
        let contests = Contest::all(cells);
        let targets = shown.targets();
        let meets = |target: &&str| contests.iter().any(|contest| contest.cell(target).is_some());
        let targets: Vec<&str> = targets.into_iter().filter(meets).collect();
        let Some((base, others)) = targets.split_first() else { continue };
        if others.len() > contests.len() {
            // The summary has the only tier's.
            said.extend(
                of_tier(shown, cells).filter(|_| tiers.len() > 1).map(|said| format!("{}: {said}", tier.title())),
            );
            continue;
        }
        for other in others {
            let Some(standing) = Standing::of(&contests, base, other) else { continue };
            let Standing { is_latency, more, less, same, lowest, highest, .. } = &standing;
            if standing.settings() == 1 && tiers.len() == 1 && others.len() == 1 {
                continue;
            }
            let (low, high) = (with_bounds(lowest), with_bounds(highest));
            said.push(match is_latency {
                false => format!(
                    "{}: {base} does more than {other} in {more} settings, less in {less}, not distinguishable in {same}; from {low} × to {high} ×",
                    tier.title()
                ),
                true => format!(
                    "{}: the 99th percentile of {base} is higher than that of {other} in {more} settings, lower in {less}, not distinguishable in {same}; from {low} × to {high} ×",
                    tier.title()
                ),
            });
        }
    }
    said
}

fn of_tier(shown: &Shown<'_>, cells: &[&Cell<'_>]) -> Option<String> {
    let contests = Contest::all(cells);
    let meets = |target: &&str| contests.iter().any(|contest| contest.cell(target).is_some());
    match shown.targets().into_iter().filter(meets).collect::<Vec<_>>()[..] {
        [a, b] => two(&Standing::of(&contests, a, b)?, a, b),
        [base, _, _, ..] => many(&contests, base),
        _ => None,
    }
}

fn two(standing: &Standing, a: &str, b: &str) -> Option<String> {
    let Standing { is_latency, more, less, same, middle, .. } = standing;
    Some(match (standing.settings(), is_latency) {
        (1, _) => {
            let (times, sure) = (with_bounds(middle), if *same == 1 { ": not distinguishable" } else { "" });
            match is_latency {
                false => format!("{a} does {times} × the records of {b}{sure}."),
                true => format!("The 99th percentile of {a} is {times} × that of {b}{sure}."),
            }
        }
        (all, false) => format!(
            "{a} does {} × the records of {b} (median of {all} settings): more in {more}, less in {less}, not distinguishable in {same}.",
            digits(middle.median)
        ),
        (all, true) => format!(
            "The 99th percentile of {a} is {} × that of {b} (median of {all} settings): higher in {more}, lower in {less}, not distinguishable in {same}.",
            digits(middle.median)
        ),
    })
}

/// Three targets and more: who is best, and where the one stands that was named first.
fn many(contests: &[Contest<'_, '_>], base: &str) -> Option<String> {
    let is_latency = contests.iter().all(|contest| contest.is_latency);
    let decided: Vec<&Contest<'_, '_>> =
        contests.iter().filter(|contest| contest.is_latency == is_latency && contest.cells[0].of.valid).collect();
    let [contest] = decided[..] else {
        let mut best: Vec<(&str, usize)> = vec![(base, 0)];
        for cell in decided.iter().flat_map(|contest| contest.cells.iter().filter(|cell| contest.is_among_best(cell))) {
            match best.iter_mut().find(|best| best.0 == cell.target) {
                Some(best) => best.1 += 1,
                None => best.push((&cell.target, 1)),
            }
        }
        best.sort_by_key(|best| std::cmp::Reverse(best.1));
        let best: Vec<String> = best.iter().map(|(target, count)| format!("{target} in {count}")).collect();
        let figure = if is_latency { "the 99th percentile" } else { "records a second" };
        return (!decided.is_empty()).then(|| {
            format!(
                "Best of {} settings, by {figure}, or not distinguishable from the best: {}.",
                decided.len(),
                best.join(", ")
            )
        });
    };
    let (best, of) = (contest.cells[0], contest.cells.len());
    let mut said = match is_latency {
        true => format!(
            "{} has the lowest 99th percentile of {of} targets at {}: {}",
            best.target,
            contest.name,
            time(best.of.latency_us.p99)
        ),
        false => {
            let rate = digits(best.of.achieved_per_s.unwrap_or(0.0));
            format!("{} does the most records of {of} targets: {rate} a second", best.target)
        }
    };
    let alike = contest.cells[1..].iter().filter(|cell| contest.is_among_best(cell));
    let alike: Vec<&str> = alike.map(|cell| &*cell.target).collect();
    if !alike.is_empty() {
        said += &format!("; not distinguishable from it: {}", alike.join(", "));
    }
    let place = contest.cells.iter().position(|cell| cell.target == base);
    let behind = place.and_then(|place| Some((place + 1, contest.of_best(contest.cells[place])?)));
    if let Some((place, times)) = behind.filter(|(_, times)| times.excludes(1.0)) {
        said += &format!("; {base} comes {place}{} with {} × that", ordinal(place), with_bounds(&times));
    } else if let Some((next, times)) =
        contest.cells.iter().find_map(|cell| Some((cell, contest.of_best(cell).filter(|times| times.excludes(1.0))?)))
    {
        said += &format!("; {}, the first that is certainly behind, has {} × that", next.target, with_bounds(&times));
    }
    Some(said + ".")
}

fn ordinal(place: usize) -> &'static str {
    match place {
        2 => "nd",
        3 => "rd",
        _ => "th",
    }
}

/// How a target stands against another one, over everything that both were asked for.
struct Standing {
    /// What decided: where nobody went as fast as it goes, the 99th percentile.
    is_latency: bool,
    more: usize,
    less: usize,
    same: usize,
    middle: Interval,
    lowest: Interval,
    highest: Interval,
}

impl Standing {
    fn of(contests: &[Contest<'_, '_>], a: &str, b: &str) -> Option<Standing> {
        let is_latency = contests.iter().all(|contest| contest.is_latency);
        let times = |contest: &Contest<'_, '_>| {
            let (a, b) = (contest.cell(a)?, contest.cell(b)?);
            a.times(b).filter(|_| a.of.valid && b.of.valid)
        };
        let mut ratios: Vec<Interval> =
            contests.iter().filter(|contest| contest.is_latency == is_latency).filter_map(times).collect();
        ratios.sort_by(|a, b| a.median.total_cmp(&b.median));
        let sure =
            |more: bool| ratios.iter().filter(|times| times.excludes(1.0) && (times.median > 1.0) == more).count();
        let (more, less) = (sure(true), sure(false));
        Some(Standing {
            is_latency,
            more,
            less,
            same: ratios.len() - more - less,
            middle: *ratios.get(ratios.len() / 2)?,
            lowest: *ratios.first()?,
            highest: *ratios.last()?,
        })
    }

    fn settings(&self) -> usize {
        self.more + self.less + self.same
    }
}
