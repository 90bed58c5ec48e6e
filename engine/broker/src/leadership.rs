//! Leader epochs: whether a client speaks to the leader that it thinks it does (KIP-320).

use ringlog_log::Log;
use ringlog_protocol::ErrorCode;

/// The epoch that a partition is led in: that of its newest batch, 0 before there is one. A single broker leads every
/// partition for good; an adopted log brings the epochs of its former leaders.
pub(crate) fn leader_epoch(log: &Log) -> i32 {
    log.latest_epoch().max(0)
}

/// Refuses a request that was meant for an older or a newer leader. −1 stands for a client that does not care.
pub(crate) fn check_epoch(log: &Log, claimed: i32) -> Result<(), ErrorCode> {
    match claimed {
        -1 => Ok(()),
        claimed if claimed < leader_epoch(log) => Err(ErrorCode::FencedLeaderEpoch),
        claimed if claimed > leader_epoch(log) => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}
