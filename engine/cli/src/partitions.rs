//! The options that name partitions of a topic.

use clap::Args;
use ringlog_client::{Admin, TopicPartition};

use crate::failure::Failure;

/// Which partitions.
#[derive(Debug, Args)]
pub(crate) struct Partitions {
    /// The topic
    topic: Option<String>,
    /// Only this partition of the topic; may be repeated
    #[arg(long = "partition", value_name = "P", requires = "topic")]
    partitions: Vec<i32>,
}

impl Partitions {
    /// Whether a topic is named.
    pub(crate) fn are_named(&self) -> bool {
        self.topic.is_some()
    }

    /// The partitions, which exist; without a topic those of all that have a leader: the others can't be asked anything.
    pub(crate) async fn of(self, admin: &Admin) -> Result<Vec<TopicPartition>, Failure> {
        let topics = match &self.topic {
            Some(name) => vec![admin.topic(name).await?],
            None => admin.topics().await?,
        };
        let mut chosen = Vec::new();
        for topic in topics {
            for &index in &self.partitions {
                topic.partition(index)?;
            }
            let all = 0..i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let is_meant = |index: &i32| match self.topic {
                Some(_) => self.partitions.is_empty() || self.partitions.contains(index),
                None => topic.leader(*index).is_ok(),
            };
            chosen.extend(all.filter(is_meant).map(|index| TopicPartition::new(&topic.name, index)));
        }
        Ok(chosen)
    }
}
