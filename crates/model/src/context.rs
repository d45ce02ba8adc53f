//! From the context a creator types to the path prefix the gateway matches.

use crate::SUPER_TENANT_DOMAIN;

/// A context was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextFault {
    /// Nothing, or only `/`.
    #[error("the context must name at least one path segment")]
    Empty,
    /// Ends in `/`, or holds `//`.
    #[error("the context '{0}' must not end in '/' or hold an empty segment")]
    EmptySegment(String),
    /// Longer than 82 characters before the tenant's prefix is added.
    #[error("the context is {0} characters long; at most 82 are allowed")]
    TooLong(usize),
    /// `/t/…` belongs to the tenant of that domain.
    #[error("the context '{0}' begins with /t/, which is reserved for tenants")]
    Reserved(String),
    /// A character that has no place in a path.
    #[error("the context must not contain '{0}'")]
    Character(char),
}

/// The template kept for an API: a leading `/`, the tenant's prefix `/t/<domain>` outside the super tenant, and `/{version}` at the end
/// unless the text places `{version}` itself.
///
/// # Errors
/// [`ContextFault`] for a text that is no path.
pub fn template_of(typed: &str, tenant_domain: &str) -> Result<String, ContextFault> {
    let typed = typed.trim();
    let path = if typed.starts_with('/') { typed.to_owned() } else { format!("/{typed}") };
    if path == "/" {
        return Err(ContextFault::Empty);
    }
    if path.ends_with('/') || path.contains("//") {
        return Err(ContextFault::EmptySegment(path));
    }
    if tenant_domain == SUPER_TENANT_DOMAIN && path.starts_with("/t/") {
        return Err(ContextFault::Reserved(path));
    }
    let length = typed.chars().count();
    if length > 82 {
        return Err(ContextFault::TooLong(length));
    }
    let without_version = path.replace("{version}", "");
    if let Some(found) = without_version.chars().find(|c| c.is_whitespace() || c.is_control() || "{}?#\\\"<>^`|%".contains(*c)) {
        return Err(ContextFault::Character(found));
    }
    let prefix = if tenant_domain == SUPER_TENANT_DOMAIN { String::new() } else { format!("/t/{tenant_domain}") };
    let path = if !prefix.is_empty() && path.starts_with(&format!("{prefix}/")) { path } else { prefix + &path };
    Ok(if path.contains("{version}") { path } else { path + "/{version}" })
}

/// The path prefix the gateway matches: the template with the version filled in.
#[must_use]
pub fn effective_context(template: &str, version: &str) -> String {
    template.replace("{version}", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_goes_where_the_creator_put_it_or_last() {
        assert_eq!(template_of("pizza", "carbon.super").unwrap(), "/pizza/{version}");
        assert_eq!(template_of("/{version}/pizza", "carbon.super").unwrap(), "/{version}/pizza");
        assert_eq!(template_of("/pizza", "acme.com").unwrap(), "/t/acme.com/pizza/{version}");
        assert_eq!(effective_context("/pizza/{version}", "1.0.0"), "/pizza/1.0.0");
    }

    #[test]
    fn a_tenant_prefix_already_there_is_not_doubled() {
        assert_eq!(template_of("/t/acme.com/pizza", "acme.com").unwrap(), "/t/acme.com/pizza/{version}");
    }

    #[test]
    fn texts_that_are_no_path_are_refused() {
        assert_eq!(template_of("/", "carbon.super"), Err(ContextFault::Empty));
        assert!(matches!(template_of("/a/", "carbon.super"), Err(ContextFault::EmptySegment(_))));
        assert!(matches!(template_of("/a//b", "carbon.super"), Err(ContextFault::EmptySegment(_))));
        assert_eq!(template_of("/a b", "carbon.super"), Err(ContextFault::Character(' ')));
        assert_eq!(template_of("/{x}", "carbon.super"), Err(ContextFault::Character('{')));
        assert!(matches!(template_of("/t/acme.com/x", "carbon.super"), Err(ContextFault::Reserved(_))));
    }
}
