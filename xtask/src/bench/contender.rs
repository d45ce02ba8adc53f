//! Who is measured, and that all of them do the work they are measured for.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};

use super::http::Connection;
use super::machine::{self, Cores};
use super::old;
use super::peers::{self, Peers, Served};
use super::process::{Process, until};
use super::product::{self, Installation, Product};

/// Longest start.
const START: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Nginx,
    Haproxy,
    Lua,
    TidegateOpen,
    TidegateJwt,
    TidegateOpaque,
}

impl Contender {
    pub(crate) const ALL: [Self; 6] = [Self::Nginx, Self::Haproxy, Self::Lua, Self::TidegateOpen, Self::TidegateJwt, Self::TidegateOpaque];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Lua => "nginx-lua",
            Self::TidegateOpen => "tidegate-open",
            Self::TidegateJwt => "tidegate-jwt",
            Self::TidegateOpaque => "tidegate-opaque",
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Nginx => "plain proxy: no token, no limit",
            Self::Haproxy => "plain proxy: no token, no limit",
            Self::Lua => "RS256 token (cached), one limit",
            Self::TidegateOpen => "an API's resource that asks for no token",
            Self::TidegateJwt => "RS256 token (cached), subscription, limits on application, subscription and resource",
            Self::TidegateOpaque => "the same with an opaque token (cached) of an old installation that was taken over",
        }
    }

    pub(crate) fn is_tidegate(self) -> bool {
        matches!(self, Self::TidegateOpen | Self::TidegateJwt | Self::TidegateOpaque)
    }

    /// Those named, or all.
    pub(crate) fn chosen(names: &[String]) -> anyhow::Result<Vec<Self>> {
        if names.is_empty() {
            return Ok(Self::ALL.to_vec());
        }
        let known = || Self::ALL.map(Self::name).join(", ");
        names
            .iter()
            .map(|name| {
                Self::ALL.into_iter().find(|c| c.name() == name).with_context(|| format!("no contender '{name}'; there are {}", known()))
            })
            .collect()
    }
}

/// Everything the contenders share.
pub(crate) struct Stage {
    pub(crate) cores: Cores,
    peers: Peers,
    backend: Served,
    product: Option<Product>,
    /// An installation taken over from an old one with an opaque token; or why there is none, which fails one contender and not the rest.
    old: Option<Result<(Installation, String), String>>,
    lua_token: Option<String>,
}

/// A contender that answers.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    pub(crate) token: Option<String>,
    /// From the start of its process to the first good answer.
    pub(crate) ready_in: Duration,
}

impl Stage {
    /// Starts the backend, and sets up what `contenders` need. `tidegate` is the program, if one of them needs it.
    pub(crate) fn set(folder: &Path, cores: Cores, contenders: &[Contender], tidegate: Option<&Path>) -> anyhow::Result<Self> {
        let peers = Peers::new(folder, cores);
        let mut backend = peers.backend()?;
        until("the backend", START, || {
            backend.process.must_run()?;
            Ok(good_answer(backend.port, "/", None).is_ok())
        })?;
        let needs_product = contenders.iter().any(|c| matches!(c, Contender::TidegateOpen | Contender::TidegateJwt));
        let product = match tidegate.filter(|_| needs_product) {
            Some(program) => Some(Product::set_up(program, folder, cores, backend.port).context("tidegate cannot be set up")?),
            None => None,
        };
        let old = tidegate.filter(|_| contenders.contains(&Contender::TidegateOpaque));
        let old = old.map(|program| old_installation(program, folder, cores, backend.port).map_err(|fault| format!("{fault:#}")));
        let lua_token = if contenders.contains(&Contender::Lua) { Some(peers.sign()?) } else { None };
        Ok(Self { cores, peers, backend, product, old, lua_token })
    }

