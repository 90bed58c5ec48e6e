//! What an acknowledgement of a broker that speaks Kafka's protocol has behind it, by the settings that it tells.

use std::collections::BTreeMap;
use std::time::Duration;

use ringlog_client::{Admin, ClientError, ConfigResource, ErrorCode};

use crate::LoadError;
use crate::driver::Evidence;
use crate::product::RINGLOG_ONLY;
use crate::workload::Durability;

const MESSAGES: &str = "flush.messages";
const MS: &str = "flush.ms";
/// How often Apache Kafka looks whether a partition's `flush.ms` is over; by default never (LogManager's kafka-log-flusher).
const SCHEDULER: &str = "log.flush.scheduler.interval.ms";
const NEVER: u64 = i64::MAX.unsigned_abs();
/// How often Ringlog looks.
const RINGLOG_LOOKS_MS: u64 = 100;

type Settings = BTreeMap<String, String>;

/// The settings of all brokers of a cluster. Each may lead.
pub(super) struct Brokers(Vec<Settings>);

impl Brokers {
    /// Asks each of them.
    ///
    /// # Errors
    /// [`LoadError::Client`] where one does not answer.
    pub(super) async fn ask(admin: &Admin) -> Result<Brokers, LoadError> {
        let mut brokers = Vec::new();
        for &broker in admin.cluster().await?.brokers.keys() {
            brokers.push(settings(admin, &ConfigResource::Broker(broker)).await?);
        }
        Ok(Brokers(brokers))
    }

    /// Makes a topic's `flush.ms` as much shorter as a broker comes late that looks only so often.
    pub(super) fn hasten(&self, topic: &mut [(String, String)]) {
        let late = self.0.iter().filter(|broker| !broker.contains_key(RINGLOG_ONLY));
        let looks = late.filter_map(|broker| number(broker, SCHEDULER)).filter(|&ms| ms < NEVER).max();
        for (name, value) in topic {
            let ms = value.parse::<u64>().ok().filter(|&ms| name == MS && ms < NEVER);
            if let Some(sooner) = ms.zip(looks).and_then(|(ms, looks)| ms.checked_sub(looks)) {
                *value = sooner.to_string();
            }
        }
    }

    /// What a topic has that was made for this durability, and how that is known.
    ///
    /// # Errors
    /// [`LoadError::Setting`] when it is less; [`LoadError::Client`] where nobody answers.
    pub(super) async fn granted(
        &self,
        admin: &Admin,
        topic: &str,
        wanted: Durability,
    ) -> Result<(Durability, Evidence), LoadError> {
        let topic = settings(admin, &ConfigResource::Topic(topic.to_owned())).await?;
        let (durability, evidence) = match behind(&topic, &self.0) {
            Some((durability, words)) => (durability, Evidence::Told(words)),
            None => (Durability::PageCache, Evidence::Delivered),
        };
        if durability >= wanted {
            return Ok((durability, evidence));
        }
        Err(LoadError::Setting {
            name: "durability".to_owned(),
            value: wanted.to_string(),
            allowed: format!(
                "the broker has {durability}, by {evidence}: start it with {SCHEDULER} shorter than is asked for, allow who asks to \
                 describe its settings, or ask for {durability}"
            ),
        })
    }
}

async fn settings(admin: &Admin, of: &ConfigResource) -> Result<Settings, LoadError> {
    let entries = allowed(admin.configs(of).await)?.unwrap_or_default();
    Ok(entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect())
}

/// Nothing where who asks may not, or nobody may. Whoever may and is not answered knows nothing, and that is no answer.
fn allowed<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    use ErrorCode::{ClusterAuthorizationFailed, TopicAuthorizationFailed};
    match answer {
        Err(
            ClientError::Broker { code: ClusterAuthorizationFailed | TopicAuthorizationFailed, .. }
            | ClientError::Unsupported { .. },
        ) => Ok(None),
        answer => answer.map(Some),
    }
}

/// `None` where the topic's settings say nothing of it.
fn behind(topic: &Settings, brokers: &[Settings]) -> Option<(Durability, String)> {
    let messages = number(topic, MESSAGES);
    if messages == Some(1) {
        return Some((Durability::Fsync, format!("{MESSAGES}=1")));
    }
    let Some(ms) = number(topic, MS).filter(|&ms| ms < NEVER) else {
        return messages.map(|messages| match messages {
            NEVER => (Durability::PageCache, format!("neither {MESSAGES} nor {MS}")),
            _ => (Durability::PageCache, format!("{MESSAGES}={messages}")),
        });
    };
    brokers.iter().map(|broker| every(ms, broker)).min_by_key(|(durability, _)| *durability)
}

