//! A PostgreSQL database for one test.

use std::future::Future;
use std::panic::resume_unwind;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

/// Where databases are made unless `TIDEGATE_TEST_POSTGRES` says otherwise.
const SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// A database that goes with the test.
#[derive(Clone)]
pub struct Scratch {
    server: PgPool,
    name: String,
    /// Its address.
    pub url: String,
}

impl Scratch {
    /// Takes the database away under whoever uses it.
    pub async fn close_to_everybody(&self) {
        let name = &self.name;
        self.run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        self.run(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")).await;
    }

    /// Takes that back.
    pub async fn open_again(&self) {
        self.run(format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name)).await;
    }

    async fn run(&self, sql: String) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.server).await.expect("the PostgreSQL server does it");
    }
}

/// Runs `test` with a database, and says so when there is no server to make one on.
///
/// # Panics
/// When the test does, and when `TIDEGATE_TEST_POSTGRES` names a server that cannot be used.
#[expect(clippy::print_stderr, reason = "a test that was not run must not look like one that passed")]
pub async fn with_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Scratch) -> F) {
    let configured = std::env::var("TIDEGATE_TEST_POSTGRES").ok().filter(|address| !address.is_empty());
    let address = configured.clone().unwrap_or_else(|| SERVER.to_owned());
    let server = match PgPoolOptions::new().max_connections(2).connect(&address).await {
        Ok(server) => server,
        Err(fault) if configured.is_none() => {
            eprintln!("SKIPPED: no PostgreSQL server answers at 127.0.0.1:5432 and TIDEGATE_TEST_POSTGRES is not set ({fault})");
            return;
        }
        Err(fault) => panic!("TIDEGATE_TEST_POSTGRES names a server that cannot be used: {fault}"),
    };
    let name = format!("tidegate_whole_{}", model::TokenId::random().0.simple());
    let (server_part, _) = address.rsplit_once('/').expect("an address with a database");
    let scratch = Scratch { server, url: format!("{server_part}/{name}"), name };
    scratch.run(format!("CREATE DATABASE {}", scratch.name)).await;
    let outcome = tokio::spawn(test(scratch.clone())).await;
    scratch.run(format!("DROP DATABASE {} WITH (FORCE)", scratch.name)).await;
    if let Err(failed) = outcome {
        resume_unwind(failed.into_panic());
    }
}
