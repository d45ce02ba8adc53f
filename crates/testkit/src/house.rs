//! A running Tidegate.

use std::path::{Path, PathBuf};

use model::{Secret, Timestamp};
use server::{Addresses, Options, Running, Start};
use tempfile::TempDir;

/// The administrator's password in every test server.
pub const ADMIN_PASSWORD: &str = "admin-of-the-test";

/// All profiles in this process, on free ports of the loopback address.
pub struct House {
    running: Running,
    data_dir: PathBuf,
    _owned: Option<TempDir>,
}

impl House {
    /// On a fresh data directory that goes with it.
    pub async fn fresh() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("data");
        let mut house = Self::on(&path).await;
        house._owned = Some(folder);
        house
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
        let start = Start {
            options,
            data_dir: data_dir.to_owned(),
            admin_password: Some(Secret::new(ADMIN_PASSWORD.to_owned())),
            rehearse_at,
        };
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

    /// URL of a path on the REST port.
    #[must_use]
    pub fn rest(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.addresses().rest.port())
    }

    /// URL of a path on the plain gateway port.
    #[must_use]
    pub fn gateway(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.addresses().gateway_http.port())
    }

    /// Stops it and waits until it has.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}
