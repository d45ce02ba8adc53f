//! The certificate of the TLS ports: the operator's own, or one made at first start.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A PEM file cannot be read.
    #[error("cannot read {what} from {path}: {words}")]
    Unreadable {
        /// Certificate or key.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        words: String,
    },
    /// The pair does not fit or is not acceptable.
    #[error("the certificate {certificate} and key {key} cannot be used together: {source}")]
    Pair {
        /// Certificate file.
        certificate: PathBuf,
        /// Key file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Making one at first start failed.
    #[error("cannot make a certificate in {path}: {words}")]
    Make {
        /// Data directory.
        path: PathBuf,
        /// Why.
        words: String,
    },
}

/// Certificate and key files: those given, or `tls.crt` and `tls.key` in the data directory, made when missing.
///
/// # Errors
/// [`TlsFault::Make`].
pub(crate) fn files(given: Option<(&Path, &Path)>, data_dir: &Path, hostname: &str) -> Result<(PathBuf, PathBuf), TlsFault> {
    if let Some((certificate, key)) = given {
        return Ok((certificate.to_owned(), key.to_owned()));
    }
    let (certificate, key) = (data_dir.join("tls.crt"), data_dir.join("tls.key"));
    if !certificate.exists() || !key.exists() {
        make(&certificate, &key, hostname).map_err(|words| TlsFault::Make { path: data_dir.to_owned(), words })?;
    }
    Ok((certificate, key))
}

/// TLS 1.2 and 1.3 for a port. `alpn` lists protocols in order of preference.
///
/// # Errors
/// [`TlsFault`] naming the file.
pub(crate) fn server_config(certificate: &Path, key: &Path, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsFault> {
    let unreadable = |what, path: &Path, words: String| TlsFault::Unreadable { what, path: path.to_owned(), words };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|fault| unreadable("the certificate", certificate, fault.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|fault| unreadable("the private key", key, fault.to_string()))?;
    let pair = |source| TlsFault::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(pair)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// DER of a self-signed certificate for an RSA signing key, so that `x5t` and `kid` have something to be computed from.
///
/// # Errors
/// Words of the certificate library.
pub(crate) fn certificate_for(pkcs8: &[u8], common_name: &str) -> Result<Vec<u8>, String> {
    let key = KeyPair::try_from(pkcs8).map_err(|fault| fault.to_string())?;
    let certificate = params(common_name).and_then(|params| params.self_signed(&key)).map_err(|fault| fault.to_string())?;
    Ok(certificate.der().to_vec())
}

fn params(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec![common_name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_after = rcgen::date_time_ymd(2046, 1, 1);
    Ok(params)
}

fn make(certificate: &Path, key: &Path, hostname: &str) -> Result<(), String> {
    let pair = KeyPair::generate().map_err(|fault| fault.to_string())?;
    let mut params = params(hostname).map_err(|fault| fault.to_string())?;
    if hostname != "localhost" {
        params.subject_alt_names.push(SanType::DnsName("localhost".try_into().map_err(|_| "localhost is no DNS name".to_owned())?));
    }
    params.subject_alt_names.push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
    let signed = params.self_signed(&pair).map_err(|fault| fault.to_string())?;
    write(key, 0o600, &pair.serialize_pem())?;
    write(certificate, 0o644, &signed.pem())
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), String> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .map_err(|f| format!("{}: {f}", path.display()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|f| format!("{}: {f}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_usable() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = files(None, dir.path(), "api.example.org").unwrap();
        let first = std::fs::read(&certificate).unwrap();
        server_config(&certificate, &key, &[b"http/1.1"]).unwrap();
        files(None, dir.path(), "api.example.org").unwrap();
        assert_eq!(std::fs::read(&certificate).unwrap(), first);
    }

    #[test]
    fn a_missing_file_is_named() {
        let fault = server_config(Path::new("/nowhere/tls.crt"), Path::new("/nowhere/tls.key"), &[]).unwrap_err();
        assert!(fault.to_string().contains("/nowhere/tls.crt"), "{fault}");
    }
}
