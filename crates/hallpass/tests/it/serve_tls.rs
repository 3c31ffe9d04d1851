//! `serve` with a certificate of its own, which changes while it serves.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::{Client, Version};
use serde_json::json;

use crate::support::{Serve, Sim, Site, Stream, post, random_hex, send, trusting};

/// An authority whose file clients are told to trust.
fn authority(ca_file: &Path) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(ca_file, certificate.pem()).unwrap();
    Issuer::new(params, key)
}

/// Puts a certificate of an authority in place, as a renewal would.
fn install(site: &Site, authority: &Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    for (name, pem) in [
        ("key.pem", key.serialize_pem()),
        ("cert.pem", certificate.pem()),
    ] {
        let beside = site.path("new.pem");
        std::fs::write(&beside, pem).unwrap();
        std::fs::rename(beside, site.path(name)).unwrap();
    }
}

struct House {
    serve: Serve,
    site: Site,
    _sim: Sim,
}

/// A server with a certificate of the authority in `old-ca.pem`.
fn open() -> House {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let tls = "[server.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
    let site = Site::new(&sim.url, &key, tls);
    install(&site, &authority(&site.path("old-ca.pem")));
    House {
        serve: Serve::start(&site),
        site,
        _sim: sim,
    }
}

impl House {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.serve.public)
    }

    fn trusting(&self, ca_file: &str) -> Client {
        trusting(&self.site.path(ca_file), |builder| builder)
    }

    async fn reached_by(&self, client: &Client) -> bool {
        let answer = client.get(self.url("/livez")).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    fn log_line(&self, text: &str) {
        let stderr = &self.serve.process;
        stderr.wait_for(Stream::Err, |line| line.contains(text).then_some(()));
    }
}

#[tokio::test]
async fn a_person_mints_over_tls_and_not_in_the_clear() {
    let house = open();
    let token = house.site.token("user-1", 600);
    let url = house.url("/api/generate-client-secret");
    let request = post(&house.trusting("old-ca.pem"), &url, &token, &json!({}));
    let answer = send(request).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.version, Version::HTTP_2);
    let plainly = house.serve.client.get(house.serve.url("/livez"));
    assert!(plainly.send().await.is_err());
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_without_a_restart() {
    let house = open();
    let open_before = house.trusting("old-ca.pem");
    assert!(house.reached_by(&open_before).await);
    install(&house.site, &authority(&house.site.path("new-ca.pem")));
    house.log_line("the TLS certificate was reloaded");
    assert!(house.reached_by(&house.trusting("new-ca.pem")).await);
    assert!(!house.reached_by(&house.trusting("old-ca.pem")).await);
    assert!(
        house.reached_by(&open_before).await,
        "its connection is still open"
    );
}

#[tokio::test]
async fn a_bad_certificate_leaves_the_good_one_in_force() {
    let house = open();
    std::fs::write(house.site.path("cert.pem"), "no certificate").unwrap();
    house.log_line("the new TLS certificate is bad; the old one stays");
    assert!(house.reached_by(&house.trusting("old-ca.pem")).await);
}

#[test]
fn a_server_whose_certificate_is_bad_does_not_start() {
    let key = format!("sk-{}", random_hex(16));
    let tls = "[server.tls]\ncert_file = \"cert.pem\"\nkey_file = \"key.pem\"\n";
    let site = Site::new("http://127.0.0.1:9", &key, tls);
    let missing = site.run(&["serve"]);
    std::fs::write(site.path("cert.pem"), "no certificate").unwrap();
    std::fs::write(site.path("key.pem"), "no key").unwrap();
    for run in [missing, site.run(&["serve"])] {
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains("cert"), "{}", run.err);
    }
}
