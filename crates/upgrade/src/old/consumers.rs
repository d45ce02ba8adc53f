//! Subscribers, applications, keys and subscriptions, as AM_* holds them.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime};
use model::Secret;

use super::record::{Record, record};
use crate::source::{CellError, Source, SourceError};

record! {
    /// Somebody who has logged in to the store.
    Subscriber from "AM_SUBSCRIBER" {
        id: i64 = "SUBSCRIBER_ID",
        /// With `@domain` for tenants and `STORE/` for secondary stores.
        user_id: String = "USER_ID",
        tenant_id: i64 = "TENANT_ID",
        email: Option<String> = "EMAIL_ADDRESS",
        subscribed: Option<NaiveDateTime> = "DATE_SUBSCRIBED",
        created_by: Option<String> = "CREATED_BY",
        created: Option<NaiveDateTime> = "CREATED_TIME",
        updated_by: Option<String> = "UPDATED_BY",
        updated: Option<NaiveDateTime> = "UPDATED_TIME",
    }
}

record! {
    /// A developer's application.
    Application from "AM_APPLICATION" {
        id: i64 = "APPLICATION_ID",
        name: String = "NAME",
        subscriber_id: i64 = "SUBSCRIBER_ID",
        tier: Option<String> = "APPLICATION_TIER",
        callback_url: Option<String> = "CALLBACK_URL",
        description: Option<String> = "DESCRIPTION",
        status: Option<String> = "APPLICATION_STATUS",
        group_id: Option<String> = "GROUP_ID",
        created_by: Option<String> = "CREATED_BY",
        created: Option<NaiveDateTime> = "CREATED_TIME",
        updated_by: Option<String> = "UPDATED_BY",
        updated: Option<NaiveDateTime> = "UPDATED_TIME",
        uuid: Option<String> = "UUID",
        token_type: Option<String> = "TOKEN_TYPE",
    }
}

record! {
    /// A custom attribute of an application (2.2 on).
    ApplicationAttribute from "AM_APPLICATION_ATTRIBUTES" {
        application_id: i64 = "APPLICATION_ID",
        name: String = "NAME",
        value: Option<String> = "VALUE",
        tenant_id: Option<i64> = "TENANT_ID",
    }
}

record! {
    /// A group an application is shared with (2.2 on).
    ApplicationGroup from "AM_APPLICATION_GROUP_MAPPING" {
        application_id: i64 = "APPLICATION_ID",
        group_id: String = "GROUP_ID",
        tenant: Option<String> = "TENANT",
    }
}

record! {
    /// A request for keys, kept after it was granted.
    Registration from "AM_APPLICATION_REGISTRATION" {
        id: i64 = "REG_ID",
        subscriber_id: Option<i64> = "SUBSCRIBER_ID",
        workflow_ref: String = "WF_REF",
        application_id: Option<i64> = "APP_ID",
        key_type: Option<String> = "TOKEN_TYPE",
        allowed_domains: Option<String> = "ALLOWED_DOMAINS",
        validity_seconds: Option<i64> = "VALIDITY_PERIOD",
        scope: Option<String> = "TOKEN_SCOPE",
        inputs_json: Option<String> = "INPUTS",
    }
}

record! {
    /// An application's OAuth client.
    KeyMapping from "AM_APPLICATION_KEY_MAPPING" {
        application_id: i64 = "APPLICATION_ID",
        /// NULL until the request is granted.
        consumer_key: Option<String> = "CONSUMER_KEY",
        key_type: String = "KEY_TYPE",
        state: Option<String> = "STATE",
        create_mode: Option<String> = "CREATE_MODE",
    }
}

record! {
    /// A web site a key may be used from; `ALL` for any.
    KeyDomain from "AM_APP_KEY_DOMAIN_MAPPING" {
        consumer_key: String = "CONSUMER_KEY",
        domain: Option<String> = "AUTHZ_DOMAIN",
    }
}

record! {
    /// An application may call an API.
    Subscription from "AM_SUBSCRIPTION" {
        id: i64 = "SUBSCRIPTION_ID",
        tier: Option<String> = "TIER_ID",
        api_id: i64 = "API_ID",
        application_id: i64 = "APPLICATION_ID",
        status: Option<String> = "SUB_STATUS",
        /// `UN_SUBSCRIBE` marks a leftover that only kept its keys.
        create_state: Option<String> = "SUBS_CREATE_STATE",
        created: Option<NaiveDateTime> = "CREATED_TIME",
        updated: Option<NaiveDateTime> = "UPDATED_TIME",
        uuid: Option<String> = "UUID",
    }
}

record! {
    /// A token of a single subscription, as made before 1.4.
    SubscriptionKey from "AM_SUBSCRIPTION_KEY_MAPPING" {
        subscription_id: i64 = "SUBSCRIPTION_ID",
        access_token: Secret<String> = "ACCESS_TOKEN",
        key_type: Option<String> = "KEY_TYPE",
    }
}

