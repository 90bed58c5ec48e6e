//! What a sweep's axes span, and the order in which it is run.

use std::collections::BTreeSet;

/// The order of rounds, each of which runs every cell once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Rounds in pairs: a random order, then the same backwards, so that a steady drift of the host weighs on all cells alike.
    Abba,
    /// Each round in a random order of its own.
    Random,
    /// As the cells are listed.
    Listed,
}

/// One run of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// Index of the cell.
    pub cell: usize,
    /// Its how-manieth run, from 0.
    pub repeat: u32,
}

/// All runs in their order. Equal seeds give equal orders, and more repeats only add to the end.
#[must_use]
pub fn schedule(cells: usize, repeats: u32, order: Order, seed: u64) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut round: Vec<usize> = (0..cells).collect();
    for repeat in 0..repeats {
        match order {
            Order::Listed => {}
            Order::Abba if repeat % 2 == 1 => round.reverse(),
            Order::Abba | Order::Random => {
                round.sort_unstable();
                shuffle(&mut round, seed.wrapping_add(u64::from(repeat)));
            }
        }
        turns.extend(round.iter().map(|&cell| Turn { cell, repeat }));
    }
    turns
}

/// Fisher and Yates, with a xorshift generator.
fn shuffle(cells: &mut [usize], seed: u64) {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for last in (1..cells.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        cells.swap(last, usize::try_from(state % (last as u64 + 1)).unwrap_or(0));
    }
}

/// Every combination of indices into axes of these sizes, the last axis first.
pub(super) fn every_combination(sizes: &[usize]) -> Vec<Vec<usize>> {
    sizes.iter().fold(vec![Vec::new()], |rows, &size| {
        let longer = |row: &Vec<usize>| (0..size).map(|value| [&**row, &[value]].concat()).collect::<Vec<_>>();
        rows.iter().flat_map(longer).collect()
    })
}

/// Few combinations in which every two values of different axes meet. With fewer than three axes those are all.
pub(super) fn pairwise(sizes: &[usize]) -> Vec<Vec<usize>> {
    // The greedy choice has ties; of some ways to break them the best is taken.
    let ways = (0..32).map(|way| greedy(sizes, way));
    ways.min_by_key(Vec::len).unwrap_or_default()
}

/// An axis and the index of one of its values.
type Value = (usize, usize);

fn greedy(sizes: &[usize], way: usize) -> Vec<Vec<usize>> {
    let values = |axis: usize| (0..sizes.get(axis).copied().unwrap_or(0)).map(move |value| (axis, value));
    let mut unmet: BTreeSet<(Value, Value)> = BTreeSet::new();
    for first in 0..sizes.len() {
        for second in first + 1..sizes.len() {
            unmet.extend(values(first).flat_map(|a| values(second).map(move |b| (a, b))));
        }
    }
    let mut rows = Vec::new();
    while let Some(&(a, b)) = unmet.iter().nth(way % unmet.len().max(1)) {
        let mut row = vec![a, b];
        for axis in (0..sizes.len()).filter(|axis| *axis != a.0 && *axis != b.0) {
            let new_pairs = |value: Value| row.iter().filter(|other| unmet.contains(&pair(value, **other))).count();
            let turned = values(axis).cycle().skip(rows.len() + way).take(values(axis).count());
            row.extend(turned.max_by_key(|value| new_pairs(*value)));
        }
        for (at, first) in row.iter().enumerate() {
            for second in row.iter().skip(at + 1) {
                unmet.remove(&pair(*first, *second));
            }
        }
        row.sort_unstable();
        rows.push(row.into_iter().map(|(_, value)| value).collect());
    }
    match sizes.len() {
        0 | 1 => every_combination(sizes),
        _ => rows,
    }
}

fn pair(a: Value, b: Value) -> (Value, Value) {
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_values_meet_in_few_combinations() {
        for (sizes, most) in [(&[5, 5, 5, 3][..], 30), (&[3, 3, 4, 3], 15), (&[4, 2], 8), (&[7], 7), (&[], 1)] {
            let rows = pairwise(sizes);
            assert!(rows.len() <= most, "{sizes:?}: {} rows", rows.len());
            for a in 0..sizes.len() {
                for b in a + 1..sizes.len() {
                    let met: BTreeSet<_> = rows.iter().map(|row| (row[a], row[b])).collect();
                    assert_eq!(met.len(), sizes[a] * sizes[b], "{sizes:?}: axes {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn every_combination_is_there_once() {
        assert_eq!(every_combination(&[2, 2]), [[0, 0], [0, 1], [1, 0], [1, 1]]);
        assert_eq!(every_combination(&[5, 5, 5, 3]).into_iter().collect::<BTreeSet<_>>().len(), 375);
        assert_eq!(every_combination(&[]), [Vec::<usize>::new()]);
    }

    #[test]
    fn each_second_round_is_the_one_before_it_backwards() {
        let turns = schedule(6, 4, Order::Abba, 7);
        let rounds: Vec<Vec<usize>> =
            turns.chunks(6).map(|round| round.iter().map(|turn| turn.cell).collect()).collect();
        for pair in rounds.chunks(2) {
            assert_eq!(pair[0], pair[1].iter().rev().copied().collect::<Vec<_>>());
        }
        assert_ne!(rounds[0], rounds[2]);
        assert_eq!(turns.iter().collect::<BTreeSet<_>>().len(), 24);
    }

    #[test]
    fn more_repeats_only_add_to_the_order_and_another_seed_gives_another() {
        for order in [Order::Abba, Order::Random, Order::Listed] {
            assert!(schedule(9, 7, order, 3).starts_with(&schedule(9, 5, order, 3)));
        }
        assert_ne!(schedule(9, 1, Order::Random, 3), schedule(9, 1, Order::Random, 4));
        assert_eq!(schedule(3, 1, Order::Listed, 3).iter().map(|turn| turn.cell).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
