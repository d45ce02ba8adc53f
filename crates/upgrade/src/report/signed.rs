//! Reports that can be shown to an auditor: signed with Ed25519 (RFC 8032), checked again without either installation at hand.
//!
//! The signature stands beside the report, in a file of one line, so that the report itself stays plain JSON. What is signed begins with a
//! word of its own, so that the key's signatures mean nothing elsewhere. A good signature says that nobody changed the report; the sums in
//! it are added up again besides, because a report that does not add up was wrong before it was signed.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::Secret;
use serde_json::Value;

use crate::digests::hex;

/// First word of a signature file, and of what is signed.
const WORD: &str = "tidegate-upgrade-report-1";

/// Largest report checked, in bytes.
pub const REPORT_MAX_BYTES: usize = 256 * 1024 * 1024;

/// A key that signs reports.
pub struct ReportKey(Ed25519KeyPair);

impl std::fmt::Debug for ReportKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReportKey({})", self.fingerprint())
    }
}

/// A key or signature cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// The system gave no randomness.
    #[error("no key can be made on this system")]
    NoKey,
    /// The key file.
    #[error("the signing key is none of ours: expected {WORD} and a key in Base64")]
    BadKey,
    /// The signature file.
    #[error("the signature file does not read: expected one line of {WORD}, a public key and a signature")]
    Malformed,
    /// The report is longer than [`REPORT_MAX_BYTES`].
    #[error("the report is longer than {REPORT_MAX_BYTES} bytes")]
    TooLong,
    /// It was signed by somebody else.
    #[error("it was signed with the key {found}, not with {wanted}")]
    AnotherKey {
        /// Whose it is.
        found: String,
        /// Whose it ought to be.
        wanted: String,
    },
    /// Report and signature do not fit.
    #[error("the report was changed after it was signed, or the signature is another report's")]
    Broken,
    /// The report is no JSON.
    #[error("the report does not read as JSON")]
    NotJson,
}

impl ReportKey {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// [`SignatureFault::NoKey`].
    pub fn generate() -> Result<Self, SignatureFault> {
        Ed25519KeyPair::generate().map(Self).map_err(|_| SignatureFault::NoKey)
    }

    /// Reads what [`ReportKey::to_file`] wrote.
    ///
    /// # Errors
    ///
    /// [`SignatureFault::BadKey`].
    pub fn from_file(text: &Secret<String>) -> Result<Self, SignatureFault> {
        let key = text.expose().trim().strip_prefix(WORD).ok_or(SignatureFault::BadKey)?;
        let bytes = Secret::new(STANDARD.decode(key.trim()).map_err(|_| SignatureFault::BadKey)?);
        Ed25519KeyPair::from_pkcs8(bytes.expose()).map(Self).map_err(|_| SignatureFault::BadKey)
    }

    /// For a file that only its owner reads.
    ///
    /// # Errors
    ///
    /// [`SignatureFault::NoKey`].
    pub fn to_file(&self) -> Result<Secret<String>, SignatureFault> {
        let pkcs8 = self.0.to_pkcs8v1().map_err(|_| SignatureFault::NoKey)?;
        Ok(Secret::new(format!("{WORD} {}\n", STANDARD.encode(pkcs8.as_ref()))))
    }

    /// Names the key: the first 16 bytes of its public half's SHA-256, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.0.public_key().as_ref())
    }

    /// The text of the signature file of a report.
    pub fn sign(&self, report: &str) -> String {
        let signature = self.0.sign(&signed(report.as_bytes()));
        format!("{WORD} {} {}\n", STANDARD.encode(self.0.public_key().as_ref()), STANDARD.encode(signature.as_ref()))
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Names the key it was signed with; compare it with the one told when it was signed.
    pub fingerprint: String,
    /// Which command's report it is.
    pub command: String,
    /// Sums that do not add up and differences it tells; empty when it says that all is well.
    pub shortcomings: Vec<String>,
}

