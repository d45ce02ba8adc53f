//! Where an API answers. Its address must be the one it had.

/// A context with its template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) context: String,
    pub(super) template: String,
    /// The template could not be told and is the context itself.
    pub(super) fixed: bool,
}

/// A context as 1.8 stores it, without the version, which its gateway put behind.
pub(super) fn unversioned(stored: &str, version: &str) -> Context {
    let stored = slashed(stored);
    match stored.rsplit_once('/') {
        Some((before, last)) if last == version && !before.is_empty() => {
            Context { template: format!("{before}/{{version}}"), context: stored.clone(), fixed: false }
        }
        _ => Context { context: format!("{stored}/{version}"), template: format!("{stored}/{{version}}"), fixed: false },
    }
}

/// A context as 1.9 and later store it, with the version in it, and a template that may leave out a final `/{version}`.
pub(super) fn versioned(stored: &str, template: Option<&str>, version: &str) -> Context {
    let context = slashed(stored);
    let fits = |template: &str| template.replace("{version}", version) == context;
    let candidates = template.filter(|t| !t.trim().is_empty()).map(slashed).into_iter().flat_map(|t| [format!("{t}/{{version}}"), t]);
    let told = candidates.filter(|t| t.contains("{version}")).find(|t| fits(t));
    let derived =
        || context.strip_suffix(version).and_then(|c| c.strip_suffix('/')).filter(|c| !c.is_empty()).map(|c| format!("{c}/{{version}}"));
    match told.or_else(derived) {
        Some(template) => Context { context, template, fixed: false },
        None => Context { template: context.clone(), context, fixed: true },
    }
}

fn slashed(context: &str) -> String {
    let context = context.trim().trim_end_matches('/');
    if context.starts_with('/') { context.to_owned() } else { format!("/{context}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_1_8_context_gets_its_version() {
        let of = |stored, version| {
            let c = unversioned(stored, version);
            (c.context, c.template)
        };
        let is = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of("/weather", "1.0"), is("/weather/1.0", "/weather/{version}"));
        assert_eq!(of("/weather/1.0", "1.0"), is("/weather/1.0", "/weather/{version}"));
        // Only a whole segment counts.
        assert_eq!(of("/weather-v1", "v1"), is("/weather-v1/v1", "/weather-v1/{version}"));
        assert_eq!(of("/t/acme.com/pets", "1"), is("/t/acme.com/pets/1", "/t/acme.com/pets/{version}"));
        assert_eq!(of("weather/", "1.0"), is("/weather/1.0", "/weather/{version}"));
    }

    #[test]
    fn a_later_context_keeps_its_address_whatever_its_template_says() {
        let of = |stored, template, version| {
            let c = versioned(stored, template, version);
            (c.context, c.template, c.fixed)
        };
        let is = |a: &str, b: &str, fixed| (a.to_owned(), b.to_owned(), fixed);
        assert_eq!(of("/weather/1.0", Some("/weather"), "1.0"), is("/weather/1.0", "/weather/{version}", false));
        assert_eq!(of("/weather/1.0", Some("/weather/{version}"), "1.0"), is("/weather/1.0", "/weather/{version}", false));
        assert_eq!(of("/1.0/weather", Some("/{version}/weather"), "1.0"), is("/1.0/weather", "/{version}/weather", false));
        assert_eq!(of("/weather/1.0", None, "1.0"), is("/weather/1.0", "/weather/{version}", false));
        assert_eq!(of("/weather/1.0", Some("/other"), "1.0"), is("/weather/1.0", "/weather/{version}", false));
        assert_eq!(of("/weather", Some("/weather"), "1.0"), is("/weather", "/weather", true));
    }
}
