//! `ringlog dump`: what is in a segment's files, without a broker.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ringlog_record::{Batch, BatchHeader, HEADER_BYTES, Record, TimestampType};
use serde::Serialize;

use crate::failure::Failure;
use crate::timestamp;

#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// A segment (.log) or one of its indexes (.index, .timeindex)
    file: PathBuf,
    /// Also show the records of each batch
    #[arg(long)]
    records: bool,
    /// Print a line of JSON for each batch, record or entry
    #[arg(long)]
    json: bool,
}

/// A batch, by the names of Kafka's own dump tool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchLine {
    base_offset: i64,
    last_offset: i64,
    count: i32,
    base_sequence: i32,
    last_sequence: i32,
    producer_id: i64,
    producer_epoch: i16,
    partition_leader_epoch: i32,
    is_transactional: bool,
    is_control: bool,
    position: u64,
    #[serde(rename = "createTime")]
    max_timestamp: i64,
    timestamp_type: &'static str,
    size: usize,
    compresscodec: String,
    crc: u32,
    isvalid: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordLine {
    offset: i64,
    timestamp_ms: i64,
    key: Option<String>,
    value: Option<String>,
    headers: Vec<(String, Option<String>)>,
}

#[derive(Serialize)]
struct IndexLine {
    offset: i64,
    position: u32,
}

#[derive(Serialize)]
struct TimeIndexLine {
    timestamp_ms: i64,
    offset: i64,
}

/// The most that one compressed batch is decompressed to.
const MAX_DECOMPRESSED_BYTES: usize = 1 << 30;

