//! The `.snapshot` file: the producers as they were at the offset in its name.

use std::collections::VecDeque;

use ringlog_record::crc32c;

use crate::producer_state::{NO_SEQUENCE, ProducedBatch, Producer, Producers};

const VERSION: u16 = 1;
/// Version, CRC-32C of all that follows it, count.
const HEAD_BYTES: usize = size_of::<u16>() + CRC_BYTES + size_of::<u32>();
const CRC_BYTES: usize = size_of::<u32>();
/// Id, epoch, last sequence, last offset, offset delta, timestamp, coordinator epoch, first offset of the transaction.
const PRODUCER_BYTES: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
const _: () = assert!(HEAD_BYTES == 10 && PRODUCER_BYTES == 46);
const NO_OFFSET: i64 = -1;

/// The file's bytes. Of each producer only the last batch is stored.
pub(crate) fn encode(producers: &Producers) -> Vec<u8> {
    let producers = producers.list();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + producers.len() * PRODUCER_BYTES);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend([0; CRC_BYTES]);
    bytes.extend((producers.len() as u32).to_be_bytes());
    for producer in &producers {
        let last = producer.batches.back();
        bytes.extend(producer.producer_id.to_be_bytes());
        bytes.extend(producer.epoch.to_be_bytes());
        bytes.extend(producer.last_sequence().to_be_bytes());
        bytes.extend(last.map_or(NO_OFFSET, |batch| batch.last_offset).to_be_bytes());
        bytes.extend(last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
        bytes.extend(producer.last_timestamp_ms.to_be_bytes());
        bytes.extend(producer.coordinator_epoch.to_be_bytes());
        bytes.extend(producer.transaction_first_offset.unwrap_or(NO_OFFSET).to_be_bytes());
    }
    let (head, body) = bytes.split_at_mut(size_of::<u16>() + CRC_BYTES);
    head[size_of::<u16>()..].copy_from_slice(&crc32c(body).to_be_bytes());
    bytes
}

/// The producers that a `.snapshot` file of these bytes holds, for who looks at files.
///
/// # Errors
/// What is wrong with it.
pub fn producers_in_snapshot(bytes: &[u8]) -> Result<Vec<Producer>, &'static str> {
    decode(bytes).map(|producers| producers.list())
}

/// The producers that the file holds; what is wrong with it when it can't be used.
pub(crate) fn decode(bytes: &[u8]) -> Result<Producers, &'static str> {
    let mut reader = Reader(bytes);
    let truncated = "it ends early";
    if u16::from_be_bytes(reader.take().ok_or(truncated)?) != VERSION {
        return Err("its version is not 1");
    }
    let crc = u32::from_be_bytes(reader.take().ok_or(truncated)?);
    if crc != crc32c(reader.0) {
        return Err("its CRC does not match");
    }
    let count = u32::from_be_bytes(reader.take().ok_or(truncated)?);
    let mut producers = Producers::default();
    for _ in 0..count {
        producers.insert(reader.producer().ok_or(truncated)?);
    }
    Ok(producers)
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn producer(&mut self) -> Option<Producer> {
        let producer_id = i64::from_be_bytes(self.take()?);
        let epoch = i16::from_be_bytes(self.take()?);
        let last = ProducedBatch {
            last_sequence: i32::from_be_bytes(self.take()?),
            last_offset: i64::from_be_bytes(self.take()?),
            offset_delta: i32::from_be_bytes(self.take()?),
            timestamp_ms: i64::from_be_bytes(self.take()?),
        };
        let coordinator_epoch = i32::from_be_bytes(self.take()?);
        let first_offset = i64::from_be_bytes(self.take()?);
        let wrote = last.last_sequence != NO_SEQUENCE && last.last_offset != NO_OFFSET;
        Some(Producer {
            producer_id,
            epoch,
            batches: wrote.then_some(last).into_iter().collect::<VecDeque<_>>(),
            last_timestamp_ms: last.timestamp_ms,
            coordinator_epoch,
            transaction_first_offset: (first_offset >= 0).then_some(first_offset),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer_state::tests::header;

    #[test]
    fn a_snapshot_has_kafkas_bytes_and_reads_back() {
        let mut producers = Producers::default();
        producers.apply(&header(0x0102, 3, 4, 2, 0x10), None);
        let bytes = encode(&producers);
        let body = [
            &[0, 0, 0, 1][..],
            &[0, 0, 0, 0, 0, 0, 1, 2],
            &[0, 3],
            &[0, 0, 0, 5],
            &[0, 0, 0, 0, 0, 0, 0, 0x11],
            &[0, 0, 0, 1],
            &[0, 0, 0, 0, 0, 0, 3, 232],
            &[255; 4],
            &[255; 8],
        ]
        .concat();
        assert_eq!(bytes[..2], [0, 1]);
        assert_eq!(bytes[2..6], crc32c(&body).to_be_bytes());
        assert_eq!(bytes[6..], body);
        assert_eq!(decode(&bytes).unwrap(), producers);
        assert_eq!(encode(&Producers::default()).len(), HEAD_BYTES);
    }

    #[test]
    fn a_flipped_bit_or_a_lost_byte_anywhere_is_found() {
        let mut producers = Producers::default();
        producers.apply(&header(1, 0, 0, 1, 0), None);
        let bytes = encode(&producers);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(decode(&bad).is_err(), "byte {at}");
            assert!(decode(&bytes[..at]).is_err(), "cut to {at}");
        }
    }
}
