//! What of the old installation's ways its tenants keep, by its version and its settings: form of errors, the key desk's paths on the
//! gateway's ports, the token for backends, and whether keys' sites are asked for. Each decision is a finding, so that nobody has to guess.

use model::{
    BackendJwt, Continuity, DEFAULT_BACKEND_JWT_HEADER, DEFAULT_CLAIM_DIALECT, ErrorFormat, Generation, JwtEncoding, JwtForm, Tenant,
    TenantId,
};

use super::{About, Carried, Desk, said};
use crate::old::consumers::KeyDomain;
use crate::source::Version;
use crate::source::files::BackendJwt as OldJwt;

/// How long the old product let a token for backends live unless told otherwise, in seconds.
const LIFETIME_SECS: i64 = 900;

/// Longest life that is taken over, in seconds.
const LIFETIME_MAX_SECS: i64 = 30 * 24 * 3_600;

pub(super) fn translate(desk: &mut Desk<'_>, tenants: &[Carried<Tenant>]) -> Vec<Carried<Continuity>> {
    let generation = generation(desk.old.version);
    let version = desk.old.version.as_str();
    let kept = Continuity {
        tenant: TenantId::SUPER,
        error_format: error_format(desk, generation, version),
        token_paths: true,
        domain_restriction: domain_restriction(desk, version),
        domain_header: domain_header(desk),
        backend_jwt: backend_jwt(desk, generation),
    };
    desk.note(
        About::Installation,
        "The ports of API traffic take /token, /revoke, /authorize and /userinfo as before; gateway.token_paths = false ends that.",
        "version",
        format!("{version} had them as APIs of its own"),
    );
    // The paths name no tenant, so the super tenant's switch speaks for all.
    let others = tenants.iter().map(|t| Continuity { tenant: t.value.id, token_paths: false, ..kept.clone() });
    std::iter::once(kept.clone()).chain(others).map(|value| Carried { key: value.tenant.to_string(), value }).collect()
}

fn generation(version: Version) -> Generation {
    match version {
        Version::V1_8_0 => Generation::V1_8,
        Version::V1_9_0 | Version::V1_9_1 => Generation::V1_9,
        Version::V1_10_0 => Generation::V1_10,
        Version::V2_0_0 => Generation::V2_0,
        Version::V2_1_0 | Version::V2_2_0 | Version::V2_5_0 => Generation::V2_1,
        Version::V2_6_0 => Generation::V2_6,
    }
}

fn error_format(desk: &mut Desk<'_>, generation: Generation, version: &str) -> ErrorFormat {
    let format = match generation {
        Generation::V1_8 | Generation::V1_9 | Generation::V1_10 => ErrorFormat::Xml1(generation),
        Generation::V2_0 | Generation::V2_1 | Generation::V2_6 => ErrorFormat::Accept(generation),
    };
    desk.note(
        About::Installation,
        "The gateway's own errors keep status, headers and body of the old version, for every tenant; each tenant, and each API, can be switched to json-4.0.",
        "version",
        format!("errors of {version}: {}", format.name()),
    );
    format
}

fn domain_restriction(desk: &mut Desk<'_>, version: &str) -> bool {
    // From 2.0 on the old gateway no longer asked.
    let asked = !desk.old.version.has_policy_tables();
    let is_bound = |row: KeyDomain| said(row.domain.as_deref()).is_some_and(|domain| !domain.eq_ignore_ascii_case("ALL"));
    let restricted = desk.old.key_domains.iter().any(is_bound);
    if restricted {
        let words =
            format!("keys name the sites they may be used from; {version} {} for them", if asked { "asks" } else { "does not ask" });
        match asked {
            true => desk.note(About::Key, "They are asked for here, too.", "AM_APP_KEY_DOMAIN_MAPPING", words),
            false => desk.warn(
                About::Key,
                "They are kept and not asked for, as before. Whoever set them may believe that they protect something; the tenant's switch domain_restriction makes them do so.",
                "AM_APP_KEY_DOMAIN_MAPPING",
                words,
            ),
        }
    }
    asked
}

/// The header that names a calling site, where it is not the gateway's own default.
fn domain_header(desk: &mut Desk<'_>) -> Option<String> {
    let named = said(desk.input.settings?.client_domain_header.as_deref()).filter(|name| !name.eq_ignore_ascii_case("referer"))?;
    if is_header_name(named) {
        return Some(named.to_owned());
    }
    desk.warn(
        About::Key,
        "Calling sites are read from the gateway's own header, Referer unless gateway.client_domain_header says otherwise.",
        "api-manager.xml ClientDomainHeader",
        format!("'{named}' is no name of a header"),
    );
    None
}

