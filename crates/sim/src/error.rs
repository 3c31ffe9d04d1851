//! OpenAI's error envelope.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// `error.type` of nearly everything a client can get wrong.
pub(crate) const INVALID_REQUEST: &str = "invalid_request_error";

/// One OpenAI error: over HTTP an envelope, over a WebSocket an `error` event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) kind: &'static str,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

impl ApiError {
    fn new(status: StatusCode, code: Option<&'static str>, message: String) -> Self {
        let kind = INVALID_REQUEST;
        Self {
            status,
            message,
            kind,
            param: None,
            code,
        }
    }

    /// 400 with a code and no parameter.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Some(code), message.into())
    }

    /// 400 that names a parameter.
    pub(crate) fn parameter(code: &'static str, param: &str, message: String) -> Self {
        let error = Self::bad_request(code, message);
        Self {
            param: Some(param.to_owned()),
            ..error
        }
    }

    /// A member nobody knows.
    pub(crate) fn unknown_parameter(path: &str) -> Self {
        Self::parameter(
            "unknown_parameter",
            path,
            format!("Unknown parameter: '{path}'."),
        )
    }

    /// A member that must be there.
    pub(crate) fn missing_parameter(path: &str) -> Self {
        let message = format!("Missing required parameter: '{path}'.");
        Self::parameter("missing_required_parameter", path, message)
    }

    /// The body is not JSON.
    pub(crate) fn not_json() -> Self {
        let message = "We could not parse the JSON body of your request. \
                       The request body must be a JSON object.";
        Self::new(StatusCode::BAD_REQUEST, None, message.to_owned())
    }

    /// The content type is another than the endpoint takes.
    pub(crate) fn content_type(given: &str, wanted: &str) -> Self {
        let message = format!(
            "Unsupported content type: '{given}'. This API method only accepts '{wanted}' requests."
        );
        Self::bad_request("unsupported_content_type", message)
    }

    /// No credential.
    pub(crate) fn missing_auth() -> Self {
        let message = "Missing bearer or basic authentication in header";
        Self::new(StatusCode::UNAUTHORIZED, None, message.to_owned())
    }

    /// A credential that is unknown or expired, shown masked.
    pub(crate) fn invalid_api_key(masked: &str) -> Self {
        let message = format!(
            "Incorrect API key provided: {masked}. You can find your API key at \
             https://platform.openai.com/account/api-keys."
        );
        Self::new(StatusCode::UNAUTHORIZED, Some("invalid_api_key"), message)
    }

    /// A retired endpoint, or the beta header on one that lives.
    pub(crate) fn invalid_beta() -> Self {
        Self::bad_request("invalid_beta", "Unknown beta requested: 'realtime'.")
    }

    /// The beta protocol on a WebSocket.
    pub(crate) fn beta_disabled() -> Self {
        let message = "The Realtime Beta API is no longer supported. \
                       Please use /v1/realtime for the GA API.";
        Self::bad_request("beta_api_shape_disabled", message)
    }

    /// A model that cannot hold a realtime session.
    pub(crate) fn invalid_model(model: &str) -> Self {
        let message = format!("Model \"{model}\" is not supported in realtime mode.");
        Self::bad_request("invalid_model", message)
    }

    /// Neither the address nor the credential names a model.
    pub(crate) fn missing_model() -> Self {
        let message = "You must provide a model parameter, for example \
                       wss://api.openai.com/v1/realtime?model=gpt-realtime-1.5";
        Self::bad_request("missing_model", message)
    }

    /// No such call, or not this credential's.
    pub(crate) fn call_not_found() -> Self {
        let message = "No session found for the provided call_id".to_owned();
        Self::new(StatusCode::NOT_FOUND, Some("call_id_not_found"), message)
    }

    /// The session's longest life is over.
    pub(crate) fn session_expired() -> Self {
        let message = "Your session hit the maximum duration of 60 minutes.";
        Self::bad_request("session_expired", message)
    }

    /// No such route.
    pub(crate) fn no_route(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self::new(StatusCode::NOT_FOUND, None, message)
    }

    /// The route exists with another method.
    pub(crate) fn no_method(method: &str, path: &str) -> Self {
        let message = format!("Not allowed to {method} on {path}.");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Some("method_not_supported"),
            message,
        )
    }

    /// The body is larger than the endpoint reads.
    pub(crate) fn too_large() -> Self {
        let message = "The request body is too large or ended early.".to_owned();
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Some("request_too_large"),
            message,
        )
    }

    /// What OpenAI would say with this status, for an injected failure.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (kind, code, message) = match status.as_u16() {
            401 => return Self::invalid_api_key("***"),
            404 => return Self::call_not_found(),
            403 => (
                INVALID_REQUEST,
                Some("unsupported_country_region_territory"),
                "Country, region, or territory not supported",
            ),
            429 => ("requests", Some("rate_limit_exceeded"), RATE_LIMITED),
            503 => (
                "service_unavailable_error",
                Some("server_is_overloaded"),
                "The server is currently overloaded with other requests. Please try again later.",
            ),
            500.. => (
                "server_error",
                None,
                "The server had an error while processing your request. Sorry about that!",
            ),
            _ => (
                INVALID_REQUEST,
                None,
                "The request was refused by an injected fault.",
            ),
        };
        let error = Self::new(status, code, message.to_owned());
        Self { kind, ..error }
    }

    /// The envelope of an HTTP answer.
    pub(crate) fn envelope(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }

    /// The reason of the WebSocket close that follows: type, then code.
    pub(crate) fn close_reason(&self) -> String {
        match self.code {
            Some(code) => format!("{}.{code}", self.kind),
            None => self.kind.to_owned(),
        }
    }
}

const RATE_LIMITED: &str = "Rate limit reached for gpt-realtime-2.1 in organization org-... on \
    requests per min (RPM): Limit 200, Used 200, Requested 1. Please try again in 300ms.";

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        let body = self.envelope().to_string();
        (self.status, [(header::CONTENT_TYPE, json)], body).into_response()
    }
}
