//! One thread for all connections, told by epoll what is ready: tokio's current-thread runtime, as a shard of the broker has it.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::frames::push_answer;
use super::{Frames, RECEIVE_BYTES, Strategy, unless_gone};

pub(crate) struct Shard;

impl Strategy for Shard {
    fn name(&self) -> &'static str {
        "epoll-tokio"
    }

    fn about(&self) -> &'static str {
        "one thread: a task for each connection on tokio's current-thread runtime, as the broker does"
    }

    fn serve(&self, sockets: Vec<std::net::TcpStream>) -> io::Result<()> {
        Builder::new_current_thread().enable_io().build()?.block_on(async {
            let mut connections = JoinSet::new();
            for socket in sockets {
                socket.set_nonblocking(true)?;
                connections.spawn(answer(TcpStream::from_std(socket)?));
            }
            while let Some(ended) = connections.join_next().await {
                unless_gone(ended?)?;
            }
            Ok(())
        })
    }
}

async fn answer(mut socket: TcpStream) -> io::Result<()> {
    let (mut buffer, mut answers, mut frames) = (vec![0; RECEIVE_BYTES], Vec::new(), Frames::default());
    loop {
        socket.readable().await?;
        let received = match socket.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            other => other?,
        };
        frames.take(buffer.get(..received).unwrap_or_default(), |number, _| {
            push_answer(&mut answers, number);
            Ok(())
        })?;
        if !answers.is_empty() {
            socket.write_all(&answers).await?;
            answers.clear();
        }
    }
}
