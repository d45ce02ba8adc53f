//! Settings of tenants: who approves, who may sign up, where else APIs are shown, which claims there are. A file for each.

mod claims;
mod executors;
mod identity;
mod kept;
mod lifecycle;
mod sharing;
mod sign_up;
mod stores;
mod tenant_conf;

use std::collections::HashSet;

use model::{Secret, SettingKind, TenantId, TenantSetting};
use serde_json::{Map, Value};

use super::{About, Carried, CarriedApi, Desk, said};
use crate::digests::short;
use crate::old::kept::KeptRow;
use crate::packed::Packed;

pub(super) fn translate(desk: &mut Desk<'_>, apis: &[Carried<CarriedApi>]) -> Packed<Carried<TenantSetting>> {
    let mut shelf = Shelf::default();
    for files in &desk.old.tenant_files {
        let Some(tenant) = desk.names.tenant(files.tenant_id) else { continue };
        executors::translate(desk, &mut shelf, tenant, files);
        sign_up::translate(desk, &mut shelf, tenant, files);
        tenant_conf::translate(desk, &mut shelf, tenant, files);
        stores::definitions(desk, &mut shelf, tenant, files);
        lifecycle::translate(desk, &mut shelf, tenant, files);
        sharing::translate(desk, &mut shelf, tenant);
    }
    stores::publications(desk, &mut shelf, apis);
    claims::translate(desk, &mut shelf);
    identity::translate(desk, &mut shelf);
    kept::translate(desk, &mut shelf, apis);
    shelf.done
}

/// Settings, one for each key, in the order in which they were put there. There is one for every service provider.
#[derive(Default)]
struct Shelf {
    done: Packed<Carried<TenantSetting>>,
    /// Their keys, by halves of digests.
    taken: HashSet<u128>,
}

impl Shelf {
    /// Whether its place was free.
    fn put(&mut self, tenant: TenantId, kind: SettingKind, name: &str, body: Value, secret: Option<String>) -> bool {
        let key = format!("{tenant}/{}/{name}", kind.name());
        if !self.taken.insert(short(&key)) {
            return false;
        }
        let value = TenantSetting { tenant, kind, name: name.to_owned(), body, secret: secret.map(Secret::new) };
        self.done.push(Carried { key, value });
        true
    }
}

/// A row's cells by their columns' names in lower case.
fn shown(row: &KeptRow) -> Value {
    Value::Object(row.cells.iter().map(|(name, text)| (name.to_ascii_lowercase(), Value::from(text.as_str()))).collect::<Map<_, _>>())
}

/// Secrets of rows, each by the row and column it stood in, as JSON text.
fn sealed<'a>(rows: impl IntoIterator<Item = &'a KeptRow>) -> Option<String> {
    let mut all = Map::new();
    for row in rows {
        for (column, secret) in &row.secrets {
            let place = format!("{}/{}/{column}", row.table, row.get("ID").unwrap_or_default());
            all.insert(place, Value::from(secret.expose().as_str()));
        }
    }
    (!all.is_empty()).then(|| Value::Object(all).to_string())
}

fn tenant_of(desk: &Desk<'_>, row: &KeptRow) -> Option<TenantId> {
    desk.names.tenant(row.int("TENANT_ID").unwrap_or(crate::old::people::SUPER_TENANT_ID))
}
