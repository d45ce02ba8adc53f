//! Tenants. The super tenant has no row and is not among them.

use model::{Tenant, TenantId, Timestamp};

use super::{About, Carried, Desk};

pub(super) fn translate(desk: &mut Desk<'_>) -> Vec<Carried<Tenant>> {
    const TABLE: &str = "UM_TENANT";
    let mut done: Vec<Carried<Tenant>> = Vec::new();
    for old in &desk.old.tenants {
        let origin = format!("{TABLE} {}", old.id);
        let Ok(id) = i32::try_from(old.id) else {
            desk.ledger.failed((TABLE, old.id), "its number is out of range", 1);
            desk.block(
                About::Tenant,
                "The tenant and all it owns could not be carried.",
                origin,
                format!("tenant {} has an unusable number", old.domain),
            );
            continue;
        };
        let domain = old.domain.trim().to_ascii_lowercase();
        if let Some(other) = done.iter().find(|t| t.value.domain == domain || t.value.id.0 == id) {
            desk.ledger.failed((TABLE, old.id), "a second tenant of that domain", 1);
            let words = format!("tenants {} and {} have the same domain {domain}", other.value.id, old.id);
            desk.block(About::Tenant, "Two tenants cannot share a domain.", origin, words);
            continue;
        }
        if let Err(fault) = old.realm() {
            desk.note(
                About::Tenant,
                "The tenant's own administrator settings are not used.",
                origin,
                format!("the realm of {domain} does not read: {fault}"),
            );
        }
        let created_at = desk.at(TABLE, "UM_CREATED_DATE", old.created).unwrap_or(Timestamp(0));
        let tenant = Tenant { id: TenantId(id), domain, email: old.email.clone(), active: old.active.unwrap_or(true), created_at };
        if !tenant.active {
            desk.note(
                About::Tenant,
                "Carried as inactive: its users cannot sign in and its APIs do not answer.",
                format!("{TABLE} {id}"),
                format!("tenant {} is inactive", tenant.domain),
            );
        }
        desk.ledger.imported((TABLE, old.id));
        done.push(Carried { key: old.id.to_string(), value: tenant });
    }
    done
}
