//! Mediation sequences for the gateway: what each API's calls pass, gathered from what the tenant keeps.
//!
//! Order and names are the old gateway's: a tenant's `WSO2AM--Ext--In` (and `--Out`) before the API's own sequence of that flow; the API's
//! fault sequence alone. Error sequences are a tenant's own; the super tenant's do not answer for others, as each tenant's gateway
//! configuration had its own.

use std::collections::HashMap;
use std::sync::Arc;

use ::gateway::{Change as GatewayChange, HandlerForm, HandlerText, Handlers, Sequences};
use db::Tx;
use mediation::{Dialect, Library, Source};
use model::{Api, ErrorFormat, ErrorHandler, Flow, Generation, SequencePlace, StoredSequence, TenantId};

/// What a tenant's sequences share.
struct Common {
    library: Arc<Library>,
    /// Those that every call passes.
    every_call: HashMap<Flow, Source>,
    /// Those that answer for refused calls.
    handlers: Vec<HandlerText>,
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
            db::sequences::list_of_api(tx, api.id).await?.iter().map(|stored| (stored.id.clone(), Source::of(stored))).collect();
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

    /// What the gateway must know of a tenant's error sequences.
    pub(super) async fn handlers(&mut self, tx: &mut Tx, tenant: TenantId) -> db::Result<GatewayChange> {
        let common = self.common(tx, tenant).await?;
        if common.handlers.is_empty() {
            return Ok(GatewayChange::RemoveHandlers(tenant));
        }
        let (sequences, library) = (common.handlers.clone(), Arc::clone(&common.library));
        Ok(GatewayChange::PutHandlers(Handlers { tenant, sequences, library }))
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
    let mut every_call = HashMap::new();
    let mut handlers = Vec::new();
    let mut by_id = HashMap::new();
    for one in stored {
        match one.place {
            SequencePlace::Gateway => {
                match one.name.as_str() {
                    "WSO2AM--Ext--In" => drop(every_call.insert(Flow::In, Source::of(one))),
                    "WSO2AM--Ext--Out" => drop(every_call.insert(Flow::Out, Source::of(one))),
                    name => handlers.extend(ErrorHandler::named(name).map(|handler| handler_text(handler, one))),
                }
                by_id.insert(one.id.clone(), Source::of(one));
            }
            SequencePlace::Shared(_) | SequencePlace::Api(..) => drop(by_id.insert(one.id.clone(), Source::of(one))),
            SequencePlace::Endpoint | SequencePlace::LocalEntry => {}
        }
    }
    let library = Library::new().with_dialect(dialect).with_kept(stored);
    Common { library: Arc::new(library), every_call, handlers, by_id }
}

/// What of a tenant's error sequence runs: what was added to stock, or the whole.
fn handler_text(handler: ErrorHandler, stored: &StoredSequence) -> HandlerText {
    let (form, source) = match &stored.additions {
        Some(added) => (HandlerForm::Additions, Source::new(stored.file.as_str(), added.expose().as_str())),
        None => (HandlerForm::Whole, Source::of(stored)),
    };
    HandlerText { handler, form, source }
}

#[cfg(test)]
mod tests {
    use model::{ApiId, Secret};

    use super::*;

    fn stored(place: SequencePlace, name: &str, text: &[u8], additions: Option<&str>) -> StoredSequence {
        StoredSequence {
            id: name.to_owned(),
            tenant: TenantId::SUPER,
            place,
            name: name.to_owned(),
            file: format!("{name}.xml"),
            content: Secret::new(text.to_vec()),
            additions: additions.map(|text| Secret::new(text.to_owned())),
        }
    }

    #[test]
    fn each_stands_where_its_place_puts_it() {
        let common = gathered(
            &[
                stored(SequencePlace::Gateway, "WSO2AM--Ext--In", b"<sequence/>", None),
                stored(SequencePlace::Gateway, "audit", b"<sequence/>", None),
                stored(SequencePlace::Gateway, "_auth_failure_handler_", b"<sequence>whole</sequence>", Some("<sequence>added</sequence>")),
                stored(SequencePlace::Gateway, "fault", b"<sequence>whole</sequence>", None),
                stored(SequencePlace::Shared(Flow::Out), "stamp", b"<sequence>\xc3\xa4</sequence>", None),
                stored(SequencePlace::Api(ApiId::derived(&["x"]), Flow::In), "own", b"\xe4", None),
            ],
            Dialect::V2,
        );
        assert_eq!(common.every_call.keys().collect::<Vec<_>>(), [&Flow::In]);
        assert_eq!(&*common.by_id["stamp"].text, "<sequence>\u{e4}</sequence>");
        assert_eq!(&*common.by_id["own"].text, "\u{e4}");
        let handlers: Vec<_> = common.handlers.iter().map(|h| (h.handler, h.form, &*h.source.text)).collect();
        assert_eq!(
            handlers,
            [
                (ErrorHandler::AuthFailure, HandlerForm::Additions, "<sequence>added</sequence>"),
                (ErrorHandler::Fault, HandlerForm::Whole, "<sequence>whole</sequence>"),
            ]
        );
        assert!(common.library.sequence("audit").is_some() && common.library.sequence("fault").is_some());
    }

    #[test]
    fn old_sequences_speak_the_old_dialect() {
        assert_eq!(dialect(Some(ErrorFormat::Xml1(Generation::V1_9))), Dialect::V1);
        assert_eq!(dialect(Some(ErrorFormat::Accept(Generation::V2_6))), Dialect::V2);
        assert_eq!(dialect(None), Dialect::V2);
    }
}
