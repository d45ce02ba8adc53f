//! What a message carries beside its headers and body: named values in scopes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::json::Json;
use crate::tree::Tree;

/// Where a property lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Lives from the request to the end of its answer. The scope without a name; also written `default`, `synapse`.
    Default,
    /// The transport headers.
    Transport,
    /// Of one message: the answer starts without those of the request.
    Axis2,
    /// As [`Scope::Axis2`], options of the sender.
    Axis2Client,
    /// Lives as long as [`Scope::Default`].
    Operation,
    /// The parameters of the template that runs: `$func:x`. Read by its mediators only.
    Template,
}

impl Scope {
    /// By the name sequences use; `None` for one we do not have.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "" | "default" | "synapse" => Some(Self::Default),
            "transport" => Some(Self::Transport),
            "axis2" => Some(Self::Axis2),
            "axis2-client" => Some(Self::Axis2Client),
            "operation" => Some(Self::Operation),
            _ => None,
        }
    }
}

/// A property's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A truth.
    Bool(bool),
    /// A whole number, whatever its width was.
    Integer(i64),
    /// A number.
    Double(f64),
    /// XML.
    Xml(Xml),
    /// JSON.
    Json(Json),
}

/// XML kept in a property: one element or several.
#[derive(Clone, PartialEq)]
pub struct Xml(pub(crate) Arc<Tree>);

impl fmt::Display for Xml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text(self.0.document()))
    }
}

impl fmt::Debug for Xml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Xml({self})")
    }
}

impl fmt::Display for Value {
    /// As the old product printed it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Integer(number) => write!(f, "{number}"),
            // Java prints 1.0 where Rust's shortest form is 1.
            Self::Double(number) => write!(f, "{number:?}"),
            Self::Xml(xml) => write!(f, "{xml}"),
            Self::Json(Json::Text(text)) => f.write_str(text),
            Self::Json(json) => write!(f, "{json}"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// The properties that are no headers. Their values are not in the debug form, since tokens are among them.
#[derive(Clone, Default, PartialEq)]
pub struct Properties {
    default: BTreeMap<String, Value>,
    axis2: BTreeMap<String, Value>,
    axis2_client: BTreeMap<String, Value>,
    operation: BTreeMap<String, Value>,
    /// Parameters of the templates that run, the innermost last.
    templates: Vec<BTreeMap<String, Value>>,
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [&self.default, &self.axis2, &self.axis2_client, &self.operation];
        f.debug_list().entries(all.into_iter().flat_map(BTreeMap::keys)).finish()
    }
}

impl Properties {
    fn scope(&self, scope: Scope) -> Option<&BTreeMap<String, Value>> {
        match scope {
            Scope::Default => Some(&self.default),
            Scope::Axis2 => Some(&self.axis2),
            Scope::Axis2Client => Some(&self.axis2_client),
            Scope::Operation => Some(&self.operation),
            Scope::Template => self.templates.last(),
            Scope::Transport => None,
        }
    }

    fn scope_mut(&mut self, scope: Scope) -> Option<&mut BTreeMap<String, Value>> {
        match scope {
            Scope::Default => Some(&mut self.default),
            Scope::Axis2 => Some(&mut self.axis2),
            Scope::Axis2Client => Some(&mut self.axis2_client),
            Scope::Operation => Some(&mut self.operation),
            Scope::Template => self.templates.last_mut(),
            Scope::Transport => None,
        }
    }

    /// A property; [`Scope::Transport`] has none here, see [`Headers`](crate::Headers).
    #[must_use]
    pub fn get(&self, scope: Scope, name: &str) -> Option<&Value> {
        self.scope(scope)?.get(name)
    }

    /// Sets one.
    pub fn set(&mut self, scope: Scope, name: impl Into<String>, value: impl Into<Value>) {
        if let Some(properties) = self.scope_mut(scope) {
            properties.insert(name.into(), value.into());
        }
    }

    /// Removes one.
    pub fn remove(&mut self, scope: Scope, name: &str) {
        if let Some(properties) = self.scope_mut(scope) {
            properties.remove(name);
        }
    }

    /// Those of a scope, by name.
    pub fn iter(&self, scope: Scope) -> impl Iterator<Item = (&str, &Value)> {
        self.scope(scope).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// Bytes of all texts, about.
    pub(crate) fn bytes(&self) -> usize {
        let all = [&self.default, &self.axis2, &self.axis2_client, &self.operation];
        all.into_iter()
            .chain(&self.templates)
            .flat_map(BTreeMap::values)
            .map(|value| if let Value::Text(text) = value { text.len() } else { 0 })
            .sum()
    }

    /// Gives a template its parameters.
    pub(crate) fn enter_template(&mut self, parameters: BTreeMap<String, Value>) {
        self.templates.push(parameters);
    }

    /// Takes them away.
    pub(crate) fn leave_template(&mut self) {
        self.templates.pop();
    }

    /// No template runs any more.
    pub(crate) fn leave_all_templates(&mut self) {
        self.templates.clear();
    }

    /// What a request leaves to its answer.
    pub(crate) fn begin_answer(&mut self) {
        self.axis2.clear();
        self.axis2_client.clear();
    }
}
