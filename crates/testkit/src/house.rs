//! A Tidegate running in the test's own process.

use std::path::{Path, PathBuf};

use model::{Secret, Timestamp};
use server::{Addresses, Options, Running, Start};
use tempfile::TempDir;

use crate::{ADMIN_PASSWORD, Place};

/// All profiles in this process, on free ports of the loopback address.
pub struct House {
    running: Running,
    data_dir: PathBuf,
    _owned: Option<TempDir>,
}

impl House {
    /// On a fresh data directory that goes with it.
    pub async fn fresh() -> Self {
        Self::fresh_with(Options::default(), None).await
    }

    /// The same with settings.
    pub async fn fresh_with(options: Options, rehearse_at: Option<Timestamp>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data");
        let mut house = Self::with(&path, options, rehearse_at).await;
        house._owned = Some(folder);
        house
    }

    /// On a fresh data directory, with a clock that stands at the beginning of this very minute: limits per minute cannot run out of it
    /// halfway through a test.
    pub async fn at_the_minute() -> Self {
        Self::fresh_with(Options::default(), Some(this_minute())).await
    }

    /// On a data directory that a test made, perhaps by an upgrade.
    pub async fn on(data_dir: &Path) -> Self {
        Self::with(data_dir, Options::default(), None).await
    }

    /// With settings; ports and address are set here.
    pub async fn with(data_dir: &Path, options: Options, rehearse_at: Option<Timestamp>) -> Self {
        let options = Options {
            listen_address: "127.0.0.1".to_owned(),
            rest_port: 0,
            management_port: 0,
            gateway_http_port: 0,
            gateway_https_port: 0,
            ..options
        };
        let start =
            Start { options, data_dir: data_dir.to_owned(), admin_password: Some(Secret::new(ADMIN_PASSWORD.to_owned())), rehearse_at };
        let running = match server::start(start).await {
            Ok(running) => running,
            Err(fault) => panic!("the server did not start: {fault}: {fault:?}"),
        };
        Self { running, data_dir: data_dir.to_owned(), _owned: None }
    }

    /// Its ports.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.running.addresses()
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Whether this start made up a password for the administrator.
    #[must_use]
    pub fn made_up_a_password(&self) -> bool {
        self.running.generated_admin_password().is_some()
    }

    /// Stops it and waits until it has.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

impl Place for House {
    fn rest(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.addresses().rest.port())
    }

    fn gateway(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.addresses().gateway_http.port())
    }

    fn gateway_tls(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.addresses().gateway_https.port())
    }

    fn management(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.addresses().management.port())
    }
}

/// The beginning of the minute that runs now.
fn this_minute() -> Timestamp {
    let now = server::clock::now().0;
    Timestamp(now - now.rem_euclid(60_000))
}
