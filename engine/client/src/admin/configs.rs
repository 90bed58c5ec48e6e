//! Settings of topics and brokers.

use std::fmt;
use std::time::Duration;

use ringlog_protocol::ApiKey;
use ringlog_protocol::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use ringlog_protocol::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ringlog_protocol::list_config_resources::ListConfigResourcesRequest;

use super::Admin;
use crate::ClientError;
use crate::client::Lane;
use crate::connection::Connection;

/// Whose settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigResource {
    /// A topic's.
    Topic(String),
    /// One broker's, by its id.
    Broker(i32),
    /// Of all brokers: what each uses that has no setting of its own.
    AllBrokers,
    /// A consumer group's.
    Group(String),
    /// The levels of one broker's loggers, by its id (KIP-412).
    BrokerLogger(i32),
    /// What clients are asked to report, by the subscription's name (KIP-714).
    ClientMetrics(String),
}

/// Where a value comes from; the first of these that has one decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic,
    /// Set on this broker while it runs.
    Broker,
    /// Set on all brokers while they run.
    AllBrokers,
    /// In the broker's properties file.
    File,
    /// Nobody set it.
    Default,
    /// Set on the group.
    Group,
    /// Set on the broker's loggers.
    BrokerLogger,
    /// Set on the subscription.
    ClientMetrics,
    /// Something that this client does not know.
    Other(i8),
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` for one that is secret or unset.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it can only be set in the file.
    pub read_only: bool,
    /// Whether it is secret.
    pub sensitive: bool,
    /// What it does, when the broker says.
    pub documentation: Option<String>,
}

/// A change of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// Sets it.
    Set(String, String),
    /// Takes it back to what it is without being set here.
    Delete(String),
    /// Adds an element to a list.
    Append(String, String),
    /// Takes an element out of a list.
    Subtract(String, String),
}

impl ConfigResource {
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) | Self::AllBrokers => 4,
            Self::BrokerLogger(_) => 8,
            Self::ClientMetrics(_) => 16,
            Self::Group(_) => 32,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Topic(name) | Self::Group(name) | Self::ClientMetrics(name) => name.clone(),
            Self::Broker(id) | Self::BrokerLogger(id) => id.to_string(),
            Self::AllBrokers => String::new(),
        }
    }

    /// `None` for a kind that this client does not know.
    fn from_wire(kind: i8, name: &str) -> Option<Self> {
        match kind {
            2 => Some(Self::Topic(name.to_owned())),
            4 if name.is_empty() => Some(Self::AllBrokers),
            4 => name.parse().ok().map(Self::Broker),
            8 => name.parse().ok().map(Self::BrokerLogger),
            16 => Some(Self::ClientMetrics(name.to_owned())),
            32 => Some(Self::Group(name.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(out, "topic {name}"),
            Self::Broker(id) => write!(out, "broker {id}"),
            Self::AllBrokers => out.write_str("all brokers"),
            Self::Group(name) => write!(out, "group {name}"),
            Self::BrokerLogger(id) => write!(out, "loggers of broker {id}"),
            Self::ClientMetrics(name) => write!(out, "client metrics {name}"),
        }
    }
}

impl ConfigSource {
    fn from_wire(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 => Self::Broker,
            3 => Self::AllBrokers,
            4 => Self::File,
            5 => Self::Default,
            6 => Self::BrokerLogger,
            7 => Self::ClientMetrics,
            8 => Self::Group,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic => out.write_str("topic"),
            Self::Broker => out.write_str("broker"),
            Self::AllBrokers => out.write_str("all brokers"),
            Self::File => out.write_str("file"),
            Self::Default => out.write_str("default"),
            Self::Group => out.write_str("group"),
            Self::BrokerLogger => out.write_str("broker logger"),
            Self::ClientMetrics => out.write_str("client metrics"),
            Self::Other(code) => write!(out, "source {code}"),
        }
    }
}

impl Admin {
    /// What has settings of its own, or could have: topics, brokers, and groups and subscriptions to clients' metrics for which some were
    /// set (KIP-1142). Kinds that this client does not know are left out. Sorted.
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] by a broker before Kafka 4.1.
    pub async fn config_resources(&self) -> Result<Vec<ConfigResource>, ClientError> {
        self.retry(|| async {
            let connection = self.client.any(Lane::SHARED).await?;
            // Version 0 lists subscriptions alone.
            let version = connection.version(ApiKey::ListConfigResources, 1..=i16::MAX)?;
            let request = ListConfigResourcesRequest::default();
            let reply = connection.call_version(&request, version, Duration::ZERO).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "resources with settings".to_owned(), None)?;
            let known = answer
                .config_resources
                .iter()
                .filter_map(|row| ConfigResource::from_wire(row.resource_type, &row.resource_name));
            let mut resources: Vec<_> = known.collect();
            resources.sort();
            Ok(resources)
        })
        .await
    }

    /// All settings of a resource, sorted by name.
    ///
    /// # Errors
    /// What the broker says, such as [`UnknownTopicOrPartition`](ringlog_protocol::ErrorCode::UnknownTopicOrPartition).
    pub async fn configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, ClientError> {
        if let ConfigResource::Topic(name) = resource {
            self.topic(name).await?;
        }
        self.retry(|| async {
            let request = DescribeConfigsRequest {
                resources: vec![DescribeConfigsResource {
                    resource_type: resource.kind(),
                    resource_name: resource.name().into(),
                    configuration_keys: None,
                }],
                ..Default::default()
            };
            let reply = self.serving(resource).await?.call(&request).await?;
            let mut entries = Vec::new();
            for row in reply.read()?.results {
                ClientError::check(row.error_code, || resource.to_string(), row.error_message.as_deref())?;
                entries.extend(row.configs.into_iter().map(|config| ConfigEntry {
                    name: config.name.into_owned(),
                    value: config.value.map(Into::into),
                    source: ConfigSource::from_wire(config.config_source),
                    read_only: config.read_only,
                    sensitive: config.is_sensitive,
                    documentation: config.documentation.map(Into::into),
                }));
            }
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        })
        .await
    }

    /// Changes settings of a resource, all or none, and leaves the others as they are (KIP-339).
    ///
    /// # Errors
    /// [`InvalidConfig`](ringlog_protocol::ErrorCode::InvalidConfig) and others.
    pub async fn alter_configs(&self, resource: &ConfigResource, changes: &[ConfigChange]) -> Result<(), ClientError> {
        if let ConfigResource::Topic(name) = resource {
            self.topic(name).await?;
        }
        self.retry(|| async {
            let request = IncrementalAlterConfigsRequest {
                resources: vec![AlterConfigsResource {
                    resource_type: resource.kind(),
                    resource_name: resource.name().into(),
                    configs: changes.iter().map(ConfigChange::wire).collect(),
                }],
                validate_only: false,
            };
            let reply = self.serving(resource).await?.call(&request).await?;
            reply.read()?.responses.iter().try_for_each(|row| {
                ClientError::check(row.error_code, || resource.to_string(), row.error_message.as_deref())
            })
        })
        .await
    }

    /// Only a broker itself knows its own settings.
    async fn serving(&self, resource: &ConfigResource) -> Result<Connection, ClientError> {
        match resource {
            ConfigResource::Broker(id) | ConfigResource::BrokerLogger(id) => self.client.node(*id, Lane::SHARED).await,
            _ => self.client.controller().await,
        }
    }
}

impl ConfigChange {
    fn wire(&self) -> AlterableConfig<'_> {
        let (name, config_operation, value) = match self {
            Self::Set(name, value) => (name, 0, Some(value)),
            Self::Delete(name) => (name, 1, None),
            Self::Append(name, value) => (name, 2, Some(value)),
            Self::Subtract(name, value) => (name, 3, Some(value)),
        };
        AlterableConfig { name: name.into(), config_operation, value: value.map(Into::into) }
    }
}