/// Checks a report against its signature, and the report's own sums. `wanted` is the fingerprint it must be signed by, where it is known.
///
/// # Errors
///
/// [`SignatureFault`].
pub fn check(report: &str, signature: &str, wanted: Option<&str>) -> Result<Checked, SignatureFault> {
    if report.len() > REPORT_MAX_BYTES {
        return Err(SignatureFault::TooLong);
    }
    let mut words = signature.split_whitespace();
    let (Some(WORD), Some(key), Some(signature), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(SignatureFault::Malformed);
    };
    let (Ok(key), Ok(signature)) = (STANDARD.decode(key), STANDARD.decode(signature)) else { return Err(SignatureFault::Malformed) };
    let found = fingerprint(&key);
    if let Some(wanted) = wanted.filter(|w| !w.eq_ignore_ascii_case(&found)) {
        return Err(SignatureFault::AnotherKey { found, wanted: wanted.to_owned() });
    }
    UnparsedPublicKey::new(&ED25519, key).verify(&signed(report.as_bytes()), &signature).map_err(|_| SignatureFault::Broken)?;
    let value: Value = serde_json::from_str(report).map_err(|_| SignatureFault::NotJson)?;
    let command = value.get("command").and_then(Value::as_str).unwrap_or("?").to_owned();
    Ok(Checked { fingerprint: found, command, shortcomings: shortcomings(&value) })
}

fn fingerprint(public: &[u8]) -> String {
    hex(digest(&SHA256, public).as_ref().get(..16).unwrap_or_default())
}

fn signed(report: &[u8]) -> Vec<u8> {
    [WORD.as_bytes(), b"\n", report].concat()
}

/// What keeps a report from saying that all is well.
fn shortcomings(report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (table, account) in report.get("tables").and_then(Value::as_object).into_iter().flatten() {
        let number = |key: &str| account.get(key).and_then(Value::as_u64).unwrap_or_default();
        let sum =
            |key: &str| account.get(key).and_then(Value::as_object).into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum::<u64>();
        let (_, told) = told(account);
        if told != number("rows") {
            found.push(format!("{table}: {} rows, of which {told} are accounted for", number("rows")));
        }
        if sum("failed") > 0 {
            found.push(format!("{table}: {} rows failed", sum("failed")));
        }
        found.extend(parts(table, account, number("rows")));
    }
    if report.get("blocked").and_then(Value::as_bool) != Some(false) {
        found.push("something had to be settled first".to_owned());
    }
    for tally in report.get("records").and_then(Value::as_array).into_iter().flatten() {
        let number = |key: &str| tally.get(key).and_then(Value::as_u64).unwrap_or_default();
        let kind = tally.get("kind").and_then(Value::as_str).unwrap_or("?");
        let decided = ["new", "replaces", "changed", "same", "conflicts", "deleted"].map(number).iter().sum::<u64>();
        // An end of a token in the source is a change without a record.
        if decided < number("source") {
            found.push(format!("{kind}: {} records, of which {decided} were decided on", number("source")));
        }
        if number("conflicts") > 0 {
            found.push(format!("{kind}: {} in somebody's way", number("conflicts")));
        }
    }
    if let Some(verification) = report.get("verification") {
        let differing = verification.get("differing").and_then(Value::as_u64);
        if differing != Some(0) {
            found.push(format!("{} difference(s)", differing.map_or("an unknown number of".to_owned(), |n| n.to_string())));
        }
        let replay = |key: &str| verification.get("replay").and_then(|r| r.get(key)?.as_u64()).unwrap_or_default();
        if replay("differing") + replay("unanswered") > 0 {
            found.push(format!("{} call(s) answered differently, {} not at all", replay("differing"), replay("unanswered")));
        }
        if verification.get("unreadable").and_then(Value::as_u64) != Some(0) {
            found.push("old rows that could not be read were not compared".to_owned());
        }
    }
    found
}

/// What does not add up of a table's tenants, where it tells of any.
fn parts(table: &str, account: &Value, whole: u64) -> Vec<String> {
    let mut found = Vec::new();
    let Some(tenants) = account.get("tenants").and_then(Value::as_object) else { return found };
    let mut rows = 0;
    for (tenant, part) in tenants {
        let of = told(part);
        rows += of.0;
        if of.0 != of.1 {
            found.push(format!("{table} of {tenant}: {} rows, of which {} are accounted for", of.0, of.1));
        }
    }
    if rows != whole {
        found.push(format!("{table}: {whole} rows, of which its tenants have {rows}"));
    }
    found
}

