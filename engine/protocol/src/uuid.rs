//! The 128-bit ids of topics, directories and clusters.

use std::{fmt, str::FromStr};

/// An id of 128 bits. Kafka writes it as 22 characters of URL-safe base64, in files as on the command line.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

/// Text that is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id: 22 characters of A-Z, a-z, 0-9, - and _ are needed")]
pub struct ParseUuidError {
    text: String,
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// The id that stands for none.
    pub const ZERO: Self = Self([0; 16]);

    /// Whether this stands for none.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 22 digits of 6 bits hold 132 bits: the id, and four zeros below it, of which the first 128 bits are the
        // number.
        let bits = u128::from_be_bytes(self.0);
        (0..22).try_for_each(|digit| {
            let value = if digit < 21 { bits >> (122 - 6 * digit) } else { bits << 4 };
            write!(f, "{}", DIGITS[(value & 63) as usize] as char)
        })
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseUuidError { text: text.chars().take(64).collect() };
        if text.len() != 22 {
            return Err(malformed());
        }
        let mut bits = 0u128;
        for (index, byte) in text.bytes().enumerate() {
            let digit = DIGITS.iter().position(|digit| *digit == byte).ok_or_else(malformed)? as u128;
            bits = if index < 21 { bits << 6 | digit } else { bits << 2 | digit >> 4 };
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_22_characters_and_back() {
        let id = Uuid(*b"\x00\x10\x83\x10Q\x87 \x92\x8b0\xd3\x8fA\x14\x93\xfb");
        assert_eq!(id.to_string(), "ABCDEFGHIJKLMNOPQRST-w");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
    }

    #[test]
    fn what_is_not_22_base64_digits_is_refused() {
        for text in ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(text.parse::<Uuid>().is_err(), "{text}");
        }
    }
}
