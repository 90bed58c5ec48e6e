//! The buffer that a message is written to, with gaps for record bytes that lie elsewhere.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    EncodeError,
    reader::MAX_STRING_BYTES,
    schema::{Field, Version},
    wire::Wire,
};

/// Writes one message, or one header and the message behind it.
#[derive(Debug)]
pub struct Writer {
    buffer: BytesMut,
    pub(crate) version: Version,
    gaps: Option<Vec<Gap>>,
}

/// `length` bytes that belong before the byte at `position` of the buffer.
#[derive(Debug, Clone, Copy)]
struct Gap {
    position: usize,
    length: usize,
}

/// A stretch of an encoded message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes to be sent as they are.
    Bytes(Bytes),
    /// So many bytes of records are to be sent here, from wherever they lie.
    Gap(usize),
}

impl Writer {
    /// An empty buffer, for a message in one piece.
    pub fn new() -> Self {
        Self { buffer: BytesMut::new(), version: Version::FIXED, gaps: None }
    }

    /// An empty buffer, for a message whose records may lie elsewhere.
    pub fn with_gaps() -> Self {
        Self { gaps: Some(Vec::new()), ..Self::new() }
    }

    /// The whole message, gaps included, in bytes.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.gaps.iter().flatten().map(|gap| gap.length).sum::<usize>()
    }

    /// Nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was written. Gaps are not part of it; a writer from [`Writer::new`] has none.
    pub fn into_bytes(self) -> BytesMut {
        self.buffer
    }

    /// What was written, cut at the gaps. Gaps without bytes are left out.
    pub fn into_pieces(self) -> Vec<Piece> {
        let mut rest = self.buffer.freeze();
        let mut pieces = Vec::new();
        let mut start = 0;
        for gap in self.gaps.unwrap_or_default().into_iter().filter(|gap| gap.length > 0) {
            pieces.push(Piece::Bytes(rest.split_to(gap.position - start)));
            pieces.push(Piece::Gap(gap.length));
            start = gap.position;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Bytes(rest));
        }
        pieces
    }

    /// Writes a frame: `body` with its length in front of it.
    pub(crate) fn frame(&mut self, body: impl FnOnce(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let start = self.buffer.len();
        self.put(&[0; 4]);
        body(self)?;
        let length = i32::try_from(self.len() - start - 4)
            .map_err(|_| EncodeError::TooLong { length: self.len(), max: i32::MAX as usize })?;
        self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.buffer.put_slice(bytes);
    }

    /// Leaves a gap for `length` bytes.
    pub(crate) fn gap(&mut self, length: usize) -> Result<(), EncodeError> {
        let position = self.buffer.len();
        self.gaps.as_mut().ok_or(EncodeError::RecordsElsewhere { length })?.push(Gap { position, length });
        Ok(())
    }

    pub(crate) fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value as u8);
    }

    /// The length of a string: 16 bits, or compact. `None` is null.
    pub(crate) fn string_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let length = checked(length, MAX_STRING_BYTES)?;
        if self.version.flexible {
            self.compact_length(length)
        } else {
            self.put(&(length as i16).to_be_bytes())
        }
        Ok(())
    }

    /// The length of an array or of bytes: 32 bits, or compact. `None` is null.
    pub(crate) fn length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let length = checked(length, i32::MAX as usize - 1)?;
        if self.version.flexible {
            self.compact_length(length)
        } else {
            self.put(&length.to_be_bytes())
        }
        Ok(())
    }

    /// A compact length is one more than the length; zero is null (KIP-482).
    fn compact_length(&mut self, length: i32) {
        self.uvarint((length + 1) as u32);
    }

    /// Writes a field, if it lies in the fixed part of this version; fails if that would lose what it says.
    pub(crate) fn field<'a, T>(&mut self, field: &Field, value: &T, initial: &T) -> Result<(), EncodeError>
    where
        T: Wire<'a> + PartialEq,
    {
        if field.is_fixed(self.version) {
            self.value(field, value)
        } else if field.versions.contains(self.version.number) || field.ignorable || value == initial {
            Ok(())
        } else {
            let (structure, field, version) = (field.structure, field.name, self.version.number);
            Err(EncodeError::FieldNotInVersion { structure, field, version })
        }
    }

    /// Writes the tagged fields behind a structure: `fields` adds those that differ from their defaults, lowest tag
    /// first.
    pub(crate) fn tagged_fields(
        &mut self,
        fields: impl FnOnce(&mut TaggedFields) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if !self.version.flexible {
            return Ok(());
        }
        let mut tagged = TaggedFields { count: 0, writer: Self { version: self.version, ..Self::new() } };
        fields(&mut tagged)?;
        self.uvarint(tagged.count);
        self.put(&tagged.writer.buffer);
        Ok(())
    }

    fn value<'a, T: Wire<'a>>(&mut self, field: &Field, value: &T) -> Result<(), EncodeError> {
        let version = self.version.number;
        if value.is_null() && !field.nullable.contains(version) {
            return Err(EncodeError::Null { structure: field.structure, field: field.name, version });
        }
        value.write(self)
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// The tagged fields of one structure while they are collected.
pub(crate) struct TaggedFields {
    count: u32,
    writer: Writer,
}

impl TaggedFields {
    /// Adds a field, unless this version lacks it or it is at its default.
    pub(crate) fn add<'a, T>(&mut self, tag: u32, field: &Field, value: &T, initial: &T) -> Result<(), EncodeError>
    where
        T: Wire<'a> + PartialEq,
    {
        let version = self.writer.version;
        if value == initial || !field.versions.contains(version.number) {
            return Ok(());
        }
        let mut body = Writer { version, ..Writer::new() };
        body.value(field, value)?;
        self.count += 1;
        self.writer.uvarint(tag);
        self.writer.uvarint(body.buffer.len() as u32);
        self.writer.put(&body.buffer);
        Ok(())
    }
}

/// The length if its prefix can hold it; −1 for null.
fn checked(length: Option<usize>, max: usize) -> Result<i32, EncodeError> {
    match length {
        None => Ok(-1),
        Some(length) if length <= max => Ok(length as i32),
        Some(length) => Err(EncodeError::TooLong { length, max }),
    }
}
