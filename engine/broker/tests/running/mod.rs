//! A broker in this process, and clients of it on runtimes of their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use ringlog_broker::{Server, ServerError};
use ringlog_client::{
    Client, ClientError, ClientOptions, Compression, Consumer, ConsumerOptions, OffsetSpec, Producer, ProducerOptions,
    ProducerRecord, TopicPartition,
};
use ringlog_io::Wanted;
use ringlog_protocol::{Message, Reader, Request, ResponseHeader, encode_request};
use ringlog_settings::{BrokerConfig, Properties};
use tokio::sync::oneshot;

/// A broker that runs until it is stopped or dropped.
pub struct Running {
    pub address: SocketAddr,
    pub metrics: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl Running {
    pub fn start(data: &Path, backend: Wanted) -> Running {
        Running::with(data, backend, &[])
    }

    /// With settings of its own.
    pub fn with(data: &Path, backend: Wanted, settings: &[(&str, &str)]) -> Running {
        let server = start(data, backend, settings).unwrap();
        let (address, metrics) = (server.address(), server.metrics_address());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || server.run(async move { drop(stopped.await) }));
        Running { address, metrics, stop: Some(stop), thread: Some(thread) }
    }

    pub fn stop(mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

pub fn start(data: &Path, backend: Wanted, settings: &[(&str, &str)]) -> Result<Server, ServerError> {
    let mut properties = Properties::default();
    properties.insert("log.dirs", &data.display().to_string());
    properties.insert("listeners", "PLAINTEXT://127.0.0.1:0");
    properties.insert("io.backend", if backend == Wanted::Uring { "uring" } else { "syscall" });
    settings.iter().for_each(|(name, value)| properties.insert(name, value));
    let (config, sources, _) = BrokerConfig::from_properties(&properties).unwrap();
    Server::start(config, sources)
}

/// Which way to the disk a test goes that runs once: `RINGLOG_TEST_BACKEND=uring` asks for the ring. The test script runs them
/// with both.
pub fn backend() -> Wanted {
    let asked = std::env::var("RINGLOG_TEST_BACKEND").is_ok_and(|backend| backend == "uring");
    let has_ring = || backends(&std::env::temp_dir()).contains(&Wanted::Uring);
    if asked && has_ring() { Wanted::Uring } else { Wanted::Syscall }
}

/// The ring where the machine has it; system calls everywhere.
pub fn backends(data: &Path) -> Vec<Wanted> {
    match ringlog_io::probe(data, Wanted::Uring) {
        Ok(_) => vec![Wanted::Uring, Wanted::Syscall],
        Err(error) => {
            eprintln!("!!! NOT TESTED ON IO_URING: {error}");
            vec![Wanted::Syscall]
        }
    }
}

/// A client runs beside the broker, on a runtime of its own.
pub fn wait<T>(client: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(client)
}

pub async fn client(address: SocketAddr) -> Client {
    Client::connect(ClientOptions::new(&address.to_string()).unwrap()).await.unwrap()
}

/// One request on a connection of its own, as it is on the wire; `read` is given the answer.
pub fn ask<'a, R: Request<'a>, T>(
    address: SocketAddr,
    request: &R,
    version: i16,
    read: impl FnOnce(R::Response<'_>) -> T,
) -> T {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(&encode_request(request, version, 7, None).unwrap()).unwrap();
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame).unwrap();
    let mut reader = Reader::new(&frame);
    ResponseHeader::decode(&mut reader, R::API, version).unwrap();
    read(R::Response::decode(&mut reader, version).unwrap())
}

pub async fn produce(address: SocketAddr, topic: &str, values: &[String], compression: Compression) {
    let options = ProducerOptions { compression, ..Default::default() };
    let producer = Producer::new(client(address).await, options).unwrap();
    for value in values {
        let record = ProducerRecord { topic, value: Some(value.as_bytes()), ..Default::default() };
        drop(producer.send(record).await.unwrap());
    }
    producer.close().await.unwrap();
}

pub async fn consume(address: SocketAddr, topic: &str, count: usize) -> Vec<String> {
    let mut consumer = Consumer::new(client(address).await, ConsumerOptions::default()).unwrap();
    let partition = TopicPartition { topic: topic.into(), partition: 0 };
    consumer.assign([partition.clone()]);
    consumer.seek_to(&partition, OffsetSpec::Earliest).unwrap();
    let mut values = Vec::new();
    for _ in 0..100 {
        let records = consumer.poll(Duration::from_millis(200)).await.unwrap();
        records
            .try_for_each(|_, record| {
                values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
                Ok::<_, ClientError>(())
            })
            .unwrap();
        if values.len() >= count {
            break;
        }
    }
    values
}

pub fn lines(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("record {n}, with a few words so that there is something to compress")).collect()
}
