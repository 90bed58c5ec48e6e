//! One run of one cell: a server, and a client that asks over all connections.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use ringbench_stats::{Cost, Latencies};
use ringlog_io::limits::raise_open_files;

use super::Strategy;
use super::client::Client;
use crate::bench::Bench;
use crate::loopback::connections;
use crate::sample::Sample;
use crate::setting::ServeSetting;
use crate::stretch::Stretch;

/// Descriptors that a run needs beside its connections' two ends.
const OTHER_FILES: u64 = 100;

/// Runs the cell once. Client and server are threads of this process, so what both cost is counted. Every connection has been
/// answered before the clock starts.
pub(crate) fn run(strategy: &dyn Strategy, setting: &ServeSetting, bench: &Bench<'_>) -> io::Result<Sample> {
    watched(strategy, setting, bench.counts_calls, |client| {
        let begun = Instant::now();
        client.converse(|_| begun.elapsed() < bench.budget.duration && !bench.stop.load(Ordering::Relaxed))
    })
}

/// Has a few requests answered: says whether the strategy can do its work on this host.
pub(crate) fn try_out(strategy: &dyn Strategy) -> io::Result<()> {
    let setting = ServeSetting { size_bytes: 70_000, connections: 3, pipelined: 2 };
    watched(strategy, &setting, false, |client| client.converse(|asked| asked < 10)).map(drop)
}

fn watched(
    strategy: &dyn Strategy,
    setting: &ServeSetting,
    counts_calls: bool,
    work: impl FnOnce(&mut Client) -> io::Result<Latencies> + Send,
) -> io::Result<Sample> {
    let (servers, clients) = connect(setting.connections)?;
    let stretch = Stretch::new(1).counting(counts_calls);
    let ask = || {
        let prepare = || {
            let mut client = Client::new(clients, setting)?;
            client.converse(|asked| asked < setting.pipelined as u64)?;
            Ok(client)
        };
        stretch.run(prepare, |client| {
            let before = Cost::of_this_thread();
            let latencies = work(client)?;
            Ok((latencies, Cost::of_this_thread().since(&before)))
        })
    };
    thread::scope(|scope| {
        let (server, client) = (scope.spawn(move || strategy.serve(servers)), scope.spawn(ask));
        let sample = stretch.watch();
        // The client's end is the connections' end, and so the server's.
        let asked = client.join().map_err(|_| io::Error::other("the client's thread panicked"))?;
        server.join().map_err(|_| io::Error::other("the server's thread panicked"))??;
        let (latencies, client) = asked?.unwrap_or_default();
        let bytes = latencies.count() * setting.size_bytes as u64;
        Ok(Sample { bytes, latencies, client: Some(client), ..sample })
    })
}

/// Both ends of so many connections.
fn connect(count: usize) -> io::Result<(Vec<TcpStream>, Vec<TcpStream>)> {
    let (needed, limit) = (2 * count as u64 + OTHER_FILES, raise_open_files()?);
    if needed > limit {
        return Err(io::Error::other(format!(
            "{count} connections need {needed} descriptors and RLIMIT_NOFILE is {limit}: raise its hard limit (ulimit -Hn)"
        )));
    }
    connections(count)
}