fn backend_jwt(desk: &mut Desk<'_>, generation: Generation) -> Option<BackendJwt> {
    const ORIGIN: &str = "api-manager.xml JWTConfiguration or APIConsumerAuthentication";
    let settings = desk.input.settings?;
    let old = &settings.backend_jwt;
    if !old.enabled {
        return None;
    }
    let header = said(old.header.as_deref()).unwrap_or(DEFAULT_BACKEND_JWT_HEADER);
    if !is_header_name(header) {
        desk.warn(
            About::Api,
            "Backends are not told who calls; set a header for it.",
            ORIGIN,
            format!("'{header}' is no name of a header"),
        );
        return None;
    }
    let signed = !said(old.algorithm.as_deref()).is_some_and(|algorithm| algorithm.eq_ignore_ascii_case("NONE"));
    let made_by = said(old.generator.as_deref());
    let url_safe = made_by.is_some_and(|class| class.ends_with(".URLSafeJWTGenerator"));
    let jwt = BackendJwt {
        form: JwtForm::Old(generation),
        header: header.to_owned(),
        dialect: said(old.dialect.as_deref()).unwrap_or(DEFAULT_CLAIM_DIALECT).to_owned(),
        signed,
        encoding: if url_safe { JwtEncoding::Base64Url } else { JwtEncoding::Base64 },
        lifetime_secs: lifetime(old, generation).clamp(1, LIFETIME_MAX_SECS),
        user_claims: said(old.claims_retriever.as_deref()).is_some(),
    };
    desk.note(
        About::Api,
        "Backends are told who calls in the form of the old version, for every tenant; an API can be left out.",
        ORIGIN,
        format!("header {}, dialect {}, {}", jwt.header, jwt.dialect, if signed { "signed" } else { "not signed" }),
    );
    if signed {
        desk.warn(
            About::Api,
            "The token for backends is signed with the key that this installation signs with; backends that check it must trust that key's certificate.",
            ORIGIN,
            "backends may check the signature with the old certificate",
        );
    }
    if let Some(class) = made_by.filter(|class| !is_stock(class)) {
        desk.warn(
            About::Api,
            "The token for backends has the stock form; what the class did otherwise is not done.",
            ORIGIN,
            format!("it was made by a class of its own, {class}"),
        );
    }
    if jwt.user_claims {
        desk.warn(
            About::User,
            "The token for backends says nothing of the user beyond his name and tenant: claims from the user store are not looked up yet.",
            ORIGIN,
            format!("claims came from {}", old.claims_retriever.as_deref().unwrap_or_default()),
        );
    }
    Some(jwt)
}

/// To 1.10 minutes of their own; from 2.0 as long as a validated token was remembered, where it was.
fn lifetime(old: &OldJwt, generation: Generation) -> i64 {
    let seconds = match generation {
        Generation::V1_8 | Generation::V1_9 | Generation::V1_10 => old.context_minutes.map(|minutes| minutes.saturating_mul(60)),
        Generation::V2_0 | Generation::V2_1 | Generation::V2_6 if old.tokens_cached => old.cache_seconds,
        Generation::V2_0 | Generation::V2_1 | Generation::V2_6 => old.expiry_seconds,
    };
    seconds.filter(|seconds| *seconds > 0).unwrap_or(LIFETIME_SECS)
}

fn is_stock(class: &str) -> bool {
    class.starts_with("org.wso2.carbon.apimgt.") && (class.ends_with(".JWTGenerator") || class.ends_with(".URLSafeJWTGenerator"))
}

