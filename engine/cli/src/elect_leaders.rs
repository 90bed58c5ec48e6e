//! `ringlog elect-leaders`: gives partitions back to their preferred leaders, or to any that is left.

use clap::Args;
use ringlog_client::{Election, ErrorCode};

use crate::connection::Broker;
use crate::failure::Failure;
use crate::partitions::Partitions;
use crate::table::Table;

#[derive(Debug, Args)]
pub(crate) struct ElectLeaders {
    #[command(flatten)]
    broker: Broker,
    #[command(flatten)]
    of: Partitions,
    /// For the partitions of all topics
    #[arg(long, conflicts_with = "topic")]
    all: bool,
    /// Not the first replica, but any that is up, where none is in sync: what the others had acknowledged may be lost
    #[arg(long)]
    unclean: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ElectLeaders {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if !self.all && !self.of.are_named() {
            return Err(Failure::Usage("for which partitions? Name a topic, or give --all".to_owned()));
        }
        let election = if self.unclean { Election::Unclean } else { Election::Preferred };
        let admin = self.broker.admin().await?;
        let named = if self.all { None } else { Some(self.of.of(&admin).await?) };
        let outcomes = admin.elect_leaders(election, named.as_deref()).await?;
        let failed = outcomes.values().filter(|outcome| outcome.is_err()).count();
        let mut table = Table::new(&["TOPIC", "PARTITION", "ERROR"]);
        for (partition, outcome) in outcomes {
            let error = outcome.err().map(|error| error.code().map_or_else(|| error.to_string(), ErrorCode::name));
            table.push([partition.topic.into(), partition.partition.into(), error.into()]);
        }
        if table.is_empty() && !self.json {
            eprintln!("no partition needed another leader");
            return Ok(());
        }
        table.print(self.json)?;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::Other(format!("{failed} of these partitions got no new leader"))),
        }
    }
}
