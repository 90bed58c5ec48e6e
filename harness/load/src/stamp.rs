//! What stands in front of every value: who sent it, which one it is, when it was due, and a checksum of it all.

use ringlog_record::crc32c;

/// Bytes of a stamp: so long is the shortest value that can be verified.
pub const STAMP_BYTES: usize = 24;
const CRC_BYTES: usize = 4;

/// What a value says of itself.
///
/// ```text
/// crc32c u32 | producer u32 | sequence u64 | due u64 | text …        all big-endian
/// ```
/// The checksum is that of all that follows it, mixed with run and slot, and with the record's key: a record of another run, in
/// another partition than it was sent to, or with another key or none, does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Which producer.
    pub(crate) producer: u32,
    /// Which of its records to this slot, from 0.
    pub(crate) sequence: u64,
    /// When it was due, [`monotonic_ns`](crate::monotonic_ns).
    pub(crate) due_ns: u64,
}

/// What run and slot add to a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Salt(u32);

impl Salt {
    pub(crate) fn new(run: u32, slot: u32) -> Salt {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&run.to_be_bytes());
        bytes[4..].copy_from_slice(&slot.to_be_bytes());
        Salt(crc32c(&bytes))
    }

    /// With what the key adds. Multiplied, or the same flip in a key and in its value would cancel out.
    fn of(self, key: Option<&[u8]>) -> u32 {
        const ODD: u32 = 0x9E37_79B1;
        self.0 ^ key.map_or(0, |key| (!crc32c(key)).wrapping_mul(ODD))
    }
}

impl Stamp {
    /// Makes `value` this stamp with `text` behind it, for a record of this key.
    pub(crate) fn write(self, salt: Salt, key: Option<&[u8]>, text: &[u8], value: &mut Vec<u8>) {
        value.clear();
        value.extend_from_slice(&[0; CRC_BYTES]);
        value.extend_from_slice(&self.producer.to_be_bytes());
        value.extend_from_slice(&self.sequence.to_be_bytes());
        value.extend_from_slice(&self.due_ns.to_be_bytes());
        value.extend_from_slice(text);
        let crc = crc32c(&value[CRC_BYTES..]) ^ salt.of(key);
        value[..CRC_BYTES].copy_from_slice(&crc.to_be_bytes());
    }

    /// The stamp of a value that is whole, and where it belongs, with the key that it was given.
    pub(crate) fn read(salt: Salt, key: Option<&[u8]>, value: &[u8]) -> Option<Stamp> {
        let (crc, rest) = value.split_first_chunk::<CRC_BYTES>()?;
        let (producer, fields) = rest.split_first_chunk()?;
        let (sequence, fields) = fields.split_first_chunk()?;
        let (due_ns, _) = fields.split_first_chunk()?;
        (u32::from_be_bytes(*crc) == crc32c(rest) ^ salt.of(key)).then(|| Stamp {
            producer: u32::from_be_bytes(*producer),
            sequence: u64::from_be_bytes(*sequence),
            due_ns: u64::from_be_bytes(*due_ns),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { producer: 7, sequence: 1 << 40, due_ns: u64::MAX - 1 };

    #[test]
    fn a_stamp_comes_back_from_where_it_belongs_and_from_nowhere_else() {
        let (salt, mut value) = (Salt::new(5, 3), Vec::new());
        STAMP.write(salt, None, b"text", &mut value);
        assert_eq!(value.len(), STAMP_BYTES + 4);
        assert_eq!(Stamp::read(salt, None, &value), Some(STAMP));
        assert_eq!(Stamp::read(Salt::new(5, 4), None, &value), None, "another partition");
        assert_eq!(Stamp::read(Salt::new(6, 3), None, &value), None, "another run");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let (salt, key, mut value) = (Salt::new(5, 3), *b"k0000042", Vec::new());
        STAMP.write(salt, Some(&key), b"some text", &mut value);
        assert_eq!(Stamp::read(salt, Some(&key), &value), Some(STAMP));
        let flipped = |bytes: &[u8], bit: usize| {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        };
        for bit in 0..value.len() * 8 {
            assert_eq!(Stamp::read(salt, Some(&key), &flipped(&value, bit)), None, "bit {bit}");
        }
        for bit in 0..key.len() * 8 {
            let other = flipped(&key, bit);
            assert_eq!(Stamp::read(salt, Some(&other), &value), None, "bit {bit} of the key");
            let both = flipped(&value, (value.len() - key.len()) * 8 + bit);
            assert_eq!(
                Stamp::read(salt, Some(&other), &both),
                None,
                "bit {bit} of the key, as far from the value's end"
            );
        }
        for cut in 0..value.len() {
            assert_eq!(Stamp::read(salt, Some(&key), &value[..cut]), None, "cut to {cut} bytes");
        }
    }

    #[test]
    fn a_key_that_is_gone_new_empty_or_anothers_is_seen() {
        let (salt, keys) = (Salt::new(5, 3), [None, Some(&b""[..]), Some(b"k0000001"), Some(b"k0000002")]);
        for sent in keys {
            let mut value = Vec::new();
            STAMP.write(salt, sent, b"text", &mut value);
            for come in keys {
                assert_eq!(
                    Stamp::read(salt, come, &value),
                    Some(STAMP).filter(|_| come == sent),
                    "{sent:?} as {come:?}"
                );
            }
        }
    }
}
