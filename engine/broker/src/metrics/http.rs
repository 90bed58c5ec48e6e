//! `/metrics` and `/healthz` over HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tracing::{debug, error};

use crate::broker::Broker;

/// What the text format is called (OpenMetrics 1.0).
const TEXT_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// A request's header must be there within this time.
const HEADER_LIMIT: Duration = Duration::from_secs(10);

/// Answers until the broker drains. Runs beside the acceptor: a scrape never waits for a shard.
pub(crate) async fn serve(listener: TcpListener, broker: Arc<Broker>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = broker.drain.started() => return,
        };
        let Ok((stream, address)) = accepted else {
            // No descriptor is left: it is no use to ask again at once.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let broker = broker.clone();
        tokio::task::spawn_local(async move {
            let answer = |request: Request<Incoming>| {
                let answer = answer(&broker, &request);
                async move { Ok::<_, Infallible>(answer) }
            };
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_LIMIT);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await {
                debug!(%address, %error, "metrics connection lost");
            }
        });
    }
}

fn answer(broker: &Arc<Broker>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, content_type, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match super::scrape(broker) {
            Ok(text) => (StatusCode::OK, TEXT_FORMAT, text),
            Err(error) => {
                error!(%error, "metrics could not be written");
                (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "metrics could not be written\n".to_owned())
            }
        },
        (&Method::GET, "/healthz") => health(broker),
        _ => (StatusCode::NOT_FOUND, "text/plain", "GET /metrics and /healthz are served\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

/// Well is a broker that takes requests and whose logs all take appends.
fn health(broker: &Broker) -> (StatusCode, &'static str, String) {
    let fenced: Vec<String> =
        broker.topics.logs().iter().filter(|log| log.fenced().is_some()).map(|log| log.name().to_string()).collect();
    let (status, text) = match fenced.as_slice() {
        _ if broker.drain.is_draining() => (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned()),
        [] => (StatusCode::OK, "ok\n".to_owned()),
        fenced => (StatusCode::SERVICE_UNAVAILABLE, format!("logs that take no appends: {}\n", fenced.join(" "))),
    };
    (status, "text/plain", text)
}
