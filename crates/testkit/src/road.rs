//! The steps of the road every API takes, from its making to its first call.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Rest, text};

/// A subscribed application's keys.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Application.
    pub application: String,
    /// Subscription.
    pub subscription: String,
    /// Consumer key and secret.
    pub client: Client,
    /// The token that came with them.
    pub token: String,
}

/// An API with one backend for both kinds of key, as the publisher takes it.
#[must_use]
pub fn api(name: &str, backend: &str) -> Value {
    json!({
        "name": name,
        "version": "1.0.0",
        "context": format!("/{}", name.to_lowercase()),
        "policies": ["Unlimited"],
        "endpointConfig": {
            "endpoint_type": "http",
            "production_endpoints": {"url": backend},
            "sandbox_endpoints": {"url": format!("{backend}/sandbox")},
        },
        "operations": [{"target": "/*", "verb": "GET"}, {"target": "/items", "verb": "POST"}],
    })
}

impl Rest {
    /// Makes an API; its id.
    pub async fn create(&self, api: &Value) -> String {
        text(&self.post("publisher/v2/apis", api).await, "id")
    }

    /// Freezes an API's present state; the revision's id.
    pub async fn revision(&self, api: &str) -> String {
        text(&self.post(&format!("publisher/v2/apis/{api}/revisions"), &json!({"description": "test"})).await, "id")
    }

    /// Deploys a revision.
    pub async fn deploy(&self, api: &str, revision: &str) -> Value {
        let path = format!("publisher/v2/apis/{api}/deploy-revision?revisionId={revision}");
        self.post(&path, &json!([{"name": "Default", "displayOnDevportal": true}])).await
    }

    /// Takes a revision off the gateway.
    pub async fn undeploy(&self, api: &str, revision: &str) -> Value {
        let path = format!("publisher/v2/apis/{api}/undeploy-revision?revisionId={revision}");
        self.post(&path, &json!([{"name": "Default", "displayOnDevportal": true}])).await
    }

    /// A step in an API's life, e.g. `Publish`.
    pub async fn step(&self, api: &str, action: &str) -> Value {
        let action = action.replace(' ', "%20");
        self.send(Method::POST, &format!("publisher/v2/apis/change-lifecycle?apiId={api}&action={action}"), &Value::Null).await
    }

    /// Makes, deploys and publishes an API; its id.
    pub async fn publish(&self, api: &Value) -> String {
        let id = self.create(api).await;
        let revision = self.revision(&id).await;
        self.deploy(&id, &revision).await;
        self.step(&id, "Publish").await;
        id
    }

    /// Makes an application; its id.
    pub async fn application(&self, name: &str) -> String {
        let asked = json!({"name": name, "throttlingPolicy": "Unlimited", "description": "", "tokenType": "JWT"});
        text(&self.post("devportal/v2/applications", &asked).await, "applicationId")
    }

    /// Subscribes an application to an API; the subscription's id.
    pub async fn subscribe(&self, application: &str, api: &str, plan: &str) -> String {
        let asked = json!({"applicationId": application, "apiId": api, "throttlingPolicy": plan});
        text(&self.post("devportal/v2/subscriptions", &asked).await, "subscriptionId")
    }

    /// Makes an application's keys of one kind; its client, and the token that comes with it.
    pub async fn generate_keys(&self, application: &str, kind: &str) -> (Client, String) {
        let asked = json!({
            "keyType": kind,
            "grantTypesToBeSupported": ["client_credentials", "password", "refresh_token"],
            "callbackUrl": "",
            "validityTime": 3600,
            "scopes": ["default"],
            "additionalProperties": {},
        });
        let made = self.post(&format!("devportal/v2/applications/{application}/generate-keys"), &asked).await;
        (Client { id: text(&made, "consumerKey"), secret: text(&made, "consumerSecret") }, text(&made["token"], "accessToken"))
    }

    /// Lets through everything that waits for an approval.
    pub async fn approve_all(&self) {
        let waiting = self.get("admin/v2/workflows?limit=100").await;
        for one in waiting["list"].as_array().into_iter().flatten() {
            let reference = text(one, "referenceId");
            let path = format!("admin/v2/workflows/update-workflow-status?workflowReferenceId={reference}");
            self.post(&path, &json!({"status": "APPROVED", "description": "", "attributes": {}})).await;
        }
    }

    /// Everything a developer does before the first call.
    pub async fn become_subscriber(&self, name: &str, api: &str, plan: &str) -> Keys {
        let application = self.application(name).await;
        let subscription = self.subscribe(&application, api, plan).await;
        let (client, token) = self.generate_keys(&application, "PRODUCTION").await;
        Keys { application, subscription, client, token }
    }
}
