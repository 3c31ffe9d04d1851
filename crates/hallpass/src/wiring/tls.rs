//! The one TLS provider of the process.

/// Makes aws-lc-rs the provider of whatever does not name one itself.
pub(crate) fn install_provider() {
    // The only failure is that one is installed already, which is what we want.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
