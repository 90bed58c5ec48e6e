//! Negotiation, order, and what ends a connection.

use std::time::{Duration, Instant};

use ringlog_client::{Admin, Client, ClientError, ClientOptions};
use ringlog_protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use ringlog_protocol::describe_cluster::DescribeClusterResponse;
use ringlog_protocol::{ApiKey, encode_response};

use super::broker::{self, Answer, Received};

fn versions(api: ApiKey, min_version: i16, max_version: i16) -> ApiVersion {
    ApiVersion { api_key: api.code(), min_version, max_version }
}

fn cluster(received: &Received, cluster_id: &str) -> DescribeClusterResponse<'static> {
    assert_eq!(received.api, ApiKey::DescribeCluster);
    DescribeClusterResponse { cluster_id: cluster_id.to_owned().into(), ..Default::default() }
}

#[tokio::test]
async fn a_broker_that_knows_only_the_first_versions_is_asked_in_those() {
    let address = broker::start(|received: &Received| match (received.api, received.version) {
        // As brokers answer that are older than the version asked in (KIP-511).
        (ApiKey::ApiVersions, 1..) => {
            let refusal = ApiVersionsResponse { error_code: 35, ..Default::default() };
            Answer::Send(encode_response(&refusal, 0, received.correlation_id).unwrap())
        }
        (ApiKey::ApiVersions, 0) => received.answer(&ApiVersionsResponse {
            api_keys: vec![versions(ApiKey::Metadata, 0, 1), versions(ApiKey::ApiVersions, 0, 0)],
            ..Default::default()
        }),
        (ApiKey::Metadata, version) => {
            assert_eq!(version, 1);
            Answer::Usual
        }
        other => panic!("{other:?} was not offered"),
    })
    .await;
    let client = Client::connect(ClientOptions::new(&address).unwrap()).await.unwrap();
    let error = Admin::new(client).cluster().await.unwrap_err();
    let unserved = matches!(error, ClientError::Unsupported { api: ApiKey::DescribeCluster, served: None, .. });
    assert!(unserved, "{error}");
}

#[tokio::test]
async fn requests_do_not_wait_for_the_answers_to_those_before() {
    let mut calls = 0;
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::DescribeCluster {
            return Answer::Usual;
        }
        calls += 1;
        match received.answer(&cluster(received, &format!("call {calls}"))) {
            // The first two are answered together with the third.
            Answer::Send(bytes) if calls < 3 => Answer::Hold(bytes),
            other => other,
        }
    })
    .await;
    let admin = Admin::new(client);
    let (first, second, third) = tokio::join!(admin.cluster(), admin.cluster(), admin.cluster());
    let ids = [first, second, third].map(|cluster| cluster.unwrap().cluster_id);
    assert_eq!(ids, ["call 1", "call 2", "call 3"]);
}

#[tokio::test]
async fn a_lost_connection_is_made_again_for_the_next_attempt() {
    let mut calls = 0;
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::DescribeCluster {
            return Answer::Usual;
        }
        calls += 1;
        match calls {
            1 => Answer::Close,
            // An answer to a request that was never made.
            2 => Answer::Send(encode_response(&cluster(received, "wrong"), received.version, -5).unwrap()),
            _ => received.answer(&cluster(received, "right")),
        }
    })
    .await;
    assert_eq!(Admin::new(client).cluster().await.unwrap().cluster_id, "right");
}

#[tokio::test]
async fn a_silent_broker_is_given_up_with_the_setting_that_bounds_the_wait() {
    let address = broker::start(|received: &Received| match received.api {
        ApiKey::DescribeCluster => Answer::Silence,
        _ => Answer::Usual,
    })
    .await;
    let mut options = ClientOptions::new(&address).unwrap();
    options.request_timeout = Duration::from_millis(20);
    options.api_timeout = Duration::from_millis(50);
    let client = Client::connect(options).await.unwrap();
    let error = Admin::new(client).cluster().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains(".timeout.ms"), "{error}");
}

#[tokio::test]
async fn an_absurd_length_is_refused_without_reading_on() {
    let client = broker::client(|received: &Received| match received.api {
        ApiKey::DescribeCluster => Answer::Send([0x7f, 0xff, 0xff, 0xff, 1, 2, 3].as_slice().into()),
        _ => Answer::Usual,
    })
    .await;
    let outcome = tokio::time::timeout(Duration::from_millis(100), Admin::new(client.clone()).cluster()).await;
    // It retries for as long as it may; what matters is that it neither hangs on one connection nor reserves 2 GiB.
    assert!(outcome.is_err() || outcome.is_ok_and(|cluster| cluster.is_err()));
}

#[tokio::test]
async fn a_throttled_connection_sends_nothing_before_its_time() {
    const THROTTLE: Duration = Duration::from_millis(50);
    let (sender, arrivals) = std::sync::mpsc::channel();
    let client = broker::client(move |received: &Received| {
        if received.api != ApiKey::DescribeCluster {
            return Answer::Usual;
        }
        sender.send(Instant::now()).unwrap();
        let throttle_time_ms = THROTTLE.as_millis() as i32;
        received.answer(&DescribeClusterResponse { throttle_time_ms, ..cluster(received, "c") })
    })
    .await;
    let admin = Admin::new(client);
    admin.cluster().await.unwrap();
    let throttled = Instant::now();
    admin.cluster().await.unwrap();
    let (first, second) = (arrivals.recv().unwrap(), arrivals.recv().unwrap());
    assert!(first <= throttled && second >= first + THROTTLE, "{:?} apart", second - first);
}

#[tokio::test]
async fn a_bootstrap_server_that_is_down_is_passed_over() {
    let address = broker::start(|_: &Received| Answer::Usual).await;
    let options = ClientOptions::new(&format!("127.0.0.1:1,{address}")).unwrap();
    assert_eq!(Client::connect(options).await.unwrap().topology().brokers.len(), 1);
}
