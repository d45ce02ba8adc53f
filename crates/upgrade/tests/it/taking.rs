//! Takes an old installation over, as the command does, for tests to look at.

use std::path::Path;

use db::Db;
use model::Timestamp;
use upgrade::{
    Old, Place,
    apply::{Applied, ApplyError, Options},
    plan::Plan,
    source::Location,
    target::{Address, TargetPlace},
    translate::{EndpointMap, Translation},
    verify::Verification,
};

pub(crate) struct Taken {
    pub(crate) old: Old,
    pub(crate) map: EndpointMap,
    pub(crate) now: Timestamp,
}

impl Taken {
    pub(crate) async fn of(place: &Place, now_ms: i64) -> Self {
        Self { old: Old::read(place).await.unwrap(), map: EndpointMap::default(), now: Timestamp(now_ms) }
    }

    pub(crate) async fn dumps(locations: Vec<Location>, now_ms: i64) -> Self {
        Self::of(&Place { databases: locations, ..Place::default() }, now_ms).await
    }

    pub(crate) async fn planned(&self, db: Option<&Db>) -> (Translation, Plan) {
        let input = self.old.input(&self.map, self.now);
        let mut translation = upgrade::translate::translate(&input);
        let mut plan = upgrade::plan::plan(&translation, &self.old.source, db).await.unwrap();
        upgrade::plan::plan_tokens(&mut plan, &mut translation, &input, &self.old.site, db).await.unwrap();
        (translation, plan)
    }

    pub(crate) async fn apply(&self, db: &Db, options: Options) -> Result<Applied, ApplyError> {
        let (translation, plan) = self.planned(Some(db)).await;
        let input = self.old.input(&self.map, self.now);
        upgrade::apply::apply(&translation, &plan, &input, &self.old.site, db, options, &|_, _, _| {}).await
    }

    pub(crate) async fn applied(&self, db: &Db) -> Applied {
        self.apply(db, self.all()).await.unwrap()
    }

    pub(crate) fn all(&self) -> Options {
        Options::all(self.now)
    }

    pub(crate) async fn verify(&self, db: &Db) -> Verification {
        let (translation, _) = self.planned(Some(db)).await;
        let input = self.old.input(&self.map, self.now);
        upgrade::verify::verify(&translation, &input, &self.old.site, db).await.unwrap()
    }
}

pub(crate) fn target(folder: &Path) -> TargetPlace {
    TargetPlace { data_dir: folder.join("data"), database: None, key: None }
}

pub(crate) fn target_on(folder: &Path, url: &str) -> TargetPlace {
    TargetPlace { data_dir: folder.join("data"), database: Some(Address::parse(url).unwrap()), key: None }
}

/// Fails with the first differences.
pub(crate) fn equal(verification: &Verification) {
    let told: Vec<String> = verification.differences.iter().take(10).map(|d| format!("{d:?}")).collect();
    assert!(verification.is_equal(), "{} differences\n{}", verification.differing, told.join("\n"));
    for compared in verification.kinds.iter().chain(&verification.straight) {
        assert_eq!((compared.source, compared.target), (compared.equal + compared.lived_on, compared.source), "{compared:?}");
    }
}

/// Fails with the tables that do not add up.
pub(crate) fn balanced(translation: &Translation) {
    let rest: Vec<_> = translation.ledger.unbalanced().collect();
    assert!(rest.is_empty(), "{rest:?}");
}
