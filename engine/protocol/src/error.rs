//! What can be wrong with bytes that came in, or with a value that is to go out.

use crate::ApiKey;

/// Why bytes are not the message they were said to be.
///
/// The peer has broken the protocol (or speaks a version that is not ours): there is no way to find the next message in
/// the frame, so a broker closes the connection after naming the fault in its log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("{needed} bytes are needed where {left} are left")]
    Truncated {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes up to the end of the message.
        left: usize,
    },
    /// A length below −1.
    #[error("{length} is not a length")]
    NegativeLength {
        /// The length as it was sent.
        length: i32,
    },
    /// An array cannot have so many elements in so few bytes. Found before anything is reserved for it.
    #[error("an array of {count} elements of at least {min_bytes} bytes cannot lie in the {left} bytes that are left")]
    ArrayTooLong {
        /// Elements announced.
        count: usize,
        /// The least that one element takes in this version.
        min_bytes: usize,
        /// Bytes up to the end of the message.
        left: usize,
    },
    /// The elements of the message's arrays would take many times the memory that the message took.
    #[error("an array takes {needed} bytes of memory where {budget} are left for a message of this size")]
    TooLarge {
        /// Bytes that the array would take.
        needed: usize,
        /// Bytes that are left for elements.
        budget: usize,
    },
    /// A variable-length integer of more than 32 bits.
    #[error("a variable-length integer has more than 32 bits")]
    VarintTooLong,
    /// A string that no message can carry.
    #[error("a string of {length} bytes: {max} are allowed", max = crate::reader::MAX_STRING_BYTES)]
    StringTooLong {
        /// Its bytes.
        length: usize,
    },
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8 from its byte {valid_up_to} on")]
    NotUtf8 {
        /// Bytes of the string that are.
        valid_up_to: usize,
    },
    /// Null where this version allows none.
    #[error("null is not allowed in version {version}")]
    Null {
        /// The message's version.
        version: i16,
    },
    /// A tagged field that is shorter than the size it announced.
    #[error("tagged field {tag} ends {left} bytes before its announced size")]
    TaggedFieldSize {
        /// The field's tag.
        tag: u32,
        /// Bytes that nothing was read from.
        left: usize,
    },
    /// Bytes behind the end of the message.
    #[error("{left} bytes follow the end of the message")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// A key that is none of [`ApiKey`]'s.
    #[error("API key {key} is unknown")]
    UnknownApi {
        /// The key as it was sent.
        key: i16,
    },
    /// A version outside [`ApiKey::versions`].
    #[error(
        "{api} has no version {version}: versions {min} to {max} are known",
        min = api.versions().start(),
        max = api.versions().end()
    )]
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// A version of stored bytes that this codec does not know.
    #[error("{schema} has no version {version}")]
    UnknownSchemaVersion {
        /// The name of the schema.
        schema: &'static str,
        /// The version that the bytes begin with.
        version: i16,
    },
    /// Any of the above, in a field.
    #[error("{structure}.{field}: {cause}")]
    In {
        /// The structure, as Kafka names it.
        structure: &'static str,
        /// The field, as this crate names it.
        field: &'static str,
        /// What is wrong with it.
        cause: Box<DecodeError>,
    },
}

/// Why a value cannot be written in the version asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The field says something that this version cannot express, and that the peer must not miss.
    #[error(
        "{structure}.{field} is set, but version {version} lacks it: leave it at its default, or use another version"
    )]
    FieldNotInVersion {
        /// The structure, as Kafka names it.
        structure: &'static str,
        /// The field, as this crate names it.
        field: &'static str,
        /// The message's version.
        version: i16,
    },
    /// Null where this version allows none.
    #[error("{structure}.{field} may not be null in version {version}")]
    Null {
        /// The structure, as Kafka names it.
        structure: &'static str,
        /// The field, as this crate names it.
        field: &'static str,
        /// The message's version.
        version: i16,
    },
    /// A length that its prefix cannot hold.
    #[error("{length} is over the limit of {max} for its length prefix")]
    TooLong {
        /// Bytes, or elements of an array.
        length: usize,
        /// What the prefix can hold.
        max: usize,
    },
    /// Records that lie elsewhere, written into one piece.
    #[error("records of {length} bytes lie outside the message: encode it into pieces")]
    RecordsElsewhere {
        /// Bytes of the records.
        length: usize,
    },
    /// A version outside [`ApiKey::versions`].
    #[error(
        "{api} has no version {version}: versions {min} to {max} are known",
        min = api.versions().start(),
        max = api.versions().end()
    )]
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// A version of stored bytes that this codec does not know.
    #[error("{schema} has no version {version}")]
    UnknownSchemaVersion {
        /// The name of the schema.
        schema: &'static str,
        /// The version asked for.
        version: i16,
    },
}

impl DecodeError {
    /// Names the field that the error was found in; the innermost name stays.
    #[cold]
    pub(crate) fn within(self, structure: &'static str, field: &'static str) -> Self {
        match self {
            named @ Self::In { .. } => named,
            cause => Self::In { structure, field, cause: Box::new(cause) },
        }
    }
}
