//! One setting: what it is called, what it may be, and when it may change.

use std::fmt;

use crate::SettingsError;
use crate::error::nearest;

/// Whose setting it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Of the broker, from `server.properties`, `--set`, or changed while it runs.
    Broker,
    /// Of a topic.
    Topic,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Broker => "broker",
            Scope::Topic => "topic",
        })
    }
}

impl Scope {
    pub(crate) fn table(self) -> &'static [Setting] {
        match self {
            Scope::Broker => crate::BROKER,
            Scope::Topic => crate::TOPIC,
        }
    }

    /// The setting of that name.
    ///
    /// # Errors
    /// [`SettingsError::Unknown`], with the name that looks most like it.
    pub fn find(self, name: &str) -> Result<&'static Setting, SettingsError> {
        self.table().iter().find(|setting| setting.name == name).ok_or_else(|| SettingsError::Unknown {
            scope: self,
            name: name.to_owned(),
            nearest: nearest(name, self.table().iter().map(|setting| setting.name)),
        })
    }
}

/// What values a setting takes. Bounds are inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// 32 bits.
    Int(i64, i64),
    /// 32 bits: within the last two, or the first.
    IntOr(i64, i64, i64),
    /// 64 bits.
    Long(i64, i64),
    /// A fraction.
    Double(f64, f64),
    /// Anything.
    Text,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Some of these, separated by commas; any words where none are listed.
    List(&'static [&'static str]),
}

/// When a setting may change. Kafka's terms (KIP-226).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// At a restart.
    ReadOnly,
    /// While the broker runs.
    Dynamic,
}

/// The declaration of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What it is when nobody sets it; `None`: nothing.
    pub default: Option<&'static str>,
    /// When it may change.
    pub update: Update,
    /// What it does, with its unit.
    pub doc: &'static str,
    /// Ringlog's own, not Kafka's.
    pub is_own: bool,
}

/// A value, checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Of [`Kind::Int`], [`Kind::IntOr`] and [`Kind::Long`].
    Number(i64),
    /// Of [`Kind::Double`].
    Double(f64),
    /// Of [`Kind::Text`] and [`Kind::Choice`].
    Text(String),
    /// Of [`Kind::List`].
    List(Vec<String>),
}

impl Setting {
    pub(crate) const fn new(name: &'static str, kind: Kind, default: Option<&'static str>, doc: &'static str) -> Self {
        Self { name, kind, default, update: Update::ReadOnly, doc, is_own: false }
    }

    pub(crate) const fn dynamic(self) -> Self {
        Self { update: Update::Dynamic, ..self }
    }

    pub(crate) const fn own(self) -> Self {
        Self { is_own: true, ..self }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// [`SettingsError::Value`], which says what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value, SettingsError> {
        let text = text.trim();
        let parsed = match self.kind {
            Kind::Boolean => match &*text.to_ascii_lowercase() {
                "true" => Some(Value::Boolean(true)),
                "false" => Some(Value::Boolean(false)),
                _ => None,
            },
            Kind::Int(min, max) | Kind::Long(min, max) => {
                text.parse().ok().filter(|number| (min..=max).contains(number)).map(Value::Number)
            }
            Kind::IntOr(other, min, max) => {
                let is_allowed = |number: &i64| *number == other || (min..=max).contains(number);
                text.parse().ok().filter(is_allowed).map(Value::Number)
            }
            Kind::Double(min, max) => {
                text.parse().ok().filter(|number: &f64| (min..=max).contains(number)).map(Value::Double)
            }
            Kind::Text => Some(Value::Text(text.to_owned())),
            Kind::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Kind::List(words) => {
                let items: Vec<String> = elements(text).map(str::to_owned).collect();
                // Nothing at all is a list, nothing between or behind two commas is no word.
                let has_gap = !text.is_empty() && text.split(',').count() != items.len();
                let allowed = words.is_empty() || (!has_gap && items.iter().all(|item| words.contains(&&**item)));
                allowed.then_some(Value::List(items))
            }
        };
        parsed.ok_or_else(|| SettingsError::Value {
            name: self.name.to_owned(),
            value: text.to_owned(),
            allowed: self.allowed(),
        })
    }

    /// What is allowed, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        let range = |min: i64, max: i64, largest: i64| match (min, max) {
            (min, max) if max == largest => format!("a whole number, {min} or more"),
            (min, max) => format!("a whole number from {min} to {max}"),
        };
        match self.kind {
            Kind::Boolean => "true or false".to_owned(),
            Kind::Int(min, max) => range(min, max, i64::from(i32::MAX)),
            Kind::IntOr(other, min, max) => format!("{other}, or a whole number from {min} to {max}"),
            Kind::Long(min, max) => range(min, max, i64::MAX),
            Kind::Double(min, max) => format!("a number from {min} to {max}"),
            Kind::Text => "text".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::List([]) => "words, separated by commas".to_owned(),
            Kind::List(words) => format!("some of {}, separated by commas, or none", words.join(", ")),
        }
    }

    /// Kafka's number for the type, as DescribeConfigs has it (KIP-226).
    #[must_use]
    pub fn config_type(&self) -> i8 {
        match self.kind {
            Kind::Boolean => 1,
            Kind::Text | Kind::Choice(_) => 2,
            Kind::Int(..) | Kind::IntOr(..) => 3,
            Kind::Long(..) => 5,
            Kind::Double(..) => 6,
            Kind::List(_) => 7,
        }
    }
}

/// The elements of a list, without those that are empty.
pub(crate) fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_words_may_be_empty_but_has_no_gaps() {
        let policy = Scope::Topic.find("cleanup.policy").unwrap();
        let is_allowed = |text: &str| policy.parse(text).is_ok();
        assert!(is_allowed("") && is_allowed("delete , compact"));
        assert!(!is_allowed("delete,") && !is_allowed(",delete") && !is_allowed("delete,,compact") && !is_allowed(","));
    }

    #[test]
    fn every_default_is_allowed_by_its_own_declaration() {
        for setting in crate::BROKER.iter().chain(crate::TOPIC) {
            if let Some(default) = setting.default {
                assert!(setting.parse(default).is_ok(), "{}={default}", setting.name);
            }
        }
    }

    #[test]
    fn every_setting_is_declared_once_and_described() {
        for table in [crate::BROKER, crate::TOPIC] {
            for setting in table {
                assert_eq!(table.iter().filter(|other| other.name == setting.name).count(), 1, "{}", setting.name);
                assert!(setting.doc.ends_with('.') && setting.doc.len() > 15, "{}: {}", setting.name, setting.doc);
            }
        }
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_key_value_and_range() {
        let error = Scope::Topic.find("segment.bytes").unwrap().parse("1000").unwrap_err();
        assert_eq!(error.to_string(), "segment.bytes=1000: a whole number, 1048576 or more");
        let error = Scope::Topic.find("cleanup.policy").unwrap().parse("delete,shred").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cleanup.policy=delete,shred: some of compact, delete, separated by commas, or none"
        );
        let error = Scope::Topic.find("retention.mms").unwrap_err();
        assert_eq!(error.to_string(), "topic setting \"retention.mms\" is unknown: did you mean retention.ms?");
    }
}
