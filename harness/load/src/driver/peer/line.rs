//! A connection to a peer on which one waits for what comes next.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The connection, and what has come and not been taken.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    pub(crate) inbox: BytesMut,
}

impl Line {
    pub(crate) fn new(stream: TcpStream) -> Line {
        Line { stream, inbox: BytesMut::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), String> {
        self.stream.write_all(bytes.as_ref()).await.map_err(|error| error.to_string())
    }

    /// Waits until `take` takes something off the front of the inbox. Cancelled, it loses nothing.
    pub(crate) async fn next<T>(
        &mut self,
        mut take: impl FnMut(&mut BytesMut) -> Result<Option<T>, String>,
    ) -> Result<T, String> {
        loop {
            if let Some(taken) = take(&mut self.inbox)? {
                return Ok(taken);
            }
            match self.stream.read_buf(&mut self.inbox).await {
                Ok(0) => return Err("it closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
