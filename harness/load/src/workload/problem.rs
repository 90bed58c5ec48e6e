//! What is wrong with a workload, and where.

use std::fmt;

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1; 0 where it is no line's fault.
    pub line: usize,
    /// The key; empty where it is no key's fault.
    pub key: String,
    /// Its value as it is written.
    pub value: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do; empty where `what` says it.
    pub remedy: String,
}

impl Problem {
    pub(super) fn at(
        line: usize,
        key: &str,
        value: &str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Problem {
        Problem { line, key: key.to_owned(), value: value.to_owned(), what: what.into(), remedy: remedy.into() }
    }
}

/// `3: batch.size: 16q: what is wrong: what to do`, to stand behind a file's name and a colon.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}: ", self.line)?;
        }
        for part in [&self.key, &self.value].into_iter().filter(|part| !part.is_empty()) {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.what)?;
        match &*self.remedy {
            "" => Ok(()),
            remedy => write!(f, ": {remedy}"),
        }
    }
}
