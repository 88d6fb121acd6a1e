//! Connections, bodies, and what goes wrong with them.

use super::reply::{self, Reply, Withheld};
use super::route::{self, Asked};
use super::state::State;
use super::{Fault, lock};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, RANGE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// open-balena-api's limit for JSON bodies, in bytes.
const LONGEST_BODY: usize = 512 * 1024;

/// Serves connections until it is dropped, and they with it.
pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let state = Arc::clone(&state);
                    let service = service_fn(move |request| {
                        let state = Arc::clone(&state);
                        async move { respond(&state, request).await }
                    });
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    connections.spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "a connection to the lab's balena API ended early");
                        }
                    });
                }
                // Out of file descriptors, most likely: wait for connections to end.
                Err(error) => {
                    tracing::warn!(%error, "the lab's balena API cannot take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn respond(state: &Mutex<State>, request: Request<Incoming>) -> Result<Reply, Withheld> {
    match lock(state).fault {
        Fault::Away => return Err(Withheld),
        Fault::RateLimited { seconds } => return Ok(reply::rate_limited(seconds)),
        Fault::None | Fault::NoMoves | Fault::LostRegistrations | Fault::CutDownloads { .. } => {}
    }
    let (head, body) = request.into_parts();
    let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let (bearer, range) = (bearer.map(str::to_owned), header(RANGE).map(str::to_owned));
    let host = header(HOST).unwrap_or_default().to_owned();
    let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
        return Ok(reply::empty(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let url = head.uri.path_and_query().map_or("/", |whole| whole.as_str()).to_owned();
    let asked = Asked { method: head.method, url, host, bearer, range, body: body.to_bytes() };

    let mut state = lock(state);
    let reply = route::answer(&mut state, &asked);
    tracing::debug!(method = %asked.method, url = asked.url, status = reply.status().as_u16(), "lab balena API");
    match state.fault {
        Fault::LostRegistrations if asked.is_registration() => Err(Withheld),
        _ => Ok(reply),
    }
}
