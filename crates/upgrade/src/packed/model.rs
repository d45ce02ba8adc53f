//! Our own records that there may be hundreds of thousands of.

use model::{
    Application, ApplicationId, ApplicationStatus, ApplicationTokenType, ClientOrigin, Definition, DefinitionFormat, KeyMapping,
    KeyMappingId, KeyMappingMode, KeyState, KeyType, Lifetimes, OAuthClient, SettingKind, TenantId, TenantSetting, Timestamp, TokenFormat,
};
use serde_json::Value;
use uuid::Uuid;

use super::{Pack, packs};

packs! {
    Application {
        id, number, tenant, owner, name, policy, description, token_type, status, groups, attributes, callback_url, created_at, updated_at,
    }
    OAuthClient {
        id, secret, name, owner, tenant, grants, callback_url, token_format, origin, lifetimes, active, created_at,
    }
    Lifetimes { application_secs, user_secs, refresh_secs, id_token_secs }
    KeyMapping { id, application, key_type, key_manager, consumer_key, state, mode, allowed_domains }
    TenantSetting { tenant, kind, name, body, secret }
    Definition { format, text }
}

/// Words that have a name and are read from it.
macro_rules! words {
    ($($ty:ty),* $(,)?) => {$(
        impl Pack for $ty {
            fn pack(&self, into: &mut Vec<u8>) {
                self.name().to_owned().pack(into);
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                Self::parse(&String::unpack(from)?)
            }
        }
    )*};
}

words!(
    DefinitionFormat,
    ApplicationStatus,
    ApplicationTokenType,
    ClientOrigin,
    KeyMappingMode,
    KeyState,
    KeyType,
    SettingKind,
    TokenFormat
);

/// Types around one value.
macro_rules! around {
    ($($ty:ident),* $(,)?) => {$(
        impl Pack for $ty {
            fn pack(&self, into: &mut Vec<u8>) {
                self.0.pack(into);
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                Pack::unpack(from).map(Self)
            }
        }
    )*};
}

around!(ApplicationId, KeyMappingId, TenantId, Timestamp);

impl Pack for Uuid {
    fn pack(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(self.as_bytes());
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        let (bytes, rest) = from.split_first_chunk::<16>()?;
        *from = rest;
        Some(Self::from_bytes(*bytes))
    }
}

impl Pack for Value {
    fn pack(&self, into: &mut Vec<u8>) {
        self.to_string().pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        serde_json::from_str(&String::unpack(from)?).ok()
    }
}
