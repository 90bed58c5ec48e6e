//! From a document to values of known keys.

use super::Axis;
use super::key::{self, MAPS, Origin};
use super::problem::Problem;
use super::resolve::{Given, Values};
use super::yaml::{self, Content, Entry, Node};

/// What a document gives.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) given: Values,
    pub(super) swept: Vec<Swept>,
    problems: Vec<Problem>,
}

/// A key of the sweep.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Swept {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) values: Vec<Given>,
}

impl Swept {
    pub(super) fn axis(&self) -> Axis {
        Axis { key: self.key.clone(), values: self.values.iter().map(|value| value.text.clone()).collect() }
    }
}

impl Reader {
    /// Everything of it, or everything that is wrong with it.
    pub(super) fn read(text: &str) -> Result<Reader, Vec<Problem>> {
        let document = yaml::parse(text).map_err(|problem| vec![problem])?;
        let mut reader = Reader::default();
        for entry in reader.entries("", document) {
            reader.entry(entry);
        }
        for Swept { key, line, .. } in &reader.swept {
            if let Some(given) = reader.given.given(key) {
                let what = format!("it is swept, and given in line {} as well", given.line);
                reader.problems.push(Problem::at(*line, key, "", what, "take one of them away"));
            }
        }
        if reader.problems.is_empty() { Ok(reader) } else { Err(reader.problems) }
    }

    fn entry(&mut self, Entry { key, line, value }: Entry) {
        if key == "sweep" {
            for axis in self.entries(&key, value) {
                self.axis(axis);
            }
        } else if MAPS.iter().any(|(map, _)| *map == key) {
            for inner in self.entries(&key, value) {
                self.single(format!("{key}.{}", inner.key), inner.line, inner.value);
            }
        } else {
            self.single(key, line, value);
        }
    }

    fn single(&mut self, key: String, line: usize, value: Node) {
        let taken = match &value.content {
            Content::Scalar(written) => take(&key, line, written),
            // A mistyped `sweep` is a mapping too.
            _ if key::find(&key).is_none() => take(&key, line, ""),
            other => {
                let remedy = format!("write `{key}: VALUE`, or name the values below `sweep:`");
                Err(Problem::at(line, &key, "", format!("it is {}", other.kind()), remedy))
            }
        };
        match taken {
            Ok(given) => self.given.insert(&key, given),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn axis(&mut self, Entry { key, line, value }: Entry) {
        let mut refuse = |what: &str, remedy: &str| self.problems.push(Problem::at(line, &key, "", what, remedy));
        if key::find(&key).is_some_and(|key| key.origin == Origin::Whole) {
            return refuse("it is about the whole workload and can't be swept", "write it beside `sweep:`");
        }
        let Content::List(nodes) = value.content else {
            return refuse("an axis is a list of values", "write such as `linger.ms: [0, 5]`");
        };
        if nodes.is_empty() {
            return refuse("the axis has no values", "name some, or take it away");
        }
        let mut values: Vec<Given> = Vec::new();
        for Node { line, content } in nodes {
            let taken = match &content {
                Content::Scalar(written) => take(&key, line, written),
                other => {
                    Err(Problem::at(line, &key, "", format!("{} is in the list", other.kind()), "name single values"))
                }
            };
            match taken {
                Ok(given) if values.iter().any(|earlier| earlier.text == given.text) => {
                    self.problems.push(Problem::at(line, &key, &given.written, "it is there twice", "take one away"));
                }
                Ok(given) => values.push(given),
                Err(problem) => self.problems.push(problem),
            }
        }
        self.swept.push(Swept { key, line, values });
    }

    /// The entries of a mapping; anything else is a problem and has none.
    fn entries(&mut self, key: &str, node: Node) -> Vec<Entry> {
        let other = match node.content {
            Content::Map(entries) => return entries,
            other => other,
        };
        let what = format!("it is {}: a mapping of keys to values is needed", other.kind());
        self.problems.push(Problem::at(node.line, key, "", what, "write one `key: value` on each line"));
        Vec::new()
    }
}

/// A value for a key, in the one way that it is written.
pub(super) fn take(key: &str, line: usize, written: &str) -> Result<Given, Problem> {
    let given = |text| Given { text, written: written.to_owned(), line };
    if written.contains("${") {
        let remedy = "write the value that it stands for";
        return Err(Problem::at(line, key, written, "it is a place in a template", remedy));
    }
    if let Some(known) = key::find(key) {
        let what = match written {
            "" => "it has no value".to_owned(),
            written => match known.kind.canonical(written) {
                Ok(text) => return Ok(given(text)),
                Err(needed) => needed,
            },
        };
        return Err(Problem::at(line, key, written, what, ""));
    }
    let is_inner =
        |(map, _): &(&str, &str)| key.strip_prefix(map).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'));
    if MAPS.iter().any(is_inner) {
        return Ok(given(written.to_owned()));
    }
    let remedy = match key::nearest(key) {
        Some(near) => format!("did you mean {near}?"),
        None => "`ringbench workloads check --help` says where all keys are described".to_owned(),
    };
    Err(Problem::at(line, key, written, "there is no such key", remedy))
}
