//! Which tenant a row belongs to, by what [`crate::source::whose`] reads of it, and how many rows of each table each tenant has.
//!
//! Counted where the rows are, past all reading of records, so that an account of records can be held against it.

use std::collections::{BTreeMap, HashMap};

use super::people::SUPER_TENANT_ID;
use super::{Installation, kept::KeptRow, oauth};
use crate::digests::short;
use crate::source::{CellError, Owner, Site, SourceError, Whose, keystore::OldKey, whose};

/// Whom records belong to: by their numbers, the number of a tenant. What hangs on something that is gone belongs to nobody.
#[derive(Debug, Default)]
pub struct Owners {
    domains: HashMap<String, i64>,
    apis: HashMap<i64, i64>,
    subscribers: HashMap<i64, i64>,
    applications: HashMap<i64, i64>,
    /// By a digest of the consumer key: there may be many, and they are long.
    clients: HashMap<u128, i64>,
    scopes: HashMap<i64, i64>,
    policies: HashMap<i64, i64>,
    groups: HashMap<i64, i64>,
    /// By table, as this version has it.
    ways: BTreeMap<String, (&'static str, Whose)>,
}

impl Owners {
    /// Learns them.
    pub fn of(old: &Installation) -> Self {
        let mut owners = Self::default();
        owners.domains.insert(super::people::SUPER_TENANT_DOMAIN.to_owned(), SUPER_TENANT_ID);
        owners.domains.extend(old.tenants.iter().map(|t| (t.domain.trim().to_ascii_lowercase(), t.id)));
        owners.apis = old.apis.iter().filter_map(|a| a.row.as_ref()).map(|row| (row.id, owners.user(Some(&row.provider)))).collect();
        owners.subscribers = old.subscribers.iter().map(|s| (s.id, s.tenant_id)).collect();
        let owned = old.applications.iter().filter_map(|a| Some((a.id, owners.subscribers.get(&a.subscriber_id).copied()?)));
        owners.applications = owned.collect();
        for mapping in old.key_mappings.iter() {
            if let Some((key, tenant)) = mapping.consumer_key.zip(owners.applications.get(&mapping.application_id)) {
                owners.clients.entry(short(&key)).or_insert(*tenant);
            }
        }
        owners.scopes = old.oauth_scopes.iter().map(|s| (s.id, s.tenant_id.unwrap_or(SUPER_TENANT_ID))).collect();
        owners.policies = old.policies.api.iter().map(|p| (p.id, p.tenant_id)).collect();
        let groups = old.policies.groups.iter().filter_map(|g| Some((g.id, owners.policies.get(&g.policy_id).copied()?)));
        owners.groups = groups.collect();
        owners.ways = old.counts.iter().filter_map(|c| Some((c.table.clone(), c.whose?))).collect();
        owners
    }

    /// An API's tenant.
    pub fn api(&self, id: i64) -> Option<i64> {
        self.apis.get(&id).copied()
    }

    /// An application's.
    pub fn application(&self, id: i64) -> Option<i64> {
        self.applications.get(&id).copied()
    }

    /// A subscriber's.
    pub fn subscriber(&self, id: i64) -> Option<i64> {
        self.subscribers.get(&id).copied()
    }

    /// That of the application with this consumer key.
    pub fn client(&self, key: &str) -> Option<i64> {
        self.clients.get(&short(key)).copied()
    }

    /// A scope's.
    pub fn scope(&self, id: i64) -> Option<i64> {
        self.scopes.get(&id).copied()
    }

    /// A domain's; nobody's where there is no such tenant.
    pub fn domain(&self, domain: Option<&str>) -> Option<i64> {
        match domain.map(str::trim).filter(|d| !d.is_empty()) {
            None => Some(SUPER_TENANT_ID),
            Some(domain) => self.domains.get(&domain.to_ascii_lowercase()).copied(),
        }
    }

    /// That of a user with his tenant's domain behind his name.
    pub fn user(&self, name: Option<&str>) -> i64 {
        let domain = name.and_then(|name| name.rsplit_once('@')).map(|(_, domain)| domain.trim().to_ascii_lowercase());
        domain.and_then(|domain| self.domains.get(&domain).copied()).unwrap_or(SUPER_TENANT_ID)
    }

    /// By a cell, as it was read.
    pub fn tenant(&self, whose: Whose, cell: Option<&str>) -> Option<i64> {
        let number = || cell.and_then(|text| text.trim().parse::<i64>().ok());
        match whose {
            Whose::Tenant if cell.is_none() => Some(SUPER_TENANT_ID),
            Whose::Tenant => number(),
            Whose::Domain => self.domain(cell),
            Whose::User => Some(self.user(cell)),
            Whose::Api => self.api(number()?),
            Whose::Subscriber => self.subscriber(number()?),
            Whose::Application => self.application(number()?),
            Whose::Client => self.client(cell?),
            Whose::Scope => self.scope(number()?),
            Whose::Policy => self.policies.get(&number()?).copied(),
            Whose::Group => self.groups.get(&number()?).copied(),
        }
    }

    /// That of a row that was put aside.
    pub fn of_unreadable(&self, fault: &CellError) -> Option<i64> {
        let owner = fault.owner.as_ref()?;
        self.tenant(owner.whose, owner.cell.as_deref())
    }

    /// That of a row that is kept as it is.
    pub fn kept(&self, row: &KeptRow) -> Option<i64> {
        let (column, of) = self.ways.get(row.table.as_str())?;
        self.tenant(*of, row.get(column))
    }

    fn opened(&self, whose: Whose, cell: Option<&str>, key: Option<&OldKey>) -> Option<i64> {
        // To 1.9 consumer keys may be cipher text wherever they stand.
        match (whose, cell, key) {
            (Whose::Client, Some(text), Some(key)) => {
                let mut text = text.to_owned();
                oauth::unseal(key, &mut text);
                self.tenant(whose, Some(&text))
            }
            _ => self.tenant(whose, cell),
        }
    }
}

/// Counts every table by tenant, where its rows say whose they are. Rows that say it of nothing that is there are nobody's.
///
/// # Errors
///
/// [`SourceError`] when reading fails.
pub async fn count(installation: &mut Installation, site: &Site) -> Result<(), SourceError> {
    let owners = Owners::of(installation);
    let key = site.key.as_deref();
    for source in &site.sources {
        let shown = source.to_string();
        for counted in installation.counts.iter_mut().filter(|c| c.source == shown && c.rows > 0) {
            let Some(table) = source.table(&counted.table) else { continue };
            counted.whose = whose(table);
            let Some((column, of)) = counted.whose else { continue };
            let mut by_tenant: BTreeMap<Option<i64>, u64> = BTreeMap::new();
            for (cell, rows) in source.count_by(&counted.table, column).await? {
                *by_tenant.entry(owners.opened(of, cell.as_deref(), key)).or_default() += rows;
            }
            counted.by_tenant = Some(by_tenant);
        }
    }
    for fault in &mut installation.unreadable {
        if let (Some(Owner { whose: Whose::Client, cell: Some(text) }), Some(key)) = (&mut fault.owner, key) {
            oauth::unseal(key, text);
        }
    }
    Ok(())
}