/// How often a broker syncs a topic of this `flush.ms`.
fn every(ms: u64, broker: &Settings) -> (Durability, String) {
    let synced = |ms| Durability::FsyncEvery(Duration::from_millis(ms));
    if broker.contains_key(RINGLOG_ONLY) {
        return (synced(ms.max(RINGLOG_LOOKS_MS)), format!("{MS}={ms}"));
    }
    match number(broker, SCHEDULER) {
        None => (Durability::PageCache, format!("{MS}={ms}, and it does not tell {SCHEDULER}")),
        Some(NEVER..) => (Durability::PageCache, format!("{MS}={ms}, at which it never looks ({SCHEDULER}={NEVER})")),
        // It counts from the end of a sync, and may have looked just before its time.
        Some(looks) => (synced(ms + looks), format!("{MS}={ms}, {SCHEDULER}={looks}")),
    }
}

fn number(settings: &Settings, name: &str) -> Option<u64> {
    settings.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(settings: &[(&str, &str)]) -> Settings {
        settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    const NEVER: &str = "9223372036854775807";

    #[test]
    fn settings_of_topic_and_brokers_say_what_an_acknowledgement_has_behind_it() {
        let every = |ms| Durability::FsyncEvery(Duration::from_millis(ms));
        let never = vec![(SCHEDULER, NEVER)];
        let ringlog = vec![(SCHEDULER, NEVER), (RINGLOG_ONLY, "auto")];
        let looks = |ms| vec![(SCHEDULER, ms)];
        for (messages, ms, brokers, durability, said) in [
            ("1", NEVER, vec![never.clone()], Durability::Fsync, "flush.messages=1"),
            (NEVER, NEVER, vec![never.clone()], Durability::PageCache, "neither"),
            ("1000", NEVER, vec![vec![]], Durability::PageCache, "flush.messages=1000"),
            // Apache Kafka as it is delivered, and started so that it looks.
            (NEVER, "1000", vec![never.clone()], Durability::PageCache, "never looks"),
            (NEVER, "1000", vec![looks("500")], every(1500), "interval.ms=500"),
            (NEVER, "100", vec![looks("500")], every(600), "flush.ms=100"),
            // Each broker may lead.
            (NEVER, "1000", vec![looks("500"), looks("700"), looks("600")], every(1700), "interval.ms=700"),
            (NEVER, "1000", vec![looks("500"), never], Durability::PageCache, "never looks"),
            // One that does not tell, which may be an Apache Kafka as it is delivered.
            (NEVER, "1000", vec![vec![]], Durability::PageCache, "does not tell log.flush"),
            ("1", "1000", vec![vec![]], Durability::Fsync, "flush.messages=1"),
            // Ringlog, which always looks.
            (NEVER, "1000", vec![ringlog.clone()], every(1000), "flush.ms=1000"),
            (NEVER, "50", vec![ringlog], every(100), "flush.ms=50"),
        ] {
            let brokers: Vec<Settings> = brokers.iter().map(|broker| told(broker)).collect();
            let (found, words) = behind(&told(&[(MESSAGES, messages), (MS, ms)]), &brokers).unwrap();
            assert!(found == durability && words.contains(said), "{found} {words}");
        }
        assert_eq!(behind(&told(&[("retention.ms", "1")]), &[told(&looks("500"))]), None);
    }

    #[test]
    fn a_broker_that_does_not_answer_proves_nothing() {
        let refused = |code| ClientError::Broker { code, subject: "topic a".to_owned(), message: String::new() };
        for error in [
            refused(ErrorCode::UnknownTopicOrPartition),
            ClientError::Timeout { what: "it".to_owned(), after: Duration::ZERO, setting: "request.timeout.ms" },
        ] {
            assert!(allowed::<()>(Err(error)).is_err());
        }
        for code in [ErrorCode::ClusterAuthorizationFailed, ErrorCode::TopicAuthorizationFailed] {
            assert!(allowed::<()>(Err(refused(code))).unwrap().is_none());
        }
        assert_eq!(allowed(Ok(7)).unwrap(), Some(7));
    }

    #[test]
    fn a_topic_is_made_to_be_synced_in_time_by_a_broker_that_looks_late() {
        let made = |looks: &str, ms: &str| {
            let mut topic = [("retention.ms".to_owned(), "9000".to_owned()), (MS.to_owned(), ms.to_owned())];
            let [first, second] = [NEVER, looks].map(|looks| told(&[(SCHEDULER, looks)]));
            let ringlog = told(&[(SCHEDULER, "900"), (RINGLOG_ONLY, "auto")]);
            Brokers(vec![first, second, ringlog]).hasten(&mut topic);
            assert_eq!(topic[0].1, "9000");
            topic[1].1.clone()
        };
        assert_eq!(made("300", "1000"), "700");
        // It can't be in time.
        assert_eq!((made("2000", "1000"), made(NEVER, "1000")), ("1000".to_owned(), "1000".to_owned()));
        assert_eq!(made("300", NEVER), NEVER, "it is not asked for");
    }
}
