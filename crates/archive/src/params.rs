//! What is to be otherwise in one environment: the parameters that the command-line tool sends beside a project.
//!
//! They come in an outer archive: `intermediate_params.yaml` (or `Deployment/intermediate_params.yaml`) beside `SourceArchive.zip`, which
//! holds the project. Only what parameters name is replaced. (4.0.0 puts `localhost` where they leave an endpoint out.)

use serde_json::{Map, Value, json};

use crate::{ApiProject, ArchiveError, Deployment, Folder, envelope};

const SOURCE: &str = "SourceArchive.zip";
const PLACES: [&str; 3] = ["intermediate_params.yaml", "Deployment/intermediate_params.yaml", "intermediate_params.json"];
const ROUND_ROBIN: &str = "org.apache.synapse.endpoints.algorithms.RoundRobin";

/// A project as it was uploaded, with its parameters.
pub struct Uploaded {
    /// The project's files.
    pub folder: Folder,
    params: Option<Map<String, Value>>,
}

impl Uploaded {
    /// Unzips an upload: a project, or parameters with the project in them.
    ///
    /// # Errors
    /// [`ArchiveError`]. The bounds are those of one archive for both together; an archive deeper within stays the file it is.
    pub fn read(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let mut room = Folder::room();
        let mut outer = Folder::unzip_within(bytes, &mut room)?;
        let found = PLACES.iter().find_map(|place| Some((*place, outer.take(place)?)));
        let params = match found {
            Some((place, bytes)) => Some(read(place, &bytes)?),
            None => None,
        };
        match outer.take(SOURCE) {
            Some(source) => Ok(Self { folder: Folder::unzip_within(&source, &mut room)?, params }),
            None if params.is_some() || outer.paths().any(|path| path.starts_with("Deployment/")) => Err(ArchiveError::NoSource),
            None => Ok(Self { folder: outer, params: None }),
        }
    }

    /// The API's project, its parameters applied, and what of them has no home here.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn api(&self) -> Result<ApiProject, ArchiveError> {
        let mut project = ApiProject::read(&self.folder)?;
        if let Some(params) = &self.params {
            apply(params, &mut project)?;
        }
        Ok(project)
    }
}

fn read(file: &str, bytes: &[u8]) -> Result<Map<String, Value>, ArchiveError> {
    let wrong = || ArchiveError::Params("they must be names and values".to_owned());
    match envelope::parse::<Value>(file, bytes).map_err(|fault| ArchiveError::Params(fault.to_string()))? {
        Value::Null => Ok(Map::new()),
        Value::Object(mut members) => match members.remove("configs") {
            Some(Value::Object(configs)) => Ok(configs),
            Some(Value::Null) => Ok(Map::new()),
            Some(_) => Err(wrong()),
            None => Ok(members),
        },
        _ => Err(wrong()),
    }
}

fn apply(params: &Map<String, Value>, project: &mut ApiProject) -> Result<(), ArchiveError> {
    endpoints(params, &mut project.api.endpoint_config)?;
    if let Some(security) = given(params, "security") {
        let config = project.api.endpoint_config.get_or_insert_with(|| json!({ "endpoint_type": "http" }));
        self::security(security, config)?;
    }
    let names = |value: &Value| value.as_array().map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>());
    if let Some(plans) =
        given(params, "policies").and_then(names).map(|all| all.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>())
        && !plans.is_empty()
    {
        project.api.policies = Some(plans);
    }
    if let Some(deployments) = given(params, "deploymentEnvironments") {
        let read: Result<Vec<Deployment>, _> = serde_json::from_value(deployments.clone());
        project.deployments = read.map_err(|fault| ArchiveError::Params(format!("deploymentEnvironments: {fault}")))?;
    }
    for certificates in ["certs", "mutualSslCerts"] {
        if given(params, certificates).and_then(Value::as_array).is_some_and(|all| !all.is_empty()) {
            project.left.push(format!("parameters: {certificates}"));
        }
    }
    Ok(())
}

