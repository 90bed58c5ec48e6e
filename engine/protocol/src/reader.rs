//! A cursor over the bytes of one message. It borrows, and takes memory in proportion to them only.

use crate::{
    DecodeError,
    schema::{Field, Version},
    wire::Wire,
};

/// Reads one message, or one header and the message behind it, from borrowed bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    pub(crate) version: Version,
    /// Bytes that the elements of arrays may still take in memory.
    budget: usize,
}

/// Memory for the elements of arrays that any message may take, and so much more for each byte that it has. An element
/// may be tenfold larger in memory than on the wire (an empty name is two bytes there), but only a hostile message has
/// many of those: a hundred mebibytes of empty names must not become gigabytes.
const FREE_BYTES: usize = 1024 * 1024;
const BYTES_PER_BYTE: usize = 8;

/// Longest string, in every version.
pub(crate) const MAX_STRING_BYTES: usize = i16::MAX as usize;

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            version: Version::FIXED,
            budget: FREE_BYTES.saturating_add(bytes.len().saturating_mul(BYTES_PER_BYTE)),
        }
    }

    /// Bytes that were not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The bytes that were not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Fails when bytes are left. A Kafka broker ignores bytes behind a request, so ours does too; stored records and
    /// tests are held to their exact length.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing { left }),
        }
    }

    /// The next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) =
            self.rest.split_at_checked(count).ok_or(DecodeError::Truncated { needed: count, left: self.rest.len() })?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes, by value: what fixed-size integers are made of.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) =
            self.rest.split_first_chunk().ok_or(DecodeError::Truncated { needed: N, left: self.rest.len() })?;
        self.rest = rest;
        Ok(*head)
    }

    /// An unsigned integer in groups of seven bits, the lowest first; at most 32 bits.
    pub(crate) fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| DecodeError::VarintTooLong);
            }
        }
        Err(DecodeError::VarintTooLong)
    }

    /// The length of a string: 16 bits, or compact. `None` is null. What a compact length could hold beyond 16 bits no other
    /// version could answer with: one such name, once stored, would spoil every list that it stands in.
    pub(crate) fn string_length(&mut self) -> Result<Option<usize>, DecodeError> {
        if !self.version.flexible {
            return length(i16::from_be_bytes(self.array()?).into());
        }
        match self.compact_length()? {
            Some(length) if length > MAX_STRING_BYTES => Err(DecodeError::StringTooLong { length }),
            length => Ok(length),
        }
    }

    /// The length of an array or of bytes: 32 bits, or compact. `None` is null.
    pub(crate) fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.version.flexible { self.compact_length() } else { length(i32::from_be_bytes(self.array()?)) }
    }

    /// A compact length is one more than the length; zero is null (KIP-482).
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(self.uvarint()?.checked_sub(1).map(|length| length as usize))
    }

    /// The elements of an array, or `None` for null.
    ///
    /// The count is checked against the bytes left and against the budget before anything is reserved, and what is
    /// reserved is never larger than the bytes left: where elements are larger in memory, the rest grows as they
    /// arrive.
    pub(crate) fn elements<T: Wire<'a>>(&mut self) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.length()? else { return Ok(None) };
        let (left, min_bytes) = (self.remaining(), T::min_bytes(self.version).max(1));
        if count > left / min_bytes {
            return Err(DecodeError::ArrayTooLong { count, min_bytes, left });
        }
        let needed = count.saturating_mul(size_of::<T>());
        self.budget = self.budget.checked_sub(needed).ok_or(DecodeError::TooLarge { needed, budget: self.budget })?;
        let mut elements = Vec::with_capacity(count.min(left / size_of::<T>().max(1)));
        for _ in 0..count {
            elements.push(T::read(self)?);
        }
        Ok(Some(elements))
    }

    /// Reads a field into its slot, if it lies in the fixed part of this version.
    pub(crate) fn field<T: Wire<'a>>(&mut self, field: &Field, slot: &mut T) -> Result<(), DecodeError> {
        if field.is_fixed(self.version) { self.value(field, slot) } else { Ok(()) }
    }

    /// Reads the tagged fields behind a structure: `known` reads one and says whether it knew its tag. Others are
    /// skipped.
    pub(crate) fn tagged_fields(
        &mut self,
        mut known: impl FnMut(&mut Reader<'a>, u32) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.version.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            let (tag, size) = (self.uvarint()?, self.uvarint()?);
            let mut body = Reader { rest: self.take(size as usize)?, ..self.clone() };
            if known(&mut body, tag)? && body.remaining() > 0 {
                return Err(DecodeError::TaggedFieldSize { tag, left: body.remaining() });
            }
            self.budget = body.budget;
        }
        Ok(())
    }

    /// Reads a tagged field into its slot, if this version has it.
    pub(crate) fn tagged_field<T: Wire<'a>>(&mut self, field: &Field, slot: &mut T) -> Result<bool, DecodeError> {
        let known = field.versions.contains(self.version.number);
        if known {
            self.value(field, slot)?;
        }
        Ok(known)
    }

    fn value<T: Wire<'a>>(&mut self, field: &Field, slot: &mut T) -> Result<(), DecodeError> {
        let value = T::read(self).map_err(|cause| cause.within(field.structure, field.name))?;
        let version = self.version.number;
        if value.is_null() && !field.nullable.contains(version) {
            return Err(DecodeError::Null { version }.within(field.structure, field.name));
        }
        *slot = value;
        Ok(())
    }
}

/// Every length but −1, which is null, must not be negative.
fn length(length: i32) -> Result<Option<usize>, DecodeError> {
    match usize::try_from(length) {
        Ok(length) => Ok(Some(length)),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(DecodeError::NegativeLength { length }),
    }
}
