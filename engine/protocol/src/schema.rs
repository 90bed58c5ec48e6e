//! The declaration that a message is made from: its fields, the versions of each, and both directions of the codec.
//!
//! A message is declared once, as a table:
//!
//! ```text
//! api! {
//!     Metadata = 3, versions 0..=13, flexible from 9;
//!
//!     request MetadataRequest<'a> {
//!         0..     topics: Option<Vec<MetadataRequestTopic<'a>>>, null 1..;
//!         4..     allow_auto_topic_creation: bool = true;
//!         8..=10  include_cluster_authorized_operations: bool;
//!         …
//! ```
//!
//! | column | meaning |
//! |---|---|
//! | `4..`, `8..=10` | the versions that have the field |
//! | `name: type` | an `Option` can be null, but only in the versions after `null` |
//! | `= value` | what the field is where a version lacks it; without it zero or empty, and empty rather than null |
//! | `tag 1` | the field lies behind the structure, only when it is not at its default (KIP-482) |
//! | `ignorable` | a value that the version cannot carry is dropped; without it, that is an error |
//!
//! Names, types and versions are Kafka's own (its message schemas, as of 4.3), in snake case. Where a request and its
//! response each have a structure of one name, that of the response has `Response` in front.

use std::ops::RangeInclusive;

use crate::{ApiKey, DecodeError, EncodeError, Reader, Writer, wire::Wire};

/// A request or a response.
pub trait Message<'a>: Wire<'a> {
    /// The API that this belongs to.
    const API: ApiKey;

    /// Reads a message. Bytes behind it stay in the reader ([`Reader::finish`]).
    fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let api = Self::API;
        r.version = Version::of(api, version).ok_or(DecodeError::UnsupportedVersion { api, version })?;
        Self::read(r)
    }

    /// Appends the message. After an error the writer holds a part of it, and is of no use.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        let api = Self::API;
        w.version = Version::of(api, version).ok_or(EncodeError::UnsupportedVersion { api, version })?;
        self.write(w)
    }
}

/// A message that is sent, and answered with a [`Request::Response`].
pub trait Request<'a>: Message<'a> {
    /// What answers it.
    type Response<'r>: Message<'r>;
}

/// Bytes that are kept or handed on, not sent to a broker as such: their version lies in front of them.
pub trait Stored<'a>: Wire<'a> {
    /// The name of the schema.
    const NAME: &'static str;
    /// The versions that are known.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version in the compact encoding, with tagged fields.
    const FLEXIBLE_FROM: i16;

    /// The version that `bytes` begin with.
    fn version(bytes: &[u8]) -> Result<i16, DecodeError> {
        i16::read(&mut Reader::new(bytes))
    }

    /// Reads bytes of a known version; they must end where the value does.
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let version = i16::read(&mut r)?;
        if !Self::VERSIONS.contains(&version) {
            return Err(DecodeError::UnknownSchemaVersion { schema: Self::NAME, version });
        }
        r.version = Version { number: version, flexible: version >= Self::FLEXIBLE_FROM };
        let value = Self::read(&mut r)?;
        r.finish().map(|()| value)
    }

    /// Reads bytes of any version: one newer than [`VERSIONS`](Self::VERSIONS) as the newest of them, and what follows
    /// is ignored. So members of a group understand each other across versions of the client.
    fn from_newer_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let version = i16::read(&mut r)?.min(*Self::VERSIONS.end());
        if version < *Self::VERSIONS.start() {
            return Err(DecodeError::UnknownSchemaVersion { schema: Self::NAME, version });
        }
        r.version = Version { number: version, flexible: version >= Self::FLEXIBLE_FROM };
        Self::read(&mut r)
    }

    /// The bytes, the version in front.
    fn to_bytes(&self, version: i16) -> Result<Vec<u8>, EncodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(EncodeError::UnknownSchemaVersion { schema: Self::NAME, version });
        }
        let mut w = Writer::new();
        version.write(&mut w)?;
        w.version = Version { number: version, flexible: version >= Self::FLEXIBLE_FROM };
        self.write(&mut w)?;
        Ok(w.into_bytes().into())
    }
}

/// The version of a message, and which of the two encodings it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// The number that the request names.
    pub number: i16,
    /// Lengths are compact, and tagged fields follow each structure (KIP-482).
    pub flexible: bool,
}

impl Version {
    /// The encoding of what has no versions: a header's fixed part.
    pub(crate) const FIXED: Self = Self { number: 0, flexible: false };

