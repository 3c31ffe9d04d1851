//! Mints that race a revocation: none is granted that began after its answer.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::json;

use super::Place;
use crate::support::{post, send};

const CALLERS: usize = 8;
const REVOCATIONS: usize = 10;

/// One request: when it began, and how it was answered.
type Seen = (Instant, u16);

/// Asks until a good while after the first refusal.
async fn ask(client: Client, url: String, bearer: String) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut refused = 0;
    while refused < 10 {
        let began = Instant::now();
        let answer = send(post(&client, &url, &bearer, &json!({}))).await;
        refused += usize::from(answer.status == 403);
        seen.push((began, answer.status));
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_that_began_after_the_answer_is_granted() {
    let place = Place::start();
    let mut granted = 0;
    for round in 0..REVOCATIONS {
        let subject = format!("user-{round}");
        let bearer = place.site.token(&subject, 600);
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let url = place.serve.url("/api/generate-client-secret");
                tokio::spawn(ask(place.serve.client.clone(), url, bearer.clone()))
            })
            .collect();
        // Another moment of their mints each time.
        tokio::time::sleep(Duration::from_millis(5 + 3 * round as u64)).await;
        let added = place.revoke("subject", Some(&subject)).await;
        let answered = Instant::now();
        assert_eq!(added.status, 201, "{}", added.text);

        for caller in callers {
            for (began, status) in caller.await.unwrap() {
                granted += usize::from(status == 201);
                let late = began > answered && status == 201;
                assert!(!late, "granted {:?} after", began.duration_since(answered));
            }
        }
        // Nothing they hold is in use any more.
        let url = format!("/api/admin/grants?limit=200&subject={subject}");
        let request = place.serve.client.get(place.serve.admin_url(&url));
        let grants = send(request.bearer_auth(&place.operator)).await.json();
        for grant in grants["data"].as_array().unwrap() {
            assert_eq!(grant["state"], "revoked", "{grant}");
        }
    }
    assert!(granted > 0, "some were before");
}
