//! `compare` as a gate: how often it is wrong about runs in which nothing changed, what it finds, and what it says of half a run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sample;

use std::path::Path;

use ringbench_report::results::{Kind, Repeat, Run};
use ringbench_report::{Comparison, Outcome, compare};
use sample::Random;

/// How the repeats of a cell scatter.
#[derive(Debug, Clone, Copy)]
enum Scatter {
    /// 4 %, as records a second.
    Normal,
    /// 5 %, as their logarithm.
    LogNormal,
    /// Student's t with two degrees, whose variance has no bound.
    HeavyTails,
    /// 3 %, and one repeat of ten up to three times slower.
    Outliers,
}

/// What the host does to the rounds of a run.
#[derive(Debug, Clone, Copy)]
enum Host {
    Still,
    /// A fifth slower from the first to the last.
    Slope,
    /// 2 % faster or slower in each round, with all cells.
    Wobble,
}

const SCATTERS: [Scatter; 4] = [Scatter::Normal, Scatter::LogNormal, Scatter::HeavyTails, Scatter::Outliers];
const HOSTS: [Host; 3] = [Host::Still, Host::Slope, Host::Wobble];

fn normal(random: &mut Random) -> f64 {
    (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (std::f64::consts::TAU * random.unit()).cos()
}

impl Scatter {
    fn factor(self, random: &mut Random) -> f64 {
        match self {
            Scatter::Normal => 1.0 + 0.04 * normal(random),
            Scatter::LogNormal => (0.05 * normal(random)).exp(),
            Scatter::HeavyTails => {
                let chi = -(1.0 - random.unit()).ln();
                (0.03 * normal(random) / chi.sqrt()).exp()
            }
            Scatter::Outliers => {
                let slow = if random.unit() < 0.1 { 1.0 + 2.0 * random.unit() } else { 1.0 };
                (0.03 * normal(random)).exp() / slow
            }
        }
    }
}

/// A run of so many cells and rounds, each as many times as fast as the usual; every other cell has a rate, and a 99th percentile
/// that is as many times lower.
fn run(random: &mut Random, scatter: Scatter, host: Host, (cells, rounds): (usize, usize), times: f64) -> Run {
    let mut run = sample::run(Kind::Sweep, "sweep-core");
    (run.repeats, run.cells) = (rounds, Vec::new());
    run.targets.truncate(1);
    run.max_rates.clear();
    let wobble: Vec<f64> = (0..rounds).map(|_| (0.02 * normal(random)).exp()).collect();
    for place in 0..cells {
        let rate = (place % 5 == 4).then_some(1_000.0);
        let mut cell = sample::cell("ringlog", &[("linger.ms", &place.to_string())], rate);
        for (round, wobble) in wobble.iter().enumerate() {
            let level = match host {
                Host::Still => 1.0,
                Host::Slope => 1.0 - 0.2 * (round * cells + place) as f64 / (rounds * cells) as f64,
                Host::Wobble => *wobble,
            };
            let speed = times * level * scatter.factor(random);
            let mut repeat = Repeat { order: round * cells + place, seconds: 10.0, ..Repeat::default() };
            repeat.acked_records = if rate.is_some() { 10_000 } else { (1e7 * (1.0 + place as f64) * speed) as u64 };
            repeat.latency_us.p99 = Some(3_000.0 / speed);
            cell.repeats.push(repeat);
        }
        cell.derive(None, Path::new("")).unwrap();
        run.cells.push(cell);
    }
    run
}

fn compared(a: &Run, b: &Run) -> Comparison {
    compare((a, Path::new("first")), (b, Path::new("second"))).unwrap()
}

fn random(own: u64) -> Random {
    let seed = std::env::var("RINGLOG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(own);
    println!("RINGLOG_SEED={seed}");
    Random(seed)
}

/// Of so many comparisons, the share in which the second run, so many times as fast, is called worse or better in anything.
fn called(random: &mut Random, scatter: Scatter, host: Host, size: (usize, usize), times: f64) -> [f64; 3] {
    const COMPARISONS: usize = 200;
    let mut found = [0; 3];
    for _ in 0..COMPARISONS {
        let (a, b) = (run(random, scatter, host, size, 1.0), run(random, scatter, host, size, times));
        let compared = compared(&a, &b);
        let in_a_cell = compared.count(Outcome::Better) + compared.count(Outcome::Worse) > 0;
        let overall = compared.overall.iter().any(|mean| mean.outcome != Outcome::NotDistinguishable);
        found[0] += usize::from(in_a_cell || overall);
        found[1] += usize::from(in_a_cell);
        found[2] += usize::from(compared.is_worse());
    }
    found.map(|count| count as f64 / COMPARISONS as f64)
}

#[test]
fn runs_in_which_nothing_changed_are_called_different_in_fewer_than_five_of_a_hundred_comparisons() {
    let mut random = random(3);
    for size in [(25, 5), (10, 3), (1, 5)] {
        let mut of_all = 0.0;
        for (scatter, host) in SCATTERS.iter().flat_map(|scatter| HOSTS.map(|host| (*scatter, host))) {
            let [any, in_a_cell, _] = called(&mut random, scatter, host, size, 1.0);
            println!("{scatter:?} {host:?} {size:?}: {any}, in a cell {in_a_cell}");
            // Of 200 comparisons: 5 %, and what chance adds to a share of 4 % at most.
            assert!(any <= 0.07, "{scatter:?} {host:?} {size:?}: {any}");
            of_all += any / (SCATTERS.len() * HOSTS.len()) as f64;
        }
        println!("{size:?}: {of_all}");
        assert!(of_all <= 0.04, "{size:?}: {of_all}");
    }
}

#[test]
fn a_loss_of_five_percent_in_every_cell_is_found_though_no_cell_shows_it() {
    let mut random = random(5);
    for (scatter, host, at_least) in [
        (Scatter::Normal, Host::Still, 0.9),
        (Scatter::LogNormal, Host::Still, 0.8),
        (Scatter::Normal, Host::Slope, 0.85),
        (Scatter::HeavyTails, Host::Still, 0.8),
        (Scatter::Normal, Host::Wobble, 0.2),
        (Scatter::Outliers, Host::Still, 0.7),
    ] {
        let [_, in_a_cell, worse] = called(&mut random, scatter, host, (25, 5), 0.95);
        println!("{scatter:?} {host:?}: {worse}, in a cell {in_a_cell}");
        assert!(worse >= at_least, "{scatter:?} {host:?}: {worse}");
    }
}

#[test]
fn of_an_interrupted_run_what_both_have_is_compared_and_what_is_missing_is_named() {
    let mut random = random(7);
    let whole = run(&mut random, Scatter::Normal, Host::Still, (10, 5), 1.0);
    let mut cut = run(&mut random, Scatter::Normal, Host::Still, (10, 5), 1.0);
    cut.interrupted = true;
    for (place, cell) in cut.cells.iter_mut().enumerate() {
        cell.repeats.truncate(if place < 4 { 4 } else { 3 });
        if place == 3 {
            cell.repeats[3].failure = Some("interrupted".to_owned());
        }
        if place >= 8 {
            cell.repeats.clear();
        }
        cell.derive(None, Path::new("")).unwrap();
    }
    assert!(!cut.cells[3].valid && !cut.cells[9].valid);
    let comparison = compared(&whole, &cut);
    let said = comparison.to_string();
    assert!(
        comparison.is_unfinished()
            && !comparison.is_worse()
            && comparison.count(Outcome::Broken) + comparison.count(Outcome::NoBase) == 0,
        "{said}"
    );
    assert_eq!((comparison.figures.len(), comparison.missing.not_run, comparison.missing.shorter), (8, (0, 2), (0, 8)));
    for part in [
        "the second run ended before its end: what both have is compared",
        "did not run, of which nothing is said: 0 in the first run, 2 in the second",
        "fewer repeats than the other run has, compared by those that both have: 0 in the first run, 8 in the second",
        "all 7 cells together",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let backwards = compared(&cut, &whole);
    assert!(!backwards.is_unfinished() && !backwards.is_worse() && backwards.missing.not_run == (2, 0), "{backwards}");
    cut.interrupted = false;
    let mut alike = whole.clone();
    for cell in &mut alike.cells[8..] {
        cell.repeats.clear();
        cell.derive(None, Path::new("")).unwrap();
    }
    assert!(!compared(&alike, &cut).is_unfinished(), "what neither run was given lacks in neither");
    for repeat in &mut cut.cells[0].repeats {
        repeat.acked_records /= 2;
    }
    assert!(compared(&whole, &cut).is_worse(), "a loss in what both have is a loss");
    for cell in &mut cut.cells {
        cell.repeats.clear();
        cell.derive(None, Path::new("")).unwrap();
    }
    let error = compare((&whole, Path::new("first")), (&cut, Path::new("second"))).unwrap_err().to_string();
    assert!(error.starts_with("none of the 10 cells that first and second have in common ran in both"), "{error}");
}

#[test]
fn a_difference_within_the_noise_floor_does_not_count_however_narrow_its_interval_is() {
    let mut random = random(9);
    let a = run(&mut random, Scatter::LogNormal, Host::Still, (25, 5), 1.0);
    let mut b = a.clone();
    // The same repeats 2 % faster: its interval has no width.
    for cell in &mut b.cells {
        for repeat in &mut cell.repeats {
            repeat.acked_records = (repeat.acked_records as f64 * 1.02) as u64;
        }
        cell.derive(None, Path::new("")).unwrap();
    }
    let comparison = compared(&a, &b);
    let floor = comparison.noise_floor.achieved_per_s.unwrap();
    assert!(floor.times > 1.03 && floor.pairs == 40, "{floor:?}");
    assert_eq!(comparison.count(Outcome::Better), 0, "{comparison}");
    assert!(comparison.to_string().contains(" (40 A/A pairs), p99 "), "{comparison}");
    let without = ringbench_stats::ratio(&[1.02; 5], &[1.0; 5]).unwrap();
    assert!(without.excludes(1.0) && !without.beyond(Some(&floor)).excludes(1.0));
}

#[test]
fn where_the_floor_is_not_known_nothing_counts_and_it_is_said() {
    let mut random = random(11);
    let (a, b) = [1.0, 0.2].map(|times| run(&mut random, Scatter::Normal, Host::Still, (4, 1), times)).into();
    let comparison = compared(&a, &b);
    assert!(!comparison.is_worse() && comparison.has_too_few_repeats(), "{comparison}");
    assert!(comparison.to_string().contains("records/s not known, so that nothing counts"), "{comparison}");
}
