//! A refusal after the 101: one `error`, then a close, as OpenAI does it.

use std::time::Duration;

use hallpass_core::{code::Code, live::EndReason, refusal::Refusal};
use hallpass_relay::{
    Pipe,
    ws::{Close, Head, Opcode},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// How long a client may take to answer the close.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a client is told that gets no session.
#[derive(Debug)]
pub(super) struct Rejection {
    error: Value,
    close: Close,
}

impl Rejection {
    /// The rejection of a refusal: OpenAI's own code where it has one for this.
    pub(super) fn of(refusal: &Refusal) -> Self {
        let code = refusal.code;
        let (word, close, reason) = match code {
            Code::MissingCredential => (None, 3000, "invalid_request_error".to_owned()),
            code if code.is_unauthenticated() => (
                Some("invalid_api_key"),
                3000,
                "invalid_request_error.invalid_api_key".to_owned(),
            ),
            Code::ModelNotAllowed => (
                Some("invalid_model"),
                4000,
                "invalid_request_error.invalid_model".to_owned(),
            ),
            Code::ShuttingDown => (Some(code.as_str()), 1012, code.to_string()),
            code if code.is_failure() => (Some(code.as_str()), 1013, code.to_string()),
            code => (Some(code.as_str()), 1008, code.to_string()),
        };
        Self {
            error: error(&refusal.detail, word, refusal.member.as_deref()),
            close: Close::new(close, &reason),
        }
    }

    /// The rejection of the retired beta.
    pub(super) fn beta() -> Self {
        let text =
            "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.";
        Self {
            error: error(text, Some("beta_api_shape_disabled"), None),
            close: Close::new(4000, "invalid_request_error.beta_api_shape_disabled"),
        }
    }

    /// The rejection of a session that ended before it began.
    pub(super) fn ended(reason: EndReason) -> Self {
        let sentence = reason.sentence().unwrap_or("The session is over.");
        Self {
            error: error(sentence, Some(reason.as_str()), None),
            close: Close::new(reason.close_code().unwrap_or(1011), sentence),
        }
    }

    /// Tells it, and waits a moment for the client to agree.
    pub(super) async fn tell(self, mut client: Box<dyn Pipe>) {
        let text = self.error.to_string();
        let mut frames = Head::frame(true, Opcode::Text, None, text.as_bytes());
        let close = self.close.payload();
        frames.extend(Head::frame(true, Opcode::Close, None, &close));
        let telling = async {
            client.write_all(&frames).await?;
            client.flush().await?;
            // Until the client closes: a reset must not overtake the reason.
            let mut answer = [0; 256];
            let mut left = 64;
            while left > 0 && client.read(&mut answer).await? > 0 {
                left -= 1;
                if is_close(&answer) {
                    break;
                }
            }
            client.shutdown().await
        };
        // Whoever does not read is not told.
        let _ = timeout(PATIENCE, telling).await;
    }
}

/// Whether bytes begin a client's close; nothing else matters any more.
fn is_close(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x88)
}

fn error(message: &str, code: Option<&str>, param: Option<&str>) -> Value {
    json!({
        "type": "error",
        "event_id": "event_hallpass",
        "error": {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": param,
            "event_id": null,
        },
    })
}
