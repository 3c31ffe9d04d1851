//! Requests already checked: a broker sends the same ones over and over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use serde_json::Value;

use crate::{
    effective::{self, Session},
    error::ApiError,
    ids::Ids,
    schema,
    sync::lock,
};

/// Life of a secret whose request names none, seconds.
const DEFAULT_SECONDS: u64 = 600;
/// Requests remembered, and the longest that is.
const CAPACITY: usize = 64;
const LONGEST: usize = 16 * 1024;

/// What a request asks for, ready to be answered with any session id.
#[derive(Debug)]
pub(crate) struct Template {
    pub(super) seconds: u64,
    pub(super) names_model: bool,
    /// The effective session, JSON, up to its id and from there on.
    pub(super) before_id: String,
    pub(super) after_id: String,
}

impl Template {
    fn check(body: &[u8], ids: &Ids) -> Result<Self, ApiError> {
        let request: Value = match body {
            [] => Value::Object(Session::new()),
            body => serde_json::from_slice(body).map_err(|_| ApiError::not_json())?,
        };
        schema::check(schema::MINT, &request, "")?;
        let seconds = seconds(&request)?;
        let requested = request.get("session");
        let names_model = requested.is_some_and(|session| session.get("model").is_some());
        // A fresh id cannot occur in the request, so it marks its own place.
        let mark = ids.short("sess_");
        let session = effective::at_mint(requested, &mark)?;
        let session = serde_json::to_string(&session).unwrap_or_default();
        let (before_id, after_id) = session.split_once(&mark).unwrap_or_default();
        let (before_id, after_id) = (before_id.to_owned(), after_id.to_owned());
        Ok(Self {
            seconds,
            names_model,
            before_id,
            after_id,
        })
    }
}

fn seconds(request: &Value) -> Result<u64, ApiError> {
    let expires_after = request.get("expires_after").filter(|it| !it.is_null());
    let Some(expires_after) = expires_after else {
        return Ok(DEFAULT_SECONDS);
    };
    if expires_after.get("anchor").is_none() {
        return Err(ApiError::missing_parameter("expires_after.anchor"));
    }
    let seconds = expires_after.get("seconds").and_then(Value::as_u64);
    Ok(seconds.unwrap_or(DEFAULT_SECONDS))
}

/// The latest requests, by their bytes.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_body: Mutex<HashMap<Bytes, Arc<Template>>>,
}

impl Templates {
    /// The template of a body; only one not seen lately is parsed and checked.
    pub(super) fn of(&self, body: &Bytes, ids: &Ids) -> Result<Arc<Template>, ApiError> {
        if let Some(known) = lock(&self.by_body).get(body) {
            return Ok(Arc::clone(known));
        }
        let template = Arc::new(Template::check(body, ids)?);
        if body.len() <= LONGEST {
            let mut by_body = lock(&self.by_body);
            if by_body.len() >= CAPACITY {
                by_body.clear();
            }
            // Copied, since the body may be a slice of a larger read buffer.
            by_body.insert(Bytes::copy_from_slice(body), Arc::clone(&template));
        }
        Ok(template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_the_same_the_second_time() {
        let (templates, ids) = (Templates::default(), Ids::new(Some(1)));
        let body =
            Bytes::from_static(br#"{"session":{"type":"realtime","prompt":{"id":"sess_"}}}"#);
        let first = templates.of(&body, &ids).unwrap();
        let second = templates.of(&body, &ids).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(
            first.before_id.ends_with("\"id\":\""),
            "{}",
            first.before_id
        );
        assert!(first.after_id.starts_with("\","), "{}", first.after_id);
    }

    #[test]
    fn stays_small() {
        let (templates, ids) = (Templates::default(), Ids::new(Some(1)));
        for seconds in 10..500 {
            let text =
                format!(r#"{{"expires_after":{{"anchor":"created_at","seconds":{seconds}}}}}"#);
            assert_eq!(templates.of(&text.into(), &ids).unwrap().seconds, seconds);
        }
        assert!(lock(&templates.by_body).len() <= CAPACITY);
    }
}
