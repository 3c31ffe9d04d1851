//! A WebSocket that hears every event of a call.

use async_trait::async_trait;
use futures_util::{SinkExt as _, StreamExt as _};
use hallpass_core::call::{Heard, Sideband};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use crate::dial::Frames;

/// Largest event that is taken, in bytes.
const EVENT_LIMIT: usize = 16 * 1024 * 1024;
/// The close code of a connection that closed without one.
const NO_CODE: u16 = 1005;

/// An open sideband.
pub(crate) struct SocketSideband {
    socket: WebSocketStream<Box<dyn Frames>>,
}

impl SocketSideband {
    /// A sideband on a connection behind its 101, and what came with that.
    pub(crate) async fn new(stream: Box<dyn Frames>, ahead: Vec<u8>) -> Self {
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(EVENT_LIMIT);
        config.max_frame_size = Some(EVENT_LIMIT);
        let opening =
            WebSocketStream::from_partially_read(stream, ahead, Role::Client, Some(config));
        Self {
            socket: opening.await,
        }
    }
}

#[async_trait]
impl Sideband for SocketSideband {
    async fn hear(&mut self) -> Heard {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Heard::Event(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(NO_CODE, |CloseFrame { code, .. }| code.into());
                    return Heard::Closed { code };
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Lost,
            }
        }
    }

    async fn say(&mut self, event: &str) -> bool {
        self.socket.send(Message::text(event)).await.is_ok()
    }
}
