//! What an acknowledgement of a broker that speaks Kafka's protocol has behind it, by the settings that it tells.

use std::collections::BTreeMap;
use std::time::Duration;

use ringlog_client::{Admin, ConfigResource};

use crate::LoadError;
use crate::product::RINGLOG_ONLY;
use crate::workload::Durability;

const MESSAGES: &str = "flush.messages";
const MS: &str = "flush.ms";
/// How often Apache Kafka looks whether a partition's `flush.ms` is over; by default never (LogManager's kafka-log-flusher).
const SCHEDULER: &str = "log.flush.scheduler.interval.ms";

type Settings = BTreeMap<String, String>;

/// What a topic has that was made for this durability, and the words by which that is known.
///
/// # Errors
/// [`LoadError::Setting`] when it is less.
pub(super) async fn granted(admin: &Admin, topic: &str, wanted: Durability) -> Result<(Durability, String), LoadError> {
    let topic = settings(admin, &ConfigResource::Topic(topic.to_owned())).await;
    let broker = match admin.cluster().await?.brokers.keys().next() {
        Some(&broker) => settings(admin, &ConfigResource::Broker(broker)).await,
        None => Settings::new(),
    };
    let Some((durability, words)) = behind(&topic, &broker) else {
        return Ok((wanted, "what its topics were made with: it does not tell".to_owned()));
    };
    if durability >= wanted {
        return Ok((durability, words));
    }
    Err(LoadError::Setting {
        name: "durability".to_owned(),
        value: wanted.to_string(),
        allowed: format!(
            "the broker has {durability}, by {words}: start it with {SCHEDULER} no longer than that, or ask for {durability}"
        ),
    })
}

/// Some brokers of the protocol don't tell.
async fn settings(admin: &Admin, of: &ConfigResource) -> Settings {
    let entries = admin.configs(of).await.unwrap_or_default();
    entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

/// `None` where the topic's settings say nothing of it.
fn behind(topic: &Settings, broker: &Settings) -> Option<(Durability, String)> {
    let number = |settings: &Settings, name: &str| settings.get(name)?.parse::<u64>().ok();
    let messages = number(topic, MESSAGES);
    if messages == Some(1) {
        return Some((Durability::Fsync, format!("{MESSAGES}=1")));
    }
    let never = i64::MAX.unsigned_abs();
    let Some(ms) = number(topic, MS).filter(|&ms| ms < never) else {
        return messages.map(|messages| match messages {
            _ if messages == never => (Durability::PageCache, format!("neither {MESSAGES} nor {MS}")),
            _ => (Durability::PageCache, format!("{MESSAGES}={messages}")),
        });
    };
    let scheduler = number(broker, SCHEDULER).filter(|_| !broker.contains_key(RINGLOG_ONLY));
    let every = |ms| Durability::FsyncEvery(Duration::from_millis(ms));
    Some(match scheduler {
        None => (every(ms), format!("{MS}={ms}")),
        Some(looks) if looks < never => (every(ms.max(looks)), format!("{MS}={ms}, {SCHEDULER}={looks}")),
        Some(_) => (Durability::PageCache, format!("{MS}={ms}, at which it never looks ({SCHEDULER}={never})")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(settings: &[(&str, &str)]) -> Settings {
        settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn settings_of_topic_and_broker_say_what_an_acknowledgement_has_behind_it() {
        const NEVER: &str = "9223372036854775807";
        let every = |ms| Durability::FsyncEvery(Duration::from_millis(ms));
        let never = (SCHEDULER, NEVER);
        for (messages, ms, broker, durability, said) in [
            ("1", NEVER, vec![never], Durability::Fsync, "flush.messages=1"),
            (NEVER, NEVER, vec![never], Durability::PageCache, "neither"),
            ("1000", NEVER, vec![], Durability::PageCache, "flush.messages=1000"),
            // Apache Kafka as it is delivered, and started so that it looks.
            (NEVER, "1000", vec![never], Durability::PageCache, "never looks"),
            (NEVER, "1000", vec![(SCHEDULER, "500")], every(1000), "interval.ms=500"),
            (NEVER, "100", vec![(SCHEDULER, "500")], every(500), "flush.ms=100"),
            // Ringlog, which needs no looking, and one that does not tell.
            (NEVER, "1000", vec![never, (RINGLOG_ONLY, "auto")], every(1000), "flush.ms=1000"),
            (NEVER, "1000", vec![], every(1000), "flush.ms=1000"),
        ] {
            let (found, words) = behind(&told(&[(MESSAGES, messages), (MS, ms)]), &told(&broker)).unwrap();
            assert!(found == durability && words.contains(said), "{found} {words}");
        }
        assert_eq!(behind(&told(&[("retention.ms", "1")]), &told(&[never])), None);
    }
}
