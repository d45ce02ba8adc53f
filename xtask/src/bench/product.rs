//! Tidegate as an installation: a data directory set up over its own REST interfaces, served as often as asked.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::http::Connection;
use super::machine::{self, Cores};
use super::process::{Process, until};
use super::rest::{Client, Rest, text};

/// A resource that asks for a token, has a limit of its own, and is one of twenty.
pub(crate) const PATH: &str = "/bench/1.0.0/res7/42";
/// A resource anybody may call.
pub(crate) const OPEN_PATH: &str = "/bench/1.0.0/open/42";
/// A resource for large bodies, read by GET and written by POST.
pub(crate) const STREAM_PATH: &str = "/bench/1.0.0/stream";
/// A resource whose limit is one call a minute.
const ONCE_PATH: &str = "/bench/1.0.0/once/42";

const ADMIN: &str = "admin";
const PASSWORD: &str = "admin-of-the-bench";

/// Never reached, but finite, so that it is counted.
const PLENTY: u64 = 2_000_000_000;

/// Longest start.
const START: Duration = Duration::from_secs(120);

/// Where one installation listens. The same at every start, since tokens name the issuer's port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) rest: u16,
    pub(crate) management: u16,
    pub(crate) gateway: u16,
    gateway_https: u16,
}

/// A data directory and how to serve it.
pub(crate) struct Installation {
    program: PathBuf,
    folder: PathBuf,
    cores: Cores,
    pub(crate) ports: Ports,
}

impl Installation {
    /// Writes the configuration; the data directory is `folder/data`, made by the first start or by an upgrade before it.
    pub(crate) fn new(program: &Path, folder: &Path, cores: Cores) -> anyhow::Result<Self> {
        let ports = Ports {
            rest: machine::free_port()?,
            management: machine::free_port()?,
            gateway: machine::free_port()?,
            gateway_https: machine::free_port()?,
        };
        let config = format!(
            "[server]\nlisten_address = \"127.0.0.1\"\ndrain = \"2s\"\n\n[management]\nhttps_port = {}\nhttp_port = {}\n\n[gateway]\nhttp_port = {}\nhttps_port = {}\nworkers = {}\n",
            ports.rest, ports.management, ports.gateway, ports.gateway_https, cores.workers
        );
        let path = folder.join("tidegate.toml");
        std::fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { program: program.to_owned(), folder: folder.to_owned(), cores, ports })
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts it and does not wait.
    pub(crate) fn serve(&self) -> anyhow::Result<Process> {
        let mut command = self.cores.proxy(&self.program);
        command.arg("serve").arg("--config").arg(self.folder.join("tidegate.toml")).arg("--data-dir").arg(self.data_dir());
        command.env("TIDEGATE_ADMIN_PASSWORD", PASSWORD);
        Process::start(command, &self.folder.join("tidegate.log"))
    }

    /// Fills the data directory by the product's own upgrade. `sources` are its flags for the old installation.
    pub(crate) fn take_over(&self, sources: &[(&str, String)]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["upgrade", "apply", "--unplanned", "--data-dir"]).arg(self.data_dir());
        for (flag, value) in sources {
            command.args([*flag, value]);
        }
        let output = command.stdin(Stdio::null()).output().context("cannot start tidegate upgrade")?;
        let log = self.folder.join("upgrade.log");
        std::fs::write(&log, &output.stdout).with_context(|| format!("cannot write {}", log.display()))?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tidegate upgrade apply ended with {}: {}; see {}", output.status, words.trim(), log.display());
        Ok(())
    }

    /// Waits until it says that it is ready.
    pub(crate) fn wait_until_ready(&self, process: &mut Process) -> anyhow::Result<()> {
        let log = self.folder.join("tidegate.log");
        let asked = until("tidegate serve", START, || {
            process.must_run()?;
            Ok(status(self.ports.management, "/readyz", None).is_ok_and(|status| status == 200))
        });
        asked.with_context(|| format!("tidegate serve does not get ready; see {}", log.display()))
    }
}

/// An installation with an API and a token for it.
pub(crate) struct Product {
    pub(crate) installation: Installation,
    pub(crate) jwt: String,
}

impl Product {
    /// Sets up a fresh installation whose API leads to `backend`, and shows that its limits count.
    pub(crate) fn set_up(program: &Path, folder: &Path, cores: Cores, backend: u16) -> anyhow::Result<Self> {
        let installation = Installation::new(program, folder, cores)?;
        let mut process = installation.serve()?;
        installation.wait_until_ready(&mut process)?;
        let rest = Rest::sign_in(installation.ports.rest, ADMIN, PASSWORD)?;
        policies(&rest)?;
        let api = publish(&rest, backend)?;

        let bench = application(&rest, "Bench", "BenchApplication", (&api, "BenchPlan"))?;
        let jwt = rest.client_credentials(&generate_keys(&rest, &bench)?)?;
        ensure!(jwt.split('.').count() == 3, "the application's token is no JWT");
        let port = installation.ports.gateway;
        must_run_out("resource", port, ONCE_PATH, &jwt)?;
        let by_application = application(&rest, "OnceByApplication", "BenchOnce", (&api, "BenchPlan"))?;
        must_run_out("application", port, PATH, &rest.client_credentials(&generate_keys(&rest, &by_application)?)?)?;
        let by_plan = application(&rest, "OnceByPlan", "BenchApplication", (&api, "BenchOnce"))?;
        must_run_out("subscription", port, PATH, &rest.client_credentials(&generate_keys(&rest, &by_plan)?)?)?;
        Ok(Self { installation, jwt })
    }
}

