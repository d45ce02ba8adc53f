//! The account of every old table, whole and by tenant: each row ends in exactly one column, and the columns add up to the rows. Only numbers
//! are kept, however many rows there are.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// Rows that are no tenant's: those of tables that say of none, and those that hang on what is gone.
pub const INSTALLATION: &str = "installation";

/// One table's rows by what becomes of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Account {
    /// Rows of the table.
    pub rows: u64,
    /// Became a record of their own.
    pub imported: u64,
    /// Became part of another record.
    pub merged: u64,
    /// Left out, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Could not be carried, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Read but not carried by this version of Tidegate, by what they hold.
    pub not_yet: BTreeMap<String, u64>,
}

impl Account {
    /// Rows nobody accounted for; less than 0 when some were counted twice. 0 in a sound translation.
    pub fn unaccounted(&self) -> i64 {
        let sum = |map: &BTreeMap<String, u64>| map.values().sum::<u64>();
        let told = self.imported + self.merged + sum(&self.skipped) + sum(&self.failed) + sum(&self.not_yet);
        i64::try_from(self.rows).unwrap_or(i64::MAX).saturating_sub(i64::try_from(told).unwrap_or(i64::MAX))
    }
}

/// Whose rows of which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows<'a> {
    table: &'a str,
    tenant: Option<i64>,
}

impl<'a> From<&'a str> for Rows<'a> {
    fn from(table: &'a str) -> Self {
        Self { table, tenant: None }
    }
}

impl<'a> From<(&'a str, i64)> for Rows<'a> {
    fn from((table, tenant): (&'a str, i64)) -> Self {
        Self { table, tenant: Some(tenant) }
    }
}

impl<'a> From<(&'a str, Option<i64>)> for Rows<'a> {
    fn from((table, tenant): (&'a str, Option<i64>)) -> Self {
        Self { table, tenant }
    }
}

/// A table's account, whole and by tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Table {
    whole: Account,
    /// Whether its rows were counted by tenant.
    by_tenant: bool,
    parts: BTreeMap<Option<i64>, Account>,
}

/// All accounts by upper-case table name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    tables: BTreeMap<String, Table>,
    /// Domains of tenants by number.
    domains: BTreeMap<i64, String>,
}

impl Ledger {
    /// An empty one that calls tenants by these domains.
    pub fn new(domains: BTreeMap<i64, String>) -> Self {
        Self { tables: BTreeMap::new(), domains }
    }

    /// Adds rows to a table.
    pub fn rows(&mut self, table: &str, rows: u64) {
        let table = self.table(table);
        table.whole.rows += rows;
        table.parts.entry(None).or_default().rows += rows;
    }

    /// Adds rows of a table that are counted by tenant; those of `None` are nobody's.
    pub fn rows_by_tenant(&mut self, table: &str, rows: &BTreeMap<Option<i64>, u64>) {
        let table = self.table(table);
        table.by_tenant = true;
        for (tenant, rows) in rows {
            table.whole.rows += rows;
            table.parts.entry(*tenant).or_default().rows += rows;
        }
    }

    /// A row became a record.
    pub fn imported<'a>(&mut self, of: impl Into<Rows<'a>>) {
        self.both(of.into(), |account| account.imported += 1);
    }

    /// Rows became part of other records.
    pub fn merged<'a>(&mut self, of: impl Into<Rows<'a>>, rows: u64) {
        self.both(of.into(), |account| account.merged += rows);
    }

    /// Rows are left out.
    pub fn skipped<'a>(&mut self, of: impl Into<Rows<'a>>, reason: &str, rows: u64) {
        self.both(of.into(), |account| add(&mut account.skipped, reason, rows));
    }

    /// Rows cannot be carried.
    pub fn failed<'a>(&mut self, of: impl Into<Rows<'a>>, reason: &str, rows: u64) {
        self.both(of.into(), |account| add(&mut account.failed, reason, rows));
    }

    /// A row that counted as part of other records, as its whole table does, turned out to be unreadable.
    pub fn failed_though_merged<'a>(&mut self, of: impl Into<Rows<'a>>, reason: &str) {
        self.both(of.into(), |account| {
            account.merged = account.merged.saturating_sub(1);
            add(&mut account.failed, reason, 1);
        });
    }

    /// Rows are read but not carried yet.
    pub fn not_yet<'a>(&mut self, of: impl Into<Rows<'a>>, what: &str, rows: u64) {
        self.both(of.into(), |account| add(&mut account.not_yet, what, rows));
    }

    /// A table's account.
    pub fn of(&self, table: &str) -> Option<&Account> {
        self.tables.get(table).map(|t| &t.whole)
    }

    /// All tables by name.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.tables.iter().map(|(table, account)| (table.as_str(), &account.whole))
    }

    /// A table's account by tenant: the number, `None` for nobody's, and the account.
    pub fn parts(&self, table: &str) -> impl Iterator<Item = (Option<i64>, &Account)> {
        self.tables.get(table).into_iter().flat_map(|t| t.parts.iter().map(|(tenant, account)| (*tenant, account)))
    }

    /// A table's account by the name of each tenant; empty where all rows are one's.
    pub fn by_tenant(&self, table: &str) -> Vec<(String, &Account)> {
        let parts: Vec<_> = self.parts(table).filter(|(_, account)| **account != Account::default()).collect();
        match parts.as_slice() {
            [] | [_] => Vec::new(),
            _ => parts.into_iter().map(|(tenant, account)| (self.name(tenant), account)).collect(),
        }
    }

    /// Tables, or tenants in tables (`TABLE of domain`), whose columns do not add up to their rows.
    pub fn unbalanced(&self) -> impl Iterator<Item = (String, i64)> {
        let all = self.tables.iter().flat_map(move |(name, table)| {
            table.parts.iter().map(move |(tenant, account)| match table.by_tenant {
                true => (format!("{name} of {}", self.name(*tenant)), account.unaccounted()),
                false => (name.clone(), account.unaccounted()),
            })
        });
        all.filter(|(_, rest)| *rest != 0)
    }

    fn name(&self, tenant: Option<i64>) -> String {
        match tenant {
            None => INSTALLATION.to_owned(),
            Some(number) => self.domains.get(&number).cloned().unwrap_or_else(|| format!("tenant {number}, which is gone")),
        }
    }

    fn table(&mut self, table: &str) -> &mut Table {
        self.tables.entry(table.to_ascii_uppercase()).or_default()
    }

    fn both(&mut self, of: Rows<'_>, mut note: impl FnMut(&mut Account)) {
        let table = self.table(of.table);
        note(&mut table.whole);
        note(table.parts.entry(of.tenant.filter(|_| table.by_tenant)).or_default());
    }
}

