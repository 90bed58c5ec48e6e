//! `ringlog delete-records`: deletes the beginning of a partition.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use ringlog_client::TopicPartition;

use crate::connection::Broker;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct DeleteRecords {
    #[command(flatten)]
    broker: Broker,
    /// The topic
    topic: String,
    /// The partition
    #[arg(long)]
    partition: i32,
    /// The first offset to be kept, or 'latest' to keep none
    #[arg(long, value_name = "OFFSET", value_parser = before)]
    before: i64,
}

/// On the wire −1 is the end.
fn before(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(offset) if offset >= 0 => Ok(offset),
        _ if text == "latest" => Ok(-1),
        _ => Err("an offset from 0, or 'latest', is needed".to_owned()),
    }
}

impl DeleteRecords {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let partition = TopicPartition::new(self.topic, self.partition);
        let asked = BTreeMap::from([(partition.clone(), self.before)]);
        let starts = self.broker.admin().await?.delete_records(&asked).await?;
        let start = starts.get(&partition).copied().unwrap_or(self.before);
        Ok(writeln!(io::stdout(), "{partition} begins at offset {start}")?)
    }
}
