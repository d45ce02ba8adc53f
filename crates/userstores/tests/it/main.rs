//! User stores against real servers: OpenLDAP, MariaDB, PostgreSQL.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may fail loudly, and says so when it does not run")]

mod databases;
mod directories;
/// Shared with the tests of the whole product, which this crate must not depend on.
#[allow(dead_code, unreachable_pub, reason = "it is written for a library")]
#[path = "../../../testkit/src/slapd.rs"]
mod slapd;

use model::{Secret, TenantId, UserStore, UserStoreKind};

fn store(kind: UserStoreKind, properties: &[(&str, &str)], secrets: &[(&str, &str)]) -> UserStore {
    UserStore {
        tenant: TenantId::SUPER,
        domain: "corp".to_owned(),
        kind,
        disabled: false,
        position: 1,
        admin_role: None,
        attributes: vec!["mail".to_owned()],
        properties: properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        secrets: secrets.iter().map(|(n, v)| ((*n).to_owned(), secret(v))).collect(),
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}
