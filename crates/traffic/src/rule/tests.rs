//! Rules as sites write them, and what is outside.

use std::sync::Arc;

use super::*;
use crate::Matcher;

/// A call by its attributes; `userId` and a few properties are what tests change.
struct Call {
    user: &'static str,
    context: &'static str,
    properties: Vec<(&'static str, Property<'static>)>,
}

impl Asked for Call {
    fn attribute(&self, attribute: Attribute) -> Cow<'_, str> {
        match attribute {
            Attribute::UserId => self.user.into(),
            Attribute::ApiContext => self.context.into(),
            Attribute::ApiVersion => "1.0.0".into(),
            Attribute::ResourceKey => format!("{}/1.0.0/menu:GET", self.context).into(),
            Attribute::AppId => "7".into(),
            _ => "other".into(),
        }
    }

    fn property(&self, name: &str) -> Option<Property<'_>> {
        self.properties.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    fn client_ip(&self) -> Cow<'_, str> {
        "3232235778".into()
    }
}

fn call(user: &'static str, context: &'static str) -> Call {
    Call { user, context, properties: vec![("ip", Property::Number(3_232_235_778)), ("Agent", Property::Text("curl/8".into()))] }
}

/// Plain search stands for an expression engine; a leading `^` is known.
fn engine(expression: &str) -> Result<Arc<dyn Matcher>, String> {
    if expression.contains('(') && !expression.contains(')') {
        return Err("unclosed group".to_owned());
    }
    let wanted = expression.to_owned();
    Ok(Arc::new(move |text: &str| wanted.strip_prefix('^').map_or(text.contains(&wanted), |head| text.starts_with(head))))
}

fn rule(template: &str, query: &str) -> Result<Rule, RuleFault> {
    Rule::compile(template, query, &engine)
}

/// What a condition counts.
fn counts(condition: &str, call: &Call) -> bool {
    let query = format!(
        "FROM RequestStream SELECT messageID, ({condition}) AS isEligible, userId AS throttleKey INSERT INTO E; FROM E[isEligible] \
         #throttler:timeBatch(1 min) SELECT throttleKey, (count(messageID) >= 5) AS isThrottled, expiryTimeStamp GROUP BY throttleKey \
         INSERT ALL EVENTS INTO ResultStream;"
    );
    let rule = rule("$userId", &query).unwrap_or_else(|fault| panic!("{condition}: {fault}"));
    rule.limits()[0].counted_key(call).is_some()
}

/// The shape that the old product's documents show.
const SHOWN: &str = "FROM RequestStream
SELECT userId, ( userId == 'admin@carbon.super' and apiContext == '/pizzashack/1.0.0' and apiVersion == '1.0.0') AS isEligible ,
str:concat('admin@carbon.super',':','/pizzashack/1.0.0:1.0.0') as throttleKey

INSERT INTO EligibilityStream;
FROM EligibilityStream[isEligible==true]#throttler:timeBatch(1 min)
SELECT throttleKey, (count(userId) >= 5) as isThrottled, expiryTimeStamp group by throttleKey
INSERT ALL EVENTS into ResultStream;";

#[test]
fn the_shape_that_is_shown_to_everybody_is_read() {
    let rule = rule("$userId:$apiContext:$apiVersion", SHOWN).unwrap();
    let admin = call("admin@carbon.super", "/pizzashack/1.0.0");
    let [limit] = rule.limits() else { panic!("{rule:?}") };
    assert_eq!(rule.asked_key(&admin), "admin@carbon.super:/pizzashack/1.0.0:1.0.0");
    assert_eq!(limit.counted_key(&admin).as_deref(), Some("admin@carbon.super:/pizzashack/1.0.0:1.0.0"));
    assert_eq!(limit.counted_key(&call("ann@carbon.super", "/pizzashack/1.0.0")), None);
    assert_eq!((limit.quota().limit(), limit.quota().length_ms(), limit.by_bytes()), (5, 60_000, false));
    assert_eq!(rule.keys_of(false), KeysOf::Callers);
}