    fn of(api: ApiKey, version: i16) -> Option<Self> {
        api.versions().contains(&version).then(|| Self { number: version, flexible: api.is_flexible(version) })
    }
}

/// A run of versions, both ends included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versions {
    pub(crate) from: i16,
    pub(crate) to: i16,
}

impl Versions {
    pub(crate) const NONE: Self = Self { from: 0, to: -1 };

    #[inline]
    pub(crate) fn contains(self, version: i16) -> bool {
        self.from <= version && version <= self.to
    }
}

/// One row of a declaration.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) structure: &'static str,
    pub(crate) name: &'static str,
    pub(crate) versions: Versions,
    pub(crate) nullable: Versions,
    pub(crate) tagged: bool,
    pub(crate) ignorable: bool,
}

impl Field {
    /// Whether the field lies in the fixed part of its structure in this version.
    #[inline]
    pub(crate) fn is_fixed(&self, version: Version) -> bool {
        !self.tagged && self.versions.contains(version.number)
    }
}

/// Declares one API: its key, its versions, its request and its response.
macro_rules! api {
    (
        $Api:ident = $key:literal, versions $min:literal..=$max:literal,
            $(flexible from $flexible:literal)? $(never flexible)?;
        request $Request:ident $(<$q:lifetime>)? { $($request:tt)* }
        $(struct $RequestPart:ident $(<$qp:lifetime>)? { $($request_part:tt)* })*
        response $Response:ident $(<$r:lifetime>)? { $($response:tt)* }
        $(struct $ResponsePart:ident $(<$rp:lifetime>)? { $($response_part:tt)* })*
    ) => {
        pub(crate) const KEY: i16 = $key;
        pub(crate) const VERSIONS: std::ops::RangeInclusive<i16> = $min..=$max;
        pub(crate) const FLEXIBLE_FROM: i16 = [$($flexible,)? i16::MAX][0];

        $crate::schema::message! { $Api, "The request of", $Request $(<$q>)? { $($request)* } }
        $($crate::schema::part! { $Request, $RequestPart $(<$qp>)? { $($request_part)* } })*
        $crate::schema::message! { $Api, "The response of", $Response $(<$r>)? { $($response)* } }
        $($crate::schema::part! { $Response, $ResponsePart $(<$rp>)? { $($response_part)* } })*
        $crate::schema::answers! { $Request $(<$q>)?, $Response $(<$r>)? }
    };
}

/// Declares bytes that carry their version in front of them.
macro_rules! stored {
    (
        $Name:ident $(<$a:lifetime>)?, versions $min:literal..=$max:literal,
            $(flexible from $flexible:literal)? $(never flexible)? { $($fields:tt)* }
        $(struct $Part:ident $(<$pa:lifetime>)? { $($part:tt)* })*
    ) => {
        $crate::schema::structure! {
            concat!("`", stringify!($Name), "`, versions ", $min, " to ", $max, "."),
            $Name $(<$a>)? { $($fields)* }
        }
        $($crate::schema::part! { $Name, $Part $(<$pa>)? { $($part)* } })*
        $crate::schema::with_lifetime! { Stored, $Name $(<$a>)? {
            const NAME: &'static str = stringify!($Name);
            const VERSIONS: std::ops::RangeInclusive<i16> = $min..=$max;
            const FLEXIBLE_FROM: i16 = [$($flexible,)? i16::MAX][0];
        } }
    };
}

/// A structure that is a whole request or response.
macro_rules! message {
    ($Api:ident, $what:literal, $Name:ident $(<$a:lifetime>)? { $($fields:tt)* }) => {
        $crate::schema::structure! {
            concat!($what, " [`ApiKey::", stringify!($Api), "`](crate::ApiKey::", stringify!($Api), ")."),
            $Name $(<$a>)? { $($fields)* }
        }
        $crate::schema::with_lifetime! { Message, $Name $(<$a>)? {
            const API: $crate::ApiKey = $crate::ApiKey::$Api;
        } }
    };
}

/// A structure inside another.
macro_rules! part {
    ($Whole:ident, $Name:ident $(<$a:lifetime>)? { $($fields:tt)* }) => {
        $crate::schema::structure! {
            concat!("A part of [`", stringify!($Whole), "`]."),
            $Name $(<$a>)? { $($fields)* }
        }
    };
}

