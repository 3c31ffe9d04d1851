//! WebSockets to OpenAI: dialled with the standard key, spoken by others.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hallpass_core::{code::Code, profile::SessionConfig};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri,
    header::{
        CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tower_service::Service;

use crate::{
    choice::{self, Tried},
    connect::Connector,
    connect_url::ConnectUrl,
    fault::Fault,
    judgement::{self, Verdict},
    openai::OpenAi,
    pool::Pool,
    random::Random,
    request::{self, SAFETY_IDENTIFIER},
    settings::{SettingsError, UpstreamSettings},
};

/// What a server's answer to a key is made with.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A connection to OpenAI on which frames go to and fro.
pub trait Frames: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Frames for T {}

/// What is dialled.
#[derive(Debug, Clone, Copy)]
pub enum DialQuery<'a> {
    /// A session of its own.
    Session(&'a SessionConfig),
    /// The sideband of a call.
    Call(&'a str),
}

/// Whom to dial, and on whose behalf.
#[derive(Debug, Clone, Copy)]
pub struct DialOrder<'a> {
    /// What is dialled.
    pub query: DialQuery<'a>,
    /// The only upstream that will do; of a call the one that made it.
    pub upstream: Option<&'a str>,
    /// The keyed hash of the subject; empty where the call has it.
    pub safety_identifier: &'a str,
    /// How long it may take.
    pub deadline: Duration,
}

/// A WebSocket after its 101.
pub struct Dialled {
    /// The connection; no extension was agreed on.
    pub stream: Box<dyn Frames>,
    /// Bytes that came behind the answer.
    pub ahead: Vec<u8>,
    /// The upstream's name.
    pub upstream: Arc<str>,
}

/// Why there is no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{upstream} gave no WebSocket: {code}, status {status:?}")]
pub struct DialFailure {
    /// The upstream's name; empty where none could be asked.
    pub upstream: Arc<str>,
    /// The stable code.
    pub code: Code,
    /// The status it answered, where it answered.
    pub status: Option<u16>,
}

/// All of a dial that does not change.
pub(crate) struct SocketWay {
    connector: Connector,
    headers: Vec<(HeaderName, HeaderValue)>,
    url: ConnectUrl,
}

impl SocketWay {
    pub(crate) fn new(
        settings: &UpstreamSettings,
        connector: Connector,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            connector,
            headers: request::identity(settings)?,
            url: ConnectUrl::new(&settings.base_url),
        })
    }

    pub(crate) async fn open(
        &self,
        order: &DialOrder<'_>,
        key: [u8; 16],
    ) -> Result<Opened, Failed> {
        let url = match order.query {
            DialQuery::Session(session) => self.url.of(session),
            DialQuery::Call(id) => self.url.of_call(id),
        };
        // "ws" is "http" and "wss" is "https".
        let rest = url.strip_prefix("ws").unwrap_or(&url);
        let uri: Uri = format!("http{rest}")
            .parse()
            .map_err(|_| Fault::Unsendable)?;
        let key = STANDARD.encode(key);
        let request = self.request(&uri, order, &key)?;
        let stream = self
            .connector
            .clone()
            .call(uri)
            .await
            .map_err(|failure| failure.0)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
            .await
            .map_err(|_| Fault::LostBeforeSent)?;
        tokio::spawn(connection.with_upgrades());
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|_| Fault::LostBeforeHead)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Failed::Status(answer.status()));
        }
        agreed(answer.headers(), &key)?;
        upgraded(answer).await
    }

    fn request(
        &self,
        uri: &Uri,
        order: &DialOrder<'_>,
        key: &str,
    ) -> Result<Request<Empty<Bytes>>, Fault> {
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Fault::Unsendable);
        let mut request = Request::new(Empty::new());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| Fault::Unsendable)?;
        let headers = request.headers_mut();
        headers.extend(self.headers.iter().cloned());
        headers.insert(
            HOST,
            value(uri.authority().map_or("", |host| host.as_str()))?,
        );
        if !order.safety_identifier.is_empty() {
            headers.insert(SAFETY_IDENTIFIER, value(order.safety_identifier)?);
        }
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, value(key)?);
        Ok(request)
    }
}

