//! Sockets on a ring: one thread receives from many connections and sends to them, told by events.
//!
//! The buffer of an operation belongs to its connection's slot, or to the provided ones, until the kernel has completed it; a slot
//! lives until nothing of its connection is in flight, and the ring waits for all of them when it is dropped.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use io_uring::types::{CancelBuilder, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::bare_ring::{RingSetup, with_remedy};
use crate::probe::wait_for;
use crate::provided_buffers::{GROUP, ProvidedBuffers};
use crate::ring::{bug, enter};
use crate::slab::{OperationId, Slab};

/// Whose buffers bytes are received into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiveMode {
    /// One receive at a time per connection, into a buffer of its own.
    Single {
        /// The most that one event brings, and what each connection costs.
        buffer_bytes: u32,
    },
    /// One receive per connection that goes on (multishot); bytes come in whichever provided buffer is free. When none is, receiving
    /// waits until events have been handled.
    Multishot {
        /// How many, for all connections together: 1 to 32,768, rounded up to a power of two.
        buffers: u16,
        /// The most that one event brings.
        buffer_bytes: u32,
    },
}

/// What happened to a connection.
#[derive(Debug)]
pub enum Event<'a> {
    /// Bytes of the stream, in order, cut anywhere.
    Received {
        /// Where from.
        connection: ConnectionId,
        /// Valid during the call only.
        bytes: &'a [u8],
    },
    /// The socket has taken all of a buffer.
    Sent {
        /// Where to.
        connection: ConnectionId,
        /// The buffer, to be used again.
        buffer: Vec<u8>,
    },
    /// The last event of a connection: nothing of it is in flight any more, and its socket is closed.
    Closed {
        /// It names nobody any more.
        connection: ConnectionId,
        /// None when the peer ended the stream and was sent everything, or after [`Connections::close`].
        error: Option<io::Error>,
    },
}

/// A connection of one ring, from [`Connections::add`] to [`Event::Closed`]. Never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId(OperationId);

/// Serves the connections that it is given. Needs Linux 6.1 (DEFER_TASKRUN).
pub struct SocketRing {
    // Dropped in this order: closed before what it points to is given back.
    uring: IoUring,
    provided: Option<ProvidedBuffers>,
    table: Table,
    /// Only the thread that set the ring up may use it.
    _stays: PhantomData<Rc<()>>,
}

/// The connections of a ring. What is asked for here is submitted by the ring's next [`SocketRing::wait`].
#[derive(Debug)]
pub struct Connections<'a> {
    // Not the table itself: safe code could swap it with another ring's, and its buffers would outlive the wrong one.
    table: &'a mut Table,
}

struct Table {
    slab: Slab<Connection>,
    limit: usize,
    /// Size of a connection's own buffer; 0 where buffers are provided.
    inbox_bytes: usize,
    open: usize,
    /// Those that something has happened to.
    due: VecDeque<OperationId>,
    /// Operations that the kernel has, or will have with the next submission.
    in_flight: usize,
}

struct Connection {
    socket: OwnedFd,
    state: State,
    error: Option<io::Error>,
    receiving: bool,
    sending: bool,
    canceling: bool,
    /// The kernel writes here while `receiving`.
    inbox: Vec<u8>,
    /// The last receive left nothing behind: the next one waits before it tries.
    drained: bool,
    /// The kernel reads the first one while `sending`.
    outbox: VecDeque<Vec<u8>>,
    /// Bytes of the first one that the socket has taken.
    sent: usize,
    is_due: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The peer has ended its side; what is queued is still sent.
    Ended,
    Closing,
    /// Closing, and the kernel was told.
    Canceled,
}

/// In the two bits of an operation's number that no slot's index reaches.
#[derive(Clone, Copy)]
enum Kind {
    Receive = 0,
    Send = 1,
    Cancel = 2,
}

const MAX_CONNECTIONS: u32 = 8192;
const MAX_PROVIDED: u16 = 32768;
const KIND_SHIFT: u32 = 30;
/// Wait for the socket to be readable before the first try. <linux/io_uring.h>
const RECVSEND_POLL_FIRST: u16 = 1;
const MAX_SEND_BYTES: usize = 1 << 30;
/// Without WAITALL a send ends with what the socket had room for.
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

