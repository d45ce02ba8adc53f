//! An API's definition: what its author wrote, converted where it is Swagger 1.2, made up from the operations where there is none.

use model::{Api, Definition, Operation};
use spec::Parsed;

use super::{About, Desk, decoded};
use crate::old::apis::OldApi;
use crate::packed::Squeezed;

/// What becomes of a definition that does not read.
const KEPT: &str = "One is made from the resources; the author's is kept as a file of the API.";

/// The author's definition, read; `None` when there is none that can be.
pub(super) fn read(desk: &mut Desk<'_>, old: &OldApi, shown: &str) -> Option<Parsed> {
    const MENDED: &str = "The definition is carried mended; the author's is kept as a file of the API.";
    if let Some(bytes) = old.swagger.as_ref().map(Squeezed::open) {
        let origin = format!("swagger.json of {shown}");
        match spec::parse(&decoded(&bytes)) {
            Ok(parsed) => {
                if !parsed.repairs.is_empty() {
                    remember(desk, old);
                    let words = parsed.repairs.iter().take(5).map(|r| format!("{} {}", r.place, r.what)).collect::<Vec<_>>().join("; ");
                    desk.note(About::Api, MENDED, origin, format!("{shown}: {words}"));
                }
                return Some(parsed);
            }
            Err(faults) => {
                let why = faults.first().map(|f| f.description.clone()).unwrap_or_default();
                remember(desk, old);
                desk.warn(About::Api, KEPT, origin, format!("{shown}: {why}"));
            }
        }
    }
    let old_form = old.swagger_12.as_ref()?;
    let origin = format!("api-doc of {shown}");
    let root = old_form.root.as_deref().map_or_else(|| r#"{"swaggerVersion":"1.2"}"#.to_owned(), decoded);
    let parts: Vec<(String, String)> = old_form.parts.iter().map(|(name, bytes)| (name.clone(), decoded(bytes))).collect();
    let parts: Vec<(&str, &str)> = parts.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let converted = spec::convert_swagger12(&root, &parts).and_then(|converted| {
        let parsed = spec::parse(&converted.definition.text)?;
        Ok((converted.repairs, parsed))
    });
    match converted {
        Ok((repairs, parsed)) => {
            if !repairs.is_empty() {
                let words = repairs.iter().take(5).map(|r| format!("{} {}", r.place, r.what)).collect::<Vec<_>>().join("; ");
                desk.note(About::Api, "The Swagger 1.2 definition is carried as Swagger 2.0.", origin, format!("{shown}: {words}"));
            }
            Some(parsed)
        }
        Err(faults) => {
            let why = faults.first().map(|f| f.description.clone()).unwrap_or_default();
            desk.warn(About::Api, KEPT, origin, format!("{shown}: {why}"));
            None
        }
    }
}

/// Has the definition kept as it was beside the one that is carried.
fn remember(desk: &mut Desk<'_>, old: &OldApi) {
    desk.mended.extend(old.swagger_file.iter().map(|f| (f.tenant_id, f.path.clone())));
}

/// The operations a definition lists.
pub(super) fn operations(parsed: Option<&Parsed>) -> &[Operation] {
    parsed.map(|p| p.operations.as_slice()).unwrap_or_default()
}

/// The definition as kept: the author's, with the API written into it.
pub(super) fn finished(desk: &mut Desk<'_>, old: &OldApi, parsed: Option<&Parsed>, api: &Api) -> Definition {
    let made = || spec::generate(api, spec::Version::V2);
    match parsed.map(|p| spec::apply(&p.definition(), api)) {
        Some(Ok(definition)) => definition,
        Some(Err(faults)) => {
            let why = faults.first().map(|f| f.description.clone()).unwrap_or_default();
            let shown = format!("{} {}", api.name, api.version);
            remember(desk, old);
            desk.warn(About::Api, KEPT, format!("definition of {shown}"), why);
            made()
        }
        None => made(),
    }
}
