//! The token that tells a backend who calls, in the forms that gateways have sent it.
//!
//! Backends parse these with what they have; many with their own few lines rather than a library. So the old forms are kept to the byte:
//! alphabet and padding, order and escapes of the claims, the unit of `exp`, and how the certificate is named.
//!
//! Read for this: `AbstractJWTGenerator`, `JWTGenerator` and `URLSafeJWTGenerator` of carbon-apimgt at 1.3.3 (1.8), v1.9.1, 5.0.3 (1.10),
//! v6.0.4 (2.0), v6.1.66 (2.1), v6.3.95 (2.5) and v6.4.50 (2.6). To 1.10 the claims were written one after the other. From 2.0 they went
//! through a hash table of Java's, whose order is made again here ([`hashed`]), and through a writer that escapes `/`; a token of a 2.x
//! installation that its backend's authors published has exactly that order.
//!
//! Mended: up to 1.10 texts were not escaped, so that an application's name could add claims; here what would end a text is escaped. And 1.10
//! spoiled its signatures by reading them as text; here they verify.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use model::{BackendJwt, Generation, JwtEncoding, JwtForm, Timestamp};
use serde_json::{Map, Value};

use crate::{KeyFault, SigningKey};

const ISSUER: &str = "wso2.org/products/am";

/// Who calls what.
#[derive(Debug, Clone, Default)]
pub struct Caller<'a> {
    /// The application's owner, as the store of subscribers names him.
    pub subscriber: &'a str,
    /// The application's number.
    pub application: i64,
    /// Its id.
    pub application_uuid: &'a str,
    /// Its name.
    pub application_name: &'a str,
    /// Its policy.
    pub application_tier: &'a str,
    /// Its attributes.
    pub application_attributes: &'a [(Box<str>, Box<str>)],
    /// The API's name.
    pub api_name: &'a str,
    /// Its context as the form's version has it.
    pub api_context: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The subscription's plan.
    pub tier: &'a str,
    /// `PRODUCTION` or `SANDBOX`.
    pub key_type: &'a str,
    /// `APPLICATION` or `APPLICATION_USER`.
    pub user_type: &'a str,
    /// The user with his tenant, and his store where it is not the first.
    pub end_user: &'a str,
    /// Number of his tenant.
    pub end_user_tenant: i32,
    /// An id for this token (4.0).
    pub id: &'a str,
    /// Claims of the caller's own token, which 4.0 passes on.
    pub claims: Option<&'a Map<String, Value>>,
    /// What user stores know of the user, by whole names, sorted.
    pub user_claims: &'a [(Box<str>, Box<str>)],
}

/// Claims of the caller's token that 4.0 does not pass on.
const NOT_PASSED_ON: [&str; 9] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "application", "tierInfo"];

/// The token, made at `now`.
///
/// # Errors
/// [`KeyFault::Sign`].
pub fn assertion(settings: &BackendJwt, caller: &Caller<'_>, key: &SigningKey, now: Timestamp) -> Result<String, KeyFault> {
    let encode = |bytes: &[u8]| match settings.encoding {
        JwtEncoding::Base64 => BASE64_STANDARD.encode(bytes),
        JwtEncoding::Base64UrlPadded => BASE64_URL_SAFE.encode(bytes),
        JwtEncoding::Base64Url => BASE64_URL_SAFE_NO_PAD.encode(bytes),
    };
    let head = match settings.signed {
        true => format!("{{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5t\":\"{}\"}}", x5t(settings, key)),
        false => "{\"typ\":\"JWT\",\"alg\":\"none\"}".to_owned(),
    };
    let body = match settings.form {
        JwtForm::Old(generation) => old(settings, generation, caller, now),
        JwtForm::V4_0 => of_4_0(settings, caller, now),
    };
    let mut token = format!("{}.{}", encode(head.as_bytes()), encode(body.as_bytes()));
    let signature = settings.signed.then(|| key.sign_bytes(token.as_bytes())).transpose()?;
    token.push('.');
    if let Some(signature) = signature {
        token.push_str(&encode(&signature));
    }
    Ok(token)
}

