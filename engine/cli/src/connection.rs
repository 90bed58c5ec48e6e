//! The options that every command has which talks to a broker.

use std::time::Duration;

use clap::Args;
use ringlog_client::{Admin, Client, ClientOptions};

use crate::failure::Failure;

/// Which broker.
#[derive(Debug, Args)]
pub(crate) struct Broker {
    /// The brokers to ask first: HOST:PORT or kafka://HOST:PORT, several with commas
    #[arg(long, global = true, default_value = "127.0.0.1:9092", value_name = "HOST:PORT")]
    bootstrap: String,
    /// How long a command may try before it gives up, in seconds
    #[arg(long, global = true, default_value_t = 30, value_name = "SECONDS")]
    timeout: u64,
}

impl Broker {
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let mut options = ClientOptions::new(&self.bootstrap)?;
        options.api_timeout = Duration::from_secs(self.timeout);
        options.client_id = "ringlog-cli".to_owned();
        Ok(Client::connect(options).await?)
    }

    pub(crate) async fn admin(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.connect().await?))
    }
}

/// Reads `name=value`.
pub(crate) fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is not of the form NAME=VALUE"))?;
    Ok((name.trim().to_owned(), value.to_owned()))
}
