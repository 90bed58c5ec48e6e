//! Messages of Protocol Buffers (<https://protobuf.dev/programming-guides/encoding/>): fields, each a number, then a varint or bytes.

use bytes::{BufMut, BytesMut};

use super::fields::Fields;

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// Appends a field that is a number.
pub(crate) fn number(out: &mut BytesMut, field: u64, value: u64) {
    varint(out, (field << 3) | VARINT);
    varint(out, value);
}

/// Appends a field that is a text, bytes, or a message.
pub(crate) fn bytes(out: &mut BytesMut, field: u64, value: &[u8]) {
    varint(out, (field << 3) | BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value as u8) | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// A message that has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a>(pub(crate) &'a [u8]);

#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    /// A field that is a number; `None` where it is not there.
    pub(crate) fn number(self, field: u64) -> Result<Option<u64>, String> {
        match self.find(field)? {
            None => Ok(None),
            Some(Value::Number(value)) => Ok(Some(value)),
            Some(Value::Bytes(_)) => Err(format!("field {field} is no number")),
        }
    }

    /// A field that is a text, bytes, or a message; empty where it is not there.
    pub(crate) fn bytes(self, field: u64) -> Result<&'a [u8], String> {
        match self.find(field)? {
            None => Ok(&[]),
            Some(Value::Bytes(value)) => Ok(value),
            Some(Value::Number(_)) => Err(format!("field {field} is a number")),
        }
    }

    pub(crate) fn text(self, field: u64) -> Result<String, String> {
        Ok(String::from_utf8_lossy(self.bytes(field)?).into_owned())
    }

    /// Of a field that is there twice, the last one counts.
    fn find(self, wanted: u64) -> Result<Option<Value<'a>>, String> {
        let (mut rest, mut found) = (Fields(self.0), None);
        while !rest.0.is_empty() {
            let key = taken(&mut rest)?;
            let value = match key & 7 {
                VARINT => Value::Number(taken(&mut rest)?),
                FIXED_64 => Value::Bytes(rest.bytes(8)?),
                BYTES => {
                    let bytes = taken(&mut rest)?;
                    Value::Bytes(rest.bytes(usize::try_from(bytes).unwrap_or(usize::MAX))?)
                }
                FIXED_32 => Value::Bytes(rest.bytes(4)?),
                kind => return Err(format!("a field is of kind {kind}, which is none")),
            };
            if key >> 3 == wanted {
                found = Some(value);
            }
        }
        Ok(found)
    }
}

fn taken(from: &mut Fields<'_>) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = from.u8()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number has more than 64 bits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were_written_in_any_order() {
        let mut out = BytesMut::new();
        bytes(&mut out, 300, b"text");
        for (field, value) in [(1, 0), (2, 127), (3, 128), (4, u64::MAX)] {
            number(&mut out, field, value);
        }
        let message = Message(&out);
        assert_eq!(message.text(300), Ok("text".to_owned()));
        assert_eq!(
            [1, 2, 3, 4, 5].map(|field| message.number(field).unwrap()),
            [Some(0), Some(127), Some(128), Some(u64::MAX), None]
        );
        assert_eq!(message.bytes(5), Ok(&b""[..]));
        assert!(message.number(300).is_err() && message.bytes(1).is_err());
    }

    #[test]
    fn the_examples_of_the_specification_are_read() {
        assert_eq!(Message(&[0x08, 0x96, 0x01]).number(1), Ok(Some(150)));
        assert_eq!(Message(&[0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]).bytes(2), Ok(&b"testing"[..]));
    }

    #[test]
    fn what_ends_too_early_or_is_no_field_is_refused() {
        for wrong in
            [&[0x08][..], &[0x12, 5, 1], &[0x0b], &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
        {
            assert!(Message(wrong).number(1).is_err(), "{wrong:?}");
        }
    }
}
