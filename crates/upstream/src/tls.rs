//! Whom we trust to be the upstream.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::settings::SettingsError;

/// The TLS side of a connection: TLS 1.2 and 1.3, the given roots.
pub(crate) fn client_config(roots: RootCertStore) -> Result<ClientConfig, SettingsError> {
    // The provider is named: a process-wide default would be global state.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// The system's root certificates and the operator's own.
pub(crate) fn trusted_roots(extra_pem: Option<&str>) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    // Systems carry certificates no library can read; one is no reason to fail.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = extra_pem {
        add_extra(&mut roots, pem)?;
    }
    if roots.is_empty() {
        return Err(SettingsError::NoRoots);
    }
    Ok(roots)
}

/// The operator's own certificates must all be usable: each was meant.
fn add_extra(roots: &mut RootCertStore, pem: &str) -> Result<(), SettingsError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| SettingsError::ExtraRoots)?;
        roots
            .add(certificate)
            .map_err(|_| SettingsError::ExtraRoots)?;
    }
    if roots.len() == before {
        return Err(SettingsError::ExtraRoots);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_that_are_no_certificates_are_refused() {
        for pem in [
            "",
            "not a certificate",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
        ] {
            let refused = trusted_roots(Some(pem));
            assert!(matches!(refused, Err(SettingsError::ExtraRoots)), "{pem:?}");
        }
    }

    #[test]
    fn an_extra_root_is_trusted_besides_the_systems() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .unwrap();
        let mut roots = RootCertStore::empty();
        add_extra(&mut roots, &certificate.pem()).unwrap();
        assert_eq!(roots.len(), 1);
    }
}
