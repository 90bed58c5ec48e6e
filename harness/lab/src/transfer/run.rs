//! One run of one cell: a thread that sends slices and one that receives them, watched together.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use ringbench_stats::Latencies;
use rustix::net::{RecvFlags, recv};

use super::segment::{SEGMENT_BYTES, Segment};
use super::socket::Socket;
use super::{Sender, Strategy};
use crate::bench::Bench;
use crate::loopback::connections;
use crate::sample::Sample;
use crate::setting::{Pages, Receiver, TransferSetting};
use crate::stretch::Stretch;

/// What stands before the slice in a Fetch response of one partition.
const HEADER_BYTES: usize = 80;
/// Where the first slice begins: those of a power of two then lie across pages, as batches do.
const FIRST_POSITION: u64 = 61;
/// What the receiver asks for with one call.
const RECEIVE_BYTES: usize = 256 << 10;

/// Runs the cell once: responses behind each other, as to consumers that always have a fetch waiting. The receiver is a thread of this
/// process, so what it costs is counted; it only counts bytes, what they are was checked before. A cold segment is sent once at most.
pub(crate) fn run(strategy: &dyn Strategy, setting: &TransferSetting, bench: &Bench<'_>) -> io::Result<Sample> {
    let segment = Segment::at(&bench.directory.join("segment"), SEGMENT_BYTES)?;
    let size_bytes = setting.size_bytes;
    check(strategy, &segment, &[FIRST_POSITION, SEGMENT_BYTES / 2 + 1].map(|position| (position, size_bytes)))?;
    match setting.pages {
        Pages::Warm => segment.warm()?,
        Pages::Cold => segment.evict()?,
    }
    let (stream, peer) = connection()?;
    let stretch = Stretch::new(2).counting(bench.counts_calls);
    let sending = || {
        let open = || Ok((strategy.open(segment.file.clone(), Socket::new(stream.try_clone()?)?)?, &stream));
        stretch.run(open, |(sender, stream)| {
            let sent = drive(sender.as_mut(), &segment, setting, bench);
            stream.shutdown(Shutdown::Write)?;
            sent
        })
    };
    let receiving = || stretch.run(|| Ok(vec![0; RECEIVE_BYTES]), |buffer| receive(&peer, setting.receiver, buffer));
    thread::scope(|scope| {
        let (sender, receiver) = (scope.spawn(sending), scope.spawn(receiving));
        let sample = stretch.watch();
        let panicked = || io::Error::other("a thread of the transfer panicked");
        let latencies = sender.join().map_err(|_| panicked())??.unwrap_or_default();
        let received = receiver.join().map_err(|_| panicked())??.unwrap_or_default();
        let responses = latencies.count();
        if received != responses * (HEADER_BYTES + size_bytes) as u64 {
            return Err(io::Error::other(format!(
                "{responses} responses of {size_bytes} B arrived as {received} bytes"
            )));
        }
        Ok(Sample { bytes: responses * size_bytes as u64, latencies, ..sample })
    })
}

/// Sends until the time is over, a cold segment at its end, or somebody has asked for the end. How long each response took.
fn drive(
    sender: &mut dyn Sender,
    segment: &Segment,
    setting: &TransferSetting,
    bench: &Bench<'_>,
) -> io::Result<Latencies> {
    let (begun, mut latencies, mut position) = (Instant::now(), Latencies::default(), FIRST_POSITION);
    while begun.elapsed() < bench.budget.duration && !bench.stop.load(Ordering::Relaxed) {
        if position + setting.size_bytes as u64 > segment.bytes {
            if setting.pages == Pages::Cold {
                break;
            }
            position = FIRST_POSITION;
        }
        let called = Instant::now();
        sender.send(&header(latencies.count(), setting.size_bytes), position, setting.size_bytes)?;
        latencies.record(called.elapsed());
        position += setting.size_bytes as u64;
    }
    Ok(latencies)
}

/// Receives until the peer has ended; how many bytes that were.
fn receive(peer: &TcpStream, receiver: Receiver, buffer: &mut [u8]) -> io::Result<u64> {
    let flags = match receiver {
        Receiver::Reads => RecvFlags::empty(),
        // tcp(7): the bytes are taken off the stream and copied nowhere.
        Receiver::Discards => RecvFlags::TRUNC,
    };
    let mut received = 0;
    loop {
        match recv(peer, &mut *buffer, flags) {
            Ok((_, 0)) => return Ok(received),
            Ok((_, bytes)) => received += bytes as u64,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                // Nobody will take what the sender still has.
                peer.shutdown(Shutdown::Both)?;
                return Err(error.into());
            }
        }
    }
}

/// Sends slices over a connection of their own, and compares what arrives with the file.
pub(super) fn check(strategy: &dyn Strategy, segment: &Segment, slices: &[(u64, usize)]) -> io::Result<()> {
    let (stream, mut peer) = connection()?;
    let numbered = || (0..).zip(slices.iter().copied());
    let received = thread::scope(|scope| {
        let receiver = scope.spawn(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).map(|_| received)
        });
        let sent = Socket::new(stream.try_clone()?).and_then(|socket| {
            let mut sender = strategy.open(segment.file.clone(), socket)?;
            numbered().try_for_each(|(n, (position, length))| sender.send(&header(n, length), position, length))
        });
        stream.shutdown(Shutdown::Write)?;
        let received = receiver.join().map_err(|_| io::Error::other("the receiver's thread panicked"))?;
        sent.and(received)
    })?;
    let mut rest = received.as_slice();
    for (n, (position, length)) in numbered() {
        let mut expected = header(n, length).to_vec();
        expected.resize(HEADER_BYTES + length, 0);
        segment.file.read_exact_at(expected.get_mut(HEADER_BYTES..).unwrap_or_default(), position)?;
        rest = rest.strip_prefix(expected.as_slice()).ok_or_else(|| {
            io::Error::other(format!(
                "response {n}, of {length} B from position {position}, is not what the file holds"
            ))
        })?;
    }
    if rest.is_empty() { Ok(()) } else { Err(io::Error::other(format!("{} bytes too many arrived", rest.len()))) }
}

/// The number of the response and its length.
fn header(number: u64, length: usize) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let values = (HEADER_BYTES + length).to_be_bytes().into_iter().chain(number.to_be_bytes());
    header.iter_mut().zip(values).for_each(|(place, value)| *place = value);
    header
}

fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let (accepted, connected) = connections(1)?;
    accepted.into_iter().zip(connected).next().ok_or_else(|| io::ErrorKind::NotConnected.into())
}
