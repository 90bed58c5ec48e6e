//! How a consumed record is shown: a format with `%` fields, or JSON.

use std::io::{self, Write};

use ringlog_client::{Record, TopicPartition};
use serde::Serialize;

use crate::timestamp;

/// A parsed `--format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Topic,
    Partition,
    Offset,
    TimestampMs,
    Date,
    Key,
    Value,
    Headers,
}

/// A record as JSON. Bytes that are no UTF-8 are replaced.
#[derive(Serialize)]
struct Json<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp_ms: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

impl Format {
    /// Reads a format: `%t` topic, `%p` partition, `%o` offset, `%T` timestamp in ms, `%D` the same as a date, `%k`
    /// key, `%v` value,
    /// `%h` headers, `%%` a per cent sign; and the escapes of [`unescaped`].
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = unescaped(text)?;
        let mut parts = Vec::new();
        let mut pieces = text.split('%');
        let push = |parts: &mut Vec<Part>, text: &str| {
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
        };
        push(&mut parts, pieces.next().unwrap_or_default());
        while let Some(piece) = pieces.next() {
            let Some(field) = piece.chars().next() else {
                // Two signs in a row: what follows the second is text.
                let text = pieces.next().ok_or("a format may not end with a single '%'; write '%%'")?;
                push(&mut parts, &format!("%{text}"));
                continue;
            };
            parts.push(match field {
                't' => Part::Topic,
                'p' => Part::Partition,
                'o' => Part::Offset,
                'T' => Part::TimestampMs,
                'D' => Part::Date,
                'k' => Part::Key,
                'v' => Part::Value,
                'h' => Part::Headers,
                other => return Err(format!("'%{other}' is no field; %t %p %o %T %D %k %v %h and %% are")),
            });
            push(&mut parts, piece.get(field.len_utf8()..).unwrap_or_default());
        }
        Ok(Self(parts))
    }

    /// Writes a record. A null key or value shows as `null`, an empty one as nothing.
    pub(crate) fn write(&self, out: &mut impl Write, from: &TopicPartition, record: &Record<'_>) -> io::Result<()> {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.write_all(text.as_bytes())?,
                Part::Topic => out.write_all(from.topic.as_bytes())?,
                Part::Partition => write!(out, "{}", from.partition)?,
                Part::Offset => write!(out, "{}", record.offset)?,
                Part::TimestampMs => write!(out, "{}", record.timestamp_ms)?,
                Part::Date => out.write_all(timestamp::format(record.timestamp_ms).as_bytes())?,
                Part::Key => out.write_all(record.key.unwrap_or(b"null"))?,
                Part::Value => out.write_all(record.value.unwrap_or(b"null"))?,
                Part::Headers => {
                    for (index, header) in record.headers.enumerate() {
                        out.write_all(if index == 0 { b"" } else { b"," })?;
                        out.write_all(header.key)?;
                        out.write_all(b"=")?;
                        out.write_all(header.value.unwrap_or(b"null"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Writes a record as a line of JSON.
pub(crate) fn write_json(out: &mut impl Write, from: &TopicPartition, record: &Record<'_>) -> io::Result<()> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let json = Json {
        topic: &from.topic,
        partition: from.partition,
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.map(text),
        value: record.value.map(text),
        headers: record.headers.map(|header| (text(header.key), header.value.map(text))).collect(),
    };
    serde_json::to_writer(&mut *out, &json)?;
    out.write_all(b"\n")
}

/// Replaces `\n`, `\t`, `\r`, `\0` and `\\`.
pub(crate) fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('0') => '\0',
                Some('\\') => '\\',
                other => return Err(format!("'\\{}' is no escape; \\n \\t \\r \\0 \\\\ are", other.unwrap_or(' '))),
            },
            other => other,
        });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_text_and_escapes_are_told_apart() {
        let text = |text: &str| Part::Text(text.to_owned());
        let parsed = Format::parse(r"%p:%o\t%k=%v\n").unwrap();
        let expected =
            [Part::Partition, text(":"), Part::Offset, text("\t"), Part::Key, text("="), Part::Value, text("\n")];
        assert_eq!(parsed.0, expected);
        assert_eq!(Format::parse("100%%%v%%k").unwrap().0, [text("100"), text("%"), Part::Value, text("%k")]);
    }

    #[test]
    fn unknown_fields_and_escapes_are_refused() {
        for format in ["%x", "%", "a%", r"\q", "%v%%%"] {
            assert!(Format::parse(format).is_err(), "{format}");
        }
    }
}
