//! Which roles hold which REST scope when a tenant starts (`RESTAPIScopes` of 4.0.0's tenant configuration).

/// A scope of the REST interfaces and the roles that hold it. `admin` holds every one and is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestScope {
    /// Name, e.g. `apim:api_create`.
    pub name: &'static str,
    /// Roles besides `admin`.
    pub roles: &'static [&'static str],
}

/// Roles every tenant starts with.
pub const DEFAULT_ROLES: [&str; 7] = [
    "admin",
    "Internal/creator",
    "Internal/publisher",
    "Internal/subscriber",
    "Internal/devops",
    "Internal/analytics",
    "Internal/selfsignup",
];

const PUBLISHER: &[&str] = &["Internal/publisher"];
const CREATOR: &[&str] = &["Internal/creator"];
const BOTH: &[&str] = &["Internal/creator", "Internal/publisher"];
const VIEWERS: &[&str] = &["Internal/creator", "Internal/publisher", "Internal/analytics"];
const SUBSCRIBER: &[&str] = &["Internal/subscriber"];
const SUBSCRIBER_DEVOPS: &[&str] = &["Internal/subscriber", "Internal/devops"];
const DEVOPS: &[&str] = &["Internal/devops"];
const ANALYTICS: &[&str] = &["Internal/analytics"];
const ADMIN_ONLY: &[&str] = &[];

/// The default mapping.
#[must_use]
pub fn default_rest_scopes() -> Vec<RestScope> {
    let groups: [(&[&str], &[&str]); 10] = [
        (PUBLISHER, &["apim:api_publish", "apim:subscription_block", "apim:monetization_usage_publish"]),
        (
            CREATOR,
            &[
                "apim:api_create",
                "apim:api_delete",
                "apim:mediation_policy_view",
                "apim:mediation_policy_create",
                "apim:mediation_policy_manage",
                "apim:ep_certificates_add",
                "apim:ep_certificates_view",
                "apim:ep_certificates_update",
                "apim:client_certificates_add",
                "apim:client_certificates_view",
                "apim:client_certificates_update",
                "apim:threat_protection_policy_create",
                "apim:threat_protection_policy_manage",
                "apim:pub_alert_manage",
                "service_catalog:service_write",
            ],
        ),
        (
            BOTH,
            &[
                "apim:api_generate_key",
                "apim:subscription_view",
                "apim:publisher_settings",
                "apim:tier_view",
                "apim:document_create",
                "apim:document_manage",
                "apim:comment_view",
                "apim:comment_write",
                "service_catalog:service_view",
                "apim_analytics:api_analytics:view",
            ],
        ),
        (VIEWERS, &["apim:api_view"]),
        (SUBSCRIBER_DEVOPS, &["apim:subscribe", "apim:app_manage", "apim:sub_manage"]),
        (
            SUBSCRIBER,
            &[
                "apim:app_update",
                "apim:store_settings",
                "apim:api_key",
                "apim:sub_alert_manage",
                "apim_analytics:application_analytics:view",
            ],
        ),
        (DEVOPS, &["apim:app_import_export", "apim:api_import_export", "apim:api_product_import_export"]),
        (ANALYTICS, &["apim_analytics:monitoring_dashboard:view", "apim_analytics:business_analytics:view"]),
        (
            ADMIN_ONLY,
            &[
                "apim:tier_manage",
                "apim:bl_view",
                "apim:bl_manage",
                "apim:api_workflow_view",
                "apim:api_workflow_approve",
                "apim:admin",
                "apim:app_owner_change",
                "apim:label_manage",
                "apim:label_read",
                "apim:admin_settings",
                "apim:tenantInfo",
                "apim:tenant_theme_manage",
                "apim:admin_operations",
                "apim:shared_scope_manage",
                "apim:admin_alert_manage",
                "apim:bot_data",
                "apim:scope_manage",
                "apim:role_manage",
                "apim:environment_manage",
                "apim:environment_read",
            ],
        ),
        (
            ADMIN_ONLY,
            &[
                "apim_analytics:admin",
                "apim_analytics:api_analytics:own",
                "apim_analytics:api_analytics:edit",
                "apim_analytics:application_analytics:own",
                "apim_analytics:application_analytics:edit",
                "apim_analytics:monitoring_dashboard:own",
                "apim_analytics:monitoring_dashboard:edit",
                "apim_analytics:business_analytics:own",
                "apim_analytics:business_analytics:edit",
            ],
        ),
    ];
    groups.into_iter().flat_map(|(roles, names)| names.iter().map(move |name| RestScope { name, roles })).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_scope_is_listed_twice() {
        let scopes = default_rest_scopes();
        let names: HashSet<_> = scopes.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), scopes.len());
    }
}
