//! One request on its way to the router and back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use super::activity::Activity;
use super::limits::Limits;
use super::request_body::RequestBody;
use super::response_body::{Exchange, ResponseBody};

/// What is known of a connection; in the extensions of each of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// The socket's other end: the client, or the proxy in front of us.
    pub peer: SocketAddr,
    /// The socket's own end.
    pub local: SocketAddr,
    /// Whether the bytes came inside TLS that ended here.
    pub tls: bool,
}

/// Hands one request to the service and watches its answer.
pub(super) async fn answer<S, B>(
    service: S,
    request: Request<Incoming>,
    facts: ConnectionFacts,
    limits: Arc<Limits>,
    activity: Arc<Activity>,
) -> Result<Response<ResponseBody<B>>, Infallible>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
{
    let exchange = Exchange::begin(activity.clone());
    let version = request.version();
    let mut request =
        request.map(|body| RequestBody::new(body, &activity, || Instant::now() + limits.body));
    request.extensions_mut().insert(facts);
    let mut response = service.oneshot(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        activity.upgrade();
    }
    if activity.body_expired() && version < Version::HTTP_2 {
        // The rest of the body may still come, and must not be taken for a head.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response.map(|body| ResponseBody::new(body, exchange, version)))
}
