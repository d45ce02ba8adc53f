//! Approvals: decided ones as history, open ones so that they can be decided here.
//!
//! An old row names its subject by a number and tells nothing else of it, which is why 4.0.0 lists migrated requests blank; what an approver
//! needs to know is put together here. A row whose subject is gone, or was decided without it, can be decided by nobody: it is kept, marked.
//! And what waits without a row that says so could not be let go by anybody, so it gets one.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use model::{
    Api, ApiId, Application, ApplicationId, ApplicationStatus, KeyMapping, KeyState, KeyType, Subscription, SubscriptionState, TenantId,
    Timestamp, User, Workflow, WorkflowKind, WorkflowStatus,
};
use uuid::Uuid;

use super::{About, Carried, CarriedApi, Desk, Records as _, Subscriptions, said};
use crate::packed::Packed;

const TABLE: &str = "AM_WORKFLOWS";

/// What requests can be about.
pub(super) struct Subjects<'a> {
    pub(super) applications: &'a Packed<Carried<Application>>,
    pub(super) subscriptions: &'a [Carried<Subscription>],
    pub(super) keys: &'a Packed<Carried<KeyMapping>>,
    pub(super) apis: &'a [Carried<CarriedApi>],
    pub(super) users: &'a [Carried<User>],
}

/// The subscriptions that a request can be about: those that rows name, and those that wait. All of them would be too many to hold.
pub(super) fn asked_about(desk: &Desk<'_>, all: &Subscriptions) -> Vec<Carried<Subscription>> {
    let named: HashSet<&str> = desk.old.workflows.iter().map(|w| w.reference.trim()).collect();
    let wanted = |s: &Carried<Subscription>| {
        matches!(s.value.state, SubscriptionState::OnHold | SubscriptionState::TierUpdatePending) || named.contains(s.key.as_str())
    };
    (0..all.count()).filter_map(|at| all.record(at)).filter(|s| wanted(s)).map(Cow::into_owned).collect()
}

/// What is known of one subject.
struct Known {
    id: String,
    tenant: TenantId,
    /// It waits for a decision of this kind.
    waits: bool,
    properties: Vec<(String, String)>,
    since: Timestamp,
}

pub(super) fn translate(desk: &mut Desk<'_>, subjects: &Subjects<'_>) -> Vec<Carried<Workflow>> {
    let book = Book::of(subjects);
    let mut done: Vec<Carried<Workflow>> = Vec::new();
    let mut taken: HashSet<&str> = HashSet::new();
    // Of several open requests for one thing the last one counts.
    let mut latest: HashMap<(WorkflowKind, String), usize> = HashMap::new();
    for old in &desk.old.workflows {
        let origin = format!("{TABLE} {}", old.id);
        let by_domain = said(old.tenant_domain.as_deref()).and_then(|d| desk.names.tenant_by_domain(d));
        let Some(tenant) = by_domain.or_else(|| old.tenant_id.and_then(|t| desk.names.tenant(t))) else {
            desk.ledger.skipped(TABLE, "its tenant is gone", 1);
            continue;
        };
        let kind = WorkflowKind::parse(old.kind.trim());
        let status = WorkflowStatus::parse(old.status.trim());
        let (Some(kind), Some(status)) = (kind, status) else {
            desk.ledger.failed(TABLE, "its type or status is not known", 1);
            let words = format!("a request of type {} in the status {}", old.kind, old.status);
            desk.warn(About::Application, "The request is left out; what it was about keeps its state.", origin, words);
            continue;
        };
        let reference = old.external_reference.trim();
        if reference.is_empty() || !taken.insert(reference) {
            desk.ledger.failed(TABLE, "its external reference is another's, or none", 1);
            desk.warn(About::Application, "The request is left out; what it was about keeps its state.", origin, "no reference of its own");
            continue;
        }
        let known = book.subject(desk, kind, old.reference.trim(), reference, tenant);
        let pending = status == WorkflowStatus::Created;
        // An API's lifecycle step cannot be taken by an approver here.
        let stale = pending && (kind == WorkflowKind::ApiState || !known.as_ref().is_some_and(|k| k.waits));
        if stale {
            let words = match kind {
                WorkflowKind::ApiState => "a lifecycle step of an API waits for approval".to_owned(),
                _ if known.is_some() => format!("{} {} was decided without it", kind.name(), old.reference),
                _ => format!("{} {} is about something that is gone", kind.name(), old.reference),
            };
            let consequence = match kind {
                WorkflowKind::ApiState => "Kept as a request that cannot be decided; take the step again in the publisher.",
                _ => "Kept as a request that cannot be decided any more.",
            };
            desk.note(About::Application, consequence, origin, words);
        }
        let made = desk.at(TABLE, "WF_CREATED_TIME", old.created).unwrap_or(Timestamp(0));
        let workflow = Workflow {
            reference: reference.to_owned(),
            tenant,
            kind,
            subject: known.as_ref().map(|k| k.id.clone()).unwrap_or_default(),
            status,
            stale,
            created_at: made,
            updated_at: desk.at(TABLE, "WF_UPDATED_TIME", old.updated).unwrap_or(made),
            description: said(old.description.as_deref()).map(str::to_owned),
            properties: known.map(|k| k.properties).unwrap_or_default(),
        };
        desk.ledger.imported(TABLE);
        if workflow.is_pending()
            && let Some(earlier) = latest.insert((kind, workflow.subject.clone()), done.len())
            && let Some(earlier) = done.get_mut(earlier)
        {
            earlier.value.stale = true;
        }
        done.push(Carried { key: old.id.to_string(), value: workflow });
    }
    for (kind, known) in book.waiting() {
        if latest.contains_key(&(kind, known.id.clone())) {
            continue;
        }
        let name = known.properties.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ");
        desk.note(
            About::Application,
            "It waits for approval, and the old installation has no request for it; one is made, so that it can be decided.",
            kind.name(),
            name,
        );
        let words = format!("tidegate:workflow:{}:{}:{}", desk.input.source, kind.name(), known.id);
        let workflow = Workflow {
            reference: Uuid::new_v5(&Uuid::NAMESPACE_URL, words.as_bytes()).to_string(),
            tenant: known.tenant,
            kind,
            subject: known.id.clone(),
            status: WorkflowStatus::Created,
            stale: false,
            created_at: known.since,
            updated_at: known.since,
            description: None,
            properties: known.properties,
        };
        done.push(Carried { key: format!("{}/{}", kind.name(), known.id), value: workflow });
    }
    done
}

