//! A plan: which cells are run, how often and for how long.

use std::time::Duration;

use crate::bench::Budget;
use crate::contestant::Contestant;
use crate::error::LabError;
use crate::setting::{
    Load, Pages, Preparation, Receiver, ServeSetting, Setting, SyncPolicy, TransferSetting, WriteSetting,
};

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
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Adds cells that write a quarter more than this, which is the host's memory. Bytes.
    pub larger_than_memory: Option<u64>,
    /// Only writing, as fast as it goes, until each run has written so much. Bytes.
    pub bytes: Option<u64>,
    /// [`WriteSetting::same_block`].
    pub same_block: bool,
}

impl PlanOptions {
    fn sizes_or(&self, own: &[usize]) -> Vec<usize> {
        if self.sizes.is_empty() { own.to_vec() } else { self.sizes.clone() }
    }
}

const KIB: usize = 1 << 10;
const SIZES: [usize; 6] = [KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB];
const QUICK_SIZES: [usize; 2] = [4 * KIB, 64 * KIB];
/// Around where a copy becomes dearer than a reference.
const SLICES: [usize; 5] = [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB];
/// Of those, what is also sent cold, and to a receiver that discards.
const FEW_SLICES: [usize; 3] = [4 * KIB, 64 * KIB, 1024 * KIB];
/// From a small record to a full batch.
const REQUESTS: [usize; 3] = [100, 4 * KIB, 64 * KIB];
const CONNECTIONS: [usize; 3] = [1, 50, 1000];
/// What Kafka's producers have in flight on a connection.
const PIPELINED: usize = 5;
/// How many appends share a sync, and a call, where they are queued.
const QUEUED: usize = 16;
/// Percent of what the fastest does: the latency–load curve.
const LOADS: [u8; 3] = [50, 75, 90];
const QUICK_LOADS: [u8; 2] = [25, 75];
/// Appends a second of a host that has nothing to do.
const IDLE: f64 = 200.0;
/// An open loop lasts long enough for so many appends: a median is quoted with ten beyond it.
const FEW: f64 = 24.0;
/// What a run takes besides its own time: making its file, dropping its pages.
const AROUND: Duration = Duration::from_millis(25);
/// What touching the memory that a run fills takes.
const TOUCHED: Duration = Duration::from_millis(60);
/// What a run may use.
const BUDGET: Budget = Budget { duration: Duration::from_millis(70), bytes: 128 << 20 };
const QUICK_BUDGET: Budget = Budget { duration: Duration::from_millis(45), bytes: 96 << 20 };
/// What a large file is believed to be written at. Bytes a second.
const BELIEVED: f64 = 250e6;

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
        let writing = write_settings(options).into_iter().map(Setting::Write);
        let moving = transfer_settings(options).into_iter().map(Setting::Transfer);
        let serving = serve_settings(options).into_iter().map(Setting::Serve);
        let cells: Vec<Cell> = writing
            .chain(moving.chain(serving).filter(|_| options.bytes.is_none()))
            .flat_map(|setting| {
                let able = contestants.iter().filter(move |contestant| contestant.takes(&setting));
                able.map(move |&contestant| Cell { contestant, setting })
            })
            .collect();
        if cells.is_empty() {
            let reason = "none of the contestants chosen by --only takes a setting with the --sizes given".to_owned();
            return Err(LabError::Empty { reason });
        }
        let budget = if options.quick { QUICK_BUDGET } else { BUDGET };
        let budget = Budget { bytes: options.bytes.unwrap_or(budget.bytes), ..budget };
        let repeats = options.repeats.unwrap_or(if options.quick { 3 } else { 5 });
        Ok(Plan { cells, repeats, seed: options.seed, budget })
    }

    /// These contestants in these settings, each where it takes it.
    pub(crate) fn of(settings: Vec<Setting>, names: &[&str], repeats: usize, seed: u64) -> Plan {
        let all = Contestant::all();
        let able = |setting: &Setting| {
            let setting = *setting;
            let able = all.iter().filter(move |one| names.contains(&one.name()) && one.takes(&setting));
            able.map(move |&contestant| Cell { contestant, setting }).collect::<Vec<_>>()
        };
        let cells = settings.iter().flat_map(able).collect();
        Plan { cells, repeats, seed, budget: BUDGET }
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

    /// How long it will take, by and large.
    #[must_use]
    pub fn expected(&self) -> Duration {
        let one = |cell: &Cell| {
            let Budget { duration, bytes } = self.budget_of(&cell.setting);
            let whole = Duration::from_secs_f64(bytes as f64 / BELIEVED);
            let touched = if cell.setting.fills_memory() { TOUCHED } else { Duration::ZERO };
            AROUND + touched + if duration == Duration::MAX { whole } else { duration }
        };
        let timed: Duration = self.cells.iter().map(one).sum();
        timed * u32::try_from(self.repeats).unwrap_or(u32::MAX)
    }

    /// How long the setting is run.
    pub(crate) fn budget_of(&self, setting: &Setting) -> Budget {
        let Budget { duration, bytes } = self.budget;
        let whole = match setting {
            Setting::Write(setting) => setting.bytes,
            // Connections take longer to come to speed, and there are fewer cells.
            Setting::Transfer(_) | Setting::Serve(_) => return Budget { duration: 2 * duration, bytes },
        };
        match (whole, setting.load()) {
            (Some(bytes), _) => Budget { duration: Duration::MAX, bytes },
            (None, Load::PerSecond(rate)) => {
                Budget { duration: duration.max(Duration::from_secs_f64(FEW / rate)), bytes }
            }
            (None, Load::Saturated | Load::OfFastest { .. }) => self.budget,
        }
    }

    /// Every cell twice, so that each contestant runs against itself ([`crate::differences`]).
    #[must_use]
    pub fn against_itself(mut self) -> Plan {
        self.cells = self.cells.iter().flat_map(|cell| [*cell; 2]).collect();
        self
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
            Setting::Write(setting) => {
                crate::write::capacity(setting, self.budget_of(&cell.setting).bytes) * setting.writers as u64
            }
            Setting::Transfer(_) => crate::transfer::SEGMENT_BYTES,
            Setting::Serve(_) => 0,
        });
        largest.max().unwrap_or(0)
    }
}

