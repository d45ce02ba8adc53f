//! Sequences: the bytes that ran, held against the bytes that will, past the translation.

use std::borrow::Cow;
use std::collections::HashMap;

use db::{Tx, apis, sequences};
use model::{ApiId, SequencePlace, TenantId};

use super::Verification;
use super::straight::Question;
use crate::old::apis::OldApi;
use crate::translate::{Input, Translation, is_stock_sequence};

pub(super) async fn compare(done: &mut Verification, translation: &Translation, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let carried: HashMap<&str, ApiId> = translation.apis.iter().map(|a| (a.key.as_str(), a.value.api.id)).collect();
    let mut question = Question::new("sequences that APIs run");
    for old in &input.old.apis {
        let (Some(artifact), Some(row)) = (&old.artifact, &old.row) else { continue };
        let by_row = || carried.get(row.id.to_string().as_str()).copied();
        let Some(id) = old.uuid.as_deref().and_then(|u| u.parse().ok()).or_else(by_row) else { continue };
        let Some(api) = apis::find(tx, id).await? else { continue };
        for flow in ["in", "out", "fault"] {
            let named = artifact.get(&format!("overview_{flow}Sequence")).map(str::trim).unwrap_or_default();
            let ours = old_bytes(input, old, flow, named);
            if ours.is_empty() {
                continue;
            }
            let reference = api.mediation_policies.iter().find(|p| p.flow == flow).and_then(|p| p.id.clone());
            let is = match reference {
                Some(id) => sequences::find(tx, &id).await?,
                None => None,
            };
            let is = is.map(|s| if ours.iter().any(|bytes| **bytes == **s.content.expose()) { "as it was" } else { "another" });
            question.ask(&format!("AM_API {}", row.id), &format!("{flow} sequence"), "as it was", is);
        }
    }
    question.close(done);
    gateways(done, input, tx).await
}

/// Every text that may have run for an API in a flow: its own, the shared one, the gateway's copy.
fn old_bytes<'a>(input: &Input<'a>, old: &'a OldApi, flow: &str, named: &str) -> Vec<Cow<'a, [u8]>> {
    let (_, name, version) = old.identity();
    let files = input.old.tenant_files.iter().filter(|f| f.tenant_id == old.tenant_id).flat_map(|f| &f.sequences);
    let wanted = !named.is_empty() && !named.eq_ignore_ascii_case("none");
    let registry = old.sequences.iter().chain(files).filter(|s| wanted && s.direction.eq_ignore_ascii_case(flow));
    let said = format!("name=\"{named}\"");
    let said_so = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\'', "\"").contains(&said);
    let registry = registry.filter(|s| s.file.trim_end_matches(".xml") == named || said_so(&s.bytes));
    let mut found: Vec<Cow<'_, [u8]>> = registry.map(|s| Cow::Borrowed(s.bytes.as_slice())).collect();
    let end = format!("{name}:v{version}--{flow}").to_ascii_lowercase();
    let on_gateway = input.synapse.iter().filter(|f| f.tenant_id == old.tenant_id && f.kind == "sequences");
    found.extend(on_gateway.filter(|f| f.name.to_ascii_lowercase().ends_with(&end)).map(|f| Cow::Owned(f.bytes.open())));
    found
}

/// The gateway's own sequences: whatever is not stock to the letter.
async fn gateways(done: &mut Verification, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("sequences of the gateway that a site changed or made");
    for file in input.synapse.iter().filter(|f| f.kind == "sequences" && !belongs_to_an_api(&f.name)) {
        let Some(tenant) = i32::try_from(file.tenant_id).ok().map(TenantId) else { continue };
        if db::tenants::find(tx, tenant).await?.is_none() || is_stock_sequence(&file.bytes.open()) {
            continue;
        }
        let name = format!("{}.xml", file.name);
        let is = sequences::find_by_file(tx, tenant, SequencePlace::Gateway, &name).await?;
        let is = is.map(|s| if *s.content.expose() == file.bytes.open() { "as it was" } else { "another" });
        question.ask(&format!("sequences/{name} of tenant {tenant}"), "bytes", "as it was", is);
    }
    question.close(done);
    Ok(())
}

fn belongs_to_an_api(name: &str) -> bool {
    !name.starts_with("WSO2AM--Ext--") && ["--In", "--Out", "--Fault"].iter().any(|end| name.ends_with(end))
}
