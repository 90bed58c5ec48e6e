//! What stands in a request more than once, found in one look at each element: with a look at every pair, a request of some
//! megabytes would keep its shard for minutes.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// How often each key stands in the request.
pub(crate) fn times<K: Eq + Hash>(keys: impl IntoIterator<Item = K>) -> HashMap<K, usize> {
    let mut times = HashMap::new();
    keys.into_iter().for_each(|key| *times.entry(key).or_default() += 1);
    times
}

/// Each element once, by its key: an answer that is longer than its question must not be asked for thousands of times in one
/// request.
pub(crate) fn distinct<'a, T, K: Eq + Hash>(
    elements: &'a [T],
    key: impl Fn(&'a T) -> K,
) -> impl Iterator<Item = &'a T> {
    let mut seen = HashSet::new();
    elements.iter().filter(move |element| seen.insert(key(element)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_kind_is_kept_in_its_place() {
        assert_eq!(distinct(&["b", "a", "b", "c", "a"], |word| *word).collect::<Vec<_>>(), [&"b", &"a", &"c"]);
        assert_eq!(times(["a", "b", "a"]), HashMap::from([("a", 2), ("b", 1)]));
    }
}
