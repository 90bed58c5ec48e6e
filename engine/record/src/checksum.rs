//! CRC-32C (Castagnoli), the checksum of a batch.

/// CRC-32C of `bytes`, as a batch header stores it: over everything from the attributes to the end of the batch.
///
/// Folds with the processor's carry-less multiplication where it has one; `engine/decisions/0002-crc32c.md` says why.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_check_value_of_the_crc_catalogue_is_met() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    proptest! {
        #[test]
        fn another_implementation_agrees(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert_eq!(crc32c(&bytes), ::crc32c::crc32c(&bytes));
        }
    }
}
