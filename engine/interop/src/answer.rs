//! What a broker answered, as lines of `path = value`, without what differs between any two brokers.

use std::fmt::{self, Debug};

use ringlog_protocol::ErrorCode;

/// The fields of one response in the order of its schema; lists of structures are sorted by what names their elements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    path: String,
    raw: String,
}

/// What names an element of a list, the first that it has.
const NAMES: [&str; 17] = [
    "name",
    "topic",
    "topic_name",
    "resource_name",
    "group_id",
    "partition_index",
    "partition",
    "index",
    "batch_index",
    "api_key",
    "key",
    "group_instance_id",
    "user",
    "partition_id",
    "feature",
    "mechanism",
    "entity_type",
];

/// Lists whose elements are many, alike and short: a line for each is all that one cares to read.
const TABLES: [&str; 5] = ["configs", "api_keys", "synonyms", "entity", "values"];

/// Lists of numbers that are bytes.
const BYTES: [&str; 5] = ["records", "metadata", "assignment", "member_metadata", "member_assignment"];

impl Answer {
    /// The fields of `response`, read off its `Debug` form: every message has one, and it names every field.
    pub(crate) fn of(response: &impl Debug) -> Answer {
        let text = format!("{response:?}");
        let mut fields = Vec::new();
        flatten(String::new(), &Parser { rest: &text }.value(), &mut fields);
        Answer { fields }
    }

    /// An answer that is not a message: a closed connection, silence, bytes that cannot be read.
    pub(crate) fn none(reason: &str) -> Answer {
        Answer { fields: vec![Field { path: "answer".into(), raw: reason.into() }] }
    }

    /// The value of the first field at `path` as it came; strings without their quotes. Empty when there is none.
    #[must_use]
    pub fn get(&self, path: &str) -> &str {
        self.fields.iter().find(|f| f.path == path).map_or("", |f| f.raw.trim_matches('"'))
    }

    /// `path`, value; what no two brokers share (ids, times, addresses, the words of an error) has a placeholder.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut members = Vec::new();
        self.fields
            .iter()
            .map(|f| {
                let field = f.path.rsplit('.').next().unwrap_or("");
                // Members are listed by their ids, which are random: which is which can't be told.
                let is_listed = field == "member_id" && f.path.contains("members[");
                // What the quorum has come to says how long its log is; 0 stands where there is none.
                let is_quorums = matches!(field, "leader_epoch" | "high_watermark" | "log_end_offset")
                    && f.path.starts_with("topics[__cluster_metadata]");
                let value = match f.raw.as_str() {
                    _ if is_listed => "<member>".to_owned(),
                    raw if is_quorums && raw != "0" => "<offset>".to_owned(),
                    raw => normalized(field, raw, &mut members),
                };
                (f.path.clone(), value)
            })
            .collect()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|(path, value)| writeln!(f, "{path} = {value}"))
    }
}

/// `members` are those of this answer in the order of their appearance: the first is `<member 1>` wherever it stands.
fn normalized<'a>(field: &str, raw: &'a str, members: &mut Vec<&'a str>) -> String {
    let absent = matches!(raw, "null" | "\"\"" | "-1");
    let placeholder = match field {
        _ if field.ends_with("error_code") => {
            let code = raw.parse().map_or(ErrorCode::UnknownServerError, ErrorCode::from_code);
            return format!("{raw} {}", code.name());
        }
        _ if absent => return raw.to_owned(),
        "member_id" | "leader" => {
            let number = members.iter().position(|m| *m == raw).unwrap_or_else(|| {
                members.push(raw);
                members.len() - 1
            });
            return format!("<member {}>", number + 1);
        }
        "topic_id" if raw == "AAAAAAAAAAAAAAAAAAAAAA" => return "zero".to_owned(),
        "topic_id" | "producer_id" => "<id>",
        "cluster_id" => "<cluster>",
        "host" => "<host>",
        "port" => "<port>",
        "log_dir" => "<directory>",
        "total_bytes" | "usable_bytes" => "<bytes>",
        // It is the place in a log that grows by the clock.
        "finalized_features_epoch" => "<epoch>",
        "log_append_time_ms" | "last_timestamp" | "last_fetch_timestamp" | "last_caught_up_timestamp" => "<time>",
        "error_message" | "batch_index_error_message" | "documentation" => "<text>",
        _ => return raw.to_owned(),
    };
    placeholder.to_owned()
}

/// The shape of a `Debug` text.
enum Tree {
    Leaf(String),
    List(Vec<Tree>),
    Struct(Vec<(String, Tree)>),
}

fn flatten(path: String, tree: &Tree, out: &mut Vec<Field>) {
    match tree {
        Tree::Leaf(raw) => out.push(Field { path, raw: raw.clone() }),
        Tree::Struct(fields) => {
            for (name, value) in fields {
                flatten(if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, out);
            }
        }
        Tree::List(items) if !items.is_empty() && items.iter().all(|i| matches!(i, Tree::Struct(_))) => {
            let mut named: Vec<(String, &Tree)> = items.iter().enumerate().map(|(i, t)| (name_of(t, i), t)).collect();
            named.sort_by_key(|(name, _)| (name.parse::<i64>().unwrap_or(i64::MAX), name.clone()));
            for (name, item) in named {
                let path_of_item = format!("{path}[{name}]");
                if TABLES.contains(&path.rsplit('.').next().unwrap_or("")) {
                    out.push(Field { path: path_of_item, raw: row(item) });
                } else {
                    flatten(path_of_item, item, out);
                }
            }
        }
        Tree::List(items) => {
            let leaves: Vec<&str> =
                items.iter().map(|i| if let Tree::Leaf(l) = i { l.as_str() } else { "?" }).collect();
            let raw = if BYTES.contains(&path.rsplit('.').next().unwrap_or("")) {
                let hex = leaves.iter().map(|b| format!("{:02x}", b.parse::<u8>().unwrap_or_default()));
                format!("0x{}", hex.collect::<String>())
            } else {
                format!("[{}]", leaves.join(", "))
            };
            out.push(Field { path, raw });
        }
    }
}