/// `impl Trait<'_> for Name`, whether the name borrows or not.
macro_rules! with_lifetime {
    ($Trait:ident, $Name:ident { $($item:item)* }) => {
        impl $crate::$Trait<'_> for $Name { $($item)* }
    };
    ($Trait:ident, $Name:ident <$a:lifetime> { $($item:item)* }) => {
        impl<$a> $crate::$Trait<$a> for $Name<$a> { $($item)* }
    };
}

/// Names the response that answers a request.
macro_rules! answers {
    (@ $Response:ident) => { type Response<'r> = $Response; };
    (@ $Response:ident <$r:lifetime>) => { type Response<'r> = $Response<'r>; };
    ($Request:ident, $($response:tt)*) => {
        impl $crate::schema::Request<'_> for $Request { $crate::schema::answers! { @ $($response)* } }
    };
    ($Request:ident <$q:lifetime>, $($response:tt)*) => {
        impl<$q> $crate::schema::Request<$q> for $Request<$q> { $crate::schema::answers! { @ $($response)* } }
    };
}

/// A structure and both directions of its codec, from one table.
macro_rules! structure {
    ($doc:expr, $Name:ident { $($fields:tt)* }) => {
        $crate::schema::structure! { @ $doc, $Name [] ['_] $($fields)* }
    };
    ($doc:expr, $Name:ident <$a:lifetime> { $($fields:tt)* }) => {
        $crate::schema::structure! { @ $doc, $Name [<$a>] [$a] $($fields)* }
    };
    (@ $doc:expr, $Name:ident [$($generics:tt)*] [$a:lifetime] $(
        $from:literal $(..=$to:literal)? $(..)? $field:ident: $type:ty $(= $default:expr)?
            $(, null $null_from:literal $(..=$null_to:literal)? $(..)?)?
            $(, tag $tag:literal)?
            $(, ignorable $($ignorable:lifetime)?)?;
    )*) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Name $($generics)* { $(
            #[doc = concat!(
                "Versions `", $from, "..", $("=", $to,)? "`", $(" (else `", stringify!($default), "`)",)? "."
            )]
            pub $field: $type,
        )* }

        #[allow(non_upper_case_globals, clippy::allow_attributes, reason = "a row is named as its field is")]
        impl $($generics)* $Name $($generics)* { $(
            const $field: $crate::schema::Field = $crate::schema::Field {
                structure: stringify!($Name),
                name: stringify!($field),
                versions: $crate::schema::Versions { from: $from, to: [$($to,)? i16::MAX][0] },
                nullable: [
                    $($crate::schema::Versions { from: $null_from, to: [$($null_to,)? i16::MAX][0] },)?
                    $crate::schema::Versions::NONE
                ][0],
                tagged: [$($tag >= 0,)? false][0],
                ignorable: [$($crate::schema::structure!(@ true $($ignorable)?),)? false][0],
            };
        )* }

        impl $($generics)* Default for $Name $($generics)* {
            fn default() -> Self {
                Self { $($field: $crate::schema::structure!(@ initial $($default)?),)* }
            }
        }

        impl $($generics)* $crate::Wire<$a> for $Name $($generics)* {
            fn min_bytes(version: $crate::schema::Version) -> usize {
                usize::from(version.flexible)
                    $(+ if Self::$field.is_fixed(version) { <$type>::min_bytes(version) } else { 0 })*
            }

            fn read(r: &mut $crate::Reader<$a>) -> Result<Self, $crate::DecodeError> {
                let mut value = Self::default();
                $(r.field(&Self::$field, &mut value.$field)?;)*
                r.tagged_fields(|_r, tag| match tag {
                    $($($tag => _r.tagged_field(&Self::$field, &mut value.$field),)?)*
                    _ => Ok(false),
                })?;
                Ok(value)
            }

            fn write(&self, w: &mut $crate::Writer) -> Result<(), $crate::EncodeError> {
                let _initial = Self::default();
                $(w.field(&Self::$field, &self.$field, &_initial.$field)?;)*
                w.tagged_fields(|_tagged| {
                    $($(_tagged.add($tag, &Self::$field, &self.$field, &_initial.$field)?;)?)*
                    Ok(())
                })
            }

            fn throttle_ms(&self) -> i32 {
                0 $(+ $crate::schema::structure!(@ throttle self $field))*
            }

            #[cfg(test)]
            fn sample(dice: &mut $crate::dice::Dice) -> Self {
                let mut value = Self::default();
                $(dice.field(&Self::$field, &mut value.$field);)*
                value
            }
        }
    };
    (@ throttle $self:ident throttle_time_ms) => { $self.throttle_time_ms };
    (@ throttle $self:ident $other:ident) => { 0 };
    (@ true) => { true };
    (@ initial) => { $crate::Wire::empty() };
    (@ initial $default:expr) => { $default };
}