/// How the certificate is named.
fn x5t(settings: &BackendJwt, key: &SigningKey) -> String {
    let hexadecimal = || key.sha1().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match settings.form {
        JwtForm::Old(Generation::V1_8 | Generation::V1_9 | Generation::V1_10) => match settings.encoding {
            JwtEncoding::Base64 => BASE64_STANDARD.encode(hexadecimal()),
            JwtEncoding::Base64UrlPadded => BASE64_URL_SAFE.encode(hexadecimal()),
            JwtEncoding::Base64Url => BASE64_URL_SAFE_NO_PAD.encode(hexadecimal()),
        },
        // As RFC 7515 has it, which lasted until 2.6.
        JwtForm::Old(Generation::V2_0 | Generation::V2_1) => BASE64_URL_SAFE_NO_PAD.encode(key.sha1()),
        JwtForm::Old(Generation::V2_6) | JwtForm::V4_0 => BASE64_URL_SAFE_NO_PAD.encode(hexadecimal()),
    }
}

/// Moment of a token's end.
fn ends(settings: &BackendJwt, now: Timestamp) -> Timestamp {
    now.plus_ms(settings.lifetime_secs.saturating_mul(1_000))
}

fn old(settings: &BackendJwt, generation: Generation, caller: &Caller<'_>, now: Timestamp) -> String {
    let dialect = &settings.dialect;
    let end = ends(settings, now);
    // To 2.0 without the store's name.
    let user = match generation {
        Generation::V1_8 | Generation::V1_9 | Generation::V1_10 | Generation::V2_0 => {
            caller.end_user.split_once('/').map_or(caller.end_user, |(_, name)| name)
        }
        Generation::V2_1 | Generation::V2_6 => caller.end_user,
    };
    let claims = [
        ("/subscriber", caller.subscriber.to_owned()),
        ("/applicationid", caller.application.to_string()),
        ("/applicationname", caller.application_name.to_owned()),
        ("/applicationtier", caller.application_tier.to_owned()),
        ("/apicontext", caller.api_context.to_owned()),
        ("/version", caller.version.to_owned()),
        ("/tier", caller.tier.to_owned()),
        ("/keytype", caller.key_type.to_owned()),
        ("/usertype", caller.user_type.to_owned()),
        ("/enduser", user.to_owned()),
        ("/enduserTenantId", caller.end_user_tenant.to_string()),
    ];
    // What is said of the call itself is not the user's to say, whatever a dialect calls an attribute.
    let of_user = |(name, _): &&(Box<str>, Box<str>)| {
        let own = name.strip_prefix(dialect.as_str()).and_then(|rest| claims.iter().find(|(known, _)| *known == rest));
        own.is_none() && !["iss", "exp"].contains(&&**name)
    };
    let of_user: Vec<(String, String)> = caller.user_claims.iter().filter(of_user).map(|(n, v)| (n.to_string(), v.to_string())).collect();
    if generation <= Generation::V1_10 {
        let mut text = format!("{{\"iss\":\"{ISSUER}\",\"exp\":{}", end.0);
        for (name, value) in claims {
            text.push_str(",\"");
            plain(&format!("{dialect}{name}"), &mut text);
            text.push_str("\":\"");
            plain(&value, &mut text);
            text.push('"');
        }
        for (name, value) in of_user {
            text.push_str(",\"");
            plain(&name, &mut text);
            text.push_str("\":\"");
            plain(&value, &mut text);
            text.push('"');
        }
        text.push('}');
        return text;
    }
    let mut named: Vec<(String, String)> = claims.map(|(name, value)| (format!("{dialect}{name}"), value)).into();
    if generation == Generation::V2_6 && !caller.application_attributes.is_empty() {
        let attributes: Map<String, Value> =
            caller.application_attributes.iter().map(|(name, value)| (String::from(&**name), Value::from(&**value))).collect();
        named.push((format!("{dialect}/applicationAttributes"), Value::Object(attributes).to_string()));
    }
    named.extend(of_user);
    named.sort();
    let exp = ("exp".to_owned(), None);
    let issuer = ("iss".to_owned(), Some(ISSUER.to_owned()));
    let custom = named.len();
    let named = named.into_iter().map(|(name, value)| (name, Some(value)));
    // 2.6 put all of them in one by one, sorted by name; before, a table of the others was made first and then these two were put in.
    let (entries, at_once): (Vec<_>, usize) = match generation {
        Generation::V2_6 => {
            let mut all: Vec<_> = named.chain([exp, issuer]).collect();
            all.sort();
            (all, 0)
        }
        _ => (named.chain([issuer, exp]).collect(), custom),
    };
    let mut text = String::from("{");
    for (name, value) in hashed(entries, at_once) {
        text.push_str(if text.len() > 1 { ",\"" } else { "\"" });
        web(&name, &mut text);
        text.push_str("\":");
        match value {
            None => drop(write!(text, "{}", end.secs())),
            Some(value) => {
                text.push('"');
                web(&value, &mut text);
                text.push('"');
            }
        }
    }
    text.push('}');
    text
}

