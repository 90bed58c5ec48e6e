//! `ringlog serve`: a broker in the foreground.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use ringlog_broker::Server;
use ringlog_settings::{BrokerConfig, LogFormat, Properties};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Options of `ringlog serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Settings, as Kafka's server.properties has them; engine/CONFIG.md lists them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory (log.dirs); made when it is missing
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address to listen on (listeners) [default: 127.0.0.1:9092]; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// A setting; beats the file
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Stops, as at SIGTERM, when standard input ends: who holds the other end of a pipe takes the broker with it, however it ends
    #[arg(long)]
    until_eof: bool,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (config, sources, notices) =
            BrokerConfig::from_properties(&self.properties()?).map_err(|error| Failure::Usage(error.to_string()))?;
        log_to_stderr(config.logging_format);
        for notice in notices {
            tracing::info!("{notice}");
        }
        let data = config.log_dir.display().to_string();
        let failed = |error: ringlog_broker::ServerError| Failure::Other(error.to_string());
        let server = Server::start(config, sources).map_err(failed)?;
        let (address, backend) = (server.address(), server.backend().to_owned());
        let metrics = server.metrics_address().map(|address| format!(" metrics=http://{address}/metrics"));
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "ringlog ready: kafka://{address} data={data} io={backend}{}", metrics.unwrap_or_default())?;
        stdout.flush()?;
        drop(stdout);
        let until_eof = self.until_eof;
        let stop = async move {
            match until_eof {
                true => tokio::select! { () = asked_to_stop() => {}, () = end_of_input() => {} },
                false => asked_to_stop().await,
            }
        };
        server.run(stop).map_err(failed)
    }

    /// The file, then the options of their own, then `--set`.
    fn properties(&self) -> Result<Properties, Failure> {
        let usage = |error: ringlog_settings::SettingsError| Failure::Usage(error.to_string());
        let mut properties = match &self.config {
            None => Properties::default(),
            Some(path) => {
                let unreadable = |error| Failure::Usage(format!("--config {}: {error}", path.display()));
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                Properties::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?
            }
        };
        if let Some(data) = &self.data {
            properties.insert("log.dirs", &data.display().to_string());
        }
        if let Some(listen) = &self.listen {
            properties.insert("listeners", &format!("PLAINTEXT://{listen}"));
            // The file's address for clients goes with the file's listener.
            properties.insert("advertised.listeners", "");
        }
        for setting in &self.settings {
            properties.set(setting).map_err(usage)?;
        }
        Ok(properties)
    }
}

/// `RINGLOG_LOG` says what is logged, in the words of tracing's `EnvFilter`.
fn log_to_stderr(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("RINGLOG_LOG").unwrap_or_else(|_| "info".into());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
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

/// Resolves when standard input ends. What comes before is thrown away.
async fn end_of_input() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}
