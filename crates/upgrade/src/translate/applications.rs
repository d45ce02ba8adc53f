//! Developers' applications under the numbers backends know them by.

use std::collections::{HashMap, HashSet};

use model::{Application, ApplicationId, ApplicationStatus, ApplicationTokenType, PRIMARY_STORE, Timestamp, User};

use super::{About, Carried, Desk, list, policies::Limits, said};
use crate::old::consumers::Subscriber;
use crate::packed::Packed;

const TABLE: &str = "AM_APPLICATION";

pub(super) fn translate(desk: &mut Desk<'_>, limits: &mut Limits, users: &[Carried<User>]) -> Packed<Carried<Application>> {
    let people: HashSet<(i32, &str, &str)> =
        users.iter().map(|u| (u.value.tenant.0, u.value.store.as_str(), u.value.name.as_str())).collect();
    let subscribers: HashMap<i64, &Subscriber> = desk.old.subscribers.iter().map(|s| (s.id, s)).collect();
    let busy: HashSet<i64> = desk.old.applications.iter().map(|a| a.subscriber_id).collect();
    for subscriber in &desk.old.subscribers {
        match busy.contains(&subscriber.id) {
            true => desk.ledger.merged("AM_SUBSCRIBER", 1),
            false => desk.ledger.skipped("AM_SUBSCRIBER", "has no application", 1),
        }
    }
    let (attributes, groups) = belongings(desk);
    let mut done = Packed::default();
    let mut taken: HashSet<(i32, String, String)> = HashSet::new();
    let mut missing: HashSet<String> = HashSet::new();
    for old in desk.old.applications.iter() {
        let origin = format!("{TABLE} {} ({})", old.id, old.name);
        let Some(subscriber) = subscribers.get(&old.subscriber_id) else {
            desk.ledger.failed(TABLE, "its subscriber is gone", 1);
            desk.warn(About::Application, "The application is left out, with its keys and subscriptions.", origin, "nobody owns it");
            continue;
        };
        let Some(tenant) = desk.names.tenant(subscriber.tenant_id) else {
            desk.ledger.skipped(TABLE, "its tenant is gone", 1);
            desk.warn(
                About::Application,
                "The application is left out, with its keys and subscriptions.",
                origin,
                format!("it belongs to tenant {}, which does not exist", subscriber.tenant_id),
            );
            continue;
        };
        let name = desk.names.user(&subscriber.user_id, Some(subscriber.tenant_id));
        let owner = name.to_string();
        if name.store == PRIMARY_STORE
            && !desk.elsewhere.has_primary(tenant.0.into())
            && !people.contains(&(tenant.0, PRIMARY_STORE, &name.name))
            && missing.insert(owner.clone())
        {
            let words = format!("{owner} owns applications and does not exist");
            desk.note(
                About::Application,
                "Applications, keys and subscriptions work on; nobody can manage them but administrators.",
                format!("AM_SUBSCRIBER {}", subscriber.id),
                words,
            );
        }
        if !taken.insert((tenant.0, owner.clone(), old.name.clone())) {
            desk.ledger.failed(TABLE, "another application of its owner has that name", 1);
            desk.block(
                About::Application,
                "An owner's applications must have different names; rename one in the old installation.",
                origin,
                format!("{owner} has two applications {}", old.name),
            );
            continue;
        }
        let since = desk.at("AM_SUBSCRIBER", "DATE_SUBSCRIBED", subscriber.subscribed);
        let made = desk.at(TABLE, "CREATED_TIME", old.created);
        if made.is_none() {
            let known = if since.is_some() { "the day its owner first came is taken" } else { "it is unknown" };
            desk.note(About::Application, "Shown with an estimated date.", origin.clone(), format!("no date of its making; {known}"));
        }
        let made = made.or(since).unwrap_or(Timestamp(0));
        let id = match old.uuid.as_deref().map(str::parse::<ApplicationId>) {
            Some(Ok(id)) => id,
            _ => ApplicationId::derived(&[desk.input.source, &old.id.to_string()]),
        };
        let status = match said(old.status.as_deref()) {
            None => ApplicationStatus::Approved,
            Some(word) => ApplicationStatus::parse(word).unwrap_or_else(|| {
                desk.warn(About::Application, "It waits for approval.", origin.clone(), format!("its status {word} is not known"));
                ApplicationStatus::Created
            }),
        };
        let mut shared = list(old.group_id.as_deref());
        for group in groups.get(&old.id).into_iter().flatten() {
            if !shared.contains(group) {
                shared.push(group.clone());
            }
        }
        let application = Application {
            id,
            number: old.id,
            tenant,
            owner,
            name: old.name.clone(),
            policy: limits.of_application(desk, tenant, old.tier.as_deref(), &origin),
            description: said(old.description.as_deref()).map(str::to_owned),
            // Tokens stay opaque until the owner chooses otherwise.
            token_type: old.token_type.as_deref().and_then(ApplicationTokenType::parse).unwrap_or(ApplicationTokenType::OAuth),
            status,
            groups: shared,
            attributes: attributes.get(&old.id).cloned().unwrap_or_default(),
            callback_url: said(old.callback_url.as_deref()).map(str::to_owned),
            created_at: made,
            updated_at: desk.at(TABLE, "UPDATED_TIME", old.updated).unwrap_or(made),
        };
        desk.ledger.imported(TABLE);
        done.push(Carried { key: old.id.to_string(), value: application });
    }
    done
}

type Attributes = HashMap<i64, Vec<(String, String)>>;
type Groups = HashMap<i64, Vec<String>>;

fn belongings(desk: &mut Desk<'_>) -> (Attributes, Groups) {
    let known: HashSet<i64> = desk.old.applications.iter().map(|a| a.id).collect();
    let (mut attributes, mut groups) = (Attributes::new(), Groups::new());
    for row in desk.old.application_attributes.iter() {
        if !known.contains(&row.application_id) {
            desk.ledger.skipped("AM_APPLICATION_ATTRIBUTES", "its application is gone", 1);
            continue;
        }
        desk.ledger.merged("AM_APPLICATION_ATTRIBUTES", 1);
        attributes.entry(row.application_id).or_default().push((row.name.clone(), row.value.clone().unwrap_or_default()));
    }
    for row in desk.old.application_groups.iter() {
        if !known.contains(&row.application_id) {
            desk.ledger.skipped("AM_APPLICATION_GROUP_MAPPING", "its application is gone", 1);
            continue;
        }
        desk.ledger.merged("AM_APPLICATION_GROUP_MAPPING", 1);
        groups.entry(row.application_id).or_default().push(row.group_id.clone());
    }
    attributes.values_mut().for_each(|a| a.sort());
    groups.values_mut().for_each(|g| g.sort());
    (attributes, groups)
}
