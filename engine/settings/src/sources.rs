//! Where values come from, and which of them counts.

use std::collections::BTreeMap;

use crate::setting::{Scope, Setting};
use crate::topic::broker_synonyms;
use crate::{SettingsError, Value};

/// Where a value was set. Kafka's numbers, as DescribeConfigs has them (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// On the topic.
    DynamicTopic = 1,
    /// On this broker, while it ran.
    DynamicBroker = 2,
    /// For every broker, while it ran.
    DynamicDefaultBroker = 3,
    /// In the configuration file, or by `--set`.
    StaticBroker = 4,
    /// Nowhere.
    Default = 5,
}

/// What has been set for the broker, by where: the first that has a name decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Set on this broker, while it ran.
    pub dynamic: BTreeMap<String, String>,
    /// Set for every broker, while it ran.
    pub dynamic_default: BTreeMap<String, String>,
    /// From the configuration file and `--set`.
    pub fixed: BTreeMap<String, String>,
}

impl Sources {
    /// Every value that a broker setting has, most binding first, its default last.
    pub(crate) fn of(&self, setting: &Setting) -> Vec<(String, Source)> {
        let layers = [
            (self.dynamic.get(setting.name).map(String::as_str), Source::DynamicBroker),
            (self.dynamic_default.get(setting.name).map(String::as_str), Source::DynamicDefaultBroker),
            (self.fixed.get(setting.name).map(String::as_str), Source::StaticBroker),
            (setting.default, Source::Default),
        ];
        layers.into_iter().filter_map(|(value, source)| Some((value?.to_owned(), source))).collect()
    }

    /// What a broker setting is, and where from; `None` where it is not set and has no default.
    pub(crate) fn effective(&self, setting: &Setting) -> Option<(String, Source)> {
        self.of(setting).into_iter().next()
    }

    /// The broker's value of a topic setting, in the topic's unit: a setting that stands in for another counts only where that
    /// one is not set, whatever their sources.
    pub(crate) fn for_topics(&self, topic_setting: &Setting) -> Option<(String, Source)> {
        let mut synonyms = broker_synonyms(topic_setting.name).iter();
        synonyms.find_map(|(name, unit)| {
            let setting = Scope::Broker.find(name).ok()?;
            let (value, source) = self.effective(setting)?;
            // A negative number stands for no limit, in every unit.
            let scaled = match value.trim().parse::<i64>() {
                Ok(number) if *unit != 1 && number >= 0 => number.saturating_mul(*unit).to_string(),
                _ => value,
            };
            Some((scaled, source))
        })
    }

    /// What a topic setting is, given what is set on the topic.
    pub(crate) fn topic_value(&self, setting: &Setting, on_topic: &BTreeMap<String, String>) -> (String, Source) {
        let own = on_topic.get(setting.name).map(|value| (value.clone(), Source::DynamicTopic));
        let default = || (setting.default.unwrap_or_default().to_owned(), Source::Default);
        own.or_else(|| self.for_topics(setting)).unwrap_or_else(default)
    }
}

/// Checked values by name, to build a typed configuration from.
pub(crate) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    pub(crate) fn read(
        table: &'static [Setting],
        value: impl Fn(&'static Setting) -> Option<String>,
    ) -> Result<Values, SettingsError> {
        let mut values = BTreeMap::new();
        for setting in table {
            if let Some(value) = value(setting) {
                values.insert(setting.name, setting.parse(&value)?);
            }
        }
        Ok(Values(values))
    }

    /// A number that has a default. The table's tests build every configuration: a name that it lacks can't get past them.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.optional_number(name).unwrap_or_else(|| unreachable!("{name} is no number with a default"))
    }

    pub(crate) fn optional_number(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(number) => Some(*number),
            other => unreachable!("{name} is declared as a number, not {other:?}"),
        }
    }

    pub(crate) fn double(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(Value::Double(number)) => *number,
            other => unreachable!("{name} is declared as a fraction, not {other:?}"),
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Boolean(value)) => *value,
            other => unreachable!("{name} is declared as true or false, not {other:?}"),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text),
            other => unreachable!("{name} is declared as text, not {other:?}"),
        }
    }

    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.0.get(name) {
            None => &[],
            Some(Value::List(items)) => items,
            other => unreachable!("{name} is declared as a list, not {other:?}"),
        }
    }
}
