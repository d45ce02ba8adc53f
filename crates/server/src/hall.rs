//! A start from beginning to end, and the running product.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use model::{Secret, TenantId, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use users::Users;

use crate::authenticate::Desks;
use crate::clock::{self, Clock};
use crate::doorway::{self, PortFault};
use crate::feeds::{FeedFault, GatewayFeed};
use crate::first_start::{self, Installation};
use crate::opaque::IssuedTokens;
use crate::options::{OptionFault, Options};
use crate::own_desk::OwnDesk;
use crate::own_gateway::OwnGateway;
use crate::passwords::OwnPasswords;
use crate::served::{self, Served};
use crate::spent::Spent;
use crate::tls::{self, TlsFault};
use crate::user_claims::StoredClaims;
use crate::{cors, gateway_config, health, housekeeping, portals};

/// How long the database may take to close; nothing is lost when it does not.
const CLOSING: Duration = Duration::from_secs(5);

/// What a start needs.
#[derive(Debug)]
pub struct Start {
    /// Settings, checked or not.
    pub options: Options,
    /// Where database, keys and certificate live.
    pub data_dir: PathBuf,
    /// Password of the first administrator; `None` has one made up.
    pub admin_password: Option<Secret<String>>,
    /// Behave as if it were this time now. For rehearsals only.
    pub rehearse_at: Option<Timestamp>,
}

