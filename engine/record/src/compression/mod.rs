//! The five codecs of a batch's records. Decompression is streamed and never gives more than the caller's cap.

mod xerial;

use std::io::{self, Read, Write};

use flate2::{bufread::MultiGzDecoder, write::GzEncoder};
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use crate::RecordError;

/// How the records of a batch are compressed (`compression.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Snappy blocks in xerial's frame, as snappy-java writes them.
    Snappy,
    /// The LZ4 frame format, with independent blocks of 64 KiB.
    Lz4,
    /// Zstandard, RFC 8878 (KIP-110).
    Zstd,
}

impl Compression {
    /// Every codec, in the order of the ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Its id in a batch's attributes.
    #[must_use]
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The codec with an id.
    ///
    /// # Errors
    /// [`UnknownCompression`](RecordError::UnknownCompression).
    pub fn from_id(id: u8) -> Result<Self, RecordError> {
        Self::ALL.get(usize::from(id)).copied().ok_or(RecordError::UnknownCompression { id })
    }

    /// Kafka's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The levels that [`compress`] takes, and the one taken without saying; `None` for a codec without levels. These are
    /// Kafka's (KIP-390): 0 is not a level of gzip, −131072 to 22 are levels of zstd.
    #[must_use]
    pub fn levels(self) -> Option<(std::ops::RangeInclusive<i32>, i32)> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some((1..=9, 6)),
            Self::Lz4 => Some((1..=17, 9)),
            Self::Zstd => Some((*zstd::compression_level_range().start()..=22, 3)),
        }
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Compression {
    type Err = UnknownCompressionName;

    fn from_str(name: &str) -> Result<Self, UnknownCompressionName> {
        Self::ALL.into_iter().find(|codec| codec.name() == name).ok_or_else(|| UnknownCompressionName(name.to_owned()))
    }
}

/// A name that is no codec's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no compression type; none, gzip, snappy, lz4 and zstd are")]
pub struct UnknownCompressionName(String);

/// `plain` compressed, at one of the codec's [`levels`](Compression::levels) or its default. lz4 has one speed here: Kafka's
/// levels of it are accepted and make no difference. Codecs without levels take any.
///
/// # Errors
/// [`Compress`](RecordError::Compress) when the level is not one of the codec's, or the codec fails.
pub fn compress(compression: Compression, level: Option<i32>, plain: &[u8]) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::new();
    compress_into(compression, level, plain, &mut out)?;
    Ok(out)
}

/// Appends `plain`, compressed, to `out`.
pub(crate) fn compress_into(
    compression: Compression,
    level: Option<i32>,
    plain: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let level = level_of(compression, level)?;
    let result = match compression {
        Compression::None => {
            out.extend_from_slice(plain);
            Ok(())
        }
        Compression::Gzip => gzip(level, plain, out),
        Compression::Snappy => xerial::compress(plain, out),
        Compression::Lz4 => lz4(plain, out),
        Compression::Zstd => zstd::stream::copy_encode(plain, out, level),
    };
    result.map_err(|error| RecordError::Compress { compression, reason: error.to_string() })
}

fn level_of(compression: Compression, level: Option<i32>) -> Result<i32, RecordError> {
    let Some((levels, default)) = compression.levels() else { return Ok(0) };
    match level {
        None => Ok(default),
        // gzip's own name for its default, and Kafka's of compression.gzip.level.
        Some(-1) if compression == Compression::Gzip => Ok(default),
        Some(level) if levels.contains(&level) => Ok(level),
        Some(level) => {
            let reason = format!("level {level} is none of {} to {}", levels.start(), levels.end());
            Err(RecordError::Compress { compression, reason })
        }
    }
}

fn gzip(level: i32, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut encoder = GzEncoder::new(out, flate2::Compression::new(level.unsigned_abs()));
    encoder.write_all(plain)?;
    encoder.finish().map(|_| ())
}

fn lz4(plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    // Java's decoder of the frame knows independent blocks only.
    let frame = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(frame, out);
    encoder.write_all(plain)?;
    encoder.finish().map(|_| ()).map_err(io::Error::from)
}

