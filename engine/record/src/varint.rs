//! Zigzag varints, the integers inside a record (those of Protocol Buffers' sint32 and sint64).

/// Most bytes that a 32-bit varint takes.
const MAX_BYTES_32: u32 = 5;
/// Most bytes that a 64-bit varint takes.
const MAX_BYTES_64: u32 = 10;

/// Reads a 32-bit varint from `next`; `None` when it is longer than five bytes or its value wider than 32 bits.
pub(crate) fn read_i32<E>(next: impl FnMut() -> Result<u8, E>) -> Result<Option<i32>, E> {
    let raw = read_unsigned(next, MAX_BYTES_32)?;
    Ok(raw.and_then(|raw| u32::try_from(raw).ok()).map(|raw| (raw >> 1) as i32 ^ -((raw & 1) as i32)))
}

/// Reads a 64-bit varint from `next`; `None` when it is longer than ten bytes or its value wider than 64 bits.
pub(crate) fn read_i64<E>(next: impl FnMut() -> Result<u8, E>) -> Result<Option<i64>, E> {
    let raw = read_unsigned(next, MAX_BYTES_64)?;
    Ok(raw.map(|raw| (raw >> 1) as i64 ^ -((raw & 1) as i64)))
}

#[inline]
fn read_unsigned<E>(mut next: impl FnMut() -> Result<u8, E>, max_bytes: u32) -> Result<Option<u64>, E> {
    let first = next()?;
    if first < 0x80 {
        return Ok(Some(u64::from(first)));
    }
    let mut value = u64::from(first & 0x7f);
    for at in 1..max_bytes {
        let byte = next()?;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * at);
        if shifted >> (7 * at) != bits {
            return Ok(None);
        }
        value |= shifted;
        if byte < 0x80 {
            return Ok(Some(value));
        }
    }
    Ok(None)
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

    fn source(bytes: &[u8]) -> impl FnMut() -> Result<u8, ()> + '_ {
        let mut bytes = bytes.iter();
        move || bytes.next().copied().ok_or(())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_as_long_as_said(value: i64, narrow: i32) {
            let mut out = Vec::new();
            write(&mut out, value);
            prop_assert_eq!(out.len(), len(value));
            prop_assert_eq!(read_i64(source(&out)), Ok(Some(value)));
            out.clear();
            write(&mut out, i64::from(narrow));
            prop_assert_eq!(read_i32(source(&out)), Ok(Some(narrow)));
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
        assert_eq!(read_i32(source(&[0x80, 0x80, 0x80, 0x80, 0x80, 0])), Ok(None), "six bytes");
        assert_eq!(read_i32(source(&[0xff, 0xff, 0xff, 0xff, 0x1f])), Ok(None), "33 bits");
        assert_eq!(read_i32(source(&[0xff, 0xff, 0xff, 0xff, 0x0f])), Ok(Some(i32::MIN)));
        assert_eq!(read_i64(source(&[0xff; 11])), Ok(None), "eleven bytes");
        assert_eq!(
            read_i64(source(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02])),
            Ok(None),
            "65 bits"
        );
        assert_eq!(read_i64(source(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])), Ok(Some(i64::MIN)));
        assert_eq!(read_i64(source(&[0x80])), Err(()), "ends early");
    }
}