fn given<'a>(params: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    params.get(name).filter(|value| !value.is_null())
}

/// Puts endpoints over those of the project; its security and whatever else stands there stays.
fn endpoints(params: &Map<String, Value>, config: &mut Option<Value>) -> Result<(), ArchiveError> {
    let word = |name: &str| given(params, name).and_then(Value::as_str);
    let single = match word("endpointType").unwrap_or("rest") {
        "rest" | "http" => "http",
        "soap" => "address",
        other => return Err(ArchiveError::Params(format!("endpointType '{other}' is not served here; rest and soap are"))),
    };
    let section = |name: &'static str| given(params, name).ok_or_else(|| ArchiveError::Params(format!("{name} is missing")));
    let (kind, named) = match word("endpointRoutingPolicy") {
        None | Some("") => (single, given(params, "endpoints")),
        Some("load_balanced") => ("load_balance", Some(section("loadBalanceEndpoints")?)),
        Some("failover") => ("failover", Some(section("failoverEndpoints")?)),
        Some(other) => {
            return Err(ArchiveError::Params(format!("endpointRoutingPolicy '{other}' is none; load_balanced and failover are")));
        }
    };
    let Some(named) = named else { return Ok(()) };
    let mut next =
        config.take().and_then(|config| if let Value::Object(members) = config { Some(members) } else { None }).unwrap_or_default();
    next.insert("endpoint_type".to_owned(), kind.into());
    for gone in
        ["production_failovers", "sandbox_failovers", "failOver", "algoClassName", "algoCombo", "sessionManagement", "sessionTimeOut"]
    {
        next.shift_remove(gone);
    }
    let mut put = |from: &str, to: &str| {
        if let Some(value) = named.get(from).filter(|value| !value.is_null()) {
            next.insert(to.to_owned(), value.clone());
        }
    };
    put("production", "production_endpoints");
    put("sandbox", "sandbox_endpoints");
    match kind {
        "failover" => {
            put("productionFailovers", "production_failovers");
            put("sandboxFailovers", "sandbox_failovers");
            next.insert("failOver".to_owned(), "true".into());
        }
        "load_balance" => {
            put("sessionTimeOut", "sessionTimeOut");
            // 4.0.0 says "transport" by leaving it out.
            if named.get("sessionManagement").and_then(Value::as_str) != Some("transport") {
                put("sessionManagement", "sessionManagement");
            }
            let class = named.get("algorithmClassName").and_then(Value::as_str).unwrap_or(ROUND_ROBIN);
            next.insert("algoClassName".to_owned(), class.into());
        }
        _ => {}
    }
    *config = Some(Value::Object(next));
    Ok(())
}

