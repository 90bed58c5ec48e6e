//! What a topic may be called.

/// Kafka's bound: a directory is called `name-partition.<32 hex>-delete`, and a file name has at most 255 bytes.
const LONGEST: usize = 249;

/// A name that no topic may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} can't be a topic's name: {reason}")]
pub struct InvalidTopicName {
    name: String,
    reason: &'static str,
}

/// Whether a topic may be called `name`: 1 to 249 of `A-Z a-z 0-9 . _ -`, and neither `.` nor `..`.
pub fn check_topic_name(name: &str) -> Result<(), InvalidTopicName> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = match name {
        "" => "it is empty",
        "." | ".." => "it is a directory's own name",
        _ if name.len() > LONGEST => "it is longer than 249 characters",
        _ if !name.bytes().all(legal) => "only A-Z a-z 0-9 . _ - are allowed",
        _ => return Ok(()),
    };
    // A hostile name is not repeated at length.
    Err(InvalidTopicName { name: name.chars().take(LONGEST).collect(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_names_pass_and_others_are_told_why() {
        for legal in ["a", "__consumer_offsets", "a.b-c_D9", &"x".repeat(249), "..."] {
            assert_eq!(check_topic_name(legal), Ok(()), "{legal}");
        }
        for illegal in ["", ".", "..", "a/b", "a b", "ä", "a\0", &"x".repeat(250)] {
            assert!(check_topic_name(illegal).is_err(), "{illegal}");
        }
    }
}
