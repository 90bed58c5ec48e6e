//! Zigzag varints, the integers inside a record (those of Protocol Buffers' sint32 and sint64).

/// Most bytes that a varint takes, of 64 bits; one of 32 takes five.
pub(crate) const MAX_BYTES: usize = 10;
const MAX_BYTES_32: usize = 5;

/// Why there is no varint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoVarint {
    /// The bytes end before it does.
    Short,
    /// It takes more bytes, or its value more bits, than the type has.
    Wide,
}

/// Takes a 32-bit varint from the front of `bytes`.
#[inline]
pub(crate) fn read_i32(bytes: &mut &[u8]) -> Result<i32, NoVarint> {
    let raw = u32::try_from(read_unsigned(bytes, MAX_BYTES_32)?).map_err(|_| NoVarint::Wide)?;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Takes a 64-bit varint from the front of `bytes`.
#[inline]
pub(crate) fn read_i64(bytes: &mut &[u8]) -> Result<i64, NoVarint> {
    let raw = read_unsigned(bytes, MAX_BYTES)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[inline]
fn read_unsigned(bytes: &mut &[u8], max_bytes: usize) -> Result<u64, NoVarint> {
    // Nearly all integers of a record take one byte, most others two.
    match **bytes {
        [first, ref rest @ ..] if first < 0x80 => {
            *bytes = rest;
            Ok(u64::from(first))
        }
        [first, second, ref rest @ ..] if second < 0x80 => {
            *bytes = rest;
            Ok(u64::from(first & 0x7f) | u64::from(second) << 7)
        }
        _ => read_wide(bytes, max_bytes),
    }
}

fn read_wide(bytes: &mut &[u8], max_bytes: usize) -> Result<u64, NoVarint> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(max_bytes).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * at);
        if shifted >> (7 * at) != bits {
            return Err(NoVarint::Wide);
        }
        value |= shifted;
        if byte < 0x80 {
            *bytes = bytes.get(at + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(if bytes.len() < max_bytes { NoVarint::Short } else { NoVarint::Wide })
}

/// Appends `value` as a varint.
pub(crate) fn write(out: &mut Vec<u8>, value: i64) {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

/// Bytes that [`write`] takes for `value`.
pub(crate) fn len(value: i64) -> usize {
    (64 - (zigzag(value) | 1).leading_zeros() as usize).div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    (value << 1) as u64 ^ (value >> 63) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_and_as_long_as_said(value: i64, narrow: i32) {
            let mut out = Vec::new();
            write(&mut out, value);
            prop_assert_eq!(out.len(), len(value));
            prop_assert_eq!(read_i64(&mut &out[..]), Ok(value));
            out.clear();
            write(&mut out, i64::from(narrow));
            prop_assert_eq!(read_i32(&mut &out[..]), Ok(narrow));
        }
    }

    #[test]
    fn the_published_examples_of_zigzag_hold() {
        for (value, bytes) in
            [(0, &[0][..]), (-1, &[1]), (1, &[2]), (-64, &[0x7f]), (64, &[0x80, 1]), (300, &[0xd8, 4])]
        {
            let mut out = Vec::new();
            write(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn too_long_or_too_wide_is_no_varint() {
        assert_eq!(read_i32(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0][..]), Err(NoVarint::Wide), "six bytes");
        assert_eq!(read_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), Err(NoVarint::Wide), "33 bits");
        assert_eq!(read_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..]), Ok(i32::MIN));
        assert_eq!(read_i64(&mut &[0xff; 11][..]), Err(NoVarint::Wide), "eleven bytes");
        assert_eq!(
            read_i64(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02][..]),
            Err(NoVarint::Wide),
            "65 bits"
        );
        assert_eq!(read_i64(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..]), Ok(i64::MIN));
        assert_eq!(read_i64(&mut &[0x80][..]), Err(NoVarint::Short), "ends early");
    }
}