/// Finds what a row is about.
struct Book<'a> {
    subjects: &'a Subjects<'a>,
    /// Places of applications by their numbers and ids.
    applications: HashMap<i64, usize>,
    by_id: HashMap<ApplicationId, usize>,
    subscriptions: HashMap<&'a str, &'a Subscription>,
    /// Places of keys.
    keys: HashMap<String, usize>,
    apis: HashMap<ApiId, &'a Api>,
}

impl<'a> Book<'a> {
    fn of(subjects: &'a Subjects<'a>) -> Self {
        Self {
            applications: (0..).zip(subjects.applications.iter()).map(|(at, a)| (a.value.number, at)).collect(),
            by_id: (0..).zip(subjects.applications.iter()).map(|(at, a)| (a.value.id, at)).collect(),
            subscriptions: subjects.subscriptions.iter().map(|s| (s.key.as_str(), &s.value)).collect(),
            keys: (0..).zip(subjects.keys.iter()).map(|(at, k)| (k.key, at)).collect(),
            apis: subjects.apis.iter().map(|a| (a.value.api.id, &a.value.api)).collect(),
            subjects,
        }
    }

    fn subject(&self, desk: &Desk<'_>, kind: WorkflowKind, reference: &str, external: &str, tenant: TenantId) -> Option<Known> {
        use WorkflowKind as Kind;
        match kind {
            Kind::ApplicationCreation | Kind::ApplicationDeletion => {
                let application = self.subjects.applications.get(*self.applications.get(&reference.parse().ok()?)?)?;
                Some(application_of(&application.value, kind))
            }
            Kind::SubscriptionCreation | Kind::SubscriptionUpdate | Kind::SubscriptionDeletion => {
                self.subscription_of(self.subscriptions.get(reference)?, kind)
            }
            Kind::ProductionRegistration | Kind::SandboxRegistration => {
                // The registration names the request by its outer reference; some versions wrote its own number into the request.
                let registrations = &desk.old.registrations;
                let by_reference = registrations.iter().find(|r| r.workflow_ref.trim() == external || r.workflow_ref.trim() == reference);
                let found = by_reference.or_else(|| registrations.iter().find(|r| r.id.to_string() == reference))?;
                let key_type = if kind == Kind::SandboxRegistration { KeyType::Sandbox } else { KeyType::Production };
                let mapping = self.subjects.keys.get(*self.keys.get(&format!("{}/{}", found.application_id?, key_type.name()))?)?;
                self.key_of(&mapping.value)
            }
            Kind::UserSignUp => {
                let name = desk.names.user(reference, Some(i64::from(tenant.0)));
                let found = self
                    .subjects
                    .users
                    .iter()
                    .map(|u| &u.value)
                    .find(|u| u.tenant == tenant && u.store == name.store && u.name == name.name)?;
                let properties =
                    vec![("tenantAwareUserName".to_owned(), name.without_tenant()), ("tenantDomain".to_owned(), name.tenant.clone())];
                Some(Known { id: name.to_string(), tenant, waits: true, properties, since: found.created_at })
            }
            Kind::ApiState => None,
        }
    }

