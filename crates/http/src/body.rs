//! Reads a request's body: JSON, within the limit, in time.

use axum::body::Body;
use bytes::Bytes;
use hallpass_core::{code::Code, refusal::Refusal};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::serve::is_body_timeout;

/// Largest body, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// Reads the whole body.
///
/// # Errors
///
/// A [`Refusal`] when it is no JSON, too large, too slow or cut.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let bytes = read_any(body).await?;
    if !bytes.is_empty() && !is_json(headers) {
        return Err(Refusal::new(
            Code::UnsupportedMediaType,
            "The body must be JSON. Send \"Content-Type: application/json\".",
        ));
    }
    Ok(bytes)
}

/// Reads the whole body, whatever it is.
///
/// # Errors
///
/// A [`Refusal`] when it is too large, too slow or cut.
pub(crate) async fn read_any(body: Body) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let whole = Limited::new(body, MAX_BODY).collect().await;
    Ok(whole.map_err(|error| unread(&*error))?.to_bytes())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    if value == "application/json" {
        return true;
    }
    let Ok(value) = value.to_str() else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn too_large() -> Refusal {
    Refusal::new(Code::BodyTooLarge, "The body is over the limit of 64 KiB.")
}

fn unread(error: &(dyn std::error::Error + 'static)) -> Refusal {
    if error.is::<LengthLimitError>() {
        return too_large();
    }
    if is_body_timeout(error) {
        return Refusal::new(
            Code::BodyTimeout,
            "The body did not arrive in time. Send it again.",
        );
    }
    Refusal::new(Code::InvalidJson, "The body broke off before its end.")
}
