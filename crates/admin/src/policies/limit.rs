//! A limit as the interface writes it: a type, and the object the type names; the other two objects are `null`.

use model::{BandwidthUnit, Limit, Quota, TimeUnit};
use serde::{Deserialize, Deserializer, Serialize};

use crate::entry;
use rest::Refusal;

/// `ThrottleLimit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ThrottleLimit {
    #[serde(rename = "type")]
    kind: LimitType,
    request_count: Option<RequestCount>,
    bandwidth: Option<Bandwidth>,
    event_count: Option<EventCount>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum LimitType {
    #[serde(rename = "REQUESTCOUNTLIMIT")]
    RequestCount,
    #[serde(rename = "BANDWIDTHLIMIT")]
    Bandwidth,
    #[serde(rename = "EVENTCOUNTLIMIT")]
    EventCount,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestCount {
    time_unit: String,
    #[serde(deserialize_with = "number")]
    unit_time: i64,
    #[serde(deserialize_with = "number")]
    request_count: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bandwidth {
    time_unit: String,
    #[serde(deserialize_with = "number")]
    unit_time: i64,
    #[serde(deserialize_with = "number")]
    data_amount: i64,
    data_unit: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EventCount {
    time_unit: String,
    #[serde(deserialize_with = "number")]
    unit_time: i64,
    #[serde(deserialize_with = "number")]
    event_count: i64,
}

/// A whole number, also as text: forms send what was typed.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    match Written::deserialize(from)? {
        Written::Number(number) => Ok(number),
        Written::Text(text) => text.trim().parse().map_err(|_| serde::de::Error::custom(format!("'{text}' is not a whole number"))),
    }
}

impl ThrottleLimit {
    /// The limit meant.
    ///
    /// # Errors
    /// 400: the object that `type` names is missing, a unit is unknown, or a number is out of range.
    pub(crate) fn read(self) -> Result<Limit, Refusal> {
        let missing =
            |object: &str, kind: &str| entry::PARAMETER_MISSING.with(format!("{object} object corresponding to type {kind} not provided"));
        let (quota, unit_time, time_unit) = match self.kind {
            LimitType::RequestCount => {
                let given = self.request_count.ok_or_else(|| missing("requestCount", "REQUESTCOUNTLIMIT"))?;
                (Quota::Requests(amount("requestCount", given.request_count)?), given.unit_time, given.time_unit)
            }
            LimitType::Bandwidth => {
                let given = self.bandwidth.ok_or_else(|| missing("bandwidth", "BANDWIDTHLIMIT"))?;
                let unit = BandwidthUnit::parse(&given.data_unit)
                    .ok_or_else(|| entry::LIMIT_INVALID.with(format!("'{}' is not a data unit; KB and MB are", given.data_unit)))?;
                (Quota::Bandwidth { amount: amount("dataAmount", given.data_amount)?, unit }, given.unit_time, given.time_unit)
            }
            LimitType::EventCount => {
                let given = self.event_count.ok_or_else(|| missing("eventCount", "EVENTCOUNTLIMIT"))?;
                (Quota::Events(amount("eventCount", given.event_count)?), given.unit_time, given.time_unit)
            }
        };
        let unit_time = u32::try_from(unit_time)
            .ok()
            .filter(|time| *time > 0)
            .ok_or_else(|| entry::LIMIT_INVALID.with("unitTime must be a whole number of at least 1"))?;
        Ok(Limit { quota, unit_time, time_unit: read_unit(&time_unit)? })
    }

    pub(crate) fn show(limit: &Limit) -> Self {
        let (time_unit, unit_time) = (limit.time_unit.name().to_owned(), i64::from(limit.unit_time));
        let shown = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut all = Self { kind: LimitType::RequestCount, request_count: None, bandwidth: None, event_count: None };
        match limit.quota {
            Quota::Requests(count) => all.request_count = Some(RequestCount { time_unit, unit_time, request_count: shown(count) }),
            Quota::Bandwidth { amount, unit } => {
                all.kind = LimitType::Bandwidth;
                let data_unit = unit.name().to_owned();
                all.bandwidth = Some(Bandwidth { time_unit, unit_time, data_amount: shown(amount), data_unit });
            }
            Quota::Events(count) => {
                all.kind = LimitType::EventCount;
                all.event_count = Some(EventCount { time_unit, unit_time, event_count: shown(count) });
            }
        }
        all
    }
}

/// A time unit in any of its spellings.
pub(crate) fn read_unit(text: &str) -> Result<TimeUnit, Refusal> {
    TimeUnit::parse(text).ok_or_else(|| entry::LIMIT_INVALID.with(format!("'{text}' is not a unit of time")))
}

fn amount(what: &str, number: i64) -> Result<u64, Refusal> {
    u64::try_from(number).map_err(|_| entry::LIMIT_INVALID.with(format!("{what} must not be negative")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_key_is_shown_and_the_unused_are_null() {
        let shown = serde_json::to_value(ThrottleLimit::show(&Limit::per_minute(20))).unwrap();
        let expected = json!({
            "type": "REQUESTCOUNTLIMIT",
            "requestCount": {"timeUnit": "min", "unitTime": 1, "requestCount": 20},
            "bandwidth": null,
            "eventCount": null,
        });
        assert_eq!(shown, expected);
        assert_eq!(serde_json::from_value::<ThrottleLimit>(shown).unwrap().read().unwrap(), Limit::per_minute(20));
    }

    #[test]
    fn each_type_reads_back_as_shown() {
        let kinds = [Quota::Requests(1), Quota::Bandwidth { amount: 5, unit: BandwidthUnit::Mb }, Quota::Events(Quota::UNLIMITED)];
        for (quota, time_unit) in kinds.into_iter().flat_map(|quota| TimeUnit::ALL.map(|unit| (quota, unit))) {
            let limit = Limit { quota, unit_time: 3, time_unit };
            assert_eq!(ThrottleLimit::show(&limit).read().unwrap(), limit);
        }
    }

    #[test]
    fn numbers_may_be_text_and_the_named_object_must_be_there() {
        let read = |value| serde_json::from_value::<ThrottleLimit>(value).unwrap().read();
        let typed = json!({"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "hour", "unitTime": "2", "requestCount": "7"}});
        assert_eq!(read(typed).unwrap(), Limit { quota: Quota::Requests(7), unit_time: 2, time_unit: TimeUnit::Hour });
        for refused in [
            json!({"type": "BANDWIDTHLIMIT", "requestCount": {"timeUnit": "min", "unitTime": 1, "requestCount": 7}}),
            json!({"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "fortnight", "unitTime": 1, "requestCount": 7}}),
            json!({"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "min", "unitTime": 0, "requestCount": 7}}),
            json!({"type": "REQUESTCOUNTLIMIT", "requestCount": {"timeUnit": "min", "unitTime": 1, "requestCount": -7}}),
            json!({"type": "BANDWIDTHLIMIT", "bandwidth": {"timeUnit": "min", "unitTime": 1, "dataAmount": 1, "dataUnit": "TB"}}),
        ] {
            assert!(matches!(read(refused.clone()), Err(Refusal::Catalogue { .. })), "{refused}");
        }
    }
}
