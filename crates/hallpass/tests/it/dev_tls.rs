//! Broker and simulator over TLS, and both versions of HTTP.

use reqwest::{Client, Version};
use serde_json::json;

use crate::support::{Answer, Dev, client, post, send, trusting};

async fn minted_over(dev: &Dev, client: &Client, url: &str) -> Answer {
    let url = format!("{url}/api/generate-client-secret");
    let answer = send(post(client, &url, &dev.file.api_key, &json!({}))).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer
}

#[tokio::test]
async fn the_broker_speaks_both_versions_over_tls() {
    let dev = Dev::start();
    let negotiated = trusting(&dev.file.ca_file, |builder| builder);
    let answer = minted_over(&dev, &negotiated, &dev.file.tls_url).await;
    assert_eq!(answer.version, Version::HTTP_2);
    let old = trusting(&dev.file.ca_file, |builder| builder.http1_only());
    let answer = minted_over(&dev, &old, &dev.file.tls_url).await;
    assert_eq!(answer.version, Version::HTTP_11);
}

#[tokio::test]
async fn the_broker_speaks_both_versions_in_the_clear() {
    let dev = Dev::start();
    let answer = minted_over(&dev, &dev.client, &dev.file.url).await;
    assert_eq!(answer.version, Version::HTTP_11);
    let new = Client::builder().no_proxy().http2_prior_knowledge();
    let answer = minted_over(&dev, &new.build().unwrap(), &dev.file.url).await;
    assert_eq!(answer.version, Version::HTTP_2);
}

#[tokio::test]
async fn the_name_localhost_is_on_the_certificate() {
    let dev = Dev::start();
    let trusting = trusting(&dev.file.ca_file, |builder| builder);
    let by_name = dev.file.tls_url.replace("127.0.0.1", "localhost");
    minted_over(&dev, &trusting, &by_name).await;
}

#[tokio::test]
async fn nobody_trusts_the_certificate_who_was_not_told_to() {
    let (dev, other) = (Dev::start(), Dev::start());
    let url = format!("{}/livez", dev.file.tls_url);
    assert!(client().get(&url).send().await.is_err());
    let trusts_another = trusting(&other.file.ca_file, |builder| builder);
    assert!(trusts_another.get(&url).send().await.is_err());
}

#[tokio::test]
async fn the_simulator_speaks_tls_on_the_port_it_also_speaks_plainly() {
    let dev = Dev::start();
    let trusting = trusting(&dev.file.ca_file, |builder| builder);
    let secret = dev.minted().await;
    let over_tls = dev.file.upstream_url.replace("http://", "https://");
    for (client, url) in [
        (&trusting, &over_tls),
        (&dev.client, &dev.file.upstream_url),
    ] {
        let log = send(client.get(format!("{url}/_sim/log"))).await;
        assert_eq!(log.status, 200);
        let last4 = log.json()[0]["secret_last_four"].clone();
        assert!(
            secret["value"]
                .as_str()
                .unwrap()
                .ends_with(last4.as_str().unwrap())
        );
    }
}

#[tokio::test]
async fn the_authority_stays_when_the_server_starts_again() {
    let mut first = Dev::start();
    let told_before = trusting(&first.file.ca_file, |builder| builder);
    assert!(first.process.end(rustix::process::Signal::INT).success());
    let second = Dev::start_in(&first.dir());
    minted_over(&second, &told_before, &second.file.tls_url).await;
}
