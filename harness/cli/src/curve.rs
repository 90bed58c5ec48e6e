//! `ringbench curve`: latency at loads from little to more than there is room for.

use std::process::ExitCode;

use clap::Args;
use ringbench_load::workload::{Arrival, CellSpec, Turn, schedule};
use ringbench_report::results::Kind;

use crate::measurement::Measurement;
use crate::run::{Load, in_turns, line};

/// Shares of the measured maximum, closest where the knee is.
const LOADS: [f64; 11] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05];

/// Options of `ringbench curve`.
#[derive(Debug, Args)]
pub(crate) struct Curve {
    #[command(flatten)]
    load: Load,
    /// Shares of the measured maximum [default: 0.01 to 1.05 in eleven steps]
    #[arg(long, value_name = "SHARE", value_delimiter = ',', value_parser = share)]
    loads: Vec<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let allowed = 0.001..=10.0;
    text.parse().ok().filter(|share| allowed.contains(share)).ok_or_else(|| "0.001 to 10 are allowed".to_owned())
}

impl Curve {
    pub(crate) fn run(self) -> Result<ExitCode, String> {
        let (workload, workload_yaml) = self.load.workload()?;
        let mut measurement = self.load.begin(Kind::Curve, &workload, workload_yaml)?;
        let loads = if self.loads.is_empty() { LOADS.to_vec() } else { self.loads };
        for cell in &workload.cells {
            let mut maxima = maxima(&mut measurement, cell, workload.repeats)?;
            for (target, maximum) in maxima.iter_mut().enumerate() {
                if let Some(why) = maximum.take_if(|maximum| maximum.void.is_some()).and_then(|maximum| maximum.void) {
                    let (name, target) = (&cell.name, measurement.target_name(target));
                    eprintln!("{name} on {target}: no loads: they would be shares of a maximum that is void: {why}");
                }
            }
            for Turn { cell: load, repeat } in schedule(loads.len(), workload.repeats, workload.order, workload.seed) {
                let load = loads.get(load).copied().unwrap_or(1.0);
                for target in in_turns(measurement.targets(), repeat) {
                    let Some(Some(maximum)) = maxima.get(target) else { continue };
                    let cell = at_rate(cell, maximum.per_s * load);
                    let Some(row) = measurement.repeat(target, &cell, Some(load))? else { continue };
                    eprintln!("{:>3.0} % {}", load * 100.0, line(&cell.name, row));
                }
            }
        }
        measurement.finish()
    }
}

/// What a target does as fast as it goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Maximum {
    /// The median of the repeats. Records a second.
    pub(crate) per_s: f64,
    /// Why its cell counts for nothing.
    pub(crate) void: Option<String>,
}

/// Those of all targets, in turns; `None` of one that does not offer the cell, and of all where somebody wished to stop.
///
/// # Errors
/// A sentence, when one of them does nothing at all.
pub(crate) fn maxima(
    measurement: &mut Measurement,
    cell: &CellSpec,
    repeats: u32,
) -> Result<Vec<Option<Maximum>>, String> {
    let (cell, targets) = (cell.at(Arrival::Maximum), measurement.targets());
    let mut maxima = vec![None; targets];
    for repeat in 0..repeats {
        for target in in_turns(targets, repeat) {
            let Some(row) = measurement.repeat(target, &cell, None)? else { return Ok(vec![None; targets]) };
            eprintln!("max   {}", line(&cell.name, row));
            if !row.ran() {
                continue;
            }
            let void = row.why.clone();
            let Some(per_s) = row.achieved_per_s.filter(|per_s| *per_s > 0.0) else {
                let why = void.unwrap_or_else(|| "nothing was acknowledged".to_owned());
                return Err(measurement.fail(&format!("{}: there is no maximum: {why}", cell.name)));
            };
            if let Some(maximum) = maxima.get_mut(target) {
                *maximum = Some(Maximum { per_s, void });
            }
        }
    }
    Ok(maxima)
}

/// The same cell at a rate: Poisson where it was that, else uniform.
pub(crate) fn at_rate(cell: &CellSpec, per_second: f64) -> CellSpec {
    let per_second = per_second.round().max(1.0);
    cell.at(match cell.arrival {
        Arrival::Poisson { .. } => Arrival::Poisson { per_second },
        _ => Arrival::Uniform { per_second },
    })
}
