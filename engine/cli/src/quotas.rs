//! `ringlog quotas`: what users, client ids and addresses may take.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, Subcommand};
use ringlog_client::{Admin, QuotaEntity, QuotaMatch};

use crate::connection::{Broker, name_and_value};
use crate::failure::Failure;
use crate::table::{Cell, Table};

/// The types that an entity is made of.
const TYPES: [&str; 3] = ["user", "client-id", "ip"];
/// What is shown for everyone of a type who has no quota by name.
const DEFAULT: &str = "(default)";

#[derive(Debug, Args)]
pub(crate) struct Quotas {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the quotas of these, or all
    List {
        #[command(flatten)]
        of: Entity,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set and remove quotas, all or none; the others stay
    Alter {
        #[command(flatten)]
        of: Entity,
        /// A quota, such as producer_byte_rate=1048576 (bytes a second); may be repeated
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = quota)]
        set: Vec<(String, f64)>,
        /// A quota to remove; may be repeated
        #[arg(long = "delete", value_name = "NAME")]
        deleted: Vec<String>,
    },
}

/// Whose quotas. A user's in connection with a client id is neither the user's nor the client id's.
#[derive(Debug, Args)]
struct Entity {
    /// Of this user
    #[arg(long, value_name = "NAME", conflicts_with_all = ["default_user", "ip", "default_ip"])]
    user: Option<String>,
    /// Of every user without one by name
    #[arg(long, conflicts_with_all = ["ip", "default_ip"])]
    default_user: bool,
    /// Of this client.id
    #[arg(long, value_name = "ID", conflicts_with_all = ["default_client_id", "ip", "default_ip"])]
    client_id: Option<String>,
    /// Of every client.id without one by name
    #[arg(long, conflicts_with_all = ["ip", "default_ip"])]
    default_client_id: bool,
    /// Of this address
    #[arg(long, value_name = "ADDRESS", conflicts_with = "default_ip")]
    ip: Option<String>,
    /// Of every address without one of its own
    #[arg(long)]
    default_ip: bool,
}

impl Entity {
    fn names(self) -> QuotaEntity {
        let Self { user, default_user, client_id, default_client_id, ip, default_ip } = self;
        let given = [(user, default_user), (client_id, default_client_id), (ip, default_ip)];
        let named = TYPES.into_iter().zip(given).filter(|(_, (name, default))| name.is_some() || *default);
        named.map(|(kind, (name, _))| (kind.to_owned(), name)).collect()
    }
}

fn quota(text: &str) -> Result<(String, f64), String> {
    let (name, value) = name_and_value(text)?;
    let value = value.trim().parse().map_err(|_| format!("'{value}' is no number"))?;
    Ok((name, value))
}

impl Quotas {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::List { of, json } => list(&self.broker.admin().await?, of.names(), json).await,
            Command::Alter { of, set, deleted } => {
                let entity = of.names();
                if entity.is_empty() {
                    return Err(Failure::Usage("whose quotas? Name a user, a client id or an address".to_owned()));
                }
                let set = set.into_iter().map(|(name, value)| (name, Some(value)));
                let changes: BTreeMap<_, _> = set.chain(deleted.into_iter().map(|name| (name, None))).collect();
                if changes.is_empty() {
                    return Err(Failure::Usage("nothing to alter: give --set or --delete".to_owned()));
                }
                self.broker.admin().await?.alter_quotas(&entity, &changes).await?;
                let of: Vec<_> = entity.iter().map(|(kind, name)| format!("{kind} {}", shown(name))).collect();
                Ok(writeln!(io::stdout(), "altered quotas of {}", of.join(", "))?)
            }
        }
    }
}

async fn list(admin: &Admin, named: QuotaEntity, json: bool) -> Result<(), Failure> {
    let filter = named.into_iter().map(|(kind, name)| (kind, name.map_or(QuotaMatch::Default, QuotaMatch::Name)));
    let mut table = Table::new(&["USER", "CLIENT-ID", "IP", "QUOTA", "VALUE"]);
    for (entity, quotas) in admin.quotas(&filter.collect(), false).await? {
        for (name, value) in quotas {
            let [user, client_id, ip] = TYPES.map(|kind| Cell::from(entity.get(kind).map(shown)));
            table.push([user, client_id, ip, name.into(), Cell::Real(value)]);
        }
    }
    if table.is_empty() && !json {
        eprintln!("no quota is set");
        return Ok(());
    }
    table.print(json)
}

fn shown(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or(DEFAULT)
}
