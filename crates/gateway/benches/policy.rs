//! What a call's decisions cost, from its path to its counters, without any network.
//!
//! `cargo bench -p tidegate-gateway --bench policy` prints nanoseconds a call, the fastest of several rounds. Times depend on the machine and
//! on what else it does; instructions do not:
//! `valgrind --tool=callgrind --toggle-collect='*measure::Decisions::pass*' <binary> <case> 10000`.

mod site;

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tidegate_gateway::measure::Decisions;
use tidegate_gateway::{Config, Gateway, NoOpaqueTokens, Snapshot};

use crate::site::APIS;

const ROUNDS: usize = 20;

/// Name, path below the context, value of claim `aut`; none for a call without a token.
const CASES: [(&str, &str, Option<&str>); 3] =
    [("application", "res", Some("APPLICATION")), ("user", "res", Some("APPLICATION_USER")), ("open", "open", None)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = arguments.first();
    let calls: usize = arguments.get(1).map_or(Ok(20_000), |n| n.parse())?;
    let key = token::SigningKey::generate()?;
    let gateway = Gateway::new(Config::default(), Arc::new(NoOpaqueTokens))?;
    gateway.swap(Snapshot::empty().apply(&site::changes("http://127.0.0.1:9", &key, true)).map_err(|faults| format!("{faults:?}"))?);
    let decisions = Decisions::of(&gateway, IpAddr::from([203, 0, 113, 7]));
    for (name, kind, aut) in CASES.into_iter().filter(|(name, ..)| wanted.is_none_or(|w| w == name)) {
        let headers = aut.map_or(Ok(HeaderMap::new()), |aut| headers(&key, aut))?;
        let requests = (0..APIS).map(|n| request(&format!("/api{n}/v1/{kind}7/5?x=1"), &headers)).collect::<Result<Vec<_>, _>>()?;
        let one_round = |calls: usize| {
            let started = Instant::now();
            let passed = requests.iter().cycle().take(calls).filter(|parts| decisions.pass(parts)).count();
            (started.elapsed(), passed)
        };
        let rounds = if wanted.is_some() { 1 } else { ROUNDS };
        let (fastest, passed) = (0..rounds).map(|_| one_round(calls)).min().ok_or("no rounds")?;
        if passed != calls {
            return Err(format!("{name}: only {passed} of {calls} calls passed").into());
        }
        writeln!(std::io::stdout(), "{name}: {} ns a call", fastest.as_nanos() / calls as u128)?;
    }
    Ok(())
}

fn request(path: &str, headers: &HeaderMap) -> Result<Parts, http::Error> {
    let (mut parts, ()) = http::Request::get(path).body(())?.into_parts();
    parts.headers = headers.clone();
    Ok(parts)
}

/// A token as long as those with a 2048-bit signature and some claims are.
fn headers(key: &token::SigningKey, aut: &str) -> Result<HeaderMap, Box<dyn std::error::Error>> {
    let token = site::token(key, aut, 200)?;
    let mut headers = HeaderMap::new();
    headers.insert(http::header::HOST, HeaderValue::from_static("gateway.example:8243"));
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(http::header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    Ok(headers)
}
