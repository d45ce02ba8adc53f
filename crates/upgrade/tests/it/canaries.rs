//! Secrets planted everywhere in a source show nowhere: not in a plan, a report, a log line, an error or the journal.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use oldsite::Canary;
use upgrade::{
    Old, Place,
    plan_file::{PlanFile, PlanOptions},
    report::Report,
    rollback,
    source::Location,
    target::Address,
};

use crate::{
    roads::{NOW_MS, dumps, made_up},
    taking::{Taken, target},
};

/// Everything that is said, as it is said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut out = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(below) = cause {
        out.push_str(&format!(" {below} {below:?}"));
        cause = below.source();
    }
    out
}

/// Places whose secret is in `bytes`.
fn sung<'a>(planted: &'a [Canary], bytes: &[u8]) -> Vec<&'a str> {
    let text = String::from_utf8_lossy(bytes);
    // Also as a list of numbers, which is how bytes that were never meant to be shown come out.
    let as_numbers = |text: &str| text.bytes().map(|b| b.to_string()).collect::<Vec<_>>().join(", ");
    planted.iter().filter(|c| text.contains(&c.text) || text.contains(&as_numbers(&c.text))).map(|c| c.place.as_str()).collect()
}

fn below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() { below(&path) } else { std::fs::read(&path).unwrap() });
    }
    all
}

#[tokio::test]
async fn no_planted_secret_shows_anywhere() {
    let said = Said::default();
    let to = said.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(move || to.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut told = said.clone();
    let folder = tempfile::tempdir().unwrap();
    let (written, planted) = made_up().with_dirt(&oldsite::Dirt::ALL).write_with_canaries(folder.path()).unwrap();
    assert!(planted.len() > 50, "{}", planted.len());
    let place = Place { home: Some(written.home.clone()), databases: dumps(&written), ..Place::default() };
    let taken = Taken::of(&place, NOW_MS).await;
    write!(told, "{:?} {:?} {:?} {:?}", taken.old.site, taken.old.installation, taken.old.home, taken.old.stores).unwrap();

    // Assess and plan.
    let (translation, plan) = taken.planned(None).await;
    write!(told, "{translation:?} {translation:#?}").unwrap();
    let report = Report::new("assess", &taken.old, &translation, &plan);
    write!(told, "{} {} {}", report.text(), report.json().unwrap(), report.html()).unwrap();
    write!(told, "{plan:?} {}", PlanFile::of(&taken.old, &translation, &plan, PlanOptions::default()).text().unwrap()).unwrap();

    // Apply and verify, and the same when a record was changed behind its back.
    let data = target(folder.path());
    let db = data.open_or_make().await.unwrap();
    let applied = taken.applied(&db).await;
    let report = Report::new("apply", &taken.old, &translation, &plan).with_written(&applied);
    write!(told, "{} {} {}", report.text(), report.json().unwrap(), report.html()).unwrap();
    let mut tx = db.write().await.unwrap();
    for client in db::clients::list(&mut tx, model::TenantId::SUPER).await.unwrap() {
        db::clients::delete(&mut tx, &client.id, taken.now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let verification = taken.verify(&db).await;
    assert!(!verification.is_equal());
    let report = Report::new("verify", &taken.old, &translation, &plan).with_verification(&verification);
    write!(told, "{} {} {} {verification:?}", report.text(), report.json().unwrap(), report.html()).unwrap();

    // A dry rollback, and the journal.
    let options = rollback::Options { dry: true, also_changed: true, batch: 3, now: taken.now };
    write!(told, "{:?}", rollback::rollback(&db, &taken.old.source, &options, &|_, _, _| {}).await.unwrap()).unwrap();
    let mut tx = db.read().await.unwrap();
    write!(told, "{:?}", db::journal::list(&mut tx, 9).await.unwrap()).unwrap();
    drop(tx);
    db.close().await;

    // A target whose password is wrong, a source whose server is away, and one that is torn.
    let secret = &planted[0].text;
    let address = Address::parse(&format!("postgres://upgrade:{secret}@127.0.0.1:1/none")).unwrap();
    write!(told, "{address:?}").unwrap();
    let away = upgrade::target::TargetPlace { database: Some(address), ..data.clone() };
    write!(told, "{}", chain(&away.open_or_make().await.map(drop).unwrap_err())).unwrap();
    let server = Location::parse(&format!("mysql://root:{secret}@127.0.0.1:1/none")).unwrap();
    write!(told, "{server:?} {server}").unwrap();
    let unreachable = Place { home: None, databases: vec![server], ..Place::default() };
    write!(told, "{}", chain(&Old::read(&unreachable).await.map(drop).unwrap_err())).unwrap();
    let whole = std::fs::read(&written.am_sql).unwrap();
    let mut torn = 0;
    for part in 1..40 {
        std::fs::write(&written.am_sql, &whole[..whole.len() * part / 40]).unwrap();
        match Old::read(&place).await {
            Err(fault) => {
                torn += 1;
                write!(told, "{}", chain(&fault)).unwrap();
            }
            Ok(old) => write!(told, "{:?} {:?}", old.installation.unreadable, old.installation.notes).unwrap(),
        }
    }
    assert!(torn > 10, "{torn}");

    let said = said.0.lock().unwrap().clone();
    assert!(said.len() > 100_000, "hardly anything was said: {}", said.len());
    assert_eq!(sung(&planted, &said), [""; 0], "in what was said");
    // The new database seals what it keeps, but what is a digest already, and sequences, which anybody with the right may read.
    let sealed: Vec<Canary> = planted.iter().filter(|c| !c.is_kept).cloned().collect();
    assert_eq!(sung(&sealed, &below(&data.data_dir)), [""; 0], "in the new database");
}
