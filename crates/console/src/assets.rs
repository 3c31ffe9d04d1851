//! The console's files, built by `web/build.mjs` and embedded.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use hallpass_core::ids::hex;
use http::{StatusCode, header};

const SCRIPT: &str = include_str!("../../../web/dist/console/console.js");
const STYLE: &str = include_str!("../../../web/dist/console/console.css");
const ICON: &str = include_str!("../../../web/dist/console/icon.svg");

/// Where the script is, this version of it.
pub(crate) fn script() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| address("console.js", SCRIPT))
}

/// Where the style is, this version of it.
pub(crate) fn style() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| address("console.css", STYLE))
}

/// Where the icon is.
pub(crate) const fn icon() -> &'static str {
    "/console/assets/icon.svg"
}

/// An address that is another one when the file is.
fn address(name: &str, text: &str) -> String {
    let digest = hex(digest(&SHA256, text.as_bytes()).as_ref());
    format!("/console/assets/{name}?v={}", &digest[..16])
}

/// One of the files; they hold nothing of anyone's.
pub(crate) async fn file(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "console.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "console.css" => ("text/css; charset=utf-8", STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, text).into_response()
}