/// The settings for writing: each axis around one middle, not their product.
fn write_settings(options: &PlanOptions) -> Vec<WriteSetting> {
    let middle = WriteSetting { size_bytes: 64 * KIB, ..crate::write::PLAIN };
    let at = |own: &[usize], setting: WriteSetting| {
        options.sizes_or(own).into_iter().map(move |size_bytes| WriteSetting { size_bytes, ..setting })
    };
    let durable = WriteSetting { sync: SyncPolicy::Every, ..middle };
    let grouped = WriteSetting { sync: SyncPolicy::Group, queued: QUEUED, ..middle };
    let queued = WriteSetting { sync: SyncPolicy::None, ..grouped };
    let mut settings = Vec::new();
    let curve: &[usize] = if options.quick { &QUICK_SIZES } else { &SIZES };
    settings.extend(at(curve, middle).chain(at(curve, durable)).chain(at(&QUICK_SIZES, grouped)));
    if options.quick {
        let loads = QUICK_LOADS.map(|percent| Load::OfFastest { percent });
        settings.extend(at(&[64 * KIB], queued).flat_map(|queued| loads.map(|load| WriteSetting { load, ..queued })));
    } else {
        settings.extend(at(&QUICK_SIZES, queued));
        let loads = || [Load::PerSecond(IDLE)].into_iter().chain(LOADS.map(|percent| Load::OfFastest { percent }));
        let loaded = at(&QUICK_SIZES, queued).chain(at(&QUICK_SIZES, grouped));
        settings.extend(loaded.flat_map(|setting| loads().map(move |load| WriteSetting { load, ..setting })));
        settings.extend(
            at(&[64 * KIB], middle)
                .map(|middle| WriteSetting { sync: SyncPolicy::Interval(Duration::from_millis(10)), ..middle }),
        );
        // Where copying weighs most, and where the sync does.
        for setting in at(&[64 * KIB], middle).chain(at(&[4 * KIB], durable)) {
            let prepared = [Preparation::Allocate, Preparation::Prewritten];
            settings.extend(prepared.map(|prepare| WriteSetting { prepare, ..setting }));
            settings.extend([4, 16, 64].map(|writers| WriteSetting { writers, ..setting }));
        }
    }
    let whole = options.larger_than_memory.map(|memory| memory + memory / 4);
    settings.extend(whole.into_iter().flat_map(|bytes| at(&[64 * KIB], WriteSetting { bytes: Some(bytes), ..middle })));
    if options.bytes.is_some() {
        settings = saturated(&settings, options.bytes);
    }
    settings.into_iter().map(|setting| WriteSetting { same_block: options.same_block, ..setting }).collect()
}

