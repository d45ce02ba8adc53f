//! Clients: one that has signed in at the REST doors, one that calls APIs.

use http::{HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{Answer, Place};

/// The administrator's password in every test server.
pub const ADMIN_PASSWORD: &str = "admin-of-the-test";

/// Scopes enough for everything these tests do.
const SCOPES: &str = "apim:api_create apim:api_publish apim:api_view apim:api_delete apim:subscribe apim:app_manage apim:sub_manage \
                      apim:admin apim:tier_manage apim:tier_view apim:subscription_view apim:subscription_block \
                      apim:api_import_export apim:app_import_export";

/// An OAuth client's id and secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Id.
    pub id: String,
    /// Secret.
    pub secret: String,
}

/// Talks HTTP to one server, as nobody in particular.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    rest: String,
    gateway: String,
    headers: HeaderMap,
}

impl Caller {
    /// Takes the server's own certificate.
    pub fn new(place: &impl Place) -> Self {
        Self { http: http(), rest: place.rest(""), gateway: place.gateway(""), headers: HeaderMap::new() }
    }

    /// The same, with a header on every call to an API.
    #[must_use]
    pub fn saying(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Calls an API with a bearer token, or with none when it is empty.
    pub async fn call(&self, method: Method, path: &str, token: &str) -> Answer {
        self.try_call(method, path, token).await.expect("the gateway answers")
    }

    /// As [`Caller::call`], for a gateway that may be gone.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn try_call(&self, method: Method, path: &str, token: &str) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.gateway)).headers(self.headers.clone());
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        Ok(Answer::of(request.send().await?).await)
    }

    /// GETs an API.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token).await
    }

    /// A request to a path on the REST port.
    pub fn at_rest(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.rest))
    }

    /// Asks one of the desk's endpoints below `/oauth2/`, as a client.
    pub async fn oauth2(&self, endpoint: &str, client: &Client, form: &[(&str, &str)]) -> Answer {
        let request = self.at_rest(Method::POST, &format!("/oauth2/{endpoint}")).basic_auth(&client.id, Some(&client.secret));
        Answer::of(request.form(form).send().await.expect("the desk answers")).await
    }

    /// The same at the port of API traffic, where gateways of old had `/token` and `/revoke`.
    pub async fn at_gateway(&self, path: &str, client: &Client, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(format!("{}/{path}", self.gateway)).basic_auth(&client.id, Some(&client.secret));
        Answer::of(request.form(form).send().await.expect("the gateway answers")).await
    }

    /// An access token by client credentials.
    pub async fn token(&self, client: &Client, scope: &str) -> String {
        let granted = self.oauth2("token", client, &[("grant_type", "client_credentials"), ("scope", scope)]).await.expect(200);
        text(&granted, "access_token")
    }

    /// A grant by name and password, with access and refresh token.
    pub async fn password_grant(&self, client: &Client, user: &str, password: &str, scope: &str) -> Value {
        let form = [("grant_type", "password"), ("username", user), ("password", password), ("scope", scope)];
        self.oauth2("token", client, &form).await.expect(200)
    }

    /// Registers a client, as the command line client of 4.0.0 does.
    pub async fn register(&self, user: &str, password: &str) -> Client {
        let asked = json!({
            "clientName": "rest_api_import_export",
            "callbackUrl": "www.google.lk",
            "grantType": "password refresh_token",
            "saasApp": true,
            "owner": user,
            "tokenScope": "Production",
        });
        let request = self.at_rest(Method::POST, "/client-registration/v0.17/register").basic_auth(user, Some(password)).json(&asked);
        let made = Answer::of(request.send().await.expect("registration answers")).await.expect(200);
        Client { id: text(&made, "clientId"), secret: text(&made, "clientSecret") }
    }
}

/// A user's client, token in hand.
#[derive(Clone)]
pub struct Rest {
    /// The same without the token.
    pub caller: Caller,
    /// What was registered.
    pub client: Client,
    /// The token.
    pub token: String,
}

impl Rest {
    /// Signed in as the administrator that every test server has.
    pub async fn admin(place: &impl Place) -> Self {
        Self::sign_in(place, "admin", ADMIN_PASSWORD).await
    }

    /// Registers a client and takes a token by the password grant.
    pub async fn sign_in(place: &impl Place, user: &str, password: &str) -> Self {
        let caller = Caller::new(place);
        let client = caller.register(user, password).await;
        let granted = caller.password_grant(&client, user, password, SCOPES).await;
        Self { token: text(&granted, "access_token"), caller, client }
    }

    /// A request below `/api/am/`, e.g. `publisher/v2/apis`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.caller.at_rest(method, &format!("/api/am/{path}")).bearer_auth(&self.token)
    }

    /// Sends JSON, or nothing for null, whatever the answer.
    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.try_ask(method, path, body).await.expect("the REST port answers")
    }

    /// As [`Rest::ask`], for a server that may be gone.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn try_ask(&self, method: Method, path: &str, body: &Value) -> reqwest::Result<Answer> {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// Sends JSON and expects a success; returns the answer's JSON (null for an empty one).
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.ask(method.clone(), path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
        serde_json::from_str(&answer.text).unwrap_or(Value::Null)
    }

    /// GET, expecting success.
    pub async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, &Value::Null).await
    }

    /// POST, expecting success.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(Method::POST, path, body).await
    }

    /// PUT, expecting success.
    pub async fn put(&self, path: &str, body: &Value) -> Value {
        self.send(Method::PUT, path, body).await
    }
}

/// A member of a JSON answer that must be a text.
#[track_caller]
pub(crate) fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no text {name} in {answer}")).to_owned()
}

/// One client for all: it takes the server's own certificate and keeps connections.
fn http() -> reqwest::Client {
    reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().expect("a client")
}