/// `compressed` as it was before, at most `cap` bytes.
///
/// # Errors
/// [`Decompress`](RecordError::Decompress) and [`DecompressedTooLarge`](RecordError::DecompressedTooLarge).
pub fn decompress(compression: Compression, compressed: &[u8], cap: usize) -> Result<Vec<u8>, RecordError> {
    let mut decompressor = Decompressor::new(compression, compressed, cap)?;
    let mut out = Vec::new();
    // A guess at the usual ratio; from there on memory grows with what has come out.
    let mut room = compressed.len().saturating_mul(3).clamp(512, 1 << 20);
    loop {
        let filled = out.len();
        out.resize(filled + room, 0);
        let read = decompressor.read(out.get_mut(filled..).unwrap_or_default())?;
        out.truncate(filled + read);
        if read == 0 {
            return Ok(out);
        }
        room = out.len().max(512);
    }
}

/// Decompression in pieces, of at most a cap in all, however small the input.
///
/// Memory does not follow what the input claims: snappy takes at most 22 times the input, gzip 32 KiB, lz4 twice its block of
/// up to 4 MiB, zstd the frame's window of up to 128 MiB, of which only what has come out is ever touched.
pub struct Decompressor<'a> {
    compression: Compression,
    codec: Codec<'a>,
    cap: usize,
    left: usize,
}

impl std::fmt::Debug for Decompressor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { compression, cap, left, codec: _ } = self;
        f.debug_struct("Decompressor").field("compression", compression).field("cap", cap).field("left", left).finish()
    }
}

enum Codec<'a> {
    None(&'a [u8]),
    Gzip(MultiGzDecoder<&'a [u8]>),
    Snappy(xerial::Decoder<'a>),
    Lz4(FrameDecoder<&'a [u8]>),
    Zstd(zstd::Decoder<'static, &'a [u8]>),
}

impl<'a> Decompressor<'a> {
    /// Decompresses `compressed` to at most `cap` bytes.
    ///
    /// # Errors
    /// [`Decompress`](RecordError::Decompress) when the codec sees at once that it cannot.
    pub fn new(compression: Compression, compressed: &'a [u8], cap: usize) -> Result<Self, RecordError> {
        let codec = match compression {
            Compression::None => Codec::None(compressed),
            Compression::Gzip => Codec::Gzip(MultiGzDecoder::new(compressed)),
            Compression::Snappy => Codec::Snappy(xerial::Decoder::new(compressed, cap)),
            Compression::Lz4 => Codec::Lz4(FrameDecoder::new(compressed)),
            Compression::Zstd => Codec::Zstd(
                zstd::Decoder::with_buffer(compressed)
                    .map_err(|error| RecordError::Decompress { compression, reason: error.to_string() })?,
            ),
        };
        Ok(Self { compression, codec, cap, left: cap })
    }

    /// Fills `buffer` as far as bytes are at hand, and gives their number: 0 at the end only (or with an empty buffer).
    ///
    /// # Errors
    /// [`Decompress`](RecordError::Decompress) and [`DecompressedTooLarge`](RecordError::DecompressedTooLarge).
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, RecordError> {
        // One byte over the cap tells that there is more than the cap.
        let room = buffer.len().min(self.left.saturating_add(1));
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let read = match &mut self.codec {
            Codec::None(bytes) => bytes.read(buffer),
            Codec::Gzip(decoder) => decoder.read(buffer),
            Codec::Snappy(decoder) => decoder.read(buffer),
            Codec::Lz4(decoder) => decoder.read(buffer),
            Codec::Zstd(decoder) => decoder.read(buffer),
        };
        let (compression, cap) = (self.compression, self.cap);
        let read = read.map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => RecordError::DecompressedTooLarge { compression, cap },
            _ => RecordError::Decompress { compression, reason: error.to_string() },
        })?;
        self.left = self.left.checked_sub(read).ok_or(RecordError::DecompressedTooLarge { compression, cap })?;
        Ok(read)
    }
}
