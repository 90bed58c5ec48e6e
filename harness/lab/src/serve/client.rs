//! The load: one thread that asks over all connections and checks what it is answered.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use ringbench_stats::Latencies;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};

use super::RECEIVE_BYTES;
use super::frames::{ANSWER_BYTES, Frames, PREFIX_BYTES, prefix};
use crate::setting::ServeSetting;

/// A server that is silent for so long has lost a request.
const PATIENCE: Duration = Duration::from_secs(20);
/// Events taken at once.
const EVENTS: usize = 256;

/// Connections, each with so many requests that wait for their answers (closed loop).
pub(crate) struct Client {
    epoll: Epoll,
    connections: Vec<Connection>,
    load: Load,
    buffer: Vec<u8>,
}

/// What is asked, and what came of it.
struct Load {
    /// Behind the prefix.
    body: Vec<u8>,
    pipelined: u64,
    /// Requests that were begun and not answered, over all connections.
    waiting: u64,
    latencies: Latencies,
}

struct Connection {
    stream: TcpStream,
    /// Requests begun, and answered. The number of a request is how many were begun before.
    asked: u64,
    answered: u64,
    prefix: [u8; PREFIX_BYTES],
    /// Bytes of the last request that the socket has not taken.
    unsent: usize,
    /// When those that wait were begun.
    begun: VecDeque<Instant>,
    frames: Frames,
}

impl Client {
    pub(crate) fn new(streams: Vec<TcpStream>, setting: &ServeSetting) -> io::Result<Client> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (index, stream) in (0..).zip(&streams) {
            stream.set_nonblocking(true)?;
            let readiness = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            epoll.add(stream, EpollEvent::new(readiness, index))?;
        }
        let mut body = vec![0; setting.size_bytes.saturating_sub(PREFIX_BYTES)];
        fastrand::Rng::with_seed(0x5249_4e47).fill(&mut body);
        let (pipelined, latencies) = (setting.pipelined as u64, Latencies::default());
        Ok(Client {
            epoll,
            connections: streams.into_iter().map(Connection::new).collect(),
            load: Load { body, pipelined, waiting: 0, latencies },
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    /// Asks on every connection for as long as `goes_on` says, given how often it has asked already, and comes back when all is
    /// answered: with how long each answer took. An answer with another length or number than the next one due is an error.
    pub(crate) fn converse(&mut self, goes_on: impl Fn(u64) -> bool) -> io::Result<Latencies> {
        let Client { epoll, connections, load, buffer } = self;
        for connection in &mut *connections {
            connection.ask(load, &goes_on)?;
        }
        let patience = EpollTimeout::try_from(PATIENCE).unwrap_or(EpollTimeout::NONE);
        let mut events = [EpollEvent::empty(); EVENTS];
        while load.waiting > 0 {
            let ready = match epoll.wait(&mut events, patience) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            if ready == 0 {
                let text = format!("{} requests were not answered for {PATIENCE:?}", load.waiting);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            for event in events.iter().take(ready) {
                let Some(connection) = connections.get_mut(event.data() as usize) else { continue };
                connection.hear(load, buffer)?;
                connection.ask(load, &goes_on)?;
            }
        }
        Ok(std::mem::take(&mut load.latencies))
    }
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        let (begun, frames) = (VecDeque::new(), Frames::default());
        Connection { stream, asked: 0, answered: 0, prefix: [0; PREFIX_BYTES], unsent: 0, begun, frames }
    }

    /// Sends until the socket is full or as many requests wait as may.
    fn ask(&mut self, load: &mut Load, goes_on: &impl Fn(u64) -> bool) -> io::Result<()> {
        let request_bytes = PREFIX_BYTES + load.body.len();
        loop {
            if self.unsent == 0 {
                if self.asked - self.answered >= load.pipelined || !goes_on(self.asked) {
                    return Ok(());
                }
                self.prefix = prefix(self.asked, request_bytes);
                self.unsent = request_bytes;
                self.asked += 1;
                load.waiting += 1;
                self.begun.push_back(Instant::now());
            }
            let sent = request_bytes - self.unsent;
            let prefix = self.prefix.get(sent..).unwrap_or_default();
            let body = load.body.get(sent.saturating_sub(PREFIX_BYTES)..).unwrap_or_default();
            let rest = [IoSlice::new(prefix), IoSlice::new(body)];
            match sendmsg(&self.stream, &rest, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL) {
                Ok(taken) => self.unsent -= taken,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes what has arrived. Edge-triggered: whatever arrives after a short receive is another event.
    fn hear(&mut self, load: &mut Load, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            let received = match recv(&self.stream, &mut *buffer, RecvFlags::empty()) {
                Ok((_, 0)) => {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed a connection"));
                }
                Ok((_, received)) => received,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let Connection { frames, answered, begun, .. } = self;
            frames.take(buffer.get(..received).unwrap_or_default(), |number, bytes| {
                let Some(asked) = begun.pop_front().filter(|_| (number, bytes) == (*answered, ANSWER_BYTES)) else {
                    return Err(io::Error::other(format!("answer {answered} came as {number}, of {bytes} B")));
                };
                *answered += 1;
                load.waiting -= 1;
                load.latencies.record(asked.elapsed());
                Ok(())
            })?;
            if received < buffer.len() {
                return Ok(());
            }
        }
    }
}