impl SocketRing {
    /// A ring for up to `connections` at once (at most 8,192). The error of a ring that can't be had says what to change.
    pub fn new(mode: ReceiveMode, connections: u32) -> io::Result<SocketRing> {
        let connections = connections.clamp(1, MAX_CONNECTIONS);
        let buffers = match mode {
            ReceiveMode::Single { .. } => 0,
            ReceiveMode::Multishot { buffers, .. } => buffers.clamp(1, MAX_PROVIDED).next_power_of_two(),
        };
        // A receive, a send and a cancellation each, and a completion for each provided buffer: the queue can't overflow.
        let completions = 3 * connections + u32::from(buffers);
        let submissions = connections.clamp(4, 256);
        let mut uring = RingSetup::DeferTaskrun.build(submissions, completions.max(2 * submissions))?;
        wait_for(&mut uring, opcode::Nop::new().build()).map_err(with_remedy)?;
        let (provided, inbox_bytes) = match mode {
            ReceiveMode::Single { buffer_bytes } => (None, buffer_bytes.max(1) as usize),
            ReceiveMode::Multishot { buffer_bytes, .. } => {
                (Some(ProvidedBuffers::register(&uring, buffers, buffer_bytes).map_err(with_remedy)?), 0)
            }
        };
        let table = Table {
            slab: Slab::new(),
            limit: connections as usize,
            inbox_bytes,
            open: 0,
            due: VecDeque::new(),
            in_flight: 0,
        };
        Ok(SocketRing { uring, provided, table, _stays: PhantomData })
    }

    /// To add connections, and to send to them outside of an event.
    pub fn connections(&mut self) -> Connections<'_> {
        Connections { table: &mut self.table }
    }

    /// Submits what was asked for, waits until something has happened (unless there are no connections) and tells of everything that
    /// has, in one system call as a rule. What `on_event` asks for is submitted together by the next call. Returns the number of
    /// connections left.
    pub fn wait(&mut self, mut on_event: impl FnMut(Connections<'_>, Event<'_>)) -> usize {
        let told = self.advance(&mut on_event);
        if self.table.open == 0 {
            return 0;
        }
        // A connection that is left has an operation in flight, so the wait ends.
        enter(&self.uring, usize::from(!told));
        while let Some(completion) = self.next_completion() {
            self.complete(&completion, &mut on_event);
        }
        self.advance(&mut on_event);
        self.table.open
    }

    fn next_completion(&mut self) -> Option<cqueue::Entry> {
        self.uring.completion().next()
    }

    /// Puts into the queue what is due for each connection; removes and tells of those that have ended. Whether there were any.
    fn advance(&mut self, on_event: &mut impl FnMut(Connections<'_>, Event<'_>)) -> bool {
        let mut told = false;
        while let Some(id) = self.table.due.pop_front() {
            let Some(connection) = self.table.slab.get_mut(id) else { bug(id, "is due, but its slot is free") };
            connection.is_due = false;
            for entry in connection.due_entries(id, self.provided.is_some()).into_iter().flatten() {
                self.table.in_flight += 1;
                // SAFETY: a receive points into the heap memory of the inbox, or the kernel chooses a provided buffer; a send points
                // into that of the outbox's first buffer; a cancellation nowhere. Until `complete` has seen the operation's last
                // completion and cleared the flag that `due_entries` has set, nobody touches the inbox or takes that first
                // buffer, and the slot, which owns both and the socket, is not removed. `drop` waits for what is left.
                while unsafe { self.uring.submission().push(&entry) }.is_err() {
                    enter(&self.uring, 0);
                }
            }
            if connection.has_ended() {
                let error = self.table.slab.remove(id).and_then(|connection| connection.error);
                self.table.open -= 1;
                told = true;
                on_event(Connections { table: &mut self.table }, Event::Closed { connection: ConnectionId(id), error });
            }
        }
        told
    }

    fn complete(&mut self, completion: &cqueue::Entry, on_event: &mut impl FnMut(Connections<'_>, Event<'_>)) {
        let (id, kind) = untag(completion.user_data());
        let Some(connection) = self.table.slab.get_mut(id) else { bug(id, "completed, but nobody owns it") };
        let is_last = !cqueue::more(completion.flags());
        let expected = match kind {
            Some(Kind::Receive) => std::mem::replace(&mut connection.receiving, !is_last),
            Some(Kind::Send) => std::mem::replace(&mut connection.sending, false),
            Some(Kind::Cancel) => std::mem::replace(&mut connection.canceling, false),
            None => false,
        };
        if !expected {
            bug(id, "completed, but was not in flight");
        }
        self.table.in_flight -= usize::from(is_last);
        self.table.make_due(id);
        match kind {
            Some(Kind::Receive) => self.received(id, completion, on_event),
            Some(Kind::Send) => self.table.sent(id, completion.result(), on_event),
            // It found something or not: either way the completions of what was in flight follow.
            Some(Kind::Cancel) | None => {}
        }
    }

    fn received(
        &mut self,
        id: OperationId,
        completion: &cqueue::Entry,
        on_event: &mut impl FnMut(Connections<'_>, Event<'_>),
    ) {
        let Some(connection) = self.table.slab.get_mut(id) else { return };
        let is_open = connection.state == State::Open;
        connection.drained = !cqueue::sock_nonempty(completion.flags());
        let chosen = cqueue::buffer_select(completion.flags());
        let length = usize::try_from(completion.result()).unwrap_or(0);
        match completion.result().wrapping_neg() {
            0 if is_open => connection.state = State::Ended,
            // No provided buffer was free; those of the events before are free again when the receive is armed again.
            ..=0 | libc::ENOBUFS | libc::EINTR => {}
            errno => connection.fail(io::Error::from_raw_os_error(errno)),
        }
        let event = |bytes| Event::Received { connection: ConnectionId(id), bytes };
        match (&mut self.provided, chosen) {
            (Some(provided), Some(number)) => {
                let Some(bytes) = provided.filled(number, length) else { bug(id, "has received beyond its buffer") };
                if length > 0 && is_open {
                    on_event(Connections { table: &mut self.table }, event(bytes));
                }
                provided.provide(number);
            }
            (None, None) if length > 0 && is_open => {
                // The handler gets all the connections, so this one's buffer steps aside.
                let inbox = std::mem::take(&mut connection.inbox);
                on_event(Connections { table: &mut self.table }, event(inbox.get(..length).unwrap_or_default()));
                if let Some(connection) = self.table.slab.get_mut(id) {
                    connection.inbox = inbox;
                }
            }
            _ => {}
        }
    }
}