    fn application(&self, id: ApplicationId) -> Option<Application> {
        self.subjects.applications.get(*self.by_id.get(&id)?).map(|carried| carried.value)
    }

    fn subscription_of(&self, subscription: &Subscription, kind: WorkflowKind) -> Option<Known> {
        let application = self.application(subscription.application)?;
        let api = self.apis.get(&subscription.api)?;
        let mut properties = vec![
            ("apiName".to_owned(), api.name.clone()),
            ("apiVersion".to_owned(), api.version.clone()),
            ("subscriber".to_owned(), application.owner.clone()),
            ("applicationName".to_owned(), application.name.clone()),
        ];
        let waits = match kind {
            WorkflowKind::SubscriptionCreation => subscription.state == SubscriptionState::OnHold,
            WorkflowKind::SubscriptionUpdate => {
                properties.push(("currentTier".to_owned(), subscription.plan.clone()));
                properties.push(("requestedTier".to_owned(), subscription.requested_plan.clone().unwrap_or_default()));
                subscription.state == SubscriptionState::TierUpdatePending
            }
            _ => true,
        };
        Some(Known { id: subscription.id.to_string(), tenant: application.tenant, waits, properties, since: subscription.created_at })
    }

    fn key_of(&self, mapping: &KeyMapping) -> Option<Known> {
        let application = self.application(mapping.application)?;
        let mut known = application_of(&application, WorkflowKind::ApplicationCreation);
        known.properties.push(("keyType".to_owned(), mapping.key_type.name().to_owned()));
        Some(Known { id: mapping.id.to_string(), waits: mapping.state == KeyState::Created, ..known })
    }

    /// Everything that waits by its own state.
    fn waiting(&self) -> Vec<(WorkflowKind, Known)> {
        let applications = self
            .subjects
            .applications
            .iter()
            .filter(|a| a.value.status == ApplicationStatus::Created)
            .map(|a| (WorkflowKind::ApplicationCreation, Some(application_of(&a.value, WorkflowKind::ApplicationCreation))));
        let subscriptions = self.subjects.subscriptions.iter().map(|s| {
            let kind = match s.value.state {
                SubscriptionState::TierUpdatePending => WorkflowKind::SubscriptionUpdate,
                _ => WorkflowKind::SubscriptionCreation,
            };
            (kind, self.subscription_of(&s.value, kind))
        });
        let waiting = self.subjects.keys.iter().filter(|k| k.value.state == KeyState::Created);
        let keys = waiting.map(|k| (registration(k.value.key_type), self.key_of(&k.value)));
        let all = applications.chain(subscriptions).chain(keys);
        all.filter_map(|(kind, known)| Some((kind, known?))).filter(|(_, known)| known.waits).collect()
    }
}

fn registration(key_type: KeyType) -> WorkflowKind {
    match key_type {
        KeyType::Production => WorkflowKind::ProductionRegistration,
        KeyType::Sandbox => WorkflowKind::SandboxRegistration,
    }
}

fn application_of(application: &Application, kind: WorkflowKind) -> Known {
    Known {
        id: application.id.to_string(),
        tenant: application.tenant,
        waits: kind == WorkflowKind::ApplicationDeletion || application.status == ApplicationStatus::Created,
        properties: vec![
            ("applicationName".to_owned(), application.name.clone()),
            ("userName".to_owned(), application.owner.clone()),
            ("applicationTier".to_owned(), application.policy.clone()),
        ],
        since: application.created_at,
    }
}
