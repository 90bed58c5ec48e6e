//! `ringlog log-dirs`: where brokers keep their partitions, and how much room there is.

use clap::Args;
use ringlog_client::ErrorCode;

use crate::connection::Broker;
use crate::failure::Failure;
use crate::table::{Cell, Table};

#[derive(Debug, Args)]
pub(crate) struct LogDirs {
    #[command(flatten)]
    broker: Broker,
    /// Show each partition instead of each directory
    #[arg(long)]
    partitions: bool,
    /// Only partitions of this topic
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Only those of this broker; may be repeated
    #[arg(long = "broker", value_name = "ID")]
    brokers: Vec<i32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl LogDirs {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut dirs = self.broker.admin().await?.log_dirs().await?;
        if let Some(topic) = &self.topic {
            dirs.iter_mut().for_each(|dir| dir.partitions.retain(|log| log.partition.topic == *topic));
        }
        dirs.retain(|dir| self.brokers.is_empty() || self.brokers.contains(&dir.broker));
        let mut table = if self.partitions {
            Table::new(&["BROKER", "LOG-DIR", "TOPIC", "PARTITION", "SIZE-BYTES", "OFFSET-LAG", "FUTURE"])
        } else {
            Table::new(&["BROKER", "LOG-DIR", "PARTITIONS", "SIZE-BYTES", "USABLE-BYTES", "TOTAL-BYTES", "ERROR"])
        };
        for dir in dirs {
            let broker = Cell::Number(dir.broker.into());
            if self.partitions {
                // It has no rows to say it in.
                if let Some(error) = dir.error {
                    eprintln!("log directory {} of broker {broker}: {error}", dir.path);
                }
                for log in dir.partitions {
                    let (topic, index) = (log.partition.topic.to_string(), log.partition.partition);
                    let place = [broker.clone(), dir.path.clone().into(), topic.into(), Cell::Number(index.into())];
                    let [broker, path, topic, index] = place;
                    table.push([
                        broker,
                        path,
                        topic,
                        index,
                        Cell::Number(log.size_bytes),
                        Cell::Number(log.offset_lag),
                        Cell::Flag(log.future),
                    ]);
                }
            } else {
                let partitions = Cell::Number(i64::try_from(dir.partitions.len()).unwrap_or(i64::MAX));
                let size = Cell::Number(dir.partitions.iter().map(|log| log.size_bytes).sum());
                let [usable, total] =
                    [dir.usable_bytes, dir.total_bytes].map(|bytes| bytes.map_or(Cell::Missing, Cell::Number));
                let error = dir.error.map(ErrorCode::name).into();
                table.push([broker, dir.path.into(), partitions, size, usable, total, error]);
            }
        }
        table.print(self.json)
    }
}
