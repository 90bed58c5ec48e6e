//! Clients that keep a server busy, each on a connection and a thread of its own, and what is counted while they are watched.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::rounds::Outcome;

const SETTLED: Duration = Duration::from_millis(300);
const WATCHED: Duration = Duration::from_secs(2);

/// What all clients share.
#[derive(Default)]
pub struct Watch {
    over: AtomicBool,
    bytes: AtomicU64,
}

impl Watch {
    /// Whether a client is to end.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// So many bytes of records went through.
    pub fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Runs so many clients, each told its number, lets them settle and watches them for a while.
pub fn drive(
    connections: usize,
    cpu_of: &dyn Fn() -> Option<Duration>,
    client: impl Fn(usize, &Watch) + Sync,
) -> Outcome {
    let watch = Watch::default();
    std::thread::scope(|threads| {
        for connection in 0..connections {
            let (client, watch) = (&client, &watch);
            threads.spawn(move || client(connection, watch));
        }
        std::thread::sleep(SETTLED);
        let (begun, cpu_before, bytes_before) = (Instant::now(), cpu_of(), watch.bytes.load(Ordering::Relaxed));
        std::thread::sleep(WATCHED);
        let (took, watched) = (begun.elapsed(), watch.bytes.load(Ordering::Relaxed) - bytes_before);
        let cpu = cpu_of().zip(cpu_before).map(|(after, before)| after - before);
        watch.over.store(true, Ordering::Relaxed);
        Outcome::of(watched as f64 / 1e9, took, cpu)
    })
}

/// A connection that does not wait for more to send.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The next answer, without its length.
pub fn receive(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    answer.resize(u32::from_be_bytes(length) as usize, 0);
    stream.read_exact(answer).unwrap();
}
