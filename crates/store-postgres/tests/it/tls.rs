//! TLS to the database: verified where it is asked for.

use hallpass_core::ports::Grants;
use hallpass_store_postgres::{Database, PgGrants};
use hallpass_testkit::{
    contract::grants::grant,
    postgres::{Server, Tls},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::settings;

/// A certificate authority, and a certificate of its for some host.
fn certified(host: &str) -> (String, String, String) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let server = server.signed_by(&key, &ca).unwrap();
    (ca.pem(), server.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_verified_server_is_used_and_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, certificate, key) = certified("localhost");
    let server = Server::start_tls(Tls {
        certificate: &certificate,
        key: &key,
    });
    let (ours, foreign) = (
        folder.path().join("ca.pem"),
        folder.path().join("other.pem"),
    );
    std::fs::write(&ours, ca).unwrap();
    std::fs::write(&foreign, certified("localhost").0).unwrap();
    let plain = server.database("hallpass");
    let by_name = plain.replace("127.0.0.1", "localhost");
    let verified = |url: &str, root: &std::path::Path| {
        format!("{url}?sslmode=verify-full&sslrootcert={}", root.display())
    };
    let database = Database::connect(settings(&verified(&by_name, &ours))).await;
    let database = database.unwrap();
    database.migrate().await.unwrap();
    let grants = PgGrants::new(database);
    assert_eq!(grants.find(&grant(1, 0).id).await.unwrap(), None);
    let in_use = "SELECT COUNT(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                  WHERE ssl AND application_name = 'hallpass'";
    assert_ne!(server.run("hallpass", in_use), "0");

    for (address, why) in [
        (verified(&by_name, &foreign), "another authority's"),
        (verified(&plain, &ours), "another host's"),
    ] {
        let refused = Database::connect(settings(&address)).await;
        assert!(refused.is_err(), "a certificate of {why} is no good");
    }
}
