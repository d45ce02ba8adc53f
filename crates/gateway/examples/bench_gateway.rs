//! A gateway with 1,000 APIs of 20 resources, for measuring what a call costs.
//!
//! `bench_gateway PORT BACKEND_URL [--workers N] [--multi]` prints a token and serves `/api<n>/v1/res<m>/<id>`. Workers are threads with
//! a runtime each; `--multi` is one multi-threaded runtime instead. Ends by signal.

#[path = "../benches/site/mod.rs"]
mod site;

use std::sync::Arc;

use tidegate_gateway::{Config, Door, Gateway, NoOpaqueTokens, Snapshot};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(port), Some(backend)) = (arguments.first().and_then(|p| p.parse::<u16>().ok()), arguments.get(1)) else {
        return Err("usage: bench_gateway PORT BACKEND_URL [--workers N] [--multi]".into());
    };
    let after = |flag: &str| arguments.iter().position(|a| a == flag).and_then(|at| arguments.get(at + 1));
    let workers: usize = after("--workers").map_or(Ok(1), |n| n.parse())?;
    let multi = arguments.iter().any(|a| a == "--multi");
    let key = token::SigningKey::generate()?;
    let token = site::token(&key, "APPLICATION", 0)?;
    let gateway = Gateway::new(Config::default(), Arc::new(NoOpaqueTokens))?;
    let started = std::time::Instant::now();
    gateway.swap(Snapshot::empty().apply(&site::changes(backend, &key, false)).map_err(|faults| format!("{faults:?}"))?);
    {
        use std::io::Write as _;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{token}")?;
        writeln!(out, "snapshot made in {:?}", started.elapsed())?;
        out.flush()?;
    }
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    if multi {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
        return runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(address).await?;
            tokio::spawn(gateway.serve(listener, None, stopped)).await?;
            Ok(())
        });
    }
    gateway.run(&[Door { address, tls: None }], workers, &stopped)?;
    Ok(())
}