/// The fields of an element on one line.
fn row(item: &Tree) -> String {
    let mut fields = Vec::new();
    flatten(String::new(), item, &mut fields);
    let lines = Answer { fields }.lines();
    lines.iter().map(|(path, value)| format!("{path} {value}")).collect::<Vec<_>>().join(", ")
}

/// A name from the element's own fields, or its place.
fn name_of(tree: &Tree, place: usize) -> String {
    let Tree::Struct(fields) = tree else { return place.to_string() };
    if let Some((_, Tree::List(parts))) = fields.iter().find(|(field, _)| field == "entity") {
        return name_of_entity(parts);
    }
    let value = |name: &&str| fields.iter().find(|(field, _)| field == name);
    let named = NAMES.iter().filter_map(value).find_map(|(_, value)| match value {
        Tree::Leaf(raw) if !matches!(raw.as_str(), "null" | "\"\"") => Some(raw.trim_matches('"').to_owned()),
        _ => None,
    });
    named.unwrap_or_else(|| place.to_string())
}

/// Whom a quota is for has no name of its own: its parts name it.
fn name_of_entity(parts: &[Tree]) -> String {
    let text = |part: &Tree, field: &str| match part {
        Tree::Struct(fields) => match fields.iter().find(|(name, _)| name == field) {
            Some((_, Tree::Leaf(raw))) => raw.trim_matches('"').to_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let of = |part| format!("{} {}", text(part, "entity_type"), text(part, "entity_name"));
    let mut parts: Vec<String> = parts.iter().map(of).collect();
    parts.sort();
    parts.join(", ")
}

/// Reads what `derive(Debug)` prints.
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn value(&mut self) -> Tree {
        match self.peek() {
            Some('"') => Tree::Leaf(self.string()),
            Some('[') => Tree::List(self.sequence('[', ']', Self::value)),
            _ => {
                let word = self.word();
                match (word.as_str(), self.peek()) {
                    ("Uuid", Some('(')) => {
                        let end = self.rest.find(')').unwrap_or(0);
                        let id = self.rest.get(1..end).unwrap_or_default().to_owned();
                        self.rest = self.rest.get(end + 1..).unwrap_or_default();
                        Tree::Leaf(id)
                    }
                    // An Option, or the place of records: what is inside stands for it.
                    (_, Some('(')) => self.sequence('(', ')', Self::value).pop().unwrap_or(Tree::List(Vec::new())),
                    (_, Some('{')) => Tree::Struct(self.sequence('{', '}', |p| {
                        let name = p.word();
                        p.skip(':');
                        (name, p.value())
                    })),
                    ("None", _) => Tree::Leaf("null".to_owned()),
                    _ => Tree::Leaf(word),
                }
            }
        }
    }

    fn sequence<T>(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        self.skip(open);
        while self.peek().is_some_and(|c| c != close) {
            items.push(item(self));
            self.skip(',');
        }
        self.skip(close);
        items
    }

    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn skip(&mut self, expected: char) {
        self.peek();
        self.rest = self.rest.strip_prefix(expected).unwrap_or(self.rest);
    }

    fn word(&mut self) -> String {
        self.peek();
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "_-.+".contains(c))).unwrap_or(self.rest.len());
        // Always forward: a character that begins no value is a word of its own.
        let (word, rest) =
            self.rest.split_at(if end == 0 { self.rest.chars().next().map_or(0, char::len_utf8) } else { end });
        self.rest = rest;
        word.to_owned()
    }

    fn string(&mut self) -> String {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (text, rest) = self.rest.split_at(end.map_or(self.rest.len(), |(at, _)| at + 1));
        self.rest = rest;
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use ringlog_protocol::{Blob, Records, Uuid, fetch::*, metadata::*};

    use super::*;

    #[test]
    fn fields_are_lines_and_elements_go_by_their_name() {
        let topic = |name: &'static str, id| MetadataResponseTopic {
            name: Some(name.into()),
            topic_id: Uuid([id; 16]),
            ..Default::default()
        };
        let response = MetadataResponse {
            cluster_id: Some("a \"quoted\" id".into()),
            topics: vec![topic("b", 0), topic("a, {b}", 7)],
            ..Default::default()
        };
        let answer = Answer::of(&response);
        assert_eq!(answer.get("cluster_id"), r#"a \"quoted\" id"#);
        assert_eq!(answer.get("topics[a, {b}].topic_id"), Uuid([7; 16]).to_string());
        let text = answer.to_string();
        assert!(text.contains("cluster_id = <cluster>\n") && text.contains("topics[b].topic_id = zero\n"), "{text}");
        assert!(text.contains("topics[b].error_code = 0 NONE\n") && text.contains("brokers = []\n"), "{text}");
        assert!(text.find("topics[a").unwrap() < text.find("topics[b]").unwrap(), "{text}");
    }

    #[test]
    fn records_are_hexadecimal() {
        let partition = PartitionData { records: Some(Records::Here(Blob::Borrowed(&[1, 255]))), ..Default::default() };
        assert_eq!(Answer::of(&partition).get("records"), "0x01ff");
    }
}
