//! A REST client that has signed in.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::House;
use crate::house::ADMIN_PASSWORD;

/// Scopes enough for everything these tests do.
const SCOPES: &str = "apim:api_create apim:api_publish apim:api_view apim:api_delete apim:subscribe apim:app_manage apim:sub_manage \
                      apim:admin apim:tier_manage apim:tier_view apim:subscription_view apim:subscription_block";

/// A user's client, token in hand.
pub struct Rest {
    http: Client,
    base: String,
    token: String,
}

impl Rest {
    /// A client that takes the server's own certificate.
    #[must_use]
    pub fn http() -> Client {
        Client::builder().tls_danger_accept_invalid_certs(true).build().expect("a client")
    }

    /// Signed in as the administrator that every test server has.
    pub async fn admin(house: &House) -> Self {
        Self::sign_in(house, "admin", ADMIN_PASSWORD).await
    }

    /// Registers a client and takes a token by the password grant, as the command line client of 4.0.0 does.
    pub async fn sign_in(house: &House, user: &str, password: &str) -> Self {
        let http = Self::http();
        let registered = http
            .post(house.rest("/client-registration/v0.17/register"))
            .basic_auth(user, Some(password))
            .json(&json!({"clientName": "rest_api_import_export", "callbackUrl": "www.google.lk", "grantType": "password refresh_token", "saasApp": true, "owner": user, "tokenScope": "Production"}))
            .send()
            .await
            .expect("registration answers");
        assert!(registered.status().is_success(), "registration: {} {}", registered.status(), registered.text().await.unwrap_or_default());
        let client: Value = registered.json().await.expect("registration is JSON");
        let text = |name: &str| client[name].as_str().expect("client id and secret").to_owned();
        let granted = http
            .post(house.rest("/oauth2/token"))
            .basic_auth(text("clientId"), Some(text("clientSecret")))
            .form(&[("grant_type", "password"), ("username", user), ("password", password), ("scope", SCOPES)])
            .send()
            .await
            .expect("the token endpoint answers");
        assert_eq!(granted.status(), 200, "password grant");
        let granted: Value = granted.json().await.expect("a grant is JSON");
        let token = granted["access_token"].as_str().expect("an access token").to_owned();
        Self { http, base: house.rest(""), token }
    }

    /// A request below `/api/am/`, e.g. `publisher/v2/apis`.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/am/{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends JSON and expects a success; returns the answer's JSON (null for an empty one).
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Value {
        let mut request = self.request(method.clone(), path);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the REST port answers");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// GET, expecting success.
    pub async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, &Value::Null).await
    }

    /// POST, expecting success.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(Method::POST, path, body).await
    }
}
