//! `ringlog credentials`: what users prove themselves with (SCRAM).

use std::io::{self, Write};

use clap::{Args, Subcommand, ValueEnum};
use ringlog_client::{Admin, ScramMechanism};

use crate::connection::Broker;
use crate::failure::Failure;
use crate::table::Table;

#[derive(Debug, Args)]
pub(crate) struct Credentials {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the users who have a password, and how it is kept
    List {
        /// Only these; all when they are left out
        users: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Set a user's password: the first line of the standard input
    Set {
        /// The user
        user: String,
        #[command(flatten)]
        by: By,
        /// How often the password is hashed: 4096 to 16384
        #[arg(long, default_value_t = 4096, value_name = "N")]
        iterations: u32,
    },
    /// Take a user's password away
    Delete {
        /// The user
        user: String,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct By {
    /// The hash
    #[arg(long, default_value = "scram-sha-512")]
    mechanism: Mechanism,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mechanism {
    #[value(name = "scram-sha-256", alias = "SCRAM-SHA-256")]
    Sha256,
    #[value(name = "scram-sha-512", alias = "SCRAM-SHA-512")]
    Sha512,
}

impl By {
    fn mechanism(&self) -> ScramMechanism {
        match self.mechanism {
            Mechanism::Sha256 => ScramMechanism::Sha256,
            Mechanism::Sha512 => ScramMechanism::Sha512,
        }
    }
}

impl Credentials {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let admin = self.broker.admin().await?;
        match self.command {
            Command::List { users, json } => list(&admin, &users, json).await,
            Command::Set { user, by, iterations } => {
                let mechanism = by.mechanism();
                // Whatever stands in a command line can be seen by everyone on the machine.
                let password = first_line()?;
                admin.set_scram_credential(&user, mechanism, iterations, &password).await?;
                Ok(writeln!(io::stdout(), "set the {mechanism} password of user {user}")?)
            }
            Command::Delete { user, by } => {
                let mechanism = by.mechanism();
                admin.delete_scram_credential(&user, mechanism).await?;
                Ok(writeln!(io::stdout(), "deleted the {mechanism} password of user {user}")?)
            }
        }
    }
}

async fn list(admin: &Admin, users: &[String], json: bool) -> Result<(), Failure> {
    let named: Vec<_> = users.iter().map(String::as_str).collect();
    let mut table = Table::new(&["USER", "MECHANISM", "ITERATIONS"]);
    for (user, credentials) in admin.scram_credentials(&named).await? {
        for (mechanism, iterations) in credentials {
            table.push([user.as_str().into(), mechanism.to_string().into(), iterations.into()]);
        }
    }
    if table.is_empty() && !json {
        eprintln!("no user has a password");
        return Ok(());
    }
    table.print(json)
}

fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    read.map_err(|error| Failure::Read("the standard input".to_owned(), error))?;
    match line.trim_end_matches(['\n', '\r']) {
        "" => Err(Failure::Usage("the password is the first line of the standard input, which has none".to_owned())),
        password => Ok(password.to_owned()),
    }
}
