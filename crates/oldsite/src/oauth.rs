//! The identity tables an API Manager uses: OAuth clients, service providers, tokens, scopes.

use std::collections::HashMap;

use crate::rows::{Rows, row};
use crate::seed;
use crate::site::{HOUR_MS, SUPER_TENANT, Site, TokenKind};

/// Adds the IDN_*, SP_* and IDP rows of the site.
pub(crate) fn add(site: &Site, rows: &mut Rows) {
    row!(rows, "IDN_BASE_TABLE"; PRODUCT_NAME = "WSO2 Identity Server");
    for tenant in site.tenant_ids() {
        let id = rows.next_number("IDP");
        row!(rows, "IDP"; ID = id, TENANT_ID = tenant, NAME = "LOCAL", IS_ENABLED = "1", IS_PRIMARY = "1", HOME_REALM_ID = "localhost",
            INBOUND_PROV_ENABLED = "0", IS_FEDERATION_HUB = "0", IS_LOCAL_CLAIM_DIALECT = "0");
    }
    clients(site, rows);
    scopes(site, rows);
    tokens(site, rows);
}

fn clients(site: &Site, rows: &mut Rows) {
    for client in site.clients() {
        row!(rows, "IDN_OAUTH_CONSUMER_APPS"; CONSUMER_KEY = &client.key, CONSUMER_SECRET = &client.secret, USERNAME = &client.owner,
            TENANT_ID = client.tenant, APP_NAME = &client.name, OAUTH_VERSION = "OAuth-2.0",
            CALLBACK_URL = client.callback_url.clone().unwrap_or_default(), GRANT_TYPES = &client.grants);
        let id = rows.next_number("SP_APP");
        row!(rows, "SP_APP"; ID = id, TENANT_ID = client.tenant, APP_NAME = &client.name, USER_STORE = "PRIMARY", USERNAME = &client.owner,
            DESCRIPTION = format!("Service provider of {}", client.name), AUTH_TYPE = "default", IS_LOCAL_CLAIM_DIALECT = "1",
            IS_SEND_LOCAL_SUBJECT_ID = "0", IS_SEND_AUTH_LIST_OF_IDPS = "0", IS_SAAS_APP = "0");
        row!(rows, "SP_INBOUND_AUTH"; ID = id, TENANT_ID = client.tenant, INBOUND_AUTH_KEY = &client.key, INBOUND_AUTH_TYPE = "oauth2",
            PROP_NAME = "oauthConsumerSecret", PROP_VALUE = &client.secret, APP_ID = id);
    }
}

fn scopes(site: &Site, rows: &mut Rows) {
    // Versions of one API share its scopes: a key is unique within its tenant.
    let mut known = HashMap::<(i32, String), i64>::new();
    for api in &site.apis {
        for scope in &api.scopes {
            let id = *known.entry((api.tenant, scope.key.clone())).or_insert_with(|| {
                let id = rows.next_number("IDN_OAUTH2_SCOPE");
                row!(rows, "IDN_OAUTH2_SCOPE"; SCOPE_ID = id, SCOPE_KEY = &scope.key, NAME = &scope.name, DESCRIPTION = &scope.description,
                    TENANT_ID = api.tenant, ROLES = scope.roles.join(","));
                id
            });
            row!(rows, "AM_API_SCOPES"; API_ID = api.id, SCOPE_ID = id);
            for resource in api.resources.iter().filter(|r| r.scope.as_ref() == Some(&scope.key)) {
                // 1.9 appends the version to a context that already ends with it.
                let path = format!("{}/{}{}:{}", api.versioned_context(), api.version, resource.pattern, resource.verb);
                row!(rows, "IDN_OAUTH2_RESOURCE_SCOPE"; RESOURCE_PATH = path, SCOPE_ID = id);
            }
        }
    }
}

fn tokens(site: &Site, rows: &mut Rows) {
    for token in &site.tokens {
        let state_id = if token.state == "ACTIVE" { "NONE".to_owned() } else { seed::uuid(site.seed, &format!("state:{}", token.access)) };
        row!(rows, "IDN_OAUTH2_ACCESS_TOKEN"; ACCESS_TOKEN = &token.access, REFRESH_TOKEN = token.refresh.as_ref(), CONSUMER_KEY = &token.consumer_key,
            AUTHZ_USER = &token.user,
            USER_TYPE = match token.kind { TokenKind::Application => "APPLICATION", TokenKind::User => "APPLICATION_USER" },
            TIME_CREATED = Site::utc(token.created_ms), VALIDITY_PERIOD = token.validity_ms, TOKEN_SCOPE = &token.scopes,
            TOKEN_STATE = &token.state, TOKEN_STATE_ID = state_id);
    }
    if let Some(client) = site.clients().next() {
        row!(rows, "IDN_OAUTH2_AUTHORIZATION_CODE"; AUTHORIZATION_CODE = seed::key(site.seed, "code"), CONSUMER_KEY = &client.key,
            CALLBACK_URL = client.callback_url.clone().unwrap_or_default(), SCOPE = "default", AUTHZ_USER = format!("{}@carbon.super", client.owner),
            TIME_CREATED = Site::utc(site.now_ms - 50 * HOUR_MS), VALIDITY_PERIOD = 300_000);
    }
    row!(rows, "IDN_IDENTITY_USER_DATA"; TENANT_ID = SUPER_TENANT, USER_NAME = "frank",
        DATA_KEY = "http://wso2.org/claims/identity/accountLocked", DATA_VALUE = "true");
}
