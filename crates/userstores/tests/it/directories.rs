//! OpenLDAP, and servers that misbehave.

use model::{UserStore, UserStoreKind};
use tidegate_userstores::{Answer, Directory, Person, Unanswered};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::slapd::{Slapd, group, person};
use crate::{secret, store};

const PEOPLE: &str = "ou=people,dc=corp,dc=example";
const GROUPS: &str = "ou=groups,dc=corp,dc=example";

fn people() -> String {
    [
        person("ann", "ann-pass-1", "sAMAccountName: ann\nuserAccountControl: 512\ninGroup: cn=devs,ou=groups,dc=corp,dc=example\ninGroup: cn=admin,dc=corp,dc=example\n"),
        person("bob", "bob-pass-1", "sAMAccountName: bob\nuserAccountControl: 514\n"),
        person("a*(b) c", "odd-pass-1", ""),
        group("devs", &["ann", "bob"]),
        group("ops", &["ann"]),
    ]
    .concat()
}

/// A definition as the old product's console writes it.
fn ldap(url: &str, more: &[(&str, &str)]) -> UserStore {
    let all = [
        &[
            ("ConnectionURL", url),
            ("ConnectionName", Slapd::READER.0),
            ("UserSearchBase", PEOPLE),
            ("UserNameListFilter", "(objectClass=person)"),
            ("UserNameSearchFilter", "(&(objectClass=person)(uid=?))"),
            ("UserNameAttribute", "uid"),
            ("ReadGroups", "true"),
            ("GroupSearchBase", GROUPS),
            ("GroupNameListFilter", "(objectClass=groupOfNames)"),
            ("GroupNameAttribute", "cn"),
            ("MembershipAttribute", "member"),
        ],
        more,
    ]
    .concat();
    // The last of a name counts here.
    let mut kept: Vec<(&str, &str)> = Vec::new();
    for (name, value) in all {
        kept.retain(|(n, _)| *n != name);
        kept.push((name, value));
    }
    store(UserStoreKind::LdapReadOnly, &kept, &[("ConnectionPassword", Slapd::READER.1)])
}

fn open(definition: &UserStore) -> Directory {
    Directory::new(definition).unwrap()
}

async fn check(directory: &Directory, name: &str, password: &str) -> Answer {
    directory.check(name, &secret(password)).await.unwrap()
}

fn ann() -> Person {
    Person {
        name: "ann".to_owned(),
        groups: vec!["devs".to_owned(), "ops".to_owned()],
        attributes: vec![("mail".to_owned(), "ann@corp.example".to_owned())],
    }
}

#[tokio::test]
async fn a_directory_knows_its_users() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let directory = open(&ldap(&slapd.url(), &[]));
    directory.test().await.unwrap();
    assert_eq!(check(&directory, "ann", "ann-pass-1").await, Answer::Right(ann()));
    // Directories compare without letter case; the directory's spelling is told.
    assert_eq!(check(&directory, "ANN", "ann-pass-1").await, Answer::Right(ann()));
    assert_eq!(check(&directory, "ann", "ann-pass-2").await, Answer::Wrong);
    assert_eq!(check(&directory, "cid", "ann-pass-1").await, Answer::Unknown);
    assert_eq!(directory.find("ann").await.unwrap(), Some(ann()));
    assert_eq!(directory.find("cid").await.unwrap(), None);
    let mut listed = directory.list("*", 10).await.unwrap();
    listed.sort();
    assert_eq!(listed, ["a*(b) c", "ann", "bob"]);
    assert_eq!(directory.list("a*n", 10).await.unwrap(), ["ann"]);
    assert_eq!(directory.list("*", 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_empty_password_is_wrong_although_the_server_would_say_yes() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    // A visit with a name and no password succeeds at this server, as at many.
    slapd.change("dn: uid=bob,ou=people,dc=corp,dc=example\nchangetype: modify\nreplace: sn\nsn: b\n");
    for pattern in [&[][..], &[("UserDNPattern", "uid={0},ou=people,dc=corp,dc=example")]] {
        let directory = open(&ldap(&slapd.url(), pattern));
        for empty in ["", " ", "\t\n"] {
            assert_eq!(check(&directory, "ann", empty).await, Answer::Wrong, "{empty:?} {pattern:?}");
        }
    }
}

#[tokio::test]
async fn what_a_stranger_types_stays_a_name() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    for pattern in [&[][..], &[("UserDNPattern", "uid={0},ou=people,dc=corp,dc=example")]] {
        let directory = open(&ldap(&slapd.url(), pattern));
        for name in ["*", "a*", "ann)(uid=*", "*)(|(uid=*", "ann\0", "ann,ou=people", "ann,ou=people,dc=corp,dc=example#", "a\\2a", "\u{1}"]
        {
            let answer = check(&directory, name, "ann-pass-1").await;
            assert!(matches!(answer, Answer::Unknown | Answer::Wrong), "{name}: {answer:?}");
        }
        // A name that really holds such characters is found.
        assert!(matches!(check(&directory, "a*(b) c", "odd-pass-1").await, Answer::Right(_)), "{pattern:?}");
        assert_eq!(check(&directory, &"x".repeat(300), "p").await, Answer::Unknown);
    }
}

#[tokio::test]
async fn a_name_pattern_spares_the_search() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let pattern = "uid={0},ou=nobody,dc=corp,dc=example#uid={0},ou=people,dc=corp,dc=example";
    let directory = open(&ldap(&slapd.url(), &[("UserDNPattern", pattern), ("UserNameSearchFilter", "(uid=?)")]));
    assert_eq!(check(&directory, "ann", "ann-pass-1").await, Answer::Right(ann()));
    assert_eq!(check(&directory, "ann", "other").await, Answer::Wrong);
}