/// What the backends ask for. An environment that is not named asks for nothing.
fn security(named: &Value, config: &mut Value) -> Result<(), ArchiveError> {
    let wrong = |words: &str| ArchiveError::Params(format!("security: {words}"));
    let mut security = Map::new();
    for environment in ["production", "sandbox"] {
        let Some(mut one) = named.get(environment).and_then(Value::as_object).cloned() else {
            security.insert(environment.to_owned(), json!({ "type": "NONE", "enabled": false }));
            continue;
        };
        let enabled = one.get("enabled").is_some_and(|on| on.as_bool() == Some(true) || on.as_str() == Some("true"));
        one.insert("enabled".to_owned(), enabled.into());
        for (field, value) in &mut one {
            if field != "enabled" && value.is_number() {
                *value = Value::String(value.to_string());
            }
        }
        if enabled {
            for field in ["username", "password"] {
                if one.get(field).and_then(Value::as_str).is_none() {
                    return Err(wrong(&format!("{environment} is enabled and has no {field}")));
                }
            }
            let kind = one.get("type").and_then(Value::as_str).map(str::to_uppercase);
            match kind.as_deref() {
                Some("BASIC" | "DIGEST") => one.insert("type".to_owned(), kind.unwrap_or_default().into()),
                _ => return Err(wrong(&format!("the type of {environment} must be basic or digest"))),
            };
        }
        security.insert(environment.to_owned(), Value::Object(one));
    }
    match config {
        Value::Object(members) => drop(members.insert("endpoint_security".to_owned(), Value::Object(security))),
        _ => return Err(wrong("the API's endpointConfig is no object")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uploaded(params: &str) -> Result<ApiProject, ArchiveError> {
        let mut source = Folder::default();
        source.put(
            "api.yaml",
            "type: api\nversion: v4.0.0\ndata:\n  name: Pizza\n  version: 1.0.0\n  policies: [Bronze]\n  \
             endpointConfig:\n    endpoint_type: http\n    production_endpoints: {url: http://dev}\n    \
             sandbox_endpoints: {url: http://sand}\n",
        );
        let mut outer = Folder::default();
        outer.put(SOURCE, source.zip("Pizza-1.0.0")?);
        outer.put("intermediate_params.yaml", params);
        Uploaded::read(&outer.zip("any")?)?.api()
    }

    #[test]
    fn what_parameters_name_is_replaced_and_nothing_else() {
        let project = uploaded(
            "endpoints:\n  production: {url: http://prod}\nsecurity:\n  \
             production: {enabled: true, type: basic, username: u, password: 0815}\npolicies: [Gold, '']\n\
             deploymentEnvironments:\n  - {deploymentEnvironment: Default, displayOnDevportal: false}\n\
             certs: [{hostName: h, alias: a, path: a.crt}]\n",
        )
        .unwrap();
        let config = project.api.endpoint_config.unwrap();
        assert_eq!(config["production_endpoints"]["url"], "http://prod");
        assert_eq!(config["sandbox_endpoints"]["url"], "http://sand");
        assert_eq!(config["endpoint_security"]["production"]["type"], "BASIC");
        assert_eq!(config["endpoint_security"]["sandbox"]["type"], "NONE");
        assert_eq!(project.api.policies, Some(vec!["Gold".to_owned()]));
        assert_eq!(
            project.deployments,
            [Deployment { display_on_devportal: false, deployment_environment: "Default".to_owned(), deployment_vhost: None }]
        );
        assert_eq!(project.left, ["parameters: certs"]);
    }

    #[test]
    fn routes_over_several_endpoints_are_written_as_4_0_0_does() {
        let project = uploaded(
            "endpointRoutingPolicy: failover\nfailoverEndpoints:\n  production: {url: http://a}\n  \
             productionFailovers: [{url: http://b}]\n",
        )
        .unwrap();
        let config = project.api.endpoint_config.unwrap();
        assert_eq!(config["endpoint_type"], "failover");
        assert_eq!(config["production_failovers"][0]["url"], "http://b");
        let project =
            uploaded("endpointRoutingPolicy: load_balanced\nloadBalanceEndpoints:\n  production: [{url: http://a}, {url: http://b}]\n")
                .unwrap();
        assert_eq!(project.api.endpoint_config.unwrap()["algoClassName"], ROUND_ROBIN);
    }

    #[test]
    fn what_cannot_be_applied_is_refused() {
        for params in [
            "endpointType: aws",
            "endpointRoutingPolicy: failover",
            "endpointRoutingPolicy: sideways",
            "security: {production: {enabled: true, type: basic, username: u}}",
            "security: {production: {enabled: true, type: oauth, username: u, password: p}}",
            "deploymentEnvironments: x",
            "- a",
        ] {
            assert!(matches!(uploaded(params), Err(ArchiveError::Params(_))), "{params}");
        }
        let mut alone = Folder::default();
        alone.put("intermediate_params.yaml", "policies: []");
        assert_eq!(Uploaded::read(&alone.zip("x").unwrap()).err(), Some(ArchiveError::NoSource));
    }
}
