//! Keys and values as the application has them: a producer with a serializer for each.

use std::error::Error;

use ringlog_record::RecordHeader;

use super::{Delivery, Producer, ProducerRecord};
use crate::ClientError;

/// Why a value has no bytes, in its serializer's own words.
pub type SerializeError = Box<dyn Error + Send + Sync>;

/// Turns values into the bytes of keys or values. Every `Fn(&str, &T, &mut Vec<u8>) -> Result<(), SerializeError>` is
/// one.
pub trait Serializer<T: ?Sized> {
    /// Appends the bytes of `value`, which goes to `topic`.
    ///
    /// # Errors
    /// What `send` then fails with, as [`ClientError::Serialize`].
    fn serialize(&self, topic: &str, value: &T, bytes: &mut Vec<u8>) -> Result<(), SerializeError>;
}

impl<T: ?Sized, F> Serializer<T> for F
where
    F: Fn(&str, &T, &mut Vec<u8>) -> Result<(), SerializeError>,
{
    fn serialize(&self, topic: &str, value: &T, bytes: &mut Vec<u8>) -> Result<(), SerializeError> {
        self(topic, value, bytes)
    }
}

/// Bytes as they are, as Java's `ByteArraySerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bytes;

/// Text in UTF-8, as Java's `StringSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Utf8;

/// Numbers in network order, as Java's `ShortSerializer`, `IntegerSerializer`, `LongSerializer` and `DoubleSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct BigEndian;

impl<T: AsRef<[u8]> + ?Sized> Serializer<T> for Bytes {
    fn serialize(&self, _: &str, value: &T, bytes: &mut Vec<u8>) -> Result<(), SerializeError> {
        bytes.extend_from_slice(value.as_ref());
        Ok(())
    }
}

impl<T: AsRef<str> + ?Sized> Serializer<T> for Utf8 {
    fn serialize(&self, _: &str, value: &T, bytes: &mut Vec<u8>) -> Result<(), SerializeError> {
        bytes.extend_from_slice(value.as_ref().as_bytes());
        Ok(())
    }
}

macro_rules! big_endian {
    ($($number:ty)*) => { $(
        impl Serializer<$number> for BigEndian {
            fn serialize(&self, _: &str, value: &$number, bytes: &mut Vec<u8>) -> Result<(), SerializeError> {
                bytes.extend_from_slice(&value.to_be_bytes());
                Ok(())
            }
        }
    )* };
}

big_endian! { i16 i32 i64 f32 f64 }

/// A [`ProducerRecord`] whose key and value are not bytes yet.
#[derive(Debug)]
pub struct TypedRecord<'a, K: ?Sized, V: ?Sized> {
    /// Where to.
    pub topic: &'a str,
    /// The partition, or `None` for the partitioner to choose, by the key's bytes.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<&'a K>,
    /// The value; `None` is a tombstone on a compacted topic.
    pub value: Option<&'a V>,
    /// Headers, in order.
    pub headers: &'a [RecordHeader<'a>],
    /// Milliseconds since the epoch; `None` is the present.
    pub timestamp_ms: Option<i64>,
    /// As [`ProducerRecord::opaque`].
    pub opaque: u64,
}

impl<K: ?Sized, V: ?Sized> Default for TypedRecord<'_, K, V> {
    fn default() -> Self {
        let ProducerRecord { topic, partition, headers, timestamp_ms, opaque, .. } = ProducerRecord::default();
        Self { topic, partition, key: None, value: None, headers, timestamp_ms, opaque }
    }
}

/// A [`Producer`] of keys and values that two serializers turn into bytes.
///
/// ```no_run
/// use ringlog_client::{BigEndian, Producer, TypedProducer, TypedRecord, Utf8};
///
/// # async fn example(producer: Producer) -> Result<(), ringlog_client::ClientError> {
/// let names = TypedProducer::new(producer, BigEndian, Utf8);
/// names.send(TypedRecord { topic: "names", key: Some(&7_i64), value: Some("seven"), ..Default::default() }).await?.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TypedProducer<K, V> {
    producer: Producer,
    key: K,
    value: V,
}

impl<K, V> TypedProducer<K, V> {
    /// `producer` with a serializer for keys and one for values.
    pub fn new(producer: Producer, key: K, value: V) -> Self {
        Self { producer, key, value }
    }

    /// The producer beneath: what it is sent shares batches and order with what is sent here.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Serializes key and value and [sends](Producer::send) the record.
    ///
    /// # Errors
    /// [`ClientError::Serialize`], and as [`Producer::send`].
    pub async fn send<A: ?Sized, B: ?Sized>(&self, record: TypedRecord<'_, A, B>) -> Result<Delivery, ClientError>
    where
        K: Serializer<A>,
        V: Serializer<B>,
    {
        let TypedRecord { topic, partition, key, value, headers, timestamp_ms, opaque } = record;
        let key = key.map(|key| bytes_of(&self.key, "key", topic, key)).transpose()?;
        let value = value.map(|value| bytes_of(&self.value, "value", topic, value)).transpose()?;
        let (key, value) = (key.as_deref(), value.as_deref());
        self.producer.send(ProducerRecord { topic, partition, key, value, headers, timestamp_ms, opaque }).await
    }
}

fn bytes_of<T: ?Sized>(
    serializer: &impl Serializer<T>,
    part: &'static str,
    topic: &str,
    value: &T,
) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    match serializer.serialize(topic, value, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(cause) => Err(ClientError::Serialize { part, topic: topic.to_owned(), cause: cause.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_javas_serializers() {
        assert_eq!(bytes_of(&Utf8, "key", "t", "é").unwrap(), "é".as_bytes());
        assert_eq!(bytes_of(&Bytes, "key", "t", &[1_u8, 2]).unwrap(), [1, 2]);
        assert_eq!(bytes_of(&BigEndian, "key", "t", &-2_i64).unwrap(), (-2_i64).to_be_bytes());
        assert_eq!(bytes_of(&BigEndian, "key", "t", &258_i32).unwrap(), [0, 0, 1, 2]);
    }

    #[test]
    fn a_closure_is_a_serializer_and_its_refusal_is_told_with_topic_and_part() {
        let even = |_: &str, value: &u8, bytes: &mut Vec<u8>| {
            if value % 2 == 1 {
                return Err("it is odd".into());
            }
            bytes.push(*value);
            Ok(())
        };
        assert_eq!(bytes_of(&even, "value", "t", &2).unwrap(), [2]);
        let error = bytes_of(&even, "value", "t", &3).unwrap_err();
        assert_eq!(error.to_string(), "the value of a record for topic t cannot be serialized: it is odd");
    }
}
