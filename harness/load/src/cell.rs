//! What is varied: one cell is one combination of producer settings.

use std::time::Duration;

use ringlog_client::{Acks, Compression, ProducerOptions};
use serde::Serialize;

/// One combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// `batch.size`, bytes.
    pub batch_size: usize,
    /// `linger.ms`.
    pub linger_ms: u64,
    /// `compression.type`.
    pub compression: String,
    /// `acks`: `0`, `1` or `all`.
    pub acks: String,
}

const BATCH_SIZES: [usize; 3] = [4 << 10, 16 << 10, 128 << 10];
const LINGERS_MS: [u64; 3] = [0, 5, 20];
const COMPRESSIONS: [&str; 4] = ["none", "snappy", "lz4", "zstd"];
const ACKS: [&str; 3] = ["0", "1", "all"];

/// Twelve cells of the 108 that these values span, such that every two values of different settings meet in one of them.
#[must_use]
pub fn dozen() -> Vec<Cell> {
    let cell = |i: usize, j: usize| Cell {
        batch_size: BATCH_SIZES[i],
        compression: COMPRESSIONS[j].to_owned(),
        // Two Latin squares: sums that no two cells of a row or column share.
        linger_ms: LINGERS_MS[(i + j) % LINGERS_MS.len()],
        acks: ACKS[(i + 2 * j) % ACKS.len()].to_owned(),
    };
    (0..BATCH_SIZES.len()).flat_map(|i| (0..COMPRESSIONS.len()).map(move |j| cell(i, j))).collect()
}

impl Cell {
    /// What a table calls it.
    #[must_use]
    pub fn name(&self) -> String {
        let Cell { batch_size, linger_ms, compression, acks } = self;
        format!("{} KiB · {linger_ms} ms · {compression} · acks={acks}", batch_size >> 10)
    }

    /// The producer that it asks for. Idempotence where acks allow it, as Java's producer does.
    #[must_use]
    pub fn producer(&self) -> ProducerOptions {
        let acks = match &*self.acks {
            "0" => Acks::None,
            "1" => Acks::Leader,
            _ => Acks::All,
        };
        ProducerOptions {
            acks,
            idempotence: acks == Acks::All,
            batch_bytes: self.batch_size,
            linger: Duration::from_millis(self.linger_ms),
            compression: self.compression.parse().unwrap_or(Compression::None),
            ..ProducerOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn in_a_dozen_cells_every_two_values_meet() {
        let cells = dozen();
        assert_eq!(cells.len(), 12);
        let values = |cell: &Cell| {
            [
                cell.batch_size.to_string(),
                format!("{} ms", cell.linger_ms),
                cell.compression.clone(),
                format!("acks {}", cell.acks),
            ]
        };
        let mut met = BTreeSet::new();
        for cell in &cells {
            let values = values(cell);
            for a in 0..4 {
                for b in a + 1..4 {
                    met.insert((values[a].clone(), values[b].clone()));
                }
            }
        }
        let counts = [3, 3, 4, 3];
        let pairs: usize = (0..4).flat_map(|a| (a + 1..4).map(move |b| counts[a] * counts[b])).sum();
        assert_eq!(met.len(), pairs);
    }
}