fn of_4_0(settings: &BackendJwt, caller: &Caller<'_>, now: Timestamp) -> String {
    let dialect = &settings.dialect;
    let mut claims = Map::new();
    let mut put = |name: String, value: Value| drop(claims.insert(name, value));
    for (name, value) in caller.claims.into_iter().flatten() {
        if !NOT_PASSED_ON.contains(&name.as_str()) && name != "subscribedAPIs" {
            put(name.clone(), value.clone());
        }
    }
    for (name, value) in caller.user_claims {
        put(String::from(&**name), Value::from(&**value));
    }
    put("iss".to_owned(), ISSUER.into());
    put("exp".to_owned(), ends(settings, now).secs().into());
    put("iat".to_owned(), now.secs().into());
    put("jti".to_owned(), caller.id.into());
    let attributes: Map<String, Value> =
        caller.application_attributes.iter().map(|(name, value)| (String::from(&**name), Value::from(&**value))).collect();
    for (name, value) in [
        ("/subscriber", caller.subscriber.into()),
        ("/applicationid", caller.application.to_string().into()),
        ("/applicationname", caller.application_name.into()),
        ("/applicationtier", caller.application_tier.into()),
        ("/apiname", caller.api_name.into()),
        ("/apicontext", caller.api_context.into()),
        ("/version", caller.version.into()),
        ("/tier", caller.tier.into()),
        ("/keytype", caller.key_type.into()),
        // Whoever calls.
        ("/usertype", "Application_User".into()),
        ("/enduser", caller.end_user.into()),
        ("/enduserTenantId", caller.end_user_tenant.to_string().into()),
        ("/applicationUUId", caller.application_uuid.into()),
        ("/applicationAttributes", Value::Object(attributes)),
    ] {
        put(format!("{dialect}{name}"), value);
    }
    Value::Object(claims).to_string()
}

/// A text as the first versions wrote it, but for what would end it.
fn plain(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '"' | '\\' => into.extend(['\\', letter]),
            '\0'..='\u{1f}' => drop(write!(into, "\\u{:04x}", u32::from(letter))),
            _ => into.push(letter),
        }
    }
}

/// A text as the JSON writer of 2.x wrote it.
fn web(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '"' | '\\' | '/' => into.extend(['\\', letter]),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2000}'..='\u{20ff}' => drop(write!(into, "\\u{:04X}", u32::from(letter))),
            _ => into.push(letter),
        }
    }
}

