//! Rates of an open loop: shares of what the fastest contestant does on this host, the same for all of them.

use crate::contestant::Contestant;
use crate::plan::Cell;
use crate::setting::{Load, Setting};

/// Gives every cell whose rate is a share of the fastest one's its rate. `speed` measures a contestant as fast as it goes: how often
/// a second. Where nobody could be measured the cells are left out.
///
/// The fastest of one short run each: a rate is a place on the load axis and no result, and need not be more exact than that.
pub(crate) fn resolve(cells: Vec<Cell>, mut speed: impl FnMut(Contestant, &Setting) -> Option<f64>) -> Vec<Cell> {
    let mut known: Vec<(Setting, Option<f64>)> = Vec::new();
    let contestants_of = |setting: &Setting| {
        let of_setting = cells.iter().filter(|cell| cell.setting.at(Load::Saturated) == *setting);
        let mut contestants: Vec<Contestant> = Vec::new();
        for cell in of_setting {
            if contestants.iter().all(|known| known.name() != cell.contestant.name()) {
                contestants.push(cell.contestant);
            }
        }
        contestants
    };
    let mut fastest = |saturated: Setting| {
        if let Some((_, rate)) = known.iter().find(|(setting, _)| *setting == saturated) {
            return *rate;
        }
        let speeds = contestants_of(&saturated).into_iter().filter_map(|contestant| speed(contestant, &saturated));
        let rate = speeds.max_by(f64::total_cmp);
        known.push((saturated, rate));
        rate
    };
    let with_rate = |cell: &Cell| match cell.setting.load() {
        Load::OfFastest { percent } => {
            let rate = fastest(cell.setting.at(Load::Saturated))? * f64::from(percent) / 100.0;
            Some(Cell { setting: cell.setting.at(Load::PerSecond(rate.max(1.0))), ..*cell })
        }
        Load::Saturated | Load::PerSecond(_) => Some(*cell),
    };
    cells.iter().filter_map(with_rate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Plan, PlanOptions};

    #[test]
    fn all_contestants_of_a_setting_get_the_same_share_of_the_fastest_one() {
        let plan = Plan::new(&PlanOptions { quick: true, ..PlanOptions::default() }).unwrap();
        let mut asked = Vec::new();
        let resolved = resolve(plan.cells().to_vec(), |contestant, setting| {
            assert_eq!(setting.load(), Load::Saturated);
            asked.push((contestant.name(), setting.to_string()));
            Some(if contestant.name() == "pwritev" { 1000.0 } else { 10.0 })
        });
        assert_eq!(resolved.len(), plan.cells().len());
        for (planned, resolved) in plan.cells().iter().zip(&resolved) {
            match (planned.setting.load(), resolved.setting.load()) {
                (Load::OfFastest { percent }, Load::PerSecond(rate)) => assert_eq!(rate, 10.0 * f64::from(percent)),
                (planned, resolved) => assert_eq!(planned, resolved),
            }
        }
        let times = asked.len();
        asked.sort();
        asked.dedup();
        assert!(times > 0 && asked.len() == times, "each is measured once");
        let left = resolve(plan.cells().to_vec(), |_, _| None);
        assert!(left.iter().all(|cell| !matches!(cell.setting.load(), Load::OfFastest { .. })));
    }
}
