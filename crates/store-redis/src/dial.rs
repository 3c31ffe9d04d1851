//! Reaching a server by other means than this machine's TCP.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection to a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections to one server: over a simulated network, say.
#[async_trait]
pub trait Dial: Send + Sync {
    /// A new connection.
    async fn dial(&self) -> io::Result<Box<dyn Stream>>;
}
