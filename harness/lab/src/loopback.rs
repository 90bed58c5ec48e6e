//! Connections of this host with itself.

use std::io;
use std::net::{TcpListener, TcpStream};

/// Both ends of so many connections, without Nagle's delay, as brokers and clients have them: those that were accepted, and those that
/// connected.
pub(crate) fn connections(count: usize) -> io::Result<(Vec<TcpStream>, Vec<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let connection = |_| {
        let connected = TcpStream::connect(address)?;
        let (accepted, _) = listener.accept()?;
        accepted.set_nodelay(true)?;
        connected.set_nodelay(true)?;
        Ok((accepted, connected))
    };
    (0..count).map(connection).collect()
}
