//! Changes of settings while the broker runs (KIP-226, KIP-339).

use std::collections::BTreeMap;

use crate::setting::{Kind, Scope, Update, elements};
use crate::{SettingsError, Sources, TopicConfig};

/// What to do with a setting. Kafka's numbers, as IncrementalAlterConfigs has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// 0: give it this value.
    Set,
    /// 1: back to what it falls back to.
    Delete,
    /// 2: add these elements to the list.
    Append,
    /// 3: take these elements from the list.
    Subtract,
}

impl Operation {
    /// By Kafka's number.
    #[must_use]
    pub fn from_code(code: i8) -> Option<Operation> {
        match code {
            0 => Some(Operation::Set),
            1 => Some(Operation::Delete),
            2 => Some(Operation::Append),
            3 => Some(Operation::Subtract),
            _ => None,
        }
    }
}

/// Whether a setting may be given this value now; `None` takes it back.
///
/// # Errors
/// [`SettingsError::Unknown`], [`SettingsError::ReadOnly`], [`SettingsError::Value`].
pub fn check_change(scope: Scope, name: &str, value: Option<&str>) -> Result<(), SettingsError> {
    let setting = scope.find(name)?;
    if setting.update == Update::ReadOnly {
        return Err(SettingsError::ReadOnly { name: name.to_owned() });
    }
    value.map_or(Ok(()), |value| setting.parse(value).map(drop))
}

/// Applies one operation to what is `set` for a topic or broker. Lists are added to from what counts at present.
///
/// # Errors
/// As of [`check_change`], and [`SettingsError::NoList`]; then nothing has changed.
pub fn apply(
    scope: Scope,
    set: &mut BTreeMap<String, String>,
    broker: &Sources,
    name: &str,
    operation: Operation,
    value: &str,
) -> Result<(), SettingsError> {
    let setting = scope.find(name)?;
    let value = match operation {
        Operation::Set => value.to_owned(),
        Operation::Delete => {
            check_change(scope, name, None)?;
            set.remove(name);
            return Ok(());
        }
        Operation::Append | Operation::Subtract => {
            if !matches!(setting.kind, Kind::List(_)) {
                return Err(SettingsError::NoList { name: name.to_owned() });
            }
            let current = match scope {
                Scope::Topic => broker.topic_value(setting, set).0,
                Scope::Broker => {
                    let own = set.get(name).cloned();
                    own.or_else(|| broker.effective(setting).map(|(value, _)| value)).unwrap_or_default()
                }
            };
            let mut items: Vec<&str> = elements(&current).collect();
            for item in elements(value) {
                match operation {
                    Operation::Append if !items.contains(&item) => items.push(item),
                    Operation::Append => {}
                    _ => items.retain(|present| *present != item),
                }
            }
            items.join(",")
        }
    };
    check_change(scope, name, Some(&value))?;
    let mut changed = set.clone();
    changed.insert(name.to_owned(), value);
    if scope == Scope::Topic {
        // Each value is allowed by itself; together they may not be.
        TopicConfig::resolve(&changed, broker)?;
    }
    *set = changed;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(name: &str, operation: Operation, value: &str) -> Result<Option<String>, SettingsError> {
        let mut set = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        apply(Scope::Topic, &mut set, &Sources::default(), name, operation, value)?;
        Ok(set.remove(name))
    }

    #[test]
    fn lists_grow_and_shrink_by_elements() {
        assert_eq!(changed("cleanup.policy", Operation::Append, "delete"), Ok(Some("compact,delete".to_owned())));
        assert_eq!(changed("cleanup.policy", Operation::Append, "compact"), Ok(Some("compact".to_owned())));
        assert_eq!(changed("cleanup.policy", Operation::Delete, ""), Ok(None));
        assert_eq!(changed("cleanup.policy", Operation::Subtract, "compact"), Ok(Some(String::new())), "none left");
        assert_eq!(
            changed("retention.ms", Operation::Append, "5"),
            Err(SettingsError::NoList { name: "retention.ms".to_owned() })
        );
    }

    #[test]
    fn what_counts_only_at_the_start_can_not_be_changed() {
        let error = check_change(Scope::Broker, "num.partitions", Some("3")).unwrap_err();
        assert!(error.to_string().contains("can't be changed while the broker runs"));
        assert_eq!(check_change(Scope::Broker, "log.retention.ms", Some("3")), Ok(()));
    }
}
