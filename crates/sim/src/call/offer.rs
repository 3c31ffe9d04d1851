//! The offer of a call, as SDP alone or with a session beside it.

use axum::body::Body;
use http::{HeaderMap, header};
use serde_json::Value;

use crate::{error::ApiError, mint::check_content_type, router::BODY_LIMIT};

/// What a call is created from.
pub(super) struct Offer {
    pub(super) sdp: String,
    pub(super) session: Option<Value>,
}

impl Offer {
    pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        let given = headers
            .get(header::CONTENT_TYPE)
            .and_then(|it| it.to_str().ok());
        let boundary = given.and_then(|given| multer::parse_boundary(given).ok());
        if boundary.is_none() {
            check_content_type(headers, "application/sdp")?;
        }
        let body = axum::body::to_bytes(body, BODY_LIMIT).await;
        let body = body.map_err(|_| ApiError::too_large())?;
        match boundary {
            Some(boundary) => Self::from_parts(body, boundary).await,
            None => {
                let sdp = String::from_utf8_lossy(&body).into_owned();
                Ok(Self { sdp, session: None })
            }
        }
    }

    async fn from_parts(body: bytes::Bytes, boundary: String) -> Result<Self, ApiError> {
        let unreadable = |_| {
            ApiError::bad_request(
                "invalid_multipart",
                "The multipart body could not be parsed.",
            )
        };
        let whole = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]);
        let mut parts = multer::Multipart::new(whole, boundary);
        let (mut sdp, mut session) = (None, None);
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            let name = part.name().unwrap_or_default().to_owned();
            let text = part.text().await.map_err(unreadable)?;
            match name.as_str() {
                "sdp" => sdp = Some(text),
                "session" => {
                    let parsed = serde_json::from_str(&text).map_err(|_| ApiError::not_json())?;
                    session = Some(parsed);
                }
                other => return Err(ApiError::unknown_parameter(other)),
            }
        }
        let sdp = sdp.ok_or_else(|| ApiError::missing_parameter("sdp"))?;
        Ok(Self { sdp, session })
    }
}