impl Drop for SocketRing {
    /// Takes back what is in flight and waits until the kernel has let go of every buffer.
    fn drop(&mut self) {
        if self.table.in_flight == 0 {
            return;
        }
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::any().all()).build();
        // SAFETY: a cancellation points nowhere.
        while unsafe { self.uring.submission().push(&cancel) }.is_err() {
            enter(&self.uring, 0);
        }
        self.table.in_flight += 1;
        while self.table.in_flight > 0 {
            enter(&self.uring, 1);
            for completion in self.uring.completion() {
                let ended = usize::from(!cqueue::more(completion.flags()));
                self.table.in_flight = self.table.in_flight.saturating_sub(ended);
            }
        }
    }
}

impl Connections<'_> {
    /// Serves a connected socket from the next wait on. It is made blocking, which concerns every duplicate of it: on a non-blocking
    /// one, operations end instead of waiting. An error when the ring has as many as it was made for.
    pub fn add(&mut self, socket: OwnedFd) -> io::Result<ConnectionId> {
        if self.table.open == self.table.limit {
            return Err(io::Error::other(format!("the ring was made for {} connections", self.table.limit)));
        }
        let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
        fcntl(&socket, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
        let id = self.table.slab.insert(Connection {
            socket,
            state: State::Open,
            error: None,
            receiving: false,
            sending: false,
            canceling: false,
            inbox: vec![0; self.table.inbox_bytes],
            drained: false,
            outbox: VecDeque::new(),
            sent: 0,
            is_due: false,
        });
        self.table.open += 1;
        self.table.make_due(id);
        Ok(ConnectionId(id))
    }

    /// Sends a buffer after those that wait already; [`Event::Sent`] gives it back. There is no bound: count what has not come back.
    /// To a connection that is closing or gone, nothing is sent.
    pub fn send(&mut self, connection: ConnectionId, buffer: Vec<u8>) {
        if let Some(open) = self.table.slab.get_mut(connection.0)
            && matches!(open.state, State::Open | State::Ended)
        {
            open.outbox.push_back(buffer);
            self.table.make_due(connection.0);
        }
    }

    /// Ends a connection without sending what waits: takes back what is in flight, then [`Event::Closed`] comes.
    pub fn close(&mut self, connection: ConnectionId) {
        if let Some(open) = self.table.slab.get_mut(connection.0) {
            open.close();
            self.table.make_due(connection.0);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.open
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.open == 0
    }
}

impl Table {
    fn make_due(&mut self, id: OperationId) {
        if let Some(connection) = self.slab.get_mut(id)
            && !std::mem::replace(&mut connection.is_due, true)
        {
            self.due.push_back(id);
        }
    }

    fn sent(&mut self, id: OperationId, result: i32, on_event: &mut impl FnMut(Connections<'_>, Event<'_>)) {
        let Some(connection) = self.slab.get_mut(id) else { return };
        let length = connection.outbox.front().map_or(0, Vec::len);
        match usize::try_from(result) {
            Ok(0) if connection.sent < length => connection.fail(io::ErrorKind::WriteZero.into()),
            Ok(taken) => connection.sent += taken,
            Err(_) => return connection.fail(io::Error::from_raw_os_error(result.wrapping_neg())),
        }
        if connection.sent < length || connection.is_closing() {
            return;
        }
        connection.sent = 0;
        if let Some(buffer) = connection.outbox.pop_front() {
            on_event(Connections { table: self }, Event::Sent { connection: ConnectionId(id), buffer });
        }
    }
}

impl Connection {
    /// What is to be submitted next: a receive, a send, a cancellation. Each stands as in flight from here on.
    fn due_entries(&mut self, id: OperationId, provided: bool) -> [Option<squeue::Entry>; 3] {
        let fd = Fd(self.socket.as_raw_fd());
        let receive = (self.state == State::Open && !self.receiving).then(|| {
            self.receiving = true;
            let entry = if provided {
                opcode::RecvMulti::new(fd, GROUP).build()
            } else {
                let poll_first = if self.drained { RECVSEND_POLL_FIRST } else { 0 };
                let length = u32::try_from(self.inbox.len()).unwrap_or(u32::MAX);
                opcode::Recv::new(fd, self.inbox.as_mut_ptr(), length).ioprio(poll_first).build()
            };
            entry.user_data(tag(id, Kind::Receive))
        });
        let mut send = None;
        if let Some(buffer) = self.outbox.front()
            && !self.sending
            && !self.is_closing()
        {
            self.sending = true;
            let rest = buffer.get(self.sent..).unwrap_or_default();
            let entry = opcode::Send::new(fd, rest.as_ptr(), rest.len().min(MAX_SEND_BYTES) as u32);
            send = Some(entry.flags(SEND_FLAGS).build().user_data(tag(id, Kind::Send)));
        }
        if self.state == State::Ended && !self.sending {
            self.state = State::Closing;
        }
        let cancel = (self.state == State::Closing && (self.receiving || self.sending)).then(|| {
            self.state = State::Canceled;
            self.canceling = true;
            opcode::AsyncCancel2::new(CancelBuilder::fd(fd).all()).build().user_data(tag(id, Kind::Cancel))
        });
        [receive, send, cancel]
    }

    fn has_ended(&self) -> bool {
        self.is_closing() && !self.receiving && !self.sending && !self.canceling
    }

    fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing | State::Canceled)
    }

    fn close(&mut self) {
        if !self.is_closing() {
            self.state = State::Closing;
        }
    }

    fn fail(&mut self, error: io::Error) {
        if !self.is_closing() {
            self.error = Some(error);
            self.close();
        }
    }
}

