//! Who is measured: a target that runs already, or a broker that each run starts for itself.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::broker::{BrokerProcess, Launch};
use crate::workload::Workload;
use crate::{Described, LoadError, Target};

/// One who is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Runs already, and lives through all runs.
    There(Target),
    /// A fresh one for each run, with an empty directory: what is peculiar to one process is not in every repeat.
    Own(Launch),
}

/// What is needed to start one.
#[derive(Debug, Clone, Copy)]
pub struct Programs<'a> {
    /// The broker's program; a sentence, where it is not found.
    pub ringlog: &'a Result<PathBuf, String>,
    /// scripts/peers.sh.
    pub peers: &'a Path,
    /// Their files go below this.
    pub data: &'a Path,
}

/// Somebody who is ready to be measured. A broker of the run's own ends with this, and its directory goes.
#[derive(Debug)]
pub struct Ready {
    /// Where it is.
    pub target: Target,
    /// What it says of itself.
    pub described: Described,
    _broker: Option<BrokerProcess>,
}

impl Subject {
    /// From what the command line calls it: a target's URL, `serve`, or `start://NAME`.
    ///
    /// # Errors
    /// [`LoadError::Target`], [`LoadError::Start`].
    pub fn parse(text: &str, programs: &Programs<'_>) -> Result<Subject, LoadError> {
        match text.strip_prefix("start://").or((text == "serve").then_some("ringlog")) {
            Some(rest) => Launch::parse(text, rest, programs).map(Subject::Own),
            None => text.parse().map(Subject::There),
        }
    }

    /// Asks who is there, or starts one, with these settings where it is a ringlog.
    ///
    /// # Errors
    /// Those of [`Target::describe`] and [`Launch::start`].
    pub fn ready(&self, settings: &BTreeMap<String, String>) -> Result<Ready, LoadError> {
        match self {
            Subject::There(target) => {
                Ok(Ready { target: target.clone(), described: target.describe()?, _broker: None })
            }
            Subject::Own(launch) => {
                let broker = launch.start(settings)?;
                Ok(Ready { target: broker.target().clone(), described: broker.describe()?, _broker: Some(broker) })
            }
        }
    }

    /// Refuses a workload that sets what does not reach it: every value would measure the same.
    ///
    /// # Errors
    /// [`LoadError::OutOfReach`].
    pub fn honours(&self, workload: &Workload) -> Result<(), LoadError> {
        let speaks_kafka = match self {
            Subject::There(target) => !matches!(target, Target::Peer(_)),
            Subject::Own(launch) => launch.speaks_kafka(),
        };
        match workload.kafka_settings().next().filter(|_| !speaks_kafka) {
            Some(setting) => Err(LoadError::OutOfReach { setting: setting.to_owned(), target: self.to_string() }),
            None => Ok(()),
        }
    }

    /// Whether what a workload says below `broker` reaches it.
    #[must_use]
    pub fn takes_broker_settings(&self) -> bool {
        matches!(self, Subject::Own(launch) if launch.is_ringlog())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::There(target) => target.fmt(out),
            Subject::Own(launch) => launch.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_kafka_that_are_swept_or_set_are_refused_for_a_peer_and_nothing_else_is() {
        let nowhere = Err("nowhere".to_owned());
        let programs = Programs { ringlog: &nowhere, peers: Path::new("/nowhere"), data: Path::new("/tmp") };
        let subject = |text: &str| Subject::parse(text, &programs).unwrap();
        let redis = subject("redis://127.0.0.1:1");
        let file = |more: &str| {
            Workload::parse(Path::new("a.yaml"), &format!("name: a\nmax.block.ms: 60000\n{more}")).unwrap()
        };
        for axis in
            ["batch.size: [1k, 16k]", "linger.ms: [0, 5]", "compression.type: [none, lz4]", "acks: [\"1\", all]"]
        {
            let swept = file(&format!("sweep:\n  {axis}\n"));
            let setting = axis.split_once(':').unwrap().0;
            let refused = redis.honours(&swept).unwrap_err().to_string();
            let remedy = "take it out of `sweep` and `--set`";
            assert!([setting, "redis://127.0.0.1:1", remedy].iter().all(|said| refused.contains(said)), "{refused}");
            for reached in ["kafka://127.0.0.1:1", "null://"] {
                assert!(subject(reached).honours(&swept).is_ok());
            }
        }
        for (key, value) in [("batch.size", "64k"), ("topic.segment.bytes", "1048576")] {
            assert!(redis.honours(&file("").with(key, value).unwrap()).is_err(), "{key}");
        }
        // What is in a file that Kafka is measured with as well, and what every driver does.
        assert!(redis.honours(&file("sweep:\n  messageSize: [100, 1k]\n  durability: [memory, fsync]\n")).is_ok());
        assert!(redis.honours(&file("").with("producersPerTopic", "2").unwrap()).is_ok());
    }
}
