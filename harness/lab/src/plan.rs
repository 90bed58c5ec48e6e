//! A plan: which cells are run, how often and for how long.

use std::time::Duration;

use crate::contestant::Contestant;
use crate::error::LabError;
use crate::lab::Budget;
use crate::setting::{Load, Preparation, Setting, SyncPolicy, WriteSetting};

/// One contestant in one setting.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Who.
    pub contestant: Contestant,
    /// What is asked of it.
    pub setting: Setting,
}

/// Cells, and how they are run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) cells: Vec<Cell>,
    pub(crate) repeats: usize,
    pub(crate) seed: u64,
    pub(crate) budget: Budget,
}

/// What a user chooses.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOptions {
    /// Under a minute instead of under ten.
    pub quick: bool,
    /// Only these contestants; all when empty.
    pub only: Vec<String>,
    /// Only these sizes, in bytes; the plan's own when empty.
    pub sizes: Vec<usize>,
    /// How often each cell runs.
    pub repeats: Option<usize>,
    /// Decides the order.
    pub seed: u64,
}

const KIB: usize = 1 << 10;
const SIZES: [usize; 6] = [KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB];
const QUICK_SIZES: [usize; 2] = [4 * KIB, 64 * KIB];
/// How many appends share a sync, and a call, where they are queued.
const QUEUED: usize = 16;

impl Plan {
    /// The cells that the options leave of the whole field.
    ///
    /// # Errors
    /// [`LabError::Unknown`] for a name of no contestant, [`LabError::Empty`] when nothing is left.
    pub fn new(options: &PlanOptions) -> Result<Plan, LabError> {
        let all = Contestant::all();
        if let Some(name) = options.only.iter().find(|name| !all.iter().any(|known| known.name() == **name)) {
            let known = all.iter().map(Contestant::name).collect::<Vec<_>>().join(", ");
            return Err(LabError::Unknown { name: name.clone(), known });
        }
        let chosen = |contestant: &Contestant| {
            options.only.is_empty() || options.only.iter().any(|name| name == contestant.name())
        };
        let contestants: Vec<Contestant> = all.into_iter().filter(chosen).collect();
        let cells: Vec<Cell> = write_settings(options)
            .into_iter()
            .map(Setting::Write)
            .flat_map(|setting| {
                let able = contestants.iter().filter(move |contestant| contestant.takes(&setting));
                able.map(move |&contestant| Cell { contestant, setting })
            })
            .collect();
        if cells.is_empty() {
            let reason = "none of the contestants chosen by --only takes a setting with the --sizes given".to_owned();
            return Err(LabError::Empty { reason });
        }
        let (duration, mib) = if options.quick { (80, 192) } else { (250, 512) };
        let budget = Budget { duration: Duration::from_millis(duration), bytes: mib << 20 };
        let repeats = options.repeats.unwrap_or(if options.quick { 3 } else { 5 });
        Ok(Plan { cells, repeats, seed: options.seed, budget })
    }

    /// What is run, those of one setting one behind the other.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// How often each cell runs.
    #[must_use]
    pub fn repeats(&self) -> usize {
        self.repeats
    }

    /// Who is in it, each once.
    pub(crate) fn contestants(&self) -> Vec<Contestant> {
        let mut contestants: Vec<Contestant> = Vec::new();
        for cell in &self.cells {
            if !contestants.iter().any(|known| known.name() == cell.contestant.name()) {
                contestants.push(cell.contestant);
            }
        }
        contestants
    }

    /// The most that stands on the device at once. Bytes.
    pub(crate) fn needed_bytes(&self) -> u64 {
        let largest = self.cells.iter().map(|cell| match &cell.setting {
            Setting::Write(setting) => crate::write::capacity(setting, self.budget.bytes) * setting.writers as u64,
        });
        largest.max().unwrap_or(0)
    }
}

/// The settings for writing: each axis around one middle, not their product.
fn write_settings(options: &PlanOptions) -> Vec<WriteSetting> {
    let sizes = |own: &[usize]| if options.sizes.is_empty() { own.to_vec() } else { options.sizes.clone() };
    let middle = WriteSetting {
        size_bytes: 64 * KIB,
        sync: SyncPolicy::None,
        prepare: Preparation::Extend,
        writers: 1,
        queued: 1,
        load: Load::Saturated,
    };
    let mut settings = Vec::new();
    let curve = sizes(if options.quick { &QUICK_SIZES } else { &SIZES });
    settings.extend(curve.iter().map(|&size_bytes| WriteSetting { size_bytes, ..middle }));
    settings.extend(curve.iter().map(|&size_bytes| WriteSetting { size_bytes, sync: SyncPolicy::Every, ..middle }));
    for size_bytes in sizes(&QUICK_SIZES) {
        let grouped = WriteSetting { size_bytes, sync: SyncPolicy::Group, queued: QUEUED, ..middle };
        settings.push(grouped);
        if options.quick {
            continue;
        }
        settings.push(WriteSetting { sync: SyncPolicy::None, ..grouped });
        settings.push(WriteSetting { size_bytes, sync: SyncPolicy::Interval(Duration::from_millis(10)), ..middle });
        for prepare in [Preparation::Allocate, Preparation::Prewritten] {
            for sync in [SyncPolicy::None, SyncPolicy::Every] {
                settings.push(WriteSetting { size_bytes, prepare, sync, ..middle });
            }
        }
        for writers in [4, 16] {
            settings.push(WriteSetting { size_bytes, writers, ..middle });
            settings.push(WriteSetting { size_bytes, writers, sync: SyncPolicy::Every, ..middle });
        }
    }
    settings
}