pub(crate) use {answers, api, message, part, stored, structure, with_lifetime};

#[cfg(test)]
mod tests {
    use crate::{
        DecodeError, EncodeError, Message, Reader, Str, Uuid, Wire, Writer,
        fetch::{FetchRequest, FetchResponse},
        join_group::JoinGroupRequest,
        metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse},
    };

    fn decode<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) -> Result<M, DecodeError> {
        M::decode(&mut Reader::new(bytes), version)
    }

    fn encode<'a, M: Message<'a>>(message: &M, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut w = Writer::new();
        message.encode(&mut w, version)?;
        Ok(w.into_bytes().into())
    }

    /// What is wrong, and where.
    fn refusal<'a, M: Message<'a> + std::fmt::Debug>(bytes: &'a [u8], version: i16) -> (&'static str, DecodeError) {
        match decode::<M>(bytes, version).unwrap_err() {
            DecodeError::In { field, cause, .. } => (field, *cause),
            bare => ("", bare),
        }
    }

    #[test]
    fn a_field_that_the_version_lacks_starts_at_its_default() {
        let request: MetadataRequest<'_> = decode(&[0xff, 0xff, 0xff, 0xff], 1).unwrap();
        assert_eq!(request.topics, None);
        assert!(request.allow_auto_topic_creation, "brokers created topics before version 4 could ask them not to");
    }

    #[test]
    fn a_value_that_the_version_cannot_carry_is_an_error_unless_it_may_be_ignored() {
        let refuses_creation = MetadataRequest { allow_auto_topic_creation: false, ..Default::default() };
        assert!(encode(&refuses_creation, 4).is_ok());
        let error = EncodeError::FieldNotInVersion {
            structure: "MetadataRequest",
            field: "allow_auto_topic_creation",
            version: 3,
        };
        assert_eq!(encode(&refuses_creation, 3), Err(error));

        let throttled = MetadataResponse { throttle_time_ms: 7, ..Default::default() };
        assert_eq!((throttled.throttle_ms(), refuses_creation.throttle_ms()), (7, 0));
        assert_eq!(encode(&throttled, 2), encode(&MetadataResponse::default(), 2));
    }

    #[test]
    fn null_is_refused_both_ways_in_versions_without_it() {
        let all = MetadataRequest { topics: None, ..Default::default() };
        assert!(matches!(encode(&all, 0), Err(EncodeError::Null { field: "topics", version: 0, .. })));
        let null = refusal::<MetadataRequest<'_>>(&[0xff; 4], 0);
        assert_eq!(null, ("topics", DecodeError::Null { version: 0 }));
        let null_group = refusal::<JoinGroupRequest<'_>>(&[0xff; 60], 2);
        assert_eq!(null_group, ("group_id", DecodeError::Null { version: 2 }));
    }

    #[test]
    fn an_array_that_cannot_lie_in_the_bytes_is_refused_before_memory_is_reserved() {
        let huge = refusal::<MetadataRequest<'_>>(&[0x7f, 0xff, 0xff, 0xff, 0, 0], 1);
        assert_eq!(huge, ("topics", DecodeError::ArrayTooLong { count: i32::MAX as usize, min_bytes: 2, left: 2 }));
        let huge = refusal::<MetadataRequest<'_>>(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0], 12);
        assert_eq!(
            huge,
            ("topics", DecodeError::ArrayTooLong { count: u32::MAX as usize - 1, min_bytes: 18, left: 1 })
        );
    }

    #[test]
    fn a_message_of_a_million_empty_names_is_refused_before_memory_is_reserved() {
        let count = 1_000_000u32;
        let bytes = [&count.to_be_bytes()[..], &vec![0; 2 * count as usize]].concat();
        let (field, refused) = refusal::<MetadataRequest<'_>>(&bytes, 1);
        let (needed, budget) = (count as usize * size_of::<MetadataRequestTopic<'_>>(), 1024 * 1024 + 8 * bytes.len());
        assert_eq!((field, refused), ("topics", DecodeError::TooLarge { needed, budget }));
    }

    #[test]
    fn what_is_no_length_no_text_or_no_integer_is_refused_by_name() {
        let length = refusal::<MetadataRequest<'_>>(&[0xff, 0xff, 0xff, 0xfe], 1);
        assert_eq!(length, ("topics", DecodeError::NegativeLength { length: -2 }));
        let length = refusal::<MetadataRequest<'_>>(&[0, 0, 0, 1, 0xff, 0xfe], 1);
        assert_eq!(length, ("name", DecodeError::NegativeLength { length: -2 }));
        let text = refusal::<MetadataRequest<'_>>(&[0, 0, 0, 1, 0, 2, b'a', 0xff], 1);
        assert_eq!(text, ("name", DecodeError::NotUtf8 { valid_up_to: 1 }));
        let long = [&[2, 0x81, 0x80, 2][..], &[b'a'; 1 << 15]].concat();
        let long = refusal::<MetadataRequest<'_>>(&long, 9);
        assert_eq!(long, ("name", DecodeError::StringTooLong { length: 1 << 15 }));
        let cut = refusal::<MetadataRequest<'_>>(&[0, 0, 0, 1, 0, 9, b'a'], 1);
        assert_eq!(cut, ("name", DecodeError::Truncated { needed: 9, left: 1 }));
        for varint in [[0xff, 0xff, 0xff, 0xff, 0x10], [0x80; 5]] {
            assert_eq!(refusal::<MetadataRequest<'_>>(&varint, 9), ("topics", DecodeError::VarintTooLong));
        }
        let error = decode::<MetadataRequest<'_>>(&[0, 0, 0, 1, 0, 9, b'a'], 1).unwrap_err();
        assert_eq!(error.to_string(), "MetadataRequestTopic.name: 9 bytes are needed where 1 are left");
    }

    #[test]
    fn a_version_that_does_not_exist_is_refused_with_the_range_that_does() {
        let error = decode::<MetadataRequest<'_>>(&[], 14).unwrap_err();
        assert_eq!(error.to_string(), "Metadata has no version 14: versions 0 to 13 are known");
        assert!(encode(&FetchResponse::default(), 3).is_err());
    }

    #[test]
    fn unknown_tagged_fields_are_skipped_and_known_ones_must_fill_their_size() {
        let mut bytes = encode(&FetchRequest::default(), 12).unwrap();
        assert_eq!(bytes.pop(), Some(0), "no tagged fields");
        let known = [0, 3, 3, b'i', b'd'];
        let unknown = [99, 2, 0xab, 0xcd];

        let both = [&bytes[..], &[2], &known, &unknown].concat();
        assert_eq!(decode::<FetchRequest<'_>>(&both, 12).unwrap().cluster_id.as_deref(), Some("id"));

        let long = [&bytes[..], &[1, 0, 5, 3, b'i', b'd', 0, 0]].concat();
        assert_eq!(refusal::<FetchRequest<'_>>(&long, 12), ("", DecodeError::TaggedFieldSize { tag: 0, left: 2 }));
        let short = [&bytes[..], &[1, 0, 2, 3, b'i', b'd']].concat();
        assert_eq!(refusal::<FetchRequest<'_>>(&short, 12).0, "cluster_id");
        let endless = [&bytes[..], &[0xff, 0xff, 0xff, 0xff, 0x0f, 99, 0]].concat();
        assert_eq!(refusal::<FetchRequest<'_>>(&endless, 12).1, DecodeError::Truncated { needed: 1, left: 0 });
    }

    #[test]
    fn a_tagged_field_is_sent_only_when_it_says_something() {
        let quiet = encode(&FetchRequest::default(), 12).unwrap();
        let named = FetchRequest { cluster_id: Some(Str::Borrowed("id")), ..Default::default() };
        assert_eq!(encode(&named, 12).unwrap().len(), quiet.len() + 5);
        assert_eq!(encode(&named, 11), encode(&FetchRequest::default(), 11));
    }

    #[test]
    fn decoded_text_borrows_from_the_frame() {
        let topic = MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some("orders".into()) };
        let bytes = encode(&MetadataRequest { topics: Some(vec![topic]), ..Default::default() }, 12).unwrap();
        let request: MetadataRequest<'_> = decode(&bytes, 12).unwrap();
        assert!(matches!(request.topics.unwrap()[0].name, Some(Str::Borrowed("orders"))));
    }

    #[test]
    fn bytes_behind_a_message_are_left_and_can_be_reported() {
        let mut r = Reader::new(&[0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
        MetadataRequest::decode(&mut r, 1).unwrap();
        assert_eq!(r.finish(), Err(DecodeError::Trailing { left: 3 }));
    }
}
