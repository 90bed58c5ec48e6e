//! Every setting, declared once: name, type, default, bounds, scope, documentation.
//!
//! The tables [`BROKER`] and [`TOPIC`] are the declaration. Everything else comes from them: [`BrokerConfig`] and [`TopicConfig`],
//! what [`describe`](describe_topic) answers, what may be [changed](check_change), and `engine/CONFIG.md`. Names, units, defaults
//! and bounds are Apache Kafka's; the few settings of our own say so.
#![forbid(unsafe_code)]

mod broker;
mod broker_config;
mod change;
mod describe;
mod error;
mod host_profile;
mod known;
mod listener;
mod live_config;
mod markdown;
mod properties;
mod setting;
mod sources;
mod topic;
mod topic_config;

pub use broker::BROKER;
pub use broker_config::{Backend, BrokerConfig, LogFormat};
pub use change::{Operation, apply, check_change};
pub use describe::{Described, Synonym, describe_broker, describe_broker_defaults, describe_topic};
pub use error::SettingsError;
pub use host_profile::HostProfile;
pub use known::Notice;
pub use listener::Listener;
pub use live_config::LiveConfig;
pub use markdown::config_md;
pub use properties::Properties;
pub use setting::{Kind, Scope, Setting, Update, Value};
pub use sources::{Source, Sources};
pub use topic::TOPIC;
pub use topic_config::{CompressionType, TopicConfig};