/// As the accounts by table, each with `tenants` beside its columns where there are several.
impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            #[serde(flatten)]
            whole: &'a Account,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            tenants: BTreeMap<String, &'a Account>,
        }
        let mut map = serializer.serialize_map(Some(self.tables.len()))?;
        for (name, table) in &self.tables {
            map.serialize_entry(name, &Told { whole: &table.whole, tenants: self.by_tenant(name).into_iter().collect() })?;
        }
        map.end()
    }
}

fn add(to: &mut BTreeMap<String, u64>, reason: &str, rows: u64) {
    if rows > 0 {
        *to.entry(reason.to_owned()).or_default() += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_balances_when_every_row_is_told_once() {
        let mut ledger = Ledger::default();
        ledger.rows("am_api", 4);
        ledger.imported("AM_API");
        ledger.merged("AM_API", 1);
        ledger.skipped("AM_API", "gone", 1);
        assert_eq!(ledger.unbalanced().collect::<Vec<_>>(), [("AM_API".to_owned(), 1)]);
        ledger.failed("AM_API", "unreadable", 1);
        assert_eq!(ledger.unbalanced().count(), 0);
        ledger.imported("AM_API");
        assert_eq!(ledger.unbalanced().collect::<Vec<_>>(), [("AM_API".to_owned(), -1)]);
    }

    #[test]
    fn a_row_that_counted_as_merged_can_turn_out_unreadable() {
        let mut ledger = Ledger::default();
        ledger.rows("SCOPES", 3);
        ledger.merged("SCOPES", 3);
        ledger.failed_though_merged("SCOPES", "unreadable");
        assert_eq!(ledger.unbalanced().count(), 0);
        let account = ledger.of("SCOPES").unwrap();
        assert_eq!((account.merged, account.failed.get("unreadable")), (2, Some(&1)));
    }

    #[test]
    fn what_is_told_of_the_wrong_tenant_does_not_balance() {
        let mut ledger = Ledger::new(BTreeMap::from([(-1234, "carbon.super".to_owned()), (1, "acme.com".to_owned())]));
        ledger.rows_by_tenant("UM_USER", &BTreeMap::from([(Some(-1234), 2), (Some(1), 1), (None, 1)]));
        ledger.imported(("UM_USER", -1234));
        ledger.imported(("UM_USER", Some(1)));
        ledger.skipped("UM_USER", "gone", 1);
        ledger.imported(("UM_USER", 1));
        let rest: Vec<_> = ledger.unbalanced().collect();
        assert_eq!(rest, [("UM_USER of carbon.super".to_owned(), 1), ("UM_USER of acme.com".to_owned(), -1)]);
        let told = serde_json::to_value(&ledger).unwrap();
        assert_eq!((&told["UM_USER"]["rows"], &told["UM_USER"]["tenants"]["acme.com"]["imported"]), (&4.into(), &2.into()));
        assert_eq!(ledger.by_tenant("UM_USER").first().map(|(name, _)| name.as_str()), Some(INSTALLATION));
    }

    #[test]
    fn a_table_that_names_no_tenant_is_the_installations() {
        let mut ledger = Ledger::default();
        ledger.rows("AM_ALERT_TYPES", 2);
        ledger.merged(("AM_ALERT_TYPES", 1), 2);
        assert_eq!((ledger.unbalanced().count(), ledger.by_tenant("AM_ALERT_TYPES").len()), (0, 0));
    }
}
