//! A fresh database for one test, removed afterwards whether it passed or not.

use std::future::Future;
use std::panic::resume_unwind;

use db::{Db, DbUrl, Sealer};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

pub(crate) const KEY: [u8; 32] = [42; 32];

/// The server new databases are made on.
const SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";

#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) db: Db,
    pub(crate) url: DbUrl,
    /// The address as text, for looking at the database behind our back.
    pub(crate) address: String,
}

/// Makes `mod sqlite` and `mod postgres` with a test for each `async fn(Stage)` named.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { crate::stage::on_sqlite(super::$name); })+
        }
        mod postgres {
            $(#[test] fn $name() { crate::stage::on_postgres(super::$name); })+
        }
    };
}
pub(crate) use on_both;

pub(crate) fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Stage) -> F) {
    let home = tempfile::tempdir().unwrap();
    let address = format!("sqlite:{}", home.path().join("tidegate.db").display());
    runtime().block_on(async {
        let stage = open(address).await;
        run(stage, test).await;
    });
}

pub(crate) fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Stage) -> F) {
    runtime().block_on(async {
        let Some(server) = server().await else { return };
        let name = format!("tidegate_test_{}", model::TokenId::random().0.simple());
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&server).await.unwrap();
        let stage = open(address_of(&name)).await;
        let outcome = tokio::spawn(test(stage.clone())).await;
        stage.db.close().await;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&server).await.unwrap();
        if let Err(failed) = outcome {
            resume_unwind(failed.into_panic());
        }
    });
}

async fn run<F: Future<Output = ()> + Send + 'static>(stage: Stage, test: impl FnOnce(Stage) -> F) {
    let outcome = tokio::spawn(test(stage.clone())).await;
    stage.db.close().await;
    if let Err(failed) = outcome {
        resume_unwind(failed.into_panic());
    }
}

async fn open(address: String) -> Stage {
    let url = DbUrl::parse(&address).unwrap();
    let db = Db::open(&url, Sealer::new(KEY)).await.unwrap();
    Stage { db, url, address }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn configured() -> Option<String> {
    std::env::var("TIDEGATE_TEST_POSTGRES").ok().filter(|v| !v.is_empty())
}

fn address_of(database: &str) -> String {
    let server = configured().unwrap_or_else(|| SERVER.to_owned());
    let (host, options) = match server.split_once('?') {
        Some((host, options)) => (host.to_owned(), format!("?{options}")),
        None => (server, String::new()),
    };
    let (scheme, rest) = host.split_once("://").unwrap();
    format!("{scheme}://{}/{database}{options}", rest.split('/').next().unwrap())
}

async fn server() -> Option<PgPool> {
    let address = configured().unwrap_or_else(|| SERVER.to_owned());
    match PgPoolOptions::new().max_connections(1).connect(&address).await {
        Ok(pool) => Some(pool),
        Err(_) if configured().is_none() => {
            println!("SKIPPED: no PostgreSQL server answers at 127.0.0.1:5432 and TIDEGATE_TEST_POSTGRES is not set");
            None
        }
        Err(error) => panic!("TIDEGATE_TEST_POSTGRES names a server that cannot be used: {error}"),
    }
}
