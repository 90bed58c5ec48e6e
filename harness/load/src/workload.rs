//! Workload files: OpenMessaging Benchmark's YAML with our keys on top, and the cells that they stand for.
//!
//! `harness/load/WORKLOADS.md` describes the keys; it is made from their table in `key`.

mod cell_spec;
mod estimate;
mod key;
mod problem;
mod reader;
mod resolve;
mod schema;
mod slo;
mod sweep;
mod yaml;

pub use cell_spec::{Arrival, CellSpec, Consumption, Durability, Keys, Payload};
pub use estimate::Estimate;
pub use problem::Problem;
pub use schema::schema_md;
pub use slo::Slo;
pub use sweep::{Order, Turn, schedule};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::LoadError;
use reader::{Reader, Swept, take};
use resolve::{Values, resolve};
use sweep::{every_combination, pairwise};

/// Larger than any workload.
const MOST_BYTES: u64 = 1 << 20;
/// Keys that say the same in different ways.
const TWINS: [&[&str]; 2] =
    [&["testDuration", "testDurationMinutes", "timesMemory"], &["warmupDuration", "warmupDurationMinutes"]];
/// More cells than anybody waits for.
const MOST_CELLS: usize = 10_000;

/// A workload: some cells, and how they are run.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// What it calls itself.
    pub name: String,
    /// Where it was read.
    pub file: PathBuf,
    /// How often each cell runs; at least once.
    pub repeats: u32,
    /// In which order.
    pub order: Order,
    /// Decides the order. Under 2³².
    pub seed: u64,
    /// What a rate must keep to count as sustained.
    pub slo: Option<Slo>,
    /// What is varied; nothing in a workload of one cell.
    pub axes: Vec<Axis>,
    /// At least one, with different keys.
    pub cells: Vec<CellSpec>,
    /// What is no error, but worth knowing.
    pub notes: Vec<Problem>,
    given: Values,
    swept: Vec<Swept>,
}

/// A key and the values that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The key.
    pub key: String,
    /// In the order of the file: integers for sizes (bytes) and times (milliseconds).
    pub values: Vec<String>,
}

impl Workload {
    /// Reads a file.
    ///
    /// # Errors
    /// [`LoadError::File`]; [`LoadError::Workload`] with everything that is wrong with it.
    pub fn read(file: &Path) -> Result<Workload, LoadError> {
        let size = std::fs::metadata(file).map_err(LoadError::file(file))?.len();
        if size > MOST_BYTES {
            let what = format!("it has {size} bytes, a workload at most {MOST_BYTES}");
            let problem = Problem::at(0, "", "", what, "name another file");
            return Err(LoadError::workload(file, vec![problem]));
        }
        Workload::parse(file, &std::fs::read_to_string(file).map_err(LoadError::file(file))?)
    }

    /// Takes the text of a file; where that lies, `payloadFile` is looked for.
    ///
    /// # Errors
    /// [`LoadError::Workload`] with everything that is wrong with it.
    pub fn parse(file: &Path, text: &str) -> Result<Workload, LoadError> {
        let read = Reader::read(text).and_then(|Reader { given, swept, .. }| resolved(file, given, swept));
        read.map_err(|problems| LoadError::workload(file, problems))
    }

    /// The same with another value for a key, as `--set` asks for; an axis of the sweep becomes this one value.
    ///
    /// # Errors
    /// [`LoadError::Workload`].
    pub fn with(mut self, key: &str, value: &str) -> Result<Workload, LoadError> {
        let changed = take(key, 0, value).map_err(|problem| vec![problem]).and_then(|given| {
            // Several keys for one time: the one that is set replaces all.
            let is_replaced =
                |other: &str| other == key || TWINS.iter().any(|twins| twins.contains(&other) && twins.contains(&key));
            self.swept.retain(|swept| !is_replaced(&swept.key));
            self.given.retain(|given| !is_replaced(given));
            self.given.insert(key, given);
            resolved(&self.file, self.given, self.swept)
        });
        changed.map_err(|problems| LoadError::workload(&self.file, problems))
    }

    /// Settings of Kafka's clients, topics and brokers that are swept, or that [`Self::with`] has set: who does that means them.
    pub fn kafka_settings(&self) -> impl Iterator<Item = &str> {
        let swept = self.swept.iter().map(|swept| &*swept.key);
        swept.chain(self.given.set()).filter(|key| key::is_kafkas(key))
    }

    /// All runs in their order.
    #[must_use]
    pub fn schedule(&self) -> Vec<Turn> {
        schedule(self.cells.len(), self.repeats, self.order, self.seed)
    }
}

/// A workload of what was read, or what is wrong with it.
fn resolved(file: &Path, given: Values, swept: Vec<Swept>) -> Result<Workload, Vec<Problem>> {
    let sizes: Vec<usize> = swept.iter().map(|axis| axis.values.len()).collect();
    let all = sizes.iter().try_fold(1usize, |all, size| all.checked_mul(*size)).filter(|all| *all <= MOST_CELLS);
    if all.is_none() {
        let line = swept.first().map_or(0, |axis| axis.line);
        let what = format!("it spans more than {MOST_CELLS} cells");
        return Err(vec![Problem::at(line, "sweep", "", what, "take values or axes away")]);
    }
    let combinations = match given.text("cover") {
        "pairs" => pairwise(&sizes),
        _ => every_combination(&sizes),
    };
    let name = given
        .given("name")
        .map_or_else(|| file.file_stem().unwrap_or_default().display().to_string(), |name| name.text.clone());
    let (mut cells, mut problems, mut notes): (Vec<CellSpec>, Vec<Problem>, Vec<Problem>) = Default::default();
    for combination in &combinations {
        let mut values = given.clone();
        let (mut words, mut varied) = (Vec::new(), BTreeMap::new());
        for (axis, value) in swept.iter().zip(combination).filter_map(|(axis, at)| Some((axis, axis.values.get(*at)?)))
        {
            words.push(format!("{}={}", axis.key, value.written));
            varied.insert(axis.key.clone(), value.text.clone());
            values.insert(&axis.key, value.clone());
        }
        let name = if words.is_empty() { name.clone() } else { words.join(" ") };
        match resolve(&values, file.parent().unwrap_or(Path::new("")), &mut notes) {
            Ok(cell) => cells.push(CellSpec { name, varied, ..cell }),
            Err(problem) if problems.contains(&problem) => {}
            Err(problem) => problems.push(problem),
        }
    }
    notes.dedup();
    if !problems.is_empty() {
        return Err(problems);
    }
    let order = match given.text("order") {
        "listed" => Order::Listed,
        "random" => Order::Random,
        _ => Order::Abba,
    };
    let of_keys =
        cells.iter().fold(0u64, |seed, cell| seed.rotate_left(7) ^ u64::from_str_radix(&cell.key(), 16).unwrap_or(0));
    Ok(Workload {
        name,
        file: file.to_owned(),
        repeats: given.number("repeats"),
        order,
        seed: given.given("seed").map_or(of_keys & u64::from(u32::MAX), |_| given.number("seed")),
        slo: given.given("slo").and_then(|slo| slo.text.parse().ok()),
        axes: swept.iter().map(Swept::axis).collect(),
        cells,
        notes,
        given,
        swept,
    })
}
