//! YAML as workload files use it: mappings, lists and scalars, each with its line.

use saphyr_parser::{Event, Parser, Span};

use super::problem::Problem;

/// Deeper than any workload.
const DEEPEST: usize = 8;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    pub(super) content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// As it is written; what it means is the key's affair. Empty where nothing is written.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key, its line and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Node,
}

impl Content {
    /// For messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Content::Scalar(_) => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }
}

/// The one document of a file. Anchors and tags mean nothing in a workload, so they are refused.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader { events: Parser::new_from_str(text), line: 1 };
    let mut document = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if document.is_some() => {
                return Err(
                    reader.problem("it is a second document", "a file holds one workload: give it a file of its own")
                );
            }
            event => document = Some(reader.node(event, 0)?),
        }
    }
    document.ok_or_else(|| reader.problem("the file is empty", "harness/load/WORKLOADS.md shows what belongs in it"))
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Where the last event began.
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, Problem> {
        match self.events.next() {
            Some(Ok((event, Span { start, .. }))) => {
                self.line = start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                Err(Problem::at(error.marker().line(), "", "", format!("this is no YAML: {}", error.info()), ""))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn problem(&self, what: &str, remedy: &str) -> Problem {
        Problem::at(self.line, "", "", what, remedy)
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, Problem> {
        let line = self.line;
        if depth > DEEPEST {
            return Err(self.problem("it is nested too deeply", "a workload needs three levels"));
        }
        let plain = "write the value out: workloads have no anchors, aliases and tags";
        let content = match event {
            Event::Scalar(text, _, 0, None) => Content::Scalar(scalar(&text)),
            Event::SequenceStart(0, None) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break Content::List(items),
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(0, None) => {
                let mut entries: Vec<Entry> = Vec::new();
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => break Content::Map(entries),
                        Event::Scalar(text, _, 0, None) => text.into_owned(),
                        _ => return Err(self.problem("a key must be a single word", plain)),
                    };
                    let line = self.line;
                    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                        let what = format!("it stands in line {} already", first.line);
                        return Err(Problem::at(line, &key, "", what, "take one of them away"));
                    }
                    let event = self.next()?;
                    entries.push(Entry { key, line, value: self.node(event, depth + 1)? });
                }
            }
            Event::StreamEnd => return Err(self.problem("the file ends too early", "")),
            _ => return Err(self.problem("it has an anchor, an alias or a tag", plain)),
        };
        Ok(Node { line, content })
    }
}

/// A tilde is how the parser says that nothing is written.
fn scalar(text: &str) -> String {
    if text == "~" { String::new() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_lines() {
        let node = parse("# comment\nname: a: no\n").unwrap_err();
        assert_eq!(node.line, 2);
        let Content::Map(entries) = parse("# comment\n\nname: x\nsweep:\n  acks: [0, all]\n").unwrap().content else {
            panic!("a mapping is expected")
        };
        assert_eq!(
            entries.iter().map(|entry| (&*entry.key, entry.line)).collect::<Vec<_>>(),
            [("name", 3), ("sweep", 4)]
        );
        let Content::Map(axes) = &entries[1].value.content else { panic!("a mapping is expected") };
        assert_eq!(axes[0].value.line, 5);
    }

    #[test]
    fn what_is_no_workload_is_refused_with_its_line() {
        for (text, line, said) in [
            ("", 1, "empty"),
            ("a: 1\na: 2\n", 2, "line 1 already"),
            ("a: 1\n---\nb: 1\n", 3, "second document"),
            ("a: &x 1\nb: *x\n", 1, "anchor"),
            ("a: !!str 1\n", 1, "tag"),
            ("a: 1\n? [b]\n: 1\n", 2, "single word"),
            ("a: [1, 2\nb: 3\n", 2, "no YAML"),
            (&"[".repeat(100), 1, "too deeply"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.what.contains(said) && problem.line == line, "{text:?}: {problem:?}");
        }
    }
}
