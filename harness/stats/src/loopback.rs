//! A TCP connection over loopback that a thread of its own keeps full.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;

use nix::sys::sendfile::sendfile64;

/// What one sendfile moves: as much as the engine lets it.
const SENDFILE_BYTES: usize = 256 << 10;
/// More than the socket buffers hold by default (`net.ipv4.tcp_rmem` and `tcp_wmem`: 10 MiB together).
const SETTLED_AFTER_BYTES: usize = 16 << 20;

/// The receiving end. The sender waits while nobody receives, and ends with this.
pub(crate) struct Loopback {
    receiver: TcpStream,
    /// The sender's socket: shut down, it ends the sender.
    sender: TcpStream,
    sending: Option<JoinHandle<()>>,
}

impl Loopback {
    /// The sender sends the block with send(2), over and over.
    pub(crate) fn of_block(block: Vec<u8>) -> io::Result<Loopback> {
        Loopback::begin(move |mut sender| while sender.write_all(&block).is_ok() {})
    }

    /// The sender sends the file, which has so many bytes, with sendfile(2), over and over.
    pub(crate) fn of_file(file: File, length: u64) -> io::Result<Loopback> {
        Loopback::begin(move |sender| {
            let (mut position, mut sent) = (0i64, Ok(1));
            while sent.is_ok_and(|bytes| bytes > 0) {
                if position.unsigned_abs() >= length {
                    position = 0;
                }
                sent = sendfile64(&sender, &file, Some(&mut position), SENDFILE_BYTES);
            }
        })
    }

    fn begin(send: impl FnOnce(TcpStream) + Send + 'static) -> io::Result<Loopback> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sender = TcpStream::connect(listener.local_addr()?)?;
        let (receiver, _) = listener.accept()?;
        let socket = sender.try_clone()?;
        Ok(Loopback { receiver, sender, sending: Some(std::thread::spawn(move || send(socket))) })
    }

    /// Fills the buffer.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<()> {
        (&self.receiver).read_exact(buffer)
    }

    /// Receives what was sent in advance: what comes then is sent while it is received.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        (0..SETTLED_AFTER_BYTES / buffer.len()).try_for_each(|_| self.receive(&mut buffer))
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let _ = self.sender.shutdown(Shutdown::Both);
        let _ = self.sending.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_and_a_file_arrive_over_and_over() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        for loopback in [Loopback::of_block(b"abc".to_vec()).unwrap(), Loopback::of_file(file, 3).unwrap()] {
            let mut buffer = [0; 7];
            loopback.receive(&mut buffer).unwrap();
            assert_eq!(&buffer, b"abcabca");
        }
    }

    #[test]
    fn a_sender_that_waits_ends_with_its_receiver() {
        drop(Loopback::of_block(vec![0; 1 << 20]).unwrap());
        // A file that is not there to the end has nothing to send.
        let loopback = Loopback::of_file(tempfile::tempfile().unwrap(), 5).unwrap();
        assert!(loopback.sending.as_ref().is_some());
        drop(loopback);
    }
}
