//! The types that fields are made of, and how each lies on the wire.

use std::{borrow::Cow, fmt, ops::Range};

use crate::{DecodeError, EncodeError, Reader, Uuid, Writer, schema::Version};

/// A string; borrowed from the message when it was decoded.
pub type Str<'a> = Cow<'a, str>;

/// Bytes; borrowed from the message when they were decoded.
pub type Blob<'a> = Cow<'a, [u8]>;

/// Bytes that let somebody in, as [`Blob`]; a request's `Debug` form, and so no log, shows them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<'a>(pub Blob<'a>);

/// Record batches inside a Produce request or a Fetch response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records<'a> {
    /// Inside the message. What is decoded is always this, and borrowed.
    Here(Blob<'a>),
    /// So many bytes that lie elsewhere: in a file, or in buffers of their own. They are never copied into the message;
    /// the writer leaves a gap for them ([`Piece::Gap`](crate::Piece)).
    Elsewhere(usize),
}

/// A value on the wire: in one of the two encodings of each type, fixed or compact, by the version in the reader or
/// writer.
pub trait Wire<'a>: Default + PartialEq {
    /// The least that a value takes in this version, in bytes: what bounds an array's count.
    fn min_bytes(version: Version) -> usize;

    /// The least that a value takes where it may be null.
    fn min_nullable_bytes(_: Version) -> usize {
        1
    }

    /// Reads a value.
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Writes a value.
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError>;

    /// Reads a value that may be null. A structure has a byte for that in front of it; other types say it by their
    /// length.
    fn read_nullable(r: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        if i8::read(r)? < 0 { Ok(None) } else { Self::read(r).map(Some) }
    }

    /// Writes a value that may be null.
    fn write_nullable(value: Option<&Self>, w: &mut Writer) -> Result<(), EncodeError> {
        match value {
            None => (-1i8).write(w),
            Some(value) => 1i8.write(w).and_then(|()| value.write(w)),
        }
    }

    /// Of a response, for how long nothing more is to be sent on its connection, in ms (KIP-219); of all else 0.
    fn throttle_ms(&self) -> i32 {
        0
    }

    /// What a field is when nothing is said: zero, or empty; of a nullable field empty, not null.
    fn empty() -> Self {
        Self::default()
    }

    /// Whether this is null.
    fn is_null(&self) -> bool {
        false
    }

    /// A random value that the version of `dice` can express.
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self;

    /// Null, of a type that can be null.
    #[cfg(test)]
    fn null() -> Self {
        unreachable!("only an Option is declared with null versions")
    }
}

impl Records<'_> {
    /// Bytes of the records.
    pub fn len(&self) -> usize {
        match self {
            Self::Here(bytes) => bytes.len(),
            Self::Elsewhere(length) => *length,
        }
    }

    /// No records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where in `message`, the bytes that these were decoded from, they lie; `None` if they do not.
    pub fn range_in(&self, message: &[u8]) -> Option<Range<usize>> {
        let Self::Here(Cow::Borrowed(records)) = self else { return None };
        let start = records.as_ptr().addr().checked_sub(message.as_ptr().addr())?;
        let range = start..start.checked_add(records.len())?;
        (range.end <= message.len()).then_some(range)
    }
}

impl Default for Records<'_> {
    fn default() -> Self {
        Self::Here(Cow::Borrowed(&[]))
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Numbers lie big-endian, in as many bytes as they have.
macro_rules! numbers {
    ($($number:ty)*) => { $(
        impl Wire<'_> for $number {
            fn min_bytes(_: Version) -> usize {
                size_of::<$number>()
            }
            fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(r.array()?))
            }
            fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
                w.put(&self.to_be_bytes());
                Ok(())
            }
            #[cfg(test)]
            fn sample(dice: &mut crate::dice::Dice) -> Self {
                // Small values of either sign, and now and then any bits; never a NaN, which does not equal itself.
                if dice.one_in(4) { dice.number() as Self } else { (dice.below(200) as i8) as Self }
            }
        }
    )* };
}
numbers!(i8 i16 u16 i32 u32 i64 f64);

impl Wire<'_> for bool {
    fn min_bytes(_: Version) -> usize {
        1
    }
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(i8::read(r)? != 0)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        i8::from(*self).write(w)
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        dice.one_in(2)
    }
}

impl Wire<'_> for Uuid {
    fn min_bytes(_: Version) -> usize {
        16
    }
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        w.put(&self.0);
        Ok(())
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        Self(std::array::from_fn(|_| dice.below(256) as u8))
    }
}

