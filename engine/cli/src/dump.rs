//! `ringlog dump`: what is in a segment's files, without a broker.

mod offsets;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ringlog_record::{Batch, BatchHeader, HEADER_BYTES, Record, TimestampType};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::timestamp;

#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// A segment (.log), one of its indexes (.index, .timeindex, .txnindex), or what its producers were (.snapshot)
    file: PathBuf,
    /// Also show the records of each batch
    #[arg(long)]
    records: bool,
    /// Show the records of a segment of __consumer_offsets in words
    #[arg(long)]
    offsets: bool,
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
    key: Value,
    value: Value,
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

/// A producer, by the names of Kafka's own dump tool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProducerLine {
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    current_txn_first_offset: Option<i64>,
    last_timestamp: i64,
    last_sequence: i32,
    last_offset: Option<i64>,
}

/// An aborted transaction, by the names of Kafka's own dump tool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AbortedLine {
    producer_id: i64,
    first_offset: i64,
    last_offset: i64,
    last_stable_offset: i64,
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
            Some("txnindex") => self.aborted(&mut input, &mut out),
            Some("snapshot") => self.producers(&mut input, &mut out),
            _ => {
                let known = ".log, .index, .timeindex, .txnindex and .snapshot files can be shown";
                Err(Failure::Usage(format!("{}: {known}", self.file.display())))
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
            if (self.records || self.offsets) && valid {
                let read = batch.records(MAX_DECOMPRESSED_BYTES).map_err(|cause| self.damaged(position, &cause))?;
                // Markers of transactions are not records of groups.
                let in_words = self.offsets && !header.attributes.is_control();
                for record in &read {
                    self.record(out, &record.map_err(|cause| self.damaged(position, &cause))?, in_words)?;
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

    fn record(&self, out: &mut impl Write, record: &Record<'_>, in_words: bool) -> Result<(), Failure> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let told = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, |bytes| Value::String(text(bytes)));
        let decoded = match record.key {
            Some(key) if in_words => offsets::decode(key, record.value).map_err(|cause| {
                Failure::Other(format!("{}: the record at offset {}: {cause}", self.file.display(), record.offset))
            })?,
            _ => None,
        };
        let (key, value) = decoded.unwrap_or_else(|| (told(record.key), told(record.value)));
        let line = RecordLine {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key,
            value,
            headers: record.headers.map(|header| (text(header.key), header.value.map(text))).collect(),
        };
        if self.json {
            return json_line(out, &line);
        }
        write!(out, "  {}  {}  ", line.offset, timestamp::format(line.timestamp_ms))?;
        write!(out, "{} = {}", line.key, line.value)?;
        for (name, value) in line.headers {
            write!(out, "  {name}: {}", Value::from(value))?;
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

    fn aborted(&self, input: &mut impl Read, out: &mut impl Write) -> Result<(), Failure> {
        // Two bytes of version, and four numbers.
        while let Some(entry) = self.entry::<34>(input)? {
            let number = |at: usize| {
                entry
                    .get(at..)
                    .and_then(|bytes| bytes.first_chunk())
                    .copied()
                    .map(i64::from_be_bytes)
                    .unwrap_or_default()
            };
            // The only one there is (KIP-98).
            if !entry.starts_with(&[0, 0]) {
                let [high, low, ..] = entry;
                let version = u16::from_be_bytes([high, low]);
                let wrong = format!("an entry has version {version}, and only 0 is known");
                return Err(Failure::Other(format!("{}: {wrong}", self.file.display())));
            }
            let line = AbortedLine {
                producer_id: number(2),
                first_offset: number(10),
                last_offset: number(18),
                last_stable_offset: number(26),
            };
            if self.json {
                json_line(out, &line)?;
            } else {
                let AbortedLine { producer_id, first_offset, last_offset, last_stable_offset } = line;
                write!(out, "{first_offset}..{last_offset}  producer {producer_id}")?;
                writeln!(out, "  last stable offset {last_stable_offset}")?;
            }
        }
        Ok(())
    }

    fn producers(&self, input: &mut impl Read, out: &mut impl Write) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(|error| self.unreadable(error))?;
        let producers = ringlog_log::producers_in_snapshot(&bytes);
        let producers = producers.map_err(|wrong| Failure::Other(format!("{}: {wrong}", self.file.display())))?;
        for producer in producers {
            let line = ProducerLine {
                producer_id: producer.producer_id,
                producer_epoch: producer.epoch,
                coordinator_epoch: producer.coordinator_epoch,
                current_txn_first_offset: producer.transaction_first_offset,
                last_timestamp: producer.last_timestamp_ms,
                last_sequence: producer.last_sequence(),
                last_offset: producer.batches.back().map(|batch| batch.last_offset),
            };
            if self.json {
                json_line(out, &line)?;
                continue;
            }
            write!(out, "producer {}:{}  ", line.producer_id, line.producer_epoch)?;
            write!(out, "seq {}  {}", line.last_sequence, timestamp::format(line.last_timestamp))?;
            if let Some(last) = line.last_offset {
                write!(out, "  last offset {last}")?;
            }
            if let Some(first) = line.current_txn_first_offset {
                write!(out, "  in a transaction from offset {first}")?;
            }
            writeln!(out)?;
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
