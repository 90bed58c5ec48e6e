//! `java.util.Properties`, as text: what a `server.properties` is written in.

use std::collections::BTreeMap;

use crate::SettingsError;

/// Settings as they were written: names and values, unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    pub(crate) values: BTreeMap<String, String>,
}

impl Properties {
    /// Reads the text of a properties file: `key=value`, `key:value` or `key value` on each line, `#` and `!` begin comments, a
    /// backslash at the end of a line continues it, and `\n`, `\t`, `\uXXXX` and the like stand for characters. The last of
    /// several values counts.
    ///
    /// # Errors
    /// [`SettingsError::Syntax`] names the line.
    pub fn parse(text: &str) -> Result<Properties, SettingsError> {
        let mut properties = Properties::default();
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let mut line = line.trim_start().to_owned();
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            while ends_in_continuation(&line) {
                line.pop();
                let Some((_, next)) = lines.next() else { break };
                line.push_str(next.trim_start());
            }
            let syntax = || SettingsError::Syntax { place: format!("line {}", index + 1), line: line.clone() };
            let (key, value) = split(&line);
            let (key, value) = (unescape(key).ok_or_else(syntax)?, unescape(value).ok_or_else(syntax)?);
            if key.is_empty() {
                return Err(syntax());
            }
            properties.values.insert(key, value.trim_end().to_owned());
        }
        Ok(properties)
    }

    /// Takes one `key=value`, as of `--set`; beats what was there.
    ///
    /// # Errors
    /// [`SettingsError::Syntax`].
    pub fn set(&mut self, argument: &str) -> Result<(), SettingsError> {
        let syntax = || SettingsError::Syntax { place: "--set".to_owned(), line: argument.to_owned() };
        let (key, value) = argument.split_once('=').ok_or_else(syntax)?;
        if key.trim().is_empty() {
            return Err(syntax());
        }
        self.insert(key.trim(), value.trim());
        Ok(())
    }

    /// Sets a value; beats what was there.
    pub fn insert(&mut self, key: &str, value: &str) {
        self.values.insert(key.to_owned(), value.to_owned());
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

/// An odd number of backslashes at the end: the last one is not escaped itself.
fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value: the key ends at the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && matches!(c, '=' | ':' | ' ' | '\t');
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (line, "") };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches([' ', '\t']);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start_matches([' ', '\t']))
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut units = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let unit = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4)?);
                    continue;
                }
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        out.push_str(&String::from_utf16(&std::mem::take(&mut units)).ok()?);
        out.push(unit);
    }
    out.push_str(&String::from_utf16(&units).ok()?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_java_reads_is_read_the_same() {
        let text = "# comment\n! another\n\n a=1\nb : 2\nc 3\nlong=one,\\\n   two\nempty\npath=C:\\\\logs\n\
            uni=\\u00e9\\ud83d\\ude00\nkey\\ with\\=both=x=y\na=last\ntrailing=v  \n";
        let read = Properties::parse(text).unwrap();
        for (key, value) in [
            ("a", "last"),
            ("b", "2"),
            ("c", "3"),
            ("long", "one,two"),
            ("empty", ""),
            ("path", "C:\\logs"),
            ("uni", "é😀"),
            ("key with=both", "x=y"),
            ("trailing", "v"),
        ] {
            assert_eq!(read.get(key), Some(value), "{key}");
        }
        assert_eq!(read.values.len(), 9);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for (text, place) in [("a=1\n=2", "line 2"), ("x=\\u12", "line 1"), ("x=\\ud83d", "line 1")] {
            let error = Properties::parse(text).unwrap_err();
            assert!(error.to_string().starts_with(place), "{error}");
        }
        let error = Properties::default().set("num.partitions 3").unwrap_err();
        assert_eq!(error.to_string(), "--set: \"num.partitions 3\": write key=value");
    }
}
