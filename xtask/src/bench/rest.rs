//! The product's REST interfaces, asked through curl as an operator's script would.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

/// Scopes enough for setting up.
const SCOPES: &str = "apim:api_create apim:api_publish apim:api_view apim:subscribe apim:app_manage apim:sub_manage apim:admin apim:tier_manage apim:tier_view";

/// How a request says who sends it.
enum Caller<'a> {
    Basic(&'a str, &'a str),
    Bearer(&'a str),
}

/// A client's key and secret.
pub(crate) struct Client {
    pub(crate) key: String,
    pub(crate) secret: String,
}

/// Somebody signed in.
pub(crate) struct Rest {
    base: String,
    token: String,
}

impl Rest {
    /// Registers a client and takes a token by the password grant.
    pub(crate) fn sign_in(port: u16, user: &str, password: &str) -> anyhow::Result<Self> {
        let base = format!("https://127.0.0.1:{port}");
        let client = register(&base, user, password, "bench_setup", "password refresh_token")?;
        let form = [("grant_type", "password"), ("username", user), ("password", password), ("scope", SCOPES)];
        let token = token(&base, &client, &form)?;
        Ok(Self { base, token })
    }

    /// GET below `/api/am/`, expecting a success.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send("GET", path, &Value::Null)
    }

    /// PUT, likewise.
    pub(crate) fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send("PUT", path, body)
    }

    /// POST, likewise.
    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send("POST", path, body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask(method, &format!("{}/api/am/{path}", self.base), &Caller::Bearer(&self.token), "application/json", &body)
    }

    /// An application's token.
    pub(crate) fn client_credentials(&self, client: &Client) -> anyhow::Result<String> {
        token(&self.base, client, &[("grant_type", "client_credentials")])
    }
}

fn register(base: &str, user: &str, password: &str, name: &str, grants: &str) -> anyhow::Result<Client> {
    let body = json!({ "clientName": name, "owner": user, "grantType": grants, "saasApp": true });
    let url = format!("{base}/client-registration/v0.17/register");
    let made = ask("POST", &url, &Caller::Basic(user, password), "application/json", &body.to_string())?;
    Ok(Client { key: text(&made, "clientId")?, secret: text(&made, "clientSecret")? })
}

fn token(base: &str, client: &Client, form: &[(&str, &str)]) -> anyhow::Result<String> {
    // Nothing sent here needs escaping but the spaces between scopes.
    let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
    let caller = Caller::Basic(&client.key, &client.secret);
    let granted = ask("POST", &format!("{base}/oauth2/token"), &caller, "application/x-www-form-urlencoded", &form.join("&"))?;
    text(&granted, "access_token")
}

/// A member that must be there.
pub(crate) fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("no {name} in {value}"))
}

fn ask(method: &str, url: &str, caller: &Caller<'_>, kind: &str, body: &str) -> anyhow::Result<Value> {
    let mut curl = Command::new("curl");
    curl.args([
        "-sk",
        "--max-time",
        "60",
        "-X",
        method,
        "-H",
        &format!("Content-Type: {kind}"),
        "-w",
        "\n%{http_code}",
        "--data-binary",
        "@-",
    ]);
    match caller {
        Caller::Basic(name, secret) => curl.args(["-u", &format!("{name}:{secret}")]),
        Caller::Bearer(token) => curl.args(["-H", &format!("Authorization: Bearer {token}")]),
    };
    let mut child = curl.arg(url).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start curl")?;
    child.stdin.take().context("curl takes no input")?.write_all(body.as_bytes()).context("curl does not read its input")?;
    let output = child.wait_with_output().context("curl does not end")?;
    let answer = String::from_utf8_lossy(&output.stdout);
    let (answer, status) = answer.rsplit_once('\n').unwrap_or(("", &answer));
    ensure!(output.status.success(), "{method} {url}: curl ended with {}", output.status);
    if !status.starts_with('2') {
        bail!("{method} {url} answered {status}: {answer}");
    }
    Ok(serde_json::from_str(answer).unwrap_or(Value::Null))
}