fn policies(rest: &Rest) -> anyhow::Result<()> {
    let policy = |family: &str, name: &str, count: u64| {
        let limit = json!({ "type": "REQUESTCOUNTLIMIT", "requestCount": { "timeUnit": "min", "unitTime": 1, "requestCount": count } });
        let mut policy = json!({ "policyName": name, "defaultLimit": limit });
        if family == "subscription" {
            // Otherwise a spent plan is only billed for, not refused.
            policy["stopOnQuotaReach"] = true.into();
        }
        policy
    };
    for (family, name) in [("application", "BenchApplication"), ("subscription", "BenchPlan"), ("advanced", "BenchResource")] {
        rest.post(&format!("admin/v2/throttling/policies/{family}"), &policy(family, name, PLENTY))?;
        rest.post(&format!("admin/v2/throttling/policies/{family}"), &policy(family, "BenchOnce", 1))?;
    }
    // Calls without a token share this plan, of 500 calls a minute as it comes.
    let plans = rest.get("admin/v2/throttling/policies/subscription")?;
    let plans = plans.get("list").and_then(Value::as_array).context("no list of subscription policies")?;
    let open = plans.iter().find(|plan| plan.get("policyName").and_then(Value::as_str) == Some("Unauthenticated"));
    let id = text(open.context("no policy Unauthenticated")?, "policyId")?;
    rest.put(&format!("admin/v2/throttling/policies/subscription/{id}"), &policy("subscription", "Unauthenticated", PLENTY))?;
    Ok(())
}

/// Makes an API, freezes it, deploys it, publishes it; its id.
fn publish(rest: &Rest, backend: u16) -> anyhow::Result<String> {
    const TOKEN: &str = "Application & Application User";
    let operation = |verb: &str, target: &str, auth: &str, policy: &str| json!({ "target": target, "verb": verb, "authType": auth, "throttlingPolicy": policy });
    let mut operations: Vec<Value> = (0..20).map(|n| operation("GET", &format!("/res{n}/{{id}}"), TOKEN, "BenchResource")).collect();
    operations.push(operation("GET", "/stream", TOKEN, "BenchResource"));
    operations.push(operation("POST", "/stream", TOKEN, "BenchResource"));
    operations.push(operation("GET", "/once/{id}", TOKEN, "BenchOnce"));
    operations.push(operation("GET", "/open/{id}", "None", "Unlimited"));
    let made = rest.post(
        "publisher/v2/apis",
        &json!({
            "name": "Bench", "version": "1.0.0", "context": "/bench", "policies": ["BenchPlan", "BenchOnce"], "operations": operations,
            "endpointConfig": { "endpoint_type": "http", "production_endpoints": { "url": format!("http://{}", machine::local(backend)) } },
        }),
    )?;
    let api = text(&made, "id")?;
    let revision = rest.post(&format!("publisher/v2/apis/{api}/revisions"), &json!({ "description": "bench" }))?;
    let deployment = json!([{ "name": "Default", "vhost": "localhost", "displayOnDevportal": true }]);
    rest.post(&format!("publisher/v2/apis/{api}/deploy-revision?revisionId={}", text(&revision, "id")?), &deployment)?;
    rest.post(&format!("publisher/v2/apis/change-lifecycle?apiId={api}&action=Publish"), &Value::Null)?;
    Ok(api)
}

/// An application subscribed to an API under a plan; its id.
fn application(rest: &Rest, name: &str, policy: &str, (api, plan): (&str, &str)) -> anyhow::Result<String> {
    let made = rest.post("devportal/v2/applications", &json!({ "name": name, "throttlingPolicy": policy, "tokenType": "JWT" }))?;
    let id = text(&made, "applicationId")?;
    rest.post("devportal/v2/subscriptions", &json!({ "applicationId": id, "apiId": api, "throttlingPolicy": plan }))?;
    Ok(id)
}

fn generate_keys(rest: &Rest, application: &str) -> anyhow::Result<Client> {
    let order = json!({
        "keyType": "PRODUCTION", "keyManager": "Resident Key Manager", "grantTypesToBeSupported": ["client_credentials"],
        "additionalProperties": { "application_access_token_expiry_time": "86400" },
    });
    let keys = rest.post(&format!("devportal/v2/applications/{application}/generate-keys"), &order)?;
    Ok(Client { key: text(&keys, "consumerKey")?, secret: text(&keys, "consumerSecret")? })
}

/// A limit of one call a minute must let the first pass and refuse one of the next; else the bench would praise a gateway that counts nothing.
pub(crate) fn must_run_out(level: &str, port: u16, path: &str, token: &str) -> anyhow::Result<()> {
    let first = status(port, path, Some(token))?;
    ensure!(first == 200, "the first call under a limit of one was answered {first} ({level} level)");
    // The minute may end between two calls, but not twice.
    for _ in 0..3 {
        if status(port, path, Some(token))? == 429 {
            return Ok(());
        }
    }
    anyhow::bail!("the {level} level's limit of one call a minute let four calls pass")
}

fn status(port: u16, path: &str, token: Option<&str>) -> std::io::Result<u16> {
    Ok(Connection::open(machine::local(port))?.get(path, token)?.status)
}
