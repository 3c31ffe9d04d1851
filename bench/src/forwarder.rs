//! The bare forwarder: axum in front, hyper-util's client behind, no more.
//!
//! The floor against which a whole mint is measured: it adds the key and
//! passes the bytes on. No authentication, no limits, no audit, no log.
use std::net::SocketAddr;

use anyhow::Result;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;

/// Arguments of the forwarder's own process.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address and port to listen on
    #[arg(long)]
    listen: SocketAddr,
    /// Where to send each mint
    #[arg(long)]
    upstream: Uri,
    /// The key to add
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true)]
    key: String,
}

#[derive(Clone)]
struct Forwarder {
    client: Client<HttpConnector, Body>,
    upstream: Uri,
    authorization: HeaderValue,
}

/// Serves until the process is ended.
pub(crate) async fn serve(args: Args) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let forwarder = Forwarder {
        client: Client::builder(TokioExecutor::new()).build(connector),
        upstream: args.upstream,
        authorization: HeaderValue::try_from(format!("Bearer {}", args.key))?,
    };
    let listener = TcpListener::bind(args.listen).await?;
    // A socket that refuses the option works, only slower.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let routes = Router::new()
        .route("/v1/realtime/client_secrets", post(forward))
        .with_state(forwarder);
    axum::serve(listener, routes).await?;
    Ok(())
}

async fn forward(State(forwarder): State<Forwarder>, mut request: Request) -> Response {
    *request.uri_mut() = forwarder.upstream;
    let headers = request.headers_mut();
    headers.remove(header::HOST);
    headers.insert(header::AUTHORIZATION, forwarder.authorization);
    match forwarder.client.request(request).await {
        Ok(response) => response.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
