//! The discovery document: what is really here, and nothing else.

use model::{SUPER_TENANT_DOMAIN, Tenant};
use serde_json::{Value, json};

use crate::Desk;
use crate::grants::GRANTS;

impl Desk {
    /// The document for clients of a tenant.
    pub(crate) fn discovery(&self, tenant: &Tenant) -> Value {
        let public = &self.settings.public_url;
        let base = if tenant.domain == SUPER_TENANT_DOMAIN { public.clone() } else { format!("{public}/t/{}", tenant.domain) };
        json!({
            "issuer": self.settings.issuer(),
            "token_endpoint": format!("{base}/oauth2/token"),
            "revocation_endpoint": format!("{base}/oauth2/revoke"),
            "introspection_endpoint": format!("{base}/oauth2/introspect"),
            "userinfo_endpoint": format!("{base}/oauth2/userinfo"),
            "jwks_uri": format!("{base}/oauth2/jwks"),
            "registration_endpoint": format!("{public}/client-registration/v0.17/register"),
            "grant_types_supported": GRANTS,
            "scopes_supported": ["openid", "profile", "email", "phone"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
            "claims_supported": ["iss", "sub", "aud", "azp", "exp", "iat", "email", "given_name", "family_name", "name", "website", "phone_number"],
        })
    }
}
