//! What no upgrade can carry because it has no home anywhere, named so that nobody finds out afterwards. `docs/upgrade/cannot-be-carried`
//! has a page on each.

use super::{About, Desk};
use crate::old::people::SUPER_TENANT_ID;
use crate::old::registry::GOVERNANCE;

pub(super) fn tell(desk: &mut Desk<'_>) {
    if let Some(extras) = desk.input.extras {
        for jar in &extras.jars {
            desk.warn(
                About::Installation,
                "Java code of the site's own does not run here; find out who uses it (handlers, mediators, user stores, workflows).",
                format!("repository/components/{jar}"),
                "a library that the site added",
            );
        }
        for theme in &extras.themes {
            let origin = format!("repository/deployment/server/jaggeryapps/{theme}");
            desk.note(About::Installation, "Its look is not carried; the new portals have their own.", origin, "a theme of a portal");
        }
    }
    let links = [("tag", desk.old.registry.orphan_tag_links), ("property", desk.old.registry.orphan_property_links)];
    for (what, count) in links.into_iter().filter(|(_, count)| *count > 0) {
        desk.note(
            About::Installation,
            "They belong to versions of resources that are gone; nothing showed them.",
            "registry",
            format!("{count} {what} link(s) lead nowhere"),
        );
    }
    let tenants: Vec<i64> = std::iter::once(SUPER_TENANT_ID).chain(desk.old.tenants.iter().map(|t| t.id)).collect();
    for tenant in tenants {
        let topics = desk.old.registry.below(tenant, &format!("{GOVERNANCE}/forumtopics")).filter(|r| !r.is_collection).count();
        if topics > 0 {
            desk.warn(
                About::Tenant,
                "The portal has no forum any more; save what people wrote before the old installation is switched off.",
                format!("{GOVERNANCE}/forumtopics of tenant {tenant}"),
                format!("{topics} topic(s) and answer(s) of the forum"),
            );
        }
    }
}