    /// Starts a contender, waits for its first good answer, and checks that it refuses what it must.
    pub(crate) fn start(&self, contender: Contender) -> anyhow::Result<Started> {
        let begun = Instant::now();
        let (served, path, token) = self.serve(contender)?;
        let Served { mut process, port } = served;
        let mut last = None;
        let answered = until("its first good answer", START, || {
            process.must_run()?;
            last = good_answer(port, path, token.as_deref()).err();
            Ok(last.is_none())
        });
        if let Err(fault) = answered {
            bail!("{fault:#}{}", last.map_or_else(String::new, |last| format!("; the last answer: {last:#}")));
        }
        let ready_in = begun.elapsed();
        if let Some(token) = &token {
            must_refuse(port, path, None)?;
            must_refuse(port, path, Some(&tampered(token)))?;
        }
        Ok(Started { process, port, path, token, ready_in })
    }

    fn serve(&self, contender: Contender) -> anyhow::Result<(Served, &'static str, Option<String>)> {
        let backend = self.backend.port;
        // All at the same path, so that all read the same number of bytes.
        let path = product::PATH;
        let product = || self.product.as_ref().context("tidegate was not set up");
        let serve = |installation: &Installation| anyhow::Ok(Served { process: installation.serve()?, port: installation.ports.gateway });
        Ok(match contender {
            Contender::Nginx => (self.peers.nginx(backend)?, path, None),
            Contender::Haproxy => (self.peers.haproxy(backend)?, path, None),
            Contender::Lua => (self.peers.lua(backend)?, path, self.lua_token.clone()),
            Contender::TidegateOpen => (serve(&product()?.installation)?, product::OPEN_PATH, None),
            Contender::TidegateJwt => (serve(&product()?.installation)?, path, Some(product()?.jwt.clone())),
            Contender::TidegateOpaque => {
                let old = self.old.as_ref().context("no old installation was taken over")?;
                let (installation, token) = old.as_ref().map_err(|fault| anyhow!("an old installation cannot be taken over: {fault}"))?;
                (serve(installation)?, path, Some(token.clone()))
            }
        })
    }
}

fn old_installation(program: &Path, folder: &Path, cores: Cores, backend: u16) -> anyhow::Result<(Installation, String)> {
    let folder = folder.join("taken-over");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let installation = Installation::new(program, &folder, cores)?;
    let token = old::bench(&installation, &folder, backend)?;
    Ok((installation, token))
}

impl Started {
    /// # Errors
    /// When the answer is no longer the backend's, or the process has ended.
    pub(crate) fn must_answer(&mut self) -> anyhow::Result<()> {
        self.process.must_run()?;
        good_answer(self.port, self.path, self.token.as_deref())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", machine::local(self.port), self.path)
    }
}

/// 200 and the backend's body.
fn good_answer(port: u16, path: &str, token: Option<&str>) -> anyhow::Result<()> {
    let answer = Connection::open(machine::local(port))?.get(path, token)?;
    ensure!(answer.status == 200, "it answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    ensure!(answer.body == peers::body().as_bytes(), "it answered 200 with another body than the backend's");
    Ok(())
}

fn must_refuse(port: u16, path: &str, token: Option<&str>) -> anyhow::Result<()> {
    let status = Connection::open(machine::local(port))?.get(path, token)?.status;
    ensure!(status == 401, "a call {} token was answered {status}, not 401", token.map_or("without a", |_| "with a tampered"));
    Ok(())
}

/// The token with one character in the middle of its last part changed.
fn tampered(token: &str) -> String {
    let last = token.rfind('.').map_or(0, |dot| dot + 1);
    let at = last + (token.len() - last) / 2;
    let swap = |c: char| if c == 'a' { 'b' } else { 'a' };
    token.char_indices().map(|(i, c)| if i == at { swap(c) } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_changes_one_character_of_the_signature() {
        assert_eq!(tampered("h.p.aaaa"), "h.p.aaba");
        assert_eq!(tampered("opaque"), "opaaue");
    }

    #[test]
    fn contenders_are_found_by_name() {
        assert_eq!(Contender::chosen(&[]).unwrap().len(), 6);
        assert_eq!(Contender::chosen(&["nginx-lua".to_owned()]).unwrap(), [Contender::Lua]);
        assert!(Contender::chosen(&["kong".to_owned()]).is_err());
    }
}
