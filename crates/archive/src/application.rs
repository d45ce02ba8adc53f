//! An application's project: one file.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::{KeyMapping, OAuthClient, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{ArchiveError, Folder, Format, envelope, file_safe};

const KIND: &str = "application";

/// An application with its subscriptions and keys.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationProject {
    /// The application.
    pub application_info: ApplicationInfo,
    /// Its subscriptions.
    #[serde(rename = "subscribedAPIs")]
    pub subscribed: Vec<SubscribedApi>,
}

/// Schema `Application` of the portal's document. What is not named here is read over.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationInfo {
    /// Name.
    pub name: String,
    /// Application policy.
    pub throttling_policy: String,
    /// Free text.
    pub description: Option<String>,
    /// `JWT` or `OAUTH`.
    pub token_type: Option<String>,
    /// `APPROVED` …; not read.
    pub status: Option<String>,
    /// Groups it is shared with.
    pub groups: Vec<String>,
    /// How many subscriptions there are; not read.
    pub subscription_count: u64,
    /// Keys, when they were asked for.
    pub keys: Vec<ApplicationKey>,
    /// Attributes.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Owner: `user` or `user@tenant`.
    pub owner: String,
}

/// Schema `ApplicationKey`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationKey {
    /// Name of the key manager.
    pub key_manager: Option<String>,
    /// Client id.
    pub consumer_key: Option<String>,
    /// Client secret in base64; see [`ApplicationKey::secret`].
    pub consumer_secret: Option<String>,
    /// Grants.
    pub supported_grant_types: Vec<String>,
    /// Callback.
    pub callback_url: Option<String>,
    /// `COMPLETED` …; not read.
    pub key_state: Option<String>,
    /// `PRODUCTION` or `SANDBOX`.
    pub key_type: String,
    /// `CREATED` or `MAPPED`; not read.
    pub mode: Option<String>,
    /// How long its tokens live. Archives hold no token.
    pub token: Option<KeyToken>,
    /// Lifetimes by name.
    pub additional_properties: Option<Value>,
}

/// What an archive says of a key's tokens.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyToken {
    /// Seconds.
    pub validity_time: Option<i64>,
}

impl ApplicationKey {
    /// A key as an archive shows it, without its secret. `validity_secs` is how long tokens live where the client does not say.
    pub fn of(key: &KeyMapping, client: &OAuthClient, validity_secs: i64) -> Self {
        Self {
            key_manager: Some(key.key_manager.clone()),
            consumer_key: Some(client.id.clone()),
            supported_grant_types: client.grants.clone(),
            callback_url: client.callback_url.clone(),
            key_state: Some(key.state.name().to_owned()),
            key_type: key.key_type.name().to_owned(),
            mode: Some(key.mode.name().to_owned()),
            token: Some(KeyToken { validity_time: Some(client.lifetimes.application_secs.unwrap_or(validity_secs)) }),
            ..Self::default()
        }
    }

    /// Puts the client's secret in.
    pub fn set_secret(&mut self, secret: &Secret<String>) {
        self.consumer_secret = Some(BASE64_STANDARD.encode(secret.expose()));
    }

    /// The client's secret, when the archive holds it.
    ///
    /// # Errors
    /// [`ArchiveError::Unreadable`] when it is not base64 of text.
    pub fn secret(&self) -> Result<Option<Secret<String>>, ArchiveError> {
        let Some(text) = self.consumer_secret.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let plain = BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let wrong =
            || ArchiveError::Unreadable { file: "application".to_owned(), words: "a consumerSecret is not base64 of text".to_owned() };
        plain.map(|secret| Some(Secret::new(secret))).ok_or_else(wrong)
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscribedApi {
    /// Which API.
    pub api_id: Subscribed,
    /// Who subscribed; not read.
    pub subscriber: Subscriber,
    /// Plan.
    pub throttling_policy: String,
}

/// An API as a subscription names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subscribed {
    /// `user` or `user@tenant`; `-AT-` may stand for `@`.
    pub provider_name: String,
    /// Name.
    pub api_name: String,
    /// Version.
    pub version: String,
}

/// Who subscribed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscriber {
    /// `user` or `user@tenant`.
    pub name: String,
}

impl ApplicationProject {
    /// The folder within the archive: `<owner>-<name>`.
    #[must_use]
    pub fn root(&self) -> String {
        format!("{}-{}", file_safe(&self.application_info.owner), file_safe(&self.application_info.name))
    }

    /// The project's files.
    #[must_use]
    pub fn folder(&self, format: Format) -> Folder {
        let mut folder = Folder::default();
        envelope::put(&mut folder, KIND, KIND, envelope::without_nulls(json!(self)), format);
        folder
    }

    /// Reads a project's files.
    ///
    /// # Errors
    /// [`ArchiveError`] when `application.yaml` (or `.json`) is missing, of another kind or version, or does not read.
    pub fn read(folder: &Folder) -> Result<Self, ArchiveError> {
        envelope::read(folder, KIND, KIND)?.ok_or(ArchiveError::Missing("application.yaml or application.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_reads_as_it_was_written() {
        let mut key = ApplicationKey { key_type: "PRODUCTION".to_owned(), consumer_key: Some("k".to_owned()), ..ApplicationKey::default() };
        key.set_secret(&Secret::new("s3cret".to_owned()));
        let project = ApplicationProject {
            application_info: ApplicationInfo {
                name: "Orders".to_owned(),
                owner: "dave@acme.com".to_owned(),
                throttling_policy: "Unlimited".to_owned(),
                keys: vec![key],
                ..ApplicationInfo::default()
            },
            subscribed: vec![SubscribedApi {
                api_id: Subscribed { provider_name: "admin".to_owned(), api_name: "Pizza".to_owned(), version: "1.0".to_owned() },
                subscriber: Subscriber { name: "dave@acme.com".to_owned() },
                throttling_policy: "Gold".to_owned(),
            }],
        };
        assert_eq!(project.root(), "dave_acme.com-Orders");
        for format in [Format::Yaml, Format::Json] {
            let bytes = project.folder(format).zip(&project.root()).unwrap();
            let read = ApplicationProject::read(&Folder::unzip(&bytes).unwrap()).unwrap();
            assert_eq!(read.subscribed, project.subscribed);
            assert_eq!(read.application_info.keys[0].secret().unwrap().unwrap().expose(), "s3cret");
            assert!(read.folder(format) == project.folder(format));
        }
    }
}
