//! A connection to a peer on which one waits for what comes next, and who reads records from one.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Peer;
use crate::LoadError;
use crate::driver::{Consume, Record};

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

    /// Waits for something that `take` takes, at most for `wait`, and gives it to `each`, with what else has come already.
    pub(crate) async fn all_within<T>(
        &mut self,
        wait: Duration,
        mut take: impl FnMut(&mut BytesMut) -> Result<Option<T>, String>,
        mut each: impl FnMut(T) -> Result<(), String>,
    ) -> Result<(), String> {
        let Ok(first) = tokio::time::timeout(wait, self.next(&mut take)).await else { return Ok(()) };
        let mut next = Some(first?);
        while let Some(taken) = next {
            each(taken)?;
            next = take(&mut self.inbox)?;
        }
        Ok(())
    }
}

/// Reads records from a line.
pub(crate) trait Reader {
    /// Whom it talks to.
    fn peer(&self) -> &Peer;

    /// A line on which it has asked for its records.
    async fn open(&mut self) -> Result<Line, LoadError>;

    /// Gives the records that come within `wait` to `each`.
    async fn read(&mut self, line: &mut Line, wait: Duration, each: &mut impl FnMut(Record<'_>)) -> Result<(), String>;
}

/// A reader with its line, which is opened when it is needed, and anew after it broke.
#[derive(Debug)]
pub struct Consumer<R> {
    pub(crate) reader: R,
    line: Option<Line>,
}

impl<R> Consumer<R> {
    pub(crate) fn new(reader: R) -> Consumer<R> {
        Consumer { reader, line: None }
    }

    /// One that has asked already.
    pub(crate) async fn opened(mut reader: R) -> Result<Consumer<R>, LoadError>
    where
        R: Reader,
    {
        let line = Some(reader.open().await?);
        Ok(Consumer { reader, line })
    }
}

impl<R: Reader> Consume for Consumer<R> {
    async fn poll(&mut self, wait: Duration, mut each: impl FnMut(Record<'_>)) -> Result<(), LoadError> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => self.reader.open().await?,
        };
        let read = self.reader.read(&mut line, wait, &mut each).await;
        if read.is_ok() {
            self.line = Some(line);
        }
        read.map_err(|said| self.reader.peer().error(said))
    }
}