pub(crate) type Opened = (Box<dyn Frames>, Vec<u8>);
type Https = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Why a dial gave no WebSocket.
pub(crate) enum Failed {
    /// Before there was an answer.
    Fault(Fault),
    /// By its answer.
    Status(StatusCode),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Failed {
    fn code(&self) -> Code {
        match self {
            Self::Fault(fault) => fault.row().code,
            Self::Status(status) => match status.as_u16() {
                401 => Code::UpstreamKeyRefused,
                403 => Code::UpstreamForbidden,
                404 => Code::NotFound,
                429 => Code::UpstreamRateLimited,
                500.. => Code::UpstreamUnavailable,
                _ => Code::UpstreamBadAnswer,
            },
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Fault(fault) => judgement::verdict(*fault),
            // It answers; what it makes of the mint tells more.
            Self::Status(_) => Verdict::Well,
        }
    }
}

/// Whether the answer is one to our key, with nothing we did not ask for.
fn agreed(headers: &HeaderMap, key: &str) -> Result<(), Fault> {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key.as_bytes());
    digest.update(GUID);
    let expected = STANDARD.encode(digest.finish());
    let accepted = headers.get(SEC_WEBSOCKET_ACCEPT);
    let accepted = accepted.is_some_and(|accept| accept.as_bytes() == expected.as_bytes());
    let plain = !headers.contains_key(http::header::SEC_WEBSOCKET_EXTENSIONS);
    match accepted && plain {
        true => Ok(()),
        false => Err(Fault::OddSuccess),
    }
}

/// The bare connection behind a 101.
async fn upgraded(answer: Response<Incoming>) -> Result<Opened, Failed> {
    let upgraded = hyper::upgrade::on(answer).await;
    let upgraded = upgraded.map_err(|_| Fault::LostBeforeHead)?;
    let parts = upgraded.downcast::<Https>().map_err(|_| Fault::NotHttp)?;
    let ahead = parts.read_buf.to_vec();
    let stream: Box<dyn Frames> = match parts.io {
        MaybeHttpsStream::Http(tcp) => Box::new(tcp.into_inner()),
        https => Box::new(TokioIo::new(https)),
    };
    Ok((stream, ahead))
}

/// The key of one handshake.
pub(crate) fn fresh_key(random: &Random) -> [u8; 16] {
    let mut key = [0; 16];
    for half in key.chunks_mut(8) {
        half.copy_from_slice(&random.bits().to_le_bytes());
    }
    key
}

impl Pool<OpenAi> {
    /// Opens a WebSocket at one of the targets, once.
    ///
    /// # Errors
    ///
    /// [`DialFailure`]: nobody can be asked, connecting failed, or the answer
    /// is no 101.
    pub async fn dial(&self, order: &DialOrder<'_>) -> Result<Dialled, DialFailure> {
        let mut targets = self.targets();
        if let Some(name) = order.upstream {
            targets.retain(|target| *target.settings.name == *name);
        }
        let chosen = choice::choose(&targets, Tried::default(), self.random());
        let Some((_, leave)) = chosen else {
            return Err(DialFailure {
                upstream: Arc::from(""),
                code: Code::UpstreamUnavailable,
                status: None,
            });
        };
        let upstream = leave.target.settings.name.clone();
        let target = leave.target.clone();
        let opening = target
            .exchange
            .sockets()
            .open(order, fresh_key(self.random()));
        let opened = timeout(order.deadline, opening).await;
        let opened = opened.unwrap_or(Err(Failed::Fault(Fault::DeadlineBeforeHead)));
        match opened {
            Ok((stream, ahead)) => {
                leave.close(Verdict::Well, None, None);
                Ok(Dialled {
                    stream,
                    ahead,
                    upstream,
                })
            }
            Err(failed) => {
                let code = failed.code();
                leave.close(failed.verdict(), Some(code), None);
                let status = match failed {
                    Failed::Status(status) => Some(status.as_u16()),
                    Failed::Fault(_) => None,
                };
                Err(DialFailure {
                    upstream,
                    code,
                    status,
                })
            }
        }
    }
}
