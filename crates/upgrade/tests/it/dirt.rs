//! Every fault the reference tells of, alone and with others, in every version of the old product: what the report says about it.

use std::collections::BTreeMap;
use std::path::Path;

use oldsite::{Dialect, Dirt, Site, Version, mysql::Blobs};
use upgrade::{
    Place,
    translate::{About, Translation},
};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::{Taken, balanced, equal, target},
};

/// Reads a site, going on without what is encrypted.
async fn taken(site: &Site, folder: &Path) -> Taken {
    let databases = dumps(&written(site, Dialect::MySql(Blobs::Escaped), folder));
    Taken::of(&Place { databases, leave_encrypted: true, ..Place::default() }, NOW_MS).await
}

async fn translated(site: &Site) -> Translation {
    let folder = tempfile::tempdir().unwrap();
    taken(site, folder.path()).await.planned(None).await.0
}

/// Every account as lines of table, column, reason.
fn lines(translation: &Translation) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for (table, account) in translation.ledger.accounts() {
        out.insert(format!("{table} rows"), account.rows);
        out.insert(format!("{table} imported"), account.imported);
        out.insert(format!("{table} merged"), account.merged);
        for (column, of) in [("skipped", &account.skipped), ("failed", &account.failed), ("not yet", &account.not_yet)] {
            for (reason, rows) in of {
                out.insert(format!("{table} {column}: {reason}"), *rows);
            }
        }
    }
    out
}

