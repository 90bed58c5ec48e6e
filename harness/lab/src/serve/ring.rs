//! One thread for all connections, whose receives and sends are operations of an io_uring.

use std::io;
use std::net::TcpStream;

use ringlog_io::{Event, ReceiveMode, SocketRing};

use super::frames::push_answer;
use super::{Frames, RECEIVE_BYTES, Strategy, unless_gone};

/// A buffer for each connection, as the strategies of system calls have one.
pub(crate) const SINGLE: Ring = Ring {
    name: "ring-recv",
    about: "one thread: IORING_OP_RECV into a buffer of each connection, IORING_OP_SEND; one system call for many",
    mode: ReceiveMode::Single { buffer_bytes: RECEIVE_BYTES as u32 },
};

/// 4 MiB for all connections together.
pub(crate) const MULTISHOT: Ring = Ring {
    name: "ring-multishot",
    about: "one thread: a multishot receive for each connection, into 256 provided buffers of 16 KiB; IORING_OP_SEND",
    mode: ReceiveMode::Multishot { buffers: 256, buffer_bytes: 16 << 10 },
};

/// A way to receive by a ring.
pub(crate) struct Ring {
    name: &'static str,
    about: &'static str,
    mode: ReceiveMode,
}

impl Strategy for Ring {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn serve(&self, sockets: Vec<TcpStream>) -> io::Result<()> {
        let mut ring = SocketRing::new(self.mode, sockets.len() as u32)?;
        let mut frames: Vec<Frames> = Vec::new();
        frames.resize_with(sockets.len(), Frames::default);
        for socket in sockets {
            ring.connections().add(socket.into())?;
        }
        let (mut spare, mut outcome): (Vec<Vec<u8>>, _) = (Vec::new(), Ok(()));
        let mut on_event = |mut connections: ringlog_io::Connections<'_>, event: Event<'_>| match event {
            Event::Received { connection, bytes } => {
                let Some(frames) = frames.get_mut(connection.index()) else { return };
                let mut answers = spare.pop().unwrap_or_default();
                let taken = frames.take(bytes, |number, _| {
                    push_answer(&mut answers, number);
                    Ok(())
                });
                match taken {
                    Ok(()) if answers.is_empty() => spare.push(answers),
                    Ok(()) => connections.send(connection, answers),
                    Err(error) => {
                        outcome = Err(error);
                        connections.close(connection);
                    }
                }
            }
            Event::Sent { mut buffer, .. } => {
                buffer.clear();
                spare.push(buffer);
            }
            Event::Closed { error, .. } => {
                if let Some(error) = error {
                    outcome = unless_gone(Err(error));
                }
            }
        };
        while ring.wait(&mut on_event) > 0 {}
        outcome
    }
}
