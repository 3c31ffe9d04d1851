//! The standard key shows up nowhere, however an upstream tries.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    ports::{Clock, Minter as _},
};
use hallpass_upstream::OpenAi;
use url::Url;

use crate::{
    scripted::{Script, Upstream, reply},
    support::{client, key, order, settings},
};

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

#[tokio::test]
async fn a_reply_that_repeats_the_key_is_not_repeated() {
    let key = key();
    let error = format!(
        r#"{{"error": {{"message": "{key}", "type": "{key}", "param": "session.{key}", "code": "{key}"}}}}"#
    );
    let headers =
        format!("x-request-id: {key}\r\nretry-after: {key}\r\nlocation: http://{key}/\r\n");
    for status in [
        200, 201, 202, 302, 400, 401, 403, 404, 408, 429, 500, 503, 777,
    ] {
        for body in [&error, &key, &format!("<p>{key}</p>")] {
            let upstream = Upstream::start(Script::Answer(reply(status, &headers, body))).await;
            let failure = client(&upstream).mint(order()).await.unwrap_err();
            let told = format!("{failure:?}");
            assert!(!told.contains(&key), "{status}: {told}");
        }
    }
    for bytes in [key.clone(), format!("HTTP/1.1 200 {key}\r\n{key}\r\n\r\n")] {
        let upstream = Upstream::start(Script::AnswerAndClose(bytes.into())).await;
        let failure = client(&upstream).mint(order()).await.unwrap_err();
        assert!(!format!("{failure:?}").contains(&key));
    }
}

#[test]
fn debug_shows_no_key() {
    let settings = settings("https://api.example.test/v1");
    assert!(!format!("{settings:?}").contains(&key()));
    let plain = crate::support::settings("http://127.0.0.1:9/v1");
    let client = OpenAi::new(plain, Arc::new(Epoch)).unwrap();
    assert!(!format!("{client:?}").contains(&key()));
}

#[test]
fn settings_that_can_not_work_are_refused_without_showing_them() {
    let key = key();
    let cases: [(&str, String); 7] = [
        ("ftp://h/v1", key.clone()),
        ("https://user@h/v1", key.clone()),
        (&format!("https://user:{key}@h/v1"), key.clone()),
        ("https://h/v1?a=b", key.clone()),
        ("https://h/v1#a", key.clone()),
        ("http://h/v1", String::new()),
        ("http://h/v1", format!("{key}\n")),
    ];
    for (base_url, api_key) in cases {
        let mut settings = settings("http://h/v1");
        settings.base_url = Url::parse(base_url).unwrap();
        settings.api_key = api_key.into();
        assert!(!format!("{settings:?}").contains(&key));
        let error = OpenAi::new(settings, Arc::new(Epoch)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&key), "{error}");
    }
}