impl ConnectionId {
    /// A small number, below the ring's limit of connections, that no other open connection has: for a table of what a server knows
    /// of each. It is used again after [`Event::Closed`].
    pub fn index(self) -> usize {
        self.0.0 as u32 as usize
    }
}

impl fmt::Debug for SocketRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SocketRing({:?})", self.table)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} connections, {} operations in flight", self.open, self.limit, self.in_flight)
    }
}

fn tag(id: OperationId, kind: Kind) -> u64 {
    id.0 | (kind as u64) << KIND_SHIFT
}

fn untag(number: u64) -> (OperationId, Option<Kind>) {
    let kind = [Kind::Receive, Kind::Send, Kind::Cancel].into_iter().nth((number >> KIND_SHIFT & 3) as usize);
    (OperationId(number & !(3 << KIND_SHIFT)), kind)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread::JoinHandle;

    use nix::sys::socket::{setsockopt, sockopt};

    use super::*;

    const MODES: [ReceiveMode; 3] = [
        ReceiveMode::Single { buffer_bytes: 4096 },
        ReceiveMode::Multishot { buffers: 64, buffer_bytes: 4096 },
        // So few that receiving often ends with ENOBUFS.
        ReceiveMode::Multishot { buffers: 2, buffer_bytes: 100 },
    ];

    /// One for each mode, and loudly if they can't be had.
    fn rings(connections: u32) -> impl Iterator<Item = SocketRing> {
        MODES.into_iter().filter_map(move |mode| match SocketRing::new(mode, connections) {
            Ok(ring) => Some(ring),
            Err(error) => {
                eprintln!("\n!!! NOT TESTED ON {mode:?}: {error}\n");
                None
            }
        })
    }

    /// Connects `count` clients, each served by a thread of its own, to the ring.
    fn connect(
        ring: &mut SocketRing,
        count: usize,
        client: impl Fn(usize, TcpStream) + Send + Clone + 'static,
    ) -> Vec<JoinHandle<()>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let start = |number| {
            let stream = TcpStream::connect(address).unwrap();
            let server = listener.accept().unwrap().0;
            server.set_nonblocking(true).unwrap();
            ring.connections().add(server.into()).unwrap();
            let client = client.clone();
            std::thread::spawn(move || client(number, stream))
        };
        (0..count).map(start).collect()
    }

    /// Answers each length-framed request with itself until all connections have ended; how many were answered.
    fn echo(ring: &mut SocketRing) -> usize {
        let mut frames: Vec<Vec<u8>> = vec![Vec::new(); ring.connections().len()];
        let mut answered = 0;
        loop {
            let left = ring.wait(|mut connections, event| match event {
                Event::Received { connection, bytes } => {
                    let frame = &mut frames[connection.index()];
                    frame.extend_from_slice(bytes);
                    while let Some(length) = frame.first_chunk().map(|length| 4 + u32::from_be_bytes(*length) as usize)
                        && frame.len() >= length
                    {
                        connections.send(connection, frame.drain(..length).collect());
                    }
                }
                Event::Sent { .. } => answered += 1,
                Event::Closed { connection, error } => {
                    assert!(error.is_none(), "{error:?}");
                    assert!(frames[connection.index()].is_empty());
                }
            });
            if left == 0 {
                return answered;
            }
        }
    }

    fn frame(length: usize, seed: usize) -> Vec<u8> {
        let body = (0..length).map(|place| (place * 31 + seed) as u8);
        (length as u32).to_be_bytes().into_iter().chain(body).collect()
    }

    #[test]
    fn every_request_of_many_connections_is_answered_with_its_own_bytes() {
        for mut ring in rings(100) {
            let clients = connect(&mut ring, 100, |number, mut stream| {
                for round in 0..20 {
                    let request = frame(number * 7 % 900 + round, number + round);
                    stream.write_all(&request).unwrap();
                    let mut answer = vec![0; request.len()];
                    stream.read_exact(&mut answer).unwrap();
                    assert_eq!(answer, request);
                }
            });
            assert_eq!(echo(&mut ring), 2000);
            clients.into_iter().for_each(|client| client.join().unwrap());
        }
    }

    #[test]
    fn a_peer_that_has_ended_its_side_still_gets_all_answers_in_order_however_long() {
        for mut ring in rings(2) {
            let clients = connect(&mut ring, 2, |number, mut stream| {
                let requests: Vec<u8> = (0..4).flat_map(|round| frame(1 << 20, number + round)).collect();
                let mut writer = stream.try_clone().unwrap();
                let sent = requests.clone();
                let writing = std::thread::spawn(move || {
                    writer.write_all(&sent).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut answers = Vec::new();
                stream.read_to_end(&mut answers).unwrap();
                writing.join().unwrap();
                assert!(answers == requests, "{} bytes of {}", answers.len(), requests.len());
            });
            assert_eq!(echo(&mut ring), 8);
            clients.into_iter().for_each(|client| client.join().unwrap());
        }
    }

    #[test]
    fn closing_takes_back_what_is_in_flight_and_tells_once() {
        for mut ring in rings(2) {
            // Nobody reads: the send can't end by itself.
            let clients = connect(&mut ring, 2, |_, mut stream| {
                stream.write_all(b"go").unwrap();
                let mut first = [0];
                stream.read_exact(&mut first).unwrap();
                stream.write_all(b"enough").unwrap();
                while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
            });
            let mut closed = Vec::new();
            loop {
                let left = ring.wait(|mut connections, event| match event {
                    Event::Received { connection, bytes: b"go" } => {
                        connections.send(connection, vec![1; 64 << 20]);
                        connections.send(connection, vec![2; 1]);
                    }
                    Event::Received { connection, .. } => {
                        connections.close(connection);
                        connections.close(connection);
                        connections.send(connection, vec![3; 1]);
                    }
                    Event::Sent { .. } => panic!("nothing was taken whole"),
                    Event::Closed { connection, error } => {
                        assert!(error.is_none(), "{error:?}");
                        connections.send(connection, vec![4; 1]);
                        connections.close(connection);
                        closed.push(connection);
                    }
                });
                if left == 0 {
                    break;
                }
            }
            assert_eq!(ring.wait(|_, event| panic!("{event:?}")), 0, "without connections nothing is waited for");
            assert!(closed.len() == 2 && closed[0] != closed[1]);
            clients.into_iter().for_each(|client| client.join().unwrap());
        }
    }

    #[test]
    fn a_reset_connection_is_closed_with_the_error_and_its_place_is_used_again() {
        for mut ring in rings(1) {
            let mut seen = Vec::new();
            for _ in 0..2 {
                let clients = connect(&mut ring, 1, |_, stream| {
                    let reset = libc::linger { l_onoff: 1, l_linger: 0 };
                    setsockopt(&stream, sockopt::Linger, &reset).unwrap();
                });
                let (_full, other) = std::os::unix::net::UnixStream::pair().unwrap();
                assert!(ring.connections().add(other.into()).unwrap_err().to_string().contains("for 1 "));
                while ring.wait(|_, event| match event {
                    Event::Closed { connection, error } => {
                        assert_eq!(error.unwrap().kind(), io::ErrorKind::ConnectionReset);
                        seen.push(connection);
                    }
                    other => panic!("{other:?}"),
                }) > 0
                {}
                clients.into_iter().for_each(|client| client.join().unwrap());
            }
            assert!(seen[0] != seen[1] && seen[0].index() == seen[1].index());
        }
    }

    #[test]
    fn a_dropped_ring_waits_for_its_buffers_whatever_is_in_flight_and_closes_its_sockets() {
        for mut ring in rings(10) {
            let clients = connect(&mut ring, 10, |_, mut stream| {
                stream.write_all(b"go").unwrap();
                let mut first = [0];
                stream.read_exact(&mut first).unwrap();
                while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
            });
            let mut asked = 0;
            while asked < 10 {
                ring.wait(|mut connections, event| {
                    if let Event::Received { connection, .. } = event {
                        asked += 1;
                        connections.send(connection, vec![1; 64 << 10 << (asked % 10)]);
                    }
                });
            }
            // Sends are in flight or even still in the queue; the clients end when their sockets are closed.
            ring.wait(|_, _| {});
            drop(ring);
            clients.into_iter().for_each(|client| client.join().unwrap());
        }
    }

    #[test]
    fn a_panic_of_the_handler_leaves_a_ring_that_can_be_dropped() {
        for mut ring in rings(2) {
            let clients = connect(&mut ring, 2, |_, mut stream| {
                stream.write_all(b"go").unwrap();
                while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
            });
            let served = std::panic::AssertUnwindSafe(|| ring.wait(|_, _| std::panic::resume_unwind(Box::new(()))));
            assert!(std::panic::catch_unwind(served).is_err());
            drop(ring);
            clients.into_iter().for_each(|client| client.join().unwrap());
        }
    }

    #[test]
    fn what_is_no_socket_is_closed_with_the_error() {
        for mut ring in rings(1) {
            let file = tempfile::tempfile().unwrap();
            ring.connections().add(file.into()).unwrap();
            let mut told = None;
            while ring.wait(|_, event| match event {
                Event::Closed { error, .. } => told = error,
                other => panic!("{other:?}"),
            }) > 0
            {}
            assert_eq!(told.unwrap().raw_os_error(), Some(libc::ENOTSOCK));
        }
    }
}
