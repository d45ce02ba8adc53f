//! What gateways run. They read the frozen revision, not the API's record, so a limit changed there alone would be met by callers and seen
//! by nobody who looks at the API.

use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::{Tx, apis, deployments, environments, revisions};
use model::{Deployment, RevisionId};

use super::Verification;
use super::straight::Question;
use crate::target::nouns::CARRIED_OVER;
use crate::translate::{CarriedApi, Translation};

pub(super) async fn compare(done: &mut Verification, translation: &Translation, tx: &mut Tx) -> db::Result<()> {
    let environment = environments::find(tx, DEFAULT_ENVIRONMENT).await?;
    let mut hosts: Vec<String> = environment.map(|e| e.vhosts.into_iter().map(|v| v.host).collect()).unwrap_or_default();
    // What was written before a first start made the environment has the host of an environment nobody named.
    hosts.push("localhost".to_owned());
    let mut question = Question::new("what gateways run");
    for carried in translation.apis.iter().filter(|a| a.value.deployed) {
        let id = carried.value.api.id;
        if apis::find(tx, id).await?.is_none() {
            continue;
        }
        let deployed = deployments::list(tx, id).await?.into_iter().find(|d| d.environment == DEFAULT_ENVIRONMENT);
        let is = match &deployed {
            Some(deployed) => Some(faults(&carried.value, deployed, &hosts, tx).await?),
            None => None,
        };
        let is = is.map(|faults| if faults.is_empty() { "as the API".to_owned() } else { format!("another {}", faults.join(", ")) });
        question.ask(&carried.key, "revision and deployment", "as the API", is.as_deref());
    }
    question.close(done);
    Ok(())
}

async fn faults(carried: &CarriedApi, deployed: &Deployment, hosts: &[String], tx: &mut Tx) -> db::Result<Vec<&'static str>> {
    let Some(revision) = revisions::find(tx, deployed.revision).await? else { return Ok(vec!["revision, which is gone"]) };
    let api = &carried.api;
    let mut faults = Vec::new();
    let mut hold = |holds: bool, name: &'static str| {
        if !holds {
            faults.push(name);
        }
    };
    hold(revision.api == api.id, "API");
    hold(*revision.content == *api, "content");
    hold(revision.definition.as_ref() == Some(&carried.definition.open()), "definition");
    hold(hosts.contains(&deployed.vhost), "host");
    hold(deployed.display_on_portal, "display in the portal");
    // A revision somebody made and deployed here since has a number, words and times of its own.
    let own_number = revision.id == RevisionId::derived(&[&api.id.to_string(), &revision.number.to_string()]);
    let own_words = revision.description.as_deref() == Some(CARRIED_OVER);
    if own_number || own_words {
        hold(own_number, "number");
        hold(own_words, "description");
        hold(revision.created_at == api.updated_at, "time of the revision");
        hold(deployed.deployed_at == api.updated_at, "time of the deployment");
    }
    Ok(faults)
}
