//! The server's own certificate: near its end, and renewed on disk.

use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::House;

/// Puts a certificate in place that ends in so many days, as a renewal would.
fn install(dir: &Path, days: i64) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let now = jiff::Timestamp::from_second(crate::support::now()).unwrap();
    let today = jiff::tz::Offset::UTC.to_datetime(now).date();
    let last = today
        .checked_add(jiff::Span::new().days(days))
        .expect("no end of time is near");
    let (month, day) = (last.month().unsigned_abs(), last.day().unsigned_abs());
    params.not_after = rcgen::date_time_ymd(last.year().into(), month, day);
    let certificate = params.self_signed(&key).unwrap();
    for (name, pem) in [
        ("key.pem", key.serialize_pem()),
        ("cert.pem", certificate.pem()),
    ] {
        let beside = dir.join("new.pem");
        std::fs::write(&beside, pem).unwrap();
        std::fs::rename(beside, dir.join(name)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_near_its_end_is_an_alert_until_it_is_renewed() {
    let dir = TempDir::new().unwrap();
    install(dir.path(), 5);
    let file = |name: &str| dir.path().join(name).display().to_string();
    let tls = format!(
        "[server.tls]\ncert_file = {:?}\nkey_file = {:?}\n",
        file("cert.pem"),
        file("key.pem")
    );
    let house = House::open(&tls).await;
    let begun = house.hook.begins("expiring").await;
    let what = begun["cause"]["what"].as_str().unwrap();
    assert!(what.contains("certificate"), "{what}");
    // It ends as a day begins.
    let left = begun["value"].as_f64().unwrap();
    assert!((3.9..=5.0).contains(&left), "{left}");

    install(dir.path(), 90);
    let ended = house.hook.ends("expiring").await;
    assert_eq!(ended["id"], begun["id"]);
}
