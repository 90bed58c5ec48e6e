//! Settings as they are, with where each value comes from: the content of DescribeConfigs.

use std::collections::BTreeMap;

use crate::setting::{Scope, Setting, Update};
use crate::sources::{Source, Sources};
use crate::topic::broker_synonyms;
use crate::{BROKER, TOPIC};

/// A setting and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The declaration.
    pub setting: &'static Setting,
    /// The value that counts; `None` where nothing is set and there is no default.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Whether it can't be changed while the broker runs.
    pub read_only: bool,
    /// Every place where it, or what it falls back to, is set, most binding first.
    pub synonyms: Vec<Synonym>,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// What it is called there.
    pub name: &'static str,
    /// What it is there.
    pub value: String,
    /// Where that is.
    pub source: Source,
}

/// A topic's settings, given what is set on it.
#[must_use]
pub fn describe_topic(on_topic: &BTreeMap<String, String>, broker: &Sources) -> Vec<Described> {
    let describe = |setting: &'static Setting| {
        let own = on_topic.get(setting.name).map(|value| Synonym {
            name: setting.name,
            value: value.clone(),
            source: Source::DynamicTopic,
        });
        let (value, _) = broker.topic_value(setting, on_topic);
        let names: Vec<&'static str> = broker_synonyms(setting.name).iter().map(|(name, _)| *name).collect();
        let synonyms: Vec<Synonym> = own.into_iter().chain(synonyms(&names, broker)).collect();
        Described {
            setting,
            value: Some(value),
            source: synonyms.first().map_or(Source::Default, |first| first.source),
            read_only: false,
            synonyms,
        }
    };
    TOPIC.iter().map(describe).collect()
}

/// The broker's settings.
#[must_use]
pub fn describe_broker(broker: &Sources) -> Vec<Described> {
    let describe = |setting: &'static Setting| {
        let synonyms = synonyms(&stand_ins(setting.name), broker);
        Described {
            setting,
            value: broker.effective(setting).map(|(value, _)| value),
            source: synonyms.first().map_or(Source::Default, |first| first.source),
            read_only: setting.update == Update::ReadOnly,
            synonyms,
        }
    };
    BROKER.iter().map(describe).collect()
}

/// What has been set for every broker while it ran.
#[must_use]
pub fn describe_broker_defaults(broker: &Sources) -> Vec<Described> {
    let set = broker.dynamic_default.iter().filter_map(|(name, value)| {
        let setting = Scope::Broker.find(name).ok()?;
        let source = Source::DynamicDefaultBroker;
        let synonyms = vec![Synonym { name: setting.name, value: value.clone(), source }];
        Some(Described { setting, value: Some(value.clone()), source, read_only: false, synonyms })
    });
    set.collect()
}

/// A broker setting and those that stand in for it.
fn stand_ins(name: &'static str) -> Vec<&'static str> {
    match name {
        "log.retention.ms" => vec![name, "log.retention.minutes", "log.retention.hours"],
        "log.retention.minutes" => vec![name, "log.retention.hours"],
        "log.roll.ms" => vec![name, "log.roll.hours"],
        "log.roll.jitter.ms" => vec![name, "log.roll.jitter.hours"],
        "log.flush.interval.ms" => vec![name, "log.flush.scheduler.interval.ms"],
        _ => vec![name],
    }
}

/// Where these are set, by source. As Kafka has it, what stands in for a setting is not named before the setting itself.
fn synonyms(names: &[&'static str], broker: &Sources) -> Vec<Synonym> {
    let sources = [Source::DynamicBroker, Source::DynamicDefaultBroker, Source::StaticBroker, Source::Default];
    let mut found = Vec::new();
    for source in sources {
        for name in names {
            let Ok(setting) = Scope::Broker.find(name) else { continue };
            let value = broker.of(setting).into_iter().find(|(_, from)| *from == source);
            found.extend(value.map(|(value, source)| Synonym { name, value, source }));
        }
    }
    found.into_iter().skip_while(|synonym| Some(&synonym.name) != names.first()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(described: &'a [Described], name: &str) -> &'a Described {
        described.iter().find(|described| described.setting.name == name).unwrap()
    }

    #[test]
    fn a_topics_setting_names_every_place_where_it_is_set() {
        let set = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let broker = Sources { fixed: set("message.max.bytes", "2000000"), ..Sources::default() };
        let described = describe_topic(&set("max.message.bytes", "3000000"), &broker);
        let found = find(&described, "max.message.bytes");
        let places: Vec<_> = found.synonyms.iter().map(|place| (place.name, &*place.value, place.source)).collect();
        assert_eq!(
            places,
            [
                ("max.message.bytes", "3000000", Source::DynamicTopic),
                ("message.max.bytes", "2000000", Source::StaticBroker),
                ("message.max.bytes", "1048588", Source::Default),
            ]
        );
        assert_eq!((found.value.as_deref(), found.source), (Some("3000000"), Source::DynamicTopic));
    }

    #[test]
    fn a_default_in_hours_is_described_in_milliseconds() {
        let described = describe_topic(&BTreeMap::new(), &Sources::default());
        let found = find(&described, "retention.ms");
        assert_eq!((found.value.as_deref(), found.source), (Some("604800000"), Source::Default));
    }

    #[test]
    fn a_broker_says_what_can_be_changed() {
        let described = describe_broker(&Sources::default());
        assert!(find(&described, "num.partitions").read_only);
        assert!(!find(&described, "log.retention.ms").read_only);
        assert_eq!(find(&described, "log.retention.ms").value, None);
    }
}
