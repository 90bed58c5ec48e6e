//! What the metadata log says, as of one moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ringlog_protocol::Uuid;

use crate::{Change, ClientQuotas, ConfigScope, ScramCredential, ScramMechanism};

/// Topics, configurations, quotas and credentials. Never changes: a change makes another one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Image {
    topics: BTreeMap<Arc<str>, Arc<TopicImage>>,
    names: HashMap<Uuid, Arc<str>>,
    /// Deleted topics of which directories may be left: id and name.
    removing: BTreeMap<Uuid, Arc<str>>,
    broker_configs: BTreeMap<String, String>,
    default_broker_configs: BTreeMap<String, String>,
    quotas: Arc<ClientQuotas>,
    scram_credentials: Arc<BTreeMap<String, BTreeMap<ScramMechanism, ScramCredential>>>,
    offset: u64,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicImage {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// What is set on it.
    pub configs: BTreeMap<String, String>,
}

impl Image {
    /// The topic of that name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(name)
    }

    /// The topic with that id.
    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicImage>> {
        self.topics.get(self.names.get(&id)?)
    }

    /// Every topic, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topics.values()
    }

    /// Deleted topics of which directories may be left.
    #[must_use]
    pub fn removing(&self) -> &BTreeMap<Uuid, Arc<str>> {
        &self.removing
    }

    /// What is set on this broker.
    #[must_use]
    pub fn broker_configs(&self) -> &BTreeMap<String, String> {
        &self.broker_configs
    }

    /// What is set for every broker.
    #[must_use]
    pub fn default_broker_configs(&self) -> &BTreeMap<String, String> {
        &self.default_broker_configs
    }

    /// The quotas of every entity that has any.
    #[must_use]
    pub fn quotas(&self) -> &Arc<ClientQuotas> {
        &self.quotas
    }

    /// The credentials of every user who has any.
    #[must_use]
    pub fn scram_credentials(&self) -> &BTreeMap<String, BTreeMap<ScramMechanism, ScramCredential>> {
        &self.scram_credentials
    }

    /// How many changes have been made since the log was begun.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Makes a change. One that does not fit says why: it was not made by this code, or not to this image.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), String> {
        match change {
            Change::TopicCreated { name, id, partitions, configs } => {
                if self.topics.contains_key(&**name) || self.names.contains_key(id) {
                    return Err(format!("topic {name} with id {id} is there already"));
                }
                let name: Arc<str> = name.as_str().into();
                self.names.insert(*id, name.clone());
                let topic =
                    TopicImage { name: name.clone(), id: *id, partitions: *partitions, configs: configs.clone() };
                self.topics.insert(name, Arc::new(topic));
            }
            Change::PartitionsAdded { id, total } => self.topic_mut(*id)?.partitions = *total,
            Change::TopicDeleted { id } => {
                let name = self.names.remove(id).ok_or_else(|| format!("no topic has id {id}"))?;
                self.topics.remove(&name);
                self.removing.insert(*id, name);
            }
            Change::TopicRemoved { id } => {
                self.removing.remove(id).ok_or_else(|| format!("no topic with id {id} was deleted"))?;
            }
            Change::Configs { scope: ConfigScope::Topic(id), configs } => {
                self.topic_mut(*id)?.configs.clone_from(configs);
            }
            Change::Configs { scope: ConfigScope::Broker, configs } => self.broker_configs.clone_from(configs),
            Change::Configs { scope: ConfigScope::Brokers, configs } => self.default_broker_configs.clone_from(configs),
            Change::Quotas { entity, quotas } => {
                let all = Arc::make_mut(&mut self.quotas);
                match quotas.is_empty() {
                    true => drop(all.remove(entity)),
                    false => drop(all.insert(entity.clone(), quotas.clone())),
                }
            }
            Change::ScramCredentialSet { user, mechanism, credential } => {
                let held = Arc::make_mut(&mut self.scram_credentials).entry(user.clone()).or_default();
                held.insert(*mechanism, credential.clone());
            }
            Change::ScramCredentialRemoved { user, mechanism } => {
                let all = Arc::make_mut(&mut self.scram_credentials);
                let missing = || format!("user {user:?} has no {mechanism} credential");
                let held = all.get_mut(user).ok_or_else(missing)?;
                held.remove(mechanism).ok_or_else(missing)?;
                if held.is_empty() {
                    all.remove(user);
                }
            }
            Change::Rewritten { offset } => {
                self.offset = *offset;
                return Ok(());
            }
        }
        self.offset += 1;
        Ok(())
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut TopicImage, String> {
        let topic = self.names.get(&id).and_then(|name| self.topics.get_mut(name));
        topic.map(Arc::make_mut).ok_or_else(|| format!("no topic has id {id}"))
    }

    /// The changes that make this image out of nothing.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let created = |topic: &Arc<TopicImage>| Change::TopicCreated {
            name: topic.name.to_string(),
            id: topic.id,
            partitions: topic.partitions,
            configs: topic.configs.clone(),
        };
        let removing = self.removing.iter().flat_map(|(id, name)| {
            let gone =
                Change::TopicCreated { name: name.to_string(), id: *id, partitions: 0, configs: BTreeMap::new() };
            [gone, Change::TopicDeleted { id: *id }]
        });
        let configs =
            [(ConfigScope::Broker, &self.broker_configs), (ConfigScope::Brokers, &self.default_broker_configs)];
        let configs = configs.into_iter().filter(|(_, configs)| !configs.is_empty());
        let quotas = self.quotas.iter();
        let quotas = quotas.map(|(entity, quotas)| Change::Quotas { entity: entity.clone(), quotas: quotas.clone() });
        let credentials = self.scram_credentials.iter().flat_map(|(user, credentials)| {
            credentials.iter().map(|(mechanism, credential)| Change::ScramCredentialSet {
                user: user.clone(),
                mechanism: *mechanism,
                credential: credential.clone(),
            })
        });
        // The deleted ones first: their names may be taken again.
        removing
            .chain(self.topics.values().map(created))
            .chain(configs.map(|(scope, configs)| Change::Configs { scope, configs: configs.clone() }))
            .chain(quotas)
            .chain(credentials)
            .chain([Change::Rewritten { offset: self.offset }])
            .collect()
    }
}
