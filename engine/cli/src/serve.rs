//! `ringlog serve`: a broker in the foreground.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use ringlog_broker::{BrokerConfig, Server};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Options of `ringlog serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Data directory; made when it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    listen: SocketAddr,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let filter = tracing_subscriber::EnvFilter::try_from_env("RINGLOG_LOG").unwrap_or_else(|_| "info".into());
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
        let failed = |error: ringlog_broker::ServerError| Failure::Other(error.to_string());
        let server = Server::start(BrokerConfig::new(&self.data, self.listen)).map_err(failed)?;
        let (address, backend, data) = (server.address(), server.backend(), self.data.display());
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "ringlog ready: kafka://{address} data={data} io={backend}")?;
        stdout.flush()?;
        drop(stdout);
        server.run(asked_to_stop()).map_err(failed)
    }
}

/// Resolves at SIGTERM or SIGINT.
async fn asked_to_stop() {
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "signals can't be watched: only kill -9 will stop this broker");
            std::future::pending().await
        }
    }
}
