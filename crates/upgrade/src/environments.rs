//! Where APIs run: gateway environments of the old installation, and those of the new one that stand for them.

use std::collections::{BTreeMap, BTreeSet};

use db::bootstrap::DEFAULT_ENVIRONMENT;
use model::Api;

use crate::source::files::GatewayEnvironment;

/// The additional property that keeps an API's old list of environments.
pub(crate) const LISTED: &str = "source_environments";
/// Longest name taken, in characters.
const NAME_MAX: usize = 255;

/// New environments by the name of the old one. Empty when the operator said nothing: then all APIs run in `Default`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentMap(BTreeMap<String, String>);

/// What was said is no map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentMapError {
    /// Not `OLD=NEW`.
    #[error("'{0}' is not OLD=NEW, an old gateway environment and the one that stands for it here")]
    NoPair(String),
    /// One old name, two new ones.
    #[error("the old environment {0} is mapped twice")]
    Twice(String),
}

impl EnvironmentMap {
    /// Of pairs `OLD=NEW`.
    ///
    /// # Errors
    ///
    /// [`EnvironmentMapError`].
    pub fn parse<'a>(pairs: impl IntoIterator<Item = &'a String>) -> Result<Self, EnvironmentMapError> {
        let mut map = BTreeMap::new();
        for pair in pairs {
            let sound = |name: &&str| !name.is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
            let split = pair.split_once('=').map(|(old, new)| (old.trim(), new.trim())).filter(|(old, new)| sound(old) && sound(new));
            let (old, new) = split.ok_or_else(|| EnvironmentMapError::NoPair(pair.clone()))?;
            if map.insert(old.to_owned(), new.to_owned()).is_some_and(|before| before != new) {
                return Err(EnvironmentMapError::Twice(old.to_owned()));
            }
        }
        Ok(Self(map))
    }

    /// Pairs as they were said, in order.
    pub fn pairs(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(old, new)| format!("{old}={new}"))
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands for an old environment; `None` where nothing was said of it.
    pub fn get(&self, old: &str) -> Option<&str> {
        self.0.get(old).map(String::as_str)
    }
}

/// The map, with what the old installation's environments were.
#[derive(Debug, Clone, Default)]
pub struct Destinations {
    map: EnvironmentMap,
    old: Vec<GatewayEnvironment>,
}

impl Destinations {
    /// Of an installation.
    pub fn new(map: EnvironmentMap, old: Vec<GatewayEnvironment>) -> Self {
        Self { map, old }
    }

    /// The map.
    pub fn map(&self) -> &EnvironmentMap {
        &self.map
    }

    /// The environments in which an API runs, by name. An empty list of the old product's meant all it had; what nothing was said of is
    /// `Default`.
    pub fn of(&self, api: &Api) -> BTreeSet<String> {
        let default = || DEFAULT_ENVIRONMENT.to_owned();
        if self.map.is_empty() {
            return BTreeSet::from([default()]);
        }
        let listed = api.properties.iter().find(|p| p.name.eq_ignore_ascii_case(LISTED)).map_or("", |p| p.value.as_str());
        let listed: Vec<&str> = listed.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let named: Vec<&str> = match (listed.as_slice(), self.old.as_slice()) {
            ([], []) => self.map.0.keys().map(String::as_str).collect(),
            ([], old) => old.iter().map(|e| e.name.as_str()).collect(),
            (listed, _) => listed.to_vec(),
        };
        named.into_iter().map(|name| self.map.get(name).map_or_else(default, str::to_owned)).collect()
    }

    /// The new environments that the map names, each with the old ones it stands for.
    pub(crate) fn named(&self) -> BTreeMap<&str, Vec<Option<&GatewayEnvironment>>> {
        let mut found: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for (old, new) in &self.map.0 {
            found.entry(new).or_default().push(self.old.iter().find(|e| e.name == *old));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use model::{ApiId, Property, TenantId, Timestamp};

    use super::*;

    fn map(pairs: &[&str]) -> Result<EnvironmentMap, EnvironmentMapError> {
        let pairs: Vec<String> = pairs.iter().map(|&p| p.to_owned()).collect();
        EnvironmentMap::parse(&pairs)
    }

    fn runs(destinations: &Destinations, listed: Option<&str>) -> String {
        let mut api = Api::new(ApiId::derived(&["a"]), TenantId::SUPER, "admin", "A", "1", "/a/{version}", Timestamp(0));
        api.properties.extend(listed.map(|value| Property { name: LISTED.to_owned(), value: value.to_owned(), display: false }));
        destinations.of(&api).into_iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_api_runs_where_what_it_listed_is_mapped_to() {
        let old = |name: &str| GatewayEnvironment { name: name.to_owned(), kind: None, description: None, endpoint: None };
        let all = vec![old("Internal"), old("DMZ"), old("Test")];
        let mapped = Destinations::new(map(&["Internal=inner", "DMZ = outer"]).unwrap(), all.clone());
        assert_eq!(runs(&mapped, Some("DMZ")), "outer");
        assert_eq!(runs(&mapped, Some("Internal, Test")), "Default inner");
        assert_eq!(runs(&mapped, None), "Default inner outer");
        assert_eq!(runs(&Destinations::new(map(&["A=b"]).unwrap(), vec![]), None), "b");
        assert_eq!(runs(&Destinations::new(EnvironmentMap::default(), all), Some("DMZ")), "Default");
    }

    #[test]
    fn what_is_no_map_is_refused() {
        assert_eq!(map(&["A"]).unwrap_err(), EnvironmentMapError::NoPair("A".to_owned()));
        assert_eq!(map(&["A="]).unwrap_err(), EnvironmentMapError::NoPair("A=".to_owned()));
        assert_eq!(map(&["A=b", "A=c"]).unwrap_err(), EnvironmentMapError::Twice("A".to_owned()));
        assert_eq!(map(&["A=b", "A=b"]).unwrap().pairs().collect::<Vec<_>>(), ["A=b"]);
    }
}
