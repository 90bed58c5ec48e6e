//! Random values for tests, from a seed that is printed and can be given again (`RINGLOG_SEED`).

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    schema::{Field, Version},
    wire::Wire,
};

/// A source of random values that a version of a message can express.
pub struct Dice {
    pub(crate) version: Version,
    state: u64,
}

impl Dice {
    /// Seeded from `RINGLOG_SEED`, or from the clock; the seed is printed, and so shown when the test fails.
    pub(crate) fn new() -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("RINGLOG_SEED").map_or_else(|_| clock(), |seed| seed.parse().unwrap());
        println!("RINGLOG_SEED={seed}");
        Self { version: Version::FIXED, state: seed }
    }

    /// SplitMix64.
    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// Mostly short; now and then on either side of where a compact length takes its second byte.
    pub(crate) fn length(&mut self) -> usize {
        if self.one_in(20) { 120 + self.below(12) } else { self.below(6) }
    }

    /// Fills a field, if this version has it; with null where null is allowed.
    pub(crate) fn field<'a, T: Wire<'a>>(&mut self, field: &Field, slot: &mut T) {
        if field.versions.contains(self.version.number) && !(field.tagged && self.one_in(2)) {
            *slot = T::sample(self);
            if field.nullable.contains(self.version.number) && self.one_in(4) {
                *slot = T::null();
            }
        }
    }
}
