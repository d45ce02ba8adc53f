//! TLS toward backends: which certificates are believed.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::Config;

/// TLS toward backends cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// An extra root file cannot be read.
    #[error("cannot read the certificate file {file}")]
    Read {
        /// Which file.
        file: String,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate in an extra root file is unusable.
    #[error("a certificate in {file} is not usable")]
    Certificate {
        /// Which file.
        file: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be configured")]
    Library(#[source] rustls::Error),
}

pub(crate) fn client_config(config: &Config) -> Result<Arc<ClientConfig>, TlsFault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(TlsFault::Library)?;
    if config.skip_backend_verification {
        tracing::warn!("backend certificates are not verified: skip_backend_verification is set");
        let client = builder.dangerous().with_custom_certificate_verifier(Arc::new(TakeAny(provider))).with_no_client_auth();
        return Ok(Arc::new(client));
    }
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "a system certificate authority was left out");
    }
    let (added, left_out) = roots.add_parsable_certificates(native.certs);
    tracing::debug!(added, left_out, "system certificate authorities");
    for path in &config.extra_roots {
        let file = path.display().to_string();
        let certificates = CertificateDer::pem_file_iter(path).map_err(|source| TlsFault::Read { file: file.clone(), source })?;
        for certificate in certificates {
            let certificate = certificate.map_err(|source| TlsFault::Read { file: file.clone(), source })?;
            roots.add(certificate).map_err(|source| TlsFault::Certificate { file: file.clone(), source })?;
        }
    }
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Believes any certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct TakeAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