#[tokio::test]
async fn active_directory_says_who_is_switched_off_and_users_name_their_groups() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let filters = [
        ("UserNameSearchFilter", "(&(objectClass=person)(sAMAccountName=?))"),
        ("UserNameAttribute", "sAMAccountName"),
        ("MemberOfAttribute", "inGroup"),
    ];
    let mut definition = ldap(&slapd.url(), &filters);
    definition.kind = UserStoreKind::ActiveDirectory;
    let directory = open(&definition);
    // Groups outside the base are not the site's groups, whatever they are called.
    assert_eq!(check(&directory, "ann", "ann-pass-1").await, Answer::Right(Person { groups: vec!["devs".to_owned()], ..ann() }));
    assert_eq!(check(&directory, "bob", "bob-pass-1").await, Answer::Disabled);
    assert_eq!(check(&directory, "bob", "wrong").await, Answer::Wrong);
    assert_eq!(directory.find("bob").await.unwrap(), None);
    slapd.change("dn: uid=bob,ou=people,dc=corp,dc=example\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 512\n");
    assert!(matches!(check(&directory, "bob", "bob-pass-1").await, Answer::Right(_)));
}

#[tokio::test]
async fn a_certificate_must_be_trusted_or_the_definition_say_otherwise() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let pem = slapd.certificate();
    let strict = open(&ldap(&slapd.tls_url(), &[]));
    assert!(matches!(strict.check("ann", &secret("ann-pass-1")).await, Err(Unanswered::Unreachable(_))));
    let trusting = open(&ldap(&slapd.tls_url(), &[("TrustedCertificates", &pem)]));
    assert_eq!(check(&trusting, "ann", "ann-pass-1").await, Answer::Right(ann()));
    // The certificate is for another name.
    let elsewhere = slapd.tls_url().replace("localhost", "127.0.0.1");
    assert!(open(&ldap(&elsewhere, &[("TrustedCertificates", &pem)])).test().await.is_err());
    let careless = open(&ldap(&elsewhere, &[("InsecureTLS", "true")]));
    assert_eq!(check(&careless, "ann", "ann-pass-1").await, Answer::Right(ann()));
    let started =
        open(&ldap(&slapd.url().replace("127.0.0.1", "localhost"), &[("StartTLSEnabled", "true"), ("TrustedCertificates", &pem)]));
    assert_eq!(check(&started, "ann", "ann-pass-1").await, Answer::Right(ann()));
}

#[tokio::test]
async fn a_server_that_is_down_or_refuses_us_is_no_wrong_password() {
    let Some(mut slapd) = Slapd::start(&people()) else { return };
    let directory = open(&ldap(&slapd.url(), &[("LDAPConnectionTimeout", "2000")]));
    assert_eq!(check(&directory, "ann", "ann-pass-1").await, Answer::Right(ann()));
    slapd.stop();
    // The connection that was kept is dead, and no new one is to be had.
    for _ in 0..2 {
        assert!(matches!(directory.check("ann", &secret("ann-pass-1")).await, Err(Unanswered::Unreachable(_))));
    }
    slapd.run();
    assert_eq!(check(&directory, "ann", "ann-pass-1").await, Answer::Right(ann()));
    let mut definition = ldap(&slapd.url(), &[]);
    definition.secrets = vec![("ConnectionPassword".to_owned(), secret("not-it"))];
    let refused = open(&definition).check("ann", &secret("ann-pass-1")).await.unwrap_err();
    assert!(matches!(refused, Unanswered::NotLetIn(_)) && !refused.to_string().contains("not-it"), "{refused}");
    // One of two servers is enough.
    let both = format!("ldap://127.0.0.1:1 {}", slapd.url());
    assert_eq!(check(&open(&ldap(&both, &[])), "ann", "ann-pass-1").await, Answer::Right(ann()));
    let lost = open(&ldap(&slapd.url(), &[("UserSearchBase", "ou=nowhere,dc=corp,dc=example")]));
    assert!(lost.test().await.unwrap_err().to_string().contains("ou=nowhere"));
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0; 16];
            let _ = stream.read(&mut some).await;
            held.push(stream);
        }
    });
    let directory = open(&ldap(&url, &[("LDAPConnectionTimeout", "200"), ("ReadTimeout", "200")]));
    assert!(matches!(directory.check("ann", &secret("ann-pass-1")).await, Err(Unanswered::Late(_))));
    silent.abort();
}

#[tokio::test]
async fn a_huge_result_is_cut_short() {
    let many: String = (0..3_000).map(|n| person(&format!("u{n}"), "p", "")).collect();
    let Some(slapd) = Slapd::start(&many) else { return };
    let directory =
        open(&ldap(&slapd.url(), &[("MaxUserNameListLength", "1000000"), ("UserNameSearchFilter", "(|(uid=?)(objectClass=person))")]));
    assert_eq!(directory.list("*", 500).await.unwrap().len(), 500);
    // A filter that finds everybody finds nobody.
    assert_eq!(check(&directory, "u1", "p").await, Answer::Unknown);
    let few = open(&ldap(&slapd.url(), &[]));
    assert_eq!(few.list("*", 500).await.unwrap().len(), 100, "as the old product, where the definition does not say");
}

#[tokio::test]
async fn many_at_once_are_all_answered() {
    let Some(slapd) = Slapd::start(&people()) else { return };
    let directory = std::sync::Arc::new(open(&ldap(&slapd.url(), &[])));
    let tasks: Vec<_> = (0..60)
        .map(|_| {
            let directory = std::sync::Arc::clone(&directory);
            tokio::spawn(async move { directory.check("ann", &secret("ann-pass-1")).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Answer::Right(ann()));
    }
}