/// The settings without their rates, each once.
fn saturated(settings: &[WriteSetting], bytes: Option<u64>) -> Vec<WriteSetting> {
    let mut saturated = Vec::new();
    for &setting in settings {
        let setting = WriteSetting { load: Load::Saturated, bytes, ..setting };
        if !saturated.contains(&setting) {
            saturated.push(setting);
        }
    }
    saturated
}

/// The settings for moving: the curve over sizes as a consumer sees it, then without the receiver's copy, then from the device.
fn transfer_settings(options: &PlanOptions) -> Vec<TransferSetting> {
    let (curve, few): (&[usize], &[usize]) =
        if options.quick { (&QUICK_SIZES, &[64 * KIB]) } else { (&SLICES, &FEW_SLICES) };
    let warm = |receiver| move |size_bytes| TransferSetting { size_bytes, pages: Pages::Warm, receiver };
    let cold = |size_bytes| TransferSetting { size_bytes, pages: Pages::Cold, receiver: Receiver::Reads };
    let mut settings: Vec<_> = options.sizes_or(curve).into_iter().map(warm(Receiver::Reads)).collect();
    settings.extend(options.sizes_or(few).into_iter().map(warm(Receiver::Discards)));
    settings.extend(options.sizes_or(few).into_iter().map(cold));
    settings
}

/// The settings for serving: sizes over connections, and what pipelining changes where there are few and small requests.
fn serve_settings(options: &PlanOptions) -> Vec<ServeSetting> {
    let mut settings = Vec::new();
    for connections in CONNECTIONS {
        let own: &[usize] = match (options.quick, connections) {
            (false, _) => &REQUESTS,
            (true, 50) => &[100, 64 * KIB],
            (true, _) => &[100],
        };
        for size_bytes in options.sizes_or(own) {
            settings.push(ServeSetting { size_bytes, connections, pipelined: 1 });
            if !options.quick && size_bytes < 64 * KIB && connections < 1000 {
                settings.push(ServeSetting { size_bytes, connections, pipelined: PIPELINED });
            }
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestant::Family;

    #[test]
    fn writing_takes_six_minutes_at_most_the_other_families_two_and_all_of_them_less_than_one_when_quick() {
        for (family, most_s, quick_s) in
            [(Family::Write, 360, 30), (Family::Transfer, 120, 15), (Family::Serve, 120, 15)]
        {
            let expected = |quick| {
                let mut plan = Plan::new(&PlanOptions { quick, ..PlanOptions::default() }).unwrap();
                plan.cells.retain(|cell| cell.contestant.family() == family);
                plan.expected()
            };
            assert!(expected(false) <= Duration::from_secs(most_s), "{family}: {:?}", expected(false));
            assert!(expected(true) <= Duration::from_secs(quick_s), "{family}: {:?}", expected(true));
        }
    }

    #[test]
    fn what_is_larger_than_memory_is_written_to_its_end_and_needs_the_room() {
        let memory = 8 << 30;
        let options = PlanOptions { larger_than_memory: Some(memory), ..PlanOptions::default() };
        let plan = Plan::new(&options).unwrap();
        assert!(plan.needed_bytes() >= memory + memory / 4);
        let large = plan.cells().iter().find(|cell| plan.budget_of(&cell.setting).bytes > memory).unwrap();
        assert_eq!(plan.budget_of(&large.setting).duration, Duration::MAX);
    }

    #[test]
    fn a_run_of_so_many_bytes_is_one_of_writing_as_fast_as_it_goes() {
        let options = PlanOptions { quick: true, bytes: Some(1 << 20), ..PlanOptions::default() };
        let plan = Plan::new(&options).unwrap();
        for (n, cell) in plan.cells().iter().enumerate() {
            assert_eq!((cell.contestant.family(), cell.setting.load()), (Family::Write, Load::Saturated));
            assert_eq!(plan.budget_of(&cell.setting).bytes, 1 << 20);
            let is_it =
                |other: &Cell| (other.contestant.name(), other.setting) == (cell.contestant.name(), cell.setting);
            assert!(!plan.cells()[..n].iter().any(is_it), "{cell:?} twice");
        }
    }

    #[test]
    fn an_idle_open_loop_lasts_for_a_few_appends() {
        let plan = Plan::new(&PlanOptions::default()).unwrap();
        let middle = plan.cells()[0].setting;
        assert_eq!(plan.budget_of(&middle.at(Load::PerSecond(1e6))).duration, plan.budget.duration);
        assert_eq!(plan.budget_of(&middle.at(Load::PerSecond(1.5))).duration, Duration::from_secs(16));
    }
}
