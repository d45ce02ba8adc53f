//! The sequences of real old installations, read from where the reader has them: `TIDEGATE_SAMPLES` names a folder of installations.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the whole binary is a test")]

use std::path::{Path, PathBuf};

use tidegate_mediation as mediation;

fn sequences(samples: &Path) -> Vec<PathBuf> {
    let installations = std::fs::read_dir(samples).unwrap().map(|e| e.unwrap().path());
    let folders = installations.map(|i| i.join("repository/deployment/server/synapse-configs/default/sequences")).filter(|f| f.is_dir());
    folders
        .flat_map(|f| std::fs::read_dir(f).unwrap())
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "xml"))
        .collect()
}

#[test]
fn every_shipped_sequence_is_read_hashed_and_known() {
    let Some(samples) = std::env::var_os("TIDEGATE_SAMPLES") else {
        println!("skipped: TIDEGATE_SAMPLES names no folder of old installations");
        return;
    };
    let files = sequences(Path::new(&samples));
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let sequence = mediation::parse(&text).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
        assert_eq!(sequence.name.as_deref(), file.file_stem().and_then(|s| s.to_str()));
        for finding in mediation::findings(&sequence) {
            assert_ne!(finding.standing, mediation::Standing::Unknown, "{}:{}: {}", file.display(), finding.line, finding.mediator);
            let line = text.lines().nth(usize::try_from(finding.line).unwrap() - 1).unwrap();
            assert!(line.contains(&finding.mediator), "{}:{}: {}", file.display(), finding.line, finding.mediator);
        }
        let windows = text.replace("\r\n", "\n").replace('\n', "\r\n").replace("<!--", "<!-- edited ");
        assert_eq!(mediation::normalised_hash(&windows), mediation::normalised_hash(&text), "{}", file.display());
    }
}
