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
            let maxima = maxima(&mut measurement, cell, workload.repeats)?;
            for Turn { cell: load, repeat } in schedule(loads.len(), workload.repeats, workload.order, workload.seed) {
                let load = loads.get(load).copied().unwrap_or(1.0);
                for target in in_turns(measurement.targets(), repeat) {
                    let Some(maximum) = maxima.get(target).copied().flatten() else { continue };
                    let cell = at_rate(cell, maximum * load);
                    let Some(row) = measurement.repeat(target, &cell, Some(load))? else { continue };
                    eprintln!("{:>3.0} % {}", load * 100.0, line(&cell.name, row));
                }
            }
        }
        measurement.finish()
    }
}

/// What each target does as fast as it goes: the median of the repeats, in turns; `None` of one that does not offer the cell, and of all
/// where somebody wished to stop.
///
/// # Errors
/// A sentence, when one of them does nothing at all.
pub(crate) fn maxima(measurement: &mut Measurement, cell: &CellSpec, repeats: u32) -> Result<Vec<Option<f64>>, String> {
    let (cell, targets) = (cell.at(Arrival::Maximum), measurement.targets());
    let mut maxima = vec![None; targets];
    for repeat in 0..repeats {
        for target in in_turns(targets, repeat) {
            let Some(row) = measurement.repeat(target, &cell, None)? else { return Ok(vec![None; targets]) };
            eprintln!("max   {}", line(&cell.name, row));
            let (ran, achieved) = (row.ran(), row.achieved_per_s);
            if ran && achieved.is_none_or(|rate| rate <= 0.0) {
                return Err(
                    measurement.fail(&format!("{}: nothing was acknowledged, so there is no maximum", cell.name))
                );
            }
            if let Some(maximum) = maxima.get_mut(target) {
                *maximum = achieved;
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
