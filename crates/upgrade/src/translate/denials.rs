//! Block conditions, which are deny policies here. They stay in force: who was kept out must not get in with the new server.
//!
//! 2.0 and 2.1 wrote an address as `tenant:address`; later ones as a JSON object, which 4.0.0 expects alone, so that old address blocks fell
//! silently there. Both are read here, and bare addresses too.

use std::collections::HashSet;
use std::net::IpAddr;

use model::{Application, Denial, DenyPolicy, PolicyId, TenantId, without_super_domain};
use serde_json::Value;

use super::{About, Carried, CarriedApi, Desk, said};
use crate::packed::Packed;

const TABLE: &str = "AM_BLOCK_CONDITIONS";

pub(super) fn translate(
    desk: &mut Desk<'_>,
    apis: &[Carried<CarriedApi>],
    applications: &Packed<Carried<Application>>,
) -> Vec<Carried<DenyPolicy>> {
    let contexts: HashSet<&str> = apis.iter().map(|a| a.value.api.context.as_str()).collect();
    // Looked for only where something is blocked.
    let some = if desk.old.block_conditions.is_empty() { None } else { Some(applications) };
    let owned: HashSet<(String, String)> = some.into_iter().flat_map(Packed::iter).map(|a| (a.value.owner, a.value.name)).collect();
    let mut taken: HashSet<(TenantId, Denial)> = HashSet::new();
    let mut done: Vec<Carried<DenyPolicy>> = Vec::new();
    for old in &desk.old.block_conditions {
        let origin = format!("{TABLE} {}", old.id);
        let domain = said(old.domain.as_deref()).unwrap_or(model::SUPER_TENANT_DOMAIN);
        let Some(tenant) = desk.names.tenant_by_domain(domain) else {
            desk.ledger.skipped(TABLE, "its tenant is gone", 1);
            continue;
        };
        let refused = match denial(desk, old.kind.trim(), said(old.value.as_deref()).unwrap_or_default(), domain) {
            Ok(refused) => refused,
            Err(words) => {
                desk.ledger.failed(TABLE, "does not read", 1);
                desk.warn(About::Scope, "The block is left out: nobody is refused by it. Make it anew here.", origin, words);
                continue;
            }
        };
        if !taken.insert((tenant, refused.clone())) {
            // Of two rows for the same the one in force decides.
            if let Some(first) = done.iter_mut().find(|d| d.value.tenant == tenant && d.value.refused == refused) {
                first.value.enabled |= old.enabled.unwrap_or(true);
            }
            desk.ledger.merged(TABLE, 1);
            continue;
        }
        let meets = match &refused {
            Denial::Api(context) => contexts.contains(context.as_str()),
            Denial::Application { owner, name } => owned.contains(&(without_super_domain(owner).to_owned(), name.clone())),
            _ => true,
        };
        if !meets {
            let words = format!("it blocks {} {}, which there is none of", refused.kind(), said(old.value.as_deref()).unwrap_or_default());
            desk.note(About::Scope, "Carried, and refuses nobody today.", origin.clone(), words);
        }
        let id = match old.uuid.as_deref().map(|text| text.trim().parse::<PolicyId>()) {
            Some(Ok(id)) => id,
            _ => PolicyId::derived(&[desk.input.source, "deny", &old.id.to_string()]),
        };
        desk.ledger.imported(TABLE);
        // A row that does not say is one from before it could be switched.
        let policy = DenyPolicy { id, tenant, refused, enabled: old.enabled.unwrap_or(true) };
        done.push(Carried { key: old.id.to_string(), value: policy });
    }
    done
}

fn denial(desk: &Desk<'_>, kind: &str, value: &str, domain: &str) -> Result<Denial, String> {
    if value.is_empty() {
        return Err(format!("a block of kind {kind} names nothing"));
    }
    let tenant = desk.names.tenant_by_domain(domain).map(|t| i64::from(t.0));
    match kind.to_ascii_uppercase().as_str() {
        "API" => Ok(Denial::Api(value.to_owned())),
        "APPLICATION" => match Denial::application(value) {
            Some(Denial::Application { owner, name }) => {
                // The owner's spelling goes by the tenant; what follows is the application's name, letter by letter.
                Ok(Denial::Application { owner: desk.names.user(&owner, tenant).to_string(), name })
            }
            _ => Err(format!("'{value}' is no subscriber and application")),
        },
        "USER" => Ok(Denial::User(desk.names.user(value, tenant).with_tenant())),
        "IP" => address(value, domain),
        "IPRANGE" => range(value),
        "SUBSCRIPTION" => Ok(Denial::Subscription(value.to_owned())),
        _ => Err(format!("blocks of kind {kind} are not known")),
    }
}

