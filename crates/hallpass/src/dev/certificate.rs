//! A certificate authority of this directory's own, and a certificate by it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::{
    cli::Stop,
    wiring::{clock, private_file},
};

/// How long a certificate is good; browsers take no more of a server's.
const DAYS: u64 = 397;
/// The names and addresses a development server is reached at.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Where the certificate is.
pub(crate) struct Certificate {
    /// What clients are told to trust.
    pub(crate) ca_file: PathBuf,
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

/// Makes a certificate by the directory's own authority, made at the first start.
pub(crate) fn make(data_dir: &Path) -> Result<Certificate, Stop> {
    let dir = data_dir.join("tls");
    private_file::create_dir(&dir)?;
    let files = Certificate {
        ca_file: dir.join("ca.pem"),
        cert_file: dir.join("cert.pem"),
        key_file: dir.join("key.pem"),
    };
    let authority = authority(&dir, &files.ca_file)?;
    let key = KeyPair::generate()?;
    let certificate = server_params()?.signed_by(&key, &authority)?;
    private_file::write(&files.cert_file, certificate.pem().as_bytes())?;
    private_file::write(&files.key_file, key.serialize_pem().as_bytes())?;
    Ok(files)
}

/// The authority: kept, so that a client that trusts it need not be told again.
fn authority(dir: &Path, ca_file: &Path) -> Result<Issuer<'static, KeyPair>, Stop> {
    let key_file = dir.join("ca-key.pem");
    if ca_file.exists()
        && let Ok(key) = std::fs::read_to_string(&key_file)
    {
        // Name and key are all a certificate takes from its authority.
        return Ok(Issuer::new(authority_params()?, KeyPair::from_pem(&key)?));
    }
    let key = KeyPair::generate()?;
    let params = authority_params()?;
    let certificate = params.self_signed(&key)?;
    private_file::write(&key_file, key.serialize_pem().as_bytes())?;
    private_file::write(ca_file, certificate.pem().as_bytes())?;
    Ok(Issuer::new(params, key))
}

fn authority_params() -> Result<CertificateParams, Stop> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Hallpass development");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    good_for(&mut params, DAYS * 10);
    Ok(params)
}

fn server_params() -> Result<CertificateParams, Stop> {
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    good_for(&mut params, DAYS);
    Ok(params)
}

fn good_for(params: &mut CertificateParams, days: u64) {
    let day = Duration::from_secs(86_400);
    let now = clock::system_time()();
    params.not_before = (now - day).into();
    params.not_after = (now + day * u32::try_from(days).unwrap_or(u32::MAX)).into();
}
