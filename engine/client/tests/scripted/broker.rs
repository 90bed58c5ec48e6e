//! A broker that does what a test says: real sockets, real messages, no log.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ringlog_client::{Client, ClientOptions};
use ringlog_protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use ringlog_protocol::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use ringlog_protocol::init_producer_id::InitProducerIdResponse;
use ringlog_protocol::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ringlog_protocol::{ApiKey, Message, Reader, RequestHeader, encode_response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
pub(crate) struct Received {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) body: Bytes,
}

/// What the broker does about it.
pub(crate) enum Answer {
    /// Sends these bytes.
    Send(BytesMut),
    /// Keeps them until something else is sent on the connection.
    Hold(BytesMut),
    /// Closes the connection.
    Close,
    /// Says nothing.
    Silence,
    /// What brokers usually do: serves every version, has topic `t` with two partitions, leads them all, and coordinates
    /// what is asked for.
    Usual,
}

impl Received {
    pub(crate) fn read<'a, M: Message<'a>>(&'a self) -> M {
        M::decode(&mut Reader::new(&self.body), self.version).unwrap()
    }

    pub(crate) fn answer<'a, M: Message<'a>>(&self, message: &M) -> Answer {
        Answer::Send(encode_response(message, self.version, self.correlation_id).unwrap())
    }
}

type Script = Arc<Mutex<dyn FnMut(&Received) -> Answer + Send>>;

/// Starts a broker on a free port and gives its address.
pub(crate) async fn start(script: impl FnMut(&Received) -> Answer + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let script: Script = Arc::new(Mutex::new(script));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that goes away in the middle is its own business.
            tokio::spawn(serve(stream, address.port(), Arc::clone(&script)));
        }
    });
    address.to_string()
}

/// A client of such a broker that does not wait long for anything.
pub(crate) async fn client(script: impl FnMut(&Received) -> Answer + Send + 'static) -> Client {
    let mut options = ClientOptions::new(&start(script).await).unwrap();
    options.retry_backoff = Duration::from_millis(1);
    options.retry_backoff_max = Duration::from_millis(10);
    Client::connect(options).await.unwrap()
}

async fn serve(mut stream: TcpStream, port: u16, script: Script) -> std::io::Result<()> {
    let mut held = BytesMut::new();
    loop {
        let mut frame = vec![0; stream.read_i32().await? as usize];
        stream.read_exact(&mut frame).await?;
        let frame = Bytes::from(frame);
        let mut reader = Reader::new(&frame);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let received = Received {
            api: header.api,
            version: header.version,
            correlation_id: header.correlation_id,
            body: frame.slice(frame.len() - reader.remaining()..),
        };
        let mut answer = (script.lock().unwrap())(&received);
        if let Answer::Usual = answer {
            answer = usual(&received, port);
        }
        match answer {
            Answer::Send(bytes) => {
                held.extend_from_slice(&bytes);
                stream.write_all(&held.split()).await?;
            }
            Answer::Hold(bytes) => held.extend_from_slice(&bytes),
            Answer::Close => return Ok(()),
            Answer::Silence | Answer::Usual => {}
        }
    }
}

fn usual(received: &Received, port: u16) -> Answer {
    match received.api {
        ApiKey::ApiVersions => {
            let range = |api: &ApiKey| {
                let versions = api.versions();
                ApiVersion { api_key: api.code(), min_version: *versions.start(), max_version: *versions.end() }
            };
            let api_keys = ApiKey::ALL.iter().map(range).collect();
            received.answer(&ApiVersionsResponse { api_keys, ..Default::default() })
        }
        ApiKey::Metadata => {
            let asked = received.read::<MetadataRequest<'_>>().topics.unwrap_or_default();
            let partition = |partition_index| MetadataResponsePartition {
                partition_index,
                leader_id: 1,
                leader_epoch: 0,
                replica_nodes: vec![1],
                isr_nodes: vec![1],
                ..Default::default()
            };
            let topic = |name| MetadataResponseTopic {
                name: Some(name),
                partitions: vec![partition(0), partition(1)],
                ..Default::default()
            };
            received.answer(&MetadataResponse {
                brokers: vec![MetadataResponseBroker {
                    node_id: 1,
                    host: "127.0.0.1".into(),
                    port: port.into(),
                    ..Default::default()
                }],
                controller_id: 1,
                topics: asked.into_iter().filter_map(|asked| asked.name).map(topic).collect(),
                ..Default::default()
            })
        }
        ApiKey::FindCoordinator => {
            let asked = received.read::<FindCoordinatorRequest<'_>>().coordinator_keys;
            let coordinator = |key| Coordinator {
                key,
                node_id: 1,
                host: "127.0.0.1".into(),
                port: port.into(),
                ..Default::default()
            };
            let coordinators = asked.into_iter().map(coordinator).collect();
            received.answer(&FindCoordinatorResponse { coordinators, ..Default::default() })
        }
        ApiKey::InitProducerId => received.answer(&InitProducerIdResponse { producer_id: 7, ..Default::default() }),
        other => panic!("the script has nothing for {other}"),
    }
}
