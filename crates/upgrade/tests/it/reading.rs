//! What of an installation must be the same whatever road it was read by.

use upgrade::old::Installation;

/// Everything read, as text, but for what names the road itself.
pub(crate) fn fingerprint(old: &Installation) -> String {
    let mut out = String::new();
    let mut add = |name: &str, text: String| {
        out.push_str(name);
        out.push_str(": ");
        out.push_str(&text);
        out.push('\n');
    };
    add("version", old.version.to_string());
    add("tenants", format!("{:#?}", old.tenants));
    add("realms", format!("{:#?}", old.tenants.iter().map(|t| t.realm()).collect::<Vec<_>>()));
    add("domains", format!("{:#?}", old.user_domains));
    add("users", format!("{:#?}", old.users));
    add("passwords", format!("{:?}", old.users.iter().map(|u| u.password.as_ref().map(|p| p.expose().clone())).collect::<Vec<_>>()));
    let value = |value: &Option<model::Secret<String>>| value.as_ref().map(|v| v.expose().clone());
    add("attributes", format!("{:?}", old.user_attributes.iter().map(|a| (a, value(&a.value))).collect::<Vec<_>>()));
    add("roles", format!("{:#?}{:#?}{:#?}", old.roles, old.role_assignments, old.shared_role_assignments));
    add("hybrid", format!("{:#?}{:#?}", old.hybrid_roles, old.hybrid_assignments));
    add("permissions", format!("{:#?}{:#?}{:#?}", old.permissions, old.role_permissions, old.user_permissions));
    add("claims", format!("{:#?}{:#?}", old.dialects, old.claims));
    add("tiers", format!("{:#?}{:#?}{:#?}", old.tier_files, old.tier_permissions, old.policies));
    add("apis", format!("{:#?}", old.apis));
    for api in &old.apis {
        add("artifact", format!("{:?}", api.artifact.as_ref().map(|a| a.fields.iter().collect::<Vec<_>>())));
    }
    add("defaults", format!("{:#?}", old.default_versions));
    add("consumers", format!("{:#?}{:#?}{:#?}", old.subscribers, old.applications, old.registrations));
    add("keys", format!("{:#?}{:#?}", old.key_mappings, old.key_domains));
    add("subscriptions", format!("{:#?}{:#?}", old.subscriptions, old.workflows));
    add("clients", format!("{:#?}{:#?}{:#?}", old.oauth_clients, old.service_providers, old.inbound_auths));
    add("secrets", format!("{:?}", old.oauth_clients.iter().map(|c| c.secret.as_ref().map(|s| s.expose().clone())).collect::<Vec<_>>()));
    add("scopes", format!("{:#?}{:#?}{:#?}", old.oauth_scopes, old.scope_bindings, old.resource_scopes));
    for files in &old.tenant_files {
        let hidden = (files.sign_up.as_ref().map(model::Secret::expose), files.external_stores.as_ref().map(model::Secret::expose));
        let open = (&files.workflow_extensions, &files.tenant_conf, &files.google_analytics, &files.api_lifecycle);
        let sequences: Vec<_> = files.sequences.iter().map(|s| (&s.direction, &s.file, &s.uuid, &s.bytes)).collect();
        add("files", format!("{} {open:?} {hidden:?} {sequences:?} {:?} {:?}", files.tenant_id, files.vault, files.key_store));
    }
    add("associations", format!("{:#?}", old.registry.associations));
    let orphans = (old.registry.orphan_tag_links, old.registry.orphan_property_links);
    add("orphans", format!("{orphans:?}"));
    for resource in old.registry.all() {
        let mut resource = resource.clone();
        resource.properties.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
        // Spelled out: by itself a resource shows no contents, nor do the files below.
        let properties: Vec<_> = resource.properties.iter().map(|p| (&p.name, &p.value)).collect();
        let people = (&resource.creator, resource.created, &resource.updater, resource.updated);
        let what = (&resource.media_type, &resource.description, &resource.uuid, resource.has_content(), &resource.content);
        add("resource", format!("{} {} {properties:?} {:?} {people:?} {what:?}", resource.tenant_id, resource.path, resource.tags));
    }
    let mut counts: Vec<(String, u64)> = old.counts.iter().map(|c| (c.table.clone(), c.rows)).collect();
    counts.sort();
    add("counts", format!("{counts:#?}"));
    add("unreadable", format!("{}", old.unreadable.len()));
    out
}
