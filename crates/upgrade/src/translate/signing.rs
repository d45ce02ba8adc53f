//! The key that the old server signed with, and whom it trusted.
//!
//! Backends that check what the gateway tells them know the old certificate, so its key goes on signing. Not so the key that came with every
//! copy of the old product: everybody has its private half, and could sign tokens with it. Nor one too short for today's libraries.

use aws_lc_rs::{digest, rsa::KeyPair, signature::KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use db::signing_keys::StoredKey;
use model::{TenantId, Timestamp};

use super::{About, Carried, Desk};
use crate::digests::hex;
use crate::old::TenantPair;
use crate::source::{keypairs::OldPair, keystore::KeyStoreFault};

const NEW_KEY: &str =
    "The old key does not sign here: a key is made on the first need. Backends and clients that check signatures need the new certificate.";

pub(super) fn translate(desk: &mut Desk<'_>) -> Vec<Carried<StoredKey>> {
    let mut carried = Vec::new();
    if let Some(primary) = desk.old.keys.primary.clone() {
        carried.extend(one(desk, TenantId::SUPER, "primary", "carbon.xml Security/KeyStore", primary));
    }
    for TenantPair { tenant_id, path, pair } in desk.old.keys.tenants.clone() {
        let Some(tenant) = desk.names.tenant(tenant_id) else { continue };
        carried.extend(one(desk, tenant, &format!("tenant {tenant_id}"), &path, pair));
    }
    carried
}

fn one(desk: &mut Desk<'_>, tenant: TenantId, key: &str, origin: &str, pair: Result<OldPair, KeyStoreFault>) -> Option<Carried<StoredKey>> {
    let about = if tenant == TenantId::SUPER { About::Installation } else { About::Tenant };
    let whose = if tenant == TenantId::SUPER { "the old server's" } else { "the tenant's" };
    let usable = pair.map_err(|fault| fault.to_string()).and_then(|pair| match usable(&pair) {
        Ok(kid) => Ok((kid, pair)),
        Err(words) => Err(format!("{whose} {words}")),
    });
    match usable {
        Ok((kid, pair)) => {
            desk.note(about, "It signs here too, under the same certificate.", origin, format!("{whose} key was found"));
            let value = StoredKey {
                tenant,
                kid,
                pkcs8: pair.pkcs8,
                certificate_der: pair.certificate,
                // Older than any made here, so that where this installation has a key of its own, that one goes on signing.
                created_at: Timestamp(0),
                active: true,
            };
            Some(Carried { key: key.to_owned(), value })
        }
        Err(words) => {
            desk.warn(about, NEW_KEY, origin, words);
            None
        }
    }
}

/// Its key id, as this server names keys: after the certificate.
fn usable(pair: &OldPair) -> Result<String, &'static str> {
    let holds = |text: &[u8]| pair.certificate.windows(text.len()).any(|part| part == text);
    if holds(b"WSO2") && holds(b"localhost") {
        return Err("key is the one that came with every copy of the old product");
    }
    let key = KeyPair::from_pkcs8(pair.pkcs8.expose()).map_err(|_| "key is shorter than 2048 bits, or does not read")?;
    if !holds(key.public_key().as_ref()) {
        return Err("certificate is not of its key");
    }
    let sum = digest::digest(&digest::SHA256, &pair.certificate);
    Ok(format!("{}_RS256", BASE64_URL_SAFE_NO_PAD.encode(hex(sum.as_ref()))))
}

/// Trusted certificates as text, by alias.
pub(super) fn trusted(desk: &mut Desk<'_>) -> Vec<(String, String)> {
    match desk.old.keys.trusted.clone() {
        None => Vec::new(),
        Some(Err(fault)) => {
            let consequence = "The certificates that the old installation trusted are not carried; name what must be trusted beside the usual in the gateway's configuration.";
            desk.warn(About::Installation, consequence, "carbon.xml Security/TrustStore", fault.to_string());
            Vec::new()
        }
        Some(Ok(all)) => all.into_iter().map(|(alias, der)| (alias, BASE64_STANDARD.encode(der))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use model::Secret;

    use super::*;

    fn pair(certificate: impl Fn(&[u8]) -> Vec<u8>) -> OldPair {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'static> = key.as_der().unwrap();
        OldPair { pkcs8: Secret::new(der.as_ref().to_vec()), certificate: certificate(key.public_key().as_ref()) }
    }

    #[test]
    fn only_a_key_of_the_sites_own_goes_on_signing() {
        let own = pair(|public| [b"CN=am.example", public].concat());
        assert!(usable(&own).unwrap().ends_with("_RS256"));
        let shipped = pair(|public| [b"CN=localhost, O=WSO2", public].concat());
        assert!(usable(&shipped).unwrap_err().contains("every copy"));
        assert!(usable(&pair(|_| b"another".to_vec())).unwrap_err().contains("not of its key"));
        let short = OldPair { pkcs8: Secret::new(vec![0x30, 0]), certificate: vec![1] };
        assert!(usable(&short).unwrap_err().contains("2048"));
    }
}
