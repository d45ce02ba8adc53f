//! What of an old installation's ways is kept for its clients and backends: one switch for each, per tenant, some of them per API too.
//!
//! A tenant that nobody upgraded has none of it. The upgrade sets the switches by the version and the settings the tenant came from; later
//! they are whatever the tenant wants.

use crate::{ApiId, TenantId};

/// How a tenant's old clients and backends are kept going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuity {
    /// Whose.
    pub tenant: TenantId,
    /// Form of the gateway's error answers.
    pub error_format: ErrorFormat,
    /// Whether the gateway's ports take `/token`, `/revoke`, `/authorize` and `/userinfo`. The super tenant's setting speaks for the
    /// installation, as these paths name no tenant.
    pub token_paths: bool,
    /// Whether a key that names the sites it may be used from is refused elsewhere.
    pub domain_restriction: bool,
    /// Whether operations for applications' tokens refuse users' and the other way round, as old gateways did and 4.0.0 no longer does.
    pub token_kinds: bool,
    /// Header that names the calling site; `None` is the gateway's own setting.
    pub domain_header: Option<String>,
    /// The token about the caller that backends get; `None` sends none.
    pub backend_jwt: Option<BackendJwt>,
}

impl Continuity {
    /// What a tenant has that was not upgraded: nothing of old. Sites are asked for all the same, because only an upgrade names any.
    #[must_use]
    pub fn none(tenant: TenantId) -> Self {
        Self {
            tenant,
            error_format: ErrorFormat::Json40,
            token_paths: false,
            domain_restriction: true,
            token_kinds: false,
            domain_header: None,
            backend_jwt: None,
        }
    }
}

/// Where one API differs from its tenant. `None` follows the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiContinuity {
    /// Which API.
    pub api: ApiId,
    /// Form of error answers.
    pub error_format: Option<ErrorFormat>,
    /// Whether keys' sites are asked for.
    pub domain_restriction: Option<bool>,
    /// Whether operations ask for their kind of token.
    pub token_kinds: Option<bool>,
    /// Whether its backends get the token about the caller, in the tenant's form. `true` has no effect where the tenant has no form.
    pub backend_jwt: Option<bool>,
}

impl ApiContinuity {
    /// Follows the tenant in everything.
    #[must_use]
    pub fn none(api: ApiId) -> Self {
        Self { api, error_format: None, domain_restriction: None, token_kinds: None, backend_jwt: None }
    }

    /// Whether it says anything.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::none(self.api)
    }
}

/// Form of error answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorFormat {
    /// JSON with a code that is text, as 4.0.0 answers whatever is asked for.
    #[default]
    Json40,
    /// XML with the texts and statuses of an old version. To 1.10, POST and PUT are answered in their own type where that version did so.
    Xml1(Generation),
    /// Texts and statuses of an old version, and the form that `Accept` names, as 2.x chose it.
    Accept(Generation),
}

/// Old versions by what their error answers and backend tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// 1.8
    V1_8,
    /// 1.9
    V1_9,
    /// 1.10
    V1_10,
    /// 2.0
    V2_0,
    /// 2.1 to 2.5
    V2_1,
    /// 2.6
    V2_6,
}

impl Generation {
    /// All, oldest first.
    pub const ALL: [Self; 6] = [Self::V1_8, Self::V1_9, Self::V1_10, Self::V2_0, Self::V2_1, Self::V2_6];

    /// The first version of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_8 => "1.8",
            Self::V1_9 => "1.9",
            Self::V1_10 => "1.10",
            Self::V2_0 => "2.0",
            Self::V2_1 => "2.1",
            Self::V2_6 => "2.6",
        }
    }

    /// Reads what [`Self::name`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|g| g.name() == text)
    }
}

impl ErrorFormat {
    /// `json-4.0`, `xml-` or `accept-` with a generation, such as `xml-1.9`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Json40 => "json-4.0".to_owned(),
            Self::Xml1(generation) => format!("xml-{}", generation.name()),
            Self::Accept(generation) => format!("accept-{}", generation.name()),
        }
    }

    /// Reads what [`Self::name`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('-')? {
            ("json", "4.0") => Some(Self::Json40),
            ("xml", generation) => Generation::parse(generation).map(Self::Xml1),
            ("accept", generation) => Generation::parse(generation).map(Self::Accept),
            _ => None,
        }
    }
}

/// Dialect of a backend token's claims unless another is configured.
pub const DEFAULT_CLAIM_DIALECT: &str = "http://wso2.org/claims";

/// Header of the backend token unless another is configured.
pub const DEFAULT_BACKEND_JWT_HEADER: &str = "X-JWT-Assertion";

/// The token about the caller that backends get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendJwt {
    /// Whose form it has.
    pub form: JwtForm,
    /// Header it comes in.
    pub header: String,
    /// Prefix of its claims' names.
    pub dialect: String,
    /// Whether it is signed (SHA256withRSA) or not at all (NONE).
    pub signed: bool,
    /// Alphabet of its parts.
    pub encoding: JwtEncoding,
    /// How long one is good for, in seconds.
    pub lifetime_secs: i64,
    /// Whether what the user store knows about the user is to be among the claims.
    pub user_claims: bool,
}

impl BackendJwt {
    /// As 4.0.0 sends it where it is switched on.
    #[must_use]
    pub fn of_4_0() -> Self {
        Self {
            form: JwtForm::V4_0,
            header: DEFAULT_BACKEND_JWT_HEADER.to_owned(),
            dialect: DEFAULT_CLAIM_DIALECT.to_owned(),
            signed: true,
            encoding: JwtEncoding::Base64UrlPadded,
            lifetime_secs: 900,
            user_claims: false,
        }
    }
}

/// Whose form a backend token has: names, order and writing of its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtForm {
    /// An old version's.
    Old(Generation),
    /// 4.0.0's.
    V4_0,
}

impl JwtForm {
    /// The version.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Old(generation) => generation.name(),
            Self::V4_0 => "4.0",
        }
    }

    /// Reads what [`Self::name`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "4.0" { Some(Self::V4_0) } else { Generation::parse(text).map(Self::Old) }
    }
}

/// Alphabet of a backend token's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtEncoding {
    /// Standard alphabet with padding: up to 3.x.
    Base64,
    /// URL-safe alphabet with padding: 4.0.0's `base64`.
    Base64UrlPadded,
    /// URL-safe alphabet without padding, as RFC 7515 asks.
    Base64Url,
}

impl JwtEncoding {
    const ALL: [Self; 3] = [Self::Base64, Self::Base64UrlPadded, Self::Base64Url];

    /// Stored name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base64UrlPadded => "base64url-padded",
            Self::Base64Url => "base64url",
        }
    }

    /// Reads what [`Self::name`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        assert_eq!(ErrorFormat::parse("json-4.0"), Some(ErrorFormat::Json40));
        for generation in Generation::ALL {
            for format in [ErrorFormat::Xml1(generation), ErrorFormat::Accept(generation)] {
                assert_eq!(ErrorFormat::parse(&format.name()), Some(format));
            }
            assert_eq!(JwtForm::parse(generation.name()), Some(JwtForm::Old(generation)));
        }
        assert_eq!(JwtForm::parse("4.0"), Some(JwtForm::V4_0));
        for encoding in JwtEncoding::ALL {
            assert_eq!(JwtEncoding::parse(encoding.name()), Some(encoding));
        }
        for other in ["json", "json-3.0", "xml-", "xml-4.0", "accept-1", ""] {
            assert_eq!(ErrorFormat::parse(other), None, "{other}");
        }
    }
}
