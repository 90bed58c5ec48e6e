//! Contestants that nobody measured, for tests: what their runs look like, the same for the same seed.

/// The seed of a test: `RINGLOG_SEED`, or its own. It is printed, to replay what failed.
pub(crate) fn seed(own: u64) -> u64 {
    let seed = std::env::var("RINGLOG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(own);
    println!("RINGLOG_SEED={seed}");
    seed
}

/// Splitmix64 (Steele, Lea and Flood 2014): the same numbers for the same seed everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is small: its remainder is not noticeable.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// What runs of one contestant look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Noise {
    /// 5 %, log-normal.
    Steady,
    /// The same, about one of two levels that lie so far apart.
    TwoModes(f64),
    /// 3 %, and one run of ten up to three times slower.
    Outliers,
}

pub(crate) const NOISES: [Noise; 4] = [Noise::Steady, Noise::TwoModes(1.3), Noise::TwoModes(3.0), Noise::Outliers];

/// From 0 to 1.
pub(crate) fn unit(random: &mut Random) -> f64 {
    (random.next() >> 11) as f64 / (1u64 << 53) as f64
}

/// Of mean 0 and variance 1.
pub(crate) fn normal(random: &mut Random) -> f64 {
    // Box and Muller.
    let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(random)).cos()
}

/// So many runs of a contestant that does a thousand million.
pub(crate) fn runs(random: &mut Random, noise: Noise, count: usize) -> Vec<f64> {
    let mut run = || {
        let (level, spread) = match noise {
            Noise::Steady => (1.0, 0.05),
            Noise::TwoModes(apart) => (if random.below(2) == 0 { 1.0 } else { apart }, 0.05),
            Noise::Outliers => (if random.below(10) == 0 { 1.0 / (1.0 + 2.0 * unit(random)) } else { 1.0 }, 0.03),
        };
        1e9 * level * (spread * normal(random)).exp()
    };
    (0..count).map(|_| run()).collect()
}