#[test]
fn windows_bounds_and_sums() {
    let limit = |window: &str, spent: &str| {
        let query = format!(
            "from RequestStream select propertiesMap, userId as throttleKey insert into E; from E#throttler:timeBatch({window}) \
             select throttleKey, ({spent}) as isThrottled, expiryTimeStamp group by throttleKey insert into ResultStream"
        );
        rule("$userId", &query).map(|rule| (rule.limits()[0].quota().to_string(), rule.limits()[0].by_bytes()))
    };
    let calls = |text: &str| Ok((text.to_owned(), false));
    assert_eq!(limit("5 sec, 0", "count(throttleKey) >= 300"), calls("calls 300 5000"));
    assert_eq!(limit("1 hour 30 min", "count() > 4"), calls("calls 5 5400000"));
    assert_eq!(limit("60000", "5 * 2 <= count(throttleKey)"), calls("calls 10 60000"));
    assert_eq!(limit("1 month", "count(throttleKey) >= 2L"), calls("calls 2 2630000000"));
    let sum = "sum(cast(map:get(propertiesMap,'messageSize'),'long')) >= 1024L * 1024";
    assert_eq!(limit("1 days", sum), Ok(("bytes 1048576 86400000".to_owned(), true)));
    for (window, spent, reason) in [
        ("1 min", "count(throttleKey) >= 0", "whole number above nothing"),
        ("1 min", "count(throttleKey) >= 1.5", "whole number above nothing"),
        ("1 min", "count(throttleKey) == 5", "isThrottled must be"),
        ("1 min", "count(userId) >= 5", "no attribute 'userId'"),
        ("1 min", "sum(cast(map:get(propertiesMap,'ip'),'long')) >= 5", "messageSize"),
        ("0 min", "count() >= 5", "takes a time"),
        ("1 min, 500", "count() >= 5", "another beginning"),
        ("5 fortnights", "count() >= 5", "a unit of time"),
    ] {
        let fault = limit(window, spent).unwrap_err().to_string();
        assert!(fault.contains(reason), "{window} {spent}: {fault}");
    }
}

#[test]
fn conditions_mean_what_they_say() {
    let ann = call("ann@carbon.super", "/cds-au/1");
    for (condition, expected) in [
        ("regex:find('^/cds-au', apiContext)", true),
        ("regex:find('^/other', apiContext)", false),
        ("not (userId == 'bob@carbon.super') and true", true),
        ("userId == 'bob@carbon.super' or apiVersion == '1.0.0'", true),
        ("false or false and true", false),
        ("cast(map:get(propertiesMap,'ip'),'Long') == 3232235778L", true),
        ("cast(map:get(propertiesMap,'ip'),'long') >= 3232235777 AND cast(map:get(propertiesMap,'ip'),'long') <= 3232235779", true),
        ("str:contains(cast(map:get(propertiesMap,'Agent'),'string'), 'curl')", true),
        ("map:get(propertiesMap,'None') is null", true),
        ("cast(map:get(propertiesMap,'None'),'string') == 'x'", false),
        ("cast(map:get(propertiesMap,'None'),'string') != 'x'", false),
        ("str:equalsIgnoreCase(str:upper('a'), str:lower('A'))", true),
        ("ifThenElse(apiVersion == '2', 'a', 'b') == 'b'", true),
        ("coalesce(cast(map:get(propertiesMap,'None'),'string'), 'none') == 'none'", true),
        ("7 % 4 == 3 and 7 / 2 == 3 and 1 + 2 * 3 == 7 and -1 < 0", true),
        ("resourceKey == '/cds-au/1/1.0.0/menu:GET' -- a remark\n /* another */", true),
    ] {
        assert_eq!(counts(condition, &ann), expected, "{condition}");
    }
}

#[test]
fn whoever_can_make_up_keys_is_known() {
    let of = |template: &str, key: &str| {
        let query = SHOWN.replace("str:concat('admin@carbon.super',':','/pizzashack/1.0.0:1.0.0')", key);
        let rule = rule(template, &query.replace("SELECT userId,", "SELECT userId, propertiesMap,")).unwrap();
        (rule.keys_of(false), rule.keys_of(true))
    };
    assert_eq!(of("$userId", "userId"), (KeysOf::Callers, KeysOf::Callers));
    assert_eq!(of("$appId", "appId"), (KeysOf::Callers, KeysOf::Anybody));
    assert_eq!(of("$clientIp", "cast(map:get(propertiesMap,'ip'),'string')"), (KeysOf::Anybody, KeysOf::Anybody));
    let ip = rule("$clientIp/$appId", SHOWN).unwrap();
    assert_eq!(ip.asked_key(&call("x", "/y")), "3232235778/7");
}

