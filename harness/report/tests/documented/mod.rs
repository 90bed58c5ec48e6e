//! Whether a page that describes the fields of a JSON file has all that are written, and no others.

use std::collections::BTreeSet;

use serde_json::Value;

/// Compares every field of `written`, such as `cells[].mb_per_s.low`, with the first column of a page's tables. `is_one` says which
/// objects, by their path and value, are described as one field.
pub(crate) fn compare(written: &Value, page: &str, is_one: &dyn Fn(&str, &Value) -> bool) {
    let mut all = BTreeSet::new();
    leaves(written, "", is_one, &mut all);
    // Null in one cell, an object in another.
    let has_parts = |path: &String| all.iter().any(|other| other.starts_with(&format!("{path}.")));
    let written: BTreeSet<String> = all.iter().filter(|path| !has_parts(path)).cloned().collect();
    let name = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let documented: BTreeSet<String> = page.lines().filter_map(name).collect();
    let missing: Vec<_> = written.difference(&documented).collect();
    assert!(missing.is_empty(), "the page lacks {missing:?}");
    let unknown: Vec<_> = documented.difference(&written).collect();
    assert!(unknown.is_empty(), "nothing is written (or the test's example has nothing) of {unknown:?}");
}

fn leaves(value: &Value, path: &str, is_one: &dyn Fn(&str, &Value) -> bool, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !is_one(path, value) => {
            for (name, value) in fields {
                leaves(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, is_one, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| leaves(value, &format!("{path}[]"), is_one, found)),
        _ => {
            found.insert(path.to_owned());
        }
    }
}