/// Entries in the order in which Java's hash table (of version 8 and later) gives them back, when the first `at_once` were put in together
/// and the others after them.
fn hashed<V>(entries: Vec<(String, V)>, at_once: usize) -> Vec<(String, V)> {
    let mut places = 16;
    if at_once > 0 {
        // A table made from another one starts large enough for it.
        while places < at_once * 4 / 3 + 1 {
            places *= 2;
        }
    }
    while entries.len() * 4 > places * 3 {
        places *= 2;
    }
    let place = |name: &str| {
        let hash = name.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
        (hash ^ (hash >> 16)) as usize & (places - 1)
    };
    let mut entries = entries;
    // What shares a place stays as it came.
    entries.sort_by_key(|(name, _)| place(name));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(form: JwtForm) -> BackendJwt {
        BackendJwt { form, encoding: JwtEncoding::Base64, lifetime_secs: 900, ..BackendJwt::of_4_0() }
    }

    fn caller() -> Caller<'static> {
        Caller {
            subscriber: "admin",
            application: 4,
            application_uuid: "uuid-4",
            application_name: "Shop \"one\"",
            application_tier: "Unlimited",
            api_name: "Pizza",
            api_context: "/pizza/1.0",
            version: "1.0",
            tier: "Gold",
            key_type: "PRODUCTION",
            user_type: "APPLICATION_USER",
            end_user: "LDAP/bob@carbon.super",
            end_user_tenant: -1234,
            id: "id-1",
            ..Caller::default()
        }
    }

    const NOW: Timestamp = Timestamp(1_540_564_395_999);

    fn body(settings: &BackendJwt, caller: &Caller<'_>) -> String {
        let key = SigningKey::generate().unwrap();
        let token = assertion(settings, caller, &key, NOW).unwrap();
        let part = token.split('.').nth(1).unwrap();
        String::from_utf8(BASE64_STANDARD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn the_users_claims_are_told_and_none_passes_for_what_is_said_of_the_call() {
        let pair = |name: &str, value: &str| (Box::from(name), Box::from(value));
        let of_user = [
            pair("exp", "0"),
            pair("http://wso2.org/claims/emailaddress", "bob@\"example.org"),
            pair("http://wso2.org/claims/enduser", "admin@carbon.super"),
            pair("http://wso2.org/claims/role", "a,b"),
        ];
        let told = Caller { user_claims: &of_user, ..caller() };
        for generation in Generation::ALL {
            let settings = settings(JwtForm::Old(generation));
            let (with, without) = (body(&settings, &told), body(&settings, &caller()));
            let (with, mut without): (Value, Value) = (serde_json::from_str(&with).unwrap(), serde_json::from_str(&without).unwrap());
            without["http://wso2.org/claims/emailaddress"] = "bob@\"example.org".into();
            without["http://wso2.org/claims/role"] = "a,b".into();
            assert_eq!(with, without, "{generation:?}");
        }
        // They stand behind what was always there.
        let first = body(&settings(JwtForm::Old(Generation::V1_9)), &told);
        let end = r#","http://wso2.org/claims/emailaddress":"bob@\"example.org","http://wso2.org/claims/role":"a,b"}"#;
        assert!(first.ends_with(end), "{first}");
        let now: Value = serde_json::from_str(&body(&BackendJwt { encoding: JwtEncoding::Base64, ..BackendJwt::of_4_0() }, &told)).unwrap();
        assert_eq!(
            (&now["http://wso2.org/claims/role"], &now["http://wso2.org/claims/enduser"]),
            (&"a,b".into(), &"LDAP/bob@carbon.super".into())
        );
    }

    #[test]
    fn the_first_versions_count_milliseconds_and_keep_an_order() {
        for generation in [Generation::V1_8, Generation::V1_9, Generation::V1_10] {
            assert_eq!(
                body(&settings(JwtForm::Old(generation)), &caller()),
                "{\"iss\":\"wso2.org/products/am\",\"exp\":1540565295999,\"http://wso2.org/claims/subscriber\":\"admin\",\
                 \"http://wso2.org/claims/applicationid\":\"4\",\"http://wso2.org/claims/applicationname\":\"Shop \\\"one\\\"\",\
                 \"http://wso2.org/claims/applicationtier\":\"Unlimited\",\"http://wso2.org/claims/apicontext\":\"/pizza/1.0\",\
                 \"http://wso2.org/claims/version\":\"1.0\",\"http://wso2.org/claims/tier\":\"Gold\",\
                 \"http://wso2.org/claims/keytype\":\"PRODUCTION\",\"http://wso2.org/claims/usertype\":\"APPLICATION_USER\",\
                 \"http://wso2.org/claims/enduser\":\"bob@carbon.super\",\"http://wso2.org/claims/enduserTenantId\":\"-1234\"}"
            );
        }
    }

    /// Names and order as in a token of a 2.x installation with claims from its user store, which is public in the sources of one of its
    /// backends.
    #[test]
    fn a_table_of_javas_is_read_as_java_reads_it() {
        let published = [
            "/userid",
            "/username",
            "/role",
            "/applicationtier",
            "/keytype",
            "/version",
            "iss",
            "/applicationname",
            "/enduser",
            "/enduserTenantId",
            "/resourceType",
            "/created",
            "/modified",
            "/subscriber",
            "/tier",
            "exp",
            "/applicationid",
            "/usertype",
            "/apicontext",
            "/userprincipal",
        ]
        .map(|name| if name.starts_with('/') { format!("http://wso2.org/claims{name}") } else { name.to_owned() });
        let mut sorted = published.clone().map(|name| (name, ()));
        sorted.sort();
        assert_eq!(hashed(sorted.into(), 0).into_iter().map(|(name, ())| name).collect::<Vec<_>>(), published);
    }

    #[test]
    fn two_x_counts_seconds_and_escapes_slashes() {
        let told = body(&settings(JwtForm::Old(Generation::V2_6)), &caller());
        assert_eq!(
            told,
            "{\"http:\\/\\/wso2.org\\/claims\\/applicationtier\":\"Unlimited\",\"http:\\/\\/wso2.org\\/claims\\/keytype\":\"PRODUCTION\",\
             \"http:\\/\\/wso2.org\\/claims\\/version\":\"1.0\",\"iss\":\"wso2.org\\/products\\/am\",\
             \"http:\\/\\/wso2.org\\/claims\\/applicationname\":\"Shop \\\"one\\\"\",\
             \"http:\\/\\/wso2.org\\/claims\\/enduser\":\"LDAP\\/bob@carbon.super\",\
             \"http:\\/\\/wso2.org\\/claims\\/enduserTenantId\":\"-1234\",\"http:\\/\\/wso2.org\\/claims\\/subscriber\":\"admin\",\
             \"http:\\/\\/wso2.org\\/claims\\/tier\":\"Gold\",\"exp\":1540565295,\"http:\\/\\/wso2.org\\/claims\\/applicationid\":\"4\",\
             \"http:\\/\\/wso2.org\\/claims\\/usertype\":\"APPLICATION_USER\",\
             \"http:\\/\\/wso2.org\\/claims\\/apicontext\":\"\\/pizza\\/1.0\"}"
        );
        // Before, `exp` was put into the table last, and so comes behind what shares its place.
        let before = body(&settings(JwtForm::Old(Generation::V2_0)), &caller());
        assert!(before.contains("\"APPLICATION_USER\",\"exp\":1540565295,\"http"), "{before}");
        assert!(before.contains("claims\\/enduser\":\"bob@carbon.super\""), "{before}");
        // Attributes are one text.
        let attributes = [("a/b".into(), "1".into())];
        let with = Caller { application_attributes: &attributes, ..caller() };
        let told = body(&settings(JwtForm::Old(Generation::V2_6)), &with);
        assert!(told.contains("applicationAttributes\":\"{\\\"a\\/b\\\":\\\"1\\\"}\""), "{told}");
    }

    #[test]
    fn four_passes_the_callers_claims_on() {
        let claims = serde_json::json!({"iss": "evil", "http://wso2.org/claims/subscriber": "evil", "email": "b@x", "sub": "bob"});
        let told = body(&settings(JwtForm::V4_0), &Caller { claims: claims.as_object(), ..caller() });
        let told: Map<String, Value> = serde_json::from_str(&told).unwrap();
        assert_eq!(told["iss"], ISSUER);
        assert_eq!(told["http://wso2.org/claims/subscriber"], "admin");
        assert_eq!(told["email"], "b@x");
        assert_eq!(told["jti"], "id-1");
        assert_eq!((told["iat"].as_i64(), told["exp"].as_i64()), (Some(1_540_564_395), Some(1_540_565_295)));
        assert_eq!(told.get("sub"), None);
    }

    #[test]
    fn alphabets_and_certificates_are_each_versions_own() {
        let key = SigningKey::generate().unwrap();
        let hexadecimal: String = key.sha1().iter().map(|byte| format!("{byte:02x}")).collect();
        for (form, encoding, x5t) in [
            (JwtForm::Old(Generation::V1_9), JwtEncoding::Base64, BASE64_STANDARD.encode(&hexadecimal)),
            (JwtForm::Old(Generation::V1_10), JwtEncoding::Base64Url, BASE64_URL_SAFE_NO_PAD.encode(&hexadecimal)),
            (JwtForm::Old(Generation::V2_1), JwtEncoding::Base64, BASE64_URL_SAFE_NO_PAD.encode(key.sha1())),
            (JwtForm::Old(Generation::V2_6), JwtEncoding::Base64, BASE64_URL_SAFE_NO_PAD.encode(&hexadecimal)),
            (JwtForm::V4_0, JwtEncoding::Base64UrlPadded, BASE64_URL_SAFE_NO_PAD.encode(&hexadecimal)),
        ] {
            let settings = BackendJwt { encoding, ..settings(form) };
            let token = assertion(&settings, &caller(), &key, NOW).unwrap();
            let decode = |part: &str| match encoding {
                JwtEncoding::Base64 => BASE64_STANDARD.decode(part).unwrap(),
                JwtEncoding::Base64UrlPadded => BASE64_URL_SAFE.decode(part).unwrap(),
                JwtEncoding::Base64Url => BASE64_URL_SAFE_NO_PAD.decode(part).unwrap(),
            };
            let parts: Vec<&str> = token.split('.').collect();
            let head = format!("{{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5t\":\"{x5t}\"}}");
            assert_eq!(String::from_utf8(decode(parts[0])).unwrap(), head);
            let signed = format!("{}.{}", parts[0], parts[1]);
            assert!(verifies(&key, signed.as_bytes(), &decode(parts[2])));
            let unsigned = assertion(&BackendJwt { signed: false, ..settings }, &caller(), &key, NOW).unwrap();
            assert!(unsigned.ends_with('.'));
            assert_eq!(String::from_utf8(decode(unsigned.split('.').next().unwrap())).unwrap(), "{\"typ\":\"JWT\",\"alg\":\"none\"}");
        }
    }

    fn verifies(key: &SigningKey, message: &[u8], signature: &[u8]) -> bool {
        use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key_der()).verify(message, signature).is_ok()
    }
}
