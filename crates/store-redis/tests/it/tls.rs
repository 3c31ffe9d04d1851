//! Redis over TLS, with certificates of an authority of one's own.

use std::path::Path;

use hallpass_core::{
    ports::Quotas,
    quota::{Charge, Rate},
};
use hallpass_store_redis::RedisQuotas;
use hallpass_testkit::redis::RedisServer;

use crate::support::{PATIENT, link, told_link};

/// Writes a certificate for this machine, which signs itself, and its key.
fn certificate(folder: &Path, name: &str) -> [std::path::PathBuf; 2] {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = ["pem", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
    std::fs::write(&files[0], made.cert.pem()).unwrap();
    std::fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
    files
}

#[tokio::test]
async fn a_server_of_ones_own_authority_is_trusted_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, key] = certificate(folder.path(), "ours");
    let [theirs, _] = certificate(folder.path(), "theirs");
    let (_server, at) = RedisServer::start_tls(&ours, &key).await;

    let quotas = RedisQuotas::new(link(&format!("rediss://{at}?ca_file={}", ours.display())).await);
    let charge = Charge {
        name: "caller-day",
        key: "caller-day:a".to_owned(),
        rate: Rate::per_day(10),
    };
    let states = quotas.take(&[charge]).await.unwrap();
    assert_eq!(states[0].remaining, 9);

    let nobody = folder.path().join("none.pem");
    for (address, why) in [
        (format!("rediss://{at}"), "certificate"),
        (
            format!("rediss://{at}?ca_file={}", theirs.display()),
            "certificate",
        ),
        (
            format!("rediss://{at}?ca_file={}", nobody.display()),
            "No such file",
        ),
        (format!("redis://{at}"), ""),
    ] {
        let (link, told) = told_link(&address, PATIENT);
        assert!(!link.connect().await, "{address}");
        assert!(told.all()[0].contains(why), "{address}: {:?}", told.all());
    }
}
