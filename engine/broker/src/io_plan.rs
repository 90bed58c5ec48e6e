//! Which way data takes to the disk and to sockets: what works here, and what was measured to be best (`io.profile`).

use std::path::Path;

use ringlog_io::{Choice, Place, Wanted, probe};
use ringlog_settings::{Backend, BrokerConfig, HostProfile};
use tracing::{info, warn};

use crate::outbox::SENDFILE_MIN_BYTES;
use crate::server::ServerError;

/// What every shard goes by.
pub(crate) struct IoPlan {
    /// The way to the disk.
    pub(crate) disk: Choice,
    /// From so many bytes on, a stretch of a file is sent by sendfile.
    pub(crate) sendfile_min_bytes: usize,
}

/// Reads the profile, if one is named, and probes the data directory, which exists.
pub(crate) fn plan(config: &BrokerConfig) -> Result<IoPlan, ServerError> {
    let profile = config.io_profile.as_deref().map(|path| read(path, &config.log_dir)).transpose()?;
    let backend = match (config.io_backend, &profile) {
        (Backend::Auto, Some(profile)) => profile.write_backend,
        (asked, _) => asked,
    };
    // What a profile prefers may have been taken away since: only a setting insists.
    let wanted = match backend {
        Backend::Uring if config.io_backend == Backend::Uring => Wanted::Uring,
        Backend::Auto | Backend::Uring => Wanted::Auto,
        Backend::Syscall => Wanted::Syscall,
    };
    let path = config.log_dir.display().to_string();
    let mut disk = probe(&config.log_dir, wanted).map_err(|source| ServerError::DataDirectory { path, source })?;
    match &disk.remedy {
        Some(remedy) => warn!(backend = ?disk.backend, reason = disk.reason, remedy, "disk backend"),
        None => info!(backend = ?disk.backend, reason = disk.reason, "disk backend"),
    }
    let Some(profile) = profile else { return Ok(IoPlan { disk, sendfile_min_bytes: SENDFILE_MIN_BYTES }) };
    disk.limits.inline_write_bytes = profile.write_inline_max_bytes;
    info!(
        profile = %config.io_profile.as_deref().unwrap_or(Path::new("")).display(),
        backend = ?disk.backend,
        write_inline_max_bytes = profile.write_inline_max_bytes,
        sendfile_min_bytes = profile.sendfile_min_bytes,
        "host profile in use"
    );
    Ok(IoPlan { disk, sendfile_min_bytes: profile.sendfile_min_bytes })
}

fn read(path: &Path, directory: &Path) -> Result<HostProfile, ServerError> {
    let refuse = |reason: String| ServerError::Profile { path: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let profile = HostProfile::parse(&text).map_err(|error| refuse(error.to_string()))?;
    let here = Place::of(directory).map_err(|error| refuse(error.to_string()))?;
    profile.check(&here.kernel, &here.filesystem).map_err(refuse)?;
    Ok(profile)
}
