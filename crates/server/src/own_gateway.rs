//! What this product's gateway can serve, told to the publisher before it writes a deployment.

use std::error::Error as _;
use std::sync::Arc;

use gateway::{Change, Deployed, Snapshot};
use model::{Api, RevisionId};
use publisher::Gateway;

/// The gateway of this very build. Other processes on the same database are expected to run the same one.
pub(crate) struct OwnGateway;

impl Gateway for OwnGateway {
    fn can_serve(&self, api: Api) -> Result<(), String> {
        let deployed = Deployed { api: Arc::new(api), revision: RevisionId::random(), environment: String::new() };
        // Compiling is all that can fail, and it is the same that the feed will do.
        Snapshot::empty().apply(&[Change::PutApi(Arc::new(deployed))]).map(drop).map_err(|faults| {
            let words = |fault: &gateway::CompileFault| match fault.source() {
                Some(cause) => format!("{fault}: {cause}"),
                None => fault.to_string(),
            };
            faults.iter().map(words).collect::<Vec<_>>().join("; ")
        })
    }
}
