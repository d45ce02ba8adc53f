//! The account of every table by tenant: what is told adds up to what the old databases hold, tenant by tenant, whatever is wrong with them.

use std::collections::BTreeMap;

use oldsite::{Dialect, Dirt, Size, Version, mysql::Blobs};
use upgrade::{Place, source::Location, translate::INSTALLATION, translate::Ledger};

use crate::{
    roads::{NOW_MS, Scratch, dumps, made_up, written},
    taking::{Taken, balanced},
};

const ACME: &str = "acme.com";
const SUPER: &str = "carbon.super";

async fn account(databases: Vec<Location>) -> Ledger {
    let place = Place { databases, leave_encrypted: true, ..Place::default() };
    let translation = Taken::of(&place, NOW_MS).await.planned(None).await.0;
    balanced(&translation);
    translation.ledger
}

async fn account_of(site: &oldsite::Site) -> Ledger {
    let folder = tempfile::tempdir().unwrap();
    account(dumps(&written(site, Dialect::MySql(Blobs::Escaped), folder.path()))).await
}

/// Rows of a table by the names of tenants.
fn rows(ledger: &Ledger, table: &str) -> BTreeMap<String, u64> {
    ledger.by_tenant(table).into_iter().map(|(tenant, account)| (tenant, account.rows)).collect()
}

#[tokio::test]
async fn rows_are_their_tenants_directly_or_through_what_they_hang_on() {
    let site = made_up();
    let ledger = account_of(&site).await;
    let acme = site.tenants.iter().find(|t| t.domain == ACME).unwrap().id;
    let count = |n: usize| u64::try_from(n).unwrap();
    let of = |table: &str| rows(&ledger, table);
    // Counted here from what the site was made of, not from its rows.
    let apis = |tenant: bool| site.apis.iter().filter(move |a| (a.tenant == acme) == tenant);
    let applications = |tenant: bool| site.applications.iter().filter(move |a| (a.tenant == acme) == tenant);
    let of_acme = |id: i32| site.applications.iter().any(|a| a.id == id && a.tenant == acme);
    for (table, supers, acmes) in [
        ("AM_API", apis(false).count(), apis(true).count()),
        ("AM_API_URL_MAPPING", apis(false).map(|a| a.resources.len()).sum(), apis(true).map(|a| a.resources.len()).sum()),
        ("AM_APPLICATION", applications(false).count(), applications(true).count()),
        (
            "AM_SUBSCRIPTION",
            site.subscriptions.iter().filter(|s| !of_acme(s.application)).count(),
            site.subscriptions.iter().filter(|s| of_acme(s.application)).count(),
        ),
        (
            "IDN_OAUTH2_ACCESS_TOKEN",
            site.tokens.iter().filter(|t| !t.user.ends_with(ACME)).count(),
            site.tokens.iter().filter(|t| t.user.ends_with(ACME)).count(),
        ),
        ("UM_USER", site.users.iter().filter(|u| u.tenant != acme).count(), site.users.iter().filter(|u| u.tenant == acme).count()),
    ] {
        let ought = BTreeMap::from([(SUPER.to_owned(), count(supers)), (ACME.to_owned(), count(acmes))]);
        let rows = of(table);
        assert_eq!([rows.get(SUPER), rows.get(ACME)], [ought.get(SUPER), ought.get(ACME)], "{table}: {rows:?}");
    }
    // What hangs on what is gone is nobody's.
    let orphaned = account_of(&made_up().with_dirt(&[Dirt::FeedbackOfDeletedApi])).await;
    assert!(rows(&orphaned, "AM_API_COMMENTS").contains_key(INSTALLATION), "{:?}", rows(&orphaned, "AM_API_COMMENTS"));
}

/// Whatever is wrong with a site of any version, each tenant's columns add up to each tenant's rows, and the tenants' to the whole.
#[tokio::test]
async fn any_mixture_of_faults_is_balanced_for_every_tenant() {
    let mut told = 0;
    for seed in 100..140_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize % bound
        };
        let dirt: Vec<Dirt> = Dirt::ALL.into_iter().filter(|_| next(2) == 0).collect();
        let version = Version::ALL[next(Version::ALL.len())];
        let ledger = account_of(&made_up().with_dirt(&dirt).of_version(version)).await;
        for (table, whole) in ledger.accounts() {
            let parts = ledger.by_tenant(table);
            told += parts.len();
            for (tenant, part) in &parts {
                assert_eq!(part.unaccounted(), 0, "seed {seed}, {version:?} {dirt:?}: {table} of {tenant}: {part:?}");
            }
            assert!(parts.is_empty() || parts.iter().map(|(_, part)| part.rows).sum::<u64>() == whole.rows, "{table}");
        }
    }
    assert!(told > 40 * 20, "{told} accounts of single tenants");
}

/// A large site has no larger an account than a small one.
#[tokio::test]
async fn an_account_is_as_small_for_many_rows() {
    let size = |tokens| Size { users: 3, apis: 5, applications: 4, subscriptions_each: 3, tokens };
    let of = async |tokens| account_of(&oldsite::Site::generated(size(tokens), 1, "http://127.0.0.1:9", NOW_MS)).await;
    let (small, large) = (of(5).await, of(3_000).await);
    let parts = |ledger: &Ledger| ledger.accounts().map(|(table, _)| ledger.parts(table).count()).sum::<usize>();
    assert_eq!(parts(&small), parts(&large));
    assert_eq!(large.of("IDN_OAUTH2_ACCESS_TOKEN").unwrap().rows - small.of("IDN_OAUTH2_ACCESS_TOKEN").unwrap().rows, 2_995);
}

/// Servers count by tenant themselves; they come to the same as a reading of every row.
#[tokio::test]
async fn servers_count_by_tenant_as_readers_of_dumps_do() {
    let site = made_up().with_dirt(&[Dirt::TokenOddUser, Dirt::FeedbackOfDeletedApi, Dirt::OddUserNames]);
    let read = account_of(&site).await;
    for (dialect, scheme, user) in [(Dialect::MySql(Blobs::Hex), "mysql", "root"), (Dialect::Postgres, "postgres", "postgres")] {
        let folder = tempfile::tempdir().unwrap();
        let Some(scratch) = Scratch::new(dialect, &format!("ledger_{scheme}")) else { continue };
        scratch.load(&written(&site, dialect, folder.path()));
        let url = format!("{scheme}://{user}@127.0.0.1/{}", scratch.name);
        let counted = account(vec![Location::parse(&url).unwrap()]).await;
        for (table, whole) in read.accounts() {
            let there = counted.of(table).unwrap_or_else(|| panic!("{scheme} has no {table}"));
            assert_eq!((whole, read.by_tenant(table)), (there, counted.by_tenant(table)), "{scheme} {table}");
        }
    }
}
