//! What archives of 4.0.0 cannot hold, written down for whoever imports them: by kind, each by name, and what to do.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use model::{SequencePlace, TenantId, default_advanced_policies, default_application_policies, default_subscription_policies};

use super::Exported;
use crate::translate::Translation;

/// Most names told of one kind; the number of all is told anyway.
const NAMES_MAX: usize = 1000;

/// Things left out while archives were written.
#[derive(Debug, Default)]
pub(super) struct Left {
    kinds: BTreeMap<&'static str, (u64, Vec<String>)>,
}

impl Left {
    /// Notes one thing. `kind` may say what to do.
    pub(super) fn name(&mut self, kind: &'static str, name: &str) {
        let (count, names) = self.kinds.entry(kind).or_default();
        *count += 1;
        if names.len() < NAMES_MAX {
            names.push(name.to_owned());
        }
    }

    fn add(&mut self, kind: &'static str, names: impl IntoIterator<Item = String>) {
        names.into_iter().for_each(|name| self.name(kind, &name));
    }
}

/// The whole text.
pub(super) fn told(during: &Left, translation: &Translation, done: Exported) -> String {
    let mut text = String::from("# What these archives do not hold\n\n");
    let Exported { apis, applications, subscriptions, .. } = done;
    let _ =
        writeln!(text, "They hold: APIs: {apis}, applications: {applications}, their subscriptions: {subscriptions}. Import APIs first.\n");
    let mut before = Left::default();
    needed_first(&mut before, translation);
    section(&mut text, "To be there before you import", &before);
    let mut after = never(translation);
    for (kind, (count, names)) in &during.kinds {
        after.kinds.insert(kind, (*count, names.clone()));
    }
    section(&mut text, "Not exported", &after);
    text.push_str("Findings of `tidegate upgrade assess` hold for these archives too: what it says is lost or mended is so here.\n");
    text
}

fn section(text: &mut String, head: &str, left: &Left) {
    if left.kinds.is_empty() {
        return;
    }
    let _ = writeln!(text, "## {head}\n");
    for (kind, (count, names)) in &left.kinds {
        let _ = writeln!(text, "### {kind}: {count}\n");
        for name in names {
            // Names are the old installation's; none may look like this page's own.
            let shown: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = writeln!(text, "- `{}`", shown.replace('`', "'"));
        }
        if !names.is_empty() && *count > names.len() as u64 {
            let _ = writeln!(text, "- and {} more", *count - names.len() as u64);
        }
        text.push('\n');
    }
}

/// Policies that exported APIs and applications name; the others are nobody's worry before an import.
struct Used<'a> {
    plans: HashSet<(TenantId, &'a str)>,
    advanced: HashSet<(TenantId, &'a str)>,
    of_applications: HashSet<(TenantId, String)>,
}

impl<'a> Used<'a> {
    fn of(translation: &'a Translation) -> Self {
        let apis = || translation.apis.iter().map(|carried| &carried.value.api);
        let plans = apis().flat_map(|api| api.plans.iter().map(|plan| (api.tenant, plan.as_str()))).collect();
        let of_api = apis().filter_map(|api| Some((api.tenant, api.api_policy.as_deref()?)));
        let of_operations = apis().flat_map(|api| api.operations.iter().map(|one| (api.tenant, one.policy.as_str())));
        let of_applications = translation.applications.iter().map(|one| (one.value.tenant, one.value.policy.clone())).collect();
        Self { plans, advanced: of_api.chain(of_operations).collect(), of_applications }
    }
}

/// What archives name and do not bring.
fn needed_first(left: &mut Left, translation: &Translation) {
    let domains = |tenant: TenantId| {
        let known = translation.tenants.iter().find(|t| t.value.id == tenant);
        known.map_or(model::SUPER_TENANT_DOMAIN, |t| t.value.domain.as_str()).to_owned()
    };
    let of = |name: &str, tenant: TenantId| format!("{name} ({})", domains(tenant));
    left.add("tenants", translation.tenants.iter().map(|t| t.value.domain.clone()));
    let used = Used::of(translation);
    let stock: HashSet<String> = default_subscription_policies(TenantId::SUPER).into_iter().map(|p| p.name).collect();
    let plans = translation.subscription_policies.iter().map(|p| &p.value).filter(|p| !stock.contains(&p.name));
    let plans = plans.filter(|p| used.plans.contains(&(p.tenant, p.name.as_str())));
    left.add("business plans (make them in the admin portal with the old limits)", plans.map(|p| of(&p.name, p.tenant)));
    let stock: HashSet<String> = default_application_policies(TenantId::SUPER).into_iter().map(|p| p.name).collect();
    let policies = translation.application_policies.iter().map(|p| &p.value).filter(|p| !stock.contains(&p.name));
    let policies = policies.filter(|p| used.of_applications.contains(&(p.tenant, p.name.clone())));
    left.add("application policies (make them in the admin portal)", policies.map(|p| of(&p.name, p.tenant)));
    let stock: HashSet<String> = default_advanced_policies(TenantId::SUPER).into_iter().map(|p| p.name).collect();
    let policies = translation.advanced_policies.iter().map(|p| &p.value).filter(|p| !stock.contains(&p.name));
    let policies = policies.filter(|p| used.advanced.contains(&(p.tenant, p.name.as_str())));
    left.add("advanced policies (make them in the admin portal)", policies.map(|p| of(&p.name, p.tenant)));
    left.add("roles", translation.roles.iter().map(|r| of(&r.value.name, r.value.tenant)));
    left.add("scopes that APIs share", translation.shared_scopes.iter().map(|s| of(&s.value.scope.name, s.value.tenant)));
    let shared = translation.sequences.iter().map(|s| &s.value).filter(|s| matches!(s.place, SequencePlace::Shared(_)));
    left.add("sequences that APIs share (archives hold those that an API names)", shared.map(|s| of(&s.file, s.tenant)));
}

/// What there is no archive for.
fn never(translation: &Translation) -> Left {
    let mut left = Left::default();
    let count = |left: &mut Left, kind, count: usize| {
        if count > 0 {
            left.kinds.insert(kind, (count as u64, Vec::new()));
        }
    };
    count(&mut left, "users with their passwords", translation.users.len());
    count(&mut left, "comments", translation.comments.len());
    count(&mut left, "ratings", translation.ratings.len());
    count(&mut left, "requests for approval", translation.workflows.len());
    count(&mut left, "settings of tenants", translation.settings.len());
    count(&mut left, "user stores", translation.user_stores.len());
    count(&mut left, "keys that tokens are signed with", translation.signing_keys.len());
    count(&mut left, "OAuth clients whose live tokens stay behind (callers get new ones)", translation.clients.len());
    left.add("custom throttling rules", translation.custom_rules.iter().map(|r| r.value.name.clone()));
    count(&mut left, "deny policies", translation.deny_policies.len());
    let of_gateway = |place| matches!(place, SequencePlace::Gateway | SequencePlace::LocalEntry | SequencePlace::Endpoint);
    let gateway = translation.sequences.iter().map(|s| &s.value).filter(|s| of_gateway(s.place));
    left.add("sequences, local entries and endpoints of the gateway", gateway.map(|s| s.file.clone()));
    let attached: HashSet<String> = translation.key_mappings.iter().filter_map(|key| key.value.consumer_key).collect();
    let alone = translation.clients.iter().map(|client| client.value).filter(|client| !attached.contains(&client.id));
    left.add("OAuth clients of no application", alone.map(|client| client.name));
    left
}