impl Dump {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let file = File::open(&self.file).map_err(|error| self.unreadable(error))?;
        let mut input = BufReader::with_capacity(1 << 18, file);
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let dumped = match self.file.extension().and_then(|extension| extension.to_str()) {
            Some("log") => self.log(&mut input, &mut out),
            Some("index") => self.index(&mut input, &mut out),
            Some("timeindex") => self.time_index(&mut input, &mut out),
            _ => {
                Err(Failure::Usage(format!("{}: .log, .index and .timeindex files can be shown", self.file.display())))
            }
        };
        out.flush()?;
        dumped
    }

    fn log(&self, input: &mut impl Read, out: &mut impl Write) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let (mut position, mut batches, mut records, mut invalid) = (0u64, 0u64, 0u64, 0u64);
        loop {
            bytes.clear();
            if self.read(input, &mut bytes, HEADER_BYTES)? == 0 {
                break;
            }
            let header = match BatchHeader::parse(&bytes) {
                Ok(header) => header,
                Err(_) if only_zeros(&bytes, input)? => {
                    eprintln!("{}: from byte {position} on zeros: allocated for what is to come", self.file.display());
                    break;
                }
                Err(cause) => return Err(self.damaged(position, &cause)),
            };
            // Grows with what is read: a damaged length reserves nothing.
            self.read(input, &mut bytes, header.size_bytes() - HEADER_BYTES)?;
            let batch = Batch::parse(&bytes).map_err(|cause| self.damaged(position, &cause))?;
            let valid = batch.check_crc().is_ok();
            self.batch(out, &batch, position, valid)?;
            if self.records && valid {
                let read = batch.records(MAX_DECOMPRESSED_BYTES).map_err(|cause| self.damaged(position, &cause))?;
                for record in &read {
                    self.record(out, &record.map_err(|cause| self.damaged(position, &cause))?)?;
                }
            }
            position += bytes.len() as u64;
            batches += 1;
            records += u64::from(header.record_count.unsigned_abs());
            invalid += u64::from(!valid);
        }
        if !self.json {
            writeln!(out, "{batches} batches, {records} records, {position} bytes")?;
        }
        out.flush()?;
        match invalid {
            0 => Ok(()),
            _ => Err(Failure::Other(format!("{}: {invalid} batches fail their CRC", self.file.display()))),
        }
    }

    fn batch(&self, out: &mut impl Write, batch: &Batch<'_>, position: u64, valid: bool) -> Result<(), Failure> {
        let header = batch.header();
        let append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let codec = header.compression().map_or_else(|unknown| unknown.to_string(), |codec| codec.to_string());
        let line = BatchLine {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            count: header.record_count,
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            partition_leader_epoch: header.partition_leader_epoch,
            is_transactional: header.attributes.is_transactional(),
            is_control: header.attributes.is_control(),
            position,
            max_timestamp: header.max_timestamp,
            timestamp_type: if append_time { "LogAppendTime" } else { "CreateTime" },
            size: batch.bytes().len(),
            compresscodec: codec,
            crc: header.crc,
            isvalid: valid,
        };
        if self.json {
            return json_line(out, &line);
        }
        write!(out, "{}..{}  at {}  {} bytes  ", line.base_offset, line.last_offset, position, line.size)?;
        write!(out, "{} records  {}  {} ", line.count, line.compresscodec, line.timestamp_type)?;
        write!(out, "{}  epoch {}", timestamp::format(line.max_timestamp), line.partition_leader_epoch)?;
        if header.has_producer() {
            let (id, epoch) = (line.producer_id, line.producer_epoch);
            write!(out, "  producer {id}:{epoch} seq {}..{}", line.base_sequence, line.last_sequence)?;
        }
        for (flag, name) in [(line.is_transactional, "  transactional"), (line.is_control, "  control")] {
            out.write_all(if flag { name.as_bytes() } else { b"" })?;
        }
        Ok(writeln!(out, "{}", if valid { "" } else { "  CRC WRONG" })?)
    }

    fn record(&self, out: &mut impl Write, record: &Record<'_>) -> Result<(), Failure> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let line = RecordLine {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(text),
            value: record.value.map(text),
            headers: record.headers.map(|header| (text(header.key), header.value.map(text))).collect(),
        };
        if self.json {
            return json_line(out, &line);
        }
        let shown = |text: Option<String>| text.map_or_else(|| "null".to_owned(), |text| format!("{text:?}"));
        write!(out, "  {}  {}  ", line.offset, timestamp::format(line.timestamp_ms))?;
        write!(out, "{} = {}", shown(line.key), shown(line.value))?;
        for (name, value) in line.headers {
            write!(out, "  {name}: {}", shown(value))?;
        }
        Ok(writeln!(out)?)
    }

    fn index(&self, input: &mut impl Read, out: &mut impl Write) -> Result<(), Failure> {
        let base = self.base_offset()?;
        let mut last = None;
        while let Some(entry) = self.entry::<8>(input)? {
            let [a, b, c, d, e, f, g, h] = entry;
            let (relative, position) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
            // Behind the last entry Kafka's file is zeros, as long as it is active.
            if (relative, position) == (0, 0) && last.is_some() {
                break;
            }
            last = Some(relative);
            let line = IndexLine { offset: base + i64::from(relative), position };
            if self.json {
                json_line(out, &line)?;
            } else {
                writeln!(out, "offset {}  position {}", line.offset, line.position)?;
            }
        }
        Ok(())
    }

    fn time_index(&self, input: &mut impl Read, out: &mut impl Write) -> Result<(), Failure> {
        let base = self.base_offset()?;
        while let Some(entry) = self.entry::<12>(input)? {
            let [a, b, c, d, e, f, g, h, i, j, k, l] = entry;
            let timestamp_ms = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
            let relative = u32::from_be_bytes([i, j, k, l]);
            if (timestamp_ms, relative) == (0, 0) {
                break;
            }
            let line = TimeIndexLine { timestamp_ms, offset: base + i64::from(relative) };
            if self.json {
                json_line(out, &line)?;
            } else {
                writeln!(out, "{}  {}  offset {}", timestamp::format(timestamp_ms), timestamp_ms, line.offset)?;
            }
        }
        Ok(())
    }

    /// Indexes count from the offset in their name.
    fn base_offset(&self) -> Result<i64, Failure> {
        let stem = self.file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        stem.ok_or_else(|| {
            let name = self.file.file_name().map(Path::new).unwrap_or(&self.file).display();
            Failure::Other(format!("{name}: an index is named by its base offset, as 00000000000000000000.index"))
        })
    }

    fn entry<const N: usize>(&self, input: &mut impl Read) -> Result<Option<[u8; N]>, Failure> {
        let mut bytes = Vec::with_capacity(N);
        let read = self.read(input, &mut bytes, N)?;
        match bytes.first_chunk() {
            Some(entry) => Ok(Some(*entry)),
            None if read == 0 => Ok(None),
            None => Err(Failure::Other(format!("{}: the last entry is cut short", self.file.display()))),
        }
    }

    /// Appends up to `count` bytes, fewer only at the end of the file.
    fn read(&self, input: &mut impl Read, bytes: &mut Vec<u8>, count: usize) -> Result<usize, Failure> {
        input.take(count as u64).read_to_end(bytes).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: io::Error) -> Failure {
        Failure::Read(self.file.display().to_string(), error)
    }

    fn damaged(&self, position: u64, cause: &ringlog_record::RecordError) -> Failure {
        Failure::Other(format!("{}: at byte {position}: {cause}", self.file.display()))
    }
}

fn json_line(out: &mut impl Write, line: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, line).map_err(|error| Failure::from(io::Error::from(error)))?;
    Ok(writeln!(out)?)
}

/// Whether nothing but zeros was read and is left.
fn only_zeros(read: &[u8], rest: &mut impl Read) -> io::Result<bool> {
    let mut piece = [0; 1 << 12];
    let mut are_zeros = read.iter().all(|&byte| byte == 0);
    while are_zeros {
        match rest.read(&mut piece)? {
            0 => return Ok(true),
            length => are_zeros = piece.iter().take(length).all(|&byte| byte == 0),
        }
    }
    Ok(false)
}
