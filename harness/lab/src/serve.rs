//! Ways to answer requests over many connections: what a strategy is, and all of them.
//!
//! | strategy | how a thread comes to the bytes that have arrived |
//! |---|---|
//! | `threads` | each connection has one, which blocks |
//! | `shard` | one for all, told by epoll through tokio, as the broker does |
//! | `ring` | one for all, with a receive in flight for each connection; or one that goes on, into whichever buffer is free |
//!
//! Requests and answers are framed by their length, and shaped like Produce: a large request, a small answer. All strategies give
//! what they receive to the same [`Frames`], which copies nothing: a broker that keeps batches would have to copy them out of a
//! buffer that it must give back.

mod client;
mod frames;
mod ring;
mod run;
mod shard;
mod threads;

use std::io;
use std::net::TcpStream;

use frames::Frames;
pub(crate) use run::{run, try_out};

/// Every way to serve, from the plainest on.
pub(crate) const STRATEGIES: &[&dyn Strategy] = &[&threads::Threads, &shard::Shard, &ring::SINGLE, &ring::MULTISHOT];

/// What a server asks for with one receive, where it has a buffer for each connection.
const RECEIVE_BYTES: usize = 64 << 10;

/// A way to serve.
pub(crate) trait Strategy: Sync {
    /// What tables call it.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn about(&self) -> &'static str;

    /// Answers what comes over the sockets until all peers have gone.
    fn serve(&self, sockets: Vec<TcpStream>) -> io::Result<()>;
}

/// A peer that goes away is no error of the server: it says itself why it went.
fn unless_gone(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::bench::{Bench, Budget};
    use crate::loopback::connections;
    use crate::setting::ServeSetting;

    /// Those that this host can run, and loudly which not.
    fn able() -> impl Iterator<Item = &'static dyn Strategy> {
        STRATEGIES.iter().copied().filter(|strategy| match try_out(*strategy) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("\n!!! NOT TESTED: {} can't run here: {error}\n", strategy.name());
                false
            }
        })
    }

    #[test]
    fn every_strategy_answers_every_request_with_its_number_in_order() {
        let stop = AtomicBool::new(false);
        let budget = Budget { duration: Duration::from_millis(30), bytes: 0 };
        let bench = Bench { directory: &std::env::temp_dir(), budget, stop: &stop, counts_calls: false };
        for strategy in able() {
            for (size_bytes, connections, pipelined) in [(100, 1, 1), (100, 50, 5), (64 << 10, 20, 1), (4096, 300, 2)] {
                let setting = ServeSetting { size_bytes, connections, pipelined };
                let sample =
                    run(strategy, &setting, &bench).unwrap_or_else(|e| panic!("{} {setting}: {e}", strategy.name()));
                assert!(sample.latencies.count() > 0, "{} {setting}", strategy.name());
                assert_eq!(sample.bytes, sample.latencies.count() * size_bytes as u64);
            }
        }
    }

    #[test]
    fn answers_are_the_same_bytes_from_every_strategy_and_end_with_the_connection() {
        let mut expected = Vec::new();
        (0..40).for_each(|number| frames::push_answer(&mut expected, number));
        assert_eq!((expected.len(), &expected[64..76]), (40 * 64, &[0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 1][..]));
        for strategy in able() {
            let (servers, mut clients) = connections(2).unwrap();
            let server = std::thread::spawn(move || strategy.serve(servers));
            for client in &mut clients {
                let mut requests = Vec::new();
                for number in 0..40 {
                    requests.extend_from_slice(&frames::prefix(number, 30_000));
                    requests.resize(requests.len() + 30_000 - frames::PREFIX_BYTES, 7);
                }
                client.write_all(&requests).unwrap();
                let mut answers = vec![0; expected.len()];
                client.read_exact(&mut answers).unwrap();
                assert!(answers == expected, "{}", strategy.name());
            }
            drop(clients);
            server.join().unwrap().unwrap_or_else(|error| panic!("{}: {error}", strategy.name()));
        }
    }

    #[test]
    fn an_answer_out_of_order_and_a_server_that_leaves_are_found() {
        /// Answers one request with the wrong number, or not at all.
        struct Wrong {
            number: Option<u64>,
        }
        impl Strategy for Wrong {
            fn name(&self) -> &'static str {
                "wrong"
            }
            fn about(&self) -> &'static str {
                "wrong"
            }
            fn serve(&self, sockets: Vec<TcpStream>) -> io::Result<()> {
                let mut answer = Vec::new();
                self.number.into_iter().for_each(|number| frames::push_answer(&mut answer, number));
                for mut socket in &sockets {
                    socket.write_all(&answer)?;
                }
                for mut socket in &sockets {
                    if self.number.is_some() {
                        unless_gone(socket.read_to_end(&mut Vec::new()).map(drop))?;
                    }
                }
                Ok(())
            }
        }
        let said = |number| try_out(&Wrong { number }).unwrap_err().to_string();
        assert_eq!(said(Some(1)), "answer 0 came as 1, of 64 B");
        let left = try_out(&Wrong { number: None }).unwrap_err();
        assert!(
            matches!(
                left.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ),
            "{left}"
        );
    }
}