fn is_header_name(name: &str) -> bool {
    let may = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.len() <= 256 && name.bytes().all(may)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::old::consumers::KeyDomain;
    use crate::source::files::Settings;
    use crate::translate::policies::bare;
    use crate::translate::{Finding, Severity};

    #[test]
    fn every_version_has_a_generation() {
        for (version, name) in [
            (Version::V1_8_0, "1.8"),
            (Version::V1_9_0, "1.9"),
            (Version::V1_9_1, "1.9"),
            (Version::V1_10_0, "1.10"),
            (Version::V2_0_0, "2.0"),
            (Version::V2_1_0, "2.1"),
            (Version::V2_2_0, "2.1"),
            (Version::V2_5_0, "2.1"),
            (Version::V2_6_0, "2.6"),
        ] {
            assert_eq!(generation(version).name(), name);
        }
    }

    #[test]
    fn a_backend_tokens_life_is_the_versions_own() {
        let old = OldJwt {
            context_minutes: Some(20),
            cache_seconds: Some(300),
            expiry_seconds: Some(60),
            tokens_cached: true,
            ..OldJwt::default()
        };
        assert_eq!(lifetime(&old, Generation::V1_9), 1_200);
        assert_eq!(lifetime(&old, Generation::V2_1), 300);
        assert_eq!(lifetime(&OldJwt { tokens_cached: false, ..old.clone() }, Generation::V2_1), 60);
        assert_eq!(lifetime(&OldJwt { cache_seconds: None, ..old }, Generation::V2_1), 900);
    }

    /// What tenants keep of an installation of `version` with these settings, and what is told of it.
    fn decided(version: Version, settings: Option<&Settings>, domains: &[&str]) -> (Vec<Carried<Continuity>>, Vec<Finding>) {
        let mut old = bare::installation();
        old.version = version;
        old.key_domains =
            domains.iter().map(|domain| KeyDomain { consumer_key: "k".to_owned(), domain: Some((*domain).to_owned()) }).collect();
        let tenant = Tenant { id: TenantId(1), domain: "acme.com".to_owned(), ..Tenant::super_tenant(model::Timestamp(0)) };
        let work = |desk: &mut Desk<'_>| translate(desk, &[Carried { key: "1".to_owned(), value: tenant }]);
        let done = match settings {
            Some(settings) => bare::with_settings(&old, settings, work),
            None => bare::with_desk(&old, work),
        };
        (done.value, done.findings)
    }

    fn jwt_on() -> Settings {
        let backend_jwt = OldJwt {
            enabled: true,
            header: Some("X-Who".to_owned()),
            dialect: Some("urn:c".to_owned()),
            algorithm: Some("NONE".to_owned()),
            generator: Some("org.wso2.carbon.apimgt.impl.token.URLSafeJWTGenerator".to_owned()),
            ..OldJwt::default()
        };
        Settings { backend_jwt, client_domain_header: Some("X-Site".to_owned()), ..Settings::default() }
    }

    #[test]
    fn the_version_and_the_settings_decide_and_each_decision_is_told() {
        let settings = jwt_on();
        let (all, findings) = decided(Version::V1_10_0, Some(&settings), &["a.example"]);
        let [of_super, of_acme] = &all[..] else { panic!("{all:?}") };
        assert_eq!(of_super.value.error_format, ErrorFormat::Xml1(Generation::V1_10));
        assert!(of_super.value.token_paths && of_super.value.domain_restriction);
        assert_eq!(of_super.value.domain_header.as_deref(), Some("X-Site"));
        let jwt = of_super.value.backend_jwt.as_ref().unwrap();
        assert_eq!((jwt.form, &*jwt.header, &*jwt.dialect, jwt.signed), (JwtForm::Old(Generation::V1_10), "X-Who", "urn:c", false));
        assert_eq!((jwt.encoding, jwt.lifetime_secs, jwt.user_claims), (JwtEncoding::Base64Url, 900, false));
        // Tenants keep the same, but the paths that name no tenant.
        let same = Continuity { tenant: TenantId(1), token_paths: false, ..of_super.value.clone() };
        assert_eq!((&*of_acme.key, &of_acme.value), ("1", &same));
        let words: Vec<&str> = findings.iter().map(|f| &*f.words).collect();
        for told in ["errors of 1.10.0: xml-1.10", "1.10.0 had them", "header X-Who, dialect urn:c, not signed", "1.10.0 asks for them"] {
            assert!(words.iter().any(|w| w.contains(told)), "{told}: {words:?}");
        }
    }

    #[test]
    fn two_x_negotiates_and_did_not_ask_for_sites() {
        let (all, findings) = decided(Version::V2_6_0, None, &["a.example", "ALL"]);
        let kept = &all[0].value;
        assert_eq!((kept.error_format, kept.domain_restriction), (ErrorFormat::Accept(Generation::V2_6), false));
        assert_eq!((&kept.backend_jwt, &kept.domain_header), (&None, &None));
        assert!(findings.iter().any(|f| f.severity == Severity::Warning && f.words.contains("2.6.0 does not ask")), "{findings:?}");
        // Nobody is warned of what nobody set.
        assert!(decided(Version::V2_6_0, None, &["all"]).1.iter().all(|f| f.severity == Severity::Note));
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let mut settings = jwt_on();
        settings.backend_jwt.algorithm = None;
        settings.backend_jwt.generator = Some("com.acme.Tokens".to_owned());
        settings.backend_jwt.claims_retriever = Some("org.wso2.carbon.apimgt.impl.token.DefaultClaimsRetriever".to_owned());
        settings.client_domain_header = Some("no name".to_owned());
        let (all, findings) = decided(Version::V1_9_1, Some(&settings), &[]);
        assert!(all[0].value.backend_jwt.as_ref().is_some_and(|jwt| jwt.signed && jwt.user_claims));
        assert_eq!(all[0].value.domain_header, None);
        for told in ["com.acme.Tokens", "DefaultClaimsRetriever", "check the signature", "'no name'"] {
            assert!(findings.iter().any(|f| f.severity == Severity::Warning && f.words.contains(told)), "{told}: {findings:?}");
        }
        settings.backend_jwt.header = Some("no name".to_owned());
        let (all, findings) = decided(Version::V1_9_1, Some(&settings), &[]);
        assert_eq!(all[0].value.backend_jwt, None);
        assert!(findings.iter().any(|f| f.consequence.starts_with("Backends are not told")), "{findings:?}");
    }

    #[test]
    fn stock_classes_are_known_wherever_they_lived() {
        for class in ["org.wso2.carbon.apimgt.impl.token.JWTGenerator", "org.wso2.carbon.apimgt.keymgt.token.URLSafeJWTGenerator"] {
            assert!(is_stock(class), "{class}");
        }
        assert!(!is_stock("com.acme.JWTGenerator"));
        assert!(is_header_name("X-JWT-Assertion") && !is_header_name("X JWT") && !is_header_name(""));
    }
}