record! {
    /// Something that waits, or waited, for approval.
    Workflow from "AM_WORKFLOWS" {
        id: i64 = "WF_ID",
        reference: String = "WF_REFERENCE",
        kind: String = "WF_TYPE",
        status: String = "WF_STATUS",
        created: Option<NaiveDateTime> = "WF_CREATED_TIME",
        updated: Option<NaiveDateTime> = "WF_UPDATED_TIME",
        description: Option<String> = "WF_STATUS_DESC",
        tenant_id: Option<i64> = "TENANT_ID",
        tenant_domain: Option<String> = "TENANT_DOMAIN",
        external_reference: String = "WF_EXTERNAL_REFERENCE",
    }
}

/// All subscriptions, by number. There may be millions, and their words are few: each word is kept once, and a row is some fifty bytes.
#[derive(Clone, PartialEq, Default)]
pub struct Subscriptions {
    rows: Vec<Packed>,
    words: Words,
}

/// A row with words by their number and times in microseconds since the epoch.
#[derive(Clone, PartialEq)]
struct Packed {
    id: i64,
    api_id: i64,
    application_id: i64,
    created: Option<i64>,
    updated: Option<i64>,
    tier: u32,
    status: u32,
    create_state: u32,
    uuid: u32,
}

/// Texts by number; 0 is none.
#[derive(Clone, PartialEq, Default)]
struct Words {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Words {
    fn number(&mut self, text: Option<String>) -> u32 {
        let Some(text) = text else { return 0 };
        if let Some(number) = self.numbers.get(text.as_str()) {
            return *number;
        }
        let number = self.add(text.clone());
        self.numbers.insert(text.into_boxed_str(), number);
        number
    }

    /// For a text that does not come again.
    fn add(&mut self, text: String) -> u32 {
        self.texts.push(text.into_boxed_str());
        u32::try_from(self.texts.len()).unwrap_or(0)
    }

    fn text(&self, number: u32) -> Option<String> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.texts.get(at).map(|text| text.to_string())
    }
}

impl Subscriptions {
    /// Reads the table. Rows that do not fit go to `unreadable`. Who touched a subscription, and when it was last used, is of no use to
    /// anybody and is left there.
    pub(super) async fn read(source: &Source, unreadable: &mut Vec<CellError>) -> Result<Self, SourceError> {
        let mut rows = source.scan(Subscription::TABLE);
        let mut found = Self::default();
        while let Some(row) = rows.next().await? {
            match Subscription::of(&row) {
                Ok(subscription) => found.push(subscription),
                Err(fault) => unreadable.push(fault),
            }
        }
        found.rows.shrink_to_fit();
        found.rows.sort_by_key(|r| r.id);
        Ok(found)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Option<Subscription> {
        let row = self.rows.get(at)?;
        let time = |micros: Option<i64>| micros.and_then(DateTime::from_timestamp_micros).map(|t| t.naive_utc());
        Some(Subscription {
            id: row.id,
            tier: self.words.text(row.tier),
            api_id: row.api_id,
            application_id: row.application_id,
            status: self.words.text(row.status),
            create_state: self.words.text(row.create_state),
            created: time(row.created),
            updated: time(row.updated),
            uuid: self.words.text(row.uuid),
        })
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = Subscription> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    fn push(&mut self, s: Subscription) {
        let micros = |time: Option<NaiveDateTime>| time.map(|t| t.and_utc().timestamp_micros());
        self.rows.push(Packed {
            id: s.id,
            api_id: s.api_id,
            application_id: s.application_id,
            created: micros(s.created),
            updated: micros(s.updated),
            tier: self.words.number(s.tier),
            status: self.words.number(s.status),
            create_state: self.words.number(s.create_state),
            uuid: s.uuid.map_or(0, |uuid| self.words.add(uuid)),
        });
    }
}

impl std::fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_subscription_is_as_it_was() {
        let time = |s: &str| NaiveDateTime::parse_from_str(s, "%Y-%m-%d %H:%M:%S%.f").ok();
        let one = Subscription {
            id: 7,
            tier: Some("Gold".into()),
            api_id: 2,
            application_id: 3,
            status: Some(String::new()),
            create_state: None,
            created: time("2014-01-02 03:04:05.123456"),
            updated: None,
            uuid: Some("9db41cd6-9431-4c58-923b-085d50f2a517".into()),
        };
        let other = Subscription { id: 8, status: Some("BLOCKED".into()), uuid: None, updated: time("1969-12-31 23:59:59"), ..one.clone() };
        let mut all = Subscriptions::default();
        all.push(one.clone());
        all.push(other.clone());
        assert_eq!(all.iter().collect::<Vec<_>>(), [one, other]);
        assert_eq!((all.len(), all.get(2), all.words.numbers.len()), (2, None, 3));
    }
}