impl<'a> Wire<'a> for Str<'a> {
    fn min_bytes(version: Version) -> usize {
        if version.flexible { 1 } else { 2 }
    }
    fn min_nullable_bytes(version: Version) -> usize {
        Self::min_bytes(version)
    }
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        not_null(r, Self::read_nullable)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), w)
    }
    fn read_nullable(r: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let Some(length) = r.string_length()? else { return Ok(None) };
        let text = std::str::from_utf8(r.take(length)?)
            .map_err(|error| DecodeError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        Ok(Some(Cow::Borrowed(text)))
    }
    fn write_nullable(value: Option<&Self>, w: &mut Writer) -> Result<(), EncodeError> {
        w.string_length(value.map(|text| text.len()))?;
        w.put(value.map_or(&[], |text| text.as_bytes()));
        Ok(())
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        let length = dice.length();
        Cow::Owned((0..length).map(|_| ['a', 'Z', '-', '7', 'ß', '€'][dice.below(6)]).collect())
    }
}

impl<'a> Wire<'a> for Blob<'a> {
    fn min_bytes(version: Version) -> usize {
        if version.flexible { 1 } else { 4 }
    }
    fn min_nullable_bytes(version: Version) -> usize {
        Self::min_bytes(version)
    }
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        not_null(r, Self::read_nullable)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), w)
    }
    fn read_nullable(r: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let Some(length) = r.length()? else { return Ok(None) };
        r.take(length).map(|bytes| Some(Cow::Borrowed(bytes)))
    }
    fn write_nullable(value: Option<&Self>, w: &mut Writer) -> Result<(), EncodeError> {
        w.length(value.map(|bytes| bytes.len()))?;
        w.put(value.map_or(&[], |bytes| bytes));
        Ok(())
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        let length = dice.length();
        Cow::Owned((0..length).map(|_| dice.below(256) as u8).collect())
    }
}

impl<'a> Wire<'a> for Secret<'a> {
    fn min_bytes(version: Version) -> usize {
        Blob::min_bytes(version)
    }
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Blob::read(r).map(Self)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        self.0.write(w)
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        Self(Blob::sample(dice))
    }
}

impl<'a> Wire<'a> for Records<'a> {
    fn min_bytes(version: Version) -> usize {
        Blob::min_bytes(version)
    }
    fn min_nullable_bytes(version: Version) -> usize {
        Self::min_bytes(version)
    }
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Blob::read(r).map(Self::Here)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), w)
    }
    fn read_nullable(r: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        Ok(Blob::read_nullable(r)?.map(Self::Here))
    }
    fn write_nullable(value: Option<&Self>, w: &mut Writer) -> Result<(), EncodeError> {
        match value {
            None => Blob::write_nullable(None, w),
            Some(Self::Here(bytes)) => bytes.write(w),
            Some(Self::Elsewhere(length)) => w.length(Some(*length)).and_then(|()| w.gap(*length)),
        }
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        Self::Here(Blob::sample(dice))
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    fn min_bytes(version: Version) -> usize {
        if version.flexible { 1 } else { 4 }
    }
    fn min_nullable_bytes(version: Version) -> usize {
        Self::min_bytes(version)
    }
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        not_null(r, Self::read_nullable)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), w)
    }
    fn read_nullable(r: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        r.elements()
    }
    fn write_nullable(value: Option<&Self>, w: &mut Writer) -> Result<(), EncodeError> {
        w.length(value.map(Vec::len))?;
        value.into_iter().flatten().try_for_each(|element| element.write(w))
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        let length = dice.below(4);
        (0..length).map(|_| T::sample(dice)).collect()
    }
}

/// Null. Which versions allow it stands with the field; the reader and the writer hold to that.
impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    fn min_bytes(version: Version) -> usize {
        T::min_nullable_bytes(version)
    }
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        T::read_nullable(r)
    }
    fn write(&self, w: &mut Writer) -> Result<(), EncodeError> {
        T::write_nullable(self.as_ref(), w)
    }
    fn empty() -> Self {
        Some(T::empty())
    }
    fn is_null(&self) -> bool {
        self.is_none()
    }
    #[cfg(test)]
    fn sample(dice: &mut crate::dice::Dice) -> Self {
        Some(T::sample(dice))
    }
    #[cfg(test)]
    fn null() -> Self {
        None
    }
}

/// A value of a type that knows null by its length, where null is not allowed.
fn not_null<'a, T>(
    r: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<Option<T>, DecodeError>,
) -> Result<T, DecodeError> {
    read(r)?.ok_or(DecodeError::Null { version: r.version.number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alter_user_scram_credentials::ScramCredentialUpsertion;

    #[test]
    fn the_debug_form_of_a_request_hides_what_lets_somebody_in() {
        let salted_password = Secret(Cow::Borrowed(&[201, 202, 203]));
        let shown = format!("{:?}", ScramCredentialUpsertion { salted_password, ..Default::default() });
        assert!(shown.contains("hidden") && !shown.contains("202"), "{shown}");
    }
}