#[test]
fn what_is_outside_is_named_by_place() {
    let second = "FROM EligibilityStream[isEligible==true]#throttler:timeBatch(1 min)";
    for (old, new, place, reason) in [
        ("FROM RequestStream\n", "@info(name='x') FROM RequestStream\n", (1, 1), "annotations"),
        ("FROM RequestStream\n", "define stream X (a string); FROM RequestStream\n", (1, 1), "FROM was expected"),
        ("userId == 'admin@carbon.super' and", "userId == 5 and", (2, 25), "'==' does not compare a text with a number"),
        ("userId == 'admin@carbon.super' and", "colour == 'red' and", (2, 18), "no attribute 'colour'"),
        ("userId == 'admin@carbon.super' and", "time:currentTime() == 'x' and", (2, 18), "the function time:currentTime"),
        ("userId == 'admin@carbon.super' and", "userId = 'x' and", (2, 25), "')' was expected, and '='"),
        ("userId == 'admin@carbon.super' and", "userId == ‘x’ and", (2, 28), "means nothing"),
        ("userId == 'admin@carbon.super' and", "regex:find('(', userId) and", (2, 29), "is not valid"),
        ("as throttleKey", "as throttleKey, messageID == 'x' as y", (3, 80), "can be counted here"),
        (second, "FROM EligibilityStream[isEligible==true]#window.time(1 min)", (6, 41), "#window.time"),
        (second, "FROM Elsewhere[isEligible==true]#throttler:timeBatch(1 min)", (6, 6), "no query before this one fills"),
        (second, "FROM EligibilityStream join X", (6, 24), "joins"),
        (second, "FROM EligibilityStream[userId]#throttler:timeBatch(1 min)", (6, 24), "a text, where a condition"),
        (", expiryTimeStamp", "", (6, 6), "does not select expiryTimeStamp"),
        (" group by throttleKey", "", (7, 8), "'group by throttleKey' is missing"),
        ("group by throttleKey", "group by isEligible", (7, 83), "grouped by 'throttleKey' alone"),
        ("into ResultStream;", "into Elsewhere;", (8, 24), "must go into ResultStream"),
        ("into ResultStream;", "into ResultStream; FROM", (8, 42), "a stream's name"),
        ("'1.0.0') AS", "'1.0.0) AS", (2, 105), "never closed"),
    ] {
        let query = SHOWN.replacen(old, new, 1);
        assert_ne!(query, SHOWN, "{old}");
        match rule("$userId", &query) {
            Err(RuleFault::Query { place: found, reason: said }) => {
                assert!(said.contains(reason), "{new}: {said}");
                if (found.line, found.column) != place {
                    eprintln!("MISMATCH {new:?}: {:?} not {place:?}", (found.line, found.column));
                }
            }
            other => panic!("{new}: {other:?}"),
        }
    }
    for (template, reason) in [("", "is empty"), ("$user:$apiContext", "'$user'"), ("$colour", "none of $resourceKey")] {
        assert!(rule(template, SHOWN).unwrap_err().to_string().contains(reason), "{template}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let deep = format!("{}true{}", "(".repeat(60), ")".repeat(60));
    let long = vec!["true"; 600].join(" and ");
    for condition in [deep, long] {
        let query = SHOWN.replace("userId == 'admin@carbon.super' and", &format!("{condition} and"));
        assert!(rule("$userId", &query).unwrap_err().to_string().contains("column"), "{condition}");
    }
    let doubling: String = (0..15)
        .map(|n| {
            format!(
                "FROM {} SELECT str:concat(userId, userId) AS userId INSERT INTO S{n};",
                if n == 0 { "RequestStream".into() } else { format!("S{}", n - 1) }
            )
        })
        .collect();
    assert!(rule("$userId", &doubling).unwrap_err().to_string().contains("parts at most"));
    assert!(rule("$userId", &"x".repeat(MAX_QUERY_BYTES + 1)).is_err());
}

mod any_text {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_read_or_refused(text in "[ a-zA-Z0-9'\"():;,.#\\[\\]=<>!*/+-]{0,200}", at in 0usize..400) {
            drop(rule("$userId", &text));
            let mut query = SHOWN.to_owned();
            query.insert_str(at.min(query.len()), &text);
            drop(rule("$userId", &query));
        }
    }
}
