//! What is wrong with a setting, and what is allowed.

use crate::Scope;

/// Why a setting is refused. Each message names the key, the value and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No such setting.
    #[error("{scope} setting {name:?} is unknown{}", did_you_mean(.nearest))]
    Unknown {
        /// Whose settings were searched.
        scope: Scope,
        /// As given.
        name: String,
        /// The name that it looks like.
        nearest: Option<&'static str>,
    },
    /// A value outside of what is allowed.
    #[error("{name}={value}: {allowed}")]
    Value {
        /// The setting.
        name: String,
        /// As given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A setting that asks for something that is not served.
    #[error("{name}={value}: {remedy}")]
    NotServed {
        /// The setting.
        name: &'static str,
        /// As given.
        value: String,
        /// What to do instead.
        remedy: String,
    },
    /// A setting that only counts at the start.
    #[error("{name} can't be changed while the broker runs: set it in the configuration file and restart")]
    ReadOnly {
        /// The setting.
        name: String,
    },
    /// An element can only be added to, or taken from, a list.
    #[error("{name} is no list: set it as a whole")]
    NoList {
        /// The setting.
        name: String,
    },
    /// A line of a properties file, or an argument of `--set`, that is none.
    #[error("{place}: {line:?}: write key=value")]
    Syntax {
        /// Where.
        place: String,
        /// As found.
        line: String,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    Conflict(String),
    /// A setting that has to be there.
    #[error("{name} is missing: {remedy}")]
    Missing {
        /// The setting.
        name: &'static str,
        /// What to do.
        remedy: &'static str,
    },
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!(": did you mean {name}?"))
}

/// The known name that differs least from `name`, if it differs little.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let candidate = known.map(|known| (distance(name, known), known)).min()?;
    (candidate.0 <= 1 + name.len() / 6).then_some(candidate.1)
}

/// Levenshtein's distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_finds_its_setting_and_nonsense_finds_none() {
        let known = ["retention.ms", "retention.bytes", "cleanup.policy"];
        assert_eq!(nearest("retention.m", known.into_iter()), Some("retention.ms"));
        assert_eq!(nearest("cleanup-policy", known.into_iter()), Some("cleanup.policy"));
        assert_eq!(nearest("bananas", known.into_iter()), None);
    }
}