/// What the report says of a fault.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// A finding about this, with these words.
    Finding(About, &'static str),
    /// A line of the accounts that grew: table, column, reason.
    Line(&'static str),
    /// Nothing, because nothing differs for anybody; `verify` compares what is carried.
    Nothing,
}

use Says::{Finding, Line, Nothing};

/// Every fault by its number in the reference's list, and what is said. 31 and on are half-migrated sources and what a map of issues names.
const CASES: &[(u8, Dirt, Says)] = &[
    (1, Dirt::ApiWithoutArtifact, Finding(About::Api, "Draft 0.1.0 has no artifact in the registry")),
    (1, Dirt::ArtifactWithoutApi, Finding(About::Api, "Preview 0.1.0 has an artifact but no row in the database")),
    (2, Dirt::ArtifactsDifferInCase, Finding(About::Api, "WEATHER 1.0.0 has an artifact but no row in the database")),
    (3, Dirt::DuplicateUrlMapping, Finding(About::Scope, "GET /* stands twice with different rules")),
    (4, Dirt::UrlMappingWithoutTier, Finding(About::Limit, "GET /ping names no tier")),
    (4, Dirt::UrlMappingUnknownTier, Finding(About::Limit, "resource tier Platinum-2012 is defined nowhere")),
    (5, Dirt::UrlMappingWithoutAuth, Finding(About::Scope, "GET /* has no authentication scheme")),
    (6, Dirt::SubscriptionUnknownTier, Finding(About::Limit, "business plan Diamond is defined nowhere")),
    (7, Dirt::ApplicationsDifferInCase, Line("AM_APPLICATION imported")),
    (8, Dirt::SubscriberWithoutUser, Finding(About::Application, "hank owns applications and does not exist")),
    (9, Dirt::KeyMappingWithoutClient, Finding(About::Key, "the client of DefaultApplication is not among the old server's")),
    (10, Dirt::ClientOwnerGone, Finding(About::Client, "console_client belongs to nobody, who does not exist")),
    (10, Dirt::ClientNamesCollide, Line("IDN_OAUTH_CONSUMER_APPS imported")),
    (11, Dirt::TokenOddUser, Finding(About::Token, "a token names its user oddly")),
    (11, Dirt::TokenOfDeletedClient, Line("IDN_OAUTH2_ACCESS_TOKEN skipped: its client is gone")),
    (12, Dirt::TwoActiveTokens, Line("IDN_OAUTH2_ACCESS_TOKEN imported")),
    (13, Dirt::SecretThatNothingOpens, Line("IDN_OAUTH_CONSUMER_APPS failed: encrypted, and no key opens it")),
    (14, Dirt::ScopeTwice, Finding(About::Scope, "a second scope order_delete names roles hr")),
    (14, Dirt::ScopeOddRows, Line("IDN_OAUTH2_SCOPE skipped: has no key")),
    (15, Dirt::ResourceScopeBothSpellings, Line("IDN_OAUTH2_RESOURCE_SCOPE merged")),
    (15, Dirt::ResourceScopeOfDeletedApi, Line("IDN_OAUTH2_RESOURCE_SCOPE skipped: its API or resource is gone")),
    (16, Dirt::CommentOfDeletedUser, Line("AM_API_COMMENTS imported")),
    (16, Dirt::RatingOfDeletedSubscriber, Line("AM_API_RATINGS skipped: its subscriber is gone")),
    (16, Dirt::FeedbackOfDeletedApi, Line("AM_API_COMMENTS skipped: its API is gone")),
    (17, Dirt::WorkflowOfDeletedApplication, Line("AM_WORKFLOWS ")),
    (17, Dirt::WorkflowAlreadyDone, Line("AM_WORKFLOWS ")),
    (18, Dirt::DocumentWithoutBody, Finding(About::Document, "document Getting Started of Orders has no content")),
    (18, Dirt::FileOfDocumentMissing, Finding(About::Document, "document Reference of Orders has no content")),
    (18, Dirt::ContentWithoutBytes, Finding(About::Document, "its bytes are gone")),
    (19, Dirt::ThumbnailMissing, Finding(About::Api, "which is not there")),
    (19, Dirt::ThumbnailUnnamed, Finding(About::Api, "has a picture that its artifact does not name")),
    (20, Dirt::EndpointConfigMalformed, Finding(About::Api, "endpointConfig was no JSON and has been mended")),
    (20, Dirt::EndpointConfigAbsent, Finding(About::Api, "the old endpointURL is used")),
    (20, Dirt::EndpointConfigNull, Finding(About::Api, "neither production_endpoints nor sandbox_endpoints names a URL")),
    (20, Dirt::EndpointUrlOdd, Finding(About::Api, "taken out of a backend's URL")),
    (21, Dirt::SwaggerInvalid, Finding(About::Api, "Payroll 1.0.0: EOF while parsing")),
    (21, Dirt::SwaggerEmpty, Finding(About::Api, "Payroll 1.0.0: the definition is not an object")),
    (21, Dirt::SwaggerWithoutInfo, Finding(About::Api, "info was missing; added")),
    (21, Dirt::SwaggerYaml, Finding(About::Api, "paths.things did not start with '/'")),
    (22, Dirt::ZeroDate, Finding(About::Application, "no date of its making")),
    (22, Dirt::OddDates, Finding(About::Application, "no date of its making")),
    (23, Dirt::PermissionTwice, Line("UM_PERMISSION merged")),
    (23, Dirt::PermissionOfUnknownRole, Line("UM_ROLE_PERMISSION skipped: its role does not exist")),
    (24, Dirt::RoleHolderOfUnknownStore, Line("UM_HYBRID_USER_ROLE skipped: its user store is gone")),
    (25, Dirt::InactiveTenant, Finding(About::Tenant, "tenant closed.example is inactive")),
    (26, Dirt::AdminRenamed, Nothing),
    (27, Dirt::OddUserNames, Line("UM_USER imported")),
    (28, Dirt::OddEncodings, Nothing),
    (29, Dirt::BigDefinition, Nothing),
    (30, Dirt::NoLifecycleHistory, Finding(About::Api, "Invoices 1.0 has no lifecycle history")),
    (30, Dirt::LifecycleGap, Nothing),
    (31, Dirt::OwnFields, Finding(About::Api, "costCentre, remarks, audit_owner")),
    (32, Dirt::OrphanTagLink, Finding(About::Installation, "tag link(s) lead nowhere")),
    (33, Dirt::DefinitionOfBefore19, Finding(About::Api, "api-doc of Orders 1.0.0")),
    (34, Dirt::ScopeSpelledBefore19, Finding(About::Scope, "DELETE /order/{id} asks for order_delete in the spelling of 1.8 only")),
    (35, Dirt::PermissionsOfMountedPath, Nothing),
];

#[tokio::test]
async fn every_fault_has_its_line_in_the_report() {
    let clean = translated(&made_up()).await;
    let before = lines(&clean);
    let mut missing = Vec::new();
    for (number, dirt, says) in CASES {
        let spoiled = translated(&made_up().with_dirt(&[*dirt])).await;
        balanced(&spoiled);
        assert!(!spoiled.is_blocked(), "{dirt:?}: {:?}", spoiled.findings);
        let told = match says {
            Finding(about, words) => {
                let new = spoiled.findings.iter().filter(|f| !clean.findings.contains(f));
                new.into_iter().any(|f| f.about == *about && (f.words.contains(words) || f.origin.contains(words)))
            }
            Line(line) => lines(&spoiled)
                .iter()
                .any(|(k, v)| k.starts_with(line) && !k.ends_with(" rows") && *v > before.get(k).copied().unwrap_or(0)),
            Nothing => !lines(&spoiled).keys().any(|k| k.contains(" failed: ")),
        };
        if !told {
            let new: Vec<_> = spoiled.findings.iter().filter(|f| !clean.findings.contains(f)).collect();
            missing.push(format!("{number} {dirt:?} says nothing of {says:?}, but {new:?}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Each of the reference's thirty has a case, and each fault the generator knows is in the table.
#[test]
fn the_table_is_whole() {
    for number in 1..=30 {
        assert!(CASES.iter().any(|(n, ..)| *n == number), "case {number}");
    }
    for dirt in Dirt::ALL {
        assert!(CASES.iter().any(|(_, d, _)| *d == dirt), "{dirt:?}");
    }
}

/// What is not told, because nothing differs, is carried: whole definitions, odd encodings, odd names.
#[tokio::test]
async fn faults_that_change_nothing_change_nothing() {
    let clean = translated(&made_up()).await;
    let spoiled = translated(&made_up().with_dirt(&[Dirt::PermissionsOfMountedPath, Dirt::LifecycleGap])).await;
    assert_eq!((&clean.rest_scopes, &clean.users, clean.apis.len()), (&spoiled.rest_scopes, &spoiled.users, spoiled.apis.len()));
    for (a, b) in clean.apis.iter().zip(&spoiled.apis) {
        assert_eq!(a.value.api, b.value.api);
    }
    let big = translated(&made_up().with_dirt(&[Dirt::BigDefinition])).await;
    assert!(big.apis.iter().any(|a| a.value.definition.open().text.len() > 320_000));
    let odd = translated(&made_up().with_dirt(&[Dirt::OddUserNames])).await;
    for name in ["CORP/mike", "mary@home", "UPPER", "zoe@mail.example"] {
        assert!(odd.users.iter().any(|u| u.value.name == name && u.value.tenant == model::TenantId::SUPER), "{name}");
        assert!(odd.applications.iter().any(|a| a.value.owner.eq_ignore_ascii_case(name)), "{name} owns nothing");
    }
    let dates = translated(&made_up().with_dirt(&[Dirt::OddDates])).await;
    for created in dates.apis.iter().map(|a| a.value.api.created_at).chain(dates.applications.iter().map(|a| a.value.created_at)) {
        assert!((0..4_102_444_800_000).contains(&created.0), "{created:?}");
    }
}

/// A small generator of its own, so that a seed is all there is to name a failure by.
fn chosen(seed: u64) -> (Vec<Dirt>, Version) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % bound
    };
    let dirt = Dirt::ALL.into_iter().filter(|_| next(3) == 0).collect();
    (dirt, Version::ALL[next(Version::ALL.len())])
}

async fn any_mixture(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let (dirt, version) = chosen(seed);
        let folder = tempfile::tempdir().unwrap();
        let taken = taken(&made_up().with_dirt(&dirt).of_version(version), folder.path()).await;
        assert_eq!(taken.old.installation.version.as_str(), version.as_str(), "seed {seed}");
        let (translation, plan) = taken.planned(None).await;
        let rest: Vec<_> = translation.ledger.unbalanced().collect();
        assert!(rest.is_empty(), "seed {seed}, {version:?} {dirt:?}: {rest:?}");
        assert!(!translation.is_blocked() && !plan.is_refused(), "seed {seed}, {version:?} {dirt:?}: {:?}", translation.findings);
        let db = target(folder.path()).open_or_make().await.unwrap();
        taken.applied(&db).await;
        let verification = taken.verify(&db).await;
        assert!(verification.is_equal(), "seed {seed}, {version:?} {dirt:?}: {:?}", verification.differences);
    }
}

#[tokio::test]
async fn any_mixture_of_faults_is_balanced_and_taken_over_in_any_version() {
    any_mixture(0..25).await;
}

#[tokio::test]
async fn any_other_mixture_of_faults_is_too() {
    any_mixture(25..50).await;
}

/// The same site in five versions is the same site: only what a version could not hold differs.
#[tokio::test]
async fn every_version_is_taken_over_with_all_it_holds() {
    let newest = translated(&made_up()).await;
    for version in Version::ALL {
        let folder = tempfile::tempdir().unwrap();
        let taken = taken(&made_up().of_version(version), folder.path()).await;
        assert_eq!(taken.old.installation.version.as_str(), version.as_str());
        assert!(taken.old.installation.strangers.is_empty(), "{:?}", taken.old.installation.strangers);
        assert!(taken.old.installation.unreadable.is_empty(), "{:?}", taken.old.installation.unreadable);
        let (translation, _) = taken.planned(None).await;
        balanced(&translation);
        let live = |t: &Translation| t.ledger.of("IDN_OAUTH2_ACCESS_TOKEN").unwrap().imported;
        assert_eq!(live(&translation), 9, "{version:?}: {:?}", translation.ledger.of("IDN_OAUTH2_ACCESS_TOKEN"));
        assert_eq!(
            (translation.clients.len(), translation.subscriptions.iter().count()),
            (newest.clients.len(), newest.subscriptions.iter().count())
        );
        for (a, b) in newest.apis.iter().zip(&translation.apis) {
            let (a, b) = (&a.value.api, &b.value.api);
            assert_eq!((&a.name, &a.version, &a.context, a.state), (&b.name, &b.version, &b.context, b.state), "{version:?}");
            let rules = |api: &model::Api| {
                let mut all: Vec<_> =
                    api.operations.iter().map(|o| (o.target.clone(), o.verb.clone(), o.auth, o.scopes.clone(), o.policy.clone())).collect();
                all.sort_by(|x, y| (&x.0, &x.1).cmp(&(&y.0, &y.1)));
                all
            };
            assert_eq!(rules(a), rules(b), "{version:?} {}", a.name);
        }
        let db = target(folder.path()).open_or_make().await.unwrap();
        taken.applied(&db).await;
        equal(&taken.verify(&db).await);
    }
}

/// A 1.9 database whose artifacts are half of 1.8: rules come from the rows, and the definition from what 1.8 left.
#[tokio::test]
async fn a_half_migrated_source_keeps_its_rules() {
    let clean = translated(&made_up()).await;
    let half = [Dirt::DefinitionOfBefore19, Dirt::ScopeSpelledBefore19, Dirt::ResourceScopeBothSpellings, Dirt::PermissionsOfMountedPath];
    let spoiled = translated(&made_up().with_dirt(&half)).await;
    balanced(&spoiled);
    for (a, b) in clean.apis.iter().zip(&spoiled.apis) {
        assert_eq!(a.value.api.operations, b.value.api.operations, "{}", a.value.api.name);
        assert_eq!(
            spec::parse(&b.value.definition.open().text).unwrap().operations.len(),
            b.value.api.operations.len(),
            "{}",
            a.value.api.name
        );
    }
}

/// A real database is no stranger: whatever is listed was looked at by a person.
#[tokio::test]
async fn columns_of_real_installations_are_no_strangers() {
    for name in ["wso2am-1.8.0-empty", "wso2am-1.9.0-empty", "wso2am-2.1.0-small", "wso2am-2.6.0-small"] {
        let Some(home) = crate::samples::sample(name) else { return };
        let old = upgrade::Old::read(&Place { home: Some(home), ..Place::default() }).await.unwrap();
        assert!(old.installation.strangers.is_empty(), "{name}: {:?}", old.installation.strangers);
    }
}
