//! Identifiers, one type each, so that an `ApiId` cannot be passed where an `ApplicationId` is meant.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh random id (UUID version 4).
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The same id for the same words, for records that had none in an old installation (UUID version 5).
            #[must_use]
            pub fn derived(words: &[&str]) -> Self {
                Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("tidegate:{}:{}", stringify!($name), words.join("\u{1f}")).as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

uuid_ids! {
    /// An API. In an upgraded installation this is the old artifact's registry UUID.
    ApiId,
    /// One immutable revision of an API.
    RevisionId,
    /// A developer's application.
    ApplicationId,
    /// An application's subscription to an API.
    SubscriptionId,
    /// An application's use of an OAuth client for one key type.
    KeyMappingId,
    /// A throttling policy of any family.
    PolicyId,
    /// A user account.
    UserId,
    /// One issued pair of access and refresh token.
    TokenId,
    /// A document of an API. In an upgraded installation this is the old artifact's registry UUID.
    DocumentId,
    /// A comment on an API.
    CommentId,
    /// Somebody's stars for an API.
    RatingId,
}

/// A tenant's number. The super tenant is -1234, as in the product people come from; others count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(pub i32);

impl TenantId {
    /// `carbon.super`.
    pub const SUPER: Self = Self(-1234);
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
