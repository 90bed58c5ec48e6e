//! Snappy as Kafka's clients frame it: xerial's header, then blocks, each with its length; or one raw block.
//!
//! ```text
//! ┌──────────────────────────┬───────────┬──────────────┬───────────────┬─────────────┬───
//! │ 82 53 4e 41 50 50 59 00  │ version 4 │ compatible 4 │ block length 4│ snappy block│ …
//! └──────────────────────────┴───────────┴──────────────┴───────────────┴─────────────┴───
//! ```

use std::io;

/// `\x82SNAPPY\0`.
const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// Version, and the oldest that can read it, as snappy-java writes them.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// Plain bytes in a block, as snappy-java cuts them.
const BLOCK_BYTES: usize = 32 << 10;
/// A block's most effective element makes 64 bytes of 3; no block that says it holds more than this many times its own size
/// is true, so none can make us reserve what it did not send.
const MOST_BYTES_PER_BYTE: usize = 22;

/// Appends `plain`, framed and compressed, to `out`.
pub(super) fn compress(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(BLOCK_BYTES) {
        let length_at = out.len();
        let block_at = length_at + size_of::<u32>();
        out.resize(block_at + snap::raw::max_compress_len(block.len()), 0);
        let (before, room) = out.split_at_mut(block_at);
        let length = encoder.compress(block, room)?;
        if let Some(field) = before.last_chunk_mut::<4>() {
            *field = (length as u32).to_be_bytes();
        }
        out.truncate(block_at + length);
    }
    Ok(())
}

/// Decompresses block by block.
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
    /// One raw block, without a frame, as clients before xerial's and some others still send.
    raw: bool,
    cap: usize,
    block: Vec<u8>,
    at: usize,
}

impl<'a> Decoder<'a> {
    /// A block that says it holds more than `cap` bytes is refused as [`FileTooLarge`](io::ErrorKind::FileTooLarge).
    pub(super) fn new(compressed: &'a [u8], cap: usize) -> Self {
        match compressed.strip_prefix(&MAGIC).and_then(|rest| rest.get(VERSIONS.len()..)) {
            Some(rest) => Self { rest, raw: false, cap, block: Vec::new(), at: 0 },
            None => Self { rest: compressed, raw: true, cap, block: Vec::new(), at: 0 },
        }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let block = if self.raw {
            std::mem::take(&mut self.rest)
        } else {
            let (length, rest) = self.rest.split_first_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
            let (block, rest) =
                rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
            self.rest = rest;
            block
        };
        let plain = snap::raw::decompress_len(block)?;
        if plain > block.len().saturating_mul(MOST_BYTES_PER_BYTE) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block says that it holds more than it can"));
        }
        if plain > self.cap {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.at = 0;
        self.block.clear();
        self.block.resize(plain, 0);
        snap::raw::Decoder::new().decompress(block, &mut self.block)?;
        Ok(())
    }
}

impl io::Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() && !self.rest.is_empty() {
            self.next_block()?;
        }
        let left = self.block.get(self.at..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
