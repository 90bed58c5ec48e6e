//! A broker in this process, driven by the native client over loopback, on both disk backends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

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
use ringlog_settings::{BrokerConfig, Properties};
use tokio::sync::oneshot;

/// A broker that runs until it is stopped or dropped.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl Running {
    fn start(data: &Path, backend: Wanted) -> Running {
        let server = start(data, backend).unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || server.run(async move { drop(stopped.await) }));
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    fn stop(mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

fn start(data: &Path, backend: Wanted) -> Result<Server, ServerError> {
    let mut properties = Properties::default();
    properties.insert("log.dirs", &data.display().to_string());
    properties.insert("listeners", "PLAINTEXT://127.0.0.1:0");
    properties.insert("io.backend", if backend == Wanted::Uring { "uring" } else { "syscall" });
    let (config, sources, _) = BrokerConfig::from_properties(&properties).unwrap();
    Server::start(config, sources)
}

/// The ring where the machine has it; system calls everywhere.
fn backends(data: &Path) -> Vec<Wanted> {
    match ringlog_io::probe(data, Wanted::Uring) {
        Ok(_) => vec![Wanted::Uring, Wanted::Syscall],
        Err(error) => {
            eprintln!("!!! NOT TESTED ON IO_URING: {error}");
            vec![Wanted::Syscall]
        }
    }
}

/// A client runs beside the broker, on a runtime of its own.
fn wait<T>(client: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(client)
}

async fn client(address: SocketAddr) -> Client {
    Client::connect(ClientOptions::new(&address.to_string()).unwrap()).await.unwrap()
}

async fn produce(address: SocketAddr, topic: &str, values: &[String], compression: Compression) {
    let options = ProducerOptions { compression, ..Default::default() };
    let producer = Producer::new(client(address).await, options).unwrap();
    for value in values {
        let record = ProducerRecord { topic, value: Some(value.as_bytes()), ..Default::default() };
        drop(producer.send(record).await.unwrap());
    }
    producer.close().await.unwrap();
}

async fn consume(address: SocketAddr, topic: &str, count: usize) -> Vec<String> {
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

fn lines(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("record {n}, with a few words so that there is something to compress")).collect()
}

#[test]
fn what_is_produced_is_consumed_in_order_with_every_codec_and_after_a_restart() {
    let probed = tempfile::tempdir().unwrap();
    for backend in backends(probed.path()) {
        let data = tempfile::tempdir().unwrap();
        let values = lines(500);
        let codecs = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        let broker = Running::start(data.path(), backend);
        for codec in codecs {
            wait(produce(broker.address, &format!("t-{codec}"), &values, codec));
            assert_eq!(wait(consume(broker.address, &format!("t-{codec}"), values.len())), values, "{codec}");
        }
        broker.stop();
        assert!(data.path().join(".kafka_cleanshutdown").exists());
        let broker = Running::start(data.path(), backend);
        for codec in codecs {
            assert_eq!(wait(consume(broker.address, &format!("t-{codec}"), values.len())), values, "{codec}");
        }
        broker.stop();
    }
}

#[test]
fn noise_and_a_two_gigabyte_prefix_close_their_own_connection_only() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), Wanted::Syscall);
    let noise: Vec<u8> = (0..100u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    for bytes in [&[0x7f, 0xff, 0xff, 0xff][..], &noise, &[0; 64], &[0, 0, 0, 8, 0x7f, 0, 0, 0, 0, 0, 0, 1]] {
        let mut socket = TcpStream::connect(broker.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // The end of the stream or a reset: both say that the broker closed it. A timeout would be an error of another kind.
        match socket.read_to_end(&mut answer) {
            Ok(_) => assert!(answer.is_empty()),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    let values = lines(10);
    wait(produce(broker.address, "others", &values, Compression::None));
    assert_eq!(wait(consume(broker.address, "others", 10)), values);
    broker.stop();
}

#[test]
fn a_second_broker_on_the_same_directory_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), Wanted::Syscall);
    let error = start(data.path(), Wanted::Syscall).err().unwrap().to_string();
    assert!(error.contains(&data.path().display().to_string()), "{error}");
    broker.stop();
}

#[test]
fn an_api_versions_request_from_the_future_is_answered_in_version_0() {
    let data = tempfile::tempdir().unwrap();
    let broker = Running::start(data.path(), Wanted::Syscall);
    let mut socket = TcpStream::connect(broker.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Key 18, version 99, correlation id 7, a null client id, and tagged fields that no version yet has.
    socket.write_all(b"\0\0\0\x0b\0\x12\0\x63\0\0\0\x07\xff\xff\0").unwrap();
    let mut head = [0; 10];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head[4..], b"\0\0\0\x07\0\x23", "the correlation id, then error 35");
    drop(socket);
    broker.stop();
}
