//! Large real documents, read from where the reader has them: `TIDEGATE_REFERENCE` names a folder whose `openapi/*.yaml` are 4.0.0's own
//! interface documents.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the whole binary is a test")]

use std::path::PathBuf;

use model::{Api, ApiId, TenantId, Timestamp};
use tidegate_spec as spec;

fn documents() -> Option<Vec<(PathBuf, String)>> {
    let Some(folder) = std::env::var_os("TIDEGATE_REFERENCE") else {
        println!("skipped: TIDEGATE_REFERENCE names no folder of interface documents");
        return None;
    };
    let entries = std::fs::read_dir(PathBuf::from(folder).join("openapi")).unwrap();
    let yaml = entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "yaml"));
    Some(yaml.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect())
}

#[test]
fn interface_documents_are_read_and_survive_a_write() {
    let Some(documents) = documents() else { return };
    assert!(!documents.is_empty());
    for (path, text) in documents {
        let parsed = spec::validate(&text).unwrap_or_else(|faults| panic!("{}: {faults:?}", path.display()));
        assert!(!parsed.operations.is_empty(), "{}", path.display());
        if path.ends_with("publisher-v2.yaml") {
            assert!(parsed.scopes.iter().any(|s| s.name == "apim:api_create"));
            assert!(parsed.operations.iter().any(|o| o.scopes.iter().any(|s| s == "apim:api_create")));
        }

        let mut api = Api::new(ApiId::derived(&["t"]), TenantId::SUPER, "admin", "Own", "1", "/own", Timestamp(0));
        api.operations.clone_from(&parsed.operations);
        api.scopes.clone_from(&parsed.scopes);
        let applied = spec::apply(&parsed.definition(), &api).unwrap();
        let again = spec::validate(&applied.text).unwrap();
        assert_eq!(again.operations, parsed.operations, "{}", path.display());
        assert_eq!(again.scopes, parsed.scopes, "{}", path.display());
        for part in [
            "/info",
            "/tags",
            "/components/schemas",
            "/components/parameters",
            "/components/responses",
            "/definitions",
            "/parameters",
            "/responses",
        ] {
            assert_eq!(again.document.pointer(part), parsed.document.pointer(part), "{}{part}", path.display());
        }
    }
}