/// Why a start ended.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// Settings.
    #[error("the settings have {} fault(s):{}", .0.len(), .0.iter().fold(String::new(), |all, f| all + "\n  " + &f.key + ": " + &f.words))]
    Options(Vec<OptionFault>),
    /// The data directory.
    #[error(transparent)]
    Home(#[from] db::home::HomeFault),
    /// The database's address.
    #[error("the database address (--db or database.url) cannot be used")]
    Url(#[from] db::UrlFault),
    /// The database could not be opened.
    #[error("the {shown} cannot be opened")]
    Open {
        /// Which, without user and password.
        shown: String,
        /// Why.
        source: db::Error,
    },
    /// The database.
    #[error("the database cannot be used")]
    Db(#[from] db::Error),
    /// The first administrator.
    #[error("the first administrator cannot be made")]
    Admin(#[from] users::ChangeError),
    /// The key desk.
    #[error("the token issuer cannot be set up")]
    Keys(#[from] keys::SignerError),
    /// The publisher.
    #[error("the publisher cannot be set up")]
    Publisher(#[from] publisher::SetupError),
    /// The gateway.
    #[error("the gateway cannot be set up")]
    Gateway(#[from] ::gateway::SetupFault),
    /// Its data.
    #[error("the gateway cannot be filled")]
    Feed(#[from] FeedFault),
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// A port.
    #[error(transparent)]
    Port(#[from] PortFault),
    /// Metrics.
    #[error("metrics cannot be set up")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Where the ports are open.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// REST and OAuth2, TLS.
    pub rest: SocketAddr,
    /// Health and metrics.
    pub management: SocketAddr,
    /// API traffic.
    pub gateway_http: SocketAddr,
    /// API traffic, TLS.
    pub gateway_https: SocketAddr,
}

/// A started product. Dropping it stops nothing; call [`Running::stop`] or [`Running::until_signal`].
pub struct Running {
    addresses: Addresses,
    generated_admin_password: Option<Secret<String>>,
    stop: watch::Sender<bool>,
    doors: Vec<JoinHandle<()>>,
    /// What works behind the doors: the feed, and who tidies up.
    behind: Vec<JoinHandle<()>>,
    db: db::Db,
    /// What is spent of limits; `None` in a rehearsal, whose windows are another time's.
    spent: Option<Spent>,
}

/// Starts every profile in this process.
///
/// # Errors
/// [`StartFault`]; nothing is left running then.
pub async fn start(start: Start) -> Result<Running, StartFault> {
    let Start { options, data_dir, admin_password, rehearse_at } = start;
    options.check().map_err(StartFault::Options)?;
    let shift_ms = rehearse_at.map_or(0, |at| at.0 - clock::now().0);
    if shift_ms != 0 {
        tracing::warn!(shift_ms, "rehearsal: this process believes it is another time");
    }
    let clock = clock::shifted(shift_ms);
    // Ports first: the most common fault costs nothing and leaves nothing behind.
    let ports = Ports::bind(&options).await?;
    let metrics = metrics()?;
    let Installation { db, data_dir } = first_start::open(&options, &data_dir, clock()).await?;
    let users = Users::new(db.clone(), Arc::clone(&clock));
    let generated_admin_password = match users.ensure_admin(admin_password).await? {
        users::Made::New { generated } => generated,
        users::Made::Existing => None,
    };

    for store in users.stores().await? {
        let (tenant, domain, kind, address) = (&store.tenant, &store.domain, &store.kind, &store.address);
        match &store.fault {
            _ if store.disabled => tracing::info!(%tenant, %domain, kind, address, "user store, disabled"),
            None => tracing::info!(%tenant, %domain, kind, address, "user store"),
            Some(fault) => {
                tracing::error!(%tenant, %domain, kind, %fault, "the definition of a user store cannot be used; its users cannot sign in")
            }
        }
    }

    let signers = Arc::new(keys::Signers::new(db.clone(), Arc::new(|key, name| Ok(tls::certificate_for(key, name)?)), Arc::clone(&clock)));
    signers.ensure(TenantId::SUPER).await?;
    let desk = keys::Desk::new(db.clone(), users.clone(), signers, key_settings(&options), Arc::clone(&clock));
    let gateway = ::gateway::Gateway::new(gateway_config::of(&options, shift_ms), Arc::new(IssuedTokens(desk.clone())))?;
    gateway.set_user_claims(Arc::new(StoredClaims { db: db.clone(), users: users.clone() }));
    let (applied, is_applied) = watch::channel(0);
    let feed = GatewayFeed {
        db: db.clone(),
        gateway: Arc::clone(&gateway),
        environment: options.environment.clone(),
        issuer: desk.settings().issuer(),
        skew_ms: i64::try_from(options.clock_skew.as_millis()).unwrap_or(i64::MAX),
        clock: Arc::clone(&clock),
        applied,
    };
    let seen = feed.fill().await?;
    let mut behind = vec![tokio::spawn(feed.keep(seen))];
    // A rehearsal's clock may be far ahead, and what is over then is not over yet.
    if shift_ms == 0 {
        behind.push(tokio::spawn(housekeeping::keep(db.clone(), Arc::clone(&clock))));
    }
    let spent = (shift_ms == 0).then(|| Spent::new(Arc::clone(&gateway), data_dir.path(), Arc::clone(&clock)));
    if let Some(spent) = &spent {
        spent.take_up();
        behind.push(tokio::spawn(spent.clone().keep()));
    }

    let served = Served { committed: db.changes(), applied: is_applied };
    let health = {
        let gateway = Arc::clone(&gateway);
        health::health(Arc::new(move || gateway.is_ready()))
    };
    let own_desk = keys::http::oauth2_router(desk.clone())
        .layer(middleware::from_fn_with_state(served.clone(), served::hold_back))
        .layer(middleware::from_fn(doorway::not_for_ever));
    gateway.set_key_desk(Arc::new(OwnDesk::new(own_desk)));
    let rest = rest_routers(&options, &db, &users, &desk, &clock)?
        .layer(middleware::from_fn_with_state(served, served::hold_back))
        .layer(middleware::from_fn_with_state(cors::Origins::from(options.cors_origins.clone()), cors::answer))
        .layer(middleware::from_fn(doorway::not_for_ever))
        .merge(portals::router())
        .merge(health.clone());
    let given = options.tls_certificate.as_deref().zip(options.tls_key.as_deref());
    let (certificate, key) = tls::files(given, data_dir.path(), &options.hostname)?;
    let rest_tls = tls::server_config(&certificate, &key, &[b"h2", b"http/1.1"])?;
    let gateway_tls = tls::server_config(&certificate, &key, &[b"http/1.1"])?;

    let (stop, stopping) = watch::channel(false);
    let addresses = ports.addresses;
    let doors = vec![
        tokio::spawn(doorway::serve(ports.rest, Some(rest_tls), rest, stopping.clone(), options.drain)),
        tokio::spawn(doorway::serve(ports.management, None, health.merge(health::metrics(metrics)), stopping.clone(), options.drain)),
        tokio::spawn(Arc::clone(&gateway).serve(ports.gateway_http, None, stopping.clone())),
        tokio::spawn(gateway.serve(ports.gateway_https, Some(gateway_tls), stopping)),
    ];
    tracing::info!(rest = %addresses.rest, gateway = %addresses.gateway_http, "ready");
    Ok(Running { addresses, generated_admin_password, stop, doors, behind, db, spent })
}

impl Running {
    /// Where the ports are open.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The administrator's password, when one was made up in this start.
    #[must_use]
    pub fn generated_admin_password(&self) -> Option<&Secret<String>> {
        self.generated_admin_password.as_ref()
    }

    /// Stops taking calls, lets open ones finish for the drain time at most, and returns when all is quiet.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for door in self.doors {
            if let Err(fault) = door.await {
                tracing::error!(%fault, "a port's task ended badly");
            }
        }
        for task in self.behind {
            task.abort();
        }
        if let Some(spent) = self.spent {
            spent.write(Duration::ZERO).await;
        }
        if tokio::time::timeout(CLOSING, self.db.close()).await.is_err() {
            tracing::warn!("the database was still at work and is left to end by itself");
        }
    }

    /// Runs until SIGTERM or SIGINT, then [`Running::stop`]s.
    pub async fn until_signal(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
            tracing::error!("signals cannot be waited for; running until killed");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => tracing::info!("SIGTERM: draining"),
            _ = int.recv() => tracing::info!("SIGINT: draining"),
        }
        self.stop().await;
        tracing::info!("stopped");
    }
}

struct Ports {
    rest: TcpListener,
    management: TcpListener,
    gateway_http: TcpListener,
    gateway_https: TcpListener,
    addresses: Addresses,
}

impl Ports {
    async fn bind(options: &Options) -> Result<Self, PortFault> {
        // Port 0 asks for any free one and is not shifted.
        let open = async |what, address: &str, port: u16| {
            let port = if port == 0 { 0 } else { port.saturating_add(options.port_offset) };
            let listener = doorway::bind(what, address, port).await?;
            let at = listener.local_addr().map_err(|source| PortFault::Other { what, address: address.to_owned(), port, source })?;
            Ok::<_, PortFault>((listener, at))
        };
        let everybody = &options.listen_address;
        let (rest, rest_at) = open("REST and OAuth2", everybody, options.rest_port).await?;
        let (management, management_at) = open("health and metrics", &options.management_address, options.management_port).await?;
        let (gateway_http, gateway_http_at) = open("API traffic", everybody, options.gateway_http_port).await?;
        let (gateway_https, gateway_https_at) = open("API traffic over TLS", everybody, options.gateway_https_port).await?;
        let addresses =
            Addresses { rest: rest_at, management: management_at, gateway_http: gateway_http_at, gateway_https: gateway_https_at };
        Ok(Self { rest, management, gateway_http, gateway_https, addresses })
    }
}

fn rest_routers(options: &Options, db: &db::Db, users: &Users, desk: &keys::Desk, clock: &Clock) -> Result<Router, StartFault> {
    let desks: Arc<dyn rest::Authenticate> = Arc::new(Desks(desk.clone()));
    let config = publisher::Config { allow_private_addresses: options.allow_private_addresses, ..publisher::Config::default() };
    let publisher = publisher::Room::new(db.clone(), config, Arc::new(OwnGateway), Arc::clone(clock))?;
    let passwords = Arc::new(OwnPasswords(users.clone()));
    let portal = portal::Room::new(db.clone(), desk.clone(), passwords, portal::Config::default(), Arc::clone(clock));
    let admin = admin::Room::new(db.clone(), users.clone(), Arc::clone(clock));
    Ok(Router::new()
        .nest("/api/am/publisher/v2", publisher::door(publisher, Arc::clone(&desks)))
        .nest("/api/am/devportal/v2", portal::door(portal, Arc::clone(&desks)))
        .nest("/api/am/admin/v2", admin::door(admin, Arc::clone(&desks)))
        .nest("/client-registration/v0.17", keys::http::registration_door(desk.clone(), desks))
        .nest("/t/{domain}", keys::http::oauth2_router(desk.clone()))
        .merge(keys::http::oauth2_router(desk.clone())))
}

fn key_settings(options: &Options) -> keys::Settings {
    keys::Settings {
        public_url: format!("https://{}:{}", options.hostname, options.rest_port.saturating_add(options.port_offset)),
        application_token_secs: options.application_token_secs,
        user_token_secs: options.user_token_secs,
        refresh_token_secs: options.refresh_token_secs,
        ..keys::Settings::default()
    }
}

/// The process has one recorder of metrics; a second start in the same process (as tests do) shares it.
fn metrics() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    static HANDLE: std::sync::Mutex<Option<PrometheusHandle>> = std::sync::Mutex::new(None);
    let mut handle = HANDLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handle) = &*handle {
        return Ok(handle.clone());
    }
    let installed = PrometheusBuilder::new().install_recorder()?;
    *handle = Some(installed.clone());
    Ok(installed)
}
