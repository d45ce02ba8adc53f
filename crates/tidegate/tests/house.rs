//! Who may import whom. The table is the house's floor plan (ARCHITECTURE.md); a new edge is a commit of its own that changes both.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// A crate and what it may import of ours. Dev-dependencies are free: tests may look in from anywhere.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("spec", &["model"]),
    ("archive", &["model"]),
    ("token", &["model"]),
    ("traffic", &["model"]),
    ("mediation", &["model"]),
    ("db", &["model"]),
    ("h2file", &[]),
    ("oldsite", &[]),
    ("rest", &["model", "token"]),
    ("search", &["model", "db", "rest"]),
    ("events", &["model", "db"]),
    ("userstores", &["model"]),
    ("users", &["model", "db", "userstores"]),
    ("gateway", &["model", "token", "traffic", "mediation"]),
    ("keys", &["model", "token", "db", "users", "rest"]),
    ("publisher", &["model", "spec", "archive", "db", "rest", "search", "mediation"]),
    ("portal", &["model", "archive", "db", "rest", "search", "keys"]),
    ("admin", &["model", "traffic", "db", "rest", "users"]),
    ("upgrade", &["model", "spec", "archive", "traffic", "db", "mediation", "h2file", "userstores"]),
    (
        "server",
        &[
            "model",
            "spec",
            "token",
            "traffic",
            "mediation",
            "db",
            "events",
            "rest",
            "users",
            "keys",
            "publisher",
            "portal",
            "admin",
            "gateway",
        ],
    ),
    ("tidegate", &["server", "upgrade"]),
    ("testkit", &["model", "token", "db", "server"]),
    ("xtask", &["oldsite"]),
];

/// Who may import a library that must not spread. The SQL driver is the important one: our database is touched by `db` alone, the old
/// product's by `upgrade` alone, a site's own user databases by `userstores` alone; tests make databases to run on.
const ONLY_BY: &[(&str, &[&str])] = &[
    ("sqlx", &["db", "upgrade", "userstores", "testkit"]),
    ("ldap3", &["userstores"]),
    ("argon2", &["users"]),
    ("clap", &["tidegate", "xtask"]),
    ("zip", &["archive"]),
    ("indicatif", &["tidegate"]),
    ("anyhow", &["tidegate", "xtask"]),
    ("quick-xml", &["upgrade", "mediation"]),
    ("fancy-regex", &["mediation"]),
    ("rquickjs", &["mediation"]),
    ("stacker", &["mediation"]),
    ("jsonschema", &["mediation"]),
    ("uppsala", &["mediation"]),
    ("reqwest", &["publisher", "upgrade", "testkit", "xtask"]),
    ("axum", &["rest", "keys", "publisher", "portal", "admin", "server"]),
];

struct House {
    /// Crate to everything it imports outside tests.
    imports: BTreeMap<String, BTreeSet<String>>,
}

fn house() -> House {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let mut imports = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = room(package["name"].as_str().expect("a name"));
        let needs = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .map(|dependency| room(dependency["name"].as_str().expect("a name")))
            .collect();
        imports.insert(name, needs);
    }
    House { imports }
}

fn room(package: &str) -> String {
    package.strip_prefix("tidegate-").unwrap_or(package).to_owned()
}

#[test]
fn every_crate_imports_only_downward() {
    let house = house();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = MAY_IMPORT.iter().map(|(name, may)| (*name, may.iter().copied().collect())).collect();
    let mut faults = Vec::new();
    for (name, needs) in &house.imports {
        let Some(may) = allowed.get(name.as_str()) else {
            faults.push(format!("{name} is not in the table"));
            continue;
        };
        for need in needs.iter().filter(|need| house.imports.contains_key(*need)) {
            if !may.contains(need.as_str()) {
                faults.push(format!("{name} imports {need}"));
            }
        }
    }
    for name in allowed.keys().filter(|name| !house.imports.contains_key(**name)) {
        faults.push(format!("{name} is in the table but not in the house"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn libraries_stay_in_their_rooms() {
    let house = house();
    let mut faults = Vec::new();
    for (library, owners) in ONLY_BY {
        for (name, needs) in &house.imports {
            if needs.contains(*library) && !owners.contains(&name.as_str()) {
                faults.push(format!("{name} imports {library}, which belongs to {}", owners.join(", ")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
