//! Reads a partition of `__consumer_offsets` from its start to its end.

use ringlog_coordinator::Coordinator;
use ringlog_log::{Log, LogError, Visible};
use ringlog_record::batches;
use tracing::warn;

use super::record;

/// Bytes read at a time.
const STEP_BYTES: usize = 1 << 20;
/// Bound of one batch's decompressed records.
const MAX_BATCH_BYTES: usize = 1 << 30;

/// Tells the coordinator of every change in the log.
///
/// # Errors
/// [`LogError`] when the log can't be read. A record that makes no sense is passed over with a line that names it: the other
/// groups go on.
pub(crate) fn replay(log: &Log, coordinator: &mut Coordinator) -> Result<(), LogError> {
    let mut offset = log.log_start_offset();
    while offset < log.log_end_offset() {
        let slice = log.read(offset, STEP_BYTES, true, Visible::LogEnd)?;
        if slice.length == 0 {
            break;
        }
        let mut bytes = vec![0; slice.length];
        let path = slice.file.path().to_owned();
        slice.file.read_exact_at(&mut bytes, slice.position).map_err(|source| LogError::Io {
            operation: "read",
            path,
            source: source.into(),
        })?;
        for batch in batches(&bytes) {
            let batch = batch?;
            offset = batch.header().next_offset();
            if batch.header().attributes.is_control() {
                continue;
            }
            for record in batch.records(MAX_BATCH_BYTES)?.iter() {
                let record = record?;
                match record.key.map(|key| record::decode(key, record.value)) {
                    Some(Ok(Some(change))) => coordinator.load(change),
                    Some(Ok(None)) => {}
                    Some(Err(error)) => warn!(log = %log.name(), offset = record.offset, %error, "record passed over"),
                    None => warn!(log = %log.name(), offset = record.offset, "record without a key passed over"),
                }
            }
        }
    }
    Ok(())
}