fn address(value: &str, domain: &str) -> Result<Denial, String> {
    if let Some(object) = object(value) {
        let address = object.get("fixedIp").and_then(Value::as_str).unwrap_or_default().trim();
        return fixed(address, inverted(&object)).ok_or_else(|| format!("'{address}' is no address"));
    }
    // An address of version 6 holds colons of its own, so the whole is tried first and the tenant taken off by its name.
    let without_tenant = value.strip_prefix(domain).and_then(|rest| rest.strip_prefix(':'));
    let behind_colon = value.split_once(':').map(|(_, rest)| rest);
    let tried = [Some(value), without_tenant, behind_colon];
    tried.into_iter().flatten().find_map(|text| fixed(text, false)).ok_or_else(|| format!("'{value}' is no address"))
}

fn fixed(address: &str, inverted: bool) -> Option<Denial> {
    let (ip, length) = address.trim().split_once('/').map_or((address.trim(), None), |(ip, length)| (ip, Some(length)));
    let longest = match ip.parse::<IpAddr>().ok()? {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let sound = length.is_none_or(|l| l.parse::<u32>().is_ok_and(|l| l <= longest));
    sound.then(|| Denial::Ip { address: address.trim().to_owned(), inverted })
}

fn range(value: &str) -> Result<Denial, String> {
    let object = object(value).ok_or_else(|| format!("'{value}' is no address range"))?;
    let end = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let (start, last) = (end("startingIp"), end("endingIp"));
    match (start.parse::<IpAddr>(), last.parse::<IpAddr>()) {
        (Ok(from), Ok(to)) if from.is_ipv4() == to.is_ipv4() && from <= to => {
            Ok(Denial::IpRange { start, end: last, inverted: inverted(&object) })
        }
        _ => Err(format!("'{start}' to '{last}' is no address range")),
    }
}

fn object(value: &str) -> Option<serde_json::Map<String, Value>> {
    match serde_json::from_str(value).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Written as a truth value or as its text.
fn inverted(object: &serde_json::Map<String, Value>) -> bool {
    object.get("invert").is_some_and(|v| v.as_bool().unwrap_or_else(|| v.as_str().is_some_and(|t| t.eq_ignore_ascii_case("true"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_in_every_spelling() {
        let ip = |address: &str, inverted| Ok(Denial::Ip { address: address.to_owned(), inverted });
        for (value, expected) in [
            ("carbon.super:10.0.0.7", ip("10.0.0.7", false)),
            ("acme.com:10.0.0.7", ip("10.0.0.7", false)),
            ("carbon.super:2001:db8::7", ip("2001:db8::7", false)),
            ("2001:db8::7", ip("2001:db8::7", false)),
            ("10.0.0.7", ip("10.0.0.7", false)),
            ("10.0.0.0/8", ip("10.0.0.0/8", false)),
            (r#"{"fixedIp":"10.0.0.7","invert":false}"#, ip("10.0.0.7", false)),
            (r#"{"fixedIp":"10.0.0.7","invert":"true"}"#, ip("10.0.0.7", true)),
        ] {
            assert_eq!(address(value, "carbon.super"), expected, "{value}");
        }
        for bad in ["carbon.super:ten", "10.0.0", "10.0.0.0/33", r#"{"fixedIp":"x"}"#, "{}"] {
            assert!(address(bad, "carbon.super").is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_run_forwards_within_one_version() {
        let read = |from: &str, to: &str| range(&format!(r#"{{"startingIp":"{from}","endingIp":"{to}","invert":true}}"#));
        let expected = Denial::IpRange { start: "10.0.0.1".to_owned(), end: "10.0.0.9".to_owned(), inverted: true };
        assert_eq!(read("10.0.0.1", "10.0.0.9"), Ok(expected));
        assert!(read("10.0.0.9", "10.0.0.1").is_err());
        assert!(read("10.0.0.1", "::2").is_err());
        assert!(range("10.0.0.1-10.0.0.9").is_err());
    }
}