/// An account's rows, and how many of them it tells of.
fn told(account: &Value) -> (u64, u64) {
    let number = |key: &str| account.get(key).and_then(Value::as_u64).unwrap_or_default();
    let sum = |key: &str| account.get(key).and_then(Value::as_object).into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum::<u64>();
    (number("rows"), number("imported") + number("merged") + sum("skipped") + sum("failed") + sum("not_yet"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        json!({
            "command": "verify",
            "blocked": false,
            "tables": {"AM_API": {"rows": 5, "imported": 2, "merged": 1, "skipped": {"gone": 1}, "failed": {}, "not_yet": {"x": 1}}},
            "records": [{"kind": "APIs", "source": 3, "new": 1, "replaces": 0, "changed": 0, "same": 2, "conflicts": 0, "deleted": 0}],
            "verification": {"differing": 0, "unreadable": 0},
        })
    }

    #[test]
    fn a_signed_report_checks_and_a_changed_one_does_not() {
        let key = ReportKey::generate().unwrap();
        let again = ReportKey::from_file(&key.to_file().unwrap()).unwrap();
        assert_eq!(key.fingerprint(), again.fingerprint());
        let text = report().to_string();
        let signature = again.sign(&text);
        let checked = check(&text, &signature, Some(&key.fingerprint())).unwrap();
        assert_eq!((checked.command.as_str(), checked.shortcomings.len()), ("verify", 0));
        assert_eq!(check(&text.replace("\"same\":2", "\"same\":3"), &signature, None), Err(SignatureFault::Broken));
        let other = ReportKey::generate().unwrap();
        assert!(matches!(check(&text, &other.sign(&text), Some(&key.fingerprint())), Err(SignatureFault::AnotherKey { .. })));
        for torn in ["", "x", "tidegate-upgrade-report-1 a b", &signature[..40], &format!("{signature} more")] {
            assert_eq!(check(&text, torn, None), Err(SignatureFault::Malformed), "{torn}");
        }
        assert_eq!(check("{", &key.sign("{"), None), Err(SignatureFault::NotJson));
    }

    #[test]
    fn a_key_file_that_is_none_is_refused_and_a_key_does_not_show() {
        for text in ["", "tidegate-upgrade-report-1 ???", "tidegate-upgrade-report-1 AAAA"] {
            assert_eq!(ReportKey::from_file(&Secret::new(text.to_owned())).unwrap_err(), SignatureFault::BadKey);
        }
        let key = ReportKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), format!("ReportKey({})", key.fingerprint()));
    }

    #[test]
    fn a_report_that_does_not_add_up_is_told_even_when_signed() {
        let key = ReportKey::generate().unwrap();
        let mut wrong = report();
        wrong["tables"]["AM_API"]["imported"] = json!(1);
        wrong["tables"]["AM_API"]["failed"] = json!({"unreadable": 1});
        wrong["verification"]["differing"] = json!(4);
        wrong["records"][0]["same"] = json!(1);
        let text = wrong.to_string();
        let told = check(&text, &key.sign(&text), None).unwrap().shortcomings;
        assert_eq!(told, ["AM_API: 1 rows failed", "APIs: 3 records, of which 2 were decided on", "4 difference(s)"]);
        wrong["tables"]["AM_API"]["rows"] = json!(9);
        let text = wrong.to_string();
        assert_eq!(check(&text, &key.sign(&text), None).unwrap().shortcomings[0], "AM_API: 9 rows, of which 5 are accounted for");
        let mut split = report();
        let part = |rows: u64| json!({"rows": rows, "imported": 2, "merged": 0, "skipped": {}, "failed": {}, "not_yet": {}});
        split["tables"]["AM_API"]["tenants"] = json!({"a.example": part(2), "b.example": part(4)});
        let text = split.to_string();
        let told = check(&text, &key.sign(&text), None).unwrap().shortcomings;
        assert_eq!(told, ["AM_API of b.example: 4 rows, of which 2 are accounted for", "AM_API: 5 rows, of which its tenants have 6"]);
    }
}
