//! Mediation sequences for the gateway: what each API's calls pass, gathered from what the tenant keeps.
//!
//! Order and names are the old gateway's: a tenant's `WSO2AM--Ext--In` (and `--Out`) before the API's own sequence of that flow; the API's
//! fault sequence alone.

use std::collections::HashMap;
use std::sync::Arc;

use ::gateway::{Change as GatewayChange, Sequences};
use db::Tx;
use mediation::{Dialect, Library, Source};
use model::{Api, ErrorFormat, Flow, Generation, SequencePlace, StoredSequence, TenantId};

/// What a tenant's sequences share.
struct Common {
    library: Arc<Library>,
    /// Those that every call passes.
    every_call: HashMap<Flow, Source>,
    /// Those that an API may name, by id.
    by_id: HashMap<String, Source>,
}

/// Gathers sequences during one reading of the database; a tenant's common ones are read once.
#[derive(Default)]
pub(super) struct Gathering {
    tenants: HashMap<TenantId, Arc<Common>>,
}

impl Gathering {
    /// What the gateway must know of this API's sequences.
    pub(super) async fn of(&mut self, tx: &mut Tx, api: &Api) -> db::Result<GatewayChange> {
        let common = self.common(tx, api.tenant).await?;
        if api.mediation_policies.is_empty() && common.every_call.is_empty() {
            return Ok(GatewayChange::RemoveSequences(api.id));
        }
        let own: HashMap<String, Source> =
            db::sequences::list_of_api(tx, api.id).await?.iter().map(|stored| (stored.id.clone(), source(stored))).collect();
        let attached = |flow: Flow| {
            let reference = api.mediation_policies.iter().find(|policy| Flow::parse(&policy.flow) == Some(flow))?;
            let id = reference.id.as_deref()?;
            let found = own.get(id).or_else(|| common.by_id.get(id)).cloned();
            if found.is_none() {
                // Named in the publisher and never uploaded, or deleted since: nothing is there that could run.
                tracing::warn!(api = %api.id, sequence = reference.name, "an API names a sequence that is not there; its calls pass without");
            }
            found
        };
        let passed = |flow: Flow| common.every_call.get(&flow).cloned().into_iter().chain(attached(flow)).collect();
        Ok(GatewayChange::PutSequences(Sequences {
            api: api.id,
            request: passed(Flow::In),
            response: passed(Flow::Out),
            fault: attached(Flow::Fault),
            library: Arc::clone(&common.library),
        }))
    }

    async fn common(&mut self, tx: &mut Tx, tenant: TenantId) -> db::Result<Arc<Common>> {
        if let Some(common) = self.tenants.get(&tenant) {
            return Ok(Arc::clone(common));
        }
        let stored = db::sequences::list_common(tx, tenant).await?;
        let ways = db::continuity::find(tx, tenant).await?;
        let common = Arc::new(gathered(&stored, dialect(ways.map(|ways| ways.error_format))));
        self.tenants.insert(tenant, Arc::clone(&common));
        Ok(common)
    }
}

/// A tenant whose errors look as in 1.8 and 1.9 has sequences of those versions.
fn dialect(format: Option<ErrorFormat>) -> Dialect {
    match format {
        Some(ErrorFormat::Xml1(Generation::V1_8 | Generation::V1_9) | ErrorFormat::Accept(Generation::V1_8 | Generation::V1_9)) => {
            Dialect::V1
        }
        _ => Dialect::V2,
    }
}

fn gathered(stored: &[StoredSequence], dialect: Dialect) -> Common {
    let mut library = Library::new().with_dialect(dialect);
    let mut every_call = HashMap::new();
    let mut by_id = HashMap::new();
    for one in stored {
        let source = source(one);
        match one.place {
            SequencePlace::Gateway => {
                let flow = match one.name.as_str() {
                    "WSO2AM--Ext--In" => Some(Flow::In),
                    "WSO2AM--Ext--Out" => Some(Flow::Out),
                    _ => None,
                };
                if let Some(flow) = flow {
                    every_call.insert(flow, source.clone());
                }
                by_id.insert(one.id.clone(), source.clone());
                library = library.with_sequence(one.name.as_str(), source);
            }
            SequencePlace::Shared(_) | SequencePlace::Api(..) => drop(by_id.insert(one.id.clone(), source)),
            SequencePlace::Endpoint => library = library.with_endpoint(one.name.as_str(), source),
            SequencePlace::LocalEntry if one.name.starts_with("gov:") || one.name.starts_with("conf:") => {
                library = library.with_entry(one.name.as_str(), source);
            }
            SequencePlace::LocalEntry => library = library.with_local_entry(&source),
        }
    }
    Common { library: Arc::new(library), every_call, by_id }
}

/// Text in UTF-8, or else in Latin-1, as old editors saved it; with or without byte order mark.
fn source(stored: &StoredSequence) -> Source {
    let bytes = stored.content.expose();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    };
    Source::new(stored.file.as_str(), text)
}

#[cfg(test)]
mod tests {
    use model::{ApiId, Secret};

    use super::*;

    fn stored(place: SequencePlace, name: &str, text: &[u8]) -> StoredSequence {
        StoredSequence {
            id: name.to_owned(),
            tenant: TenantId::SUPER,
            place,
            name: name.to_owned(),
            file: format!("{name}.xml"),
            content: Secret::new(text.to_vec()),
            additions: None,
        }
    }

    #[test]
    fn each_stands_where_its_place_puts_it() {
        let common = gathered(
            &[
                stored(SequencePlace::Gateway, "WSO2AM--Ext--In", b"<sequence/>"),
                stored(SequencePlace::Gateway, "audit", b"<sequence/>"),
                stored(SequencePlace::Shared(Flow::Out), "stamp", b"\xef\xbb\xbf<sequence>\xc3\xa4</sequence>"),
                stored(SequencePlace::Api(ApiId::derived(&["x"]), Flow::In), "own", b"\xe4"),
                stored(SequencePlace::Endpoint, "auditor", b"<endpoint/>"),
                stored(SequencePlace::LocalEntry, "entry", b"<localEntry key='entry'>text</localEntry>"),
                stored(SequencePlace::LocalEntry, "gov:/x.json", b"{}"),
            ],
            Dialect::V2,
        );
        assert_eq!(common.every_call.keys().collect::<Vec<_>>(), [&Flow::In]);
        assert_eq!(&*common.by_id["stamp"].text, "<sequence>\u{e4}</sequence>");
        assert_eq!(&*common.by_id["own"].text, "\u{e4}");
        let library = &common.library;
        assert!(library.sequence("audit").is_some() && library.endpoint("auditor").is_some());
        assert_eq!(library.entry("entry").map(|s| &*s.text), Some("text"));
        assert_eq!(library.entry("gov:/x.json").map(|s| &*s.text), Some("{}"));
    }

    #[test]
    fn old_sequences_speak_the_old_dialect() {
        assert_eq!(dialect(Some(ErrorFormat::Xml1(Generation::V1_9))), Dialect::V1);
        assert_eq!(dialect(Some(ErrorFormat::Accept(Generation::V2_6))), Dialect::V2);
        assert_eq!(dialect(None), Dialect::V2);
    }
}
