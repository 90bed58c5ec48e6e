//! What a member of a group wants to read: topics by name, or all that a pattern matches.

use regex::Regex;
use tokio::time::Instant;

use crate::{Client, ClientError};

pub(super) enum Subscription {
    Topics(Vec<String>),
    Pattern(Matching),
}

/// The topics that a pattern matches.
pub(super) struct Matching {
    pattern: Regex,
    /// Sorted; `None` until the cluster was asked.
    found: Option<Vec<String>>,
    /// When to ask whether there are others.
    due: Instant,
}

impl Subscription {
    /// All topics whose whole name matches.
    pub(super) fn pattern(pattern: &str) -> Result<Self, ClientError> {
        let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|_| ClientError::Option {
            name: "pattern",
            value: pattern.to_owned(),
            reason: "it is no regular expression; see https://docs.rs/regex for their syntax",
        })?;
        Ok(Self::Pattern(Matching { pattern: whole, found: None, due: Instant::now() }))
    }

    /// The topics, as far as is known.
    pub(super) fn topics(&self) -> &[String] {
        match self {
            Self::Topics(topics) => topics,
            Self::Pattern(matching) => matching.found.as_deref().unwrap_or_default(),
        }
    }

    /// Asks, when that is due, which topics a pattern matches, and says whether they are others than before. The
    /// cluster's own topics never match.
    pub(super) async fn look(&mut self, client: &Client) -> Result<bool, ClientError> {
        let Self::Pattern(Matching { pattern, found, due }) = self else { return Ok(false) };
        let now = Instant::now();
        if *due > now {
            return Ok(false);
        }
        let topology = match client.refresh(None, false).await {
            Ok(topology) => topology,
            Err(error) if found.is_none() => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "topics are looked for again later");
                return Ok(false);
            }
        };
        *due = now + client.options().metadata_max_age;
        let internal = |name: &str| topology.topic(name).is_ok_and(|topic| topic.internal);
        let names = topology.topic_names().into_iter();
        let names = names.filter(|name| pattern.is_match(name) && !internal(name)).map(str::to_owned).collect();
        let before = found.replace(names);
        Ok(before != *found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let Subscription::Pattern(matching) = Subscription::pattern("a|b.*").unwrap() else {
            panic!("it is a pattern")
        };
        let matches = ["a", "b", "bc"].map(|name| matching.pattern.is_match(name));
        assert_eq!(matches, [true; 3]);
        assert!(!matching.pattern.is_match("ab") && !matching.pattern.is_match("xb"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_text() {
        let error = Subscription::pattern("a(").err().unwrap();
        assert!(error.to_string().starts_with("pattern=a(: it is no regular expression"), "{error}");
    }
}
