//! Reports as an operator gets them: signed and checked, as a page, and by tenant; through the binary.

use serde_json::Value;

use crate::upgrade_road::Old;

fn json(old: &Old, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(old.at(name)).unwrap()).unwrap()
}

/// Cells of the row of a table of the page, by the name in its first cell.
fn row(page: &str, name: &str) -> Option<Vec<u64>> {
    let (_, rest) = page.split_once(&format!("<tr><td>{name}</td>"))?;
    let (cells, _) = rest.split_once("</tr>")?;
    Some(cells.split("</td>").filter_map(|cell| cell.strip_prefix("<td>")?.parse().ok()).collect())
}

fn sum(value: &Value) -> u64 {
    value.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum()
}

#[test]
fn a_report_is_signed_and_one_that_was_touched_is_refused() {
    let old = Old::sample();
    old.fine(&["apply", "--unplanned"], "data");
    let said = old.fine(&["report", "--out", "r.json", "--html", "r.html"], "data");
    let signed_by = said.split("Signed by ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let check = |more: &[&str]| {
        let words: Vec<&str> = ["verify-report", "r.json"].iter().chain(more).copied().collect();
        let output =
            std::process::Command::new(crate::binary()).arg("upgrade").args(words).current_dir(old.folder.path()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (fine, said) = check(&[]);
    assert!(fine && said.contains("It adds up") && said.contains(&signed_by), "{said}");
    assert!(check(&["--signed-by", &signed_by]).0);
    let (fine, said) = check(&["--signed-by", "00000000000000000000000000000000"]);
    assert!(!fine && said.contains("not to be trusted"), "{said}");
    // One figure, one byte of the signature, and another report's signature.
    let (text, signature) = (std::fs::read_to_string(old.at("r.json")).unwrap(), std::fs::read_to_string(old.at("r.json.sig")).unwrap());
    let touched = text.replacen("\"imported\": 1", "\"imported\": 2", 1);
    assert_ne!(touched, text);
    std::fs::write(old.at("r.json"), &touched).unwrap();
    let (fine, said) = check(&[]);
    assert!(!fine && said.contains("not to be trusted"), "{said}");
    std::fs::write(old.at("r.json"), &text).unwrap();
    assert!(check(&[]).0);
    let at = signature.len() - 10;
    let other = if &signature[at..=at] == "A" { "B" } else { "A" };
    std::fs::write(old.at("r.json.sig"), format!("{}{other}{}", &signature[..at], &signature[at + 1..])).unwrap();
    assert!(!check(&[]).0);
    std::fs::remove_file(old.at("r.json.sig")).unwrap();
    let (fine, said) = check(&[]);
    assert!(!fine && said.contains("r.json.sig"), "{said}");
    // The key is its owner's alone, and is used again.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(old.at("data").join("report.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
    assert!(old.fine(&["report", "--out", "again.json"], "data").contains(&signed_by));
}

#[test]
fn a_page_needs_nothing_else_and_tells_what_the_json_tells() {
    let old = Old::sample();
    for (command, words) in [("plan", vec!["plan"]), ("apply", vec!["apply", "--unplanned"]), ("verify", vec!["verify"])] {
        let words: Vec<&str> = words.into_iter().chain(["--json", "r.json", "--html", "r.html"]).collect();
        let said = old.fine(&words, "data");
        let (page, report) = (std::fs::read_to_string(old.at("r.html")).unwrap(), json(&old, "r.json"));
        for outside in ["http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe", "<img"] {
            // What the source says of itself may hold addresses, as text.
            let of_markup = page.split('<').map(|part| part.split('>').next().unwrap_or_default());
            assert!(!of_markup.clone().any(|tag| format!("<{tag}").contains(outside)), "{command}: {outside}");
        }
        assert!(page.contains("default-src 'none'"), "{command}");
        let mut compared = 0;
        for (table, account) in report["tables"].as_object().unwrap().iter().filter(|(_, account)| account["rows"] != 0) {
            let n = |key: &str| account[key].as_u64().unwrap();
            let cells =
                [n("rows"), n("imported"), n("merged"), sum(&account["skipped"]), sum(&account["not_yet"]), sum(&account["failed"])];
            assert_eq!(row(&page, table).as_deref(), Some(&cells[..]), "{command}: {table}");
            // Text, page and JSON tell each tenant the same, and all tenants come to the whole.
            let Some(tenants) = account.get("tenants").and_then(Value::as_object) else { continue };
            assert_eq!(tenants.values().map(|t| t["rows"].as_u64().unwrap()).sum::<u64>(), n("rows"), "{table}");
            let (_, rest) = page.split_once(&format!("<tr><td>{table}</td>")).unwrap();
            for (tenant, part) in tenants {
                let told = row(rest, &format!("\u{2003}{tenant}")).unwrap();
                assert_eq!(told[0], part["rows"].as_u64().unwrap(), "{table} of {tenant}");
                assert!(said.contains(&format!("of {tenant}")), "{said}");
                compared += 1;
            }
        }
        assert!(compared > 20, "{command}: {compared} accounts of tenants");
        let kinds = match command {
            "verify" => &report["verification"]["kinds"],
            "apply" => &report["written"]["records"],
            _ => &report["records"],
        };
        for kind in kinds.as_array().unwrap() {
            let n = |key: &str| kind[key].as_u64().unwrap();
            let cells = match command {
                "verify" => vec![n("source"), n("target"), n("equal"), n("lived_on"), n("missing"), n("different")],
                _ => vec![n("source"), n("new"), n("replaces"), n("changed"), n("same"), n("conflicts")],
            };
            let name = kind["kind"].as_str().unwrap();
            match cells.iter().any(|n| *n > 0) {
                true => assert_eq!(row(&page, name), Some(cells), "{command}: {kind}"),
                // Told in one line with the others of which there is none.
                false => assert!(row(&page, name).is_none() && page.contains("<p class=\"soft\">None: "), "{command}: {kind}"),
            }
        }
    }
}
