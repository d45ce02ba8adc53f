//! The backend and the peers: nginx, haproxy, and nginx with Lua as the engine class most gateways are built on. Configuration as a careful
//! operator would write it: kept-alive connections to the backend, no access log, as many workers as the product has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};

use super::machine::{self, Cores};
use super::process::Process;
use crate::needs;

/// What the backend answers to everything.
pub(crate) const BODY_BYTES: usize = 1024;

const MODULES: &str = "/usr/lib/nginx/modules";
const ISSUER: &str = "https://localhost:9443/oauth2/token";

/// Installs what is missing.
pub(crate) fn install() -> anyhow::Result<()> {
    let mut missing: Vec<&str> = [
        ("wrk", "wrk"),
        ("nginx", "nginx-light"),
        ("haproxy", "haproxy"),
        ("curl", "curl"),
        ("openssl", "openssl"),
        ("taskset", "util-linux"),
        ("getconf", "libc-bin"),
    ]
    .iter()
    .filter(|(program, _)| !crate::sh::has(program))
    .map(|(_, package)| *package)
    .collect();
    let lua = "/usr/share/lua/5.1";
    for (file, package) in [
        (format!("{MODULES}/ngx_http_lua_module.so"), "libnginx-mod-http-lua"),
        (format!("{lua}/cjson"), "lua-cjson"),
        (format!("{lua}/resty/core.lua"), "lua-resty-core"),
    ] {
        if !Path::new(&file).exists() {
            missing.push(package);
        }
    }
    needs::packages(&missing)
}

/// A started peer or backend.
pub(crate) struct Served {
    pub(crate) process: Process,
    pub(crate) port: u16,
}

/// Writes configurations and starts programs with them.
pub(crate) struct Peers {
    folder: PathBuf,
    cores: Cores,
}

impl Peers {
    pub(crate) fn new(folder: &Path, cores: Cores) -> Self {
        Self { folder: folder.to_owned(), cores }
    }

    /// nginx answering every request with the same body.
    pub(crate) fn backend(&self) -> anyhow::Result<Served> {
        let port = machine::free_port()?;
        let body = body();
        let http = format!("    server {{\n        listen 127.0.0.1:{port};\n        location / {{ return 200 \"{body}\"; }}\n    }}");
        let conf = self.nginx_conf("backend", "", &http, 1)?;
        let process = self.start_nginx(self.cores.other(sbin("nginx")), "backend", &conf)?;
        Ok(Served { process, port })
    }

    pub(crate) fn nginx(&self, backend: u16) -> anyhow::Result<Served> {
        let port = machine::free_port()?;
        let conf = self.nginx_conf("nginx", "", &proxy(port, backend, ""), self.cores.workers)?;
        let process = self.start_nginx(self.cores.proxy(sbin("nginx")), "nginx", &conf)?;
        Ok(Served { process, port })
    }

    pub(crate) fn haproxy(&self, backend: u16) -> anyhow::Result<Served> {
        let port = machine::free_port()?;
        let text = include_str!("peers/haproxy.cfg")
            .replace("@WORKERS@", &self.cores.workers.to_string())
            .replace("@PORT@", &port.to_string())
            .replace("@BACKEND@", &machine::local(backend).to_string());
        let conf = self.write("haproxy.cfg", &text)?;
        let mut command = self.cores.proxy(sbin("haproxy"));
        command.arg("-f").arg(conf);
        Ok(Served { process: Process::start(command, &self.folder.join("haproxy.log"))?, port })
    }

    /// nginx with Lua checking a token and counting calls. [`Peers::sign`] must have been called once.
    pub(crate) fn lua(&self, backend: u16) -> anyhow::Result<Served> {
        let port = machine::free_port()?;
        self.write("gate.lua", include_str!("peers/gate.lua"))?;
        let folder = self.folder.display();
        let pem = std::fs::read_to_string(self.folder.join("gate.pem")).context("the public key of nginx+Lua is missing")?;
        let shared = format!(
            "    lua_package_path \"{folder}/?.lua;/usr/share/lua/5.1/?.lua;;\";\n    lua_shared_dict tokens 16m;\n    lua_shared_dict counters 16m;\n    \
             init_by_lua_block {{ require(\"gate\").open([[{pem}]], \"{ISSUER}\", 2000000000) }}\n"
        );
        let access = "            access_by_lua_block { require(\"gate\").pass() }";
        let modules = format!("load_module {MODULES}/ndk_http_module.so;\nload_module {MODULES}/ngx_http_lua_module.so;");
        let conf = self.nginx_conf("lua", &modules, &(shared + &proxy(port, backend, access)), self.cores.workers)?;
        let process = self.start_nginx(self.cores.proxy(sbin("nginx")), "lua", &conf)?;
        Ok(Served { process, port })
    }

    /// Makes the key of nginx+Lua, and a token with the claims that Tidegate's own tokens have.
    pub(crate) fn sign(&self) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
        let client = "AbCdEfGhIjKlMnOpQrStUvWxYz0a";
        let claims = serde_json::json!({
            "sub": "admin", "aut": "APPLICATION", "aud": client, "nbf": now, "azp": client, "scope": "default", "iss": ISSUER,
            "exp": now + 86_400, "iat": now, "jti": "9a1c5c0e-5d0c-4f0b-8a53-2f6f1f1b7c11",
        });
        let script = self.write("sign.sh", include_str!("peers/sign.sh"))?;
        let output = Command::new("sh").arg(script).arg(&self.folder).arg(claims.to_string()).output().context("cannot start sh")?;
        if !output.status.success() {
            bail!("cannot sign a token for nginx+Lua: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn nginx_conf(&self, name: &str, modules: &str, http: &str, workers: usize) -> anyhow::Result<PathBuf> {
        let text = include_str!("peers/nginx.conf")
            .replace("@MODULES@", modules)
            .replace("@WORKERS@", &workers.to_string())
            .replace("@HTTP@", http)
            .replace("@FOLDER@", &self.folder.display().to_string())
            .replace("@NAME@", name);
        self.write(&format!("{name}.conf"), &text)
    }

    fn start_nginx(&self, mut command: Command, name: &str, conf: &Path) -> anyhow::Result<Process> {
        command.arg("-p").arg(&self.folder).arg("-e").arg(self.folder.join(format!("{name}.log"))).arg("-c").arg(conf);
        Process::start(command, &self.folder.join(format!("{name}.out")))
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// The backend's answer.
pub(crate) fn body() -> String {
    "tidegate".repeat(BODY_BYTES / 8)
}

fn proxy(port: u16, backend: u16, access: &str) -> String {
    include_str!("peers/proxy.conf")
        .replace("@BACKEND@", &machine::local(backend).to_string())
        .replace("@PORT@", &port.to_string())
        .replace("@ACCESS@", access)
}

/// Debian keeps these where an ordinary user's search path does not reach.
fn sbin(program: &str) -> String {
    ["/usr/sbin", "/usr/local/sbin"]
        .iter()
        .map(|dir| format!("{dir}/{program}"))
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| program.to_owned())
}
