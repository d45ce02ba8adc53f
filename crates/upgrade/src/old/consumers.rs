//! Subscribers, applications, keys and subscriptions, as AM_* holds them.

use chrono::NaiveDateTime;
use model::Secret;

use super::record::record;

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
