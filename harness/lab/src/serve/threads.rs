//! A blocking thread for each connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

use super::frames::push_answer;
use super::{Frames, RECEIVE_BYTES, Strategy, unless_gone};

/// Enough for these threads; a thousand times the default would be 2 GiB of addresses.
const STACK_BYTES: usize = 128 << 10;

pub(crate) struct Threads;

impl Strategy for Threads {
    fn name(&self) -> &'static str {
        "threads"
    }

    fn about(&self) -> &'static str {
        "a thread for each connection, which blocks in read(2) and write(2)"
    }

    fn serve(&self, sockets: Vec<TcpStream>) -> io::Result<()> {
        let spawn = |socket| {
            let thread = thread::Builder::new().name("lab-connection".to_owned()).stack_size(STACK_BYTES);
            thread.spawn(move || unless_gone(answer(socket)))
        };
        let threads = sockets.into_iter().map(spawn).collect::<io::Result<Vec<_>>>()?;
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| io::Error::other("a connection's thread panicked"))?)
    }
}

fn answer(mut socket: TcpStream) -> io::Result<()> {
    let (mut buffer, mut answers, mut frames) = (vec![0; RECEIVE_BYTES], Vec::new(), Frames::default());
    loop {
        let received = match socket.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        frames.take(buffer.get(..received).unwrap_or_default(), |number, _| {
            push_answer(&mut answers, number);
            Ok(())
        })?;
        if !answers.is_empty() {
            socket.write_all(&answers)?;
            answers.clear();
        }
    }
}
