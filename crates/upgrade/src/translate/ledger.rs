//! The account of every old table: each row ends in exactly one column, and the columns add up to the rows.

use std::collections::BTreeMap;

use serde::Serialize;

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

/// All accounts by upper-case table name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Ledger {
    tables: BTreeMap<String, Account>,
}

impl Ledger {
    /// Adds rows to a table.
    pub fn rows(&mut self, table: &str, rows: u64) {
        self.account(table).rows += rows;
    }

    /// A row became a record.
    pub fn imported(&mut self, table: &str) {
        self.account(table).imported += 1;
    }

    /// Rows became part of other records.
    pub fn merged(&mut self, table: &str, rows: u64) {
        self.account(table).merged += rows;
    }

    /// Rows are left out.
    pub fn skipped(&mut self, table: &str, reason: &str, rows: u64) {
        add(&mut self.account(table).skipped, reason, rows);
    }

    /// Rows cannot be carried.
    pub fn failed(&mut self, table: &str, reason: &str, rows: u64) {
        add(&mut self.account(table).failed, reason, rows);
    }

    /// Rows are read but not carried yet.
    pub fn not_yet(&mut self, table: &str, what: &str, rows: u64) {
        add(&mut self.account(table).not_yet, what, rows);
    }

    /// A table's account.
    pub fn of(&self, table: &str) -> Option<&Account> {
        self.tables.get(table)
    }

    /// All tables by name.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.tables.iter().map(|(table, account)| (table.as_str(), account))
    }

    /// Tables whose columns do not add up to their rows.
    pub fn unbalanced(&self) -> impl Iterator<Item = (&str, i64)> {
        self.accounts().map(|(table, account)| (table, account.unaccounted())).filter(|(_, rest)| *rest != 0)
    }

    fn account(&mut self, table: &str) -> &mut Account {
        self.tables.entry(table.to_ascii_uppercase()).or_default()
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
        assert_eq!(ledger.unbalanced().collect::<Vec<_>>(), [("AM_API", 1)]);
        ledger.failed("AM_API", "unreadable", 1);
        assert_eq!(ledger.unbalanced().count(), 0);
        ledger.imported("AM_API");
        assert_eq!(ledger.unbalanced().collect::<Vec<_>>(), [("AM_API", -1)]);
    }
}
