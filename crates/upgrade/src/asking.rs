//! Asks user stores whether they answer, before anybody depends on it. They are not part of the source, so this is not translation.

use std::time::Duration;

use futures_util::future::join_all;
use model::UserStore;
use userstores::Directory;

use crate::translate::{About, Finding, Severity, Translation};

/// For all steps with one store.
const PATIENCE: Duration = Duration::from_secs(15);
/// Stores asked at once.
const AT_ONCE: usize = 8;

/// Asks every store that is switched on, and tells what came of it among the findings: from this machine, which need not be the one that will
/// serve.
pub async fn ask_user_stores(translation: &mut Translation) {
    let stores: Vec<&UserStore> = translation.user_stores.iter().map(|carried| &carried.value).filter(|store| !store.disabled).collect();
    let mut told = Vec::new();
    for some in stores.chunks(AT_ONCE) {
        told.extend(join_all(some.iter().map(|store| ask(store))).await.into_iter().flatten());
    }
    translation.findings.extend(told);
    translation.findings.sort();
    translation.findings.dedup();
}

/// `None` for a definition that cannot be used, of which translation has told.
async fn ask(store: &UserStore) -> Option<Finding> {
    let directory = Directory::new(store).ok()?;
    let address = directory.address();
    let tested = match tokio::time::timeout(PATIENCE, directory.test()).await {
        Ok(tested) => tested.map_err(|unanswered| unanswered.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    let (severity, consequence, words) = match tested {
        Ok(()) => (
            Severity::Note,
            "Its users can sign in here as they did there.",
            format!("{} {} at {address} answers", store.kind, store.domain),
        ),
        Err(reason) => (
            Severity::Warning,
            "As long as it is so where Tidegate runs, its users cannot sign in.",
            format!("{} {} at {address} cannot be asked from this machine: {reason}", store.kind, store.domain),
        ),
    };
    Some(Finding {
        severity,
        about: About::User,
        consequence,
        origin: format!("user store {} of tenant {}", store.domain, store.tenant),
        words,
    })
}
